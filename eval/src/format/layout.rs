//! Layout: decides where lines are broken.
//!
//! Greedy: a group that fits on the rest of the line stays on it. If it does not, but all that stands before and behind one
//! of its parts of kind [`Group::First`] does, only that part is broken. Else all its spacings break.
//!
//! A line is indented one step more than the line before where its text is nested more deeply, however much more: so two
//! brackets that open on one line indent what stands in them once. Indentation does not count as width.

use super::doc::{Doc, Group, Spacing, Text, TextKind, unbroken};

/// The width of lines, without indentation.
const WIDTH: isize = 100;
/// The columns of one step of indentation.
const STEP: usize = 2;

/// What follows in the documents around.
#[derive(Clone, Copy)]
struct Rest<'a> {
    docs: &'a [Doc],
    outer: Option<&'a Self>,
}

#[derive(Debug, Clone)]
struct State {
    out: Vec<u8>,
    /// The width of the current line; 0 at its start.
    column: usize,
    /// Columns of indentation, and the level of nesting that they are for.
    indents: Vec<(usize, u32)>,
}

/// Where to go back to when a try fails.
struct Mark {
    out: usize,
    column: usize,
    indents: Vec<(usize, u32)>,
}

/// The text of a document.
pub(super) fn lay_out(docs: &[Doc]) -> Vec<u8> {
    let mut state = State { out: Vec::new(), column: 0, indents: vec![(0, 0)] };
    state.broken(docs, None);
    state.out
}

impl State {
    fn mark(&self) -> Mark {
        Mark { out: self.out.len(), column: self.column, indents: self.indents.clone() }
    }

    fn back_to(&mut self, mark: &Mark) {
        self.out.truncate(mark.out);
        self.column = mark.column;
        self.indents.clone_from(&mark.indents);
    }

    fn text(&mut self, text: &Text) {
        self.nest(text);
        if self.column == 0 {
            let indent = self.indent().0 + text.offset as usize;
            self.out.resize(self.out.len() + indent, b' ');
        } else if text.kind == TextKind::Indentation {
            self.out.resize(self.out.len() + self.indent().0, b' ');
        }
        self.inline(text);
    }

    /// Takes note of how deeply a text is nested that comes next.
    fn nest(&mut self, text: &Text) {
        while self.level() > text.level {
            self.indents.pop();
        }
        if self.level() < text.level {
            let (indent, _) = self.indent();
            self.indents.push((if self.column == 0 { indent + STEP } else { indent }, text.level));
        }
    }

    fn inline(&mut self, text: &Text) {
        self.out.extend_from_slice(&text.bytes);
        self.column += text.width();
    }

    fn indent(&self) -> (usize, u32) {
        self.indents.last().copied().unwrap_or_default()
    }

    fn level(&self) -> u32 {
        self.indent().1
    }

    /// Ends lines; those that have just ended count.
    fn lines(&mut self, count: u32) {
        let ended = if self.column == 0 { self.out.iter().rev().take_while(|&&byte| byte == b'\n').count() } else { 0 };
        self.add_lines(count.saturating_sub(ended as u32));
    }

    fn add_lines(&mut self, count: u32) {
        self.out.resize(self.out.len() + count as usize, b'\n');
        self.column = 0;
    }

    fn space(&mut self) {
        self.out.push(b' ');
        self.column += 1;
    }

    /// Prints with all direct spacings broken.
    fn broken(&mut self, docs: &[Doc], outer: Option<&Rest<'_>>) {
        for (index, doc) in docs.iter().enumerate() {
            let rest = Rest { docs: &docs[index + 1..], outer };
            match doc {
                Doc::Text(text) => self.text(text),
                Doc::Space(spacing) => self.spacing(*spacing, &rest),
                Doc::Group(kind, inner) => self.group(*kind, inner, &rest),
            }
        }
    }

    fn spacing(&mut self, spacing: Spacing, rest: &Rest<'_>) {
        match spacing {
            Spacing::Break | Spacing::Space | Spacing::Line => self.lines(1),
            Spacing::EmptyLine => self.lines(2),
            Spacing::Newlines(count) => self.add_lines(count),
            Spacing::Hard => self.space(),
            Spacing::SoftBreak => {
                if !first_line_fits(WIDTH - self.column as isize, WIDTH, rest) {
                    self.lines(1);
                }
            }
            Spacing::Soft => {
                if first_line_fits(WIDTH - self.column as isize - 1, WIDTH, rest) {
                    self.space();
                } else {
                    self.lines(1);
                }
            }
        }
    }

    fn group(&mut self, kind: Group, docs: &[Doc], rest: &Rest<'_>) {
        if self.on_one_line(docs, rest) {
            return;
        }
        match kind {
            Group::Chain => return self.chain(docs, rest),
            Group::Plain | Group::First if self.with_one_part_broken(docs, rest) => return,
            _ => {}
        }
        let docs = self.without_leading_space(docs);
        self.broken(docs, Some(rest));
    }

    /// Prints as many links as fit on the line, and all spacings broken that stand directly in the others.
    fn chain(&mut self, links: &[Doc], rest: &Rest<'_>) {
        let fitting = fitting(WIDTH - self.column as isize, links);
        self.compact(&links[..fitting]);
        for (index, link) in links.iter().enumerate().skip(fitting) {
            // The next link breaks where its own first spacing stands.
            let after = Rest { docs: links.get(index + 2..).unwrap_or_default(), outer: Some(rest) };
            let next = match links.get(index + 1) {
                Some(Doc::Group(_, inner)) => Rest { docs: inner, outer: Some(&after) },
                _ => Rest { docs: &links[index + 1..], outer: Some(rest) },
            };
            match link {
                Doc::Group(_, inner) => self.broken(inner, Some(&next)),
                other => self.broken(std::slice::from_ref(other), Some(&next)),
            }
        }
    }

    /// At the start of a line a soft space has done its work.
    fn without_leading_space<'a>(&self, docs: &'a [Doc]) -> &'a [Doc] {
        match docs {
            [Doc::Space(spacing), docs @ ..] if self.column == 0 && !spacing.is_line() => docs,
            _ => docs,
        }
    }

    /// Prints on one line, if that fits.
    fn on_one_line(&mut self, docs: &[Doc], rest: &Rest<'_>) -> bool {
        let docs = self.without_leading_space(docs);
        let room = WIDTH - self.column as isize - first_line_width(rest);
        if !fits(room, docs) {
            return false;
        }
        self.compact(docs);
        true
    }

    /// Prints on one line. Nesting counts at the start of the line only: what opens and closes on one line indents nothing.
    fn compact(&mut self, docs: &[Doc]) {
        for doc in docs {
            match doc {
                Doc::Text(text) if text.kind == TextKind::TrailingComma => {}
                Doc::Text(text) if self.column == 0 => self.text(text),
                Doc::Text(text) => self.inline(text),
                Doc::Space(Spacing::Hard | Spacing::Soft | Spacing::Space) if self.column > 0 => self.space(),
                Doc::Space(_) => {}
                Doc::Group(_, inner) => self.compact(inner),
            }
        }
    }

    /// Prints with only one of the parts that may be broken first broken, and the others on its first and last line.
    fn with_one_part_broken(&mut self, docs: &[Doc], rest: &Rest<'_>) -> bool {
        let mut flat = Vec::new();
        flatten(docs, &mut flat);
        let parts: Vec<_> = parts_to_break(&flat, WIDTH - self.column as isize);
        let mark = self.mark();
        for &part in parts.iter().rev() {
            let cloned = |docs: &[&Doc]| docs.iter().map(|&doc| doc.clone()).collect::<Vec<Doc>>();
            let Some(behind) = unbroken(&cloned(&flat[part + 1..]), None) else { continue };
            let Doc::Group(_, inner) = flat[part] else { continue };
            if self.try_part(&cloned(&flat[..part]), inner, &behind, rest) {
                return true;
            }
            self.back_to(&mark);
        }
        false
    }

    fn try_part(&mut self, before: &[Doc], part: &[Doc], behind: &[Doc], rest: &Rest<'_>) -> bool {
        if before.is_empty() && behind.is_empty() {
            return false;
        }
        let behind_part = Rest { docs: behind, outer: Some(rest) };
        let behind_before = Rest { docs: part, outer: Some(&behind_part) };
        if !self.on_one_line(before, &behind_before) {
            return false;
        }
        let part = self.without_leading_space(part);
        self.broken(part, Some(&behind_part));
        self.on_one_line(behind, rest)
    }
}

/// The pieces of a group, with those of transparent groups in place.
fn flatten<'a>(docs: &'a [Doc], out: &mut Vec<&'a Doc>) {
    for doc in docs {
        match doc {
            Doc::Group(Group::Transparent | Group::Chain, inner) => flatten(inner, out),
            _ => out.push(doc),
        }
    }
}

/// The parts that may be broken first: those for which what stands before them has room, and what stands behind them
/// would have it on a line of its own.
fn parts_to_break(flat: &[&Doc], room: isize) -> Vec<usize> {
    let take = |room: &mut isize, doc: &Doc| {
        // Spaces beside each other are one when they are printed.
        let used = if matches!(doc, Doc::Space(spacing) if !spacing.is_line()) {
            Some(0)
        } else {
            width(*room, std::slice::from_ref(doc))
        };
        *room -= used?;
        Some(())
    };
    let (mut before, mut behind) = (room, WIDTH);
    let fit_before = flat.iter().map_while(|doc| take(&mut before, doc)).count();
    let fit_behind = flat.iter().rev().map_while(|doc| take(&mut behind, doc)).count();
    let possible = flat.len().saturating_sub(fit_behind + 1)..flat.len().min(fit_before + 1);
    possible.filter(|&index| matches!(flat[index], Doc::Group(Group::First, _))).collect()
}

/// How many links of a chain fit on one line of a width.
fn fitting(mut room: isize, links: &[Doc]) -> usize {
    let widths = links.iter().map_while(|link| {
        room -= width(room, std::slice::from_ref(link))?;
        Some(matches!(link, Doc::Group(..)))
    });
    // What stands between links belongs to the one behind it.
    widths.enumerate().filter(|(_, is_link)| *is_link).last().map_or(0, |(last, _)| last + 1)
}

/// Whether a document fits on one line of a width.
fn fits(room: isize, docs: &[Doc]) -> bool {
    width(room, docs).is_some()
}

/// The width on one line; `None` if it is more than there is room for, or has a line break.
fn width(room: isize, docs: &[Doc]) -> Option<isize> {
    let mut used = 0;
    if room < 0 {
        return None;
    }
    let mut last_was_space = false;
    for doc in docs {
        let mut is_space = false;
        used += match doc {
            Doc::Text(text) if text.kind == TextKind::Code => text.width() as isize,
            Doc::Text(_) => 0,
            Doc::Space(Spacing::SoftBreak | Spacing::Break) => 0,
            Doc::Space(Spacing::Hard | Spacing::Soft | Spacing::Space) => {
                is_space = true;
                isize::from(!last_was_space)
            }
            Doc::Space(_) => return None,
            Doc::Group(_, inner) => width(room - used, inner)?,
        };
        if used > room {
            return None;
        }
        last_was_space = is_space;
    }
    Some(used)
}

/// The width up to the first place where a line may be broken, as far as it may matter: nothing fits beside more than a
/// line.
fn first_line_width(rest: &Rest<'_>) -> isize {
    let mut total = 0;
    let mut rest = Some(rest);
    while let Some(here) = rest {
        if add_first_line_width(here.docs, &mut total) {
            return total;
        }
        rest = here.outer;
    }
    total
}

/// Adds widths up to a break; true when there was one, or there is no room left on any line.
fn add_first_line_width(docs: &[Doc], total: &mut isize) -> bool {
    for doc in docs {
        if *total > WIDTH {
            return true;
        }
        match doc {
            Doc::Text(text) if matches!(text.kind, TextKind::Comment | TextKind::TrailingComment) => {}
            Doc::Text(text) => *total += text.width() as isize,
            Doc::Space(Spacing::Hard) => *total += 1,
            Doc::Space(_) => return true,
            Doc::Group(_, inner) => {
                if add_first_line_width(inner, total) {
                    return true;
                }
            }
        }
    }
    false
}

/// Whether the line that begins with a document fits in `target`; groups in it are taken whole if they fit in `max`.
fn first_line_fits(target: isize, max: isize, rest: &Rest<'_>) -> bool {
    let mut left = max;
    let mut rest = Some(rest);
    while let Some(here) = rest {
        if take_first_line(here.docs, &mut left, here.outer) {
            break;
        }
        rest = here.outer;
    }
    left >= 0 && max - left <= target
}

/// Takes the widths of a line; true when it ended.
fn take_first_line(docs: &[Doc], left: &mut isize, outer: Option<&Rest<'_>>) -> bool {
    for (index, doc) in docs.iter().enumerate() {
        match doc {
            Doc::Text(text) if text.kind == TextKind::Code => *left -= text.width() as isize,
            Doc::Text(_) => {}
            Doc::Space(Spacing::Hard) => *left -= 1,
            Doc::Space(_) => return true,
            Doc::Group(_, inner) => {
                let rest = Rest { docs: &docs[index + 1..], outer };
                match width(*left - first_line_width(&rest), inner) {
                    Some(width) => *left -= width,
                    None => {
                        if take_first_line(inner, left, Some(&rest)) {
                            return true;
                        }
                    }
                }
            }
        }
        if *left < 0 {
            return true;
        }
    }
    false
}
