//! Bindings that can be said shorter.

use super::edit::{has_comment, put, replace, with_space};
use super::{Finding, Fix, Linter, Rule};
use crate::analysis::names::{is_variable_name, single_name, static_name};
use crate::syntax::Kind;
use crate::syntax::tree::Element;
use crate::syntax::typed::{AttrSet, Binding, Enclosed, Inherit, Let, Select};

pub(super) fn check(linter: &mut Linter<'_>, element: Element<'_>) {
    match element.kind() {
        Kind::Binding => manual_inherit(linter, element),
        Kind::Inherit => empty_inherit(linter, element),
        Kind::Let => empty_let(linter, element),
        Kind::AttrPath => names(linter, element),
        _ => {}
    }
}

/// `a = a;` in a set that is not recursive, and `a = x.a;`.
fn manual_inherit(linter: &mut Linter<'_>, element: Element<'_>) {
    let Some(binding) = Binding::cast(element) else { return };
    let (Some((_, name)), Some(value)) = (single_name(binding), binding.value()) else { return };
    // `__curPos` is no variable: it means the place where it stands.
    if !is_variable_name(&name) || name == "__curPos" {
        return;
    }
    let inherit = match value.kind() {
        Kind::Variable if static_name(value).as_deref() == Some(&*name) && !is_recursive(linter, element) => {
            format!("inherit {name};")
        }
        Kind::Select => match selected(value, &name) {
            Some(subject) => format!("inherit ({}) {name};", String::from_utf8_lossy(subject.text())),
            None => return,
        },
        _ => return,
    };
    let fix = (!has_comment(element, &element.range()))
        .then(|| Fix::safe(format!("Write `{inherit}`"), vec![put(element, &inherit)]));
    let message = format!("`{inherit}` says this shorter");
    linter.report(Finding::new(Rule::ManualInherit, element.range(), message).fix(fix));
}

/// The `x` of `x.name`, if it is a plain name or selection.
fn selected<'t>(value: Element<'t>, name: &str) -> Option<Element<'t>> {
    let select = Select::cast(value)?;
    let (subject, mut names) = (select.subject()?, select.path()?.names());
    let own = names.next().and_then(static_name).as_deref() == Some(name) && names.next().is_none();
    (own && select.default().is_none() && subject.kind() == Kind::Variable).then_some(subject)
}

/// Whether a binding may see those beside it; what is added to a set sees what that sees.
fn is_recursive(linter: &Linter<'_>, binding: Element<'_>) -> bool {
    let Some(around) = binding.parent() else { return true };
    AttrSet::cast(around).is_none_or(AttrSet::is_recursive) || linter.parts.may_grow(around)
}

fn empty_inherit(linter: &mut Linter<'_>, element: Element<'_>) {
    if Inherit::cast(element).is_none_or(|inherit| inherit.names().next().is_some()) {
        return;
    }
    let range = with_space(element);
    let fix = (!has_comment(element, &element.range())).then(|| Fix::safe("Remove it", vec![replace(range, "")]));
    linter.report(Finding::new(Rule::EmptyInherit, element.range(), "this `inherit` names nothing").fix(fix));
}

fn empty_let(linter: &mut Linter<'_>, element: Element<'_>) {
    let Some(body) = Let::cast(element).filter(|found| found.entries().next().is_none()).and_then(Let::body) else {
        return;
    };
    let Some(word) = element.token("in") else { return };
    let range = element.range().start..body.range().start;
    let fix = (!has_comment(element, &range)).then(|| Fix::safe("Remove `let in`", vec![replace(range, "")]));
    let place = element.range().start..word.range().end;
    linter.report(Finding::new(Rule::EmptyLet, place, "this `let` binds nothing").fix(fix));
}

/// Names with quotes or interpolation that they do not need.
fn names(linter: &mut Linter<'_>, path: Element<'_>) {
    for name in path.children() {
        match name.kind() {
            Kind::String => quoted_name(linter, name),
            Kind::Interpolation => literal_interpolation(linter, name),
            _ => {}
        }
    }
}

fn quoted_name(linter: &mut Linter<'_>, name: Element<'_>) {
    let Some(text) = static_name(name).filter(|text| is_variable_name(text)) else { return };
    let fix = Fix::safe(format!("Write `{text}`"), vec![put(name, &text)]);
    let message = format!("the name `{text}` needs no quotes");
    linter.report(Finding::new(Rule::QuotedName, name.range(), message).fix(Some(fix)));
}

fn literal_interpolation(linter: &mut Linter<'_>, name: Element<'_>) {
    let inner = Enclosed::cast(name).and_then(Enclosed::inner).filter(|inner| inner.kind() == Kind::String);
    let Some((inner, text)) = inner.and_then(|inner| Some((inner, static_name(inner)?))) else { return };
    let new =
        if is_variable_name(&text) { text.into_owned() } else { String::from_utf8_lossy(inner.text()).into_owned() };
    let fix = (!has_comment(name, &name.range())).then(|| Fix::safe(format!("Write `{new}`"), vec![put(name, &new)]));
    let message = format!("`{new}` needs no interpolation");
    linter.report(Finding::new(Rule::LiteralInterpolation, name.range(), message).fix(fix));
}
