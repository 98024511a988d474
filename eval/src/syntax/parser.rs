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
//! It does not stop at an error: what is missing is noted and taken as given, what fits nowhere is noted and skipped (see
//! `recovery`), so one run reports several mistakes. The result of a text with errors is good for nothing but its notes.

mod balance;
mod bindings;
mod pattern;
mod recovery;
mod simple;
mod text;
mod wording;

pub(crate) use balance::Openings;

use super::ast::{Expr, ExprKind, Lambda, Operator, Pattern};
use super::kind::Kind;
use super::lexer::{Keyword, Lexeme, Token, first_byte, lex};
use super::record::Recorder;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};
use crate::symbol::{Symbols, names};
use recovery::{Await, Awaited, Wanted};

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

/// The parser cannot go on; why is among its errors.
#[derive(Debug)]
struct GaveUp;

type Result<T> = std::result::Result<T, GaveUp>;

struct Parser<'a, R> {
    source: &'a Source,
    symbols: &'a Symbols,
    options: ParseOptions,
    current: Lexeme,
    /// Where the token before the current one ends.
    previous: usize,
    depth: usize,
    errors: Vec<Diagnostic>,
    recorder: R,
    /// What the constructs around the current token wait for.
    awaited: Awaited,
    /// The operand that was read last.
    last_operand: Operand,
    /// The last `with` or `assert`, and where its semicolon ends.
    body_of: (Lexeme, usize),
    /// The start of the token at which an error was reported last.
    reported_at: usize,
    /// How often the parser went back or looked far ahead.
    detours: u32,
}

/// Where an operand is, and where the token before it ends.
#[derive(Debug, Clone, Copy, Default)]
struct Operand {
    before: usize,
    start: usize,
    end: usize,
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
    let mut parser = Parser {
        source,
        symbols,
        options,
        current: lex(&source.text, 0),
        previous: 0,
        depth: 0,
        errors: Vec::new(),
        recorder,
        awaited: Awaited::default(),
        last_operand: Operand::default(),
        body_of: (Lexeme { token: Token::End, start: 0, end: 0 }, usize::MAX),
        reported_at: usize::MAX,
        detours: 0,
    };
    let expr = parser.file().ok();
    let mut errors = parser.errors;
    errors.sort_by_key(|error| error.primary.span.start);
    (expr, errors, parser.recorder)
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
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.current.token, Token::Symbol(found) if found == symbol)
    }

    fn at_end(&self) -> bool {
        matches!(self.current.token, Token::End | Token::OpenComment)
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

    /// Runs a parser one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= self.options.max_depth {
            let message = format!("expressions nest more than {} levels deep", self.options.max_depth);
            self.note_error(Diagnostic::new(Code::TooDeep, self.span_of(self.current), message));
            return Err(GaveUp);
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// The one expression of a file.
    fn file(&mut self) -> Result<Expr> {
        let expr = self.expr()?;
        if self.current.token != Token::End {
            self.expect_after(&Wanted::END)?;
            self.skip_rest();
        }
        Ok(expr)
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

    /// The first byte of the token behind a token.
    fn byte_behind(&self, lexeme: Lexeme) -> Option<u8> {
        first_byte(&self.source.text, lexeme.end)
    }

    fn let_has_brace(&self) -> bool {
        self.byte_behind(self.current) == Some(b'{')
    }

    fn name_starts_lambda(&self) -> bool {
        matches!(self.byte_behind(self.current), Some(b':' | b'@'))
    }

    /// Whether `{` opens a pattern: `{ }:`, `{ }@`, `{ ...`, `{ a,`, `{ a ?`, `{ a }:`, `{ a }@`.
    fn brace_starts_lambda(&self) -> bool {
        let first = self.behind(self.current);
        let close = |lexeme| matches!(self.byte_behind(lexeme), Some(b':' | b'@'));
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
        keyword: &'static str,
        kind: fn(Box<[Expr; 2]>) -> ExprKind,
    ) -> Result<Expr> {
        let open = self.next();
        let first = self.awaiting(Await::Semicolon, Self::expr)?;
        if !self.take(";") {
            self.expect_after(&Wanted::semicolon_of(keyword, open))?;
        }
        self.body_of = (open, self.previous);
        let second = self.expr()?;
        Ok(self.finish(node, kind(Box::new([first, second])), start))
    }

    fn let_in(&mut self, start: usize) -> Result<Expr> {
        let open = self.next();
        let set = self.awaiting(Await::In, |parser| parser.bindings(open, Token::Keyword(Keyword::In)))?;
        if !self.take_keyword(Keyword::In) {
            self.report(|parser| parser.missing(&Wanted::keyword("in", Keyword::In, "let", open)));
        }
        let body = self.expr()?;
        Ok(self.finish(Kind::Let, ExprKind::Let(Box::new(set), Box::new(body)), start))
    }

    fn conditional(&mut self, start: usize) -> Result<Expr> {
        let open = self.next();
        let condition = self.awaiting(Await::Else, |parser| parser.awaiting(Await::Then, Self::expr))?;
        if !self.take_keyword(Keyword::Then) {
            let wanted = Wanted::keyword("then", Keyword::Then, "if", open);
            self.awaiting(Await::Else, |parser| parser.expect_after(&wanted))?;
        }
        let yes = self.awaiting(Await::Else, Self::expr)?;
        if !self.take_keyword(Keyword::Else) {
            self.expect_after(&Wanted::keyword("else", Keyword::Else, "if", open))?;
        }
        let no = self.expr()?;
        Ok(self.finish(Kind::If, ExprKind::If(Box::new([condition, yes, no])), start))
    }

    fn lambda(&mut self, start: usize) -> Result<Expr> {
        let pattern = self.pattern()?;
        if matches!(pattern, Pattern::Set { .. }) {
            self.note(Kind::Pattern, start);
        }
        if !self.take(":") {
            self.report(|parser| parser.missing_colon(start));
            self.take("=");
        }
        let body = self.expr()?;
        Ok(self.finish(Kind::Lambda, ExprKind::Lambda(Box::new(Lambda { pattern, body })), start))
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
                if self.is_default_without_comma() {
                    return Ok(left);
                }
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
                self.not_associative(symbol);
            }
            self.check_pipe(operator);
            self.next();
            let right = self.operation(if side == RIGHT { power } else { power + 1 })?;
            alone = (side == NONE).then_some(power);
            left = self.finish(Kind::Binary, ExprKind::Binary(operator, Box::new([left, right])), start);
        }
    }

    fn not_associative(&mut self, symbol: &str) {
        let message = format!("operator `{symbol}` cannot follow another comparison without brackets");
        self.report(|parser| {
            Diagnostic::new(Code::Syntax, parser.span_of(parser.current), message)
                .hint("put one of the comparisons in brackets")
        });
    }

    fn check_pipe(&mut self, operator: Operator) {
        if self.options.pipe_operators || !matches!(operator, Operator::PipeFrom | Operator::PipeInto) {
            return;
        }
        let message = "the pipe operators `|>` and `<|` are not enabled";
        self.report(|parser| {
            Diagnostic::new(Code::Syntax, parser.span_of(parser.current), message)
                .hint("they are an experimental feature of the language: allow pipe operators to use them")
        });
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
        if !self.starts_simple() {
            return Ok(function);
        }
        let mut arguments = Vec::new();
        while self.starts_simple() {
            arguments.push(self.select()?);
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
        let (before, start) = (self.previous, self.current.start);
        let expr = self.select_here(start)?;
        self.last_operand = Operand { before, start, end: self.previous };
        Ok(expr)
    }

    fn select_here(&mut self, start: usize) -> Result<Expr> {
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
