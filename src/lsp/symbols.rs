//! The outline of a text: bindings within bindings.

use super::documents::Documents;
use super::position::Lines;
use eval::analysis::File;
use eval::syntax::Kind;
use eval::syntax::tree::Element;
use eval::syntax::typed::Binding;
use serde_json::{Value, json};

/// How deep an outline goes.
const MAX_DEPTH: usize = 24;

pub(super) fn symbols(documents: &Documents, file: &File) -> Value {
    Value::Array(within(file.parsed.tree().root(), &documents.lines(file), 0))
}

/// The bindings within an element that are in no other binding within it.
fn within(element: Element<'_>, lines: &Lines<'_>, depth: usize) -> Vec<Value> {
    let mut symbols = Vec::new();
    let mut pending: Vec<_> = element.children().collect();
    pending.reverse();
    while let Some(next) = pending.pop() {
        match Binding::cast(next) {
            Some(binding) => symbols.extend(symbol(binding, lines, depth)),
            None => {
                let from = pending.len();
                pending.extend(next.children());
                pending[from..].reverse();
            }
        }
    }
    symbols
}

fn symbol(binding: Binding<'_>, lines: &Lines<'_>, depth: usize) -> Option<Value> {
    let path = binding.path()?;
    let value = binding.value();
    let children = value.filter(|_| depth < MAX_DEPTH).map_or(Vec::new(), |value| within(value, lines, depth + 1));
    Some(json!({
        "name": String::from_utf8_lossy(path.0.text()),
        "kind": kind(value),
        "range": lines.range_of(&binding.0.range()),
        "selectionRange": lines.range_of(&path.0.range()),
        "children": children,
    }))
}

/// The protocol's number for what a binding's value is.
pub(super) fn kind(value: Option<Element<'_>>) -> u32 {
    match value.map(Element::kind) {
        Some(Kind::Lambda) => 12,
        Some(Kind::AttrSet | Kind::LetBody) => 19,
        Some(Kind::List) => 18,
        Some(Kind::String | Kind::IndentedString | Kind::Uri) => 15,
        Some(Kind::Number) => 16,
        Some(Kind::Path | Kind::SearchPath) => 1,
        _ => 13,
    }
}
