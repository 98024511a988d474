//! Which bracket is not closed: told by the indentation of those that are.
//!
//! The parser pairs brackets as they come, so a missing one is noticed at the end of the file only. People indent what
//! stands in brackets: where a closing bracket begins a line that is indented less than the line of its opener, the
//! opener's own bracket is likely the missing one.

use crate::syntax::lexer::{Keyword, Token, lex};
use crate::syntax::strings::{self, Stop};
use std::ops::Range;

/// A bracket without its partner.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclosed {
    pub(super) opener: Range<usize>,
    pub(super) close: &'static str,
    /// A bracket that closes it, though it seems meant for another.
    pub(super) misleading: Option<usize>,
}

/// A string or bracket that is open while scanning.
#[derive(Debug, Clone)]
struct Open {
    range: Range<usize>,
    close: &'static str,
}

/// An event of a scan over brackets.
struct Scan<'t> {
    text: &'t [u8],
    open: Vec<Open>,
    at: usize,
    suspect: Option<(Open, usize)>,
}

/// The bracket that is most likely the one without a partner, if there is any at the end of the text.
pub(super) fn find_unclosed(text: &[u8]) -> Option<Unclosed> {
    let mut scan = Scan { text, open: Vec::new(), at: 0, suspect: None };
    while scan.step() {}
    let last = scan.open.last()?.clone();
    let (found, misleading) = match scan.suspect {
        Some((suspect, at)) => (suspect, Some(at)),
        None => (last, None),
    };
    Some(Unclosed { opener: found.range, close: found.close, misleading })
}

/// Whether a list that is open at an offset is closed before anything that cannot stand in it.
pub(super) fn closes_soon(text: &[u8], offset: usize) -> bool {
    let list = Open { range: offset..offset, close: "]" };
    let mut scan = Scan { text, open: vec![list], at: offset, suspect: None };
    loop {
        let next = lex(text, scan.at);
        match next.token {
            Token::Symbol("]") if scan.open.len() == 1 => return true,
            Token::Symbol("=" | "}" | ")") | Token::End if scan.open.len() == 1 => return false,
            _ => {}
        }
        if !scan.step() {
            return false;
        }
    }
}

/// The token behind the brace that closes the one at an offset.
pub(super) fn behind_brace(text: &[u8], open: usize) -> Option<Token> {
    let mut scan = Scan { text, open: Vec::new(), at: open, suspect: None };
    loop {
        if !scan.step() {
            return None;
        }
        if scan.open.is_empty() {
            return Some(lex(text, scan.at).token);
        }
    }
}

/// Whether something is bound at an offset in a `let`: whether `=` follows before a semicolon, or the `in` of that `let`.
pub(super) fn binds(text: &[u8], offset: usize) -> bool {
    let mut scan = Scan { text, open: Vec::new(), at: offset, suspect: None };
    let mut lets = 0_u32;
    let mut ended = false;
    loop {
        if scan.open.is_empty() {
            match lex(text, scan.at).token {
                Token::Keyword(Keyword::Let) => lets += 1,
                Token::Keyword(Keyword::In) if lets == 0 => return true,
                Token::Keyword(Keyword::In) => lets -= 1,
                Token::Symbol("=") if lets == 0 && !ended => return true,
                Token::Symbol(";") if lets == 0 => ended = true,
                Token::Symbol("}" | ")" | "]") => return false,
                _ => {}
            }
        }
        if !scan.step() {
            return false;
        }
    }
}

/// The start of the first string that runs over a line end up to a quote behind which text goes on at once, as it does
/// when that quote was meant to open a string.
pub(super) fn find_open_string(text: &[u8], quote: &str) -> Option<usize> {
    let mut scan = Scan { text, open: Vec::new(), at: 0, suspect: None };
    loop {
        let opened = scan.open.last().filter(|open| open.close == quote).map(|open| open.range.start);
        let depth = scan.open.len();
        if !scan.step() {
            return None;
        }
        let Some(start) = opened.filter(|_| scan.open.len() < depth) else { continue };
        let goes_on = if quote == "\"" { goes_on_at(text, scan.at) } else { stands_at_line_end(text, scan.at) };
        if goes_on && text[start..scan.at].contains(&b'\n') {
            return Some(start);
        }
    }
}

/// Whether text goes on at once behind a quote at the end of a string.
fn goes_on_at(text: &[u8], end: usize) -> bool {
    text.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || b"\"\\$/<>.,:_-".contains(byte))
}

/// Whether a `''` stands as an opening one does: behind `=` or a bracket, with nothing more on the line.
fn stands_at_line_end(text: &[u8], end: usize) -> bool {
    let before = text[..end - 2].trim_ascii_end();
    let after = text[end..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    matches!(before.last(), Some(b'=' | b'(' | b'[' | b'+')) && matches!(after, None | Some(b'\n'))
}

/// What is open at the end of a text that grows by lines: each is looked at once.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    open: Vec<Open>,
    at: usize,
    /// How many `let` wait for their `in`, and how many `if` for their `else`.
    lets: usize,
    ifs: usize,
    last: Option<Token>,
}

impl Openings {
    /// Whether nothing that can be told by brackets and words keeps a text from being complete. The text is the one of
    /// the last time, with more lines.
    pub(crate) fn may_end(&mut self, text: &[u8]) -> bool {
        let mut scan = Scan { text, open: std::mem::take(&mut self.open), at: self.at, suspect: None };
        loop {
            let in_string = matches!(scan.open.last(), Some(open) if matches!(open.close, "\"" | "''"));
            let next = lex(text, scan.at);
            if !in_string {
                self.note(next.token);
            }
            if !scan.step() {
                self.at = if next.token == Token::OpenComment && !in_string { next.start } else { text.len() };
                break;
            }
        }
        self.open = scan.open;
        let ends = match self.last {
            Some(Token::Symbol(symbol)) => matches!(symbol, ")" | "]" | "}" | ";"),
            Some(Token::Keyword(word)) => word == Keyword::Or,
            _ => true,
        };
        ends && self.open.is_empty() && self.lets == 0 && self.ifs == 0
    }

    fn note(&mut self, token: Token) {
        match token {
            Token::End | Token::OpenComment => return,
            Token::Keyword(Keyword::Let) => self.lets += 1,
            Token::Keyword(Keyword::In) => self.lets = self.lets.saturating_sub(1),
            Token::Keyword(Keyword::If) => self.ifs += 1,
            Token::Keyword(Keyword::Else) => self.ifs = self.ifs.saturating_sub(1),
            // The old form of `let` has no `in`.
            Token::Symbol("{") if self.last == Some(Token::Keyword(Keyword::Let)) => {
                self.lets = self.lets.saturating_sub(1);
            }
            _ => {}
        }
        self.last = Some(token);
    }
}

impl Scan<'_> {
    /// Takes a token, or the text of a string up to an interpolation or its end; false at the end.
    fn step(&mut self) -> bool {
        match self.open.last().map(|open| open.close) {
            Some(quote @ ("\"" | "''")) => self.step_in_string(quote),
            _ => self.step_outside(),
        }
    }

    fn step_in_string(&mut self, quote: &str) -> bool {
        let stretch =
            if quote == "\"" { strings::quoted(self.text, self.at) } else { strings::indented(self.text, self.at) };
        self.at = stretch.next;
        match stretch.stop {
            None => true,
            Some(Stop::Close) => {
                self.open.pop();
                true
            }
            Some(Stop::Interpolate) => {
                self.push(self.at - 2..self.at, "}");
                true
            }
            Some(Stop::End) => false,
        }
    }

    fn step_outside(&mut self) -> bool {
        let lexeme = lex(self.text, self.at);
        self.at = lexeme.end;
        let range = lexeme.start..lexeme.end;
        match lexeme.token {
            Token::End | Token::OpenComment => return false,
            Token::Symbol("(") => self.push(range, ")"),
            Token::Symbol("[") => self.push(range, "]"),
            Token::Symbol("{") | Token::Interpolate => self.push(range, "}"),
            Token::Quote => self.push(range, "\""),
            Token::IndentedQuote => self.push(range.start..range.start + 2, "''"),
            Token::Symbol(close @ (")" | "]" | "}")) => self.close(close, range.start),
            _ => {}
        }
        true
    }

    fn push(&mut self, range: Range<usize>, close: &'static str) {
        self.open.push(Open { range, close });
    }

    fn close(&mut self, close: &str, at: usize) {
        // A bracket in an interpolation closes none outside of the string.
        let string = self.open.iter().rposition(|open| matches!(open.close, "\"" | "''")).map_or(0, |index| index + 1);
        let Some(index) = self.open[string..].iter().rposition(|open| open.close == close) else { return };
        let index = string + index;
        let opener = self.open[index].clone();
        self.open.truncate(index);
        if self.suspect.is_none()
            && self.is_first_on_line(at)
            && self.indentation(at) < self.indentation(opener.range.start)
        {
            self.suspect = Some((opener, at));
        }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)
    }

    fn indentation(&self, at: usize) -> usize {
        let line = &self.text[self.line_start(at)..];
        line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }

    fn is_first_on_line(&self, at: usize) -> bool {
        self.line_start(at) + self.indentation(at) == at
    }
}
