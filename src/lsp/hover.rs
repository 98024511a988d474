//! What is told of a name when the cursor rests on it.

use super::documents::Documents;
use super::found::{Found, attributes, builtin, find};
use super::shape::shape;
use eval::analysis::{Attribute, DefinitionKind, File, Target, Values};
use eval::interactive::{Documentation, doc_comment_before};
use eval::syntax::Kind;
use eval::syntax::tree::Element;
use serde_json::{Value, json};
use std::sync::Arc;

/// How long the shown part of a definition may be.
const MAX_SHOWN: usize = 120;

pub(super) fn hover(documents: &Documents, file: &Arc<File>, offset: usize) -> Value {
    let Some((found, range)) = find(documents, file, offset) else { return Value::Null };
    let Some(text) = text_of(documents, file, &found) else { return Value::Null };
    json!({
        "contents": { "kind": "markdown", "value": text },
        "range": documents.lines(file).range_of(&range),
    })
}

fn text_of(documents: &Documents, file: &Arc<File>, found: &Found) -> Option<String> {
    match found {
        Found::Use(number) => {
            let found = &file.resolution.uses()[*number];
            match found.target {
                Target::Definition(definition) => Some(of_definition(documents, file, definition)),
                Target::Builtin(name) => of_builtin(name),
                Target::With(scope) => {
                    let attributes = Values::new(documents).attributes_of_withs(file, scope, &found.name);
                    Some(attributes.first().map_or_else(
                        || format!("`{}`, from a `with`", found.name),
                        |found| of_attribute(documents, found),
                    ))
                }
                Target::Undefined => None,
            }
        }
        Found::Definition(definition) => Some(of_definition(documents, file, *definition)),
        Found::Attribute(values, names) => match builtin(values, names) {
            Some(name) => of_builtin(&name),
            None => attributes(documents, values, names).first().map(|found| of_attribute(documents, found)),
        },
        Found::Binding(element) => {
            let element = file.element(*element);
            let value = element.expressions().next().map(|value| super::found::place(file, value));
            let values = value.map(|value| Values::new(documents).of(&value)).unwrap_or_default();
            Some(shown(file, element, &described(documents, "attribute", &values), element.range().start))
        }
        Found::Path(path) => Some(format!("`{}`", path.display())),
    }
}

/// What the table says of a builtin.
pub(super) fn of_builtin(name: &str) -> Option<String> {
    let builtin = eval::builtins::all().find(|builtin| builtin.name == name)?;
    let Documentation { subject, text, .. } = Documentation::of_builtin(builtin);
    Some(format!("```nix\n{subject}\n```\n\n{}", text.unwrap_or_default()))
}

fn of_definition(documents: &Documents, file: &Arc<File>, number: usize) -> String {
    let definition = &file.resolution.definitions()[number];
    let element = file.element(definition.element);
    let kind = match definition.kind {
        DefinitionKind::Let => "variable",
        DefinitionKind::Attribute => "attribute",
        DefinitionKind::Argument | DefinitionKind::Formal => "argument",
        DefinitionKind::Whole => "whole argument",
    };
    if let Some(source) = eval::syntax::typed::Inherit::cast(element).and_then(|inherit| inherit.source()) {
        let values = Values::new(documents).of(&super::found::place(file, source));
        let names = std::slice::from_ref(&definition.name);
        if let Some(name) = builtin(&values, names).and_then(|name| of_builtin(&name)) {
            return name;
        }
        if let Some(attribute) = attributes(documents, &values, names).first() {
            return of_attribute(documents, attribute);
        }
    }
    match element.kind() {
        Kind::Binding | Kind::Formal | Kind::Inherit => {
            let values = Values::new(documents).meaning(file, Target::Definition(number), &definition.name);
            shown(file, element, &described(documents, kind, &values), definition.places[0].start)
        }
        _ => format!("```nix\n{}\n```\n\n{kind}", definition.name),
    }
}

fn of_attribute(documents: &Documents, attribute: &Attribute) -> String {
    let file = &attribute.file;
    let values = Values::new(documents).attribute_values(attribute);
    let kind = described(documents, "attribute", &values);
    shown(file, file.element(attribute.element), &kind, attribute.range.start)
}

/// What kind of name it is, and what its value looks like.
fn described(documents: &Documents, kind: &str, values: &[eval::analysis::Value]) -> String {
    shape(documents, values).map_or_else(|| kind.to_owned(), |shape| format!("{kind}: {shape}"))
}

/// The beginning of a binding, with the doc-comment before it or its function.
fn shown(file: &File, element: Element<'_>, kind: &str, place: usize) -> String {
    let (text, range) = (file.text(), element.range());
    let line = text[range.clone()].split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let cut: String = line.trim_end().chars().take(MAX_SHOWN).collect();
    let more = if cut.len() < range.len() { " …" } else { "" };
    let value = element.expressions().next().filter(|_| element.kind() == Kind::Binding);
    let documentation = doc_comment_before(text, range.start)
        .or_else(|| doc_comment_before(text, place))
        .or_else(|| doc_comment_before(text, value?.range().start));
    let documentation = documentation.map(|text| format!("\n\n{text}")).unwrap_or_default();
    format!("```nix\n{cut}{more}\n```\n\n{kind}{documentation}")
}
