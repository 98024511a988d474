//! What a person typed: an expression, bindings, or the beginning of either.
//!
//! ```text
//! input    = expr | bindings
//! bindings = binding { ";" binding } [ ";" ]
//! ```

use crate::diagnostic::{Code, Diagnostic};
use crate::session::Session;
use crate::source::Origin;
use crate::syntax::{Keyword, Token, lex};

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Nothing but blanks and comments.
    Empty,
    /// An expression, perhaps a wrong one.
    Expression,
    /// Bindings, perhaps wrong ones.
    Bindings,
    /// The beginning of one of them.
    Incomplete,
}

/// What stands before bindings to make a set of them.
const OPENING: &[u8] = b"{ ";

/// Finds out what an input is.
#[must_use]
pub fn classify(session: &Session, text: &[u8]) -> Input {
    if lex(text, 0).token == Token::End {
        return Input::Empty;
    }
    let bindings = are_bindings(text);
    let (whole, start) = if bindings { (as_set(session, text), OPENING.len()) } else { (text.to_vec(), 0) };
    let end = start + text.trim_ascii_end().len();
    let errors = session.check_syntax(Origin::Text(String::new()), &whole).err().unwrap_or_default();
    let kind = if bindings { Input::Bindings } else { Input::Expression };
    if errors.first().is_some_and(|error| wants_more(session, error, start, end)) { Input::Incomplete } else { kind }
}

/// Whether an error is one that more text could heal: something is open, or the text ends too soon.
fn wants_more(session: &Session, error: &Diagnostic, start: usize, end: usize) -> bool {
    let Some(source) = session.sources().find(error.primary.span.start) else { return false };
    let offset = source.offset(error.primary.span.start);
    offset >= end || (error.code == Code::Unclosed && offset >= start)
}

/// Whether a text begins as bindings do: `inherit`, or an attribute path and `=`.
#[must_use]
pub fn are_bindings(text: &[u8]) -> bool {
    let mut at = 0;
    loop {
        let name = lex(text, at);
        at = match name.token {
            Token::Keyword(Keyword::Inherit) => return at == 0,
            Token::Name | Token::Keyword(Keyword::Or) => name.end,
            Token::Quote => match string_end(text, name.end) {
                Some(end) => end,
                None => return false,
            },
            _ => return false,
        };
        let next = lex(text, at);
        match next.token {
            Token::Symbol("=") => return true,
            Token::Symbol(".") => at = next.end,
            _ => return false,
        }
    }
}

/// Where a string ends whose opening quote ends at an offset.
fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Bindings as a set; the last semicolon may be missing.
pub(super) fn as_set(session: &Session, text: &[u8]) -> Vec<u8> {
    let closed = |end: &[u8]| [OPENING, text, end].concat();
    let whole = closed(b"\n}");
    let is_whole = session.check_syntax(Origin::Text(String::new()), &whole).is_ok();
    // On a line of its own: the text may end with a comment.
    if is_whole || text.trim_ascii_end().ends_with(b";") { whole } else { closed(b"\n;}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MemoryIo;
    use crate::settings::Settings;
    use std::sync::Arc;

    #[test]
    fn inputs_are_told_apart() {
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(MemoryIo::default()));
        for (text, expected) in [
            ("", Input::Empty),
            ("  # only a comment", Input::Empty),
            ("1 + 1", Input::Expression),
            ("a == b", Input::Expression),
            ("a.b", Input::Expression),
            ("x: x", Input::Expression),
            ("1 1 )", Input::Expression),
            ("{ a = 1; }", Input::Expression),
            ("x = 1", Input::Bindings),
            ("x = 1;", Input::Bindings),
            ("x = 1 # one", Input::Bindings),
            ("a.b.c = 1; d = 2", Input::Bindings),
            ("\"a b\".c = 1", Input::Bindings),
            ("inherit (x) a b;", Input::Bindings),
            ("inherit (x) a b", Input::Bindings),
            ("x = ) 1", Input::Bindings),
            ("1 +", Input::Incomplete),
            ("[ 1", Input::Incomplete),
            ("{ a = 1;", Input::Incomplete),
            ("let x = 1;", Input::Incomplete),
            ("let x = 1; in", Input::Incomplete),
            ("x = [ 1", Input::Incomplete),
            ("x =", Input::Incomplete),
            ("x = ''\n  a", Input::Incomplete),
            ("\"a", Input::Incomplete),
            ("''a\n b", Input::Incomplete),
            ("/* a", Input::Incomplete),
            ("f (", Input::Incomplete),
            ("if true then 1", Input::Incomplete),
            ("{ a, b }:", Input::Incomplete),
        ] {
            assert_eq!(classify(&session, text.as_bytes()), expected, "{text}");
        }
    }
}
