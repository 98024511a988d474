//! The parser: recursive descent, with a loop over operator precedences.
//!
//! ```text
//! expr     = name ":" expr | name "@" set-pattern ":" expr | set-pattern [ "@" name ] ":" expr
//!          | "assert" expr ";" expr | "with" expr ";" expr | "let" binding* "in" expr
//!          | "if" expr "then" expr "else" expr | operation
//! operation: prefix "!" and "-", the operators of `binding_power`, "?" attribute-path
//! call     = select select*
//! select   = simple [ "." attribute-path [ "or" select ] ]
//! simple   = name | number | string | path | uri | "(" expr ")" | "let" "{" binding* "}"
//!          | [ "rec" ] "{" binding* "}" | "[" select* "]"
//! binding  = attribute-path "=" expr ";" | "inherit" [ "(" expr ")" ] attribute-name* ";"
//! ```
//!
//! After an error in a binding the parser goes on behind its semicolon, so that one run reports several errors.

mod bindings;
mod simple;
mod text;

use super::ast::{Expr, ExprKind, Formal, Lambda, Operator, Pattern};
use super::kind::Kind;
use super::lexer::{Keyword, Lexeme, Token, lex};
use super::record::Recorder;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::source::{Source, Span};
use crate::symbol::{Symbols, names};

/// What the parser takes besides the grammar of Nix, and how much.
#[derive(Debug, Clone, Copy)]
pub struct ParseOptions {
    /// Whether `|>` and `<|` are operators.
    pub pipe_operators: bool,
    /// How deeply expressions may nest.
    pub max_depth: usize,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self { pipe_operators: false, max_depth: 10_000 }
    }
}

/// How many errors one parse reports.
const MAX_ERRORS: usize = 20;

struct Parser<'a, R> {
    source: &'a Source,
    symbols: &'a Symbols,
    options: ParseOptions,
    current: Lexeme,
    /// Where the token before the current one ends.
    previous: usize,
    /// Where the last token of an earlier line ends.
    line_end: usize,
    depth: usize,
    errors: Vec<Diagnostic>,
    recorder: R,
}

/// Parses a whole source. Needs a deep stack for deeply nested texts; see [`crate::stack`].
///
/// # Errors
/// All that is wrong with the text, at least one.
pub fn parse(source: &Source, symbols: &Symbols, options: ParseOptions) -> std::result::Result<Expr, Vec<Diagnostic>> {
    let (expr, errors, ()) = parse_with(source, symbols, options, ());
    match expr {
        Some(expr) if errors.is_empty() => Ok(expr),
        _ => Err(errors),
    }
}

/// Parses a whole source and takes note of its tokens and nodes. Without an expression there is at least one error.
pub(super) fn parse_with<R: Recorder>(
    source: &Source,
    symbols: &Symbols,
    options: ParseOptions,
    recorder: R,
) -> (Option<Expr>, Vec<Diagnostic>, R) {
    let current = lex(&source.text, 0);
    let mut parser =
        Parser { source, symbols, options, current, previous: 0, line_end: 0, depth: 0, errors: Vec::new(), recorder };
    let result = parser
        .expr()
        .and_then(|expr| if parser.current.token == Token::End { Ok(expr) } else { Err(parser.trailing()) });
    let expr = result.map_err(|error| parser.errors.push(*error)).ok();
    (expr, parser.errors, parser.recorder)
}

const LEFT: u8 = 1;
const RIGHT: u8 = 2;
const NONE: u8 = 3;
const HAS_ATTR_POWER: u8 = 12;
const NOT_POWER: u8 = 8;
const NEGATE_POWER: u8 = 13;

/// Precedence and associativity of an operator, loosest first.
fn binding_power(symbol: &str) -> Option<(Operator, u8, u8)> {
    Some(match symbol {
        "<|" => (Operator::PipeFrom, 1, RIGHT),
        "|>" => (Operator::PipeInto, 1, LEFT),
        "->" => (Operator::Implies, 2, RIGHT),
        "||" => (Operator::Or, 3, LEFT),
        "&&" => (Operator::And, 4, LEFT),
        "==" => (Operator::Equal, 5, NONE),
        "!=" => (Operator::NotEqual, 5, NONE),
        "<" => (Operator::Less, 6, NONE),
        "<=" => (Operator::LessEqual, 6, NONE),
        ">" => (Operator::Greater, 6, NONE),
        ">=" => (Operator::GreaterEqual, 6, NONE),
        "//" => (Operator::Update, 7, RIGHT),
        "+" => (Operator::Add, 9, LEFT),
        "-" => (Operator::Subtract, 9, LEFT),
        "*" => (Operator::Multiply, 10, LEFT),
        "/" => (Operator::Divide, 10, LEFT),
        "++" => (Operator::Concat, 11, RIGHT),
        _ => return None,
    })
}

impl<'a, R: Recorder> Parser<'a, R> {
    fn span_of(&self, lexeme: Lexeme) -> Span {
        self.source.span(lexeme.start, lexeme.end)
    }

    fn span_from(&self, start: usize) -> Span {
        self.source.span(start, self.previous.max(start))
    }

    fn text(&self, lexeme: Lexeme) -> &'a [u8] {
        &self.source.text[lexeme.start..lexeme.end]
    }

    fn next(&mut self) -> Lexeme {
        let lexeme = self.current;
        self.recorder.token(lexeme.token, lexeme.start, lexeme.end);
        self.go_on_at(lexeme.end);
        lexeme
    }

    /// Goes on behind text that was read by other means.
    fn go_on_at(&mut self, offset: usize) {
        self.previous = offset;
        self.current = lex(&self.source.text, offset);
        if self.source.text[offset..self.current.start].contains(&b'\n') {
            self.line_end = offset;
        }
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.current.token, Token::Symbol(found) if found == symbol)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.next();
        }
        found
    }

    fn take_keyword(&mut self, keyword: Keyword) -> bool {
        let found = self.current.token == Token::Keyword(keyword);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, symbol: &'static str, what: &str) -> Result<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`{what}"))) }
    }

    /// Expects the bracket that closes the one at `open`.
    fn expect_close(&mut self, symbol: &'static str, open: Lexeme) -> Result<()> {
        if self.take(symbol) {
            return Ok(());
        }
        Err(self.unclosed(symbol, open))
    }

    fn unclosed(&self, symbol: &str, open: Lexeme) -> Box<Diagnostic> {
        let opened = String::from_utf8_lossy(self.text(open)).trim_end().to_owned();
        if self.current.token == Token::End {
            return Diagnostic::new(Code::Unclosed, self.span_of(open), format!("`{opened}` is never closed"))
                .label(format!("the `{symbol}` for this is missing"));
        }
        self.unexpected(&format!("`{symbol}`")).also(self.span_of(open), "to close this")
    }

    fn expect_keyword(&mut self, keyword: Keyword, name: &str) -> Result<()> {
        if self.take_keyword(keyword) { Ok(()) } else { Err(self.unexpected(&format!("`{name}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> Box<Diagnostic> {
        let span = self.span_of(self.current);
        let text = String::from_utf8_lossy(self.text(self.current)).into_owned();
        let found = match self.current.token {
            Token::End => "the end of the file".to_owned(),
            Token::OpenComment => {
                return Diagnostic::new(
                    Code::Unclosed,
                    self.source.span(self.current.start, self.current.start + 2),
                    "this comment is never closed",
                )
                .hint("close it with `*/`");
            }
            _ => format!("`{text}`"),
        };
        if wanted.starts_with("`;`") {
            let behind = self.source.span(self.previous, self.previous);
            return Diagnostic::new(Code::Syntax, behind, format!("expected {wanted}, found {found}"))
                .label("`;` is missing here");
        }
        Diagnostic::new(Code::Syntax, span, format!("expected {wanted}, found {found}")).label("not expected here")
    }

    /// The error for text behind a whole expression.
    fn trailing(&self) -> Box<Diagnostic> {
        let error = self.unexpected("the end of the file");
        match self.current.token {
            Token::Keyword(Keyword::If | Keyword::Let | Keyword::With | Keyword::Assert) => {
                error.hint("as an operand or argument, an expression of this kind needs brackets")
            }
            Token::Symbol(":") => error.hint("as an operand or argument, a function needs brackets: `(x: …)`"),
            Token::Symbol("=") => error.hint("bindings stand in `{ … }` or between `let` and `in`"),
            _ => error,
        }
    }

    /// Runs a parser one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= self.options.max_depth {
            let message = format!("expressions nest more than {} levels deep", self.options.max_depth);
            return Err(Diagnostic::new(Code::TooDeep, self.span_of(self.current), message));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn expr(&mut self) -> Result<Expr> {
        self.nested(Self::expr_here)
    }

    fn expr_here(&mut self) -> Result<Expr> {
        let start = self.current.start;
        match self.current.token {
            Token::Name if self.name_starts_lambda() => self.lambda(start),
            Token::Symbol("{") if self.brace_starts_lambda() => self.lambda(start),
            Token::Keyword(Keyword::Assert) => self.two_parts(start, Kind::Assert, "assert", ExprKind::Assert),
            Token::Keyword(Keyword::With) => self.two_parts(start, Kind::With, "with", ExprKind::With),
            Token::Keyword(Keyword::Let) if !self.let_has_brace() => self.let_in(start),
            Token::Keyword(Keyword::If) => self.conditional(start),
            _ => self.operation(0),
        }
    }

    /// The token behind a token.
    fn behind(&self, lexeme: Lexeme) -> Lexeme {
        lex(&self.source.text, lexeme.end)
    }

    fn let_has_brace(&self) -> bool {
        self.behind(self.current).token == Token::Symbol("{")
    }

    fn name_starts_lambda(&self) -> bool {
        matches!(self.behind(self.current).token, Token::Symbol(":" | "@"))
    }

    /// Whether `{` opens a pattern: `{ }:`, `{ }@`, `{ ...`, `{ a,`, `{ a ?`, `{ a }:`, `{ a }@`.
    fn brace_starts_lambda(&self) -> bool {
        let first = self.behind(self.current);
        let close = |lexeme| matches!(self.behind(lexeme).token, Token::Symbol(":" | "@"));
        match first.token {
            Token::Symbol("...") => true,
            Token::Symbol("}") => close(first),
            Token::Name | Token::Keyword(Keyword::Or) => {
                let second = self.behind(first);
                match second.token {
                    Token::Symbol("," | "?") => true,
                    Token::Symbol("}") => close(second),
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Takes note of a node that ends with the last token.
    fn note(&mut self, kind: Kind, start: usize) {
        self.recorder.node(kind, start, self.previous);
    }

    fn finish(&mut self, node: Kind, kind: ExprKind, start: usize) -> Expr {
        self.note(node, start);
        Expr { kind, span: self.span_from(start) }
    }

    fn two_parts(
        &mut self,
        start: usize,
        node: Kind,
        keyword: &str,
        kind: fn(Box<[Expr; 2]>) -> ExprKind,
    ) -> Result<Expr> {
        self.next();
        let first = self.expr()?;
        self.expect(";", &format!(" after the expression of `{keyword}`"))?;
        let second = self.expr()?;
        Ok(self.finish(node, kind(Box::new([first, second])), start))
    }

    fn let_in(&mut self, start: usize) -> Result<Expr> {
        let open = self.next();
        let set = self.bindings(open, Token::Keyword(Keyword::In))?;
        if !self.take_keyword(Keyword::In) {
            return Err(self.unclosed("in", open));
        }
        let body = self.expr()?;
        Ok(self.finish(Kind::Let, ExprKind::Let(Box::new(set), Box::new(body)), start))
    }

    fn conditional(&mut self, start: usize) -> Result<Expr> {
        self.next();
        let condition = self.expr()?;
        self.expect_keyword(Keyword::Then, "then")?;
        let yes = self.expr()?;
        self.expect_keyword(Keyword::Else, "else")?;
        let no = self.expr()?;
        Ok(self.finish(Kind::If, ExprKind::If(Box::new([condition, yes, no])), start))
    }

    fn lambda(&mut self, start: usize) -> Result<Expr> {
        let pattern = self.pattern()?;
        if matches!(pattern, Pattern::Set { .. }) {
            self.note(Kind::Pattern, start);
        }
        self.expect(":", " after the function's argument")?;
        let body = self.expr()?;
        Ok(self.finish(Kind::Lambda, ExprKind::Lambda(Box::new(Lambda { pattern, body })), start))
    }

    fn pattern(&mut self) -> Result<Pattern> {
        if self.current.token == Token::Name {
            let name = self.next();
            self.note(Kind::Name, name.start);
            let (symbol, span) = (self.symbols.intern(self.text(name)), self.span_of(name));
            if !self.take("@") {
                return Ok(Pattern::Name(symbol, span));
            }
            return self.set_pattern(Some((symbol, span)));
        }
        self.set_pattern(None)
    }

    fn set_pattern(&mut self, mut whole: Option<(crate::symbol::Symbol, Span)>) -> Result<Pattern> {
        let open = self.current;
        self.expect("{", " of a set pattern")?;
        let mut formals: Vec<Formal> = Vec::new();
        let mut open_ended = false;
        while !self.is("}") {
            if self.take("...") {
                open_ended = true;
                break;
            }
            let formal = self.formal()?;
            formals.push(formal);
            if !self.take(",") {
                break;
            }
        }
        self.expect_close("}", open)?;
        if whole.is_none() && self.take("@") {
            let name = self.name("a name for the whole set")?;
            whole = Some((self.symbols.intern(self.text(name)), self.span_of(name)));
        }
        self.check_formals(&formals, whole)?;
        Ok(Pattern::Set { formals, open: open_ended, whole })
    }

    fn formal(&mut self) -> Result<Formal> {
        let name = self.name("the name of an argument")?;
        let default = if self.take("?") { Some(self.expr()?) } else { None };
        self.note(Kind::Formal, name.start);
        Ok(Formal { name: self.symbols.intern(self.text(name)), span: self.span_of(name), default })
    }

    fn name(&mut self, what: &str) -> Result<Lexeme> {
        match self.current.token {
            Token::Name | Token::Keyword(Keyword::Or) => {
                let name = self.next();
                self.note(Kind::Name, name.start);
                Ok(name)
            }
            _ => Err(self.unexpected(what)),
        }
    }

    fn check_formals(&self, formals: &[Formal], whole: Option<(crate::symbol::Symbol, Span)>) -> Result<()> {
        let mut seen = rustc_hash::FxHashMap::default();
        let all = formals.iter().map(|formal| (formal.name, formal.span)).chain(whole);
        for (name, span) in all {
            if let Some(first) = seen.insert(name, span) {
                let message = format!("argument `{}` is named twice", self.symbols.display(name));
                return Err(Diagnostic::new(Code::DuplicateName, span, message)
                    .label("named again here")
                    .also(first, "first named here"));
            }
        }
        Ok(())
    }

    /// An operation whose operators bind at least as tightly as `least`.
    fn operation(&mut self, least: u8) -> Result<Expr> {
        self.nested(|parser| parser.operation_here(least))
    }

    fn operation_here(&mut self, least: u8) -> Result<Expr> {
        let start = self.current.start;
        let mut left = self.operand(start)?;
        // The precedence of the operator before, if it does not associate.
        let mut alone = None;
        loop {
            let Token::Symbol(symbol) = self.current.token else { return Ok(left) };
            if symbol == "?" && HAS_ATTR_POWER >= least {
                self.next();
                let path = self.attr_path()?;
                left = self.finish(Kind::HasAttr, ExprKind::HasAttr(Box::new(left), path), start);
                continue;
            }
            let Some((operator, power, side)) = binding_power(symbol) else { return Ok(left) };
            if power < least {
                return Ok(left);
            }
            if alone == Some(power) {
                return Err(self.not_associative(symbol));
            }
            self.check_pipe(operator)?;
            self.next();
            let right = self.operation(if side == RIGHT { power } else { power + 1 })?;
            alone = (side == NONE).then_some(power);
            left = self.finish(Kind::Binary, ExprKind::Binary(operator, Box::new([left, right])), start);
        }
    }

    fn not_associative(&self, symbol: &str) -> Box<Diagnostic> {
        let message = format!("operator `{symbol}` cannot follow another comparison without brackets");
        Diagnostic::new(Code::Syntax, self.span_of(self.current), message)
            .hint("put one of the comparisons in brackets")
    }

    fn check_pipe(&self, operator: Operator) -> Result<()> {
        if self.options.pipe_operators || !matches!(operator, Operator::PipeFrom | Operator::PipeInto) {
            return Ok(());
        }
        let message = "the pipe operators `|>` and `<|` are not enabled";
        Err(Diagnostic::new(Code::Syntax, self.span_of(self.current), message)
            .hint("they are an experimental feature of the language: allow pipe operators to use them"))
    }

    fn operand(&mut self, start: usize) -> Result<Expr> {
        if self.take("!") {
            let operand = self.operation(NOT_POWER)?;
            return Ok(self.finish(Kind::Unary, ExprKind::Not(Box::new(operand)), start));
        }
        if self.take("-") {
            let operand = self.operation(NEGATE_POWER)?;
            return Ok(self.finish(Kind::Unary, ExprKind::Negate(Box::new(operand)), start));
        }
        let function = self.select()?;
        let mut arguments = Vec::new();
        while self.starts_simple() {
            arguments.push(self.select()?);
        }
        if arguments.is_empty() {
            return Ok(function);
        }
        Ok(self.finish(Kind::Call, ExprKind::Call(Box::new(function), arguments), start))
    }

    fn starts_simple(&self) -> bool {
        match self.current.token {
            Token::Name | Token::Int | Token::Float | Token::Path | Token::PathStart | Token::SearchPath => true,
            Token::Uri | Token::Quote | Token::IndentedQuote => true,
            Token::Keyword(Keyword::Rec) | Token::Symbol("{" | "(" | "[") => true,
            Token::Keyword(Keyword::Let) => self.let_has_brace(),
            _ => false,
        }
    }

    fn select(&mut self) -> Result<Expr> {
        let start = self.current.start;
        let subject = self.simple()?;
        if self.take(".") {
            let path = self.attr_path()?;
            let default =
                if self.take_keyword(Keyword::Or) { Some(Box::new(self.nested(Self::select)?)) } else { None };
            return Ok(self.finish(Kind::Select, ExprKind::Select(Box::new(subject), path, default), start));
        }
        if self.current.token == Token::Keyword(Keyword::Or) {
            // An old spelling that the grammar keeps: `f or` calls `f` with the variable `or`.
            let or = self.next();
            self.note(Kind::Variable, or.start);
            let argument = Expr { kind: ExprKind::Variable(names::OR), span: self.span_of(or) };
            return Ok(self.finish(Kind::Call, ExprKind::Call(Box::new(subject), vec![argument]), start));
        }
        Ok(subject)
    }
}
