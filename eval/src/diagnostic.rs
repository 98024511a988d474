//! Diagnostics: what is wrong, where, why, and what to do about it.
//!
//! Rules: the message says first what is wrong and on which thing, in lower case and without a final period; the span is
//! the user's own text where possible; a hint says what to do. Every diagnostic has a [`Code`], which also decides
//! whether `builtins.tryEval` may catch it.

mod render;

use crate::source::Span;

pub use render::{RenderOptions, render};

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal, $title:literal;)*) => {
        /// What kind of thing is wrong. Numbers are stable: they are never given to another kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
            /// What a rule of lint finds.
            Lint(crate::lint::Rule),
        }

        impl Code {
            /// All codes of errors, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The number, as `E0101`.
            #[must_use]
            pub const fn number(self) -> &'static str {
                match self { $(Self::$name => $number,)* Self::Lint(rule) => rule.number() }
            }

            /// What it means, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* Self::Lint(rule) => rule.title() }
            }
        }
    };
}

codes! {
    Syntax = "E0001", "the text does not follow the grammar";
    Unclosed = "E0002", "a bracket, string or comment is not closed";
    TooDeep = "E0003", "the text nests too deeply";
    DuplicateName = "E0004", "a name is defined twice";
    UndefinedVariable = "E0005", "a variable is not defined";
    TooLarge = "E0006", "the source texts are too large";
    MissingAttribute = "E0101", "a set lacks an attribute";
    WrongType = "E0102", "a value has the wrong type";
    NotAFunction = "E0103", "something that is not a function is called";
    MissingArgument = "E0104", "a function is called without a required argument";
    UnexpectedArgument = "E0105", "a function is called with an argument it does not take";
    InfiniteRecursion = "E0106", "a value depends on itself";
    TooManyCalls = "E0107", "function calls nest too deeply";
    AssertionFailed = "E0108", "an assertion is false";
    Thrown = "E0109", "the program threw an error";
    Aborted = "E0110", "the program aborted";
    Coercion = "E0111", "a value cannot be turned into a string";
    Arithmetic = "E0112", "an integer overflows or is divided by zero";
    BadArgument = "E0113", "a builtin function does not accept this argument";
    Impure = "E0114", "something outside the recipe is asked for in pure evaluation";
    Unavailable = "E0115", "a function of Nix that larder does not have";
    DivisionByZero = "E0116", "a number is divided by zero";
    MemoryLimit = "E0117", "evaluation takes more memory than it may";
    File = "E0201", "a file cannot be read";
    Derivation = "E0202", "a derivation makes no sense";
    Context = "E0203", "a string mentions store objects where it may not";
    Realise = "E0204", "a derivation could not be built during evaluation";
    Selection = "E0301", "an attribute path does not lead to a value";
    Internal = "E0901", "larder could not start evaluation";
    Interrupted = "E0902", "the evaluation was interrupted";
}

impl Code {
    /// Whether `builtins.tryEval` catches it: what the program itself raised, and nothing else.
    #[must_use]
    pub const fn catchable(self) -> bool {
        matches!(self, Self::Thrown | Self::AssertionFailed)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// There is no result.
    Error,
    /// There is a result, perhaps not the intended one.
    Warning,
}

/// A place and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, with a word on what is there; `Span::NONE` when nowhere.
    pub primary: Label,
    /// Other places that matter.
    pub labels: Vec<Label>,
    /// What was being evaluated, innermost first.
    pub trace: Vec<Label>,
    /// What to do.
    pub hints: Vec<String>,
}

/// What fallible functions of this crate return. The error is boxed, so that the good case stays small.
pub type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// How many frames of a trace are kept; the innermost ones.
const MAX_TRACE: usize = 64;

impl Diagnostic {
    /// An error at a place.
    #[must_use]
    #[cold]
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Label { span, text: String::new() },
            labels: Vec::new(),
            trace: Vec::new(),
            hints: Vec::new(),
        })
    }

    /// Says what is at the place.
    #[must_use]
    pub fn label(mut self: Box<Self>, text: impl Into<String>) -> Box<Self> {
        self.primary.text = text.into();
        self
    }

    /// Says where it is, unless that is known already.
    #[must_use]
    #[cold]
    pub fn at(mut self: Box<Self>, span: Span) -> Box<Self> {
        if self.primary.span.is_none() {
            self.primary.span = span;
        }
        self
    }

    /// Names another place.
    #[must_use]
    pub fn also(mut self: Box<Self>, span: Span, text: impl Into<String>) -> Box<Self> {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self: Box<Self>, text: impl Into<String>) -> Box<Self> {
        self.hints.push(text.into());
        self
    }

    /// Says what to do, if there is something to say.
    #[must_use]
    pub fn maybe_hint(self: Box<Self>, text: Option<String>) -> Box<Self> {
        match text {
            Some(text) => self.hint(text),
            None => self,
        }
    }

    /// Says what was being evaluated.
    #[must_use]
    pub fn frame(mut self: Box<Self>, span: Span, text: impl Into<String>) -> Box<Self> {
        if self.trace.len() < MAX_TRACE {
            self.trace.push(Label { span, text: text.into() });
        }
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.message)
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique() {
        let mut numbers: Vec<_> = Code::ALL.iter().map(|code| code.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), Code::ALL.len());
    }
}
