//! What the parser notes of the text for the syntax tree. Evaluation notes nothing, and pays nothing.

use super::kind::Kind;
use super::lexer::Token;

/// Takes note of tokens and nodes while parsing.
pub(super) trait Recorder {
    /// A token was consumed. Calls come in the order of the text.
    fn token(&mut self, token: Token, start: usize, end: usize);
    /// A stretch of the text of a string or path was consumed; neighbours belong together.
    fn stretch(&mut self, kind: Kind, start: usize, end: usize);
    /// A node was finished. What it contains was finished before.
    fn node(&mut self, kind: Kind, start: usize, end: usize);
    /// The parser goes back: what was noted of the text behind the offset is void.
    fn rewind(&mut self, offset: usize);
}

/// Notes nothing.
impl Recorder for () {
    fn token(&mut self, _: Token, _: usize, _: usize) {}
    fn stretch(&mut self, _: Kind, _: usize, _: usize) {}
    fn node(&mut self, _: Kind, _: usize, _: usize) {}
    fn rewind(&mut self, _: usize) {}
}

/// A node or token with its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Notes everything.
#[derive(Debug, Default)]
pub(super) struct Recording {
    /// In the order of the text, without white space and comments.
    pub(super) tokens: Vec<Noted>,
    /// Inner before outer.
    pub(super) nodes: Vec<Noted>,
}

impl Recorder for Recording {
    fn token(&mut self, token: Token, start: usize, end: usize) {
        if start < end {
            self.tokens.push(Noted { kind: kind_of(token), start, end });
        }
    }

    fn stretch(&mut self, kind: Kind, start: usize, end: usize) {
        match self.tokens.last_mut() {
            _ if start == end => {}
            Some(last) if last.kind == kind && last.end == start => last.end = end,
            _ => self.tokens.push(Noted { kind, start, end }),
        }
    }

    fn node(&mut self, kind: Kind, start: usize, end: usize) {
        if start < end {
            self.nodes.push(Noted { kind, start, end });
        }
    }

    fn rewind(&mut self, offset: usize) {
        self.tokens.retain(|token| token.end <= offset);
        self.nodes.retain(|node| node.end <= offset);
    }
}

/// The kind of a token outside strings.
pub(super) const fn kind_of(token: Token) -> Kind {
    match token {
        Token::Name => Kind::Ident,
        Token::Int => Kind::Int,
        Token::Float => Kind::Float,
        Token::Path | Token::PathStart => Kind::PathText,
        Token::SearchPath => Kind::SearchPathText,
        Token::Uri => Kind::UriText,
        Token::Quote => Kind::Quote,
        Token::IndentedQuote => Kind::IndentedQuote,
        Token::Interpolate => Kind::InterpolationStart,
        Token::Keyword(_) => Kind::Keyword,
        Token::Symbol(_) => Kind::Symbol,
        Token::End | Token::Unknown | Token::OpenComment => Kind::Unknown,
    }
}
