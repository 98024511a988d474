//! A result of evaluation in two machine words, for functions on the hot path. One of the modules with `unsafe` code.
//!
//! The compiler returns a `Result<Value>` through memory, because its variants hold different kinds of words, but two
//! plain words in registers. Measured on recursive calls, that is a fifth of the time.

#![allow(unsafe_code, reason = "the same 16 bytes under another type; the two conversions are inverse")]

use crate::diagnostic::Result;
use crate::value::Value;
use std::mem::MaybeUninit;

/// A `Result<Value>` as two words.
#[must_use]
#[allow(dead_code, reason = "the words are only read as a whole, by `result`")]
pub(crate) struct Outcome(MaybeUninit<u64>, MaybeUninit<u64>);

impl Outcome {
    /// The two words of a result.
    #[inline(always)]
    pub(crate) fn new(result: Result<Value>) -> Self {
        // SAFETY: both are 16 bytes (the compiler checks), and these words may hold anything.
        unsafe { std::mem::transmute::<Result<Value>, Self>(result) }
    }

    /// The result.
    #[inline(always)]
    pub(crate) fn result(self) -> Result<Value> {
        // SAFETY: an `Outcome` is only made of a result, by `new`, and used up here: nothing is duplicated.
        unsafe { std::mem::transmute::<Self, Result<Value>>(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, Diagnostic};
    use crate::source::Span;

    #[test]
    fn there_and_back() {
        for value in [Value::Null, Value::Bool(true), Value::Int(i64::MIN), Value::Float(0.5)] {
            let back = Outcome::new(Ok(value)).result().expect("it was a value");
            assert_eq!(format!("{back:?}"), format!("{value:?}"));
        }
        let error = Outcome::new(Err(Diagnostic::new(Code::Thrown, Span::NONE, "no"))).result();
        assert_eq!(error.expect_err("it was an error").message, "no");
    }
}
