//! `builtins.fromTOML`: TOML 1.0.

use super::{Builtin, row};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[row("fromTOML", 1, "The value that a TOML text stands for.", from_toml)];

fn from_toml(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.expect_plain_string(args[0], span, "as the argument of `fromTOML`")?;
    let bad = |problem: &str| {
        Diagnostic::new(Code::BadArgument, span, format!("this string is not TOML: {}", problem.trim_end()))
    };
    let text = std::str::from_utf8(text.bytes()).map_err(|_| bad("it is not UTF-8"))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let (at, problem) = (error.span().map_or(0, |span| span.start), error.message().trim_end());
        evaluator.session.in_text(bad(problem), "(TOML)", text.as_bytes(), at, problem)
    })?;
    // Parsing cannot be ended early; all behind it can.
    evaluator.check_stopped(span)?;
    if let Some(problem) = newer_syntax(text.as_bytes()) {
        return Err(bad(problem));
    }
    convert(evaluator, &toml::Value::Table(table), span)
}

fn convert(evaluator: &Evaluator<'_>, value: &toml::Value, span: Span) -> Result<Value> {
    use toml::Value as Toml;
    evaluator.check_stopped(span)?;
    let text = |text: &str| {
        if text.contains('\0') {
            let message = "this TOML has a string with a NUL character, which a string cannot have";
            return Err(Diagnostic::new(Code::BadArgument, span, message));
        }
        Ok(text.as_bytes().to_vec())
    };
    Ok(match value {
        Toml::String(string) => evaluator.string(&text(string)?),
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
            let fields =
                fields.iter().map(|(name, value)| Ok((symbols.intern(&text(name)?), convert(evaluator, value, span)?)));
            evaluator.set(fields.collect::<Result<Vec<_>>>()?)
        }
    })
}

/// What TOML 1.1 allows and 1.0, which Nix reads, does not, in a text that is known to be TOML 1.1: the escapes `\e` and
/// `\x`, and line ends, comments and a last comma in `{ }`.
fn newer_syntax(text: &[u8]) -> Option<&'static str> {
    let mut open = Vec::new();
    let mut comma = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let in_table = open.last() == Some(&b'{');
        match byte {
            b'"' | b'\'' => {
                match behind_string(text, at) {
                    Ok(behind) => at = behind,
                    Err(problem) => return Some(problem),
                }
                comma = false;
                continue;
            }
            b'#' => at += text[at..].iter().take_while(|byte| **byte != b'\n').count() - 1,
            b'{' | b'[' => open.push(byte),
            b'}' if comma => return Some("a comma before `}`"),
            b'}' | b']' => drop(open.pop()),
            b'\n' if in_table => return Some("a line end between `{` and `}`"),
            _ => {}
        }
        comma = if byte.is_ascii_whitespace() { comma } else { byte == b',' };
        at += 1;
    }
    None
}

/// The offset behind the string that starts at an offset.
fn behind_string(text: &[u8], start: usize) -> std::result::Result<usize, &'static str> {
    let quote = text[start];
    let long = text[start..].starts_with(&[quote; 3]);
    let mut at = start + if long { 3 } else { 1 };
    while at < text.len() {
        match text[at] {
            b'\\' if quote == b'"' => {
                if matches!(text.get(at + 1), Some(b'e' | b'x')) {
                    return Err("an unknown escape in a string");
                }
                at += 2;
            }
            byte if byte == quote && !long => return Ok(at + 1),
            byte if byte == quote && text[at..].starts_with(&[quote; 3]) => {
                // Up to two more quotes belong to the string.
                let quotes = text[at..].iter().take(5).take_while(|byte| **byte == quote).count();
                return Ok(at + quotes);
            }
            _ => at += 1,
        }
    }
    Ok(text.len())
}
