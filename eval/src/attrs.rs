//! Attribute sets: slices sorted by symbol, in layers.
//!
//! `a // b` with a small `b` puts a layer on `a` instead of copying it, up to [`MAX_LAYERS`]; look-up goes through the
//! layers from the top. The merged slice of a layered set is made when somebody wants to walk it, and kept.

use crate::arena::{Arena, Budget};
use crate::short::{Meant, Word};
use crate::source::Pos;
use crate::symbol::Symbol;
use crate::value::Value;
use std::fmt;
use std::sync::OnceLock;

/// How many layers a set may have before it is merged.
const MAX_LAYERS: u8 = 12;
/// Sets below this size are merged at once: copying them is cheaper than a layer.
const SMALL: usize = 12;

/// One attribute.
#[derive(Debug, Clone, Copy)]
pub struct Attr {
    /// Its name.
    pub name: Symbol,
    /// Where it was written.
    pub pos: Pos,
    /// Its value, perhaps a thunk.
    pub value: Value,
}

/// An attribute set: a short slice of attributes, sorted by symbol, names unique; or something else.
#[derive(Clone, Copy)]
pub struct Attrs(Word<Attr, Far>);

/// A set that is no short slice.
#[derive(Debug)]
enum Far {
    /// As a short slice, but long.
    Long(&'static [Attr]),
    /// One on top of another.
    Layered(Layered),
}

#[derive(Debug)]
struct Layered {
    top: &'static [Attr],
    base: Attrs,
    /// Distinct names in all layers.
    len: u32,
    /// How many layers there are on the lowest one.
    layers: u8,
    /// All layers in one, once somebody wanted that.
    merged: OnceLock<&'static [Attr]>,
    /// What that is counted in.
    budget: &'static Budget,
}

impl Attrs {
    /// The set without attributes.
    pub const EMPTY: Self = Self(Word::EMPTY);

    /// A set of attributes that are sorted by symbol and have unique names.
    #[inline]
    #[must_use]
    pub fn from_sorted(arena: &'static Arena, attrs: &'static [Attr]) -> Self {
        debug_assert!(attrs.is_sorted_by(|a, b| a.name < b.name), "attributes are sorted and unique");
        if Word::<Attr, Far>::is_short(attrs.len()) {
            return Self(Word::new(Meant::Near(attrs)));
        }
        Self::far(arena, Far::Long(attrs))
    }

    /// A set of attributes in any order. Of attributes with the same name the first one counts.
    #[must_use]
    pub fn from_unsorted(arena: &'static Arena, mut attrs: Vec<Attr>) -> Self {
        attrs.sort_by_key(|attr| attr.name);
        attrs.dedup_by_key(|attr| attr.name);
        Self::from_sorted(arena, arena.alloc_slice_copy(&attrs))
    }

    /// Outside the arena, because a lock is dropped.
    fn far(arena: &'static Arena, far: Far) -> Self {
        arena.budget().charge(size_of::<Far>());
        Self(Word::new(Meant::Far(Box::leak(Box::new(far)))))
    }

    /// The set if it is layered, or else its attributes.
    #[inline]
    fn layered(self) -> Result<&'static Layered, &'static [Attr]> {
        match self.0.meant() {
            Meant::Near(attrs) => Err(attrs),
            Meant::Far(Far::Long(attrs)) => Err(attrs),
            Meant::Far(Far::Layered(layered)) => Ok(layered),
        }
    }

    /// The number of attributes.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        self.layered().map_or_else(<[Attr]>::len, |layered| layered.len as usize)
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether it is one slice of fewer attributes than that.
    #[inline]
    pub(crate) fn is_shorter(self, than: usize) -> bool {
        matches!(self.0.meant(), Meant::Near(attrs) if attrs.len() < than)
    }

    /// Whether it is the same set in the same place.
    pub(crate) fn is(self, other: Self) -> bool {
        self.0.is(other.0)
    }

    /// What tells it from other sets that are not empty.
    pub(crate) fn identity(self) -> usize {
        self.0.identity()
    }

    /// The attribute of a name.
    #[inline]
    #[must_use]
    pub fn get(self, name: Symbol) -> Option<&'static Attr> {
        let mut set = self;
        loop {
            let layered = match set.layered() {
                Err(attrs) => return find(attrs, name),
                Ok(layered) => layered,
            };
            if let Some(attr) = find(layered.top, name) {
                return Some(attr);
            }
            set = layered.base;
        }
    }

    /// The value of a name.
    #[inline]
    #[must_use]
    pub fn value(self, name: Symbol) -> Option<Value> {
        self.get(name).map(|attr| attr.value)
    }

    /// All attributes, sorted by symbol.
    #[inline]
    #[must_use]
    pub fn all(self) -> &'static [Attr] {
        match self.layered() {
            Err(attrs) => attrs,
            Ok(layered) => layered.merged.get_or_init(|| {
                let mut upper = Vec::new();
                let base = self.gather(&mut upper);
                layered.budget.charge(size_of::<Attr>() * layered.len as usize);
                Box::leak(Merge { left: base, right: &upper }.collect())
            }),
        }
    }

    /// The attributes of all layers and of one more on top. The layers are small beside the lowest one, so they are
    /// merged with each other first and the lowest one is copied once.
    fn flatten(self, arena: &'static Arena, top: &[Attr]) -> &'static [Attr] {
        let mut upper = top.to_vec();
        let base = self.gather(&mut upper);
        arena.alloc_slice_up_to(base.len() + upper.len(), Merge { left: base, right: &upper })
    }

    /// Puts the layers below `upper`, all but the lowest one, which is given back.
    fn gather(self, upper: &mut Vec<Attr>) -> &'static [Attr] {
        let mut set = self;
        loop {
            let layered = match set.layered() {
                Err(attrs) => return attrs,
                Ok(layered) => layered,
            };
            if let Some(merged) = layered.merged.get() {
                return merged;
            }
            *upper = Merge { left: layered.top, right: upper }.collect();
            set = layered.base;
        }
    }

    /// This set with the attributes of `other`, which win.
    #[must_use]
    pub fn update(self, arena: &'static Arena, other: Self) -> Self {
        if other.is_empty() {
            return self;
        }
        if self.is_empty() {
            return other;
        }
        let worth = self.len() >= SMALL && other.len() * 4 <= self.len() && self.layers() < MAX_LAYERS;
        if !worth {
            return Self::from_sorted(arena, self.flatten(arena, other.all()));
        }
        let top = other.all();
        let new = top.iter().filter(|attr| self.get(attr.name).is_none()).count();
        let (len, layers) = ((self.len() + new) as u32, self.layers() + 1);
        let layered = Layered { top, base: self, len, layers, merged: OnceLock::new(), budget: arena.budget() };
        Self::far(arena, Far::Layered(layered))
    }

    fn layers(self) -> u8 {
        self.layered().map_or(0, |layered| layered.layers)
    }
}

impl fmt::Debug for Attrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

/// Binary search without a branch that depends on the data, and linear search for few.
#[inline]
fn find(attrs: &'static [Attr], name: Symbol) -> Option<&'static Attr> {
    if attrs.len() <= 8 {
        return attrs.iter().find(|attr| attr.name == name);
    }
    attrs.binary_search_by_key(&name, |attr| attr.name).ok().map(|index| &attrs[index])
}

/// Merges two sorted slices; the second wins.
struct Merge<'a> {
    left: &'a [Attr],
    right: &'a [Attr],
}

impl Iterator for Merge<'_> {
    type Item = Attr;

    #[inline]
    fn next(&mut self) -> Option<Attr> {
        let (a, b) = match (self.left.first(), self.right.first()) {
            (Some(a), Some(b)) => (*a, *b),
            (None, None) => return None,
            (one, other) => {
                let last = *one.or(other)?;
                self.left = self.left.get(1..).unwrap_or_default();
                self.right = self.right.get(1..).unwrap_or_default();
                return Some(last);
            }
        };
        self.left = &self.left[usize::from(a.name <= b.name)..];
        self.right = &self.right[usize::from(b.name <= a.name)..];
        Some(if a.name < b.name { a } else { b })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.len().max(self.right.len()), Some(self.left.len() + self.right.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbol::Symbols;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn set(arena: &'static Arena, symbols: &Symbols, pairs: &BTreeMap<u8, i64>) -> Attrs {
        let attr = |(name, value): (&u8, &i64)| Attr {
            name: symbols.intern(&[b'n', *name]),
            pos: Pos::NONE,
            value: Value::Int(*value),
        };
        Attrs::from_unsorted(arena, pairs.iter().map(attr).collect())
    }

    proptest! {
        #[test]
        fn updates_are_those_of_a_map(parts in prop::collection::vec(prop::collection::btree_map(0u8..60, any::<i64>(), 0..30), 1..14)) {
            let arena = Arena::leak(crate::arena::Budget::new(usize::MAX));
            let symbols = Symbols::default();
            let mut model = BTreeMap::new();
            let mut attrs = Attrs::EMPTY;
            for part in &parts {
                model.extend(part.clone());
                attrs = attrs.update(arena, set(arena, &symbols, part));
                prop_assert_eq!(attrs.len(), model.len());
            }
            prop_assert_eq!(attrs.all().len(), model.len());
            prop_assert!(attrs.all().is_sorted_by(|a, b| a.name < b.name));
            for name in 0u8..60 {
                let found = attrs.value(symbols.intern(&[b'n', name])).map(|value| match value { Value::Int(n) => n, _ => 0 });
                prop_assert_eq!(found, model.get(&name).copied());
            }
        }
    }
}
