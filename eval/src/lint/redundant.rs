//! What can be left out.

use super::edit::{has_comment, is_before_or, replace};
use super::{Edit, Finding, Fix, Linter, Rule};
use crate::analysis::{ScopeKind, Target};
use crate::symbol::is_operator;
use crate::syntax::Kind;
use crate::syntax::tree::Element;
use crate::syntax::typed::{Binary, Call, Enclosed, If, Select, With};

pub(super) fn check(linter: &mut Linter<'_>, element: Element<'_>) {
    match element.kind() {
        Kind::Root => scopes(linter),
        Kind::Paren => parentheses(linter, element),
        Kind::If => boolean_if(linter, element),
        Kind::Binary => boolean_comparison(linter, element),
        Kind::Call => string_of_string(linter, element),
        _ => {}
    }
}

/// `rec` and `with` whose names nobody uses.
fn scopes(linter: &mut Linter<'_>) {
    let resolution = linter.resolution;
    let mut used = vec![false; resolution.scopes().len()];
    for found in resolution.uses() {
        match found.target {
            Target::Definition(definition) => used[resolution.definitions()[definition].scope] = true,
            // It may be in any of those around it.
            Target::With(scope) => mark_withs(linter, scope, &mut used),
            _ => {}
        }
    }
    for (number, scope) in resolution.scopes().iter().enumerate().filter(|(number, _)| !used[*number]) {
        let element = linter.element(scope.element);
        match scope.kind {
            ScopeKind::Recursive if element.kind() == Kind::AttrSet => unused_rec(linter, element, number),
            ScopeKind::With => unused_with(linter, element),
            _ => {}
        }
    }
}

fn mark_withs(linter: &Linter<'_>, scope: usize, used: &mut [bool]) {
    let scopes = linter.resolution.scopes();
    let mut at = Some(scope);
    // Where one is marked, those around it are, too.
    while let Some(with) = at.filter(|&with| !used[with]) {
        used[with] = true;
        at = scopes[with].parent.and_then(|parent| scopes[parent].with);
    }
}

fn unused_rec(linter: &mut Linter<'_>, element: Element<'_>, scope: usize) {
    let resolution = linter.resolution;
    let names =
        resolution.scopes()[scope].definitions.iter().map(|&number| resolution.definitions()[number].name.as_str());
    // `__overrides` has a meaning in recursive sets only; operators use names that are not written.
    if names.into_iter().any(|name| name == "__overrides" || is_operator(name)) || linter.parts.may_grow(element) {
        return;
    }
    let Some(word) = element.token("rec") else { return };
    let space = word.next().filter(|next| next.kind() == Kind::Whitespace);
    let range = word.range().start..space.map_or(word.range().end, |space| space.range().end);
    linter.report(
        Finding::new(Rule::UnusedRec, word.range(), "this `rec` has no effect: no attribute refers to another one")
            .fix(Some(Fix::safe("Remove `rec`", vec![replace(range, "")]))),
    );
}

fn unused_with(linter: &mut Linter<'_>, element: Element<'_>) {
    let Some(with) = With::cast(element) else { return };
    let (Some(scope), Some(body)) = (with.scope(), with.body()) else { return };
    let range = element.range().start..body.range().start;
    let fix = (!has_comment(element, &range)).then(|| Fix::safe("Remove the `with`", vec![replace(range, "")]));
    linter.report(
        Finding::new(
            Rule::UnusedWith,
            element.range().start..scope.range().end,
            "this `with` has no effect: all names behind it are defined otherwise",
        )
        .fix(fix),
    );
}

fn parentheses(linter: &mut Linter<'_>, element: Element<'_>) {
    let (Some(inner), Some(around)) = (Enclosed::cast(element).and_then(Enclosed::inner), element.parent()) else {
        return;
    };
    let certain = is_atom(inner) && !is_before_or(element);
    if !certain && !takes_any(around, element) {
        return;
    }
    let (Some(open), Some(close)) = (element.token("("), element.token(")")) else { return };
    let edits = vec![without(open, element, true), without(close, element, false)];
    let fix = Fix::safe("Remove the parentheses", edits);
    linter.report(
        Finding::new(Rule::RedundantParentheses, element.range(), "these parentheses are not needed").fix(Some(fix)),
    );
}

/// Whether an expression means the same in every place.
fn is_atom(inner: Element<'_>) -> bool {
    let kinds = [Kind::Variable, Kind::String, Kind::IndentedString, Kind::List, Kind::AttrSet, Kind::Paren];
    kinds.contains(&inner.kind()) && !inner.is("or") && inner.text() != b"or"
}

/// Whether every expression may stand in the place of an element without parentheses.
fn takes_any(around: Element<'_>, element: Element<'_>) -> bool {
    match around.kind() {
        Kind::Root | Kind::Paren | Kind::Interpolation | Kind::Binding | Kind::Lambda | Kind::Let | Kind::With => true,
        Kind::If | Kind::Assert | Kind::Formal => true,
        Kind::InheritFrom => around.expressions().next() == Some(element),
        _ => false,
    }
}

/// Removes a parenthesis; where that would join two tokens, a blank takes its place.
fn without(parenthesis: Element<'_>, both: Element<'_>, opening: bool) -> Edit {
    let text = both.tree().text();
    let beside = if opening {
        parenthesis.range().start.checked_sub(1).and_then(|before| text.get(before))
    } else {
        text.get(parenthesis.range().end)
    };
    let separate = match beside {
        None => true,
        Some(byte) if byte.is_ascii_whitespace() => true,
        Some(b'(' | b'[' | b'{' | b'!') => opening,
        Some(b')' | b']' | b'}' | b';' | b',') => !opening,
        // Other dots begin a path.
        Some(b'.') => !opening && both.parent().and_then(Select::cast).and_then(Select::subject) == Some(both),
        _ => false,
    };
    // What is inside may begin or end with a space already, which then is enough.
    replace(parenthesis.range(), if separate { "" } else { " " })
}

fn boolean_if(linter: &mut Linter<'_>, element: Element<'_>) {
    let Some(found) = If::cast(element) else { return };
    let (Some(condition), Some(yes), Some(no)) = (found.condition(), found.then_branch(), found.else_branch()) else {
        return;
    };
    let is = |element: Element<'_>, name: &str| element.text() == name.as_bytes() && linter.is_builtin(element, name);
    let (before, after, safe) = if is(yes, "true") && is(no, "false") {
        ("", "", is_boolean(linter, condition))
    } else if is(yes, "false") && is(no, "true") {
        let simple = matches!(condition.kind(), Kind::Variable | Kind::Paren | Kind::Select | Kind::Call);
        (if simple { "!" } else { "!(" }, if simple { "" } else { ")" }, true)
    } else {
        return;
    };
    let (whole, kept) = (element.range(), condition.range());
    let (left, right) = (whole.start..kept.start, kept.end..whole.end);
    let comments = has_comment(element, &left) || has_comment(element, &right);
    let edits = vec![replace(left, before), replace(right, after)];
    let title = "Use the condition itself";
    let fix = if safe { Fix::safe(title, edits) } else { Fix::chosen(title, edits) };
    let message = "this `if` gives its own condition";
    linter.report(Finding::new(Rule::BooleanIf, element.range(), message).fix((!comments).then_some(fix)));
}

/// Whether an expression gives a boolean, if it gives anything.
fn is_boolean(linter: &Linter<'_>, element: Element<'_>) -> bool {
    match element.kind() {
        Kind::HasAttr => true,
        Kind::Unary => element.token("!").is_some(),
        Kind::Variable => linter.is_builtin(element, "true") || linter.is_builtin(element, "false"),
        Kind::Paren => element.expressions().next().is_some_and(|inner| is_boolean(linter, inner)),
        Kind::Binary => {
            let operator = Binary::cast(element).and_then(Binary::operator).map(Element::text).unwrap_or_default();
            match operator {
                b"==" | b"!=" | b"&&" | b"||" | b"->" => true,
                b"<" | b"<=" | b">" | b">=" => compares(linter, element),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether `<` means here what it means everywhere.
fn compares(linter: &Linter<'_>, element: Element<'_>) -> bool {
    let resolution = linter.resolution;
    resolution.resolve("__lessThan", resolution.scope_of(element)) == Target::Builtin("__lessThan")
}

fn boolean_comparison(linter: &mut Linter<'_>, element: Element<'_>) {
    let Some(binary) = Binary::cast(element) else { return };
    let (Some(left), Some(operator), Some(right)) = (binary.left(), binary.operator(), binary.right()) else { return };
    let literal = |side: Element<'_>| {
        side.kind() == Kind::Variable && (linter.is_builtin(side, "true") || linter.is_builtin(side, "false"))
    };
    let (constant, other) = if literal(right) {
        (right, left)
    } else if literal(left) {
        (left, right)
    } else {
        return;
    };
    let same = match operator.text() {
        b"==" => constant.text() == b"true",
        b"!=" => constant.text() == b"false",
        _ => return,
    };
    let shown = String::from_utf8_lossy(other.text());
    let short = shown.len() < 30 && !shown.contains('\n');
    let shown = if short { shown.as_ref() } else { "…" };
    let hint = if same {
        format!("if it is a boolean, `{shown}` says the same")
    } else {
        format!("if it is a boolean, `!{shown}` says the same")
    };
    let message = "a comparison with a constant boolean";
    linter.report(Finding::new(Rule::BooleanComparison, element.range(), message).hint(hint));
}

fn string_of_string(linter: &mut Linter<'_>, element: Element<'_>) {
    let Some(call) = Call::cast(element) else { return };
    let mut arguments = call.arguments();
    let (Some(function), Some(argument), None) = (call.function(), arguments.next(), arguments.next()) else { return };
    let is_string = matches!(argument.kind(), Kind::String | Kind::IndentedString);
    if !is_string || function.text() != b"toString" || !linter.is_builtin(function, "toString") {
        return;
    }
    let range = element.range().start..argument.range().start;
    let fix = (!has_comment(element, &range)).then(|| Fix::safe("Remove `toString`", vec![replace(range, "")]));
    let message = "`toString` of a string gives that string";
    linter.report(Finding::new(Rule::StringOfString, function.range(), message).fix(fix));
}
