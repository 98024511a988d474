//! Shows diagnostics to people, in the style of `rustc`.
//!
//! ```text
//! error[E0101]: attribute `fooo` missing
//!  --> default.nix:3:8
//!   |
//! 3 |   x = a.fooo;
//!   |         ^^^^ not in this set
//!   = while evaluating … --> default.nix:1:1
//! hint: did you mean `foo`?
//! ```

use super::{Diagnostic, Label, Severity};
use crate::source::{Source, Sources, Span};
use std::fmt::Write;
use std::sync::Arc;

/// How to show diagnostics.
#[derive(Debug, Clone, Copy)]
pub struct RenderOptions {
    /// Use ANSI colours.
    pub colour: bool,
    /// How many frames of the trace to show.
    pub frames: usize,
}

impl Default for RenderOptions {
    fn default() -> Self {
        Self { colour: false, frames: 4 }
    }
}

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BLUE: &str = "\x1b[1;34m";
const GREEN: &str = "\x1b[1;32m";
const RESET: &str = "\x1b[0m";
const MAX_WIDTH: usize = 160;

struct Renderer<'a> {
    sources: &'a Sources,
    options: RenderOptions,
    text: String,
}

/// The text of a diagnostic, several lines, each ended.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &Sources, options: RenderOptions) -> String {
    let mut renderer = Renderer { sources, options, text: String::new() };
    renderer.head(diagnostic);
    let primary = renderer.best_place(diagnostic);
    renderer.excerpt(&primary, '^');
    if primary.span != diagnostic.primary.span && !diagnostic.primary.span.is_none() {
        renderer.excerpt(&diagnostic.primary, '-');
    }
    for label in &diagnostic.labels {
        renderer.excerpt(label, '-');
    }
    let caller = renderer.caller(diagnostic, primary.span);
    if let Some(caller) = &caller {
        renderer.excerpt(caller, '-');
    }
    renderer.trace(diagnostic, primary.span, caller.as_ref());
    for hint in &diagnostic.hints {
        let word = renderer.paint(GREEN, "hint:");
        let _ = writeln!(renderer.text, "{word} {hint}");
    }
    renderer.text
}

impl Renderer<'_> {
    fn paint(&self, colour: &str, text: &str) -> String {
        if self.options.colour { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    }

    fn head(&mut self, diagnostic: &Diagnostic) {
        let (colour, word) = match diagnostic.severity {
            Severity::Error => (RED, "error"),
            Severity::Warning => (YELLOW, "warning"),
        };
        let kind = self.paint(colour, &format!("{word}[{}]", diagnostic.code.number()));
        let message = self.paint(BOLD, &format!(": {}", diagnostic.message));
        let _ = writeln!(self.text, "{kind}{message}");
    }

    /// The place to show first: the innermost one that is in a file or text at all.
    fn best_place(&self, diagnostic: &Diagnostic) -> Label {
        if !diagnostic.primary.span.is_none() {
            return diagnostic.primary.clone();
        }
        diagnostic.trace.iter().find(|label| !label.span.is_none()).cloned().unwrap_or(diagnostic.primary.clone())
    }

    /// The innermost place in another file than the error's: where a library was used wrongly, its caller's own line.
    fn caller(&self, diagnostic: &Diagnostic, primary: Span) -> Option<Label> {
        let own = self.source(primary)?;
        let elsewhere = |label: &&Label| self.source(label.span).is_some_and(|source| !Arc::ptr_eq(&source, &own));
        diagnostic.trace.iter().find(elsewhere).cloned()
    }

    fn source(&self, span: Span) -> Option<Arc<Source>> {
        if span.is_none() { None } else { self.sources.find(span.start) }
    }

    fn excerpt(&mut self, label: &Label, mark: char) {
        let Some(source) = self.source(label.span) else { return };
        let place = source.line_column(label.span.start);
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        let (arrow, bar) = (self.paint(BLUE, "-->"), self.paint(BLUE, "|"));
        let _ = writeln!(self.text, "{margin}{arrow} {}:{}:{}", source.name(), place.line, place.column);
        let (line, before, marked) = excerpt_line(&source, label.span);
        let (painted, colour) = (self.paint(BLUE, &number), if mark == '^' { RED } else { BLUE });
        let marks = mark.to_string().repeat(marked.max(1));
        let marks = self.paint(colour, format!("{marks} {}", label.text).trim_end());
        let _ = writeln!(self.text, "{margin} {bar}");
        let _ = writeln!(self.text, "{painted} {bar} {line}");
        let _ = writeln!(self.text, "{margin} {bar} {}{marks}", " ".repeat(before));
    }

    fn trace(&mut self, diagnostic: &Diagnostic, shown: Span, caller: Option<&Label>) {
        let frames: Vec<_> = diagnostic
            .trace
            .iter()
            .filter(|frame| frame.span != shown || frame.span.is_none())
            .filter(|frame| Some(*frame) != caller)
            .collect();
        for frame in frames.iter().take(self.options.frames) {
            let place = self.source(frame.span).map_or(String::new(), |source| {
                let at = source.line_column(frame.span.start);
                format!(" ({}:{}:{})", source.name(), at.line, at.column)
            });
            let _ = writeln!(self.text, "  = {}{place}", frame.text);
        }
        if frames.len() > self.options.frames {
            let _ = writeln!(self.text, "  = and {} more frames", frames.len() - self.options.frames);
        }
    }
}

/// The first line of a span as it is shown, the columns before the marks, and the number of marks.
fn excerpt_line(source: &Source, span: Span) -> (String, usize, usize) {
    let place = source.line_column(span.start);
    let line = source.line(place.line);
    let from = (place.column as usize - 1).min(line.len());
    let length = (source.offset(span.end).saturating_sub(source.offset(span.start))).min(line.len() - from);
    let skip = from.saturating_sub(MAX_WIDTH / 2);
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\t', "    ").replace(char::is_control, " ");
    let before = show(&line[skip..from]);
    let marked = show(&line[from..from + length]);
    let mut text = show(&line[skip..]);
    if let Some((cut, _)) = text.char_indices().nth(MAX_WIDTH) {
        text.truncate(cut);
    }
    let before = before.chars().count();
    (text, before, marked.chars().count().min(MAX_WIDTH.saturating_sub(before)))
}
