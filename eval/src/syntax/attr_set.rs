//! Builds attribute sets from bindings: `a.b = 1; a.c = 2;` is one nested set, and a name is defined once.

use super::ast::{AttrName, AttrSet, Binding, Bound, Expr, ExprKind};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::source::Span;
use crate::symbol::{Symbol, Symbols};
use rustc_hash::FxHashMap;

/// An attribute set being read, with an index of its names.
#[derive(Debug, Default)]
pub(super) struct AttrSetBuilder {
    set: AttrSet,
    index: Index,
}

/// Where the names of a set stand among its bindings.
#[derive(Debug, Default)]
struct Index(FxHashMap<Symbol, Indexed>);

#[derive(Debug)]
struct Indexed {
    place: usize,
    /// The names of the set that is its value, once something was added to that: they are not looked through each time.
    inner: Option<Index>,
}

impl Index {
    fn of(set: &AttrSet) -> Self {
        let mut index = Self::default();
        for (place, binding) in set.bindings.iter().enumerate() {
            index.0.insert(binding.name, Indexed { place, inner: None });
        }
        index
    }
}

impl AttrSetBuilder {
    /// The finished set.
    pub(super) fn finish(self) -> AttrSet {
        self.set
    }

    /// Adds `path = value;`.
    pub(super) fn bind(&mut self, symbols: &Symbols, mut path: Vec<AttrName>, value: Expr) -> Result<()> {
        let first = path.remove(0);
        let place = name_span(&first).start;
        let value = path.into_iter().rev().fold(value, |value, name| {
            let span = name_span(&name).to(value.span);
            let mut set = AttrSet::default();
            match name {
                AttrName::Static(name, span) => {
                    set.bindings.push(Binding { name, span, place, value: Bound::Expr(value) })
                }
                AttrName::Dynamic(name) => set.dynamic.push((name, value)),
            }
            Expr { kind: ExprKind::Attrs(Box::new(set)), span }
        });
        match first {
            AttrName::Dynamic(name) => self.set.dynamic.push((name, value)),
            AttrName::Static(name, span) => {
                let binding = Binding { name, span, place, value: Bound::Expr(value) };
                add(symbols, &mut self.set, &mut self.index, binding)?;
            }
        }
        Ok(())
    }

    /// Adds `inherit name;` or, with the number of a source, `inherit (source) name;`.
    pub(super) fn inherit(&mut self, symbols: &Symbols, name: Symbol, span: Span, source: Option<usize>) -> Result<()> {
        let value = source.map_or(Bound::Inherited, Bound::InheritedFrom);
        add(symbols, &mut self.set, &mut self.index, Binding { name, span, place: span.start, value })
    }

    /// Adds the `e` of `inherit (e) …` and gives its number.
    pub(super) fn source(&mut self, source: Expr) -> usize {
        self.set.sources.push(source);
        self.set.sources.len() - 1
    }
}

fn add(symbols: &Symbols, set: &mut AttrSet, index: &mut Index, binding: Binding) -> Result<()> {
    match index.0.get_mut(&binding.name) {
        Some(known) => join(symbols, &mut set.bindings[known.place], &mut known.inner, binding),
        None => {
            index.0.insert(binding.name, Indexed { place: set.bindings.len(), inner: None });
            set.bindings.push(binding);
            Ok(())
        }
    }
}

/// Joins a second definition of a name to the first, which is allowed only if both are sets.
fn join(symbols: &Symbols, first: &mut Binding, index: &mut Option<Index>, second: Binding) -> Result<()> {
    let duplicate = |first: &Binding, second: &Binding| {
        let message = format!("attribute `{}` is defined twice", symbols.display(second.name));
        Diagnostic::new(Code::DuplicateName, second.span, message)
            .label("defined again here")
            .also(first.span, "first defined here")
    };
    let both_sets = matches!(
        (&first.value, &second.value),
        (Bound::Expr(Expr { kind: ExprKind::Attrs(_), .. }), Bound::Expr(Expr { kind: ExprKind::Attrs(_), .. }))
    );
    if !both_sets {
        return Err(duplicate(first, &second));
    }
    let Bound::Expr(Expr { kind: ExprKind::Attrs(target), .. }) = &mut first.value else {
        return Err(duplicate(first, &second));
    };
    let Bound::Expr(Expr { kind: ExprKind::Attrs(more), .. }) = second.value else { return Ok(()) };
    let index = index.get_or_insert_with(|| Index::of(target));
    merge(symbols, target, index, *more)
}

fn merge(symbols: &Symbols, target: &mut AttrSet, index: &mut Index, more: AttrSet) -> Result<()> {
    let offset = target.sources.len();
    target.sources.extend(more.sources);
    target.dynamic.extend(more.dynamic);
    for mut binding in more.bindings {
        if let Bound::InheritedFrom(source) = &mut binding.value {
            *source += offset;
        }
        add(symbols, target, index, binding)?;
    }
    Ok(())
}

pub(super) fn name_span(name: &AttrName) -> Span {
    match name {
        AttrName::Static(_, span) => *span,
        AttrName::Dynamic(expr) => expr.span,
    }
}
