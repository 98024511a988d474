//! What was found in large sets lately: names are looked up again and again in the same few of them.
//!
//! Sets never change and their memory is not used again, so what was found once, or was not there, stays so.

use crate::attrs::{Attr, Attrs};
use crate::symbol::Symbol;
use std::cell::Cell;

/// How many look-ups are remembered.
const SIZE: usize = 512;
/// In smaller sets looking is as fast as remembering.
const LARGE: usize = 24;

#[derive(Clone, Copy)]
struct Lookup {
    set: usize,
    name: Symbol,
    found: Option<&'static Attr>,
}

/// The latest look-ups of one evaluator.
pub(super) struct Lookups(Box<[Cell<Option<Lookup>>; SIZE]>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Box::new([const { Cell::new(None) }; SIZE]))
    }
}

impl std::fmt::Debug for Lookups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lookups")
    }
}

impl Lookups {
    /// The attribute of a name.
    #[inline]
    pub(super) fn get(&self, attrs: Attrs, name: Symbol) -> Option<&'static Attr> {
        if attrs.is_shorter(LARGE) { attrs.get(name) } else { self.get_in_large(attrs, name) }
    }

    fn get_in_large(&self, attrs: Attrs, name: Symbol) -> Option<&'static Attr> {
        let set = attrs.identity();
        let place = &self.0[(set >> 3 ^ set >> 12 ^ name.number() as usize) % SIZE];
        if let Some(known) = place.get().filter(|known| known.set == set && known.name == name) {
            return known.found;
        }
        let found = attrs.get(name);
        place.set(Some(Lookup { set, name, found }));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::{Arena, Budget};
    use crate::source::Pos;
    use crate::symbol::Symbols;
    use crate::value::Value;

    #[test]
    fn what_is_remembered_is_what_is_there() {
        let arena = Arena::leak(Budget::new(usize::MAX));
        let symbols = Symbols::default();
        let name = |n: i64| symbols.intern(format!("n{n}").as_bytes());
        let sets = (0..5).map(|which| {
            let attr = |n| Attr { name: name(n), pos: Pos::NONE, value: Value::Int(n * 10 + which) };
            Attrs::from_unsorted(arena, (0..600).filter(|n| n % (which + 1) == 0).map(attr).collect())
        });
        let sets: Vec<_> = sets.collect();
        let lookups = Lookups::default();
        for _ in 0..3 {
            for n in 0..700 {
                for set in &sets {
                    let found = lookups.get(*set, name(n)).map(std::ptr::from_ref);
                    assert_eq!(found, set.get(name(n)).map(std::ptr::from_ref));
                }
            }
        }
    }
}
