//! The bytes and the context of a string, in one word.

use crate::arena::Arena;
use crate::context::Context;
use crate::short::{Meant, Word};
use std::fmt;

/// A string: bytes, by convention UTF-8, and the store objects it mentions.
#[derive(Clone, Copy)]
pub struct Text(Word<u8, Far>);

/// A text that is long or has a context.
struct Far {
    bytes: &'static [u8],
    context: Option<&'static Context>,
}

impl Text {
    /// The empty string.
    pub const EMPTY: Self = Self(Word::EMPTY);

    /// A text without context.
    #[inline]
    #[must_use]
    pub fn plain(arena: &Arena, bytes: &'static [u8]) -> Self {
        Self::with_context(arena, bytes, None)
    }

    /// A text with a context, perhaps.
    #[inline]
    #[must_use]
    pub fn with_context(arena: &Arena, bytes: &'static [u8], context: Option<&'static Context>) -> Self {
        if context.is_none() && Word::<u8, Far>::is_short(bytes.len()) {
            return Self(Word::new(Meant::Near(bytes)));
        }
        Self(Word::new(Meant::Far(arena.alloc(Far { bytes, context }))))
    }

    /// A text without context that lives as long as the program.
    pub(crate) fn leak(bytes: &'static [u8]) -> Self {
        if Word::<u8, Far>::is_short(bytes.len()) {
            return Self(Word::new(Meant::Near(bytes)));
        }
        Self(Word::new(Meant::Far(Box::leak(Box::new(Far { bytes, context: None })))))
    }

    /// Its bytes.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> &'static [u8] {
        match self.0.meant() {
            Meant::Near(bytes) => bytes,
            Meant::Far(far) => far.bytes,
        }
    }

    /// What it mentions; never empty.
    #[inline]
    #[must_use]
    pub fn context(self) -> Option<&'static Context> {
        match self.0.meant() {
            Meant::Near(_) => None,
            Meant::Far(far) => far.context,
        }
    }

    /// Whether it is the same text in the same place.
    pub(crate) fn is(self, other: Self) -> bool {
        self.0.is(other.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Budget;
    use crate::context::{ContextBuilder, Element};

    #[test]
    fn short_and_long_with_and_without_context() {
        let arena = Arena::leak(Budget::new(usize::MAX));
        let path: store::StorePath = format!("/larder/store/{}-x.drv", "a".repeat(52)).parse().expect("a path");
        let mut context = ContextBuilder::default();
        context.add_element(Element::Derivation(Box::leak(Box::new(path))));
        let context = context.finish();
        for length in [0, 1, 0xfffe, 0xffff, 0x1_0000, 1 << 20] {
            let bytes: &[u8] = arena.alloc_slice_fill_with(length, |at| at as u8);
            for context in [None, context] {
                let text = Text::with_context(arena, bytes, context);
                assert!(std::ptr::eq(text.bytes(), bytes));
                assert_eq!(text.context().map(std::ptr::from_ref), context.map(std::ptr::from_ref));
                assert!(text.is(text) && !text.is(Text::EMPTY));
            }
        }
        assert_eq!((Text::EMPTY.bytes(), Text::EMPTY.context().is_none()), (&b""[..], true));
    }
}
