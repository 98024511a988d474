//! What a value looks like, as far as that is known without evaluation.

use super::documents::Documents;
use eval::analysis::{Place, Value, Values};
use eval::syntax::Kind;
use eval::syntax::typed::Lambda;

/// So many names of a set are shown.
const MAX_NAMES: usize = 8;
/// So much of a function's arguments is shown.
const MAX_SHOWN: usize = 80;
/// Of more values than these nothing is said.
const MAX_VALUES: usize = 3;

/// What values look like, of which one will be there: `a set with a, b`, `a function of x`.
pub(super) fn shape(documents: &Documents, values: &[Value]) -> Option<String> {
    let mut shapes = Vec::new();
    for value in values {
        let shape = of_one(documents, value)?;
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    ((1..=MAX_VALUES).contains(&shapes.len())).then(|| shapes.join(", or "))
}

fn of_one(documents: &Documents, value: &Value) -> Option<String> {
    match value {
        Value::Set(..) => Some(of_set(documents, value)),
        Value::Function(place) => Some(of_function(place)),
        Value::Builtins => Some("the set of all builtins".to_owned()),
        Value::Builtin(name) => Some(format!("the builtin `{name}`")),
        Value::Other(place) => of_kind(place.get().kind()).map(str::to_owned),
    }
}

fn of_set(documents: &Documents, value: &Value) -> String {
    let mut names: Vec<_> = Values::new(documents).attributes(value).into_iter().map(|found| found.name).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return "a set".to_owned();
    }
    let more = if names.len() > MAX_NAMES { ", …" } else { "" };
    let shown: Vec<_> = names.iter().take(MAX_NAMES).map(|name| format!("`{name}`")).collect();
    format!("a set with {}{more}", shown.join(", "))
}

fn of_function(place: &Place) -> String {
    let element = place.get();
    let Some(body) = Lambda::cast(element).and_then(Lambda::body) else { return "a function".to_owned() };
    let head = &place.file.text()[element.range().start..body.range().start];
    let head = String::from_utf8_lossy(head);
    let words: Vec<_> = head.trim_end().trim_end_matches(':').split_whitespace().collect();
    let cut: String = words.join(" ").chars().take(MAX_SHOWN).collect();
    format!("a function of `{cut}`")
}

fn of_kind(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Number => "a number",
        Kind::String | Kind::IndentedString | Kind::Uri => "a string",
        Kind::Path | Kind::SearchPath => "a path",
        Kind::List => "a list",
        _ => return None,
    })
}
