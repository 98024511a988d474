//! Attribute sets: slices sorted by symbol, in layers.
//!
//! `a // b` with a small `b` puts a layer on `a` instead of copying it, up to [`MAX_LAYERS`]; look-up goes through the
//! layers from the top. The merged slice of a layered set is made when somebody wants to walk it, and kept.

use crate::arena::Arena;
use crate::source::Pos;
use crate::symbol::Symbol;
use crate::value::Value;
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

/// An attribute set.
#[derive(Debug)]
pub struct Attrs {
    /// The top layer, sorted by symbol, names unique.
    top: &'static [Attr],
    below: Option<&'static Below>,
}

/// What is below the top layer of a set.
#[derive(Debug)]
struct Below {
    base: &'static Attrs,
    /// Distinct names in all layers, the top one too.
    len: u32,
    /// How many layers there are on the lowest one.
    layers: u8,
    /// All layers in one, once somebody wanted that.
    merged: OnceLock<&'static [Attr]>,
}

/// The set without attributes.
pub static EMPTY: Attrs = Attrs { top: &[], below: None };

impl Attrs {
    /// A set of attributes that are sorted by symbol and have unique names.
    #[inline]
    pub fn from_sorted(attrs: &'static [Attr]) -> Self {
        debug_assert!(attrs.is_sorted_by(|a, b| a.name < b.name), "attributes are sorted and unique");
        Self { top: attrs, below: None }
    }

    /// A set of attributes in any order. Of attributes with the same name the first one counts.
    pub fn from_unsorted(bump: &'static Arena, mut attrs: Vec<Attr>) -> Self {
        attrs.sort_by_key(|attr| attr.name);
        attrs.dedup_by_key(|attr| attr.name);
        Self::from_sorted(bump.alloc_slice_copy(&attrs))
    }

    /// The number of attributes.
    #[inline]
    pub fn len(&self) -> usize {
        self.below.map_or(self.top.len(), |below| below.len as usize)
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The attribute of a name.
    #[inline]
    pub fn get(&self, name: Symbol) -> Option<&'static Attr> {
        let mut layer = self;
        loop {
            if let Some(attr) = find(layer.top, name) {
                return Some(attr);
            }
            layer = layer.below?.base;
        }
    }

    /// The value of a name.
    #[inline]
    pub fn value(&self, name: Symbol) -> Option<Value> {
        self.get(name).map(|attr| attr.value)
    }

    /// All attributes, sorted by symbol.
    #[inline]
    pub fn all(&self) -> &'static [Attr] {
        match self.below {
            None => self.top,
            Some(below) => below.merged.get_or_init(|| {
                let mut upper = Vec::new();
                let base = self.gather(&mut upper);
                Box::leak(Merge { left: base, right: &upper }.collect())
            }),
        }
    }

    /// The attributes of all layers and of one more on top. The layers are small beside the lowest one, so they are
    /// merged with each other first and the lowest one is copied once.
    fn flatten(&self, arena: &'static Arena, top: &[Attr]) -> &'static [Attr] {
        let mut upper = top.to_vec();
        let base = self.gather(&mut upper);
        arena.alloc_slice_up_to(base.len() + upper.len(), Merge { left: base, right: &upper })
    }

    /// Puts the layers below `upper`, all but the lowest one, which is given back.
    fn gather(&self, upper: &mut Vec<Attr>) -> &'static [Attr] {
        let mut layer = self;
        while let Some(below) = layer.below {
            if let Some(merged) = below.merged.get() {
                return merged;
            }
            *upper = Merge { left: layer.top, right: upper }.collect();
            layer = below.base;
        }
        layer.top
    }

    /// This set with the attributes of `other`, which win.
    pub fn update(&'static self, bump: &'static Arena, other: &'static Self) -> &'static Self {
        if other.is_empty() {
            return self;
        }
        if self.is_empty() {
            return other;
        }
        let worth = self.len() >= SMALL && other.len() * 4 <= self.len() && self.layers() < MAX_LAYERS;
        if !worth {
            return bump.alloc(Self::from_sorted(self.flatten(bump, other.all())));
        }
        let top = other.all();
        let new = top.iter().filter(|attr| self.get(attr.name).is_none()).count();
        let (len, layers) = ((self.len() + new) as u32, self.layers() + 1);
        let below = Below { base: self, len, layers, merged: OnceLock::new() };
        bump.alloc(Self { top, below: Some(Box::leak(Box::new(below))) })
    }

    fn layers(&self) -> u8 {
        self.below.map_or(0, |below| below.layers)
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

    fn set(bump: &'static Arena, symbols: &Symbols, pairs: &BTreeMap<u8, i64>) -> &'static Attrs {
        let attr = |(name, value): (&u8, &i64)| Attr {
            name: symbols.intern(&[b'n', *name]),
            pos: Pos::NONE,
            value: Value::Int(*value),
        };
        bump.alloc(Attrs::from_unsorted(bump, pairs.iter().map(attr).collect()))
    }

    proptest! {
        #[test]
        fn updates_are_those_of_a_map(parts in prop::collection::vec(prop::collection::btree_map(0u8..60, any::<i64>(), 0..30), 1..14)) {
            let bump = Arena::leak(crate::arena::Budget::new(usize::MAX));
            let symbols = Symbols::default();
            let mut model = BTreeMap::new();
            let mut attrs: &'static Attrs = &EMPTY;
            for part in &parts {
                model.extend(part.clone());
                attrs = attrs.update(bump, set(bump, &symbols, part));
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
