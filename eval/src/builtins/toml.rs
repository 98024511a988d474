//! `builtins.fromTOML`.

use super::{Builtin, row};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[row("fromTOML", 1, "The value that a TOML text stands for.", from_toml)];

fn from_toml(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.expect_plain_string(args[0], span, "as the argument of `fromTOML`")?;
    let text = String::from_utf8_lossy(text.bytes);
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Diagnostic::new(Code::BadArgument, span, format!("this string is not TOML: {}", error.message()))
    })?;
    convert(evaluator, &toml::Value::Table(table), span)
}

fn convert(evaluator: &Evaluator<'_>, value: &toml::Value, span: Span) -> Result<Value> {
    use toml::Value as Toml;
    Ok(match value {
        Toml::String(text) => evaluator.string(text.as_bytes()),
        Toml::Integer(number) => Value::Int(*number),
        Toml::Float(number) => Value::Float(*number),
        Toml::Boolean(value) => Value::Bool(*value),
        Toml::Datetime(_) => {
            return Err(Diagnostic::new(Code::BadArgument, span, "dates and times in TOML are not supported"));
        }
        Toml::Array(items) => {
            let items = items.iter().map(|item| convert(evaluator, item, span));
            evaluator.list(&items.collect::<Result<Vec<_>>>()?)
        }
        Toml::Table(fields) => {
            let symbols = evaluator.session.symbols();
            let fields = fields
                .iter()
                .map(|(name, value)| Ok((symbols.intern(name.as_bytes()), convert(evaluator, value, span)?)));
            evaluator.set(fields.collect::<Result<Vec<_>>>()?)
        }
    })
}
