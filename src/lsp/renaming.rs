//! Renaming variables.

use super::documents::Documents;
use super::navigation::definition_of;
use super::position::Lines;
use eval::analysis::{File, renamable, rename};
use eval::lint::Edit;
use serde_json::{Value, json};
use std::sync::Arc;

/// The range of the name at an offset, and the name; nothing when it cannot be renamed.
pub(super) fn prepare(documents: &Documents, file: &Arc<File>, offset: usize) -> Value {
    let Some((definition, range)) = definition_of(documents, file, offset) else { return Value::Null };
    if renamable(file.parsed.tree(), &file.resolution, definition).is_err() {
        return Value::Null;
    }
    let name = &file.resolution.definitions()[definition].name;
    json!({ "range": documents.lines(file).range_of(&range), "placeholder": name })
}

/// The edits that rename what stands at an offset; else why there are none.
pub(super) fn edits(documents: &Documents, uri: &str, offset: usize, new: &str) -> Result<Value, String> {
    let Some(document) = documents.get(uri) else { return Err("this text is not open".to_owned()) };
    let file = &document.file;
    let Some((definition, _)) = definition_of(documents, file, offset) else {
        return Err("only variables and arguments can be renamed".to_owned());
    };
    let edits = rename(file.parsed.tree(), &file.resolution, definition, new).map_err(|error| error.to_string())?;
    Ok(workspace_edit(&documents.lines(file), uri, &edits))
}

/// Edits of one text.
pub(super) fn workspace_edit(lines: &Lines<'_>, uri: &str, edits: &[Edit]) -> Value {
    let edits: Vec<_> =
        edits.iter().map(|edit| json!({ "range": lines.range_of(&edit.range), "newText": edit.text })).collect();
    json!({ "changes": { uri: edits } })
}
