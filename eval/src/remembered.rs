//! Derivations that an earlier evaluation has made of the same thing, so that they need not be made again when something
//! else needs them.
//!
//! What is remembered is of the form: *the attribute `a.b` of this value is a derivation, with this path*, and still so.
//! When a set of attributes is about to be made a derivation, its name tells which of these it may be. It is that one if
//! the `drvPath` of `a.b` is the very thunk that `derivation` made for this very set: then evaluating the set would give
//! what is remembered. Only what has been evaluated before with success, and is still so, is forced to find that out.

use crate::attrs::Attrs;
use crate::evaluate::Evaluator;
use crate::reads::Question;
use crate::session::Session;
use crate::symbol::names;
use crate::thunk::Thunk;
use crate::value::Value;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};
use store::{OutputName, StoreName, StorePath};

/// A derivation that an earlier evaluation has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The names that lead to it.
    pub attributes: Vec<Vec<u8>>,
    /// The derivation.
    pub path: StorePath,
    /// All its outputs.
    pub outputs: Vec<OutputName>,
    /// Names what it rests on: [`Question::Remembered`].
    pub rests_on: Vec<u8>,
}

/// What earlier evaluations have made of a value.
pub trait Remembered: Send + Sync {
    /// The derivations of this name that are still so.
    fn derivations(&self, name: &StoreName) -> Vec<Known>;

    /// Whether the derivation is there and stays; asked before it is made use of.
    fn is_kept(&self, known: &Known) -> bool;
}

/// What a session knows of earlier ones.
#[derive(Default)]
pub(crate) struct Memory(Mutex<State>);

#[derive(Default)]
struct State {
    /// The value that names lead from, and what is known of it.
    of: Option<(Value, Arc<dyn Remembered>)>,
    /// The thunks that `derivation` has made for `drvPath`, and the sets that it has made them for; by address.
    made: FxHashMap<usize, usize>,
}

fn address(thunk: &Thunk) -> usize {
    std::ptr::from_ref(thunk).addr()
}

impl Session {
    /// Says what earlier evaluations have made of a value; `None` to forget that. What rests on it is recorded, so reads
    /// must be, too.
    pub fn remember(&self, of: Option<(Value, Arc<dyn Remembered>)>) {
        self.memory().0.lock().unwrap_or_else(PoisonError::into_inner).of = of;
    }
}

impl Evaluator<'_> {
    /// Notes that a thunk gives the path of the derivation of a set.
    pub(crate) fn made_for(&self, path: Value, attrs: Attrs) {
        let (true, Value::Thunk(thunk)) = (self.session.settings().record_reads, path) else { return };
        let mut state = self.session.memory().0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.of.is_some() {
            state.made.insert(address(thunk), attrs.identity());
        }
    }

    /// The derivation that a set of attributes of this name is known to make.
    pub(crate) fn remembered(&self, attrs: Attrs, name: &StoreName) -> Option<Known> {
        let (value, memory) = {
            let state = self.session.memory().0.lock().unwrap_or_else(PoisonError::into_inner);
            let (value, memory) = state.of.as_ref()?;
            (*value, Arc::clone(memory))
        };
        let is_it = |known: &Known| self.path_of(value, &known.attributes).is_some_and(|path| self.is_for(path, attrs));
        let known = memory.derivations(name).into_iter().find(|known| is_it(known) && memory.is_kept(known))?;
        self.note(|| Question::Remembered(known.rests_on.clone()));
        Some(known)
    }

    /// The thunk for `drvPath` of what names lead to.
    fn path_of(&self, mut value: Value, attributes: &[Vec<u8>]) -> Option<&'static Thunk> {
        for name in attributes {
            // If it fails now, that is found out where it matters.
            let Ok(Value::Attrs(attrs)) = self.force(value) else { return None };
            value = attrs.value(self.session.symbols().find(name)?)?;
        }
        match self.force(value) {
            Ok(Value::Attrs(attrs)) => match attrs.value(names::DRV_PATH)? {
                Value::Thunk(thunk) => Some(thunk),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_for(&self, path: &'static Thunk, attrs: Attrs) -> bool {
        let state = self.session.memory().0.lock().unwrap_or_else(PoisonError::into_inner);
        state.made.get(&address(path)) == Some(&attrs.identity())
    }
}
