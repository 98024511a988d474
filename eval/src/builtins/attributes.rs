//! Attribute sets.

use super::{Builtin, row};
use crate::attrs::{Attr, Attrs};
use crate::diagnostic::{CallPart, Result};
use crate::evaluate::Evaluator;
use crate::print::by_name;
use crate::source::{Pos, Span};
use crate::symbol::{Symbol, names};
use crate::value::Value;
use rustc_hash::{FxHashMap, FxHashSet};

pub(super) const TABLE: &[Builtin] = &[
    row("attrNames", 1, "The names of a set's attributes, sorted.", attr_names).forcing(1),
    row("attrValues", 1, "The values of a set's attributes, in the order of their names.", attr_values).forcing(1),
    row("catAttrs", 2, "The attributes of one name of the sets in a list, where they have it.", cat_attrs)
        .forcing(0b01),
    row("getAttr", 2, "The attribute of a name.", get_attr).forcing(0b01),
    row("hasAttr", 2, "Whether a set has an attribute of a name.", has_attr).forcing(0b01),
    row("intersectAttrs", 2, "The attributes of the second set whose names the first has too.", intersect_attrs)
        .forcing(0b01),
    row(
        "listToAttrs",
        1,
        "The set of a list of sets with `name` and `value`; the first of a name counts.",
        list_to_attrs,
    )
    .forcing(1),
    row("mapAttrs", 2, "Applies a function to name and value of each attribute.", map_attrs).forcing(0b10),
    row("removeAttrs", 2, "A set without the attributes named in a list.", remove_attrs).forcing(0b01),
    row(
        "unsafeGetAttrPos",
        2,
        "Where an attribute was written: a set of file, line and column, or null.",
        get_attr_pos,
    )
    .forcing(0b01),
    row(
        "zipAttrsWith",
        2,
        "For each name in a list of sets, applies a function to the name and the list of its values.",
        zip_attrs_with,
    ),
];

fn attr_names(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let attrs = evaluator.expect_attrs(args[0], span, "as the argument of `attrNames`")?;
    let symbols = evaluator.session.symbols();
    let mut names: Vec<_> = attrs.all().iter().map(|attr| symbols.text(attr.name)).collect();
    names.sort_unstable_by_key(|name| name.bytes());
    Ok(evaluator.list_of(names.into_iter().map(Value::String)))
}

fn attr_values(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let attrs = evaluator.expect_attrs(args[0], span, "as the argument of `attrValues`")?;
    Ok(evaluator.list_of(by_name(attrs, evaluator.session.symbols()).into_iter().map(|attr| attr.value)))
}

fn name_argument(evaluator: &Evaluator<'_>, value: Value, span: Span) -> Result<Symbol> {
    evaluator.attribute_name(evaluator.force(value)?, span)
}

fn cat_attrs(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let name = name_argument(evaluator, args[0], span)?;
    let list = evaluator.expect_list(args[1], span, "as the second argument of `catAttrs`")?;
    let mut found = Vec::new();
    for item in list.items() {
        let attrs = evaluator.expect_attrs(*item, span, "in the list given to `catAttrs`")?;
        found.extend(attrs.value(name));
    }
    Ok(evaluator.list(&found))
}

fn get_attr(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let name = name_argument(evaluator, args[0], span)?;
    let attrs = evaluator.expect_attrs(args[1], span, "as the second argument of `getAttr`")?;
    match attrs.value(name) {
        Some(value) => evaluator.force(value),
        None => Err(evaluator.missing_attribute(attrs, name, span).part(CallPart::Argument(0))),
    }
}

fn has_attr(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let name = name_argument(evaluator, args[0], span)?;
    let attrs = evaluator.expect_attrs(args[1], span, "as the second argument of `hasAttr`")?;
    Ok(Value::Bool(attrs.get(name).is_some()))
}

/// A set of attributes that are sorted already.
fn sorted(evaluator: &Evaluator<'_>, attrs: &[Attr]) -> Value {
    if attrs.is_empty() {
        return Value::Attrs(Attrs::EMPTY);
    }
    let bump = evaluator.bump();
    Value::Attrs(Attrs::from_sorted(bump, bump.alloc_slice_copy(attrs)))
}

fn intersect_attrs(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let left = evaluator.expect_attrs(args[0], span, "as the first argument of `intersectAttrs`")?;
    let right = evaluator.expect_attrs(args[1], span, "as the second argument of `intersectAttrs`")?;
    let common: Vec<Attr> = if left.len() < right.len() {
        left.all().iter().filter_map(|attr| right.get(attr.name).copied()).collect()
    } else {
        right.all().iter().filter(|attr| left.get(attr.name).is_some()).copied().collect()
    };
    Ok(sorted(evaluator, &common))
}

fn list_to_attrs(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let list = evaluator.expect_list(args[0], span, "as the argument of `listToAttrs`")?;
    let mut attrs = Vec::with_capacity(list.items().len());
    let mut seen = FxHashSet::default();
    for item in list.items() {
        let pair = evaluator.expect_attrs(*item, span, "in the list given to `listToAttrs`")?;
        let name =
            evaluator.required(pair, names::NAME, span, "elements given to `listToAttrs` have `name` and `value`")?;
        let name = evaluator.attribute_name(name, span)?;
        if !seen.insert(name) {
            continue;
        }
        match pair.get(names::VALUE) {
            Some(attr) => attrs.push(Attr { name, pos: attr.pos, value: attr.value }),
            None => return Err(evaluator.missing_attribute(pair, names::VALUE, span)),
        }
    }
    Ok(Value::Attrs(Attrs::from_unsorted(evaluator.bump(), attrs)))
}

fn map_attrs(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let attrs = evaluator.expect_attrs(args[1], span, "as the second argument of `mapAttrs`")?;
    let mapped = attrs.all().iter().map(|attr| Attr {
        name: attr.name,
        pos: Pos::NONE,
        value: evaluator.delay_named_call(args[0], attr),
    });
    let bump = evaluator.bump();
    Ok(Value::Attrs(Attrs::from_sorted(bump, bump.alloc_slice_fill_iter(mapped))))
}

fn remove_attrs(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let attrs = evaluator.expect_attrs(args[0], span, "as the first argument of `removeAttrs`")?;
    let list = evaluator.expect_list(args[1], span, "as the second argument of `removeAttrs`")?;
    let mut removed = Vec::with_capacity(list.items().len());
    for item in list.items() {
        let text = evaluator.expect_plain_string(*item, span, "in the list given to `removeAttrs`")?;
        removed.extend(evaluator.session.symbols().find(text.bytes()));
    }
    removed.sort_unstable();
    let kept: Vec<_> = attrs.all().iter().filter(|attr| removed.binary_search(&attr.name).is_err()).copied().collect();
    Ok(if kept.len() == attrs.len() { Value::Attrs(attrs) } else { sorted(evaluator, &kept) })
}

fn get_attr_pos(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let name = name_argument(evaluator, args[0], span)?;
    let attrs = evaluator.expect_attrs(args[1], span, "as the second argument of `unsafeGetAttrPos`")?;
    Ok(attrs.get(name).map_or(Value::Null, |attr| evaluator.position(attr.pos)))
}

fn zip_attrs_with(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let function = evaluator.expect_function(args[0], span, "as the function given to `zipAttrsWith`")?;
    let list = evaluator.expect_list(args[1], span, "as the second argument of `zipAttrsWith`")?;
    let mut values: FxHashMap<Symbol, Vec<Value>> = FxHashMap::default();
    let mut order = Vec::new();
    for item in list.items() {
        for attr in evaluator.expect_attrs(*item, span, "in the list given to `zipAttrsWith`")?.all() {
            let of_name = values.entry(attr.name).or_default();
            if of_name.is_empty() {
                order.push(attr.name);
            }
            of_name.push(attr.value);
        }
    }
    let zipped = order.into_iter().map(|name| {
        let text = Value::String(evaluator.session.symbols().text(name));
        let list = evaluator.list(&values[&name]);
        Attr { name, pos: Pos::NONE, value: evaluator.delay_call(function, &[text, list]) }
    });
    let zipped = zipped.collect();
    Ok(Value::Attrs(Attrs::from_unsorted(evaluator.bump(), zipped)))
}
