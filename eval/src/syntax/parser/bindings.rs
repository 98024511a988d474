//! Bindings: of attribute sets and `let`, and going on after an error in one.

use super::{MAX_ERRORS, Parser};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::syntax::ast::{AttrName, AttrSet};
use crate::syntax::attr_set::AttrSetBuilder;
use crate::syntax::kind::Kind;
use crate::syntax::lexer::{Keyword, Lexeme, Token};
use crate::syntax::record::Recorder;

impl<R: Recorder> Parser<'_, R> {
    pub(super) fn braced_bindings(&mut self, recursive: bool) -> Result<AttrSet> {
        let open = self.current;
        self.expect("{", "")?;
        let set = self.nested(|parser| parser.bindings(open, Token::Symbol("}")))?;
        self.expect_close("}", open)?;
        Ok(AttrSet { recursive, ..set })
    }

    /// Bindings up to the token `close`, which is left to the caller.
    pub(super) fn bindings(&mut self, open: Lexeme, close: Token) -> Result<AttrSet> {
        let mut builder = AttrSetBuilder::default();
        while self.current.token != close && self.current.token != Token::End {
            if let Err(error) = self.binding(&mut builder) {
                self.recover(error, open, close)?;
            }
        }
        Ok(builder.finish())
    }

    /// Notes an error in a binding and goes on behind its semicolon; gives the error back when there is none.
    pub(super) fn recover(&mut self, error: Box<Diagnostic>, open: Lexeme, close: Token) -> Result<()> {
        if matches!(error.code, Code::TooDeep | Code::Unclosed) || self.errors.len() >= MAX_ERRORS {
            return Err(error);
        }
        let mut depth = 0;
        loop {
            match self.current.token {
                Token::End | Token::OpenComment | Token::Unknown => return Err(error),
                token if depth == 0 && token == close => break,
                Token::Symbol("{" | "(" | "[") | Token::Interpolate => depth += 1,
                Token::Symbol("}" | ")" | "]") if depth == 0 => return Err(error),
                Token::Symbol("}" | ")" | "]") => depth -= 1,
                Token::Symbol(";") if depth == 0 && self.current.start >= open.end => {
                    self.next();
                    break;
                }
                Token::Quote | Token::IndentedQuote => {
                    let skipped = if self.current.token == Token::Quote { self.quoted() } else { self.indented() };
                    match skipped {
                        Ok(_) => continue,
                        Err(_) => return Err(error),
                    }
                }
                _ => {}
            }
            self.next();
        }
        self.errors.push(*error);
        Ok(())
    }

    pub(super) fn binding(&mut self, builder: &mut AttrSetBuilder) -> Result<()> {
        let start = self.current.start;
        if self.take_keyword(Keyword::Inherit) {
            self.inherit(builder)?;
            self.note(Kind::Inherit, start);
            return Ok(());
        }
        let path = self.attr_path()?;
        self.expect("=", " after the attribute's name")?;
        let value_start = self.current.start;
        let value = self.expr()?;
        if !self.take(";") {
            return Err(self.missing_semicolon(value_start));
        }
        self.note(Kind::Binding, start);
        builder.bind(self.symbols, path, value)
    }

    /// The error for a binding without its semicolon. When what follows is the `=` of the next binding, the name of that
    /// was read as an argument, so the semicolon is missing at the end of the line before.
    pub(super) fn missing_semicolon(&self, value_start: usize) -> Box<Diagnostic> {
        let error = self.unexpected("`;` after the value of an attribute");
        let next_binding = self.is("=") && self.line_end > value_start;
        if !next_binding {
            return error;
        }
        let place = self.source.span(self.line_end, self.line_end);
        Diagnostic::new(Code::Syntax, place, "`;` is missing after the value of an attribute")
            .label("`;` is missing here")
    }

    pub(super) fn inherit(&mut self, builder: &mut AttrSetBuilder) -> Result<()> {
        let open = self.current;
        let source = if self.take("(") {
            let source = self.expr()?;
            self.expect_close(")", open)?;
            self.note(Kind::InheritFrom, open.start);
            Some(builder.source(source))
        } else {
            None
        };
        while !self.is(";") {
            if self.current.token == Token::End
                || matches!(self.current.token, Token::Symbol(_) | Token::Keyword(Keyword::In))
            {
                return Err(self.unexpected("`;` after the names that are inherited"));
            }
            match self.attr_name()? {
                AttrName::Static(name, span) => builder.inherit(self.symbols, name, span, source)?,
                AttrName::Dynamic(expr) => {
                    return Err(Diagnostic::new(Code::Syntax, expr.span, "a computed name cannot be inherited")
                        .hint("bind it: `${name} = set.${name};`"));
                }
            }
        }
        self.next();
        Ok(())
    }
}
