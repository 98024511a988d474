//! Comparing texts line by line.

use super::{Decoder, Limits, raw, visible};
use crate::reading::{self, Cause, Evidence, Reading};
use crate::report::{Change, Detail};
use similar::{ChangeTag, TextDiff};
use std::time::Duration;

/// After this time the diff need not be the shortest any more.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longer lines are cut.
const MAX_LINE: usize = 500;

/// Whether this is text: UTF-8 without control characters but those of lines and pages.
pub(super) fn is_text(bytes: &[u8], limits: &Limits) -> bool {
    let is_binary = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    bytes.len() <= limits.text_bytes && !bytes.iter().any(is_binary) && std::str::from_utf8(bytes).is_ok()
}

/// What differs between two texts that are not equal.
pub(super) fn compare(decoder: &Decoder<'_>, left: &[u8], right: &[u8]) -> Change {
    let (Ok(left_text), Ok(right_text)) = (std::str::from_utf8(left), std::str::from_utf8(right)) else {
        return raw::compare(left, right, decoder.tokens());
    };
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(left_text, right_text);
    let lines = |tag: ChangeTag| -> Vec<&[u8]> {
        let changes = diff.iter_all_changes().filter(|change| change.tag() == tag);
        changes.map(|change| change.value().as_bytes()).collect()
    };
    let (removed, added) = (lines(ChangeTag::Delete), lines(ChangeTag::Insert));
    let readings = match are_checksums(&removed) && are_checksums(&added) {
        true => vec![Reading::new(Evidence::Structure, Cause::BuildId, "a list of checksums of other files")],
        false => reading::of_fragments(&removed, &added, decoder.tokens()),
    };
    let (diff, cut) = unified(&diff, decoder.limits().diff_lines);
    Change::new("", Detail::Text { diff, cut }).read(readings)
}

/// Whether all lines are `<checksum>  <path>`.
fn are_checksums(lines: &[&[u8]]) -> bool {
    let is_checksum = |line: &&[u8]| std::str::from_utf8(line).is_ok_and(|line| named_by_checksum(line).is_some());
    !lines.is_empty() && lines.iter().all(is_checksum)
}

/// The file that a line `<checksum>  <path>` is about.
pub(crate) fn named_by_checksum(line: &str) -> Option<&str> {
    let (sum, file) = line.trim_end().split_once(char::is_whitespace)?;
    let file = file.trim_start().trim_start_matches('*');
    let is_sum = matches!(sum.len(), 32 | 40 | 64 | 96 | 128) && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_sum && !file.is_empty()).then_some(file)
}

fn unified(diff: &TextDiff<'_, '_, str>, most: usize) -> (String, bool) {
    let mut text = String::new();
    let mut lines = 0;
    for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
        push_line(&mut text, &hunk.header().to_string());
        lines += 1;
        for change in hunk.iter_changes() {
            if lines >= most {
                return (text, true);
            }
            push_line(&mut text, &format!("{}{}", change.tag(), change.value().trim_end_matches('\n')));
            if change.missing_newline() {
                push_line(&mut text, "\\ No newline at end of file");
            }
            lines += 1;
        }
    }
    (text, false)
}

fn push_line(text: &mut String, line: &str) {
    text.extend(
        line.chars().take(MAX_LINE).map(|character| if character == '\t' { character } else { visible(character) }),
    );
    if line.chars().nth(MAX_LINE).is_some() {
        text.push('…');
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Options;

    #[test]
    fn lines_are_shown_and_read() {
        let options = Options::default();
        let decoder = Decoder::new(&options);
        let change = compare(&decoder, b"same\nbuilt 2023-11-14\nend\n", b"same\nbuilt 2024-01-02\nend");
        let Detail::Text { diff, cut: false } = &change.detail else { panic!("{change:?}") };
        assert_eq!(
            diff,
            "@@ -1,3 +1,3 @@\n same\n-built 2023-11-14\n-end\n+built 2024-01-02\n+end\n\\ No newline at end of file\n"
        );
        assert_eq!(change.readings[0].cause, Cause::Time);
    }

    #[test]
    fn the_same_lines_in_another_order() {
        let options = Options::default();
        let causes = |left: &str, right: &str| -> Vec<Cause> {
            let change = compare(&Decoder::new(&options), left.as_bytes(), right.as_bytes());
            change.readings.into_iter().map(|reading| reading.cause).collect()
        };
        assert_eq!(causes("a\nb\nc\n", "c\na\nb\n"), [Cause::Order], "one line has moved");
        assert_eq!(causes("a\nb\nc\nd\n", "d\nc\nb\na\n"), [Cause::Order]);
        assert_eq!(causes("a\nb\n", "a\nb"), [], "only the end of the last line");
        assert_eq!(causes("a\nb\n", "a\nc\n"), []);
    }

    #[test]
    fn long_diffs_are_cut() {
        let options = Options::default();
        let left: String = (0..1000).map(|line| format!("l{line}\n")).collect();
        let right: String = (0..1000).map(|line| format!("r{line}\n")).collect();
        let change = compare(&Decoder::new(&options), left.as_bytes(), right.as_bytes());
        let Detail::Text { diff, cut: true } = &change.detail else { panic!("{change:?}") };
        assert_eq!(diff.lines().count(), 200);
    }
}
