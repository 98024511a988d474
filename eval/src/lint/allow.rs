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

/// What a text allows.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    /// Codes, with the offset where the line begins on which they are allowed; `None` for all lines.
    codes: Vec<(String, Option<usize>)>,
}

impl Allowed {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut allowed = Self::default();
        for comment in tree.tokens().filter(|token| token.kind().is_comment()) {
            allowed.read(comment);
        }
        allowed
    }

    fn read(&mut self, comment: Element<'_>) {
        let text = String::from_utf8_lossy(comment.text());
        let Some((_, rest)) = text.split_once("larder-lint:") else { return };
        let rest = rest.trim_start();
        let (codes, line) = match (rest.strip_prefix("allow("), rest.strip_prefix("allow-file(")) {
            (Some(codes), _) => (codes, Some(line_of(comment))),
            (_, Some(codes)) => (codes, None),
            _ => return,
        };
        let Some((codes, _)) = codes.split_once(')') else { return };
        self.codes.extend(codes.split(',').map(|code| (code.trim().to_owned(), line)));
    }

    /// Whether a finding of the text is to be told.
    pub(super) fn filter(self, tree: &Tree) -> impl FnMut(&Finding) -> bool {
        let text = tree.text();
        move |finding| {
            if self.codes.is_empty() {
                return true;
            }
            let line = line_start(text, finding.range.start);
            !self.codes.iter().any(|(code, allowed)| {
                (code == "all" || code.eq_ignore_ascii_case(finding.code.number()))
                    && allowed.is_none_or(|allowed| allowed == line)
            })
        }
    }
}

/// Where the line begins for which a comment is meant.
fn line_of(comment: Element<'_>) -> usize {
    let text = comment.tree().text();
    let start = line_start(text, comment.range().start);
    if !text[start..comment.range().start].trim_ascii().is_empty() {
        return start;
    }
    // The next line that is no comment itself.
    let mut next = comment.token_after();
    while let Some(token) = next.filter(|token| token.kind().is_trivia()) {
        next = token.token_after();
    }
    next.map_or(text.len(), |token| line_start(text, token.range().start))
}

fn line_start(text: &[u8], offset: usize) -> usize {
    text[..offset].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1)
}
