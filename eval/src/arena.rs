//! Memory that evaluation allocates from: bump allocation in large chunks that are never freed. One of the modules with
//! `unsafe` code.
//!
//! Page faults are a large part of what allocation costs, so a chunk gets all its pages when it is mapped. (Huge pages cost
//! even less where they are at hand, but many times as much in virtual machines whose host takes back what lies free.)
//! The invariants that all `unsafe` here rests on: **`next` lies within the current chunk, between it and `end` nothing
//! was handed out, and both are multiples of [`ALIGN`] away from the chunk's start; a chunk is leaked as soon as it is
//! mapped.** Only types that need no drop are kept here. An arena belongs to one thread.

#![allow(unsafe_code, reason = "the allocator under every value; the invariants are stated above")]

use memmap2::MmapOptions;
use std::alloc::Layout;
use std::cell::Cell;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// Alignment of everything that is handed out.
const ALIGN: usize = 8;
/// Bytes of the first chunk; each next one is twice as large, up to [`LARGEST`].
const FIRST: usize = 256 << 10;
const LARGEST: usize = 2 << 20;
/// Larger pieces get their pages only as they are touched.
const MOST_AT_ONCE: usize = 64 << 20;

/// What ends an evaluation from outside it: its memory is used up, or somebody interrupts it.
#[derive(Debug)]
pub(crate) struct Budget {
    mapped: AtomicUsize,
    limit: usize,
    stop: AtomicU8,
}

/// Why an evaluation must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It took more memory than it may.
    Memory,
    /// Somebody interrupted it.
    Interrupted,
}

const MEMORY: u8 = 1;
const INTERRUPTED: u8 = 2;

impl Budget {
    /// A budget of so many bytes for all arenas of a session.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { mapped: AtomicUsize::new(0), limit, stop: AtomicU8::new(0) })
    }

    /// Whether evaluation must end; cheap enough to ask at every call.
    #[inline]
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }

    /// Why evaluation must end. An interruption is said once.
    pub(crate) fn stop(&self) -> Option<Stop> {
        let stop = self.stop.fetch_and(!INTERRUPTED, Ordering::Relaxed);
        match stop {
            0 => None,
            stop if stop & INTERRUPTED != 0 => Some(Stop::Interrupted),
            _ => Some(Stop::Memory),
        }
    }

    /// Ends the evaluation that runs.
    pub(crate) fn interrupt(&self) {
        self.stop.fetch_or(INTERRUPTED, Ordering::Relaxed);
    }

    /// The limit is reached for good: what was being computed when memory ended stays so.
    pub(crate) fn exhaust(&self) {
        self.stop.fetch_or(MEMORY, Ordering::Relaxed);
    }

    /// Forgets an interruption that came too late.
    pub(crate) fn begin(&self) {
        self.stop.fetch_and(!INTERRUPTED, Ordering::Relaxed);
    }

    /// The limit in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Counts bytes that come from elsewhere.
    pub(crate) fn charge(&self, bytes: usize) {
        if !self.take(bytes) {
            no_memory();
        }
    }

    /// Takes bytes; false when so many are not to be had at all. Small pieces may exceed the limit for a while: the next
    /// call ends evaluation in good order.
    fn take(&self, bytes: usize) -> bool {
        let mapped = self.mapped.load(Ordering::Relaxed).saturating_add(bytes);
        let lenient = self.limit.saturating_add(self.limit / 4).saturating_add(4 * MOST_AT_ONCE);
        if mapped > self.limit && (bytes > MOST_AT_ONCE || mapped > lenient) {
            self.stop.fetch_or(MEMORY, Ordering::Relaxed);
            return false;
        }
        if self.mapped.fetch_add(bytes, Ordering::Relaxed) + bytes > self.limit {
            self.stop.fetch_or(MEMORY, Ordering::Relaxed);
        }
        true
    }
}

/// What unwinds out of an evaluation that asks for more memory than there is. [`crate::Session::run`] makes an error of
/// it: allocating cannot fail otherwise.
#[derive(Debug)]
pub(crate) struct NoMemory;

/// Ends an evaluation that asks for more memory than there is.
#[cold]
pub(crate) fn no_memory() -> ! {
    // Without the message of a panic: this is no bug.
    std::panic::resume_unwind(Box::new(NoMemory))
}

/// An arena.
pub struct Arena {
    next: Cell<*mut u8>,
    end: Cell<*mut u8>,
    /// Bytes of the next chunk.
    chunk: Cell<usize>,
    budget: Arc<Budget>,
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("chunk", &self.chunk.get()).finish_non_exhaustive()
    }
}

impl Arena {
    /// An empty arena that lives as long as the process.
    pub(crate) fn leak(budget: Arc<Budget>) -> &'static Self {
        let null = Cell::new(std::ptr::null_mut());
        Box::leak(Box::new(Self { next: null.clone(), end: null, chunk: Cell::new(FIRST), budget }))
    }

    /// What it may take, together with others.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Room for a layout whose alignment is at most 8.
    #[inline]
    pub(crate) fn alloc_layout(&self, layout: Layout) -> NonNull<u8> {
        debug_assert!(layout.align() <= ALIGN, "what is kept in an arena has words at most");
        let size = layout.size().next_multiple_of(ALIGN);
        let next = self.next.get();
        if self.end.get().addr() - next.addr() < size {
            return self.alloc_in_new_chunk(size);
        }
        self.next.set(next.wrapping_add(size));
        // A size of zero may come before the first chunk.
        NonNull::new(next).unwrap_or(NonNull::<u64>::dangling().cast())
    }

    #[cold]
    #[inline(never)]
    fn alloc_in_new_chunk(&self, size: usize) -> NonNull<u8> {
        let chunk = self.chunk.get();
        if size > chunk / 2 {
            // A large piece has a chunk of its own, so that the rest of the current one is not lost.
            return self.map(size);
        }
        self.chunk.set((chunk * 2).min(LARGEST));
        let start = self.map(chunk);
        // SAFETY: both addresses are within the chunk or at its end.
        unsafe {
            self.next.set(start.add(size).as_ptr());
            self.end.set(start.add(chunk).as_ptr());
        }
        start
    }

    fn map(&self, length: usize) -> NonNull<u8> {
        if !self.budget.take(length) {
            no_memory();
        }
        let mut options = MmapOptions::new();
        options.len(length);
        if length <= MOST_AT_ONCE {
            options.populate();
        }
        let Ok(mut map) = options.map_anon() else { no_memory() };
        let start = NonNull::new(map.as_mut_ptr()).expect("a mapping has an address");
        std::mem::forget(map);
        start
    }

    /// Keeps a value that needs no drop.
    #[inline]
    pub fn alloc<T: 'static>(&self, value: T) -> &'static T {
        const { assert!(!std::mem::needs_drop::<T>() && align_of::<T>() <= ALIGN) };
        let place = self.alloc_layout(Layout::new::<T>()).cast::<T>();
        // SAFETY: the place is fresh, large enough, aligned to `ALIGN`, and never freed.
        unsafe {
            place.write(value);
            place.as_ref()
        }
    }

    /// Keeps a copy of a slice.
    #[inline]
    pub fn alloc_slice_copy<T: Copy + 'static>(&self, values: &[T]) -> &'static [T] {
        const { assert!(align_of::<T>() <= ALIGN) };
        let place = self.alloc_layout(Layout::for_value(values)).cast::<T>();
        // SAFETY: the place is fresh, as large as the slice, aligned to `ALIGN`, and never freed.
        unsafe {
            place.copy_from_nonoverlapping(NonNull::from(values).cast(), values.len());
            std::slice::from_raw_parts(place.as_ptr(), values.len())
        }
    }

    /// Keeps what a function gives for each index below a length.
    #[inline]
    pub(crate) fn alloc_slice_fill_with<T: 'static>(
        &self,
        length: usize,
        mut value: impl FnMut(usize) -> T,
    ) -> &'static [T] {
        const { assert!(!std::mem::needs_drop::<T>() && align_of::<T>() <= ALIGN) };
        let layout = Layout::array::<T>(length).expect("lengths come from what is in memory or was checked");
        let place = self.alloc_layout(layout).cast::<T>();
        for index in 0..length {
            // SAFETY: the place is fresh and has room for `length` values. Values that were written are lost, not
            // dropped, when a later call panics; they need no drop.
            unsafe { place.add(index).write(value(index)) };
        }
        // SAFETY: all `length` values were written, and the place is never freed.
        unsafe { std::slice::from_raw_parts(place.as_ptr(), length) }
    }

    /// Keeps what an iterator gives, at most `most` values. What room is left is used for the next.
    #[inline]
    pub(crate) fn alloc_slice_up_to<T: 'static>(&self, most: usize, values: impl Iterator<Item = T>) -> &'static [T] {
        const { assert!(!std::mem::needs_drop::<T>() && align_of::<T>() <= ALIGN) };
        let layout = Layout::array::<T>(most).expect("lengths come from what is in memory or was checked");
        let place = self.alloc_layout(layout).cast::<T>();
        let end = self.next.get();
        let mut length = 0;
        for value in values.take(most) {
            // SAFETY: the place is fresh and has room for `most` values.
            unsafe { place.add(length).write(value) };
            length += 1;
        }
        let unused = layout.size() - length * size_of::<T>();
        if end == self.next.get() && place.as_ptr().cast::<u8>().wrapping_add(layout.size()) == end {
            self.next.set(end.wrapping_sub(unused / ALIGN * ALIGN));
        }
        // SAFETY: `length` values were written, and the place is never freed.
        unsafe { std::slice::from_raw_parts(place.as_ptr(), length) }
    }

    /// Keeps what an iterator of known length gives.
    ///
    /// # Panics
    /// When the iterator gives less than it said.
    #[inline]
    pub fn alloc_slice_fill_iter<T: 'static, I>(&self, values: I) -> &'static [T]
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: ExactSizeIterator,
    {
        let mut values = values.into_iter();
        self.alloc_slice_fill_with(values.len(), |_| values.next().expect("an iterator gives as much as it says"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_and_does_not_overlap() {
        let arena = Arena::leak(Budget::new(usize::MAX));
        let numbers: Vec<&u64> = (0..100_000).map(|n| arena.alloc(n)).collect();
        let slices: Vec<&[u8]> = (0..2_000u32).map(|n| arena.alloc_slice_copy(&vec![n as u8; n as usize])).collect();
        assert!(numbers.iter().enumerate().all(|(n, number)| **number == n as u64));
        assert!(slices.iter().enumerate().all(|(n, slice)| slice.len() == n && slice.iter().all(|b| *b == n as u8)));
        assert_eq!(arena.alloc_slice_fill_with(5, |n| n * 2), [0, 2, 4, 6, 8]);
        assert!(arena.alloc_slice_copy::<u64>(&[]).is_empty());
    }

    #[test]
    fn room_that_is_left_is_used() {
        let arena = Arena::leak(Budget::new(usize::MAX));
        let odd = arena.alloc_slice_up_to(100, (0..10u32).filter(|n| n % 2 == 1));
        let next = arena.alloc(7u64);
        assert_eq!((odd, *next), (&[1, 3, 5, 7, 9][..], 7));
        assert!(std::ptr::from_ref(next).addr() - odd.as_ptr().addr() <= 24);
        assert_eq!(arena.alloc_slice_up_to(2, 0..10u64), [0, 1]);
    }

    #[test]
    fn a_piece_larger_than_a_chunk() {
        let arena = Arena::leak(Budget::new(usize::MAX));
        let first = arena.alloc(1u64);
        let large = arena.alloc_slice_fill_with(1 << 20, |n| n);
        assert_eq!((large[0], large[(1 << 20) - 1]), (0, (1 << 20) - 1));
        assert_eq!((*first, *arena.alloc(2u64)), (1, 2));
    }

    #[test]
    fn the_budget_counts_what_is_mapped() {
        let budget = Budget::new(1 << 20);
        let arena = Arena::leak(Arc::clone(&budget));
        arena.alloc(1u64);
        assert!(!budget.stopped());
        arena.alloc_slice_fill_with(1 << 20, |_| 0u64);
        assert!(budget.stopped());
        assert_eq!(budget.stop(), Some(Stop::Memory));
        budget.interrupt();
        assert_eq!((budget.stop(), budget.stop()), (Some(Stop::Interrupted), Some(Stop::Memory)));
    }

    #[test]
    #[should_panic(expected = "as much as it says")]
    fn an_iterator_that_lies() {
        struct Liar;
        impl Iterator for Liar {
            type Item = u8;
            fn next(&mut self) -> Option<u8> {
                None
            }
            fn size_hint(&self) -> (usize, Option<usize>) {
                (3, Some(3))
            }
        }
        impl ExactSizeIterator for Liar {}
        Arena::leak(Budget::new(usize::MAX)).alloc_slice_fill_iter(Liar);
    }
}
