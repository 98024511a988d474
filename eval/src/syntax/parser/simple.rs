//! Simple expressions, which need no brackets to be an argument, and attribute paths.

use super::Parser;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::symbol::names;
use crate::syntax::ast::{AttrName, Expr, ExprKind, Part};
use crate::syntax::kind::Kind;
use crate::syntax::lexer::{Keyword, Token};
use crate::syntax::record::Recorder;

impl<R: Recorder> Parser<'_, R> {
    pub(super) fn attr_path(&mut self) -> Result<Vec<AttrName>> {
        let start = self.current.start;
        let mut path = vec![self.attr_name()?];
        while self.take(".") {
            path.push(self.attr_name()?);
        }
        self.note(Kind::AttrPath, start);
        Ok(path)
    }

    pub(super) fn attr_name(&mut self) -> Result<AttrName> {
        let lexeme = self.current;
        match lexeme.token {
            Token::Name | Token::Keyword(Keyword::Or) => {
                self.next();
                self.note(Kind::Name, lexeme.start);
                Ok(AttrName::Static(self.symbols.intern(self.text(lexeme)), self.span_of(lexeme)))
            }
            Token::Quote => {
                let parts = self.quoted()?;
                let span = self.span_from(lexeme.start);
                self.note(Kind::String, lexeme.start);
                Ok(match static_text(&parts) {
                    Some(text) => AttrName::Static(self.symbols.intern(text), span),
                    None => AttrName::Dynamic(Expr { kind: ExprKind::String(parts), span }),
                })
            }
            Token::Interpolate => {
                self.next();
                let expr = self.expr()?;
                self.expect_close("}", lexeme)?;
                self.note(Kind::Interpolation, lexeme.start);
                Ok(match &expr.kind {
                    ExprKind::String(parts) if static_text(parts).is_some() => {
                        AttrName::Static(self.symbols.intern(static_text(parts).unwrap_or_default()), expr.span)
                    }
                    _ => AttrName::Dynamic(expr),
                })
            }
            _ => Err(self.unexpected("the name of an attribute")),
        }
    }

    pub(super) fn simple(&mut self) -> Result<Expr> {
        let lexeme = self.current;
        let start = lexeme.start;
        match lexeme.token {
            Token::Name => Ok(self.variable()),
            Token::Int => self.int(),
            Token::Float => self.float(),
            Token::Quote => {
                let parts = self.quoted()?;
                Ok(self.finish(Kind::String, ExprKind::String(parts), start))
            }
            Token::IndentedQuote => {
                let parts = self.indented()?;
                Ok(self.finish(Kind::IndentedString, ExprKind::String(parts), start))
            }
            Token::Path | Token::PathStart => self.path(),
            Token::SearchPath => {
                self.next();
                let name = self.text(lexeme);
                Ok(self.finish(Kind::SearchPath, ExprKind::SearchPath(name[1..name.len() - 1].to_vec()), start))
            }
            Token::Uri => {
                self.next();
                Ok(self.finish(Kind::Uri, ExprKind::String(vec![Part::Text(self.text(lexeme).to_vec())]), start))
            }
            Token::Symbol("(") => self.parenthesis(),
            Token::Symbol("[") => self.list(),
            Token::Symbol("{") | Token::Keyword(Keyword::Rec) => self.attrs(),
            Token::Keyword(Keyword::Let) if self.let_has_brace() => self.let_body(),
            Token::Keyword(_) => Err(self.unexpected("an expression").hint("put the inner expression in brackets")),
            _ => Err(self.unexpected("an expression")),
        }
    }

    fn variable(&mut self) -> Expr {
        let lexeme = self.next();
        self.note(Kind::Variable, lexeme.start);
        let symbol = self.symbols.intern(self.text(lexeme));
        let kind = if symbol == names::CUR_POS { ExprKind::CurrentPosition } else { ExprKind::Variable(symbol) };
        Expr { kind, span: self.span_of(lexeme) }
    }

    fn int(&mut self) -> Result<Expr> {
        let lexeme = self.next();
        self.note(Kind::Number, lexeme.start);
        let text = String::from_utf8_lossy(self.text(lexeme));
        match text.parse() {
            Ok(number) => Ok(Expr { kind: ExprKind::Int(number), span: self.span_of(lexeme) }),
            Err(_) => Err(Diagnostic::new(Code::Syntax, self.span_of(lexeme), format!("integer {text} is too large"))
                .hint("integers have 64 bits: the largest is 9223372036854775807")),
        }
    }

    fn float(&mut self) -> Result<Expr> {
        let lexeme = self.next();
        self.note(Kind::Number, lexeme.start);
        let text = String::from_utf8_lossy(self.text(lexeme));
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Expr { kind: ExprKind::Float(number), span: self.span_of(lexeme) }),
            _ => Err(Diagnostic::new(Code::Syntax, self.span_of(lexeme), format!("{text} is too large for a float"))),
        }
    }

    fn parenthesis(&mut self) -> Result<Expr> {
        let open = self.next();
        let inner = self.expr()?;
        self.expect_close(")", open)?;
        self.note(Kind::Paren, open.start);
        Ok(Expr { kind: inner.kind, span: self.span_from(open.start) })
    }

    fn list(&mut self) -> Result<Expr> {
        let open = self.next();
        let mut items = Vec::new();
        while !self.is("]") {
            if self.current.token == Token::End {
                return Err(self.unclosed("]", open));
            }
            items.push(self.nested(Self::select)?);
        }
        self.next();
        Ok(self.finish(Kind::List, ExprKind::List(items), open.start))
    }

    fn attrs(&mut self) -> Result<Expr> {
        let start = self.current.start;
        let recursive = self.take_keyword(Keyword::Rec);
        let set = self.braced_bindings(recursive)?;
        Ok(self.finish(Kind::AttrSet, ExprKind::Attrs(Box::new(set)), start))
    }

    /// The old form `let { …; body = e; }`: the attribute `body` of a recursive set.
    fn let_body(&mut self) -> Result<Expr> {
        let start = self.next().start;
        let set = self.braced_bindings(true)?;
        let set = Expr { kind: ExprKind::Attrs(Box::new(set)), span: self.span_from(start) };
        let body = vec![AttrName::Static(names::BODY, set.span)];
        Ok(self.finish(Kind::LetBody, ExprKind::Select(Box::new(set), body, None), start))
    }
}

/// The text of a string without interpolations.
fn static_text(parts: &[Part]) -> Option<&[u8]> {
    match parts {
        [] => Some(b""),
        [Part::Text(text)] => Some(text),
        _ => None,
    }
}
