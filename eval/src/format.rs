//! The formatter: one way to write a program, that of the official Nix style (RFC 166).
//!
//! [`format`] parses a text into its lossless tree, attaches each comment to a token ([`comments`]), makes a document of
//! texts and places for line breaks ([`expression`] and what it uses), and decides where to break lines ([`layout`]).
//!
//! Invariants: every comment stays; the result parses to the same program; formatting the result changes nothing.

mod bindings;
mod call;
mod comments;
mod doc;
mod expression;
mod function;
mod layout;
mod operation;
mod strings;
#[cfg(test)]
mod tests;

use crate::diagnostic::Code;
use crate::syntax::tree::{Element, Tree};
use crate::syntax::{ParseOptions, Parsed, parse_named};
use comments::Comments;
use doc::Doc;

/// A sequence of pieces of a document.
type Docs = Vec<Doc>;

/// Stack for one level of nesting in the formatter.
const STACK_PER_LEVEL: usize = 64 << 10;
/// How often a text is formatted until nothing changes. To whom a comment belongs depends on where it stands, so in rare
/// cases once is not enough.
const MAX_PASSES: usize = 6;
/// How deeply a text that is formatted may nest.
const MAX_DEPTH: usize = 4_000;

/// Formats a text, which diagnostics show under a name.
///
/// # Errors
/// A text that does not follow the grammar: its tree, and what is wrong with it.
pub fn format(name: &str, text: &[u8]) -> Result<Vec<u8>, Box<Parsed>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut formatted = format_once(name, text)?;
    for _ in 1..MAX_PASSES {
        let again = format_once(name, &formatted)?;
        if again == formatted {
            break;
        }
        formatted = again;
    }
    Ok(formatted)
}

fn format_once(name: &str, text: &[u8]) -> Result<Vec<u8>, Box<Parsed>> {
    let options = ParseOptions { pipe_operators: true, max_depth: MAX_DEPTH };
    let parsed = parse_named(name, text, options);
    // A name that is defined twice is wrong, but what stands in the file is clear.
    if parsed.diagnostics().iter().any(|diagnostic| diagnostic.code != Code::DuplicateName) {
        return Err(Box::new(parsed));
    }
    Ok(on_deep_stack(parsed.tree()))
}

fn on_deep_stack(tree: &Tree) -> Vec<u8> {
    let deepest = tree.depth();
    let size = (deepest + 16).saturating_mul(STACK_PER_LEVEL).max(1 << 20);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(size).spawn_scoped(scope, || format_tree(tree));
        match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // Without a thread the text stays as it is.
            Err(_) => tree.text().to_vec(),
        }
    })
}

fn format_tree(tree: &Tree) -> Vec<u8> {
    let mut formatter = Formatter { tree, comments: Comments::of(tree), level: 0 };
    let mut docs = Docs::new();
    if let Some(expr) = tree.root().expressions().next() {
        docs.push(doc::group(formatter.expr(expr)));
    }
    docs.extend(formatter.comments.rest(0));
    let mut text = layout::lay_out(&doc::normalise(docs));
    let end = text.iter().rposition(|byte| !matches!(byte, b' ' | b'\n')).map_or(0, |last| last + 1);
    let start = text.iter().position(|byte| !matches!(byte, b' ' | b'\n')).unwrap_or(0);
    text.truncate(end);
    text.drain(..start);
    text.push(b'\n');
    text
}

/// Makes documents of nodes.
struct Formatter<'t> {
    tree: &'t Tree,
    comments: Comments,
    /// How deeply what is made is nested.
    level: u32,
}

impl<'t> Formatter<'t> {
    /// What a function makes, nested one level more deeply.
    fn nested<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        self.level += 1;
        let made = make(self);
        self.level -= 1;
        made
    }

    /// Whether two elements begin on the same line.
    fn on_same_line(&self, first: Element<'t>, second: Element<'t>) -> bool {
        let (start, end) = (first.range().start, second.range().start);
        !self.tree.text()[start.min(end)..end].contains(&b'\n')
    }
}
