//! Evaluating on several threads: helpers that evaluate ahead what the main thread will certainly want.
//!
//! The main thread evaluates as if it were alone, in the same order, and its result is the result. The others, *helpers*,
//! take parts of what it will want, from the back, and evaluate them into their thunks; the main thread finds these done,
//! or waits for them. A helper that fails leaves its thunks as they were, and the main thread meets the failure itself,
//! in its own order: so results and errors are the same for any number of threads. Whatever has an effect that can be
//! seen, as `builtins.trace`, a helper leaves to the main thread.
//!
//! Two threads that wait for each other's thunks have found a value that depends on itself. Then the helper of the two
//! gives up what it does, and the other goes on, to find the recursion on its own way.

use super::Evaluator;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::source::Span;
use crate::thunk::{Owner, Thunk};
use crate::value::Value;
use rustc_hash::FxHashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The most threads that evaluate.
pub(crate) const MAX_THREADS: usize = 64;
/// The owner that is the main thread.
pub(crate) const MAIN: Owner = 0;
/// How often a thread looks whether a value is there before it sleeps.
const SPINS: usize = 200;

/// Something that will be wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// The value and all its parts.
    Deep(Value),
    /// The derivation that the value is, or those in the set it is, if that says to look for them there.
    Derivations(Value),
}

/// What the threads of one evaluation share.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    queue: Mutex<Queue>,
    /// There is work, or no more will come.
    work: Condvar,
    waits: Mutex<Waits>,
    /// A thunk that somebody waits for has ended, or somebody must give up.
    ended: Condvar,
    /// Helpers must end.
    closed: AtomicBool,
    /// A helper ended in the middle of its work: what it was computing never ends.
    lost: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    wanted: Vec<Wanted>,
    /// The sets and lists whose parts were put into the queue, by address.
    seen: FxHashSet<usize>,
}

/// Who waits for whom, and who must give up.
#[derive(Debug, Default)]
struct Waits {
    of: Vec<(Owner, Owner)>,
    give_up: Vec<Owner>,
}

impl Waits {
    fn waits_for(&self, owner: Owner) -> Option<Owner> {
        self.of.iter().find(|(waiting, _)| *waiting == owner).map(|(_, of)| *of)
    }

    /// The owners that `first` waits for, itself included, one through the other.
    fn chain(&self, first: Owner) -> impl Iterator<Item = Owner> {
        std::iter::successors(Some(first), |owner| self.waits_for(*owner)).take(MAX_THREADS)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crew {
    /// Puts things into the queue that the main thread will want, in this order.
    fn want(&self, wanted: impl Iterator<Item = Wanted>) {
        lock(&self.queue).wanted.extend(wanted);
        self.work.notify_all();
    }

    /// Ends the helpers.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        drop(lock(&self.queue));
        self.work.notify_all();
        self.wake();
    }

    /// Ends the work of all, because a helper ended in the middle of its own.
    #[cold]
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        self.close();
    }

    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether helpers must end.
    #[inline]
    pub(crate) fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The last thing that was put into the queue; `None` when the helpers must end.
    fn take(&self) -> Option<Wanted> {
        let mut queue = lock(&self.queue);
        loop {
            if self.closed() {
                return None;
            }
            if let Some(wanted) = queue.wanted.pop() {
                return Some(wanted);
            }
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts the parts of a set or list at this address into the queue, once.
    fn want_parts(&self, address: usize, parts: impl Iterator<Item = Wanted>) {
        let mut queue = lock(&self.queue);
        if queue.seen.insert(address) {
            queue.wanted.extend(parts);
            drop(queue);
            self.work.notify_all();
        }
    }

    /// Tells those that wait that a thunk has ended.
    #[cold]
    pub(crate) fn wake(&self) {
        drop(lock(&self.waits));
        self.ended.notify_all();
    }

    /// Waits until a thunk that `of` computes has ended; false when `me` must give up instead.
    #[cold]
    fn wait(&self, thunk: &Thunk, me: Owner, of: Owner) -> bool {
        for _ in 0..SPINS {
            if !thunk.is_claimed() {
                return true;
            }
            std::hint::spin_loop();
        }
        let mut waits = lock(&self.waits);
        if waits.chain(of).any(|owner| owner == me) {
            // Whoever closes the circle sees it. A helper gives up; the main thread makes the helper do so.
            if me != MAIN {
                return false;
            }
            waits.give_up.push(of);
            self.ended.notify_all();
        }
        waits.of.push((me, of));
        let ends = || self.is_lost() || me != MAIN && self.closed();
        // A claim that has another owner by now is waited for anew: circles are found by who waits for whom.
        while thunk.await_end(of) && !waits.give_up.contains(&me) && !ends() {
            waits = self.ended.wait(waits).unwrap_or_else(PoisonError::into_inner);
        }
        waits.of.retain(|(waiting, _)| *waiting != me);
        let told = waits.give_up.contains(&me);
        waits.give_up.retain(|owner| *owner != me);
        !(told || ends())
    }
}

impl Evaluator<'_> {
    /// Evaluates what is in the queue until the crew is closed.
    pub(crate) fn help(&self, crew: &Crew) {
        while let Some(wanted) = crew.take() {
            // The main thread meets what fails.
            let _ = self.help_with(crew, wanted);
        }
    }

    fn help_with(&self, crew: &Crew, wanted: Wanted) -> Result<()> {
        match wanted {
            Wanted::Deep(value) => match self.force(value)? {
                Value::List(list) if !list.items().is_empty() => {
                    let parts = list.items().iter().filter(|item| has_parts(**item)).copied();
                    crew.want_parts(list.identity(), parts.map(Wanted::Deep));
                }
                Value::Attrs(attrs) => {
                    let parts = attrs.all().iter().map(|attr| attr.value).filter(|value| has_parts(*value));
                    crew.want_parts(attrs.identity(), parts.map(Wanted::Deep));
                }
                _ => {}
            },
            Wanted::Derivations(value) => {
                let Value::Attrs(attrs) = self.force(value)? else { return Ok(()) };
                if self.is_derivation(attrs)? {
                    if let Some(path) = attrs.value(crate::symbol::names::DRV_PATH) {
                        self.force(path)?;
                    }
                } else if self.is_open(attrs)? {
                    let parts = attrs.all().iter().map(|attr| attr.value).filter(|value| has_parts(*value));
                    crew.want_parts(attrs.identity(), parts.map(Wanted::Derivations));
                }
            }
        }
        Ok(())
    }

    /// Waits for another thread to end a thunk; fails when this thread must give up what it does.
    #[cold]
    pub(super) fn wait_for(&self, thunk: &Thunk, owner: Owner) -> Result<()> {
        if self.crew.is_some_and(|crew| crew.wait(thunk, self.owner, owner)) {
            return Ok(());
        }
        // Only want of memory ends a helper in the middle.
        let lost = self.is_main() && self.crew.is_some_and(Crew::is_lost);
        Err(if lost { self.session.memory_limit(Span::NONE) } else { gave_up() })
    }

    /// Whether this is the thread whose result counts.
    pub(crate) fn is_main(&self) -> bool {
        self.owner == MAIN
    }

    /// Fails on a helper: what comes next has an effect that can be seen, and is for the main thread to do.
    pub(crate) fn check_effect(&self) -> Result<()> {
        if self.owner == MAIN { Ok(()) } else { Err(gave_up()) }
    }

    /// Says that things will be wanted, in this order, for helpers to begin with.
    pub(crate) fn announce(&self, wanted: impl Iterator<Item = Wanted>) {
        if let Some(crew) = self.crew.filter(|_| self.owner == MAIN) {
            crew.want(wanted);
        }
    }
}

/// The error with which a helper leaves what it does to the main thread. Nobody sees it.
#[cold]
pub(super) fn gave_up() -> Box<Diagnostic> {
    Diagnostic::new(Code::Interrupted, Span::NONE, "left to the main thread")
}

fn has_parts(value: Value) -> bool {
    matches!(value, Value::Thunk(_) | Value::List(_) | Value::Attrs(_))
}
