//! Lists, in one word.

use crate::arena::Arena;
use crate::short::{Meant, Word};
use crate::value::Value;
use std::fmt;

/// A list.
#[derive(Clone, Copy)]
pub struct List(Word<Value, &'static [Value]>);

impl List {
    /// The empty list.
    pub const EMPTY: Self = Self(Word::EMPTY);

    /// The list of these elements.
    #[inline]
    #[must_use]
    pub fn new(arena: &Arena, items: &'static [Value]) -> Self {
        if Word::<Value, &[Value]>::is_short(items.len()) {
            return Self(Word::new(Meant::Near(items)));
        }
        Self(Word::new(Meant::Far(arena.alloc(items))))
    }

    /// Its elements.
    #[inline]
    #[must_use]
    pub fn items(self) -> &'static [Value] {
        match self.0.meant() {
            Meant::Near(items) => items,
            Meant::Far(items) => items,
        }
    }

    /// What tells it from other lists that are not empty: its place and its length, for lists that were joined may begin at
    /// the same place.
    pub(crate) fn identity(self) -> usize {
        self.0.identity()
    }

    /// Whether it is the same list in the same place.
    pub(crate) fn is(self, other: Self) -> bool {
        self.0.is(other.0)
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.items()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Budget;

    #[test]
    fn short_and_long() {
        let arena = Arena::leak(Budget::new(usize::MAX));
        for length in [0, 1, 0xfffe, 0xffff, 200_000] {
            let items: &[Value] = arena.alloc_slice_fill_with(length, |at| Value::Int(at as i64));
            let list = List::new(arena, items);
            assert!(std::ptr::eq(list.items(), items));
        }
        assert!(List::EMPTY.items().is_empty());
    }
}
