//! Finding expressions in a syntax tree by their place: for errors, which look at the tree again instead of having all
//! code carry what only they need.

use crate::diagnostic::CallPart;
use crate::source::Span;
use crate::symbol::Symbol;
use crate::syntax::ast::{AttrName, AttrSet, Bound, Expr, ExprKind, Operator, Part, Pattern};

/// The place of a part of the call at a place.
pub(crate) fn call_part(tree: &Expr, call: Span, part: CallPart) -> Option<Span> {
    find(tree, call, &mut |expr| {
        let (function, arguments) = parts(expr)?;
        Some(match part {
            CallPart::Function => function.span,
            CallPart::Argument(index) => arguments.get(index)?.span,
            CallPart::Element(index, element) => match &arguments.get(index)?.kind {
                ExprKind::List(items) => items.get(element)?.span,
                _ => arguments[index].span,
            },
            CallPart::With(_) => return None,
        })
    })
}

/// The place of the set of a `with` around a place, counted from the innermost.
pub(crate) fn with_around(tree: &Expr, place: Span, index: usize) -> Option<Span> {
    let contains = |expr: &&Expr| expr.span.start <= place.start && place.end <= expr.span.end;
    let mut around = Vec::new();
    let mut next = Some(tree);
    while let Some(expr) = next {
        if let ExprKind::With(parts) = &expr.kind
            && contains(&&parts[1])
        {
            around.push(parts[0].span);
        }
        let mut children = Vec::new();
        push_children(expr, &mut children);
        next = children.into_iter().find(contains);
    }
    around.into_iter().rev().nth(index)
}

/// The name of the innermost binding around a place.
pub(crate) fn binding_around(tree: &Expr, place: Span) -> Option<Symbol> {
    let contains = |expr: &&Expr| expr.span.start <= place.start && place.end <= expr.span.end;
    let mut name = None;
    let mut next = Some(tree);
    while let Some(expr) = next {
        let bindings = match &expr.kind {
            ExprKind::Attrs(set) | ExprKind::Let(set, _) => set.bindings.as_slice(),
            _ => &[],
        };
        let bound = bindings.iter().find_map(|binding| match &binding.value {
            Bound::Expr(value) => contains(&value).then_some((binding.name, value)),
            Bound::Inherited | Bound::InheritedFrom(_) => None,
        });
        if let Some((found, value)) = bound {
            (name, next) = (Some(found), Some(value));
            continue;
        }
        let mut children = Vec::new();
        push_children(expr, &mut children);
        next = children.into_iter().find(contains);
    }
    name
}

/// Function and arguments of a call.
fn parts(expr: &Expr) -> Option<(&Expr, &[Expr])> {
    match &expr.kind {
        ExprKind::Call(function, arguments) => Some((function, arguments)),
        ExprKind::Binary(Operator::PipeInto, operands) => Some((&operands[1], &operands[..1])),
        ExprKind::Binary(Operator::PipeFrom, operands) => Some((&operands[0], &operands[1..])),
        _ => None,
    }
}

/// The first answer for an expression at exactly this place, outer ones first.
fn find<T>(expr: &Expr, span: Span, answer: &mut impl FnMut(&Expr) -> Option<T>) -> Option<T> {
    // Without recursion: a text may nest more deeply than the stack.
    let mut rest = vec![expr];
    while let Some(expr) = rest.pop() {
        if expr.span == span
            && let Some(found) = answer(expr)
        {
            return Some(found);
        }
        let before = rest.len();
        push_children(expr, &mut rest);
        rest[before..].reverse();
    }
    None
}

/// Adds the expressions directly inside an expression, in the order of the text.
fn push_children<'a>(expr: &'a Expr, out: &mut Vec<&'a Expr>) {
    match &expr.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::SearchPath(_)
        | ExprKind::Variable(_)
        | ExprKind::CurrentPosition => {}
        ExprKind::String(parts) | ExprKind::Path(parts) => {
            out.extend(parts.iter().filter_map(|part| match part {
                Part::Expr(expr) => Some(expr),
                Part::Text(_) => None,
            }));
        }
        ExprKind::Select(subject, path, default) => {
            out.push(subject);
            push_names(path, out);
            out.extend(default.as_deref());
        }
        ExprKind::HasAttr(subject, path) => {
            out.push(subject);
            push_names(path, out);
        }
        ExprKind::Lambda(lambda) => {
            if let Pattern::Set { formals, .. } = &lambda.pattern {
                out.extend(formals.iter().filter_map(|formal| formal.default.as_ref()));
            }
            out.push(&lambda.body);
        }
        ExprKind::Call(function, arguments) => {
            out.push(function);
            out.extend(arguments);
        }
        ExprKind::If(parts) => out.extend(parts.iter()),
        ExprKind::Assert(parts) | ExprKind::With(parts) | ExprKind::Binary(_, parts) => out.extend(parts.iter()),
        ExprKind::Let(set, body) => {
            push_set(set, out);
            out.push(body);
        }
        ExprKind::List(items) => out.extend(items),
        ExprKind::Attrs(set) => push_set(set, out),
        ExprKind::Not(operand) | ExprKind::Negate(operand) => out.push(operand),
    }
}

fn push_names<'a>(path: &'a [AttrName], out: &mut Vec<&'a Expr>) {
    out.extend(path.iter().filter_map(|name| match name {
        AttrName::Dynamic(expr) => Some(expr),
        AttrName::Static(..) => None,
    }));
}

fn push_set<'a>(set: &'a AttrSet, out: &mut Vec<&'a Expr>) {
    out.extend(&set.sources);
    for binding in &set.bindings {
        if let Bound::Expr(expr) = &binding.value {
            out.push(expr);
        }
    }
    for (name, value) in &set.dynamic {
        out.extend([name, value]);
    }
}
