//! What functions take: a name, or a set pattern.

use super::recovery::{Await, Wanted};
use super::{Parser, Result};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::symbol::Symbol;
use crate::syntax::ast::{Formal, Pattern};
use crate::syntax::kind::Kind;
use crate::syntax::lexer::{Keyword, Lexeme, Token};
use crate::syntax::record::Recorder;

/// The names in the braces of a pattern, and whether there is a `...`.
type Formals = (Vec<Formal>, bool);

impl<R: Recorder> Parser<'_, R> {
    pub(super) fn pattern(&mut self) -> Result<Pattern> {
        if self.current.token != Token::Name {
            return self.set_pattern(None);
        }
        let name = self.next();
        self.note(Kind::Name, name.start);
        let (symbol, span) = (self.symbols.intern(self.text(name)), self.span_of(name));
        if !self.take("@") {
            return Ok(Pattern::Name(symbol, span));
        }
        self.set_pattern(Some((symbol, span)))
    }

    fn set_pattern(&mut self, mut whole: Option<(Symbol, Span)>) -> Result<Pattern> {
        let open = self.current;
        let errors = self.errors.len();
        let mut formals = (Vec::new(), false);
        if self.take("{") {
            formals = self.awaiting(Await::Brace, |parser| parser.awaiting(Await::Comma, Self::formals))?;
            if self.is(":") {
                self.report(|parser| parser.missing(&Wanted::close("}", open)));
            } else if !self.take("}") {
                self.expect_after(&Wanted::close("}", open))?;
            }
        } else {
            self.report(|parser| parser.unexpected("`{` of a set pattern"));
        }
        if whole.is_none() && self.take("@") {
            whole = self
                .name("a name for the whole set")
                .map(|name| (self.symbols.intern(self.text(name)), self.span_of(name)));
        }
        if self.errors.len() == errors {
            self.check_formals(&formals.0, whole);
        }
        Ok(Pattern::Set { formals: formals.0, open: formals.1, whole })
    }

    fn formals(&mut self) -> Result<Formals> {
        let mut formals = Vec::new();
        let mut open_ended = false;
        while !self.is("}") {
            match self.current.token {
                Token::Symbol("...") => {
                    self.next();
                    open_ended = true;
                    if self.is(",") {
                        self.report(Self::behind_dots);
                        self.next();
                    }
                    continue;
                }
                Token::Name | Token::Keyword(_) if !self.is_awaited() => formals.push(self.formal()?),
                _ if self.is_awaited() && !self.is(",") => break,
                _ => {
                    self.report(|parser| parser.unexpected("the name of an argument"));
                    self.skip()?;
                    continue;
                }
            }
            if !self.take(",") && !self.separate()? {
                break;
            }
        }
        Ok((formals, open_ended))
    }

    /// Deals with what stands in place of a comma; false at the end of the pattern.
    fn separate(&mut self) -> Result<bool> {
        match self.current.token {
            Token::Symbol("}") => Ok(false),
            Token::Symbol(";") if self.argument_follows() => {
                self.report(|parser| parser.unexpected("`,`").hint("arguments are separated by `,`"));
                self.next();
                Ok(true)
            }
            Token::Name | Token::Symbol("...") | Token::Keyword(Keyword::Or) => {
                self.report(|parser| {
                    let message = "`,` is missing after an argument";
                    Diagnostic::new(Code::Syntax, parser.behind_previous(), message).label("add `,` here")
                });
                Ok(true)
            }
            Token::Symbol(":") => Ok(false),
            _ if self.is_awaited() => Ok(false),
            _ => {
                self.report(|parser| parser.unexpected("`,` or `}`"));
                self.skip()?;
                if self.starts_simple() && self.current.token != Token::Name {
                    self.expr()?;
                }
                Ok(self.take(",") || !self.is("}"))
            }
        }
    }

    /// Whether behind the current token there is an argument and what can follow one.
    fn argument_follows(&self) -> bool {
        let name = self.behind(self.current);
        let after = self.behind(name).token;
        matches!(name.token, Token::Name | Token::Symbol("..."))
            && matches!(after, Token::Symbol("," | "?" | "}" | ";"))
    }

    fn behind_dots(&self) -> Box<Diagnostic> {
        let last = self.behind(self.current).token == Token::Symbol("}");
        let error = self.unexpected("`}`");
        if last { error.hint("no comma follows `...`") } else { error.hint("`...` comes last") }
    }

    fn formal(&mut self) -> Result<Formal> {
        let lexeme = self.current;
        if matches!(lexeme.token, Token::Keyword(keyword) if keyword != Keyword::Or) {
            self.report(Self::keyword_as_name);
            self.next();
            self.note(Kind::Name, lexeme.start);
        } else {
            self.name("the name of an argument");
        }
        if self.is("=") {
            self.report(|parser| parser.unexpected("`,` or `?`").hint("a default is written `name ? value`"));
            self.next();
            self.expr()?;
        }
        let default = if self.take("?") { Some(self.expr()?) } else { None };
        self.note(Kind::Formal, lexeme.start);
        Ok(Formal { name: self.symbols.intern(self.text(lexeme)), span: self.span_of(lexeme), default })
    }

    fn name(&mut self, what: &str) -> Option<Lexeme> {
        if !matches!(self.current.token, Token::Name | Token::Keyword(Keyword::Or)) {
            self.report(|parser| parser.unexpected(what));
            return None;
        }
        let name = self.next();
        self.note(Kind::Name, name.start);
        Some(name)
    }

    fn check_formals(&mut self, formals: &[Formal], whole: Option<(Symbol, Span)>) {
        let mut seen = rustc_hash::FxHashMap::default();
        let all = formals.iter().map(|formal| (formal.name, formal.span)).chain(whole);
        for (name, span) in all {
            if let Some(first) = seen.insert(name, span) {
                let message = format!("argument `{}` is named twice", self.symbols.display(name));
                self.note_error(
                    Diagnostic::new(Code::DuplicateName, span, message)
                        .label("named again here")
                        .also(first, "first named here"),
                );
            }
        }
    }
}
