//! Frames: what was going on where an error passed.

use crate::source::Span;
use crate::symbol::{Symbol, Symbols};

/// What was going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// A function was called; the name it was bound to first.
    Call(Option<Symbol>),
    /// An attribute was evaluated; the place is where it is defined.
    Attribute(Symbol),
    /// A file was imported.
    Import,
    /// Something else.
    Other,
}

/// Something that was going on when an error passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where.
    pub span: Span,
    /// What.
    pub activity: Activity,
    /// The same for people, `while …`; of calls and attributes empty until the diagnostic is settled.
    pub text: String,
    /// How often in a row: recursion is one frame.
    pub times: u32,
    /// Whether the place is in library code: not in the files that the user evaluates.
    pub library: bool,
}

impl Frame {
    pub(super) const fn new(activity: Activity, span: Span) -> Self {
        Self { span, activity, text: String::new(), times: 1, library: false }
    }

    /// Whether it is a repetition.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.activity == other.activity && self.span == other.span && self.text == other.text
    }

    /// Gives it its text.
    pub(super) fn name(&mut self, symbols: &Symbols) {
        match self.activity {
            Activity::Call(Some(name)) => self.text = format!("while calling `{}`", symbols.display(name)),
            Activity::Call(None) => "while calling a function".clone_into(&mut self.text),
            Activity::Attribute(name) => self.text = format!("while evaluating attribute `{}`", symbols.display(name)),
            Activity::Import | Activity::Other => {}
        }
    }

    /// What to say at its place, when that is shown in an excerpt.
    pub(super) fn label(&self, symbols: &Symbols) -> String {
        match self.activity {
            Activity::Call(Some(name)) => format!("in this call of `{}`", symbols.display(name)),
            Activity::Call(None) => "in this call".to_owned(),
            Activity::Attribute(name) => format!("in attribute `{}`", symbols.display(name)),
            Activity::Import | Activity::Other => self.text.clone(),
        }
    }
}
