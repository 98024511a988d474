//! Formatting of whole texts.

use super::documents::{Document, Documents};
use serde_json::{Value, json};
use std::ops::Range;

/// The edits that format a text: only the lines between the first and the last that change. Nothing for a text with
/// syntax errors, which are told of anyway.
pub(super) fn formatting(documents: &Documents, document: &Document) -> Value {
    let file = &document.file;
    let Ok(formatted) = eval::format::format("", file.text()) else { return Value::Null };
    let Some((range, new)) = difference(file.text(), &formatted) else { return json!([]) };
    let new = String::from_utf8_lossy(&formatted[new]);
    json!([{ "range": documents.lines(file).range_of(&range), "newText": new }])
}

/// The lines of two texts that differ: where they are in the one and in the other.
fn difference(old: &[u8], new: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    if old == new {
        return None;
    }
    let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let start = old[..same].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let same = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    // What is the same at the end, from where a line begins in both.
    let tail = &old_rest[old_rest.len() - same..];
    let begins = |rest: &[u8]| rest[..rest.len() - same].last().is_none_or(|&byte| byte == b'\n');
    let newline = tail.iter().position(|&byte| byte == b'\n');
    let kept = match newline {
        _ if begins(old_rest) && begins(new_rest) => same,
        Some(newline) => same - newline - 1,
        None => 0,
    };
    Some((start..old.len() - kept, start..new.len() - kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_replaced() {
        for (old, new, expected) in [
            ("a\nb\nc\n", "a\nx\nc\n", Some(("b\n", "x\n"))),
            ("a\nb\nc\n", "a\nc\n", Some(("b\n", ""))),
            ("a\nc\n", "a\nb\nc\n", Some(("", "b\n"))),
            ("a", "a\n", Some(("a", "a\n"))),
            ("a\n\n\n", "a\n", Some(("\n\n", ""))),
            ("", "a\n", Some(("", "a\n"))),
            ("a\na\n", "a\na\na\n", Some(("", "a\n"))),
            ("a\n", "a\n", None),
        ] {
            let found = difference(old.as_bytes(), new.as_bytes());
            assert_eq!(found.clone().map(|(from, to)| (&old[from], &new[to])), expected, "{old:?}");
            if let Some((from, to)) = found {
                assert_eq!([&old[..from.start], &new[to], &old[from.end..]].concat(), new);
            }
        }
    }
}
