//! Texts and lists that are joined of a long one and a short one, again and again. One of the modules with `unsafe` code.
//!
//! What was joined last has room behind it: what is joined of it and something more begins with the same memory, and only
//! the something is written. So joining n times needs memory and time in proportion to n and not to its square. The
//! invariant that all `unsafe` here rests on: **behind `start` there are `length` elements that were handed out, never
//! changed, and then memory for `room` more that nobody else has.**

#![allow(unsafe_code, reason = "slices that share their beginning; the invariant is stated above")]

use crate::arena::Arena;
use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::NonNull;

/// Shorter ones are copied.
const LONG: usize = 64;

/// The slice that was joined last, by one thread.
pub(crate) struct Growing<T: 'static> {
    start: Cell<NonNull<T>>,
    length: Cell<usize>,
    room: Cell<usize>,
}

impl<T> Default for Growing<T> {
    fn default() -> Self {
        Self { start: Cell::new(NonNull::dangling()), length: Cell::new(0), room: Cell::new(0) }
    }
}

impl<T> std::fmt::Debug for Growing<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Growing({})", self.length.get())
    }
}

impl<T: Copy + 'static> Growing<T> {
    /// Both slices in one.
    pub(crate) fn join(&self, arena: &Arena, left: &'static [T], right: &[T]) -> &'static [T] {
        if right.is_empty() {
            return left;
        }
        let whole = left.len() + right.len();
        if left.len() < LONG.max(right.len() * 4) {
            let of = |index: usize| left.get(index).copied().unwrap_or_else(|| right[index - left.len()]);
            return arena.alloc_slice_fill_with(whole, of);
        }
        let is_last = NonNull::from_ref(left).cast() == self.start.get() && left.len() == self.length.get();
        if !is_last || right.len() > self.room.get() {
            // Most are joined once or twice: room is given to those that were given some before.
            let room = if is_last { whole } else { right.len().max(left.len() / 8) };
            self.begin(arena, left, right.len() + room);
        }
        // SAFETY: there is memory for `room` elements behind those handed out, and `right` has no more.
        unsafe {
            self.start.get().add(left.len()).copy_from_nonoverlapping(NonNull::from_ref(right).cast(), right.len())
        };
        self.length.set(whole);
        self.room.set(self.room.get() - right.len());
        // SAFETY: all of these are written, and nobody changes them.
        unsafe { std::slice::from_raw_parts(self.start.get().as_ptr(), whole) }
    }

    /// Copies a slice to where there is room behind it.
    fn begin(&self, arena: &Arena, left: &[T], room: usize) {
        let layout = Layout::array::<T>(left.len() + room).expect("lengths come from what is in memory");
        let start = arena.alloc_layout(layout).cast::<T>();
        // SAFETY: the memory is fresh and has room for more than that.
        unsafe { start.copy_from_nonoverlapping(NonNull::from_ref(left).cast(), left.len()) };
        self.start.set(start);
        self.length.set(left.len());
        self.room.set(room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Budget;
    use proptest::prelude::*;

    proptest! {
        /// Any slice that was joined before may be joined again, and none is changed by that.
        #[test]
        fn joined_slices_are_those_of_vectors(steps in prop::collection::vec((0usize..40, 0usize..300, any::<bool>()), 1..60)) {
            let arena = Arena::leak(Budget::new(usize::MAX));
            let growing = Growing::default();
            let mut all: Vec<(Vec<u32>, &'static [u32])> = vec![(Vec::new(), &[])];
            for (number, (from, length, last)) in steps.into_iter().enumerate() {
                let (model, slice) = all[if last { all.len() - 1 } else { from % all.len() }].clone();
                let right: Vec<u32> = (0..length as u32).map(|n| n + 1000 * number as u32).collect();
                all.push(([model, right.clone()].concat(), growing.join(arena, slice, &right)));
            }
            for (model, slice) in all {
                prop_assert_eq!(model.as_slice(), slice);
            }
        }
    }

    #[test]
    fn joining_many_times_takes_memory_in_proportion() {
        let budget = Budget::new(64 << 20);
        let arena = Arena::leak(std::sync::Arc::clone(&budget));
        let growing = Growing::default();
        let mut text: &'static [u8] = b"";
        for _ in 0..1_000_000 {
            text = growing.join(arena, text, b"x");
        }
        assert!(text.len() == 1_000_000 && !budget.stopped());
    }
}
