//! Values as JSON: no spaces, keys sorted, paths copied to the store, sets with `outPath` or `__toString` as strings.

use super::{by_name, float};
use crate::context::ContextBuilder;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::{Coercion, Evaluator};
use crate::source::Span;
use crate::symbol::names;
use crate::value::{Text, Value};

/// Writes JSON and collects the contexts of the strings in it.
#[derive(Debug)]
pub(crate) struct JsonWriter<'a, 'b> {
    pub(crate) evaluator: &'a Evaluator<'b>,
    pub(crate) out: Vec<u8>,
    pub(crate) context: ContextBuilder,
    pub(crate) span: Span,
}

impl<'a, 'b> JsonWriter<'a, 'b> {
    pub(crate) fn new(evaluator: &'a Evaluator<'b>, span: Span) -> Self {
        Self { evaluator, out: Vec::new(), context: ContextBuilder::default(), span }
    }

    /// Writes a value, which is forced with all its parts.
    pub(crate) fn value(&mut self, value: Value) -> Result<()> {
        self.evaluator.check_stack(self.span)?;
        self.evaluator.check_room(self.out.len(), self.span)?;
        match self.evaluator.force(value)? {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bool(value) => self.out.extend_from_slice(if value { b"true" } else { b"false" }),
            Value::Int(number) => self.out.extend_from_slice(number.to_string().as_bytes()),
            Value::Float(number) => self.out.extend_from_slice(float::json(number).as_bytes()),
            Value::String(text) => self.text(text)?,
            path @ Value::Path(_) => self.coerced(path)?,
            Value::List(list) => self.list(list.items())?,
            set @ Value::Attrs(attrs) => {
                if attrs.get(names::TO_STRING).is_some() {
                    return self.coerced(set);
                }
                match attrs.value(names::OUT_PATH) {
                    Some(path) => self.value(path)?,
                    None => self.object(&by_name(attrs, self.evaluator.session.symbols()))?,
                }
            }
            other => {
                let message = format!("cannot turn {} into JSON", other.describe());
                return Err(Diagnostic::new(Code::Coercion, self.span, message).label(self.evaluator.show_short(other)));
            }
        }
        Ok(())
    }

    fn coerced(&mut self, value: Value) -> Result<()> {
        let text = self.evaluator.coerced(value, Coercion::STRING, self.span)?;
        self.text(text)
    }

    fn text(&mut self, text: Text) -> Result<()> {
        self.context.add(text.context());
        self.string(text.bytes())
    }

    fn string(&mut self, bytes: &[u8]) -> Result<()> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            let message = format!("the string {:?} is not UTF-8, which JSON needs", String::from_utf8_lossy(bytes));
            return Err(Diagnostic::new(Code::Coercion, self.span, message));
        };
        serde_json::to_writer(&mut self.out, text).expect("writing to memory does not fail");
        Ok(())
    }

    fn list(&mut self, items: &[Value]) -> Result<()> {
        self.out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(*item).map_err(|error| {
                error.frame(Span::NONE, format!("while turning element {index} of a list into JSON"))
            })?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// Writes attributes as an object.
    pub(crate) fn object(&mut self, attrs: &[&crate::attrs::Attr]) -> Result<()> {
        self.out.push(b'{');
        for (index, attr) in attrs.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let symbols = self.evaluator.session.symbols();
            self.string(symbols.bytes(attr.name))?;
            self.out.push(b':');
            self.value(attr.value).map_err(|error| {
                let place = self.evaluator.session.name_span(attr.pos);
                error.frame(place, format!("while turning attribute `{}` into JSON", symbols.display(attr.name)))
            })?;
        }
        self.out.push(b'}');
        Ok(())
    }
}
