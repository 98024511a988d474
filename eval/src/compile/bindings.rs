//! Compiles `let`, attribute sets and what they inherit.

use super::{Scope, Unit};
use crate::code::{self, AttrsCode, Bindings, DynamicAttr, Expr, Item, Name};
use crate::source::{Pos, Span};
use crate::symbol::{Symbol, names};
use crate::syntax::ast::{self, AttrSet, Bound};

impl Unit<'_> {
    pub(super) fn let_in(&mut self, set: &AttrSet, body: &ast::Expr, scope: &Scope<'_>) -> Expr {
        if let Some((name, _)) = set.dynamic.first() {
            self.errors.push(*crate::diagnostic::Diagnostic::new(
                crate::diagnostic::Code::Syntax,
                name.span,
                "names in `let` cannot be computed",
            ));
        }
        let inner = recursive_scope(set, scope);
        let bindings = self.bindings(set, &inner, scope, &inner);
        let body = self.expr(body, &inner, None);
        Expr::Let(self.keep(code::Let { bindings, body }))
    }

    pub(super) fn attrs(&mut self, set: &AttrSet, scope: &Scope<'_>) -> Expr {
        let inner = if set.recursive { recursive_scope(set, scope) } else { Scope::of_names(Some(scope), Vec::new()) };
        // Without sources, a set that is not recursive has no level of its own.
        let level = if set.recursive || !set.sources.is_empty() { &inner } else { scope };
        let bindings = self.bindings(set, level, scope, if set.recursive { level } else { scope });
        let dynamic = set.dynamic.iter().map(|(name, value)| DynamicAttr {
            span: name.span,
            pos: self.dynamic_place(name.span),
            name: self.expr(name, level, None),
            value: self.expr(value, level, None),
        });
        let dynamic = dynamic.collect();
        let dynamic = self.keep_all(dynamic);
        let overrides = bindings.items.iter().position(|item| item.name == names::OVERRIDES);
        let overrides = overrides.filter(|_| set.recursive).map(|index| (set.sources.len() + index) as u32);
        Expr::Attrs(self.keep(AttrsCode { recursive: set.recursive, bindings, dynamic, overrides }))
    }

    /// Where the name of an attribute starts that is computed.
    fn dynamic_place(&self, span: Span) -> Pos {
        let source = self.compiler.source;
        let before = source.text[..source.offset(span.start)].trim_ascii_end();
        if !before.ends_with(b"${") {
            return span.start;
        }
        let start = before.len() - 2;
        source.span(start, start).start
    }

    /// Compiles bindings in their own scope. `outer` is the one around it, from which `inherit x;` takes; the `e` of
    /// `inherit (e) x;` sees `source_scope`, which is the bindings' own only if they see each other.
    fn bindings(&mut self, set: &AttrSet, scope: &Scope<'_>, outer: &Scope<'_>, source_scope: &Scope<'_>) -> Bindings {
        let sources = self.all(&set.sources, source_scope);
        let mut sorted: Vec<_> = set.bindings.iter().collect();
        sorted.sort_unstable_by_key(|binding| binding.name);
        let items = sorted.into_iter().map(|binding| {
            let (value, from_outer) = match &binding.value {
                Bound::Expr(expr) => (self.bound(expr, scope, binding.name), false),
                Bound::Inherited => (self.variable(binding.name, binding.span, outer), true),
                Bound::InheritedFrom(source) => (self.select_source(*source, binding.name, binding.span), false),
            };
            Item { name: binding.name, pos: binding.place, value, outer: from_outer }
        });
        let items = items.collect();
        Bindings { sources, items: self.keep_all(items) }
    }

    fn bound(&mut self, expr: &ast::Expr, scope: &Scope<'_>, name: Symbol) -> Expr {
        let (depth, slot) = match self.expr(expr, scope, Some(name)) {
            Expr::Local(slot) => (0, slot),
            Expr::Variable { depth, slot } => (depth, slot),
            other => return other,
        };
        Expr::Reference(self.keep(code::Reference { depth, slot, span: expr.span }))
    }

    fn select_source(&mut self, source: usize, name: Symbol, span: Span) -> Expr {
        let path = self.keep_all(vec![(Name::Static(name), span)]);
        let subject = Expr::Local(source as u32);
        Expr::Select(self.keep(code::Select { subject, path, default: None, simple: true, span }))
    }
}

/// The scope of bindings that see each other: sources have the first slots, names the next, in order of symbols.
fn recursive_scope<'a>(set: &AttrSet, up: &'a Scope<'a>) -> Scope<'a> {
    let mut names: Vec<_> = set.bindings.iter().map(|binding| binding.name).collect();
    names.sort_unstable();
    Scope::of_names(Some(up), names.into_iter().zip(set.sources.len() as u32..).collect())
}
