//! Types and functions.

use super::{Builtin, row};
use crate::attrs::{Attr, Attrs};
use crate::code::Parameters;
use crate::diagnostic::Result;
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::symbol::names;
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    row("typeOf", 1, "The name of a value's type.", type_of).forcing(1),
    row("isAttrs", 1, "Whether a value is a set.", is_attrs).forcing(1),
    row("isBool", 1, "Whether a value is a boolean.", is_bool).forcing(1),
    row("isFloat", 1, "Whether a value is a float.", is_float).forcing(1),
    row("isFunction", 1, "Whether a value is a function.", is_function).forcing(1),
    row("isInt", 1, "Whether a value is an integer.", is_int).forcing(1),
    row("isList", 1, "Whether a value is a list.", is_list).forcing(1),
    row("isNull", 1, "Whether a value is null.", is_null).forcing(1),
    row("isPath", 1, "Whether a value is a path.", is_path).forcing(1),
    row("isString", 1, "Whether a value is a string.", is_string).forcing(1),
    row("functionArgs", 1, "The names a function's set pattern has, and whether each has a default.", function_args)
        .forcing(1),
];

fn type_of(evaluator: &Evaluator<'_>, args: &[Value], _: Span) -> Result<Value> {
    Ok(evaluator.string(evaluator.force(args[0])?.type_name().as_bytes()))
}

macro_rules! predicates {
    ($($name:ident = $pattern:pat,)*) => {
        $(fn $name(evaluator: &Evaluator<'_>, args: &[Value], _: Span) -> Result<Value> {
            Ok(Value::Bool(matches!(evaluator.force(args[0])?, $pattern)))
        })*
    };
}

predicates! {
    is_attrs = Value::Attrs(_),
    is_bool = Value::Bool(_),
    is_float = Value::Float(_),
    is_function = Value::Lambda(_) | Value::Builtin(_) | Value::Partial(_),
    is_int = Value::Int(_),
    is_list = Value::List(_),
    is_null = Value::Null,
    is_path = Value::Path(_),
    is_string = Value::String(_),
}

fn function_args(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    match evaluator.force(args[0])? {
        Value::Lambda(closure) => Ok(match &closure.lambda.parameters {
            Parameters::Names(_) => evaluator.set([]),
            Parameters::Set(formals) => {
                let attrs = formals.formals.iter().map(|formal| Attr {
                    name: formal.name,
                    pos: formal.span.start,
                    value: Value::Bool(formal.default.is_some()),
                });
                // Formals are sorted by symbol, as attributes are.
                Value::Attrs(Attrs::from_sorted(evaluator.bump(), evaluator.bump().alloc_slice_fill_iter(attrs)))
            }
        }),
        Value::Builtin(builtin) if builtin.name == "derivation" => {
            Ok(evaluator.set([(names::OUTPUTS, Value::Bool(true))]))
        }
        Value::Builtin(_) | Value::Partial(_) => Ok(evaluator.set([])),
        other => Err(evaluator.wrong_type("a function", other, span, "")),
    }
}
