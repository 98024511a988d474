//! Strings and paths with their interpolations.

use super::recovery::{Await, Wanted};
use super::{Parser, Result, balance};
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Expr, ExprKind, Part};
use crate::syntax::indented::{self, Piece};
use crate::syntax::kind::Kind;
use crate::syntax::lexer::{Lexeme, Token};
use crate::syntax::record::Recorder;
use crate::syntax::strings::{self, Stop, Stretch, push_text};

impl<R: Recorder> Parser<'_, R> {
    /// `${ e }`, with the opening taken; leaves the offset behind `}` to the caller.
    fn interpolation(&mut self, open: usize) -> Result<(Expr, usize)> {
        self.recorder.token(Token::Interpolate, open, open + 2);
        self.go_on_at(open + 2);
        let expr = self.awaiting(Await::Brace, Self::expr)?;
        if !self.is("}") {
            let open = Lexeme { token: Token::Interpolate, start: open, end: open + 2 };
            self.expect_before(&Wanted::close("}", open))?;
        }
        let mut end = self.previous;
        if self.is("}") {
            end = self.current.end;
            self.recorder.token(self.current.token, end - 1, end);
            self.recorder.node(Kind::Interpolation, open, end);
        }
        Ok((expr, end))
    }

    pub(super) fn quoted(&mut self) -> Result<Vec<Part>> {
        let open = self.current;
        let mut parts = Vec::new();
        let mut at = open.end;
        self.recorder.token(open.token, open.start, at);
        loop {
            let stretch = strings::quoted(&self.source.text, at);
            self.note_stretch(open.token, at, &stretch);
            push_text(&mut parts, stretch.text);
            match stretch.stop {
                Some(Stop::Interpolate) => {
                    let (expr, next) = self.apart(|parser| parser.interpolation(stretch.next - 2))?;
                    parts.push(Part::Expr(expr));
                    at = next;
                }
                Some(Stop::Close) => {
                    self.recorder.token(open.token, stretch.next - 1, stretch.next);
                    self.go_on_at(stretch.next);
                    return Ok(parts);
                }
                _ => {
                    self.open_string(open);
                    return Ok(parts);
                }
            }
        }
    }

    pub(super) fn indented(&mut self) -> Result<Vec<Part>> {
        let open = self.current;
        let mut pieces = Vec::new();
        let mut at = open.end;
        self.recorder.token(open.token, open.start, open.start + 2);
        self.recorder.stretch(Kind::StringText, open.start + 2, at);
        loop {
            let stretch = strings::indented(&self.source.text, at);
            self.note_stretch(open.token, at, &stretch);
            at = stretch.next;
            if !stretch.text.is_empty() {
                pieces.push(if stretch.escaped { Piece::Escaped(stretch.text) } else { Piece::Plain(stretch.text) });
            }
            match stretch.stop {
                None => {}
                Some(Stop::Interpolate) => {
                    let (expr, next) = self.apart(|parser| parser.interpolation(stretch.next - 2))?;
                    pieces.push(Piece::Expr(expr));
                    at = next;
                }
                Some(Stop::Close) => {
                    self.recorder.token(open.token, at - 2, at);
                    self.go_on_at(at);
                    return Ok(indented::strip(pieces));
                }
                Some(Stop::End) => {
                    self.open_string(open);
                    return Ok(Vec::new());
                }
            }
        }
    }

    fn note_stretch(&mut self, quote: Token, start: usize, stretch: &Stretch) {
        let behind = match stretch.stop {
            Some(Stop::Interpolate) => 2,
            Some(Stop::Close) if quote == Token::Quote => 1,
            Some(Stop::Close) => 2,
            Some(Stop::End) | None => 0,
        };
        self.recorder.stretch(Kind::StringText, start, stretch.next - behind);
    }

    /// Reports a string that is open at the end of the file, and goes on there.
    ///
    /// If strings before it look as if they ended where they should begin, the first of them is the one without its quote.
    fn open_string(&mut self, open: Lexeme) {
        self.go_on_at(self.source.text.len());
        if self.reported_at == self.current.start {
            return;
        }
        let quote = if open.token == Token::Quote { "\"" } else { "''" };
        let blamed = balance::find_open_string(&self.source.text, quote).filter(|&start| start < open.start);
        let start = blamed.unwrap_or(open.start);
        let place = self.source.pos(start);
        // What was said of the text behind it is void.
        self.errors.retain(|error| error.primary.span.start < place);
        let span = self.source.span(start, start + quote.len());
        self.report(|_| {
            Diagnostic::new(Code::Unclosed, span, "this string is never closed")
                .label(format!("the closing `{quote}` is missing"))
        });
    }

    pub(super) fn path(&mut self) -> Result<Expr> {
        let first = self.current;
        let mut parts = vec![Part::Text(self.text(first).to_vec())];
        let mut at = first.end;
        self.recorder.token(first.token, first.start, at);
        loop {
            let rest = &self.source.text[at..];
            if rest.starts_with(b"${") {
                let (expr, next) = self.interpolation(at)?;
                parts.push(Part::Expr(expr));
                at = next;
                continue;
            }
            let length = if parts.len() == 1 { 0 } else { strings::path_text(rest) };
            if length == 0 {
                break;
            }
            push_text(&mut parts, rest[..length].to_vec());
            self.recorder.stretch(Kind::PathText, at, at + length);
            at += length;
        }
        self.go_on_at(at);
        self.note(Kind::Path, first.start);
        let span = self.span_from(first.start);
        if self.source.text[first.start..at].ends_with(b"/") {
            self.note_error(
                Diagnostic::new(Code::Syntax, span, "a path cannot end in a slash").hint("leave the last `/` out"),
            );
        }
        Ok(Expr { kind: ExprKind::Path(parts), span })
    }
}
