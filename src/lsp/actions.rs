//! What can be done about findings at once.

use super::documents::Documents;
use super::renaming::workspace_edit;
use eval::lint::{Edit, fix, lint};
use eval::syntax::ParseOptions;
use serde_json::{Value, json};
use std::ops::Range;

/// The kind of the action that puts right all that can be.
pub(super) const FIX_ALL: &str = "source.fixAll";

/// The actions for a range of an open text, of the kinds that are wished; all, if none is named.
pub(super) fn actions(documents: &Documents, uri: &str, range: &Range<usize>, kinds: &[&str]) -> Value {
    let Some(document) = documents.get(uri) else { return Value::Null };
    let file = &document.file;
    let wished = |kind: &str| kinds.is_empty() || kinds.iter().any(|wished| kind.starts_with(wished));
    let lines = documents.lines(file);
    let mut actions = Vec::new();
    if wished("quickfix") {
        let findings = lint(&file.parsed, &file.resolution);
        let touched = findings.iter().filter(|found| found.range.start <= range.end && range.start <= found.range.end);
        actions.extend(touched.filter_map(|finding| {
            let fix = finding.fix.as_ref()?;
            Some(json!({
                "title": fix.title,
                "kind": "quickfix",
                "isPreferred": fix.safe,
                "edit": workspace_edit(&lines, uri, &fix.edits),
            }))
        }));
    }
    if wished(FIX_ALL) {
        let (fixed, count) = fix(file.text(), ParseOptions::default());
        if count > 0 {
            let text = String::from_utf8_lossy(&fixed).into_owned();
            let edit = Edit { range: 0..file.text().len(), text };
            actions.push(json!({
                "title": "Put right all that changes no value",
                "kind": FIX_ALL,
                "edit": workspace_edit(&lines, uri, &[edit]),
            }));
        }
    }
    Value::Array(actions)
}
