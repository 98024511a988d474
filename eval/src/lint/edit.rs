//! Edits of a text, and applying those of findings until none is left.

use super::{Finding, lint};
use crate::analysis::Resolution;
use crate::syntax::tree::Element;
use crate::syntax::{ParseOptions, is_name_byte, is_path_byte, parse_tree};
use std::ops::Range;

/// Text that takes the place of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced: offsets in the text.
    pub range: Range<usize>,
    /// What takes its place.
    pub text: String,
}

/// What would be done about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, for people who choose.
    pub title: String,
    /// The edits, in the order of the text, not overlapping.
    pub edits: Vec<Edit>,
    /// Whether it never changes a value.
    pub safe: bool,
}

impl Fix {
    /// A fix that never changes a value.
    pub(super) fn safe(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self { title: title.into(), edits, safe: true }
    }

    /// A fix that only a person can choose.
    pub(super) fn chosen(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self { safe: false, ..Self::safe(title, edits) }
    }
}

/// A replacement.
pub(super) fn replace(range: Range<usize>, text: impl Into<String>) -> Edit {
    Edit { range, text: text.into() }
}

/// Text in the place of an element, apart from what stands beside it: what begins or ends as a name does is one token
/// with more of a name, and what ends so begins a path or URI: `a."b"-1`, `a."b"/c`, `let"a"=1;`.
pub(super) fn put(element: Element<'_>, text: &str) -> Edit {
    let before = element.tree().text()[..element.range().start].last();
    let begins = text.bytes().next().is_some_and(is_name_byte);
    let left = if begins && before.is_some_and(|&byte| is_name_byte(byte)) { " " } else { "" };
    let right = if text.bytes().last().is_some_and(is_name_byte) { gap_behind(element) } else { "" };
    replace(element.range(), format!("{left}{text}{right}"))
}

/// What keeps a name at the end of an element apart from what follows.
pub(super) fn gap_behind(element: Element<'_>) -> &'static str {
    let selects = || element.token_after().is_some_and(|token| token.is("."));
    match element.tree().text().get(element.range().end) {
        Some(b'.') if selects() => "",
        Some(&byte) if is_name_byte(byte) || is_path_byte(byte) || byte == b'/' => " ",
        _ => "",
    }
}

/// `(f) or` is a call in which `or` is a name; `f or` is an old form of it that is best left alone.
pub(super) fn is_before_or(element: Element<'_>) -> bool {
    let mut next = element.token_after();
    while let Some(token) = next.filter(|token| token.kind().is_trivia()) {
        next = token.token_after();
    }
    next.is_some_and(|token| token.text() == b"or")
}

/// Whether there is a comment in a range of the text of an element's tree.
pub(super) fn has_comment(element: Element<'_>, range: &Range<usize>) -> bool {
    let within = |found: Element<'_>| range.start < found.range().end && found.range().start < range.end;
    element.elements().any(|inner| {
        within(inner) && if inner.kind().is_token() { inner.kind().is_comment() } else { has_any_comment(inner, range) }
    })
}

fn has_any_comment(element: Element<'_>, range: &Range<usize>) -> bool {
    element
        .tokens()
        .any(|token| token.kind().is_comment() && range.start <= token.range().start && token.range().end <= range.end)
}

/// The range of an element with the white space that would be left over without it: the line, if it has one of its own.
pub(super) fn with_space(element: Element<'_>) -> Range<usize> {
    let text = element.tree().text();
    let Range { start, end } = element.range();
    let before = text[..start].iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
    let after = end + text[end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let line_starts = before == 0 || text[before - 1] == b'\n';
    match text.get(after) {
        Some(b'\n') if line_starts => before..after + 1,
        Some(b'\n') => before..end,
        _ => start..after,
    }
}

/// A text with edits applied. Of edits that overlap, the first counts.
#[must_use]
pub fn apply(text: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut sorted: Vec<_> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let (mut result, mut at) = (Vec::with_capacity(text.len()), 0);
    for edit in sorted.into_iter().filter(|edit| edit.range.end <= text.len()) {
        if edit.range.start < at {
            continue;
        }
        result.extend_from_slice(&text[at..edit.range.start]);
        result.extend_from_slice(edit.text.as_bytes());
        at = edit.range.end;
    }
    result.extend_from_slice(&text[at..]);
    result
}

/// How many times fixes may lead to further fixes.
const MAX_ROUNDS: usize = 100;

/// A text with all safe fixes applied, and how many there were. A text with errors stays as it is.
#[must_use]
pub fn fix(text: &[u8], options: ParseOptions) -> (Vec<u8>, usize) {
    let (mut text, mut count) = (text.to_vec(), 0);
    for _ in 0..MAX_ROUNDS {
        let parsed = parse_tree(&text, options);
        let findings = lint(&parsed, &Resolution::of(parsed.tree()));
        let (edits, fixes) = compatible(&findings);
        let fixed = apply(&text, &edits);
        if fixes == 0 || !parse_tree(&fixed, options).diagnostics().is_empty() {
            break;
        }
        (text, count) = (fixed, count + fixes);
    }
    (text, count)
}

/// The edits of safe fixes whose findings do not touch each other: what one changes, another does not look at.
fn compatible(findings: &[Finding]) -> (Vec<Edit>, usize) {
    let (mut edits, mut fixes, mut at) = (Vec::new(), 0, 0);
    for (finding, fix) in findings.iter().filter_map(|finding| Some((finding, finding.fix.as_ref()?))) {
        let starts = fix.edits.iter().map(|edit| edit.range.start).chain([finding.range.start]);
        let ends = fix.edits.iter().map(|edit| edit.range.end).chain([finding.range.end]);
        let (Some(start), Some(end)) = (starts.min(), ends.max()) else { continue };
        if fix.safe && start >= at {
            edits.extend(fix.edits.iter().cloned());
            (fixes, at) = (fixes + 1, end);
        }
    }
    (edits, fixes)
}
