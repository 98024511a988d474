//! Limits against archives that unpack to more than anybody wants.

use super::problem::Outcome;
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// When to give up unpacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of unpacked data, headers included.
    pub total_bytes: u64,
    /// Most entries.
    pub entries: u64,
    /// Most components of a name.
    pub depth: usize,
    /// Most bytes of unpacked data per packed byte, once there are [`Limits::RATIO_FLOOR`] bytes.
    pub ratio: u64,
    /// Most bytes of memory that a decompressor may use.
    pub memory: u64,
}

impl Limits {
    /// The ratio is not looked at below this many unpacked bytes.
    pub const RATIO_FLOOR: u64 = 64 << 20;
}

impl Default for Limits {
    /// 64 GiB, two million entries, 512 components, 1:1000, 512 MiB of memory.
    fn default() -> Self {
        Self { total_bytes: 64 << 30, entries: 2_000_000, depth: 512, ratio: 1000, memory: 512 << 20 }
    }
}

/// A limit that was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// See [`Limits::total_bytes`].
    #[error("it unpacks to more than the limit of {0} bytes")]
    TotalBytes(u64),
    /// See [`Limits::entries`].
    #[error("it has more than the limit of {0} entries")]
    Entries(u64),
    /// See [`Limits::depth`].
    #[error("the name has more than the limit of {0} components")]
    Depth(usize),
    /// See [`Limits::ratio`].
    #[error("it unpacks to more than {0} times its size, which is the limit")]
    Ratio(u64),
    /// See [`Limits::memory`].
    #[error("decompressing needs more than the limit of {0} bytes of memory")]
    Memory(u64),
}

/// Carries a [`Limit`] through [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct LimitReached(pub(super) Limit);

/// Counts unpacked bytes against the packed bytes they come from.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    limits: Limits,
    unpacked: u64,
}

impl Budget {
    /// Nothing is used yet.
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limits: *limits, unpacked: 0 }
    }

    /// Accounts for `count` more unpacked bytes; `packed` is what was read for all of them.
    pub(super) fn spend(&mut self, count: u64, packed: u64) -> Result<(), Limit> {
        self.unpacked = self.unpacked.saturating_add(count);
        if self.unpacked > self.limits.total_bytes {
            return Err(Limit::TotalBytes(self.limits.total_bytes));
        }
        if self.unpacked > Limits::RATIO_FLOOR && self.unpacked > packed.saturating_mul(self.limits.ratio) {
            return Err(Limit::Ratio(self.limits.ratio));
        }
        Ok(())
    }
}

/// A reader that counts what it gives.
pub(super) struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Counted<R> {
    /// The reader, and the count that follows it.
    pub(super) fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
        let count = Rc::new(Cell::new(0));
        (Self { inner, count: Rc::clone(&count) }, count)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count.set(self.count.get() + length as u64);
        Ok(length)
    }
}

/// A reader of unpacked data that fails when the budget is used up.
pub(super) struct Bounded<R> {
    inner: R,
    budget: Budget,
    packed: Rc<Cell<u64>>,
}

impl<R: Read> Bounded<R> {
    /// Bounds `inner`, whose packed bytes are counted in `packed`.
    pub(super) fn new(inner: R, limits: &Limits, packed: Rc<Cell<u64>>) -> Self {
        Self { inner, budget: Budget::new(limits), packed }
    }

    /// Running out of memory is a limit, not damage.
    fn name_memory(&self, error: io::Error) -> io::Error {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(liblzma::stream::Error::MemLimit) => {
                io::Error::other(LimitReached(Limit::Memory(self.budget.limits.memory)))
            }
            _ => error,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer).map_err(|error| self.name_memory(error))?;
        let spent = self.budget.spend(length as u64, self.packed.get());
        spent.map_err(|limit| io::Error::other(LimitReached(limit)))?;
        Ok(length)
    }
}

/// Checks a number of entries.
pub(super) fn check_entries(entries: u64, limits: &Limits) -> Outcome<()> {
    if entries > limits.entries { Err(Limit::Entries(limits.entries).into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_counts_only_above_the_floor() {
        let mut budget = Budget::new(&Limits { ratio: 10, ..Limits::default() });
        assert_eq!(budget.spend(Limits::RATIO_FLOOR, 1), Ok(()));
        assert_eq!(budget.spend(1, 1), Err(Limit::Ratio(10)));
        assert_eq!(budget.spend(1, Limits::RATIO_FLOOR), Ok(()));
    }

    #[test]
    fn the_total_is_a_ceiling_that_cannot_wrap() {
        let mut budget = Budget::new(&Limits { total_bytes: 100, ..Limits::default() });
        assert_eq!(budget.spend(100, 100), Ok(()));
        assert_eq!(budget.spend(u64::MAX, 100), Err(Limit::TotalBytes(100)));
    }
}
