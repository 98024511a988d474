//! Diagnostics: what is wrong, where, why, and what to do about it.
//!
//! Rules: the message says first what is wrong and on which thing, in lower case and without a final period; the span is
//! the user's own text where possible; a hint says what to do. Every diagnostic has a [`Code`], which also decides
//! whether `builtins.tryEval` may catch it.
//!
//! While an error passes through the evaluator it only gathers frames, which is cheap. What they mean to the user (which
//! place to show first, which argument of a call is meant) is settled once, when nothing has caught it.

mod code;
mod cycle;
mod excerpt;
mod explain;
mod frame;
mod json;
mod line;
mod render;
mod settle;

use crate::source::Span;
use crate::symbol::Symbol;
use crate::value::Value;

pub use code::Code;
pub use explain::Explanation;
pub use frame::{Activity, Frame};
pub use json::to_json;
pub use render::{RenderOptions, render};

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
    pub trace: Vec<Frame>,
    /// What to do.
    pub hints: Vec<String>,
    /// Which part of the call at the primary place is meant.
    part: Option<CallPart>,
    /// The value that is not as it should be.
    found: Option<Found>,
    /// Where that value is written, if that is known: worth showing if the error is in library code.
    origin: Option<Label>,
    /// The steps of an infinite recursion.
    cycle: Option<Box<cycle::Cycle>>,
}

/// A part of a call, all counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallPart {
    /// What is called.
    Function,
    /// An argument.
    Argument(usize),
    /// An element of an argument that is a list.
    Element(usize, usize),
    /// No part of a call: the set of a `with` around a variable, counted from the innermost.
    With(usize),
}

/// A value that is compared by identity.
#[derive(Debug, Clone, Copy)]
struct Found(Value);

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        match (self.0.resolved(), other.0.resolved()) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::String(a), Value::String(b)) | (Value::Path(a), Value::Path(b)) => a.is(b),
            (Value::List(a), Value::List(b)) => a.is(b),
            (Value::Attrs(a), Value::Attrs(b)) => a.is(b),
            (Value::Lambda(a), Value::Lambda(b)) => std::ptr::eq(a, b),
            (Value::Builtin(a), Value::Builtin(b)) => std::ptr::eq(a, b),
            (Value::Partial(a), Value::Partial(b)) => std::ptr::eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Found {}

/// What fallible functions of this crate return. The error is boxed, so that the good case stays small.
pub type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// How many frames of a trace are kept. Only what recurses far deeper than calls may nest reaches it.
const MAX_TRACE: usize = 100_000;

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
            part: None,
            found: None,
            origin: None,
            cycle: None,
        })
    }

    /// A warning at a place.
    #[must_use]
    #[cold]
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Box<Self> {
        let mut warning = Self::new(code, span, message);
        warning.severity = Severity::Warning;
        warning
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
        if self.primary.span.is_none() && !self.step_at(span) {
            self.primary.span = span;
        }
        self
    }

    /// Whether it is known where it is.
    pub(crate) fn is_placed(&self) -> bool {
        !self.primary.span.is_none() || self.has_step()
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

    /// Says which part of the call at the place is meant.
    #[must_use]
    pub(crate) fn part(mut self: Box<Self>, part: CallPart) -> Box<Self> {
        self.part = Some(part);
        self
    }

    /// Says which value is not as it should be.
    #[must_use]
    pub(crate) fn found(mut self: Box<Self>, value: Value) -> Box<Self> {
        self.found = Some(Found(value));
        self
    }

    /// Says where the value is written that is not as it should be.
    #[must_use]
    pub(crate) fn origin(mut self: Box<Self>, span: Span, text: impl Into<String>) -> Box<Self> {
        self.origin = (!span.is_none()).then(|| Label { span, text: text.into() });
        self
    }

    /// Of a call at a place: an argument is meant if it is the value found or has it as an element.
    #[must_use]
    #[cold]
    pub(crate) fn of_call(mut self: Box<Self>, arguments: &[Value], call: Span) -> Box<Self> {
        if self.primary.span == call && self.part.is_none() {
            self.part = self.found.and_then(|found| part_of(found, arguments));
        }
        self
    }

    /// The same of a call of a builtin function: the only argument is meant in any case, and the name of a file that
    /// cannot be read.
    #[must_use]
    #[cold]
    pub(crate) fn of_builtin(self: Box<Self>, arguments: &[Value], call: Span) -> Box<Self> {
        use Code::{Aborted, AssertionFailed, InfiniteRecursion, Thrown, TooManyCalls};
        let mut error = self.of_call(arguments, call);
        if error.primary.span != call || error.part.is_some() {
            return error;
        }
        error.part = match error.code {
            Thrown | Aborted | AssertionFailed | InfiniteRecursion | TooManyCalls => None,
            _ if arguments.len() == 1 => Some(CallPart::Argument(0)),
            Code::File => {
                let named = |value: &Value| matches!(value.resolved(), Value::Path(_) | Value::String(_));
                arguments.iter().position(named).map(CallPart::Argument)
            }
            _ => None,
        };
        error
    }

    /// Forgets which argument is meant, because the call at the place is another one.
    #[must_use]
    #[cold]
    pub(crate) fn of_other_call(mut self: Box<Self>) -> Box<Self> {
        self.part = None;
        self
    }

    /// Says what was being evaluated.
    #[must_use]
    pub fn frame(self: Box<Self>, span: Span, text: impl Into<String>) -> Box<Self> {
        self.activity(Frame { text: text.into(), ..Frame::new(Activity::Other, span) })
    }

    /// Says that a function was being called.
    #[must_use]
    #[cold]
    pub(crate) fn call_frame(self: Box<Self>, span: Span, name: Option<Symbol>) -> Box<Self> {
        self.activity(Frame::new(Activity::Call(name), span))
    }

    /// Says that an attribute was being evaluated.
    #[must_use]
    #[cold]
    pub(crate) fn attribute_frame(self: Box<Self>, span: Span, name: Symbol) -> Box<Self> {
        self.activity(Frame::new(Activity::Attribute(name), span))
    }

    /// Says that a file was being imported.
    #[must_use]
    #[cold]
    pub(crate) fn import_frame(self: Box<Self>, span: Span, path: &[u8]) -> Box<Self> {
        let text = format!("while importing {}", String::from_utf8_lossy(path));
        self.activity(Frame { text, ..Frame::new(Activity::Import, span) })
    }

    fn activity(mut self: Box<Self>, frame: Frame) -> Box<Self> {
        let length = self.trace.len();
        match self.trace.last_mut() {
            Some(last) if last.is_like(&frame) => last.times += 1,
            _ if length < MAX_TRACE => self.trace.push(frame),
            _ => {}
        }
        self
    }
}

/// Which argument a value is, or which element of which argument.
fn part_of(found: Found, arguments: &[Value]) -> Option<CallPart> {
    let whole = arguments.iter().position(|argument| found == Found(*argument));
    whole.map(CallPart::Argument).or_else(|| {
        arguments.iter().enumerate().find_map(|(index, argument)| {
            let Value::List(list) = argument.resolved() else { return None };
            let element = list.items().iter().position(|item| found == Found(*item))?;
            Some(CallPart::Element(index, element))
        })
    })
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.message)
    }
}

impl std::error::Error for Diagnostic {}
