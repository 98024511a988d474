//! `derivation`: from a set of attributes to a derivation in the store.
//!
//! `derivation attrs` gives at once a set with the attributes, one attribute per output, `all`, `drvAttrs`, `type`, and
//! `drvPath` and `outPath` as thunks; only those two evaluate the attributes themselves (`derivationStrict`).

mod strict;

pub(super) use strict::derivation_strict;

use super::{Builtin, row};
use crate::attrs::{Attr, Attrs};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::{Pos, Span};
use crate::symbol::{Symbol, names};
use crate::thunk::{Apply, Thunk};
use crate::value::Value;
use store::OutputName;
use store::derivation::{ParseOutputNameError, output_guest_path};

pub(super) const TABLE: &[Builtin] = &[
    row("derivation", 1, "A build step, as a set with its outputs.", derivation).forcing(1),
    row(
        "derivationStrict",
        1,
        "Makes a derivation and gives its path and those of its outputs.",
        strict::derivation_strict,
    )
    .forcing(1),
    row("placeholder", 1, "The path where a build creates one of its own outputs.", placeholder),
];

/// Gives an attribute of a set that is a thunk.
static FIELD: Builtin = row("derivation.field", 2, "An attribute of a derivation.", |evaluator, args, span| {
    let name = evaluator.attribute_name(evaluator.force(args[1])?, span)?;
    let attrs = evaluator.expect_attrs(args[0], span, "as a derivation")?;
    evaluator.required(attrs, name, span, "in a derivation")
});

static STRICT: Builtin = row(
    "derivationStrict",
    1,
    "Makes a derivation and gives its path and those of its outputs.",
    strict::derivation_strict,
);

/// The names in the attribute `outputs`, which defaults to `out` alone.
fn output_values(evaluator: &Evaluator<'_>, attrs: Attrs, span: Span) -> Result<Vec<Value>> {
    let Some(outputs) = attrs.value(names::OUTPUTS) else {
        return Ok(vec![Value::String(evaluator.session.symbols().text(names::OUT))]);
    };
    let outputs = evaluator.expect_list(outputs, span, "as `outputs` of a derivation")?;
    if outputs.items().is_empty() {
        return Err(Diagnostic::new(Code::Derivation, span, "a derivation needs at least one output"));
    }
    outputs
        .items()
        .iter()
        .map(|name| evaluator.expect_plain_string(*name, span, "in `outputs` of a derivation").map(Value::String))
        .collect()
}

pub(super) fn output_name(evaluator: &Evaluator<'_>, value: Value, span: Span) -> Result<OutputName> {
    let text = evaluator.expect_plain_string(value, span, "as the name of an output")?;
    let text = String::from_utf8_lossy(text.bytes());
    text.parse().map_err(|error: ParseOutputNameError| Diagnostic::new(Code::Derivation, span, error.to_string()))
}

fn derivation(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let given = evaluator.expect_attrs(args[0], span, "as the argument of `derivation`")?;
    let outputs = output_values(evaluator, given, span)?;
    let strict = evaluator.delay_call(Value::Builtin(&STRICT), &[Value::Attrs(given)]);
    // The sets of the outputs contain each other: through thunks that are done as soon as all are made.
    let bump = evaluator.bump();
    let nothing: &'static Apply = bump.alloc(Apply { function: Value::Null, arguments: &[] });
    let cells: Vec<&'static Thunk> = outputs.iter().map(|_| bump.alloc(Thunk::apply(nothing))).collect();
    let all = evaluator.list_of(cells.iter().map(|cell| Value::Thunk(cell)));
    let mut shared = vec![(names::ALL, all), (names::DRV_ATTRS, Value::Attrs(given))];
    for (name, cell) in outputs.iter().zip(&cells) {
        shared.push((evaluator.attribute_name(*name, span)?, Value::Thunk(cell)));
    }
    let sets: Vec<_> = outputs.iter().map(|output| of_output(evaluator, given, strict, *output, &shared)).collect();
    for (cell, set) in cells.iter().zip(&sets) {
        cell.claim(0, true);
        cell.fulfil(*set, crate::reads::Read::NONE, true);
    }
    Ok(sets[0])
}

/// The set of one output, with what those of all outputs share.
fn of_output(
    evaluator: &Evaluator<'_>,
    given: Attrs,
    strict: Value,
    output: Value,
    shared: &[(Symbol, Value)],
) -> Value {
    let field = |name: Value| evaluator.delay_call(Value::Builtin(&FIELD), &[strict, name]);
    let path = field(Value::String(evaluator.session.symbols().text(names::DRV_PATH)));
    evaluator.made_for(path, given);
    let own = [
        (names::DRV_PATH, path),
        (names::OUT_PATH, field(output)),
        (names::TYPE, evaluator.string(b"derivation")),
        (names::OUTPUT_NAME, output),
    ];
    let pos = |name| given.get(name).map_or(Pos::NONE, |attr| attr.pos);
    let attr = |&(name, value): &(Symbol, Value)| Attr { name, pos: pos(name), value };
    let more = own.iter().chain(shared).map(attr).collect();
    let more = Attrs::from_unsorted(evaluator.bump(), more);
    Value::Attrs(given.update(evaluator.bump(), more))
}

fn placeholder(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let output = output_name(evaluator, args[0], span)?;
    Ok(evaluator.string(output_guest_path(&output).as_bytes()))
}
