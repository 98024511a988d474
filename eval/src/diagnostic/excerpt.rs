//! Excerpts of a source: the lines of some labels with marks below them, in the style of `rustc`.

use super::line::ShownLine;
use super::render::{Paint, Painter};
use crate::source::{LineColumn, Source, Span};
use std::collections::BTreeMap;
use store::shown;

/// A label that is to be drawn.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    /// Where, in the source of the excerpt.
    pub(super) span: Span,
    /// What is said there.
    pub(super) text: String,
    /// Whether it is what the diagnostic is about.
    pub(super) primary: bool,
}

/// A mark below one line.
#[derive(Debug, Clone)]
struct LineMark {
    /// Bytes of the line.
    from: usize,
    to: usize,
    text: String,
    primary: bool,
    end_of_area: bool,
}

/// The primary mark, if it is longer than a line: from a line to another.
#[derive(Debug, Clone, Copy)]
struct Area {
    first: u32,
    last: u32,
}

/// The lines of a source with marks below them.
#[derive(Debug)]
pub(super) struct Excerpt<'a> {
    source: &'a Source,
    lines: BTreeMap<u32, Vec<LineMark>>,
    area: Option<Area>,
    place: LineColumn,
}

impl<'a> Excerpt<'a> {
    /// Lays out marks of one source, at least one; the first one gives the place in the heading.
    pub(super) fn new(source: &'a Source, marks: &[Mark]) -> Self {
        let (start, _) = bounds(source, marks[0].span);
        let place = source.line_column(source.pos(start));
        let mut excerpt = Self { source, lines: BTreeMap::new(), area: None, place };
        for mark in marks {
            excerpt.add(mark);
        }
        excerpt.bridge();
        excerpt
    }

    /// The last line shown.
    pub(super) fn last_line(&self) -> u32 {
        self.lines.last_key_value().map_or(1, |(line, _)| *line)
    }

    fn add(&mut self, mark: &Mark) {
        let (start, end) = bounds(self.source, mark.span);
        let (first, last) =
            (self.source.line_column(self.source.pos(start)), self.source.line_column(self.source.pos(end)));
        let from = first.column as usize - 1;
        let line_mark =
            |to, text: &str| LineMark { from, to, text: text.to_owned(), primary: mark.primary, end_of_area: false };
        if first.line == last.line {
            let to = (last.column as usize - 1).max(from);
            self.lines.entry(first.line).or_default().push(line_mark(to, &mark.text));
            return;
        }
        if !mark.primary || self.area.is_some() {
            let to = self.source.line(first.line).len();
            self.lines.entry(first.line).or_default().push(line_mark(to, &mark.text));
            return;
        }
        self.area = Some(Area { first: first.line, last: last.line });
        self.lines.entry(first.line).or_default().push(line_mark(from + 1, ""));
        let to = last.column as usize - 1;
        let end = LineMark { from: to.saturating_sub(1), to, end_of_area: true, ..line_mark(to, &mark.text) };
        self.lines.entry(last.line).or_default().push(end);
        self.lines.entry(first.line + 1).or_default();
    }

    /// Shows a line that alone is between two that are shown, in place of an ellipsis.
    fn bridge(&mut self) {
        let shown: Vec<u32> = self.lines.keys().copied().collect();
        for pair in shown.windows(2) {
            if pair[1] == pair[0] + 2 {
                self.lines.entry(pair[0] + 1).or_default();
            }
        }
    }

    /// Draws it; `margin` is the width of line numbers.
    pub(super) fn draw(&self, margin: usize, painter: &mut Painter) {
        let LineColumn { line, column } = self.place;
        painter.text(&" ".repeat(margin));
        painter.paint(Paint::Frame, "-->");
        painter.text(&format!(" {}:{line}:{column}", shown(&self.source.name())));
        painter.end_line();
        self.margin("", margin, painter);
        painter.end_line();
        let mut before = None;
        for (&line, marks) in &self.lines {
            if before.is_some_and(|before| before + 1 < line) {
                painter.paint(Paint::Frame, "...");
                painter.end_line();
            }
            self.draw_line(line, marks, margin, painter);
            before = Some(line);
        }
    }

    fn margin(&self, number: &str, margin: usize, painter: &mut Painter) {
        painter.paint(Paint::Frame, &format!("{number:margin$} |"));
    }

    fn draw_line(&self, line: u32, marks: &[LineMark], margin: usize, painter: &mut Painter) {
        let bytes = self.source.line(line);
        let focus = marks.iter().find(|mark| mark.primary).or(marks.first());
        let shown = ShownLine::new(bytes, focus.map_or(0, |mark| mark.from), focus.map_or(0, |mark| mark.to));
        let starts = self.area.is_some_and(|area| area.first == line);
        let at_margin = starts && starts_line(bytes, marks);
        self.margin(&line.to_string(), margin, painter);
        match self.area {
            Some(_) if at_margin => painter.paint(Paint::Primary, " / "),
            Some(area) if area.first < line && line <= area.last => painter.paint(Paint::Primary, " | "),
            Some(_) => painter.text("   "),
            None => painter.text(" "),
        }
        painter.text(&shown.text);
        painter.end_line();
        // The start of an area that begins its line needs no mark below.
        let drawn = marks.iter().filter(|mark| !(at_margin && mark.primary && !mark.end_of_area));
        for row in rows(drawn.cloned().collect()) {
            self.draw_row(line, &row, &shown, margin, painter);
        }
    }

    fn draw_row(&self, line: u32, row: &[LineMark], shown: &ShownLine, margin: usize, painter: &mut Painter) {
        let (last, others) = row.split_last().expect("a row has a mark");
        self.margin("", margin, painter);
        let mut column = self.draw_gutter(line, row, shown, painter);
        for mark in row {
            let (from, to) = (shown.column(mark.from), shown.column(mark.to));
            painter.text(&" ".repeat(from.saturating_sub(column)));
            let length = to.saturating_sub(from).max(1);
            painter.paint(paint(mark), &if mark.primary { "^" } else { "-" }.repeat(length));
            column = from.max(column) + length;
        }
        if !last.text.is_empty() {
            painter.paint(paint(last), &format!(" {}", last.text));
        }
        painter.end_line();
        // What is said of the other marks, from right to left below them.
        let with_text: Vec<_> = others.iter().filter(|mark| !mark.text.is_empty()).collect();
        for count in (1..=with_text.len()).rev() {
            self.draw_texts(line, &with_text[..count], shown, margin, painter);
        }
    }

    /// The columns between the margin and the text, which an area leads through; gives the column after it.
    fn draw_gutter(&self, line: u32, row: &[LineMark], shown: &ShownLine, painter: &mut Painter) -> usize {
        let Some(area) = self.area else {
            painter.text(" ");
            return 0;
        };
        let opens = line == area.first && row.iter().any(|mark| mark.primary);
        let closes = line == area.last && row.iter().any(|mark| mark.end_of_area);
        let first_mark = row.first().map_or(0, |mark| shown.column(mark.from));
        if opens && row[0].primary {
            painter.paint(Paint::Primary, &format!("  {}", "_".repeat(first_mark + 1)));
            return first_mark;
        }
        if closes && row[0].end_of_area {
            painter.paint(Paint::Primary, &format!(" |{}", "_".repeat(first_mark + 1)));
            return first_mark;
        }
        let inside = area.first < line && line <= area.last;
        painter.paint(Paint::Primary, if inside { " | " } else { "   " });
        0
    }

    fn draw_texts(&self, line: u32, marks: &[&LineMark], shown: &ShownLine, margin: usize, painter: &mut Painter) {
        let (last, others) = marks.split_last().expect("at least one");
        self.margin("", margin, painter);
        match self.area {
            None => painter.text(" "),
            Some(area) if area.first <= line && line < area.last => painter.paint(Paint::Primary, " | "),
            Some(_) => painter.text("   "),
        }
        let mut column = 0;
        for mark in others {
            let at = shown.column(mark.from);
            painter.text(&" ".repeat(at.saturating_sub(column)));
            painter.paint(paint(mark), "|");
            column = at + 1;
        }
        painter.text(&" ".repeat(shown.column(last.from).saturating_sub(column)));
        painter.paint(paint(last), &last.text);
        painter.end_line();
    }
}

fn paint(mark: &LineMark) -> Paint {
    if mark.primary { Paint::Primary } else { Paint::Frame }
}

/// Whether nothing but blanks stands before the primary mark.
fn starts_line(line: &[u8], marks: &[LineMark]) -> bool {
    let primary = marks.iter().find(|mark| mark.primary && !mark.end_of_area);
    primary.is_some_and(|mark| line.iter().take(mark.from).all(u8::is_ascii_whitespace))
}

/// Marks in rows such that those of a row do not overlap, each row from left to right; the primary one is in the first.
fn rows(mut marks: Vec<LineMark>) -> Vec<Vec<LineMark>> {
    marks.sort_by_key(|mark| !mark.primary);
    let mut rows: Vec<Vec<LineMark>> = Vec::new();
    for mark in marks {
        let apart =
            |other: &LineMark| mark.to.max(mark.from + 1) <= other.from || other.to.max(other.from + 1) <= mark.from;
        match rows.iter_mut().find(|row| row.iter().all(apart)) {
            Some(row) => row.push(mark),
            None => rows.push(vec![mark]),
        }
    }
    for row in &mut rows {
        row.sort_by_key(|mark| mark.from);
    }
    rows
}

/// The bytes of a span that are worth showing: without blanks at its end, and at the end of the file that of its text.
fn bounds(source: &Source, span: Span) -> (usize, usize) {
    let text = &source.text;
    let (start, end) = (source.offset(span.start), source.offset(span.end).max(source.offset(span.start)));
    let trimmed = text.trim_ascii_end().len();
    if start >= trimmed && !text[start..].is_empty() && text[start..].contains(&b'\n') || start == text.len() {
        return (trimmed, trimmed);
    }
    let kept = text[start..end].trim_ascii_end().len();
    let continues = |end: &usize| text.get(*end).is_some_and(|byte| byte & 0xc0 == 0x80);
    // A character that begins in the span is marked whole.
    let end = (start + kept..).find(|end| !continues(end)).unwrap_or(start);
    (start, if kept == 0 { start } else { end })
}
