//! Going on after an error.
//!
//! Every construct says which token it waits for ([`Await`]). A token that fits nowhere, and that no construct around waits
//! for, is a stray: it is reported and skipped. A token that somebody waits for is left to them: what was expected
//! before it is missing, which is reported, and parsing goes on as if it were there. At one token one error is
//! reported, so that one mistake gives one report.

use super::{GaveUp, MAX_ERRORS, Parser, Result};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::kind::Kind;
use crate::syntax::lexer::{Keyword, Lexeme, Token, lex};
use crate::syntax::record::Recorder;

/// A token that a construct waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Await {
    Parenthesis,
    Bracket,
    Brace,
    Semicolon,
    Comma,
    In,
    Then,
    Else,
}

impl Await {
    /// What a token is to who waits for it.
    pub(super) fn of(token: Token) -> Option<Self> {
        Some(match token {
            Token::Symbol(")") => Self::Parenthesis,
            Token::Symbol("]") => Self::Bracket,
            Token::Symbol("}") => Self::Brace,
            Token::Symbol(";") => Self::Semicolon,
            Token::Symbol(",") => Self::Comma,
            Token::Keyword(Keyword::In) => Self::In,
            Token::Keyword(Keyword::Then) => Self::Then,
            Token::Keyword(Keyword::Else) => Self::Else,
            _ => return None,
        })
    }
}

/// How many constructs around wait for each token.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Awaited([u32; 8]);

/// What is expected behind an expression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) token: Token,
    pub(super) text: &'static str,
    /// In what: `with`, `if`, `the value of an attribute`.
    pub(super) of: &'static str,
    /// The token that opened the construct.
    pub(super) open: Option<Lexeme>,
}

impl Wanted {
    pub(super) const END: Self = Self { token: Token::End, text: "", of: "", open: None };

    pub(super) const fn close(text: &'static str, open: Lexeme) -> Self {
        Self { token: Token::Symbol(text), text, of: "", open: Some(open) }
    }

    pub(super) const fn keyword(text: &'static str, keyword: Keyword, of: &'static str, open: Lexeme) -> Self {
        Self { token: Token::Keyword(keyword), text, of, open: Some(open) }
    }

    pub(super) const fn semicolon_of(of: &'static str, open: Lexeme) -> Self {
        Self { token: Token::Symbol(";"), text: ";", of, open: Some(open) }
    }

    /// The `;` of a binding.
    pub(super) const BINDING: Self =
        Self { token: Token::Symbol(";"), text: ";", of: "the value of an attribute", open: None };

    /// The `;` of an `inherit`.
    pub(super) const INHERIT: Self =
        Self { token: Token::Symbol(";"), text: ";", of: "the names that are inherited", open: None };

    fn is_binding(&self) -> bool {
        self.token == Token::Symbol(";") && self.open.is_none()
    }
}

/// How often the parser may go back or look far ahead in one text, which bounds the time that it takes.
const MAX_DETOURS: u32 = 50;

impl<R: Recorder> Parser<'_, R> {
    /// Runs a parser of something that ends before a token.
    pub(super) fn awaiting<T>(&mut self, token: Await, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.awaited.0[token as usize] += 1;
        let result = parse(self);
        self.awaited.0[token as usize] -= 1;
        result
    }

    /// Runs a parser of something that no token of what is around it can end.
    pub(super) fn apart<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let around = std::mem::take(&mut self.awaited);
        let result = parse(self);
        self.awaited = around;
        result
    }

    pub(super) fn awaits(&self, token: Await) -> bool {
        self.awaited.0[token as usize] > 0
    }

    /// Whether something around waits for the current token.
    pub(super) fn is_awaited(&self) -> bool {
        self.at_end() || Await::of(self.current.token).is_some_and(|token| self.awaits(token))
    }

    /// Whether bindings are around, so that another binding may come.
    fn in_bindings(&self) -> bool {
        self.awaits(Await::Semicolon) && (self.awaits(Await::Brace) || self.awaits(Await::In))
    }

    /// Notes an error, wherever it is.
    pub(super) fn note_error(&mut self, error: Box<Diagnostic>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(*error);
        }
    }

    /// Notes an error at the current token, unless there is one already.
    pub(super) fn report(&mut self, error: impl FnOnce(&Self) -> Box<Diagnostic>) {
        let last = std::mem::replace(&mut self.reported_at, self.current.start);
        // Quotes of another language come in pairs.
        let is_pair = self.current.token == Token::Unknown
            && self.source.text.get(last..self.current.start).is_some_and(|between| !between.contains(&b'\n'));
        if last != self.current.start && !is_pair {
            self.note_error(error(self));
        }
    }

    /// The empty place behind the last token.
    pub(super) fn behind_previous(&self) -> Span {
        self.source.span(self.previous, self.previous)
    }

    /// What stands for an expression that is missing.
    pub(super) fn placeholder(&self) -> Expr {
        Expr { kind: ExprKind::List(Vec::new()), span: self.span_of(self.current) }
    }

    /// Skips a token that fits nowhere; a string whole.
    pub(super) fn skip(&mut self) -> Result<()> {
        let start = self.current.start;
        match self.current.token {
            Token::End | Token::OpenComment => return Ok(()),
            Token::Quote => drop(self.quoted()?),
            Token::IndentedQuote => drop(self.indented()?),
            _ => drop(self.next()),
        }
        self.note(Kind::Error, start);
        Ok(())
    }

    /// Skips all that is left.
    pub(super) fn skip_rest(&mut self) {
        let start = self.current.start;
        while self.current.token != Token::End {
            self.next();
        }
        self.note(Kind::Error, start);
    }

    /// Skips up to the end of the line.
    pub(super) fn skip_line(&mut self) {
        let start = self.current.start;
        let line_end = self.source.text[start..].iter().position(|&byte| byte == b'\n');
        let end = line_end.map_or(self.source.text.len(), |length| start + length);
        self.recorder.token(Token::Unknown, start, end);
        self.go_on_at(end);
    }

    /// Whether a line ends between the last token and a place.
    pub(super) fn on_new_line(&self, before: usize, start: usize) -> bool {
        self.source.text[before..start].contains(&b'\n')
    }

    /// Goes back to before the last operand, if it can be the name of a binding or argument that begins there.
    pub(super) fn go_back(&mut self) -> bool {
        let operand = self.last_operand;
        let first = lex(&self.source.text, operand.before).token;
        let is_name = matches!(first, Token::Name | Token::Quote | Token::Keyword(Keyword::Or));
        let adjoins = operand.end == self.previous && operand.before < operand.start;
        if !is_name || !adjoins || operand.end - operand.start > 1000 || !self.may_detour() {
            return false;
        }
        self.rewind(operand.before);
        true
    }

    /// Goes back to an offset behind a token.
    pub(super) fn rewind(&mut self, offset: usize) {
        self.recorder.rewind(offset);
        self.go_on_at(offset);
    }

    /// Whether the parser may go back or look far ahead once more.
    pub(super) fn may_detour(&mut self) -> bool {
        self.detours += 1;
        self.detours <= MAX_DETOURS
    }

    /// Takes a token that must stand behind an expression, after skipping what cannot stand there. When it is missing,
    /// that is reported.
    pub(super) fn expect_after(&mut self, wanted: &Wanted) -> Result<()> {
        self.expect_before(wanted)?;
        if self.current.token == wanted.token && wanted.token != Token::End {
            self.next();
        }
        Ok(())
    }

    /// As [`Self::expect_after`], but leaves the token to the caller.
    pub(super) fn expect_before(&mut self, wanted: &Wanted) -> Result<()> {
        loop {
            if self.current.token == wanted.token {
                return Ok(());
            }
            if self.closes_wrongly(wanted) {
                self.report(|parser| parser.missing(wanted));
                return self.skip();
            }
            let start = self.current.start;
            if !self.absorb(wanted)? {
                self.report(|parser| parser.missing(wanted));
                return Ok(());
            }
            if self.current.start == start {
                // Nothing was consumed, which must not happen; going on would not end.
                self.report(|parser| parser.unexpected(wanted.text));
                return Err(GaveUp);
            }
        }
    }

    /// Reports and takes something that cannot stand behind an expression; false when it is to be left to others.
    fn absorb(&mut self, wanted: &Wanted) -> Result<bool> {
        if self.current.token == Token::Symbol("=") && wanted.token == Token::End {
            self.report(|parser| parser.equals_here(wanted));
            return Ok(false);
        }
        if self.at_end() || wanted.token == Token::End && self.is_trailing() {
            return Ok(false);
        }
        match self.current.token {
            Token::Symbol("=") => self.absorb_equals(wanted),
            Token::Symbol(":") => {
                self.report(Self::function_without_brackets);
                self.next();
                self.absorb_operand()
            }
            Token::Keyword(Keyword::If | Keyword::Let | Keyword::With | Keyword::Assert) => {
                if wanted.token == Token::Symbol(";") && self.on_new_line(self.previous, self.current.start) {
                    return Ok(false);
                }
                self.report(Self::needs_brackets);
                self.expr()?;
                Ok(true)
            }
            Token::Keyword(Keyword::Inherit) if self.in_bindings() || wanted.is_binding() => Ok(false),
            Token::Symbol("}") if wanted.is_binding() && self.is_second_brace() => {
                self.report(|parser| parser.stray(wanted));
                self.skip()?;
                Ok(true)
            }
            _ if self.is_awaited() && !self.wanted_follows(wanted) => Ok(false),
            token if self.begins_binding(token, wanted) => Ok(false),
            _ => {
                self.report(|parser| parser.stray(wanted));
                self.skip()?;
                self.absorb_operand()
            }
        }
    }

    /// Whether the text behind the file's expression is to be skipped whole.
    fn is_trailing(&self) -> bool {
        matches!(self.current.token, Token::Symbol("}" | ")" | "]" | ";" | ",") | Token::Name)
    }

    fn absorb_equals(&mut self, wanted: &Wanted) -> Result<bool> {
        let operand = self.last_operand;
        let new_line = self.on_new_line(operand.before, operand.start);
        let binds = self.in_bindings() && new_line || wanted.is_binding();
        if binds && self.go_back() {
            return Ok(false);
        }
        self.report(|parser| parser.equals_here(wanted));
        self.next();
        self.absorb_operand()
    }

    /// Takes an operation, if one starts here.
    fn absorb_operand(&mut self) -> Result<bool> {
        if self.starts_simple() || matches!(self.current.token, Token::Symbol("!" | "-")) {
            self.expr()?;
        }
        Ok(true)
    }

    /// Whether a brace that would end the last set around is followed by a semicolon, which then belongs to the binding.
    fn is_second_brace(&self) -> bool {
        !self.awaits(Await::Semicolon) && self.behind(self.current).token == Token::Symbol(";")
    }

    /// Whether a closing bracket stands where another one is wanted, and nothing around waits for it.
    fn closes_wrongly(&self, wanted: &Wanted) -> bool {
        matches!(wanted.token, Token::Symbol(")" | "]" | "}"))
            && matches!(self.current.token, Token::Symbol(")" | "]" | "}"))
            && !self.is_awaited()
    }

    /// Whether what is wanted stands behind the current token, which is then one too many.
    fn wanted_follows(&self, wanted: &Wanted) -> bool {
        let next = self.behind(self.current);
        let follows = matches!(self.current.token, Token::Symbol(";" | ","))
            && wanted.token != Token::End
            && next.token == wanted.token;
        // A brace on another line hardly closes `${`, but a set around it.
        let interpolation = wanted.open.is_some_and(|open| open.token == Token::Interpolate);
        follows && !(interpolation && self.on_new_line(self.current.end, next.start))
    }

    /// Whether the token seems to begin the next binding, so that the end of this one is missing.
    fn begins_binding(&self, token: Token, wanted: &Wanted) -> bool {
        let is_name = matches!(token, Token::Name | Token::Quote | Token::Interpolate);
        is_name && (self.in_bindings() || wanted.is_binding()) && self.on_new_line(self.previous, self.current.start)
    }

    /// Whether the last operand and the `?` here are an argument and its default, with the comma before it missing.
    pub(super) fn is_default_without_comma(&mut self) -> bool {
        let operand = self.last_operand;
        if !self.awaits(Await::Comma) || !self.on_new_line(operand.before, operand.start) {
            return false;
        }
        let default = self.behind(self.current).token;
        let is_name = matches!(default, Token::Name | Token::Quote | Token::Interpolate | Token::Keyword(Keyword::Or));
        !is_name && self.go_back()
    }
}
