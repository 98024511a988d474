//! Strings and paths with their interpolations.

use super::Parser;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::syntax::ast::{Expr, ExprKind, Part};
use crate::syntax::indented::{self, Piece};
use crate::syntax::lexer::{Lexeme, Token};
use crate::syntax::strings::{self, Stop, push_text};

impl Parser<'_> {
    /// `${ e }`, with the opening taken; leaves the offset behind `}` to the caller.
    pub(super) fn interpolation(&mut self, open: usize) -> Result<(Expr, usize)> {
        self.go_on_at(open + 2);
        let expr = self.expr()?;
        if !self.is("}") {
            let open = Lexeme { token: Token::Interpolate, start: open, end: open + 2 };
            return Err(self.unclosed("}", open));
        }
        Ok((expr, self.current.end))
    }

    pub(super) fn quoted(&mut self) -> Result<Vec<Part>> {
        let open = self.current;
        let mut parts = Vec::new();
        let mut at = open.end;
        loop {
            let stretch = strings::quoted(&self.source.text, at);
            push_text(&mut parts, stretch.text);
            match stretch.stop {
                Some(Stop::Interpolate) => {
                    let (expr, next) = self.interpolation(stretch.next - 2)?;
                    parts.push(Part::Expr(expr));
                    at = next;
                }
                Some(Stop::Close) => {
                    self.go_on_at(stretch.next);
                    return Ok(parts);
                }
                _ => return Err(self.open_string(open)),
            }
        }
    }

    pub(super) fn indented(&mut self) -> Result<Vec<Part>> {
        let open = self.current;
        let mut pieces = Vec::new();
        let mut at = open.end;
        loop {
            let stretch = strings::indented(&self.source.text, at);
            at = stretch.next;
            if !stretch.text.is_empty() {
                pieces.push(if stretch.escaped { Piece::Escaped(stretch.text) } else { Piece::Plain(stretch.text) });
            }
            match stretch.stop {
                None => {}
                Some(Stop::Interpolate) => {
                    let (expr, next) = self.interpolation(stretch.next - 2)?;
                    pieces.push(Piece::Expr(expr));
                    at = next;
                }
                Some(Stop::Close) => {
                    self.go_on_at(at);
                    return Ok(indented::strip(pieces));
                }
                Some(Stop::End) => return Err(self.open_string(open)),
            }
        }
    }

    pub(super) fn open_string(&self, open: Lexeme) -> Box<Diagnostic> {
        let quote = if open.token == Token::Quote { "\"" } else { "''" };
        let span = self.source.span(open.start, open.start + quote.len());
        Diagnostic::new(Code::Unclosed, span, "this string is never closed")
            .label(format!("the closing `{quote}` is missing"))
    }

    pub(super) fn path(&mut self) -> Result<Expr> {
        let first = self.current;
        let mut parts = vec![Part::Text(self.text(first).to_vec())];
        let mut at = first.end;
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
            at += length;
        }
        self.go_on_at(at);
        let span = self.span_from(first.start);
        if self.source.text[first.start..at].ends_with(b"/") {
            return Err(
                Diagnostic::new(Code::Syntax, span, "a path cannot end in a slash").hint("leave the last `/` out")
            );
        }
        Ok(Expr { kind: ExprKind::Path(parts), span })
    }
}
