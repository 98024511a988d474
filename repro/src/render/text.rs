//! A report as text, for a terminal or a log.

use super::{cause_name, kind_words, reading_line};
use crate::decode::visible;
use crate::reading::Reading;
use crate::report::{Change, Detail, Difference, DifferenceKind, Report};
use std::fmt::Write as _;

/// How a report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// Whether to use colours (ANSI escape sequences).
    pub colour: bool,
    /// Longest line in characters; longer ones are cut.
    pub width: usize,
}

impl Default for TextOptions {
    /// Plain, 120 characters wide.
    fn default() -> Self {
        Self { colour: false, width: 120 }
    }
}

#[derive(Clone, Copy)]
enum Style {
    Plain,
    Bold,
    Removed,
    Added,
    Cause,
    Faint,
}

impl Style {
    fn escape(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Removed => "\x1b[31m",
            Self::Added => "\x1b[32m",
            Self::Cause => "\x1b[33m",
            Self::Faint => "\x1b[2m",
        }
    }
}

/// The report as text. Nothing from the compared files can reach the terminal as a control sequence.
#[must_use]
pub fn text(report: &Report, options: TextOptions) -> String {
    let mut page = Page { options, text: String::new() };
    if report.identical() {
        let (left, right) = (&report.left, &report.right);
        page.whole(Style::Bold, &format!("{} and {} are identical ({})", left.name, right.name, left.digest));
        return page.text;
    }
    page.whole(Style::Removed, &format!("--- {} ({})", report.left.name, report.left.digest));
    page.whole(Style::Added, &format!("+++ {} ({})", report.right.name, report.right.digest));
    report.differences.iter().for_each(|difference| page.difference(difference));
    page.summary(report);
    page.text
}

struct Page {
    options: TextOptions,
    text: String,
}

impl Page {
    fn line(&mut self, indent: usize, style: Style, line: &str) {
        let room = self.options.width.saturating_sub(2 * indent).max(20);
        self.limited(indent, style, line, room);
    }

    /// A line that says what is compared: as long as its names are.
    fn whole(&mut self, style: Style, line: &str) {
        self.limited(0, style, line, usize::MAX);
    }

    fn limited(&mut self, indent: usize, style: Style, line: &str, room: usize) {
        let mut shown: String = line.chars().take(room).map(|c| if c == '\t' { ' ' } else { visible(c) }).collect();
        if line.chars().nth(room).is_some() {
            shown.pop();
            shown.push('…');
        }
        let (start, end) = match (self.options.colour, style) {
            (false, _) | (_, Style::Plain) => ("", ""),
            (true, style) => (style.escape(), "\x1b[0m"),
        };
        let _ = writeln!(self.text, "{:indent$}{start}{shown}{end}", "", indent = 2 * indent);
    }

    fn difference(&mut self, difference: &Difference) {
        let path = if difference.path.is_empty() { "." } else { &difference.path };
        self.line(0, Style::Bold, &format!("{path}: {}", kind_words(&difference.kind)));
        self.follows(1, difference.follows.as_deref());
        match &difference.kind {
            // The changes carry the readings themselves.
            DifferenceKind::Content { changes, .. } => changes.iter().for_each(|change| self.change(1, change)),
            _ => self.readings(1, &difference.readings),
        }
    }

    fn readings(&mut self, indent: usize, readings: &[Reading]) {
        readings.iter().for_each(|reading| self.line(indent, Style::Cause, &format!("→ {}", reading_line(reading))));
    }

    fn follows(&mut self, indent: usize, follows: Option<&str>) {
        if let Some(why) = follows {
            self.line(indent, Style::Faint, &format!("follows from other differences: {why}"));
        }
    }

    fn change(&mut self, indent: usize, change: &Change) {
        let place = if change.place.is_empty() { String::new() } else { format!("{}: ", change.place) };
        self.detail(indent, &place, &change.detail);
        self.follows(indent + 1, change.follows.as_deref());
        self.readings(indent + 1, &change.readings);
    }

    fn detail(&mut self, indent: usize, place: &str, detail: &Detail) {
        match detail {
            Detail::Field { left, right } => {
                self.line(indent, Style::Plain, place.trim_end());
                self.sides(indent + 1, left, right);
            }
            Detail::Added { size } => self.line(indent, Style::Added, &format!("{place}added ({size} bytes)")),
            Detail::Removed { size } => self.line(indent, Style::Removed, &format!("{place}removed ({size} bytes)")),
            Detail::Reordered { parts } => {
                self.line(indent, Style::Plain, &format!("{place}{parts} parts in another order"))
            }
            Detail::Text { diff, cut } => self.diff(indent, place, diff, *cut),
            Detail::Strings { left, right, omitted } => self.strings(indent, place, left, right, *omitted),
            Detail::Symbols { changed, removed, added, omitted } => {
                self.line(indent, Style::Plain, place.trim_end());
                self.names(indent + 1, Style::Plain, "changed", changed);
                self.strings(indent, "", removed, added, *omitted);
            }
            Detail::Bytes { left_size, right_size, offset, differing, left, right } => {
                let count = differing.map_or_else(
                    || format!("{left_size} → {right_size} bytes"),
                    |count| format!("{count} of {left_size} bytes differ"),
                );
                self.line(indent, Style::Plain, &format!("{place}{count}, first at {offset:#x}"));
                self.sides(indent + 1, left, right);
            }
            Detail::Inside { format, changes } => {
                self.line(indent, Style::Plain, &format!("{place}{format}"));
                changes.iter().for_each(|change| self.change(indent + 1, change));
            }
            Detail::Note { text } => self.line(indent, Style::Faint, &format!("{place}{text}")),
        }
    }

    fn sides(&mut self, indent: usize, left: &str, right: &str) {
        self.line(indent, Style::Removed, &format!("- {left}"));
        self.line(indent, Style::Added, &format!("+ {right}"));
    }

    fn names(&mut self, indent: usize, style: Style, words: &str, names: &[String]) {
        if !names.is_empty() {
            self.line(indent, style, &format!("{words}: {}", names.join(", ")));
        }
    }

    fn strings(&mut self, indent: usize, place: &str, left: &[String], right: &[String], omitted: u64) {
        if !place.is_empty() {
            self.line(indent, Style::Plain, place.trim_end());
        }
        left.iter().for_each(|string| self.line(indent + 1, Style::Removed, &format!("- {string}")));
        right.iter().for_each(|string| self.line(indent + 1, Style::Added, &format!("+ {string}")));
        if omitted > 0 {
            self.line(indent + 1, Style::Faint, &format!("and {omitted} more"));
        }
    }

    fn diff(&mut self, indent: usize, place: &str, diff: &str, cut: bool) {
        if !place.is_empty() {
            self.line(indent, Style::Plain, place.trim_end());
        }
        for line in diff.lines() {
            let style = match line.as_bytes().first() {
                Some(b'-') => Style::Removed,
                Some(b'+') => Style::Added,
                Some(b'@' | b'\\') => Style::Faint,
                _ => Style::Plain,
            };
            self.line(indent + 1, style, line);
        }
        if cut {
            self.line(indent + 1, Style::Faint, "and more");
        }
    }

    fn summary(&mut self, report: &Report) {
        let follow = report.differences.iter().filter(|difference| difference.follows.is_some()).count();
        let total = report.differences.len();
        self.line(0, Style::Bold, &format!("{}, {follow} of which follow from others", super::counted(total)));
        for (cause, count) in report.causes() {
            self.line(1, Style::Cause, &format!("{}: {count}", cause_name(cause)));
        }
    }
}
