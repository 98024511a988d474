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
    index: FxHashMap<Symbol, usize>,
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
                self.add(symbols, Binding { name, span, place, value: Bound::Expr(value) })?
            }
        }
        Ok(())
    }

    /// Adds `inherit name;` or, with the number of a source, `inherit (source) name;`.
    pub(super) fn inherit(&mut self, symbols: &Symbols, name: Symbol, span: Span, source: Option<usize>) -> Result<()> {
        let value = source.map_or(Bound::Inherited, Bound::InheritedFrom);
        self.add(symbols, Binding { name, span, place: span.start, value })
    }

    /// Adds the `e` of `inherit (e) …` and gives its number.
    pub(super) fn source(&mut self, source: Expr) -> usize {
        self.set.sources.push(source);
        self.set.sources.len() - 1
    }

    fn add(&mut self, symbols: &Symbols, binding: Binding) -> Result<()> {
        match self.index.get(&binding.name) {
            Some(&index) => join(symbols, &mut self.set.bindings[index], binding),
            None => {
                self.index.insert(binding.name, self.set.bindings.len());
                self.set.bindings.push(binding);
                Ok(())
            }
        }
    }
}

/// Joins a second definition of a name to the first, which is allowed only if both are sets.
fn join(symbols: &Symbols, first: &mut Binding, second: Binding) -> Result<()> {
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
    merge(symbols, target, *more)
}

fn merge(symbols: &Symbols, target: &mut AttrSet, more: AttrSet) -> Result<()> {
    let offset = target.sources.len();
    let index = target.bindings.iter().enumerate().map(|(index, binding)| (binding.name, index)).collect();
    let mut builder = AttrSetBuilder { set: std::mem::take(target), index };
    builder.set.sources.extend(more.sources);
    builder.set.dynamic.extend(more.dynamic);
    for mut binding in more.bindings {
        if let Bound::InheritedFrom(source) = &mut binding.value {
            *source += offset;
        }
        builder.add(symbols, binding)?;
    }
    *target = builder.finish();
    Ok(())
}

pub(super) fn name_span(name: &AttrName) -> Span {
    match name {
        AttrName::Static(_, span) => *span,
        AttrName::Dynamic(expr) => expr.span,
    }
}
