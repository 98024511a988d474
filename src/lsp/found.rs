//! What stands at a place of a text, and where that is written.

use super::documents::Documents;
use eval::analysis::names::static_name;
use eval::analysis::{Attribute, File, Place, Target, Value, Values};
use eval::syntax::Kind;
use eval::syntax::tree::Element;
use eval::syntax::typed::{AttrPath, Binding, HasAttr, Inherit, Select};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// What stands at a place.
#[derive(Debug)]
pub(super) enum Found {
    /// A name that stands for a value, by its number among the uses.
    Use(usize),
    /// The name of a definition.
    Definition(usize),
    /// The last of these names, selected from one of the values.
    Attribute(Vec<Value>, Vec<String>),
    /// The name of an attribute where it is defined.
    Binding(usize),
    /// A path.
    Path(PathBuf),
}

/// The token that a cursor at an offset means: a name before or behind it rather than anything else.
pub(super) fn token_at(file: &File, offset: usize) -> Option<Element<'_>> {
    let (before, behind) = file.parsed.tree().tokens_around(offset);
    let means = |token: &Element<'_>| matches!(token.kind(), Kind::Ident | Kind::PathText | Kind::StringText);
    behind.filter(means).or_else(|| before.filter(means)).or(behind).or(before)
}

/// What a cursor at an offset means, and where that stands.
pub(super) fn find(documents: &Documents, file: &Arc<File>, offset: usize) -> Option<(Found, Range<usize>)> {
    find_at(documents, file, token_at(file, offset)?.parent()?)
}

/// What a node means, and where it stands.
pub(super) fn find_at(documents: &Documents, file: &Arc<File>, node: Element<'_>) -> Option<(Found, Range<usize>)> {
    match node.kind() {
        Kind::Path => Some((Found::Path(file.path_of(node)?), node.range())),
        Kind::Variable => Some((use_of(file, node)?, node.range())),
        Kind::Name | Kind::String => Some((name(documents, file, node)?, node.range())),
        _ => None,
    }
}

fn use_of(file: &File, element: Element<'_>) -> Option<Found> {
    let uses = file.resolution.uses();
    let number = uses.binary_search_by_key(&element.range().start, |found| found.range.start).ok()?;
    (uses[number].element == element.number()).then_some(Found::Use(number))
}

fn name(documents: &Documents, file: &Arc<File>, name: Element<'_>) -> Option<Found> {
    let around = name.parent()?;
    if let Some(inherit) = Inherit::cast(around) {
        return match inherit.source() {
            Some(source) => {
                let values = Values::new(documents).of(&place(file, source));
                Some(Found::Attribute(values, vec![static_name(name)?.into_owned()]))
            }
            None => use_of(file, name),
        };
    }
    if let Some(path) = AttrPath::cast(around) {
        return in_path(documents, file, path, name);
    }
    file.resolution.definition_at(name.range().start).map(Found::Definition)
}

fn in_path(documents: &Documents, file: &Arc<File>, path: AttrPath<'_>, name: Element<'_>) -> Option<Found> {
    let owner = path.0.parent()?;
    if let Some(binding) = Binding::cast(owner) {
        let first = path.names().next() == Some(name);
        let definition = first.then(|| file.resolution.definition_at(name.range().start)).flatten();
        return Some(definition.map_or(Found::Binding(binding.0.number()), Found::Definition));
    }
    let subject = Select::cast(owner).and_then(Select::subject).or_else(|| HasAttr::cast(owner)?.subject())?;
    let mut names = Vec::new();
    for before in path.names() {
        names.push(static_name(before)?.into_owned());
        if before == name {
            break;
        }
    }
    Some(Found::Attribute(Values::new(documents).of(&place(file, subject)), names))
}

pub(super) fn place(file: &Arc<File>, element: Element<'_>) -> Place {
    Place { file: Arc::clone(file), element: element.number() }
}

/// The attributes that the last of some names means, when it is selected from values.
pub(super) fn attributes(documents: &Documents, values: &[Value], names: &[String]) -> Vec<Attribute> {
    let Some((last, before)) = names.split_last() else { return Vec::new() };
    let mut answers = Values::new(documents);
    let mut values = values.to_vec();
    for name in before {
        values = values.iter().flat_map(|value| answers.select(value, name)).collect();
    }
    values.iter().flat_map(|value| answers.lookup(value, last)).collect()
}

/// The name of a builtin, if the last of some names means one.
pub(super) fn builtin(values: &[Value], names: &[String]) -> Option<String> {
    match (values.first(), names) {
        (Some(Value::Builtins), [name]) => Some(name.clone()),
        _ => None,
    }
}

/// Where what was found is written: files, and ranges in them.
pub(super) fn places(documents: &Documents, file: &Arc<File>, found: &Found) -> Vec<(Arc<File>, Range<usize>)> {
    let own = |range: &Range<usize>| (Arc::clone(file), range.clone());
    let attribute = |attribute: Attribute| (attribute.file, attribute.range);
    match found {
        Found::Use(number) => {
            let found = &file.resolution.uses()[*number];
            match found.target {
                Target::Definition(definition) => definition_places(documents, file, definition),
                Target::With(scope) => {
                    let found = Values::new(documents).attributes_of_withs(file, scope, &found.name);
                    found.into_iter().map(attribute).collect()
                }
                _ => Vec::new(),
            }
        }
        Found::Definition(definition) => definition_places(documents, file, *definition),
        Found::Attribute(values, names) => attributes(documents, values, names).into_iter().map(attribute).collect(),
        Found::Binding(element) => Binding::cast(file.element(*element))
            .and_then(Binding::path)
            .map(|path| own(&path.0.range()))
            .into_iter()
            .collect(),
        Found::Path(path) => {
            let file = eval::analysis::Files::file(documents, path);
            file.map(|file| (file, 0..0)).into_iter().collect()
        }
    }
}

/// Where a definition is written; of one that is inherited from a set, the attribute there, if it is known.
fn definition_places(documents: &Documents, file: &Arc<File>, number: usize) -> Vec<(Arc<File>, Range<usize>)> {
    let definition = &file.resolution.definitions()[number];
    let source = Inherit::cast(file.element(definition.element)).and_then(Inherit::source);
    if let Some(source) = source {
        let values = Values::new(documents).of(&place(file, source));
        let found = attributes(documents, &values, std::slice::from_ref(&definition.name));
        if !found.is_empty() {
            return found.into_iter().map(|attribute| (attribute.file, attribute.range)).collect();
        }
    }
    definition.places.iter().map(|range| (Arc::clone(file), range.clone())).collect()
}
