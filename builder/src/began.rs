//! When work on a derivation began: waiting for another larder that is at work on the same is none of it.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The beginning of work.
pub(crate) struct Began<'t> {
    at: Cell<Instant>,
    told: &'t dyn Fn(),
}

impl<'t> Began<'t> {
    /// Work that begins now, so far as is known; `told` is called when it is known that it does.
    pub(crate) fn now(told: &'t dyn Fn()) -> Self {
        Self { at: Cell::new(Instant::now()), told }
    }

    /// All until now was waiting.
    pub(crate) fn reset(&self) {
        self.at.set(Instant::now());
    }

    /// Tells that there is something to do.
    pub(crate) fn tell(&self) {
        (self.told)();
    }

    /// Time since then.
    pub(crate) fn elapsed(&self) -> Duration {
        self.at.get().elapsed()
    }
}
