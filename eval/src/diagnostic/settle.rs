//! Settling: what an error that nothing has caught means to the user.
//!
//! Which argument of a call is meant is looked up in the syntax tree, so that code need not keep the places of
//! arguments. The place to show first is the innermost one in the user's own files (see [`crate::session`]): an error
//! inside a library is mostly the fault of what the library was given. The place in the library stays, as a second one.
//! Errors that are in the text itself, as those of syntax, stay where they are.

use super::{CallPart, Code, Diagnostic, Frame, Label};
use crate::diagnostic::frame::Activity;
use crate::locate;
use crate::session::Session;
use crate::source::{Source, Span};
use std::sync::Arc;

impl Diagnostic {
    /// Finds the best places for what is known.
    #[cold]
    pub(crate) fn settle(mut self: Box<Self>, session: &Session) -> Box<Self> {
        self.settle_cycle(session);
        let place = self.primary.span;
        self.point_at_part(session);
        let mut owners = session.owners();
        for frame in &mut self.trace {
            frame.name(session.symbols());
            frame.library = owners.is_library(frame.span);
        }
        if self.primary.span.is_none() {
            self.take_place(session);
        }
        let shown = [self.primary.span, place];
        self.trace.retain(|frame| frame.times > 1 || frame.span.is_none() || !shown.contains(&frame.span));
        let owned = |span: Span| !span.is_none() && !owners.is_library(span);
        self.blame(session, owned);
        self
    }

    fn point_at_part(&mut self, session: &Session) {
        let Some(part) = self.part.take() else { return };
        let Some(tree) = session.reparse(self.primary.span) else { return };
        let place = self.primary.span;
        if let CallPart::With(index) = part {
            let Some(set) = locate::with_around(&tree, place, index) else { return };
            let name = session.name_text(place);
            self.labels.push(Label { span: place, text: format!("`{name}` is looked up in it") });
            self.primary.span = set;
        } else if let Some(span) = locate::call_part(&tree, place, part) {
            self.primary.span = span;
        }
    }

    /// Takes the innermost place of the trace, for an error that has none.
    fn take_place(&mut self, session: &Session) {
        let Some(frame) = self.take_frame(|frame| !frame.span.is_none()) else { return };
        self.primary.span = frame.span;
        if self.primary.text.is_empty() {
            self.primary.text = frame.label(session.symbols());
        }
    }

    fn take_frame(&mut self, wanted: impl FnMut(&Frame) -> bool) -> Option<Frame> {
        let index = self.trace.iter().position(wanted)?;
        Some(self.trace.remove(index))
    }

    fn blame(&mut self, session: &Session, mut owned: impl FnMut(Span) -> bool) {
        if self.primary.span.is_none() {
            return;
        }
        let own = owned(self.primary.span);
        if own || self.is_in_text() {
            self.add_caller(session, own);
            return;
        }
        let Some(of_user) = self.take_label_of_user(session, &mut owned) else { return };
        let mut inside = std::mem::replace(&mut self.primary, of_user);
        inside.text = match inside.text.as_str() {
            "" => "in library code".to_owned(),
            text => format!("{text} (in library code)"),
        };
        self.labels.insert(0, inside);
    }

    /// The best of the user's own places: where something that matters is written, else the innermost of the trace.
    fn take_label_of_user(&mut self, session: &Session, owned: &mut impl FnMut(Span) -> bool) -> Option<Label> {
        if let Some(index) = self.labels.iter().position(|label| owned(label.span)) {
            return Some(self.labels.remove(index));
        }
        let label = |frame: Frame| Label { span: frame.span, text: frame.label(session.symbols()) };
        let Some(origin) = self.origin.take_if(|origin| owned(origin.span)) else {
            return self.take_frame(|frame| !frame.library && !frame.span.is_none()).map(label);
        };
        let is_call = |frame: &Frame| !frame.library && matches!(frame.activity, Activity::Call(_));
        let call = self.take_frame(|frame| is_call(frame) && !frame.span.is_none()).map(label);
        self.labels.extend(call);
        Some(origin)
    }

    /// Whether it lies in the text, whoever calls it.
    fn is_in_text(&self) -> bool {
        use Code::{DuplicateName, Syntax, TooDeep, TooLarge, Unclosed, UndefinedVariable};
        matches!(self.code, Syntax | Unclosed | TooDeep | DuplicateName | UndefinedVariable | TooLarge)
    }

    /// Adds the place in another file of the user's from where this one was reached; and of what the program raises
    /// itself the call, because it is mostly about the arguments.
    fn add_caller(&mut self, session: &Session, own: bool) {
        let source = session.sources().find(self.primary.span.start);
        let is_here = |span: Span| same(&session.sources().find(span.start), &source);
        let raised = matches!(self.code, Code::Thrown | Code::Aborted | Code::AssertionFailed);
        if own && raised {
            let innermost = self.trace.iter().find(|frame| matches!(frame.activity, Activity::Call(_))).cloned();
            if let Some(call) = innermost.filter(|call| !call.span.is_none() && is_here(call.span)) {
                self.take_frame(|frame| *frame == call);
                self.labels.push(Label { span: call.span, text: call.label(session.symbols()) });
                return;
            }
        }
        let elsewhere = |frame: &Frame| !frame.library && !frame.span.is_none() && !is_here(frame.span);
        if let Some(frame) = self.take_frame(elsewhere) {
            self.labels.push(Label { span: frame.span, text: frame.label(session.symbols()) });
        }
    }
}

fn same(a: &Option<Arc<Source>>, b: &Option<Arc<Source>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}
