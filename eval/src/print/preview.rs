//! Short forms of values for messages: one line, of bounded length; nothing is forced.

use super::{by_name, float, print_name, print_string};
use crate::evaluate::Evaluator;
use crate::symbol::{Symbols, names};
use crate::value::Value;

/// How deeply a short form goes into lists and sets.
const MAX_DEPTH: usize = 3;
/// Of larger sets not even the names are looked at.
const MAX_ATTRS: usize = 1000;

struct Preview<'a> {
    symbols: &'a Symbols,
    out: String,
    width: usize,
}

impl Evaluator<'_> {
    /// A value in Nix form, in about so many characters; `…` stands for what is left out or not computed.
    pub(crate) fn preview(&self, value: Value, width: usize) -> String {
        let mut preview = Preview { symbols: self.session.symbols(), out: String::new(), width };
        preview.value(value, 0);
        preview.out
    }
}

impl Preview<'_> {
    fn is_full(&self) -> bool {
        self.out.len() >= self.width
    }

    fn value(&mut self, value: Value, depth: usize) {
        match value.resolved() {
            Value::Null => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if value { "true" } else { "false" }),
            Value::Int(number) => self.out.push_str(&number.to_string()),
            Value::Float(number) => self.out.push_str(&float::general(number)),
            Value::String(text) => self.string(text.bytes()),
            Value::Path(path) => self.out.push_str(&String::from_utf8_lossy(path.bytes())),
            Value::Thunk(_) => self.out.push('…'),
            Value::Lambda(closure) => match closure.lambda.name {
                Some(name) => self.out.push_str(&format!("«function {}»", self.symbols.display(name))),
                None => self.out.push_str("«function»"),
            },
            Value::Builtin(builtin) => self.out.push_str(&format!("«function builtins.{}»", builtin.name)),
            Value::Partial(partial) => self.out.push_str(&format!("«function builtins.{} …»", partial.builtin.name)),
            Value::List(list) if list.items().is_empty() => self.out.push_str("[ ]"),
            Value::List(_) if depth >= MAX_DEPTH => self.out.push_str("[ … ]"),
            Value::List(list) => self.list(list.items(), depth),
            Value::Attrs(attrs) if attrs.is_empty() => self.out.push_str("{ }"),
            Value::Attrs(attrs) if depth >= MAX_DEPTH || attrs.len() > MAX_ATTRS => self.out.push_str("{ … }"),
            Value::Attrs(attrs) => self.set(attrs, depth),
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        let room = self.width.saturating_sub(self.out.len()).max(12);
        let head = &bytes[..bytes.len().min(4 * room)];
        let mut quoted = Vec::new();
        print_string(head, &mut quoted);
        let quoted = String::from_utf8_lossy(&quoted);
        if head.len() == bytes.len() && quoted.chars().count() <= room {
            self.out.push_str(&quoted);
        } else {
            self.out.extend(quoted.chars().take(room));
            self.out.push_str("…\"");
        }
    }

    fn list(&mut self, items: &[Value], depth: usize) {
        self.out.push_str("[ ");
        for item in items {
            if self.is_full() {
                self.out.push_str("… ");
                break;
            }
            self.value(*item, depth + 1);
            self.out.push(' ');
        }
        self.out.push(']');
    }

    fn set(&mut self, attrs: crate::attrs::Attrs, depth: usize) {
        let text = |name| match attrs.value(name).map(Value::resolved) {
            Some(Value::String(text)) => Some(text.bytes()),
            _ => None,
        };
        if text(names::TYPE) == Some(b"derivation") {
            let name = text(names::NAME).map_or("…".into(), String::from_utf8_lossy);
            return self.out.push_str(&format!("«derivation {name}»"));
        }
        self.out.push_str("{ ");
        for attr in by_name(attrs, self.symbols) {
            if self.is_full() {
                self.out.push_str("… ");
                break;
            }
            let mut name = Vec::new();
            print_name(self.symbols.bytes(attr.name), &mut name);
            self.out.push_str(&String::from_utf8_lossy(&name));
            self.out.push_str(" = ");
            self.value(attr.value, depth + 1);
            self.out.push_str("; ");
        }
        self.out.push('}');
    }
}
