//! Parsing for tools: a tree of any text, and what is wrong with it.

use super::kind::Kind;
use super::lexer::{Token, lex};
use super::parser::{ParseOptions, parse_with};
use super::record::{Noted, Recording, kind_of};
use super::tree::{self, Tree};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Origin, Pos, Source, Sources, Span};
use crate::symbol::Symbols;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

/// A text that was parsed: its tree, and what is wrong with it.
#[derive(Debug)]
pub struct Parsed {
    tree: Tree,
    diagnostics: Vec<Diagnostic>,
    sources: Sources,
}

impl Parsed {
    /// The tree. Of a text with errors, too: what does not fit is in [`Kind::Error`] nodes.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// What is wrong, in the order of the text; nothing, if the text follows the grammar.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The text as a source, for [`crate::render`].
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The span of offsets in the text, for diagnostics that are shown with [`Self::sources`].
    #[must_use]
    pub fn span(&self, range: Range<usize>) -> Span {
        // There is one source, unless the text was too large for any.
        match self.sources.find(Pos(1)) {
            Some(source) => source.span(range.start, range.end),
            None => Span::NONE,
        }
    }

    /// Where a span of a diagnostic is: offsets in the text. `None` when it is nowhere.
    #[must_use]
    pub fn range(&self, span: Span) -> Option<Range<usize>> {
        let source = self.sources.find(span.start)?;
        Some(source.offset(span.start)..source.offset(span.end))
    }
}

/// Names that were met. They are never freed, so all parses share them.
static SYMBOLS: LazyLock<Symbols> = LazyLock::new(Symbols::default);

/// Stack for one level of nesting; debug builds need about half of it.
const STACK_PER_LEVEL: usize = 16 << 10;

/// Parses a text of any content into a lossless tree. Works on a thread with a deep stack of its own.
#[must_use]
pub fn parse_tree(text: &[u8], options: ParseOptions) -> Parsed {
    parse_named("", text, options)
}

/// As [`parse_tree`]; diagnostics show the text under a name.
#[must_use]
pub fn parse_named(name: &str, text: &[u8], options: ParseOptions) -> Parsed {
    let text: Arc<[u8]> = text.into();
    let sources = Sources::default();
    let Some(source) = sources.add(Origin::Text(name.to_owned()), Arc::clone(&text)) else {
        let error = *Diagnostic::new(Code::TooLarge, Span::NONE, "the text exceeds 4 GiB");
        return Parsed { tree: tree::build([].into(), Recording::default()), diagnostics: vec![error], sources };
    };
    let (mut diagnostics, recording) = on_deep_stack(&source, options);
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span.start);
    Parsed { tree: tree::build(text, recording), diagnostics, sources }
}

fn on_deep_stack(source: &Source, options: ParseOptions) -> (Vec<Diagnostic>, Recording) {
    let work = |options| {
        let (_, diagnostics, recording) = parse_with(source, &SYMBOLS, options, Recording::default());
        (diagnostics, recording)
    };
    std::thread::scope(|scope| {
        let size = options.max_depth.saturating_mul(STACK_PER_LEVEL).max(1 << 20);
        match std::thread::Builder::new().stack_size(size).spawn_scoped(scope, || work(options)) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // Where there is no address space for it, less nesting must do.
            Err(_) => work(ParseOptions { max_depth: options.max_depth.min(64), ..options }),
        }
    })
}

/// Adds the tokens behind the last one, which a parser that gave up did not reach.
pub(super) fn add_rest(text: &[u8], tokens: &mut Vec<Noted>) {
    let mut at = tokens.last().map_or(0, |token| token.end);
    loop {
        let lexeme = lex(text, at);
        if lexeme.token == Token::End {
            return;
        }
        let kind = if lexeme.token == Token::IndentedQuote { Kind::Unknown } else { kind_of(lexeme.token) };
        tokens.push(Noted { kind, start: lexeme.start, end: lexeme.end });
        at = lexeme.end;
    }
}
