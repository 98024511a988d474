//! Bindings: of attribute sets and `let`.

use super::recovery::{Await, Wanted};
use super::{Operand, Parser, Result, balance};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::symbol::Symbol;
use crate::syntax::ast::{AttrName, AttrSet};
use crate::syntax::attr_set::AttrSetBuilder;
use crate::syntax::kind::Kind;
use crate::syntax::lexer::{Keyword, Lexeme, Token};
use crate::syntax::record::Recorder;

/// Bindings that are being read.
struct Reading {
    builder: AttrSetBuilder,
    open: Lexeme,
    close: Token,
    /// It was found that the braces are those of a function's argument.
    is_pattern: bool,
    /// Commas or colons were met, as in JSON: that is reported once.
    foreign: bool,
}

impl<R: Recorder> Parser<'_, R> {
    /// `{ … }`; `None` when it turns out to be a function's argument, and then the parser is back at its brace.
    pub(super) fn braced_bindings(&mut self, recursive: bool) -> Result<Option<AttrSet>> {
        let (before, open) = (self.previous, self.current);
        if !self.take("{") {
            self.report(|parser| parser.unexpected("`{`"));
            return Ok(Some(AttrSet::default()));
        }
        let read = |parser: &mut Self| parser.read_bindings(open, Token::Symbol("}"));
        let reading = self.awaiting(Await::Brace, |parser| parser.nested(read))?;
        if reading.is_pattern && !recursive {
            self.rewind(before);
            return Ok(None);
        }
        if !self.take("}") {
            self.expect_after(&Wanted::close("}", open))?;
        }
        Ok(Some(AttrSet { recursive, ..reading.builder.finish() }))
    }

    /// Bindings up to the token `close`, which is left to the caller.
    pub(super) fn bindings(&mut self, open: Lexeme, close: Token) -> Result<AttrSet> {
        Ok(self.read_bindings(open, close)?.builder.finish())
    }

    fn read_bindings(&mut self, open: Lexeme, close: Token) -> Result<Reading> {
        let mut reading =
            Reading { builder: AttrSetBuilder::default(), open, close, is_pattern: false, foreign: false };
        while self.current.token != close && !self.at_end() && !reading.is_pattern {
            let start = self.current.start;
            let going_on = match self.current.token {
                Token::Name | Token::Quote | Token::Interpolate | Token::Keyword(Keyword::Inherit | Keyword::Or) => {
                    self.binding(&mut reading)?
                }
                _ => self.no_binding(&mut reading)?,
            };
            if !going_on {
                break;
            }
            if self.current.start == start {
                self.skip()?;
            }
        }
        Ok(reading)
    }

    /// Deals with a token that begins no binding; false when the bindings end before it.
    fn no_binding(&mut self, reading: &mut Reading) -> Result<bool> {
        let token = self.current.token;
        match token {
            Token::Symbol("//") => {
                self.report(|parser| parser.unexpected("the name of an attribute").hint("a comment begins with `#`"));
                self.skip_line();
            }
            Token::Keyword(_) if self.is_keyword_bound() => {
                return self.binding(reading);
            }
            Token::Symbol(_) | Token::Keyword(Keyword::Then | Keyword::Else | Keyword::In)
                if self.is_left_to_others() =>
            {
                return Ok(false);
            }
            _ if reading.close == Token::Keyword(Keyword::In) && self.body_begins(reading.open, self.current.start) => {
                return Ok(false);
            }
            Token::Symbol(")" | "]" | "}") => {
                let next = self.behind(self.current).token;
                let goes_on = matches!(next, Token::Name | Token::Quote | Token::Keyword(Keyword::Inherit));
                if !goes_on {
                    return Ok(false);
                }
                self.report(Self::expected_expression);
                self.skip()?;
            }
            _ => {
                self.report(|parser| parser.unexpected("the name of an attribute"));
                self.skip_binding()?;
            }
        }
        Ok(true)
    }

    /// Whether a token that is no binding is awaited outside; semicolons and commas are not worth leaving bindings for.
    fn is_left_to_others(&self) -> bool {
        self.is_awaited() && !matches!(self.current.token, Token::Symbol(";" | ","))
    }

    /// Whether the current keyword stands where a name is bound: `if = 1;`, `then.x = 2;`
    fn is_keyword_bound(&self) -> bool {
        matches!(self.behind(self.current).token, Token::Symbol("=" | "."))
    }

    /// Whether in a `let` the body begins at an offset, with `in` missing before it: whether nothing is bound there.
    fn body_begins(&mut self, open: Lexeme, offset: usize) -> bool {
        offset > open.end && self.may_detour() && !balance::binds(&self.source.text, offset)
    }

    /// Skips to behind the next semicolon, or to what ends the bindings.
    fn skip_binding(&mut self) -> Result<()> {
        let start = self.current.start;
        let mut depth = 0_u32;
        loop {
            match self.current.token {
                Token::End | Token::OpenComment => break,
                Token::Symbol(";") if depth == 0 => {
                    self.next();
                    break;
                }
                Token::Symbol("{" | "(" | "[") | Token::Interpolate => depth += 1,
                Token::Symbol("}" | ")" | "]") | Token::Keyword(Keyword::In) if depth == 0 => break,
                Token::Symbol("}" | ")" | "]") => depth -= 1,
                Token::Quote | Token::IndentedQuote => {
                    self.skip()?;
                    continue;
                }
                _ => {}
            }
            self.next();
        }
        self.note(Kind::Error, start);
        Ok(())
    }

    /// A binding; false when the bindings end before it.
    fn binding(&mut self, reading: &mut Reading) -> Result<bool> {
        let (before, start, errors) = (self.previous, self.current.start, self.errors.len());
        if self.take_keyword(Keyword::Inherit) {
            self.inherit(&mut reading.builder)?;
            self.note(Kind::Inherit, start);
            return Ok(true);
        }
        let path = self.attr_path()?;
        if !self.take("=") {
            match self.missing_equals(reading, start)? {
                NoEquals::GoOn => {}
                NoEquals::Ended => {
                    self.note(Kind::Binding, start);
                    return Ok(true);
                }
                NoEquals::Leave => {
                    self.rewind(before);
                    return Ok(false);
                }
            }
        }
        let value_start = self.current.start;
        let value = self.awaiting(Await::Semicolon, Self::expr)?;
        if !self.take(";") {
            self.end_binding(reading, value_start)?;
        }
        self.note(Kind::Binding, start);
        if self.errors.len() == errors
            && let Err(error) = reading.builder.bind(self.symbols, path, value)
        {
            self.note_error(error);
        }
        Ok(true)
    }

    /// Deals with a name that no `=` follows.
    fn missing_equals(&mut self, reading: &mut Reading, start: usize) -> Result<NoEquals> {
        if self.turns_out_as_pattern(reading) {
            return Ok(NoEquals::Ended);
        }
        let in_let = reading.close == Token::Keyword(Keyword::In);
        let token = self.current.token;
        match token {
            Token::Symbol(":" | "==") => {
                if !reading.foreign || token == Token::Symbol("==") {
                    self.report(|parser| parser.no_equals());
                }
                reading.foreign |= self.next().token == Token::Symbol(":");
                self.take("=");
                Ok(NoEquals::GoOn)
            }
            _ if in_let && self.body_begins(reading.open, start) => Ok(NoEquals::Leave),
            Token::Symbol(";" | ",") => {
                self.report(|parser| parser.no_equals());
                self.next();
                Ok(NoEquals::Ended)
            }
            Token::Name | Token::Quote if self.on_new_line(self.previous, self.current.start) => {
                self.report(|parser| parser.no_equals());
                Ok(NoEquals::Ended)
            }
            _ if self.starts_simple() => {
                self.report(|parser| parser.no_equals());
                Ok(NoEquals::GoOn)
            }
            _ => {
                self.report(|parser| parser.no_equals());
                self.skip_binding()?;
                Ok(NoEquals::Ended)
            }
        }
    }

    fn no_equals(&self) -> Box<Diagnostic> {
        let error = self.unexpected("`=` after the attribute's name");
        match self.current.token {
            Token::Symbol(":" | "==") => error.hint("an attribute is written `name = value;`"),
            Token::Symbol(";" | "," | "}") => error.hint("to take a name from the surroundings, write `inherit name;`"),
            _ => error,
        }
    }

    /// Whether the braces are those of a function's argument, which a first look did not show.
    fn turns_out_as_pattern(&mut self, reading: &mut Reading) -> bool {
        let is_pattern = matches!(self.current.token, Token::Symbol("," | ";" | "}") | Token::Name)
            && reading.close == Token::Symbol("}")
            && self.may_detour()
            && matches!(balance::behind_brace(&self.source.text, reading.open.start), Some(Token::Symbol(":" | "@")));
        reading.is_pattern |= is_pattern;
        is_pattern
    }

    /// Ends a binding that has no semicolon behind its value.
    fn end_binding(&mut self, reading: &mut Reading, value_start: usize) -> Result<()> {
        if self.is(",") {
            if self.turns_out_as_pattern(reading) {
                return Ok(());
            }
            if !reading.foreign {
                self.report(|parser| {
                    parser.unexpected("`;` after the value of an attribute").hint("attributes end in `;`, not in `,`")
                });
            }
            reading.foreign = true;
            self.next();
            return Ok(());
        }
        if reading.foreign && self.current.token == reading.close {
            return Ok(());
        }
        if self.is("=") && self.last_operand.start <= value_start {
            let operand = self.last_operand;
            if self.on_new_line(operand.before, operand.start) && self.go_back() {
                self.report(|parser| {
                    let message = "the value of the attribute is missing";
                    Diagnostic::new(Code::Syntax, parser.behind_previous(), message)
                        .label("add an expression and `;` here")
                });
                return Ok(());
            }
            self.report(|parser| parser.wrong_here("`=` does not belong here".to_owned()).hint("to compare, use `==`"));
            return self.skip_binding();
        }
        self.expect_after(&Wanted::BINDING)
    }

    fn inherit(&mut self, builder: &mut AttrSetBuilder) -> Result<()> {
        let open = self.current;
        let source = if self.take("(") {
            let source = self.awaiting(Await::Parenthesis, Self::expr)?;
            if !self.take(")") {
                self.expect_after(&Wanted::close(")", open))?;
            }
            self.note(Kind::InheritFrom, open.start);
            Some(builder.source(source))
        } else {
            None
        };
        let mut names = Vec::new();
        self.inherited(&mut names)?;
        for (name, span) in names {
            if let Err(error) = builder.inherit(self.symbols, name, span, source) {
                self.note_error(error);
            }
        }
        Ok(())
    }

    /// Names up to and with the semicolon.
    fn inherited(&mut self, names: &mut Vec<(Symbol, Span)>) -> Result<()> {
        while !self.take(";") {
            let token = self.current.token;
            match token {
                Token::Name | Token::Quote | Token::Interpolate | Token::Keyword(Keyword::Or) => {
                    let (before, start) = (self.previous, self.current.start);
                    match self.attr_name()? {
                        AttrName::Static(name, span) => names.push((name, span)),
                        AttrName::Dynamic(expr) => self.note_error(computed_name(expr.span)),
                    }
                    self.last_operand = Operand { before, start, end: self.previous };
                }
                Token::Symbol("=") if self.is_next_binding() && self.go_back() => {
                    names.pop();
                    self.report(|parser| parser.missing(&Wanted::INHERIT));
                    return Ok(());
                }
                Token::Symbol("," | "." | "=" | "(" | ")") | Token::Unknown if !self.is_left_to_others() => {
                    self.report(Self::not_inherited);
                    if token == Token::Symbol("=") {
                        return self.skip_binding();
                    }
                    self.skip()?;
                }
                Token::Keyword(keyword) if keyword != Keyword::Inherit && keyword != Keyword::In => {
                    self.report(Self::keyword_as_name);
                    self.skip()?;
                }
                _ => {
                    self.report(|parser| parser.missing(&Wanted::INHERIT));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether the last name stands on a line of its own, and so is the name of the next binding.
    fn is_next_binding(&self) -> bool {
        self.on_new_line(self.last_operand.before, self.last_operand.start)
    }

    fn not_inherited(&self) -> Box<Diagnostic> {
        let error = self.unexpected("a name or `;`");
        match self.current.token {
            Token::Symbol(",") => error.hint("inherited names are separated by white space"),
            Token::Symbol("=") => error.hint("to bind a name, leave `inherit` out"),
            Token::Symbol(".") => error.hint("to inherit from a set, write `inherit (set) name;`"),
            _ => error,
        }
    }
}

/// What to do about a name without `=`.
enum NoEquals {
    /// Go on as if it were there.
    GoOn,
    /// The binding is over.
    Ended,
    /// There is no binding.
    Leave,
}

fn computed_name(span: Span) -> Box<Diagnostic> {
    Diagnostic::new(Code::Syntax, span, "a computed name cannot be inherited").hint("bind it: `${name} = set.${name};`")
}
