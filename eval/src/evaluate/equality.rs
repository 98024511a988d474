//! Equality of values.

use super::Evaluator;
use crate::attrs::Attrs;
use crate::diagnostic::Result;
use crate::source::Span;
use crate::symbol::names;
use crate::value::{List, Value};

impl Evaluator<'_> {
    /// Whether two forced values are equal. Functions are never equal; derivations are equal if their `outPath` is.
    ///
    /// # Errors
    /// Whatever forcing their parts raises.
    pub(crate) fn equal(&self, left: Value, right: Value, span: Span) -> Result<bool> {
        self.check_stack(span)?;
        Ok(match (left, right) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => a as f64 == b,
            (Value::String(a), Value::String(b)) | (Value::Path(a), Value::Path(b)) => a.bytes() == b.bytes(),
            (Value::List(a), Value::List(b)) => return self.equal_lists(a, b, span),
            (Value::Attrs(a), Value::Attrs(b)) => return self.equal_attrs(a, b, span),
            _ => false,
        })
    }

    fn equal_lists(&self, left: List, right: List, span: Span) -> Result<bool> {
        if left.items().len() != right.items().len() {
            return Ok(false);
        }
        for (a, b) in left.items().iter().zip(right.items()) {
            if !self.equal_parts(*a, *b, span)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_attrs(&self, left: Attrs, right: Attrs, span: Span) -> Result<bool> {
        if self.is_derivation(left)?
            && self.is_derivation(right)?
            && let (Some(a), Some(b)) = (left.value(names::OUT_PATH), right.value(names::OUT_PATH))
        {
            return self.equal_parts(a, b, span);
        }
        if left.len() != right.len() {
            return Ok(false);
        }
        for (a, b) in left.all().iter().zip(right.all()) {
            if a.name != b.name || !self.equal_parts(a.value, b.value, span)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether two parts are equal: what is the same is equal, even a function.
    pub(crate) fn equal_parts(&self, left: Value, right: Value, span: Span) -> Result<bool> {
        let same = match (left, right) {
            // As in Nix it is evaluated first, and may fail.
            (Value::Thunk(a), Value::Thunk(b)) if std::ptr::eq(a, b) => self.force(left).map(|_| true)?,
            (Value::Lambda(a), Value::Lambda(b)) => std::ptr::eq(a, b),
            (Value::Builtin(a), Value::Builtin(b)) => std::ptr::eq(a, b),
            (Value::Partial(a), Value::Partial(b)) => std::ptr::eq(a, b),
            _ => false,
        };
        if same {
            return Ok(true);
        }
        self.equal(self.force(left)?, self.force(right)?, span)
    }

    /// Whether a set has the attribute `type = "derivation"`.
    pub(crate) fn is_derivation(&self, attrs: Attrs) -> Result<bool> {
        let Some(kind) = attrs.value(names::TYPE) else { return Ok(false) };
        Ok(matches!(self.force(kind)?, Value::String(text) if text.bytes() == b"derivation"))
    }
}
