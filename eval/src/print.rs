//! Values as text: the form `nix-instantiate --eval` prints, byte for byte, and short forms for messages.

pub(crate) mod float;
pub(crate) mod json;
pub mod pretty;
mod preview;
mod strict;
pub(crate) mod xml;

use crate::attrs::{Attr, Attrs};
use crate::evaluate::Evaluator;
use crate::source::Origin;
use crate::symbol::Symbols;
use crate::syntax;
use crate::value::{Closure, List, Value};
use rustc_hash::FxHashSet;

/// Characters of a string that a short form shows.
const SHORT: usize = 40;

/// The attributes of a set, sorted by name.
pub(crate) fn by_name(attrs: Attrs, symbols: &Symbols) -> Vec<&'static Attr> {
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
    /// How functions and delayed values are written.
    form: Form<'a>,
}

/// The ways to write what has no form in the language.
enum Form<'a> {
    /// As `nix-instantiate --eval` does: `<CODE>`, `<LAMBDA>`.
    Plain,
    /// As `builtins.trace` does: `«thunk»`, `«lambda f @ file:1:2»`. The sources say where.
    Trace(&'a Evaluator<'a>),
}

/// What is left to print: a work list, so that deep values need no deep stack.
enum Work {
    Value(Value),
    Name(&'static Attr),
    Text(&'static [u8]),
}

impl Printer<'_> {
    fn print(&mut self, value: Value) {
        // A list that is printed by itself is no part of anything.
        if let Value::List(list) = value {
            let items = self.whole_list(list);
            return self.run(items);
        }
        self.run(vec![Work::Value(value)]);
    }

    fn whole_list(&mut self, list: List) -> Vec<Work> {
        self.out.extend_from_slice(b"[ ");
        let items = list.items().iter().rev().flat_map(|item| [Work::Text(b" "), Work::Value(*item)]);
        std::iter::once(Work::Text(b"]")).chain(items).collect()
    }

    fn run(&mut self, mut work: Vec<Work>) {
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
            Value::String(text) => print_string(text.bytes(), &mut self.out),
            Value::Path(path) => self.out.extend_from_slice(path.bytes()),
            function @ (Value::Thunk(_) | Value::Lambda(_) | Value::Builtin(_) | Value::Partial(_)) => {
                self.function(function);
            }
            Value::List(list) => {
                if !list.items().is_empty() && !self.seen.insert(list_identity(value, list)) {
                    return self.out.extend_from_slice("«repeated»".as_bytes());
                }
                self.out.extend_from_slice(b"[ ");
                work.push(Work::Text(b"]"));
                work.extend(list.items().iter().rev().flat_map(|item| [Work::Text(b" "), Work::Value(*item)]));
            }
            Value::Attrs(attrs) => {
                if !attrs.is_empty() && !self.seen.insert(attrs.identity()) {
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

/// What tells whether a list was printed before. As in Nix, a list has no identity of its own: that of the delayed value
/// it was computed in counts.
fn list_identity(value: Value, list: List) -> usize {
    match value {
        Value::Thunk(thunk) => std::ptr::from_ref(thunk).addr(),
        _ => list.identity(),
    }
}

impl Printer<'_> {
    fn function(&mut self, value: Value) {
        let text = match (&self.form, value) {
            (Form::Plain, Value::Thunk(_)) => "<CODE>".to_owned(),
            // In Nix `derivation` is written in the language itself.
            (Form::Plain, Value::Builtin(builtin)) if builtin.name != "derivation" => "<PRIMOP>".to_owned(),
            (Form::Plain, Value::Partial(_)) => "<PRIMOP-APP>".to_owned(),
            (Form::Plain, _) => "<LAMBDA>".to_owned(),
            (Form::Trace(_), Value::Builtin(builtin)) => format!("«primop {}»", builtin.name),
            (Form::Trace(_), Value::Partial(partial)) => {
                format!("«partially applied primop {}»", partial.builtin.name)
            }
            (Form::Trace(evaluator), Value::Lambda(closure)) => lambda_place(evaluator, closure),
            (Form::Trace(_), _) => "«thunk»".to_owned(),
        };
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// A function with its name and the place where it is written.
fn lambda_place(evaluator: &Evaluator<'_>, closure: &Closure) -> String {
    let name = closure.lambda.name.map(|name| format!(" {}", evaluator.session.symbols().display(name)));
    let pos = xml::parameter(evaluator, closure).map_or(closure.lambda.start, |(pos, _)| pos);
    let place = evaluator.session.sources().find(pos).map(|source| {
        let at = source.line_column(pos);
        let file = if matches!(*source.origin, Origin::File(_)) { source.name() } else { "«string»".to_owned() };
        format!(" @ {file}:{}:{}", at.line, at.column)
    });
    format!("«lambda{}{}»", name.unwrap_or_default(), place.unwrap_or_default())
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
        self.print_in(value, Form::Plain)
    }

    /// The value as `builtins.trace` shows it.
    pub(crate) fn print_trace(&self, value: Value) -> Vec<u8> {
        self.print_in(value, Form::Trace(self))
    }

    fn print_in(&self, value: Value, form: Form<'_>) -> Vec<u8> {
        let mut printer =
            Printer { symbols: self.session.symbols(), out: Vec::new(), seen: FxHashSet::default(), form };
        printer.print(value);
        printer.out
    }

    /// A few words on a value, for labels; nothing is forced.
    pub(crate) fn show_short(&self, value: Value) -> String {
        match value.resolved() {
            text @ Value::String(_) => format!("this is the string {}", self.preview(text, SHORT)),
            Value::Path(path) => format!("this is the path {}", String::from_utf8_lossy(path.bytes())),
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

    fn show_set(&self, attrs: Attrs) -> String {
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
