//! `builtins.fromYAML`, which Nix does not have: YAML 1.2 with its core schema.
//!
//! Plain scalars are null, booleans, numbers or strings as the core schema says; keys are strings, written as they stand.
//! An alias is the value of its anchor itself, so that aliases of aliases cost nothing. `<<` is a key like any other.

use super::{Builtin, row};
use crate::attrs::{Attr, Attrs};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::{Pos, Span};
use crate::symbol::Symbol;
use crate::value::Value;
use rustc_hash::{FxHashMap, FxHashSet};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

pub(super) const TABLE: &[Builtin] =
    &[row("fromYAML", 1, "The value that a YAML text of one document stands for; larder's own.", from_yaml)];

fn from_yaml(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.expect_plain_string(args[0], span, "as the argument of `fromYAML`")?;
    let bad = |problem: &str| Diagnostic::new(Code::BadArgument, span, format!("this string is not YAML: {problem}"));
    let text = std::str::from_utf8(text.bytes()).map_err(|_| bad("it is not UTF-8"))?;
    let mut builder = Builder { evaluator, open: Vec::new(), anchors: FxHashMap::default(), done: None };
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| bad(&error.to_string()))?;
        builder.take(event).map_err(|problem| bad(&problem))?;
    }
    Ok(builder.done.unwrap_or(Value::Null))
}

/// A sequence or mapping that is not closed yet, with the number of its anchor.
enum Open {
    Sequence(usize, Vec<Value>),
    Mapping { anchor: usize, attrs: Vec<Attr>, names: FxHashSet<Symbol>, key: Option<Symbol> },
}

struct Builder<'a, 'b> {
    evaluator: &'a Evaluator<'b>,
    open: Vec<Open>,
    anchors: FxHashMap<usize, Value>,
    done: Option<Value>,
}

type Problem = String;

impl Builder<'_, '_> {
    fn take(&mut self, event: Event<'_>) -> std::result::Result<(), Problem> {
        match event {
            Event::DocumentStart(_) if self.done.is_some() => Err("it has more than one document".to_owned()),
            Event::SequenceStart(anchor, _) => {
                self.refuse_as_key()?;
                self.open.push(Open::Sequence(anchor, Vec::new()));
                Ok(())
            }
            Event::MappingStart(anchor, _) => {
                self.refuse_as_key()?;
                let (attrs, names) = (Vec::new(), FxHashSet::default());
                self.open.push(Open::Mapping { anchor, attrs, names, key: None });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref()),
            Event::Alias(anchor) => match self.anchors.get(&anchor).copied() {
                Some(value) => self.add_alias(value),
                None => Err("an alias stands inside the value that it names".to_owned()),
            },
            _ => Ok(()),
        }
    }

    /// Whether the next value is a key.
    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Mapping { key: None, .. }))
    }

    fn refuse_as_key(&self) -> std::result::Result<(), Problem> {
        if self.wants_key() { Err("a key is a sequence or mapping".to_owned()) } else { Ok(()) }
    }

    fn close(&mut self) -> std::result::Result<(), Problem> {
        let bump = self.evaluator.bump();
        let (anchor, value) = match self.open.pop() {
            Some(Open::Sequence(anchor, items)) => (anchor, self.evaluator.list(&items)),
            Some(Open::Mapping { anchor, attrs, .. }) => (anchor, Value::Attrs(Attrs::from_unsorted(bump, attrs))),
            None => return Ok(()),
        };
        self.add(anchor, value)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> std::result::Result<(), Problem> {
        if text.contains('\0') {
            return Err("a string has a NUL character".to_owned());
        }
        if self.wants_key() {
            self.anchors.insert(anchor, self.evaluator.string(text.as_bytes()));
            return self.key(text);
        }
        let plain = matches!(style, ScalarStyle::Plain);
        let value = match tag {
            Some(tag) => self.tagged(text, &format!("{}{}", tag.handle, tag.suffix))?,
            None if plain => resolve(text)?.unwrap_or_else(|| self.evaluator.string(text.as_bytes())),
            None => self.evaluator.string(text.as_bytes()),
        };
        self.add(anchor, value)
    }

    fn tagged(&self, text: &str, tag: &str) -> std::result::Result<Value, Problem> {
        let found = resolve(text)?;
        let value = match tag.strip_prefix("tag:yaml.org,2002:") {
            Some("int") => found.filter(|value| matches!(value, Value::Int(_))),
            Some("bool") => found.filter(|value| matches!(value, Value::Bool(_))),
            Some("null") => found.filter(|value| matches!(value, Value::Null)),
            Some("float") => match found {
                Some(Value::Int(number)) => Some(Value::Float(number as f64)),
                other => other.filter(|value| matches!(value, Value::Float(_))),
            },
            _ => Some(self.evaluator.string(text.as_bytes())),
        };
        value.ok_or_else(|| format!("`{text}` is not what its tag says"))
    }

    fn key(&mut self, text: &str) -> std::result::Result<(), Problem> {
        let name = self.evaluator.session.symbols().intern(text.as_bytes());
        let Some(Open::Mapping { names, key, .. }) = self.open.last_mut() else { return Ok(()) };
        if !names.insert(name) {
            return Err(format!("the key `{text}` is there twice"));
        }
        *key = Some(name);
        Ok(())
    }

    fn add_alias(&mut self, value: Value) -> std::result::Result<(), Problem> {
        match value {
            Value::String(text) if self.wants_key() => self.key(&String::from_utf8_lossy(text.bytes())),
            _ if self.wants_key() => Err("a key is not a string".to_owned()),
            _ => self.add(0, value),
        }
    }

    fn add(&mut self, anchor: usize, value: Value) -> std::result::Result<(), Problem> {
        if anchor > 0 {
            self.anchors.insert(anchor, value);
        }
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some(Open::Sequence(_, items)) => items.push(value),
            Some(Open::Mapping { attrs, key, .. }) => {
                let Some(name) = key.take() else { return Err("a key is not a string".to_owned()) };
                attrs.push(Attr { name, pos: Pos::NONE, value });
            }
        }
        Ok(())
    }
}

/// What the core schema makes of a plain scalar; `None` for a string.
fn resolve(text: &str) -> std::result::Result<Option<Value>, Problem> {
    let digits = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|digit| digit.is_digit(radix));
    let integer = |text: &str, radix| match i64::from_str_radix(text, radix) {
        Ok(number) => Ok(Some(Value::Int(number))),
        Err(_) => Err(format!("the number {text} does not fit an integer")),
    };
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        "true" | "True" | "TRUE" => Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => Some(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => Some(Value::Float(f64::NAN)),
        _ if digits(unsigned, 10) => return integer(text, 10),
        _ if text.strip_prefix("0x").is_some_and(|rest| digits(rest, 16)) => return integer(&text[2..], 16),
        _ if text.strip_prefix("0o").is_some_and(|rest| digits(rest, 8)) => return integer(&text[2..], 8),
        _ if matches!(unsigned, ".inf" | ".Inf" | ".INF") => {
            Some(Value::Float(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }))
        }
        _ if unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') && is_float(unsigned) => {
            text.parse().ok().map(Value::Float)
        }
        _ => None,
    })
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent))
}
