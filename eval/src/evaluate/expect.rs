//! Values of an expected type, or an error that says what was found.

use super::Evaluator;
use crate::attrs::Attrs;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::source::Span;
use crate::symbol::names;
use crate::value::{List, Text, Value};

impl Evaluator<'_> {
    /// The error for a value of the wrong type; `role` says as what it was used.
    #[cold]
    pub(crate) fn wrong_type(&self, wanted: &str, found: Value, span: Span, role: &str) -> Box<Diagnostic> {
        let space = if role.is_empty() { "" } else { " " };
        let message = format!("{wanted} is expected{space}{role}, but this is {}", found.describe());
        let error = Diagnostic::new(Code::WrongType, span, message)
            .label(self.show_short(found))
            .origin(self.origin_of(found), self.show_short(found));
        // What a function gave is no argument, even if it is the same number as one.
        if role.starts_with("as the result") { error } else { error.found(found) }
    }

    /// A set.
    pub(crate) fn expect_attrs(&self, value: Value, span: Span, role: &str) -> Result<Attrs> {
        match self.force(value)? {
            Value::Attrs(attrs) => Ok(attrs),
            other => Err(self.wrong_type("a set", other, span, role)),
        }
    }

    /// A list.
    pub(crate) fn expect_list(&self, value: Value, span: Span, role: &str) -> Result<List> {
        match self.force(value)? {
            Value::List(list) => Ok(list),
            other => Err(self.wrong_type("a list", other, span, role)),
        }
    }

    /// A function, or a set that can be called.
    pub(crate) fn expect_function(&self, value: Value, span: Span, role: &str) -> Result<Value> {
        match self.force(value)? {
            function @ (Value::Lambda(_) | Value::Builtin(_) | Value::Partial(_)) => Ok(function),
            set @ Value::Attrs(attrs) if attrs.get(names::FUNCTOR).is_some() => Ok(set),
            other => Err(self.wrong_type("a function", other, span, role)),
        }
    }

    /// An integer.
    pub(crate) fn expect_int(&self, value: Value, span: Span, role: &str) -> Result<i64> {
        match self.force(value)? {
            Value::Int(number) => Ok(number),
            other => Err(self.wrong_type("an integer", other, span, role)),
        }
    }

    /// A number, as a float.
    pub(crate) fn expect_number(&self, value: Value, span: Span, role: &str) -> Result<f64> {
        match self.force(value)? {
            Value::Int(number) => Ok(number as f64),
            Value::Float(number) => Ok(number),
            other => Err(self.wrong_type("a number", other, span, role)),
        }
    }

    /// A boolean.
    pub(crate) fn expect_bool(&self, value: Value, span: Span, role: &str) -> Result<bool> {
        match self.force(value)? {
            Value::Bool(value) => Ok(value),
            other => Err(self.wrong_type("a boolean", other, span, role)),
        }
    }

    /// A string.
    pub(crate) fn expect_string(&self, value: Value, span: Span, role: &str) -> Result<Text> {
        match self.force(value)? {
            Value::String(text) => Ok(text),
            other => Err(self.wrong_type("a string", other, span, role)),
        }
    }

    /// A string without context.
    pub(crate) fn expect_plain_string(&self, value: Value, span: Span, role: &str) -> Result<Text> {
        let text = self.expect_string(value, span, role)?;
        if text.context().is_none() {
            return Ok(text);
        }
        let message = format!(
            "the string {} mentions store objects, which is not allowed here",
            self.show_short(Value::String(text))
        );
        Err(Diagnostic::new(Code::Context, span, message)
            .hint("builtins.unsafeDiscardStringContext makes it a plain string"))
    }
}
