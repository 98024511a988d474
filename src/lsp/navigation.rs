//! Going to definitions, and finding the uses of names.

use super::documents::Documents;
use super::found::{Found, find, places};
use eval::analysis::{File, Target};
use serde_json::{Value, json};
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
    let Some((definition, _)) = definition_of(documents, file, offset) else { return Value::Null };
    documents.locations(file, &occurrences(file, definition, with_definition)).into()
}

pub(super) fn highlights(documents: &Documents, file: &Arc<File>, offset: usize) -> Value {
    let Some((definition, _)) = definition_of(documents, file, offset) else { return Value::Null };
    let lines = documents.lines(file);
    let all = occurrences(file, definition, true);
    all.iter().map(|range| json!({ "range": lines.range_of(range) })).collect()
}
