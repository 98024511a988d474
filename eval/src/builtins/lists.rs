//! Lists.

use super::{Builtin, row};
use crate::diagnostic::{CallPart, Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::symbol::names;
use crate::value::{List, Value};
use rustc_hash::FxHashMap;
use std::cmp::Ordering;

pub(super) const TABLE: &[Builtin] = &[
    row("all", 2, "Whether a predicate holds for all elements of a list.", all).forcing(0b01),
    row("any", 2, "Whether a predicate holds for some element of a list.", any).forcing(0b01),
    row("concatLists", 1, "The elements of all lists in a list.", concat_lists).forcing(1),
    row("concatMap", 2, "The elements of all lists that a function gives for the elements of a list.", concat_map)
        .forcing(0b01),
    row("elem", 2, "Whether a list has an element equal to a value.", elem),
    row("elemAt", 2, "The element at an index, counted from 0.", elem_at).forcing(0b10),
    row("filter", 2, "The elements of a list for which a predicate holds.", filter).forcing(0b10),
    row("foldl'", 3, "Combines the elements of a list from the left, evaluating each result at once.", foldl),
    row("genList", 2, "The list of what a function gives for 0, 1, … up to a length.", gen_list).forcing(0b10),
    row("groupBy", 2, "The elements of a list in sets by the name that a function gives for each.", group_by)
        .forcing(0b01),
    row("head", 1, "The first element of a list.", head).forcing(1),
    row("length", 1, "The number of elements of a list.", length).forcing(1),
    row("map", 2, "The list of what a function gives for each element of a list.", map).forcing(0b10),
    row("partition", 2, "The elements for which a predicate holds (`right`) and the others (`wrong`).", partition)
        .forcing(0b01),
    row("sort", 2, "Sorts a list by a function that says whether its first argument is less; stable.", sort)
        .forcing(0b10),
    row("tail", 1, "A list without its first element.", tail).forcing(1),
];

fn list_argument(evaluator: &Evaluator<'_>, value: Value, span: Span, of: &str) -> Result<List> {
    match value {
        Value::List(list) => Ok(list),
        other => evaluator.expect_list(other, span, &format!("as the list given to `{of}`")),
    }
}

fn holds(evaluator: &Evaluator<'_>, predicate: Value, item: Value, span: Span, of: &str) -> Result<bool> {
    match evaluator.call(predicate, &[item], span)? {
        Value::Bool(holds) => Ok(holds),
        other => {
            let role = format!("as the result of the function given to `{of}`");
            Err(evaluator.wrong_type("a boolean", other, span, &role).part(CallPart::Argument(0)))
        }
    }
}

fn all(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let predicate = evaluator.expect_function(args[0], span, "as the function given to `all`")?;
    for item in list_argument(evaluator, args[1], span, "all")?.items() {
        if !holds(evaluator, predicate, *item, span, "all")? {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn any(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let predicate = evaluator.expect_function(args[0], span, "as the function given to `any`")?;
    for item in list_argument(evaluator, args[1], span, "any")?.items() {
        if holds(evaluator, predicate, *item, span, "any")? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn concat(evaluator: &Evaluator<'_>, lists: &[List]) -> Value {
    let mut filled = lists.iter().filter(|list| !list.items().is_empty());
    match (filled.next(), filled.next()) {
        (None, _) => Value::List(List::EMPTY),
        (Some(only), None) => Value::List(*only),
        _ => {
            let mut all = Vec::with_capacity(lists.iter().map(|list| list.items().len()).sum());
            lists.iter().for_each(|list| all.extend_from_slice(list.items()));
            evaluator.list(&all)
        }
    }
}

fn concat_lists(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let lists = list_argument(evaluator, args[0], span, "concatLists")?;
    let inner =
        lists.items().iter().map(|item| evaluator.expect_list(*item, span, "in the list given to `concatLists`"));
    Ok(concat(evaluator, &inner.collect::<Result<Vec<_>>>()?))
}

fn concat_map(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let function = evaluator.expect_function(args[0], span, "as the function given to `concatMap`")?;
    let list = list_argument(evaluator, args[1], span, "concatMap")?;
    let inner = list.items().iter().map(|item| {
        let result = evaluator.call(function, &[*item], span)?;
        evaluator.expect_list(result, span, "as the result of the function given to `concatMap`")
    });
    Ok(concat(evaluator, &inner.collect::<Result<Vec<_>>>()?))
}

fn elem(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let list = list_argument(evaluator, args[1], span, "elem")?;
    for item in list.items() {
        if evaluator.equal_parts(args[0], *item, span)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn elem_at(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let index = evaluator.expect_int(args[1], span, "as the index given to `elemAt`")?;
    let list = list_argument(evaluator, args[0], span, "elemAt")?;
    match usize::try_from(index).ok().and_then(|index| list.items().get(index)) {
        Some(item) => evaluator.force(*item),
        None => {
            let message = format!("index {index} is out of bounds of a list of {} elements", list.items().len());
            Err(Diagnostic::new(Code::BadArgument, span, message)
                .label("the first element has index 0")
                .part(CallPart::Argument(1)))
        }
    }
}

fn filter(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let list = list_argument(evaluator, args[1], span, "filter")?;
    if list.items().is_empty() {
        return Ok(Value::List(List::EMPTY));
    }
    let predicate = evaluator.expect_function(args[0], span, "as the function given to `filter`")?;
    let mut kept = Vec::new();
    for item in list.items() {
        if holds(evaluator, predicate, *item, span, "filter")? {
            kept.push(*item);
        }
    }
    Ok(if kept.len() == list.items().len() { Value::List(list) } else { evaluator.list(&kept) })
}

fn foldl(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let function = evaluator.expect_function(args[0], span, "as the function given to `foldl'`")?;
    let list = list_argument(evaluator, args[2], span, "foldl'")?;
    let mut result = args[1];
    for item in list.items() {
        result = evaluator.call(function, &[result, *item], span)?;
    }
    evaluator.force(result)
}

fn gen_list(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let length = evaluator.expect_int(args[1], span, "as the length given to `genList`")?;
    let Ok(length) = usize::try_from(length) else {
        let message = format!("cannot make a list of {length} elements");
        return Err(Diagnostic::new(Code::BadArgument, span, message).part(CallPart::Argument(1)));
    };
    if length > 1 << 32 {
        let message = format!("a list of {length} elements is too long");
        return Err(Diagnostic::new(Code::BadArgument, span, message).part(CallPart::Argument(1)));
    }
    let function = evaluator.expect_function(args[0], span, "as the function given to `genList`")?;
    Ok(evaluator.delay_calls(function, (0..length).map(|index| Value::Int(index as i64))))
}

fn group_by(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let function = evaluator.expect_function(args[0], span, "as the function given to `groupBy`")?;
    let list = list_argument(evaluator, args[1], span, "groupBy")?;
    let mut groups: FxHashMap<_, Vec<Value>> = FxHashMap::default();
    let mut order = Vec::new();
    for item in list.items() {
        let name = evaluator.call(function, &[*item], span)?;
        let name = evaluator.attribute_name(name, span)?;
        let group = groups.entry(name).or_default();
        if group.is_empty() {
            order.push(name);
        }
        group.push(*item);
    }
    Ok(evaluator.set(order.into_iter().map(|name| (name, evaluator.list(&groups[&name])))))
}

fn head(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    match list_argument(evaluator, args[0], span, "head")?.items().first() {
        Some(first) => evaluator.force(*first),
        None => Err(Diagnostic::new(Code::BadArgument, span, "`builtins.head` is called on an empty list")),
    }
}

fn tail(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    match list_argument(evaluator, args[0], span, "tail")?.items() {
        [] => Err(Diagnostic::new(Code::BadArgument, span, "`builtins.tail` is called on an empty list")),
        [_] => Ok(Value::List(List::EMPTY)),
        [_, items @ ..] => Ok(Value::List(List::new(evaluator.bump(), items))),
    }
}

fn length(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    Ok(Value::Int(list_argument(evaluator, args[0], span, "length")?.items().len() as i64))
}

fn map(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let list = list_argument(evaluator, args[1], span, "map")?;
    Ok(evaluator.delay_calls(args[0], list.items().iter().copied()))
}

fn partition(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let predicate = evaluator.expect_function(args[0], span, "as the function given to `partition`")?;
    let list = list_argument(evaluator, args[1], span, "partition")?;
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for item in list.items() {
        if holds(evaluator, predicate, *item, span, "partition")? { right.push(*item) } else { wrong.push(*item) }
    }
    Ok(evaluator.set([(names::RIGHT, evaluator.list(&right)), (names::WRONG, evaluator.list(&wrong))]))
}

fn sort(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let list = list_argument(evaluator, args[1], span, "sort")?;
    if list.items().is_empty() {
        return Ok(Value::List(list));
    }
    let function = evaluator.expect_function(args[0], span, "as the function given to `sort`")?;
    let natural = matches!(function, Value::Builtin(builtin) if builtin.name == "lessThan");
    let mut items = list.items().to_vec();
    if natural {
        for item in &mut items {
            *item = evaluator.force(*item)?;
        }
    }
    let less = |a: Value, b: Value| -> Result<bool> {
        if natural {
            return Ok(evaluator.compare(a, b, span)? == Ordering::Less);
        }
        match evaluator.call(function, &[a, b], span)? {
            Value::Bool(less) => Ok(less),
            other => {
                let role = "as the result of the function given to `sort`";
                Err(evaluator.wrong_type("a boolean", other, span, role).part(CallPart::Argument(0)))
            }
        }
    };
    Ok(evaluator.list(&merge_sort(items, &less)?))
}

/// What was computed for comparing need not be looked up again; but a function is equal only to what is in the same place.
fn known(item: Value) -> Value {
    match item.resolved() {
        Value::Lambda(_) | Value::Builtin(_) | Value::Partial(_) => item,
        value => value,
    }
}

/// A stable merge sort from the bottom up. Unlike the standard library's it lets comparing fail, and it does not mind a
/// function that is no order.
fn merge_sort(mut items: Vec<Value>, less: &dyn Fn(Value, Value) -> Result<bool>) -> Result<Vec<Value>> {
    let length = items.len();
    let mut width = 1;
    let mut merged = Vec::with_capacity(length);
    while width < length {
        merged.clear();
        for start in (0..length).step_by(2 * width) {
            let (middle, end) = ((start + width).min(length), (start + 2 * width).min(length));
            let (mut left, mut right) = (start, middle);
            while left < middle && right < end {
                let second = less(items[right], items[left])?;
                merged.push(known(items[if second { right } else { left }]));
                if second { right += 1 } else { left += 1 }
            }
            merged.extend_from_slice(&items[left..middle]);
            merged.extend_from_slice(&items[right..end]);
        }
        std::mem::swap(&mut items, &mut merged);
        width *= 2;
    }
    Ok(items)
}
