//! Sets that are written in parts: in `a = rec { b = 1; }; a.c = b;` the second `b` is that of the set.

use crate::analysis::names::static_name;
use crate::syntax::Kind;
use crate::syntax::tree::{Element, Tree};
use crate::syntax::typed::{Binding, Enclosed};
use rustc_hash::FxHashSet;
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
        let mut bindings: Vec<_> = around.elements().filter_map(Binding::cast).collect();
        if !self.may_grow(around) {
            bindings = meeting(bindings);
        }
        self.sets.extend(bindings.into_iter().filter_map(|binding| Some(set_in(binding.value()?)?.number())));
    }
}

/// The bindings whose paths begin with that of another one, or the other way round: `a`, `a.b`.
fn meeting(bindings: Vec<Binding<'_>>) -> Vec<Binding<'_>> {
    let mut paths: Vec<_> = bindings.into_iter().map(|binding| (static_path(binding), binding)).collect();
    // A name that is computed meets none.
    paths.retain(|(path, _)| !path.is_empty());
    // What begins with a path follows it.
    paths.sort_by(|(path, _), (other, _)| path.cmp(other));
    let (mut found, mut rest) = (Vec::new(), paths.as_slice());
    while let Some((shortest, _)) = rest.first() {
        let count = rest.iter().take_while(|(path, _)| path.starts_with(shortest)).count();
        let (group, behind) = rest.split_at(count);
        found.extend(group.iter().filter(|_| count > 1).map(|(_, binding)| *binding));
        rest = behind;
    }
    found
}

/// The names of a binding's path, up to the first that is computed.
fn static_path<'t>(binding: Binding<'t>) -> Vec<Cow<'t, str>> {
    binding.path().into_iter().flat_map(|path| path.names()).map_while(static_name).collect()
}

/// The set that an expression is; parentheses around it change nothing.
fn set_in(mut expr: Element<'_>) -> Option<Element<'_>> {
    while let Some(outer) = Enclosed::cast(expr) {
        expr = outer.inner()?;
    }
    (expr.kind() == Kind::AttrSet).then_some(expr)
}
