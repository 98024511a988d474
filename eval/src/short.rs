//! A slice that lives for ever, in one word: the length of a short one is in the upper bits of its address. One of the
//! modules with `unsafe` code.
//!
//! Addresses of programs have 48 bits at most unless they ask for more. The invariants that all `unsafe` here rests on: **a
//! word is made only by [`Word::new`]: it has the address of a slice and its length below [`FAR`], or the address of a value
//! of the kind `F` and `FAR`; both live for ever.**

#![allow(unsafe_code, reason = "addresses with a length in them; the invariants are stated above")]

use std::marker::PhantomData;
use std::ptr::NonNull;

/// Bits of an address.
const ADDRESS: u32 = 48;
/// The length that says that the address is that of something else, which knows.
const FAR: usize = 0xffff;

/// A short slice of `T`, or something of the kind `F`.
pub(crate) struct Word<T: 'static, F: 'static> {
    tagged: NonNull<T>,
    far: PhantomData<&'static F>,
}

/// What a word stands for.
pub(crate) enum Meant<T: 'static, F: 'static> {
    /// A short slice.
    Near(&'static [T]),
    /// Something else.
    Far(&'static F),
}

impl<T, F> Clone for Word<T, F> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, F> Copy for Word<T, F> {}

// SAFETY: it is a reference to a slice of `T` or to an `F`.
unsafe impl<T: Sync, F: Sync> Send for Word<T, F> {}
// SAFETY: as above.
unsafe impl<T: Sync, F: Sync> Sync for Word<T, F> {}

impl<T, F> Word<T, F> {
    /// The empty slice.
    pub(crate) const EMPTY: Self = Self { tagged: NonNull::dangling(), far: PhantomData };

    /// The word for a slice if it is short, or for what is asked for instead.
    #[inline]
    pub(crate) fn new(meant: Meant<T, F>) -> Self {
        let (place, tag) = match meant {
            Meant::Near(slice) => (NonNull::from_ref(slice).cast::<T>(), slice.len()),
            Meant::Far(far) => (NonNull::from_ref(far).cast(), FAR),
        };
        let tagged = place.map_addr(|address| {
            assert!(address.get() >> ADDRESS == 0, "addresses have 48 bits");
            address | (tag << ADDRESS)
        });
        Self { tagged, far: PhantomData }
    }

    /// Whether so many elements are a short slice.
    #[inline]
    pub(crate) fn is_short(length: usize) -> bool {
        length < FAR
    }

    /// What it stands for.
    #[inline]
    pub(crate) fn meant(self) -> Meant<T, F> {
        let length = self.tagged.addr().get() >> ADDRESS;
        let place = self.tagged.as_ptr().map_addr(|address| address & ((1 << ADDRESS) - 1));
        if length == FAR {
            // SAFETY: `FAR` says that it is the address of an `F` that lives for ever.
            return Meant::Far(unsafe { &*place.cast::<F>() });
        }
        // SAFETY: it is the address of a slice of that length that lives for ever.
        Meant::Near(unsafe { std::slice::from_raw_parts(place, length) })
    }

    /// What tells it from others that are not empty.
    pub(crate) fn identity(self) -> usize {
        self.tagged.addr().get()
    }

    /// Whether it is the same in the same place.
    pub(crate) fn is(self, other: Self) -> bool {
        self.tagged == other.tagged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far() {
        static SHORT: [u8; FAR - 1] = [7; FAR - 1];
        static OTHER: u64 = 9;
        let near = Word::<u8, u64>::new(Meant::Near(&SHORT));
        assert!(matches!(near.meant(), Meant::Near(slice) if std::ptr::eq(slice, &SHORT[..])));
        let far = Word::<u8, u64>::new(Meant::Far(&OTHER));
        assert!(matches!(far.meant(), Meant::Far(9)));
        assert!(matches!(Word::<u8, u64>::EMPTY.meant(), Meant::Near([])));
        assert!(Word::<u8, u64>::is_short(FAR - 1) && !Word::<u8, u64>::is_short(FAR));
        assert!(near.is(near) && !near.is(far));
    }
}
