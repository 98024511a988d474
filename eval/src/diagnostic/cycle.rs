//! Infinite recursion as a cycle: which value needs which, and where, until the first one is needed again.
//!
//! The error begins where a value is found that is being computed already. On its way out each delayed value that was
//! being computed adds a step, with the innermost place in its code that the error came through. The value that was
//! found closes the cycle: what is further out only asked for it.

use super::{Activity, Code, Diagnostic, Frame, Label};
use crate::locate;
use crate::session::Session;
use crate::source::Span;

/// How many steps are remembered.
const MAX_STEPS: usize = 1000;
/// How many steps are shown with their lines.
const SHOWN_STEPS: usize = 6;
/// How long a text may be to serve as a name.
const MAX_NAME: usize = 30;

/// Steps of a cycle, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cycle {
    /// The address of the value that depends on itself.
    of: usize,
    /// Whether its end was reached.
    closed: bool,
    /// The place in the code of the value whose computation is being left.
    here: Span,
    steps: Vec<Span>,
}

impl Diagnostic {
    /// The error for a value that is needed to compute itself; `of` is an address that identifies it.
    #[must_use]
    #[cold]
    pub(crate) fn infinite_recursion(of: usize) -> Box<Self> {
        let message = "infinite recursion: this value depends on itself";
        let mut error = Self::new(Code::InfiniteRecursion, Span::NONE, message);
        error.cycle = Some(Box::new(Cycle { of, closed: false, here: Span::NONE, steps: Vec::new() }));
        error
    }

    /// Leaves the computation of a delayed value, identified by its address: a step of a cycle, if the error is one.
    #[must_use]
    #[cold]
    pub(crate) fn leave(mut self: Box<Self>, value: usize) -> Box<Self> {
        let Some(cycle) = self.cycle.as_mut().filter(|cycle| !cycle.closed) else { return self };
        if cycle.steps.len() < MAX_STEPS {
            cycle.steps.push(cycle.here);
        }
        cycle.here = Span::NONE;
        if cycle.of == value {
            cycle.closed = true;
            self.trace.clear();
        }
        self
    }

    /// Notes the place of a step; false if the error is no open cycle.
    pub(super) fn step_at(&mut self, span: Span) -> bool {
        let Some(cycle) = &mut self.cycle else { return false };
        if cycle.here.is_none() && !cycle.closed {
            cycle.here = span;
        }
        true
    }

    /// Whether the error is a cycle that wants no place now.
    pub(super) fn has_step(&self) -> bool {
        self.cycle.as_ref().is_some_and(|cycle| cycle.closed || !cycle.here.is_none())
    }

    /// Turns the steps into labels. The first one shown is the user's own, if any is.
    pub(super) fn settle_cycle(&mut self, session: &Session) {
        let Some(cycle) = self.cycle.take() else { return };
        let mut steps: Vec<Span> = cycle.steps.into_iter().rev().filter(|span| !span.is_none()).collect();
        if !cycle.closed {
            steps.extend((!cycle.here.is_none()).then_some(cycle.here));
        }
        steps.dedup();
        if steps.is_empty() {
            self.primary.text = "its value is needed to compute itself".to_owned();
            return;
        }
        let mut owners = session.owners();
        let first = steps.iter().position(|span| !owners.is_library(*span)).unwrap_or(0);
        steps.rotate_left(first);
        if let [only] = steps[..] {
            return self.settle_single(session, only);
        }
        let names = names(session, &steps);
        let last = names.last().map_or("", String::as_str);
        self.message = format!("infinite recursion: {last} depends on itself");
        self.hints.push("one of these values must not need the next one to be computed".to_owned());
        let before = std::iter::once(last).chain(names.iter().map(String::as_str));
        let mut labels = Vec::new();
        for (index, ((computed, needed), span)) in before.zip(&names).zip(&steps).enumerate() {
            let text = match index + 1 {
                last if last == steps.len() => format!("{last}. to compute {computed}, {needed} is needed again"),
                step => format!("{step}. to compute {computed}, {needed} is needed"),
            };
            labels.push(Label { span: *span, text });
        }
        let rest = labels.split_off(labels.len().min(SHOWN_STEPS));
        let frame = |label: Label| Frame { text: label.text, ..Frame::new(Activity::Other, label.span) };
        self.trace.splice(0..0, rest.into_iter().map(frame));
        let mut labels = labels.into_iter();
        self.primary = labels.next().unwrap_or(Label { span: Span::NONE, text: String::new() });
        self.labels.splice(0..0, labels);
    }

    /// A cycle of one step: a value whose own code needs it.
    fn settle_single(&mut self, session: &Session, place: Span) {
        let text = session.name_text(place);
        let bound = session.reparse(place).and_then(|tree| locate::binding_around(&tree, place));
        let bound = bound.map(|name| session.symbols().display(name));
        let of_set = |name: &String| text.rsplit('.').next() == Some(name);
        let (name, label) = match bound {
            Some(name) if text == name => (text.clone(), format!("to compute `{name}`, `{name}` itself is needed")),
            Some(name) if is_name(&text) && !of_set(&name) => {
                let label = format!("to compute `{name}`, `{text}` is needed, and for that `{name}` again");
                (name, label)
            }
            _ => (text.clone(), "this is needed to compute itself".to_owned()),
        };
        if name.contains('\n') || name.chars().count() > MAX_NAME {
            "infinite recursion: this value depends on itself".clone_into(&mut self.message);
        } else {
            self.message = format!("infinite recursion: `{name}` depends on itself");
        }
        self.hints.push(if name == text && is_name(&text) && !text.contains('.') {
            format!(
                "on the right of its own definition `{name}` is itself, not one from outside: give one another name"
            )
        } else {
            "what is on the right of a definition must not need the result of it".to_owned()
        });
        self.primary = Label { span: place, text: label };
    }
}

/// What is needed at each place: what stands there if that is a name, or else the name of what is computed next.
fn names(session: &Session, steps: &[Span]) -> Vec<String> {
    let mut names = Vec::new();
    for (index, span) in steps.iter().enumerate() {
        let text = session.name_text(*span);
        let text = text.trim();
        let next = steps[(index + 1) % steps.len()];
        names.push(if is_name(text) {
            format!("`{text}`")
        } else if let Some(name) = session.reparse(next).and_then(|tree| locate::binding_around(&tree, next)) {
            format!("`{}`", session.symbols().display(name))
        } else if text.is_empty() || text.contains('\n') || text.chars().count() > MAX_NAME {
            "this value".to_owned()
        } else {
            format!("`{text}`")
        });
    }
    names
}

/// Whether a text is a variable or a selection of an attribute.
fn is_name(text: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'\'' | b'.');
    !text.is_empty() && text.len() <= 2 * MAX_NAME && text.bytes().all(part)
}
