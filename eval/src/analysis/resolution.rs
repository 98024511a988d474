//! Names and what they mean.
//!
//! Every place that binds names is a [`Scope`]; scopes are numbered from outer to inner, so that those within a scope
//! have the numbers that follow its own. A use means the innermost definition around it; else a builtin; else what a
//! `with` around it may have; else nothing.

use super::collect::Collector;
use crate::syntax::tree::{Element, Tree};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// What a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefinitionKind {
    /// `let x = …`, also in the old `let { … }`.
    Let,
    /// `rec { x = …; }`
    Attribute,
    /// `x: …`
    Argument,
    /// `{ x }: …`
    Formal,
    /// `{ … } @ x: …`
    Whole,
}

/// A name that is given a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: DefinitionKind,
    /// Where the name stands; several times for `a.b = 1; a.c = 2;`. Never empty.
    pub places: Vec<Range<usize>>,
    /// The number of the element that defines it: the (first) binding, `inherit`, formal, pattern or function.
    pub element: usize,
    /// Whether it is a name of an `inherit`.
    pub inherited: bool,
    /// The scope it belongs to.
    pub scope: usize,
}

/// What a scope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    /// The whole text.
    File,
    /// `let … in …`
    Let,
    /// `rec { … }` or `let { … }`
    Recursive,
    /// A function.
    Function,
    /// What stands behind `with …;`.
    With,
}

/// A part of the text in which names are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// What it is.
    pub kind: ScopeKind,
    /// The number of the element that opens it.
    pub element: usize,
    /// The scope around it.
    pub parent: Option<usize>,
    /// The number behind the last scope within it.
    pub end: usize,
    /// Its definitions.
    pub definitions: Vec<usize>,
    /// The innermost scope of a `with` that it is in or is.
    pub with: Option<usize>,
}

/// What a use means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A definition of the text, by number.
    Definition(usize),
    /// A builtin, by its name in `builtins`.
    Builtin(&'static str),
    /// What some `with` has; the scope of the innermost one around it.
    With(usize),
    /// Nothing.
    Undefined,
}

/// A name that stands for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub range: Range<usize>,
    /// The number of its element: a variable, or a name of an `inherit`.
    pub element: usize,
    /// Whether it is a name of an `inherit`.
    pub inherited: bool,
    /// The innermost scope in which it is looked up.
    pub scope: usize,
    /// What it means.
    pub target: Target,
}

/// All names of a text with their meanings.
#[derive(Debug)]
pub struct Resolution {
    scopes: Vec<Scope>,
    definitions: Vec<Definition>,
    /// In the order of the text.
    uses: Vec<Use>,
    /// The scope of every element.
    scope_of: Vec<u32>,
    /// The definitions of every name, by scope.
    by_name: FxHashMap<String, Vec<usize>>,
    /// For every definition, the innermost one of the same name around it.
    around: Vec<Option<usize>>,
}

impl Resolution {
    /// Finds out what the names of a text mean.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        let Collector { scopes, definitions, uses, scope_of, .. } = Collector::collect(tree);
        let (by_name, around) = (FxHashMap::default(), Vec::new());
        let mut resolution = Self { scopes, definitions, uses: Vec::new(), scope_of, by_name, around };
        for (number, definition) in resolution.definitions.iter().enumerate() {
            let known = resolution.by_name.entry(definition.name.clone()).or_default();
            let before = known.last().copied();
            known.push(number);
            resolution.around.push(resolution.innermost(before, definition.scope));
        }
        resolution.uses = uses
            .into_iter()
            .map(|found| Use { target: resolution.resolve(&found.name, found.scope), ..found })
            .collect();
        resolution
    }

    /// What a name means in a scope.
    #[must_use]
    pub fn resolve(&self, name: &str, scope: usize) -> Target {
        if let Some(definition) = self.find(name, scope) {
            return Target::Definition(definition);
        }
        if let Some(builtin) = crate::builtins::global(name) {
            return Target::Builtin(builtin);
        }
        if name == "__curPos" {
            return Target::Builtin("__curPos");
        }
        self.scopes[scope].with.map_or(Target::Undefined, Target::With)
    }

    /// The innermost definition of a name that is known in a scope.
    fn find(&self, name: &str, scope: usize) -> Option<usize> {
        let known = self.by_name.get(name)?;
        // Scopes around this one have lower numbers, inner ones higher than outer ones.
        let before = known.partition_point(|&definition| self.definitions[definition].scope <= scope);
        self.innermost(known[..before].last().copied(), scope)
    }

    /// The innermost definition around a scope, of a name whose last definition before it is known: what contains the
    /// scope contains that, too, or is it.
    fn innermost(&self, last: Option<usize>, scope: usize) -> Option<usize> {
        let mut outwards = std::iter::successors(last, |&definition| self.around[definition]);
        outwards.find(|&definition| self.contains(self.definitions[definition].scope, scope))
    }

    /// Whether a scope is, or lies within, another one.
    #[must_use]
    pub fn contains(&self, outer: usize, inner: usize) -> bool {
        outer <= inner && inner < self.scopes[outer].end
    }

    /// All scopes, by number.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// All definitions, by number.
    #[must_use]
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// All uses, in the order of the text.
    #[must_use]
    pub fn uses(&self) -> &[Use] {
        &self.uses
    }

    /// The uses of a definition, in the order of the text.
    pub fn uses_of(&self, definition: usize) -> impl Iterator<Item = &Use> {
        self.uses.iter().filter(move |found| found.target == Target::Definition(definition))
    }

    /// The use that stands at an offset, or ends there.
    #[must_use]
    pub fn use_at(&self, offset: usize) -> Option<&Use> {
        let behind = self.uses.partition_point(|found| found.range.start <= offset);
        self.uses[..behind].iter().rev().take(2).find(|found| offset <= found.range.end)
    }

    /// The definition one of whose names stands at an offset, or ends there.
    #[must_use]
    pub fn definition_at(&self, offset: usize) -> Option<usize> {
        let there = |range: &Range<usize>| range.start <= offset && offset <= range.end;
        self.definitions.iter().position(|definition| definition.places.iter().any(there))
    }

    /// The scope that an element is in.
    #[must_use]
    pub fn scope_of(&self, element: Element<'_>) -> usize {
        self.scope_of[element.number()] as usize
    }

    /// The definitions that are known in a scope, inner ones first, without those that are hidden.
    #[must_use]
    pub fn visible(&self, scope: usize) -> Vec<usize> {
        let around = std::iter::successors(Some(scope), |&scope| self.scopes[scope].parent);
        let mut seen = rustc_hash::FxHashSet::default();
        let known = around.flat_map(|scope| self.scopes[scope].definitions.iter().copied());
        known.filter(|&definition| seen.insert(self.definitions[definition].name.as_str())).collect()
    }
}
