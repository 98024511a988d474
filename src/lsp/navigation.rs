//! Going to definitions, and finding the uses of names.

use super::documents::Documents;
use super::found::{Found, find, find_at, places, token_at};
use eval::analysis::names::static_name;
use eval::analysis::{self, File, Target};
use eval::syntax::Kind;
use eval::syntax::tree::Element;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// Where what stands at an offset is written.
pub(super) fn definition(documents: &Documents, file: &Arc<File>, offset: usize) -> Value {
    let Some((found, _)) = find(documents, file, offset) else { return Value::Null };
    let places = places(documents, file, &found);
    let by_file = places.chunk_by(|(file, _), (next, _)| Arc::ptr_eq(file, next));
    by_file.flat_map(|places| documents.locations(&places[0].0, places.iter().map(|(_, range)| range))).collect()
}

/// The definition that a name at an offset means: by its number.
pub(super) fn definition_of(documents: &Documents, file: &Arc<File>, offset: usize) -> Option<(usize, Range<usize>)> {
    let (found, range) = find(documents, file, offset)?;
    let definition = match found {
        Found::Use(number) => match file.resolution.uses()[number].target {
            Target::Definition(definition) => definition,
            _ => return None,
        },
        Found::Definition(definition) => definition,
        // The name of an `inherit (e) x;` is a definition, too.
        Found::Attribute(..) => file.resolution.definition_at(range.start)?,
        _ => return None,
    };
    Some((definition, range))
}

/// Where a name stands: the places of its definition, if they are wished, and its uses.
fn occurrences(file: &File, definition: usize, with_definition: bool) -> Vec<Range<usize>> {
    let places = &file.resolution.definitions()[definition].places;
    let own = places.iter().filter(|_| with_definition).cloned();
    let mut all: Vec<_> = own.chain(file.resolution.uses_of(definition).map(|found| found.range.clone())).collect();
    all.sort_by_key(|range| range.start);
    all.dedup();
    all
}

pub(super) fn references(documents: &Documents, file: &Arc<File>, offset: usize, with_definition: bool) -> Value {
    let mut all: Vec<(Arc<File>, Range<usize>)> = Vec::new();
    if let Some((definition, _)) = definition_of(documents, file, offset) {
        let own = occurrences(file, definition, with_definition).into_iter();
        all.extend(own.map(|range| (Arc::clone(file), range)));
    }
    all.extend(attribute_occurrences(documents, file, offset, with_definition));
    let mut known = HashSet::new();
    all.retain(|(file, range)| known.insert((Arc::as_ptr(file), range.start)));
    if all.is_empty() {
        return Value::Null;
    }
    let of_one_file = all.chunk_by(|one, other| Arc::ptr_eq(&one.0, &other.0));
    let places = of_one_file.flat_map(|found| {
        let ranges: Vec<_> = found.iter().map(|(_, range)| range.clone()).collect();
        documents.locations(&found[0].0, &ranges)
    });
    places.collect::<Vec<_>>().into()
}

/// So many names of one text are looked at: each may lead far. No text that people write has as many.
const MAX_LOOKED_AT: usize = 50_000;

/// Where the attribute at an offset is written and selected, in its file and in the one where it is written: as far as
/// that can be known without evaluation.
fn attribute_occurrences(
    documents: &Documents,
    file: &Arc<File>,
    offset: usize,
    with_definition: bool,
) -> Vec<(Arc<File>, Range<usize>)> {
    let Some(node) = token_at(file, offset).and_then(Element::parent) else { return Vec::new() };
    let Some((found, range)) = find_at(documents, file, node) else { return Vec::new() };
    let written = match &found {
        Found::Binding(_) => vec![(Arc::clone(file), range.clone())],
        Found::Attribute(..) | Found::Definition(_) => places(documents, file, &found),
        Found::Use(_) | Found::Path(_) => return Vec::new(),
    };
    // However it is written: plain or as a string.
    let Some(name) = static_name(node) else { return Vec::new() };
    let mut files = vec![Arc::clone(file)];
    for (other, _) in &written {
        if !files.iter().any(|known| Arc::ptr_eq(known, other)) {
            files.push(Arc::clone(other));
        }
    }
    let mut all: Vec<_> = written.iter().filter(|_| with_definition).cloned().collect();
    let mut known = HashMap::new();
    for file in files {
        let names = file.parsed.tree().root().descendants().filter(|node| {
            matches!(node.kind(), Kind::Name | Kind::String) && static_name(*node).as_ref() == Some(&name)
        });
        for node in names.take(MAX_LOOKED_AT) {
            let Some((found @ Found::Attribute(..), range)) = find_at(documents, &file, node) else { continue };
            let means = || {
                let means = places(documents, &file, &found);
                means.iter().any(|place| written.iter().any(|written| is_same(place, written)))
            };
            // The same name of the same large set is looked up once.
            if selection(&found).map_or_else(means, |selection| *known.entry(selection).or_insert_with(means)) {
                all.push((Arc::clone(&file), range));
            }
        }
    }
    all
}

/// What tells selections from static sets apart: the sets, and the names that are selected.
type Selection = (Vec<(*const File, usize, Vec<String>)>, Vec<String>);

fn selection(found: &Found) -> Option<Selection> {
    let Found::Attribute(values, names) = found else { return None };
    let set = |value: &analysis::Value| match value {
        analysis::Value::Set(place, above) => Some((Arc::as_ptr(&place.file), place.element, above.clone())),
        _ => None,
    };
    Some((values.iter().map(set).collect::<Option<_>>()?, names.clone()))
}

fn is_same(one: &(Arc<File>, Range<usize>), other: &(Arc<File>, Range<usize>)) -> bool {
    Arc::ptr_eq(&one.0, &other.0) && one.1.start == other.1.start
}

pub(super) fn highlights(documents: &Documents, file: &Arc<File>, offset: usize) -> Value {
    let Some((definition, _)) = definition_of(documents, file, offset) else { return Value::Null };
    let lines = documents.lines(file);
    let all = occurrences(file, definition, true);
    all.iter().map(|range| json!({ "range": lines.range_of(range) })).collect()
}
