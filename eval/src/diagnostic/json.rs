//! Diagnostics for programs: one JSON object each, schema `larder/diagnostic/1`.
//!
//! ```text
//! { "schema", "code": "E0101", "title", "severity": "error" | "warning", "message",
//!   "primary": label | null, "labels": [label], "trace": [label], "hints": [text] }
//! label = { "message", "file", "line", "column", "endLine", "endColumn" }; in the trace also "library", "times"
//! ```
//!
//! Lines and columns count from 1, columns in bytes; the end is exclusive. In the trace, what is nowhere has `file` null.

use super::{Diagnostic, Severity};
use crate::source::{Sources, Span};
use serde_json::{Value, json};

/// A diagnostic as JSON.
#[must_use]
pub fn to_json(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let label = |label: &super::Label| place(label.span, &label.text, sources);
    let frames = diagnostic.trace.iter().map(|frame| {
        let mut shown = place(frame.span, &frame.text, sources);
        shown["library"] = frame.library.into();
        shown["times"] = frame.times.into();
        shown
    });
    json!({
        "schema": "larder/diagnostic/1",
        "code": diagnostic.code.number(),
        "title": diagnostic.code.title(),
        "severity": match diagnostic.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": diagnostic.message,
        "primary": if diagnostic.primary.span.is_none() { Value::Null } else { label(&diagnostic.primary) },
        "labels": diagnostic.labels.iter().map(label).collect::<Vec<_>>(),
        "trace": frames.collect::<Vec<_>>(),
        "hints": diagnostic.hints,
    })
}

fn place(span: Span, text: &str, sources: &Sources) -> Value {
    let source = if span.is_none() { None } else { sources.find(span.start) };
    let Some(source) = source else { return json!({ "message": text, "file": null }) };
    let (start, end) = (source.line_column(span.start), source.line_column(span.end));
    json!({
        "message": text,
        "file": source.name(),
        "line": start.line,
        "column": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}
