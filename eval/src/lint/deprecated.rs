//! Forms and functions that have better successors.

use super::edit::{gap_behind, is_before_or, replace};
use super::{Finding, Fix, Linter, Rule};
use crate::syntax::Kind;
use crate::syntax::tree::Element;
use crate::syntax::typed::{AttrPath, Let, Select, With};

pub(super) fn check(linter: &mut Linter<'_>, element: Element<'_>) {
    match element.kind() {
        Kind::Uri => url(linter, element),
        Kind::LetBody => let_body(linter, element),
        Kind::Variable => builtin_variable(linter, element),
        Kind::Select => builtin_selection(linter, element),
        Kind::Root => whole_file_with(linter, element),
        _ => {}
    }
}

fn url(linter: &mut Linter<'_>, element: Element<'_>) {
    let quoted = format!("\"{}\"", String::from_utf8_lossy(element.text()));
    linter.report(
        Finding::new(Rule::UrlLiteral, element.range(), "URLs without quotes are deprecated")
            .label("put it in quotes")
            .fix(Some(Fix::safe("Put the URL in quotes", vec![replace(element.range(), quoted)]))),
    );
}

fn let_body(linter: &mut Linter<'_>, element: Element<'_>) {
    let Some(word) = element.token("let") else { return };
    let end = element.range().end;
    let edits = vec![replace(word.range(), "(rec"), replace(end..end, format!(").body{}", gap_behind(element)))];
    linter.report(
        Finding::new(Rule::LetBody, word.range(), "the form `let { body = …; }` is deprecated")
            .label("write `let … in …`")
            .fix((!is_before_or(element)).then(|| Fix::safe("Write `(rec { … }).body`", edits))),
    );
}

fn builtin_variable(linter: &mut Linter<'_>, element: Element<'_>) {
    let text = String::from_utf8_lossy(element.text()).into_owned();
    if text == "isNull" && linter.is_builtin(element, "isNull") {
        return is_null(linter, element);
    }
    let Some(name) = text.strip_prefix("__").filter(|_| linter.is_builtin(element, &text)) else { return };
    let scope = linter.resolution.scope_of(element);
    let free = linter.resolution.resolve("builtins", scope) == crate::analysis::Target::Builtin("builtins");
    // A constant such as `__nixPath` may be what a `<x>` looks for; such names stay.
    // Behind a selection `or` begins a default; behind a variable it is an argument.
    let fix = (free && !is_before_or(element)).then(|| {
        let new = if name == "builtins" { "builtins".to_owned() } else { format!("builtins.{name}") };
        Fix::safe(format!("Write `{new}`"), vec![replace(element.range(), new)])
    });
    let message = format!("`{text}` is an internal name of `builtins.{name}`");
    linter.report(Finding::new(Rule::UnderscoreBuiltin, element.range(), message).fix(fix));
}

fn builtin_selection(linter: &mut Linter<'_>, element: Element<'_>) {
    let Some(select) = Select::cast(element) else { return };
    let (Some(subject), Some(path)) = (select.subject(), select.path()) else { return };
    if subject.kind() != Kind::Variable || !linter.is_builtin(subject, "builtins") {
        return;
    }
    let mut names = AttrPath::names(path);
    match (names.next().map(Element::text), names.next()) {
        (Some(b"toPath"), None) => linter.report(
            Finding::new(Rule::DeprecatedBuiltin, element.range(), "`builtins.toPath` is deprecated")
                .hint("to make a path of a string, write `./. + x` or `/. + x`"),
        ),
        (Some(b"isNull"), None) => is_null(linter, element),
        _ => {}
    }
}

fn is_null(linter: &mut Linter<'_>, element: Element<'_>) {
    linter.report(
        Finding::new(Rule::DeprecatedBuiltin, element.range(), "`isNull` is deprecated").hint("write `x == null`"),
    );
}

/// A `with` that nothing but functions and `let`s stand around.
fn whole_file_with(linter: &mut Linter<'_>, root: Element<'_>) {
    let mut at = root.expressions().next();
    while let Some(element) = at {
        at = match element.kind() {
            Kind::Lambda | Kind::Paren => element.expressions().last(),
            Kind::Let => Let::cast(element).and_then(Let::body),
            Kind::Assert => element.expressions().last(),
            Kind::With => return report_whole_file_with(linter, element),
            _ => None,
        };
    }
}

fn report_whole_file_with(linter: &mut Linter<'_>, element: Element<'_>) {
    // Short files are overseen easily.
    const SHORT: usize = 10;
    let lines = element.text().iter().filter(|&&byte| byte == b'\n').count();
    let (Some(word), Some(scope)) = (element.token("with"), With::cast(element).and_then(With::scope)) else { return };
    if lines < SHORT {
        return;
    }
    let message = "this `with` hides for all of the file where names come from";
    linter.report(
        Finding::new(Rule::WholeFileWith, word.range().start..scope.range().end, message)
            .hint("name what is used: let inherit (…) a b; in"),
    );
}
