//! Comments that allow what a rule finds.
//!
//! ```text
//! # larder-lint: allow(L0001)          on the line, or on the next one if the comment has a line of its own
//! # larder-lint: allow(L0001, L0005)
//! # larder-lint: allow-file(L0001)     in the whole file
//! # larder-lint: allow-file(all)
//! ```

use super::Finding;
use crate::syntax::tree::{Element, Tree};
use rustc_hash::FxHashSet;

/// What a text allows.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    /// Codes, with the number of the line on which they are allowed; `None` for all lines.
    codes: FxHashSet<(String, Option<usize>)>,
    /// The offsets of line ends.
    ends: Vec<usize>,
}

impl Allowed {
    pub(super) fn of(tree: &Tree) -> Self {
        let ends = tree.text().iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
        let mut allowed = Self { ends, ..Self::default() };
        // Comments on lines of their own are meant for the next line that has anything else.
        let mut next = allowed.ends.len() + 1;
        for token in tree.tokens().rev() {
            let line = allowed.line(token.range().start);
            if token.kind().is_comment() {
                let start = line.checked_sub(1).map_or(0, |before| allowed.ends[before] + 1);
                let is_alone = tree.text()[start..token.range().start].trim_ascii().is_empty();
                allowed.read(token, if is_alone { next } else { line });
            } else if !token.kind().is_trivia() {
                next = line;
            }
        }
        allowed
    }

    /// The number of the line that an offset is in.
    fn line(&self, offset: usize) -> usize {
        self.ends.partition_point(|&end| end < offset)
    }

    fn read(&mut self, comment: Element<'_>, line: usize) {
        let text = String::from_utf8_lossy(comment.text());
        let Some((_, rest)) = text.split_once("larder-lint:") else { return };
        let rest = rest.trim_start();
        let (codes, line) = match (rest.strip_prefix("allow("), rest.strip_prefix("allow-file(")) {
            (Some(codes), _) => (codes, Some(line)),
            (_, Some(codes)) => (codes, None),
            _ => return,
        };
        let Some((codes, _)) = codes.split_once(')') else { return };
        self.codes.extend(codes.split(',').map(|code| (code.trim().to_ascii_uppercase(), line)));
    }

    /// Whether a finding of the text is to be told.
    pub(super) fn filter(self) -> impl FnMut(&Finding) -> bool {
        move |finding| {
            let line = Some(self.line(finding.range.start));
            let allows = |code: &str| [line, None].iter().any(|&line| self.codes.contains(&(code.to_owned(), line)));
            self.codes.is_empty() || !(allows(finding.code.number()) || allows("ALL"))
        }
    }
}
