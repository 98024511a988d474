//! Sets that are written in parts: in `a = rec { b = 1; }; a.c = b;` the second `b` is that of the set.

use crate::analysis::names::static_name;
use crate::syntax::Kind;
use crate::syntax::tree::{Element, Tree};
use crate::syntax::typed::{Binding, Enclosed};
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;

/// Sets to which bindings outside of them may add.
#[derive(Debug)]
pub(super) struct Parts {
    /// Their numbers.
    sets: FxHashSet<usize>,
}

impl Parts {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut parts = Self { sets: FxHashSet::default() };
        // Outer ones come first: what may be added to a set may be added to the sets in it.
        for element in tree.root().descendants() {
            if matches!(element.kind(), Kind::AttrSet | Kind::LetBody | Kind::Let) {
                parts.look_into(element);
            }
        }
        parts
    }

    /// Whether a binding outside of a set may add to it.
    pub(super) fn may_grow(&self, set: Element<'_>) -> bool {
        self.sets.contains(&set.number())
    }

    /// Notes which of the sets that are values in a set, or `let`, may grow.
    fn look_into(&mut self, around: Element<'_>) {
        let mut counts: FxHashMap<Cow<'_, str>, usize> = FxHashMap::default();
        for name in around.elements().filter_map(first_name) {
            *counts.entry(name).or_default() += 1;
        }
        let grows = self.may_grow(around);
        for binding in around.elements().filter_map(Binding::cast) {
            let again = first_name(binding.0).is_some_and(|name| counts.get(&name).is_some_and(|&count| count > 1));
            if let Some(set) = binding.value().and_then(set_in).filter(|_| grows || again) {
                self.sets.insert(set.number());
            }
        }
    }
}

/// The first name of a binding.
fn first_name<'t>(binding: Element<'t>) -> Option<Cow<'t, str>> {
    static_name(Binding::cast(binding)?.path()?.names().next()?)
}

/// The set that an expression is; parentheses around it change nothing.
fn set_in(mut expr: Element<'_>) -> Option<Element<'_>> {
    while let Some(outer) = Enclosed::cast(expr) {
        expr = outer.inner()?;
    }
    (expr.kind() == Kind::AttrSet).then_some(expr)
}
