//! What the parser says.

use super::recovery::Wanted;
use super::{Parser, balance};
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::lexer::{Keyword, Lexeme, Token};
use crate::syntax::record::Recorder;

impl<R: Recorder> Parser<'_, R> {
    pub(super) fn wrong_here(&self, message: String) -> Box<Diagnostic> {
        Diagnostic::new(Code::Syntax, self.span_of(self.current), message).label("not expected here")
    }

    /// The current token, as people call it.
    fn found(&self) -> String {
        match self.current.token {
            Token::End => "the end of the file".to_owned(),
            _ => format!("`{}`", String::from_utf8_lossy(self.text(self.current)).trim_end()),
        }
    }

    /// The error for a token other than what is expected.
    pub(super) fn unexpected(&self, wanted: &str) -> Box<Diagnostic> {
        match self.current.token {
            Token::OpenComment => self.open_comment(),
            Token::End => self.at_the_end(wanted),
            Token::Unknown => self.unknown(),
            _ => self.wrong_here(format!("expected {wanted}, found {}", self.found())),
        }
    }

    fn open_comment(&self) -> Box<Diagnostic> {
        let span = self.source.span(self.current.start, self.current.start + 2);
        Diagnostic::new(Code::Unclosed, span, "this comment is never closed").hint("close it with `*/`")
    }

    /// The error for the end of the file: an open bracket, if there is one, and else what is missing.
    fn at_the_end(&self, wanted: &str) -> Box<Diagnostic> {
        match balance::find_unclosed(&self.source.text) {
            Some(found) => self.never_closed(found),
            None => self.wrong_here(format!("expected {wanted}, found {}", self.found())),
        }
    }

    fn never_closed(&self, unclosed: balance::Unclosed) -> Box<Diagnostic> {
        let balance::Unclosed { opener, close, misleading } = unclosed;
        let text = String::from_utf8_lossy(&self.source.text[opener.clone()]).into_owned();
        let error = Diagnostic::new(
            Code::Unclosed,
            self.source.span(opener.start, opener.end),
            format!("`{text}` is never closed"),
        )
        .label(format!("the `{close}` for this is missing"));
        match misleading {
            Some(at) => error
                .also(self.source.span(at, at + 1), "this closes it, though it is indented like something further out"),
            None => error,
        }
    }

    /// The error for something missing behind an expression.
    pub(super) fn missing(&self, wanted: &Wanted) -> Box<Diagnostic> {
        match (wanted.token, wanted.open) {
            _ if self.current.token == Token::OpenComment => self.open_comment(),
            (Token::End, _) => self.trailing(),
            (Token::Symbol(";"), _) => self.missing_semicolon(wanted.of),
            (_, Some(open)) => self.unclosed(wanted, open),
            _ => self.unexpected(&format!("`{}`", wanted.text)),
        }
    }

    fn missing_semicolon(&self, of: &str) -> Box<Diagnostic> {
        if self.body_of.1 == self.previous {
            return self.no_body();
        }
        if self.current.token == Token::End && balance::find_unclosed(&self.source.text).is_some() {
            return self.at_the_end("`;`");
        }
        let after = if of.contains(' ') { of.to_owned() } else { format!("the expression of `{of}`") };
        Diagnostic::new(Code::Syntax, self.behind_previous(), format!("`;` is missing after {after}"))
            .label("add `;` here")
    }

    /// The error for `a = with s e;`, where the semicolon was meant to end the binding.
    fn no_body(&self) -> Box<Diagnostic> {
        let open = self.body_of.0;
        let word = String::from_utf8_lossy(self.text(open)).into_owned();
        Diagnostic::new(Code::Syntax, self.span_of(open), format!("`{word}` has no body"))
            .label("nothing is left for this")
            .also(self.source.span(self.previous - 1, self.previous), format!("this `;` ends what `{word}` takes"))
            .hint(format!("write `{word} …; …`: two expressions, with a semicolon between them"))
    }

    fn unclosed(&self, wanted: &Wanted, open: Lexeme) -> Box<Diagnostic> {
        let symbol = wanted.text;
        if self.current.token == Token::End {
            if balance::find_unclosed(&self.source.text).is_some() {
                return self.at_the_end(symbol);
            }
            let opened = String::from_utf8_lossy(self.text(open)).trim_end().to_owned();
            return Diagnostic::new(Code::Unclosed, self.span_of(open), format!("`{opened}` is never closed"))
                .label(format!("the `{symbol}` for this is missing"));
        }
        let to = if wanted.of.is_empty() { "to close this" } else { "to go with this" };
        let error = self.unexpected(&format!("`{symbol}`")).also(self.span_of(open), to);
        match (symbol, self.current.token) {
            ("else", Token::Keyword(Keyword::Then)) => error.hint("write `else if`, in two words"),
            ("else", _) => error.hint("an `if` always has an `else`, as it always has a value"),
            ("in", Token::Keyword(Keyword::Let)) => error.hint("one `let` takes many bindings: leave this one out"),
            _ => error,
        }
    }

    /// The error for text behind a whole expression.
    fn trailing(&self) -> Box<Diagnostic> {
        let error = match self.current.token {
            Token::Symbol(close @ (")" | "]" | "}")) => {
                self.wrong_here(format!("nothing is open that this `{close}` would close"))
            }
            _ => self.unexpected("the end of the file"),
        };
        let last = self.source.span(self.previous.saturating_sub(1), self.previous);
        let error = error.also(last, "the file's expression ends here");
        match self.current.token {
            Token::Symbol(";" | ",") => error.hint("a file is one expression: nothing follows it"),
            _ => error,
        }
    }

    /// The error for a token that no construct waits for.
    pub(super) fn stray(&self, wanted: &Wanted) -> Box<Diagnostic> {
        let expected =
            if wanted.token == Token::End { "the end of the file".to_owned() } else { format!("`{}`", wanted.text) };
        match self.current.token {
            Token::Symbol(close @ (")" | "]" | "}")) => {
                self.wrong_here(format!("nothing is open that this `{close}` would close"))
            }
            Token::Symbol(",") => {
                self.unexpected(&expected).hint("arguments are separated by white space, attributes by `;`")
            }
            Token::Interpolate => self.interpolation_outside(),
            Token::Unknown => self.unknown(),
            _ => self.unexpected(&expected),
        }
    }

    pub(super) fn interpolation_outside(&self) -> Box<Diagnostic> {
        self.wrong_here("`${` stands outside a string or path".to_owned())
            .hint("use the expression itself, or put it in a string: `\"${…}\"`")
    }

    /// The error for a byte that begins no token.
    fn unknown(&self) -> Box<Diagnostic> {
        let bytes = self.text(self.current);
        let text = String::from_utf8_lossy(bytes).into_owned();
        let shown = match bytes {
            [byte] if !byte.is_ascii_graphic() => format!("byte {byte}"),
            _ => format!("`{text}`"),
        };
        let span = self.span_of(self.current);
        let error = Diagnostic::new(Code::Syntax, span, format!("{shown} has no meaning here"));
        match text.as_str() {
            "&" => error.hint("the operator is `&&`"),
            "|" => error.hint("the operator is `||`"),
            "%" => error.hint("there is no operator for remainders: `a - a / b * b`, or `lib.mod`"),
            "'" => error.hint("strings stand in `\"…\"` or `''…''`"),
            "`" | "\u{201c}" | "\u{201d}" | "\u{2018}" | "\u{2019}" => error.hint("strings stand in `\"…\"`"),
            "$" => error.hint("variables have no `$` before their name; `${…}` stands in strings"),
            "\u{a0}" => error.hint("this is a no-break space: use an ordinary one"),
            "\u{feff}" => error.hint("this is a byte order mark: remove it"),
            _ => error,
        }
    }

    /// The error where an expression must stand.
    pub(super) fn expected_expression(&self) -> Box<Diagnostic> {
        match self.current.token {
            _ if self.body_of.1 == self.previous && self.is_awaited() && !self.at_end() => self.no_body(),
            Token::Interpolate => self.interpolation_outside(),
            Token::Symbol(close @ (")" | "]" | "}")) if !self.is_awaited() => {
                self.wrong_here(format!("nothing is open that this `{close}` would close"))
            }
            Token::Symbol("//") => self.unexpected("an expression").hint("a comment begins with `#`"),
            Token::Symbol("=") => self
                .unexpected("an expression")
                .hint("`==` compares; `=` binds a name in `{ … }` or between `let` and `in`"),
            Token::Keyword(Keyword::In | Keyword::Inherit) if self.behind(self.current).token == Token::Symbol("=") => {
                self.keyword_as_name()
            }
            _ => self.unexpected("an expression"),
        }
    }

    pub(super) fn needs_brackets(&self) -> Box<Diagnostic> {
        let word = String::from_utf8_lossy(self.text(self.current)).into_owned();
        let message = format!("as an operand or argument, `{word}` needs brackets");
        Diagnostic::new(Code::Syntax, self.span_of(self.current), message)
            .label("not expected here")
            .hint(format!("write `({word} …)`"))
    }

    pub(super) fn function_without_brackets(&self) -> Box<Diagnostic> {
        let after_name = self.last_operand.end == self.previous;
        let error = self.wrong_here("`:` does not belong here".to_owned());
        if after_name { error.hint("as an operand or argument, a function needs brackets: `(x: …)`") } else { error }
    }

    /// The error for `=` behind an expression.
    pub(super) fn equals_here(&self, wanted: &Wanted) -> Box<Diagnostic> {
        let error = self.wrong_here("`=` does not belong here".to_owned());
        if wanted.token == Token::End {
            return error.hint("bindings stand in `{ … }` or between `let` and `in`");
        }
        error.hint("to compare, use `==`; bindings stand in `{ … }` or between `let` and `in`")
    }

    pub(super) fn keyword_as_name(&self) -> Box<Diagnostic> {
        let word = String::from_utf8_lossy(self.text(self.current)).into_owned();
        Diagnostic::new(Code::Syntax, self.span_of(self.current), format!("`{word}` is a keyword, not a name"))
            .label("not expected here")
            .hint(format!("as the name of an attribute it needs quotes: `\"{word}\"`"))
    }

    /// The error for a function's argument at an offset that no colon follows.
    pub(super) fn missing_colon(&self, start: usize) -> Box<Diagnostic> {
        let pattern = self.source.span(start, self.previous);
        match self.current.token {
            _ if self.at_end() => self.unexpected("`:` after the function's argument"),
            Token::Symbol("=") => self
                .unexpected("`:` after the function's argument")
                .also(pattern, "this is read as a function's argument")
                .hint("a function is written `{ a, b }: …`"),
            _ => Diagnostic::new(Code::Syntax, self.behind_previous(), "`:` is missing after the function's argument")
                .label("add `:` here")
                .also(pattern, "this is read as a function's argument"),
        }
    }

    /// The error for something in a list that is not an item.
    pub(super) fn not_an_item(&self) -> Box<Diagnostic> {
        match self.current.token {
            Token::Symbol("," | ";") => self
                .wrong_here(format!("{} stands in a list", self.found()))
                .hint("the items of a list are separated by white space"),
            Token::Symbol("=") => self
                .wrong_here("`=` stands in a list".to_owned())
                .hint("names with values stand in a set: `{ name = value; }`"),
            Token::Symbol(":") => {
                self.wrong_here("`:` stands in a list".to_owned()).hint("in a list a function needs brackets: `(x: …)`")
            }
            Token::Keyword(Keyword::If | Keyword::Let | Keyword::With | Keyword::Assert) => {
                let word = String::from_utf8_lossy(self.text(self.current)).into_owned();
                self.wrong_here(format!("in a list, `{word}` needs brackets")).hint(format!("write `({word} …)`"))
            }
            Token::Symbol(operator) if super::binding_power(operator).is_some() || matches!(operator, "?" | "!") => {
                self.wrong_here(format!("in a list, an operation with `{operator}` needs brackets"))
                    .hint("the items of a list are separated by white space: `[ (a + b) c ]`")
            }
            _ => self.expected_expression(),
        }
    }
}
