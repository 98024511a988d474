//! Simple expressions, which need no brackets to be an argument, and attribute paths.

use super::recovery::{Await, Wanted};
use super::{Parser, Result, balance};
use crate::diagnostic::{Code, Diagnostic};
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
                let expr = self.apart(|parser| parser.awaiting(Await::Brace, Self::expr))?;
                if !self.take("}") {
                    self.apart(|parser| parser.expect_after(&Wanted::close("}", lexeme)))?;
                }
                self.note(Kind::Interpolation, lexeme.start);
                Ok(match &expr.kind {
                    ExprKind::String(parts) if static_text(parts).is_some() => {
                        AttrName::Static(self.symbols.intern(static_text(parts).unwrap_or_default()), expr.span)
                    }
                    _ => AttrName::Dynamic(expr),
                })
            }
            Token::Keyword(_) if !self.is_awaited() || self.previous == lexeme.start => {
                self.report(Self::keyword_as_name);
                self.next();
                self.note(Kind::Name, lexeme.start);
                Ok(AttrName::Static(self.symbols.intern(self.text(lexeme)), self.span_of(lexeme)))
            }
            _ => {
                self.report(|parser| parser.unexpected("the name of an attribute"));
                Ok(AttrName::Static(names::OR, self.span_of(lexeme)))
            }
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
            _ => self.missing_operand(),
        }
    }

    /// Deals with a token that begins no operand.
    fn missing_operand(&mut self) -> Result<Expr> {
        if let Token::Keyword(Keyword::If | Keyword::Let | Keyword::With | Keyword::Assert) = self.current.token {
            self.report(Self::needs_brackets);
            return self.expr();
        }
        self.report(Self::expected_expression);
        if self.is_awaited() || matches!(self.current.token, Token::Keyword(Keyword::Inherit)) {
            return Ok(self.placeholder());
        }
        match self.current.token {
            Token::Symbol("//") => self.skip_line(),
            Token::Interpolate => return self.interpolation_as_operand(),
            _ => self.skip()?,
        }
        self.nested(Self::operand_after_stray)
    }

    fn operand_after_stray(&mut self) -> Result<Expr> {
        if self.at_end() || self.is_awaited() { Ok(self.placeholder()) } else { self.simple() }
    }

    /// `${e}` where an operand is expected, which is reported already.
    fn interpolation_as_operand(&mut self) -> Result<Expr> {
        let start = self.current.start;
        self.attr_name()?;
        self.note(Kind::Error, start);
        Ok(self.placeholder())
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
            Err(_) => {
                let message = format!("integer {text} is too large");
                self.note_error(
                    Diagnostic::new(Code::Syntax, self.span_of(lexeme), message)
                        .hint("integers have 64 bits: the largest is 9223372036854775807"),
                );
                Ok(self.placeholder())
            }
        }
    }

    fn float(&mut self) -> Result<Expr> {
        let lexeme = self.next();
        self.note(Kind::Number, lexeme.start);
        let text = String::from_utf8_lossy(self.text(lexeme));
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Expr { kind: ExprKind::Float(number), span: self.span_of(lexeme) }),
            _ => {
                let message = format!("{text} is too large for a float");
                self.note_error(Diagnostic::new(Code::Syntax, self.span_of(lexeme), message));
                Ok(self.placeholder())
            }
        }
    }

    fn parenthesis(&mut self) -> Result<Expr> {
        let open = self.next();
        let inner = self.awaiting(Await::Parenthesis, Self::expr)?;
        if !self.take(")") {
            self.expect_after(&Wanted::close(")", open))?;
        }
        self.note(Kind::Paren, open.start);
        Ok(Expr { kind: inner.kind, span: self.span_from(open.start) })
    }

    fn list(&mut self) -> Result<Expr> {
        let open = self.next();
        let items = self.awaiting(Await::Bracket, Self::items)?;
        if !self.take("]") {
            self.expect_after(&Wanted::close("]", open))?;
        }
        Ok(self.finish(Kind::List, ExprKind::List(items), open.start))
    }

    /// The items of a list, up to its end.
    fn items(&mut self) -> Result<Vec<Expr>> {
        let mut items = Vec::new();
        // One mistake in a list is reported, not what follows from it.
        let mut wrong = false;
        while !self.is("]") {
            if self.starts_simple() {
                items.push(self.nested(Self::select)?);
                continue;
            }
            if matches!(self.current.token, Token::Symbol(")" | "}")) || !wrong && self.ends_list() {
                break;
            }
            if wrong && (self.at_end() || self.is_awaited() && !matches!(self.current.token, Token::Symbol("," | ";")))
            {
                break;
            }
            if !wrong {
                self.report(Self::not_an_item);
            }
            wrong = true;
            self.stray_item()?;
        }
        Ok(items)
    }

    fn stray_item(&mut self) -> Result<()> {
        match self.current.token {
            Token::Interpolate => drop(self.interpolation_as_operand()?),
            Token::Keyword(Keyword::If | Keyword::Let | Keyword::With | Keyword::Assert) => drop(self.expr()?),
            _ => self.skip()?,
        }
        Ok(())
    }

    /// Whether a list ends before the current token, its bracket missing.
    fn ends_list(&mut self) -> bool {
        if !matches!(self.current.token, Token::Symbol(";" | ",")) || self.at_end() {
            return self.is_awaited();
        }
        let next = self.behind(self.current);
        self.is_awaited() && !(self.may_detour() && balance::closes_soon(&self.source.text, next.start))
    }

    fn attrs(&mut self) -> Result<Expr> {
        let start = self.current.start;
        let recursive = self.take_keyword(Keyword::Rec);
        match self.braced_bindings(recursive)? {
            Some(set) => Ok(self.finish(Kind::AttrSet, ExprKind::Attrs(Box::new(set)), start)),
            None => self.nested(|parser| parser.lambda(start)),
        }
    }

    /// The old form `let { …; body = e; }`: the attribute `body` of a recursive set.
    fn let_body(&mut self) -> Result<Expr> {
        let start = self.next().start;
        let set = self.braced_bindings(true)?.unwrap_or_default();
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
