//! What a person typed: an expression, bindings, or the beginning of either.
//!
//! ```text
//! input    = expr | bindings
//! bindings = binding { ";" binding } [ ";" ]
//! ```

use crate::diagnostic::{Code, Diagnostic};
use crate::session::Session;
use crate::source::Origin;
use crate::syntax::{Keyword, Openings, Token, lex};

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
    if errors.first().is_some_and(|error| wants_more(session, error, end)) { Input::Incomplete } else { kind }
}

/// An input that grows by lines, until it is complete.
///
/// Whether it is costs as much as the input is long, so [`classify`] is asked only where the input may end, and
/// otherwise whenever it has doubled: what is wrong with it is then told before all of it is there.
#[derive(Debug, Default)]
pub struct GrowingInput {
    openings: Openings,
    /// How long the input was when it was last classified.
    asked: usize,
}

impl GrowingInput {
    /// Whether an input, which is the one of the last time with more lines, goes on in the next line.
    pub fn wants_more(&mut self, session: &Session, text: &[u8]) -> bool {
        if !self.openings.may_end(text) && text.len() < 2 * self.asked {
            return true;
        }
        self.asked = text.len();
        classify(session, text) == Input::Incomplete
    }
}

/// Whether an error is one that more text could heal: something is open, or the text ends too soon.
fn wants_more(session: &Session, error: &Diagnostic, end: usize) -> bool {
    let Some(source) = session.sources().find(error.primary.span.start) else { return false };
    // The brace before bindings is open when one of theirs took the brace behind them.
    error.code == Code::Unclosed || source.offset(error.primary.span.start) >= end
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

    /// An input is asked for until it is complete, and no further.
    #[test]
    fn inputs_grow_until_they_are_complete() {
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(MemoryIo::default()));
        for text in [
            "1",
            "1 +\n2",
            "[\n1\n]",
            "let\n  x = 1;\n  y = 2;\nin\nx",
            "let x = 1;\nin x",
            "let {\n  body = 1;\n}",
            "let\n  {\n  body = 1;\n}",
            "x = let\n  y = 1;\nin y",
            "if a then\nb\nelse if c\nthen d\nelse\ne",
            "{ a }:\n# c\n\na",
            "''\n  ''${ [\n  '''\n  ${ [\n1 ]\n}\n''",
            "\"a\\\n\\\"\n${\"\n}\"}\n\"",
            "1 + /* [\n\" */\n1",
            "[ /* a\nb\nc */ ] ++ [ /*\n] */\n# ]\n]",
            "a.b = {\n  c = 1;\n};",
            "f (\n./a/${\nb}/c\n)",
            "assert true;\nwith a;\nb",
        ] {
            let ends: Vec<_> = text.match_indices('\n').map(|(at, _)| at).chain([text.len()]).collect();
            let mut growing = GrowingInput::default();
            for end in ends {
                let wants_more = growing.wants_more(&session, &text.as_bytes()[..end]);
                assert_eq!(wants_more, end < text.len(), "{}", &text[..end]);
            }
        }
        // What is wrong already is told soon.
        let (mut growing, wrong) = (GrowingInput::default(), format!("[\n{}", ")\n1\n".repeat(20)));
        let ends = wrong.match_indices('\n').map(|(at, _)| at);
        let asked = ends.take_while(|&end| growing.wants_more(&session, &wrong.as_bytes()[..end])).count();
        assert!(asked < 4, "{asked}");
    }

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
            ("x = {", Input::Incomplete),
            ("x = { a = 1;", Input::Incomplete),
            ("x = { a = { b = 1; };", Input::Incomplete),
            ("x = { a = 1; } }", Input::Bindings),
            ("x = 1; y = f: {", Input::Incomplete),
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
