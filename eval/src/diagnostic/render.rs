//! Shows diagnostics to people, in the style of `rustc`.
//!
//! ```text
//! error[E0101]: attribute `fooo` missing
//!  --> default.nix:3:8
//!   |
//! 3 |   x = a.fooo;
//!   |         ^^^^ not in this set
//! hint: did you mean `foo`?
//!   = while evaluating attribute `x` (default.nix:3:3)
//! ```

use super::excerpt::{Excerpt, Mark};
use super::line::is_deceptive;
use super::{Diagnostic, Frame, Severity};
use crate::source::{Source, Sources, Span};
use std::sync::Arc;
use store::shown;

/// How to show diagnostics.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenderOptions {
    /// Use ANSI colours.
    pub colour: bool,
    /// Show the whole trace, with the lines it leads through.
    pub trace: bool,
}

/// How many frames are shown when the trace is not asked for.
const FEW_FRAMES: usize = 4;

/// What colour a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Error,
    Warning,
    Message,
    Primary,
    Frame,
    Hint,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Error | Self::Primary => "\x1b[1;31m",
            Self::Warning => "\x1b[1;33m",
            Self::Message => "\x1b[1m",
            Self::Frame => "\x1b[1;34m",
            Self::Hint => "\x1b[1;32m",
        }
    }
}

/// A text that is being put together, perhaps with colours.
#[derive(Debug)]
pub(super) struct Painter {
    colour: bool,
    severity: Severity,
    text: String,
    /// Blanks that are left out if the line ends with them.
    blanks: String,
}

impl Painter {
    pub(super) fn text(&mut self, text: &str) {
        let kept = text.trim_end_matches(' ');
        if !kept.is_empty() {
            self.text.push_str(&std::mem::take(&mut self.blanks));
            self.text.push_str(kept);
        }
        self.blanks.push_str(&text[kept.len()..]);
    }

    pub(super) fn paint(&mut self, paint: Paint, text: &str) {
        if !self.colour || text.trim().is_empty() {
            return self.text(text);
        }
        let warns = paint == Paint::Primary && self.severity == Severity::Warning;
        let paint = if warns { Paint::Warning } else { paint };
        self.text.push_str(&std::mem::take(&mut self.blanks));
        self.text.push_str(paint.code());
        self.text.push_str(text);
        self.text.push_str("\x1b[0m");
    }

    pub(super) fn end_line(&mut self) {
        self.blanks.clear();
        self.text.push('\n');
    }
}

/// The text of a diagnostic, several lines, each ended.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &Sources, options: RenderOptions) -> String {
    let (colour, severity) = (options.colour, diagnostic.severity);
    let mut painter = Painter { colour, severity, text: String::new(), blanks: String::new() };
    head(diagnostic, &mut painter);
    let blocks = blocks(diagnostic, sources);
    let excerpts: Vec<_> = blocks.iter().map(|(source, marks)| Excerpt::new(source, marks)).collect();
    let margin = excerpts.iter().map(|excerpt| excerpt.last_line().to_string().len()).max().unwrap_or(1);
    for excerpt in &excerpts {
        excerpt.draw(margin, &mut painter);
    }
    for hint in &diagnostic.hints {
        painter.paint(Paint::Hint, "hint:");
        painter.text(&format!(" {}", clean(hint, options.colour)));
        painter.end_line();
    }
    trace(diagnostic, sources, options, &mut painter);
    painter.text
}

fn head(diagnostic: &Diagnostic, painter: &mut Painter) {
    let (paint, word) = match diagnostic.severity {
        Severity::Error => (Paint::Error, "error"),
        Severity::Warning => (Paint::Warning, "warning"),
    };
    painter.paint(paint, &format!("{word}[{}]", diagnostic.code.number()));
    painter.paint(Paint::Message, &format!(": {}", clean(&diagnostic.message, painter.colour)));
    painter.end_line();
}

/// The labels, by source in the order in which the sources are first mentioned.
fn blocks(diagnostic: &Diagnostic, sources: &Sources) -> Vec<(Arc<Source>, Vec<Mark>)> {
    let mut blocks: Vec<(Arc<Source>, Vec<Mark>)> = Vec::new();
    let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.labels);
    for (index, label) in labels.enumerate() {
        let Some(source) = find(sources, label.span) else { continue };
        let mark = Mark { span: label.span, text: clean_line(&label.text), primary: index == 0 };
        match blocks.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &source)) {
            Some((_, marks)) => marks.push(mark),
            None => blocks.push((source, vec![mark])),
        }
    }
    blocks
}

fn find(sources: &Sources, span: Span) -> Option<Arc<Source>> {
    if span.is_none() { None } else { sources.find(span.start) }
}

fn trace(diagnostic: &Diagnostic, sources: &Sources, options: RenderOptions, painter: &mut Painter) {
    let frames = &diagnostic.trace;
    if options.trace {
        frames.iter().for_each(|frame| frame_with_excerpt(frame, sources, painter));
        return;
    }
    // Those in the user's own code say most.
    let shown = frames.iter().filter(|frame| !frame.library).take(FEW_FRAMES);
    let shown = shown.inspect(|frame| frame_line(frame, sources, painter)).count();
    let more = frames.len() - shown;
    if more > 0 {
        let (of_library, frames) =
            (if shown == 0 { " in library code" } else { "" }, if more == 1 { "frame" } else { "frames" });
        let and = if shown == 0 { "" } else { "and " };
        let further = if shown == 0 { "" } else { "more " };
        painter.text(&format!("  = {and}{more} {further}{frames}{of_library}: --trace shows all"));
        painter.end_line();
    }
}

fn frame_line(frame: &Frame, sources: &Sources, painter: &mut Painter) {
    let place = find(sources, frame.span).map_or(String::new(), |source| {
        let at = source.line_column(frame.span.start);
        format!(" ({}:{}:{})", shown(&source.name()), at.line, at.column)
    });
    let times = if frame.times > 1 { format!(", {} times", frame.times) } else { String::new() };
    painter.text(&format!("  = {}{times}{place}", clean(&frame.text, painter.colour)));
    painter.end_line();
}

fn frame_with_excerpt(frame: &Frame, sources: &Sources, painter: &mut Painter) {
    let Some(source) = find(sources, frame.span) else { return frame_line(frame, sources, painter) };
    let times = if frame.times > 1 { format!(", {} times", frame.times) } else { String::new() };
    painter.text(&format!("  = {}{times}", clean(&frame.text, painter.colour)));
    painter.end_line();
    let excerpt = Excerpt::new(&source, &[Mark { span: frame.span, text: String::new(), primary: false }]);
    excerpt.draw(excerpt.last_line().to_string().len().max(2), painter);
}

/// A text without what would confuse a terminal: colours stay where colours are shown.
fn clean(text: &str, colour: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(length) = colour_length(rest) {
            if colour {
                out.push_str(&rest[..length]);
            }
            rest = &rest[length..];
            continue;
        }
        let plain = (!character.is_control() && !is_deceptive(character)) || matches!(character, '\n' | '\t');
        out.push(if plain { character } else { char::REPLACEMENT_CHARACTER });
        rest = &rest[character.len_utf8()..];
    }
    out.truncate(out.trim_end().len());
    out
}

/// The length of the escape sequence for a colour that a text begins with.
fn colour_length(text: &str) -> Option<usize> {
    let body = text.strip_prefix("\x1b[")?;
    let end = body.find(|character: char| !character.is_ascii_digit() && character != ';')?;
    body[end..].starts_with('m').then_some(end + 3)
}

/// A text as one line.
fn clean_line(text: &str) -> String {
    clean(text, false).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_do_not_confuse_a_terminal() {
        assert_eq!(clean("a\x1b[1;31mred\x1b[0m\x07\n", false), "ared\u{fffd}");
        assert_eq!(clean("a\x1b[1;31mred\x1b[0m", true), "a\x1b[1;31mred\x1b[0m");
        assert_eq!(clean("\x1b[2J", true), "\u{fffd}[2J");
    }
}
