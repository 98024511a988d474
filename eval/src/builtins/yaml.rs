//! `builtins.fromYAML`, which Nix does not have: a document of [`crate::yaml`] as a value.

use super::{Builtin, row};
use crate::attrs::{Attr, Attrs};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::{Pos, Span};
use crate::value::Value;
use crate::yaml::{Document, Kind, Node, Scalar};

pub(super) const TABLE: &[Builtin] = &[row(
    "fromYAML",
    1,
    "The value that a YAML text of one document stands for, with what `<<` merges; `tryEval` catches what is none. larder's own.",
    from_yaml,
)];

fn from_yaml(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.expect_plain_string(args[0], span, "as the argument of `fromYAML`")?;
    // It can be caught, so that who reads many files can go on without one of them.
    let document = Document::parse(text.bytes())
        .map_err(|error| Diagnostic::new(Code::Thrown, span, format!("this string is not YAML: {error}")))?;
    // What a value consists of comes before it.
    let mut values = Vec::with_capacity(document.nodes().len());
    for node in document.nodes() {
        values.push(value(evaluator, node, &values));
    }
    Ok(document.root().map_or(Value::Null, |root| values[root]))
}

fn value(evaluator: &Evaluator<'_>, node: &Node, made: &[Value]) -> Value {
    match &node.kind {
        Kind::Scalar(Scalar::Null) => Value::Null,
        Kind::Scalar(Scalar::Bool(value)) => Value::Bool(*value),
        Kind::Scalar(Scalar::Int(value)) => Value::Int(*value),
        Kind::Scalar(Scalar::Float(value)) => Value::Float(*value),
        Kind::Scalar(Scalar::Text(text)) => evaluator.string(text.as_bytes()),
        Kind::List(items) => evaluator.list(&items.iter().map(|item| made[*item]).collect::<Vec<_>>()),
        Kind::Map(entries) => {
            let symbols = evaluator.session.symbols();
            let attr = |entry: &crate::yaml::Entry| Attr {
                name: symbols.intern(entry.key.as_bytes()),
                pos: Pos::NONE,
                value: made[entry.value],
            };
            Value::Attrs(Attrs::from_unsorted(evaluator.bump(), entries.iter().map(attr).collect()))
        }
    }
}
