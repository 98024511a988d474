//! Values: 16 bytes, `Copy`, pointing into memory that is never freed while the process lives.
//!
//! Strings are bytes with an optional context (see [`Text`]). Lists and attribute sets are immutable slices whose elements may be
//! thunks; nothing else in a value is delayed, except that a [`Value`] may itself be [`Value::Thunk`].

use crate::attrs::Attrs;
use crate::builtins::Builtin;
use crate::code::Lambda;
use crate::env::Env;
pub use crate::list::List;
pub use crate::text::Text;
use crate::thunk::Thunk;

/// A value of the language, or a thunk that will become one.
///
/// The tag takes a whole word, so that every payload lies in the second word and a copy is two moves.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// `42`
    Int(i64),
    /// `3.14`
    Float(f64),
    /// `"text"`
    String(Text),
    /// `./file`; canonical and absolute
    Path(Text),
    /// `[ 1 2 ]`
    List(List),
    /// `{ a = 1; }`
    Attrs(Attrs),
    /// `x: x`, perhaps with some arguments already
    Lambda(&'static Closure),
    /// `builtins.map`
    Builtin(&'static Builtin),
    /// `builtins.map f`
    Partial(&'static Partial),
    /// Not computed yet, or computed in place.
    Thunk(&'static Thunk),
}

/// A function with its environment.
#[derive(Debug, Clone, Copy)]
pub struct Closure {
    /// Its code.
    pub lambda: &'static Lambda,
    /// Where it was made.
    pub env: Env,
    /// The arguments it was given so far; fewer than it takes.
    pub applied: &'static [Value],
}

/// A builtin function with some of its arguments.
#[derive(Debug, Clone, Copy)]
pub struct Partial {
    /// The function.
    pub builtin: &'static Builtin,
    /// The arguments it was given so far; fewer than it takes.
    pub applied: &'static [Value],
}

impl Value {
    /// The type as `builtins.typeOf` names it; a thunk must be forced first.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::String(_) => "string",
            Self::Path(_) => "path",
            Self::List(_) => "list",
            Self::Attrs(_) => "set",
            Self::Lambda(_) | Self::Builtin(_) | Self::Partial(_) => "lambda",
            Self::Thunk(_) => "thunk",
        }
    }

    /// The type with its article, for messages.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::String(_) => "a string",
            Self::Path(_) => "a path",
            Self::List(_) => "a list",
            Self::Attrs(_) => "a set",
            Self::Lambda(_) => "a function",
            Self::Builtin(_) => "a built-in function",
            Self::Partial(_) => "a partially applied built-in function",
            Self::Thunk(_) => "a delayed value",
        }
    }

    /// The value a finished thunk stands for, or the value itself.
    #[inline]
    #[must_use]
    pub fn resolved(self) -> Self {
        match self {
            Self::Thunk(thunk) => thunk.shown().unwrap_or(self),
            value => value,
        }
    }
}
