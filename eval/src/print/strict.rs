//! Evaluating all of a value, however deep it is.

use super::by_name;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::evaluate::crew::Wanted;
use crate::source::Span;
use crate::value::Value;
use rustc_hash::FxHashSet;

impl Evaluator<'_> {
    /// Forces a value and all its parts. Works on a list of what is left to do, so depth needs no stack.
    ///
    /// # Errors
    /// Whatever evaluation raises, with the way to the part in its trace.
    pub fn force_deep(&self, value: Value, span: Span) -> Result<()> {
        self.announce([Wanted::Deep(value)].into_iter());
        let mut seen = FxHashSet::default();
        let mut work = vec![value];
        while let Some(part) = work.pop() {
            self.check_stopped(span)?;
            let forced = match self.force(part) {
                Ok(forced) => forced,
                // Where it was when it had to end says nothing.
                Err(error) if matches!(error.code, Code::Interrupted | Code::MemoryLimit) => return Err(error.at(span)),
                Err(error) => return Err(self.way_to_part(error, value, part).at(span)),
            };
            match forced {
                Value::List(list) if is_new(forced, &mut seen) => work.extend(list.items().iter().rev()),
                Value::Attrs(attrs) if is_new(forced, &mut seen) => {
                    work.extend(by_name(attrs, self.session.symbols()).into_iter().rev().map(|attr| attr.value));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The parts of a list or set in the order of evaluation, with what leads to them.
    fn parts(&self, value: Value) -> Vec<(Step, Value)> {
        match value.resolved() {
            Value::List(list) => {
                list.items().iter().enumerate().map(|(index, item)| (Step::Element(index), *item)).collect()
            }
            Value::Attrs(attrs) => {
                let sorted = by_name(attrs, self.session.symbols()).into_iter();
                sorted.map(|attr| (Step::Attribute(attr), attr.value)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Adds to an error the way from a value to the part of it where the error came from. Looked for only now, so that
    /// nothing has to be remembered while all is well.
    #[cold]
    fn way_to_part(&self, mut error: Box<Diagnostic>, whole: Value, part: Value) -> Box<Diagnostic> {
        let Value::Thunk(wanted) = part else { return error };
        let mut seen = FxHashSet::default();
        // Each part with the number of what contains it.
        let mut known: Vec<(Option<(usize, Step)>, Value)> = vec![(None, whole)];
        let mut next = 0;
        while let Some(&(_, value)) = known.get(next) {
            if matches!(value, Value::Thunk(thunk) if std::ptr::eq(thunk, wanted)) {
                break;
            }
            if is_new(value.resolved(), &mut seen) {
                known.extend(self.parts(value).into_iter().map(|(step, part)| (Some((next, step)), part)));
            }
            next += 1;
        }
        while let Some((Some((outer, step)), _)) = known.get(next) {
            error = match step {
                Step::Attribute(attr) => error.attribute_frame(self.session.name_span(attr.pos), attr.name),
                Step::Element(index) => error.frame(Span::NONE, format!("while evaluating element {index} of a list")),
            };
            next = *outer;
        }
        error
    }
}

/// What leads from a list or set to a part of it.
#[derive(Clone, Copy)]
enum Step {
    Element(usize),
    Attribute(&'static crate::attrs::Attr),
}

fn is_new(value: Value, seen: &mut FxHashSet<usize>) -> bool {
    match value {
        Value::List(list) => !list.items().is_empty() && seen.insert(list.identity()),
        Value::Attrs(attrs) => seen.insert(attrs.identity()),
        _ => false,
    }
}
