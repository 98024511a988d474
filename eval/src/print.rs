//! Values as text: the form `nix-instantiate --eval` prints, byte for byte, and short forms for messages.

pub(crate) mod float;
pub(crate) mod json;
mod preview;
mod strict;
pub(crate) mod xml;

use crate::attrs::{Attr, Attrs};
use crate::evaluate::Evaluator;
use crate::symbol::Symbols;
use crate::syntax;
use crate::value::Value;
use rustc_hash::FxHashSet;

/// Characters of a string that a short form shows.
const SHORT: usize = 40;

/// The attributes of a set, sorted by name.
pub(crate) fn by_name(attrs: &Attrs, symbols: &Symbols) -> Vec<&'static Attr> {
    let mut sorted: Vec<_> = attrs.all().iter().map(|attr| (symbols.bytes(attr.name), attr)).collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    sorted.into_iter().map(|(_, attr)| attr).collect()
}

/// A printer of values in Nix form. Delayed values print as `<CODE>`.
struct Printer<'a> {
    symbols: &'a Symbols,
    out: Vec<u8>,
    /// Lists and sets that were printed, or are being printed.
    seen: FxHashSet<usize>,
}

/// What is left to print: a work list, so that deep values need no deep stack.
enum Work {
    Value(Value),
    Name(&'static Attr),
    Text(&'static [u8]),
}

impl Printer<'_> {
    fn print(&mut self, value: Value) {
        let mut work = vec![Work::Value(value)];
        while let Some(next) = work.pop() {
            match next {
                Work::Text(text) => self.out.extend_from_slice(text),
                Work::Name(attr) => {
                    print_name(self.symbols.bytes(attr.name), &mut self.out);
                    self.out.extend_from_slice(b" = ");
                }
                Work::Value(value) => self.value(value, &mut work),
            }
        }
    }

    fn value(&mut self, value: Value, work: &mut Vec<Work>) {
        match value.resolved() {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bool(value) => self.out.extend_from_slice(if value { b"true" } else { b"false" }),
            Value::Int(number) => self.out.extend_from_slice(number.to_string().as_bytes()),
            Value::Float(number) => self.out.extend_from_slice(float::general(number).as_bytes()),
            Value::String(text) => print_string(text.bytes, &mut self.out),
            Value::Path(path) => self.out.extend_from_slice(path.bytes),
            Value::Thunk(_) => self.out.extend_from_slice(b"<CODE>"),
            Value::Lambda(_) => self.out.extend_from_slice(b"<LAMBDA>"),
            // In Nix `derivation` is written in the language itself.
            Value::Builtin(builtin) if builtin.name == "derivation" => self.out.extend_from_slice(b"<LAMBDA>"),
            Value::Builtin(_) => self.out.extend_from_slice(b"<PRIMOP>"),
            Value::Partial(_) => self.out.extend_from_slice(b"<PRIMOP-APP>"),
            Value::List(list) => {
                if !list.items.is_empty() && !self.seen.insert(list.items.as_ptr().addr()) {
                    return self.out.extend_from_slice("«repeated»".as_bytes());
                }
                self.out.extend_from_slice(b"[ ");
                work.push(Work::Text(b"]"));
                work.extend(list.items.iter().rev().flat_map(|item| [Work::Text(b" "), Work::Value(*item)]));
            }
            Value::Attrs(attrs) => {
                if !attrs.is_empty() && !self.seen.insert(std::ptr::from_ref(attrs).addr()) {
                    return self.out.extend_from_slice("«repeated»".as_bytes());
                }
                self.out.extend_from_slice(b"{ ");
                work.push(Work::Text(b"}"));
                let sorted = by_name(attrs, self.symbols).into_iter().rev();
                work.extend(sorted.flat_map(|attr| [Work::Text(b"; "), Work::Value(attr.value), Work::Name(attr)]));
            }
        }
    }
}

/// Prints a name as it can be written in a set.
pub(crate) fn print_name(name: &[u8], out: &mut Vec<u8>) {
    if syntax::is_identifier(name) && !syntax::is_keyword(name) {
        out.extend_from_slice(name);
    } else {
        print_string(name, out);
    }
}

/// Prints a string with quotes and escapes.
pub(crate) fn print_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for (index, &byte) in text.iter().enumerate() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'$' if text.get(index + 1) == Some(&b'{') => out.extend_from_slice(b"\\$"),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

impl Evaluator<'_> {
    /// The value in Nix form; what is not computed yet prints as `<CODE>`.
    #[must_use]
    pub fn print(&self, value: Value) -> Vec<u8> {
        let mut printer = Printer { symbols: self.session.symbols(), out: Vec::new(), seen: FxHashSet::default() };
        printer.print(value);
        printer.out
    }

    /// A few words on a value, for labels; nothing is forced.
    pub(crate) fn show_short(&self, value: Value) -> String {
        match value.resolved() {
            text @ Value::String(_) => format!("this is the string {}", self.preview(text, SHORT)),
            Value::Path(path) => format!("this is the path {}", String::from_utf8_lossy(path.bytes)),
            Value::Null => "this is null".to_owned(),
            value @ (Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
                format!("this is {}", String::from_utf8_lossy(&self.print(value)))
            }
            list @ Value::List(_) => format!("this is the list {}", self.preview(list, SHORT)),
            set @ Value::Attrs(attrs) => match self.preview(set, SHORT) {
                derivation if derivation.starts_with('«') => {
                    format!("this is the {}", derivation.trim_matches(['«', '»']))
                }
                set if set.contains('…') => self.show_set(attrs),
                set => format!("this is the set {set}"),
            },
            Value::Lambda(closure) => match closure.lambda.name {
                Some(name) => format!("this is the function `{}`", self.session.symbols().display(name)),
                None => "this is a function".to_owned(),
            },
            Value::Builtin(builtin) => format!("this is the function `builtins.{}`", builtin.name),
            other => format!("this is {}", other.describe()),
        }
    }

    fn show_set(&self, attrs: &Attrs) -> String {
        let names: Vec<_> = by_name(attrs, self.session.symbols())
            .into_iter()
            .take(4)
            .map(|attr| self.session.symbols().display(attr.name))
            .collect();
        match names.len() {
            0 => "this is an empty set".to_owned(),
            shown if shown < attrs.len() => {
                format!("this is a set with {} and {} more", names.join(", "), attrs.len() - shown)
            }
            _ => format!("this is a set with {}", names.join(", ")),
        }
    }
}
