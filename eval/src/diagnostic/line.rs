//! One line of a source as it is shown: tabs widened, control characters and broken UTF-8 replaced, columns counted as a
//! terminal counts them, and cut around what matters when it is long.

use unicode_width::UnicodeWidthChar;

/// How many columns of a line are shown.
const MAX_WIDTH: usize = 140;
/// How many columns are kept before what matters in a line that is cut.
const MARGIN: usize = 40;
/// How many bytes around what matters are looked at: more than are shown, unless most of them take no column.
const MAX_BYTES: usize = 1 << 10;
/// How many columns a tab takes.
const TAB: usize = 4;
const CUT: char = '…';

/// A character that is shown, and its column.
type Cell = (usize, char);

/// A line, ready to be shown.
#[derive(Debug)]
pub(super) struct ShownLine {
    /// The text.
    pub(super) text: String,
    /// For each byte from `first` on, and for the end, the column where it is shown.
    columns: Vec<usize>,
    first: usize,
}

impl ShownLine {
    /// Shows a line; the bytes from `from` to `to` are what matters.
    pub(super) fn new(line: &[u8], from: usize, to: usize) -> Self {
        let (from, to) = (from.min(line.len()), to.min(line.len()));
        let first = char_start(line, from.saturating_sub(MAX_BYTES));
        let last = char_start(line, to.min(from + MAX_BYTES).saturating_add(MAX_BYTES).min(line.len()));
        let mut shown = Self { text: String::new(), columns: Vec::with_capacity(last - first + 1), first };
        let mut cells = shown.cells(&line[first..last]);
        let width = *shown.columns.last().unwrap_or(&0);
        if width > MAX_WIDTH || first > 0 || last < line.len() {
            shown.cut(&mut cells, width, from, to, last < line.len());
        }
        shown.text = cells.into_iter().map(|(_, character)| character).collect();
        shown.text.truncate(shown.text.trim_end().len());
        shown
    }

    /// The column where a byte is shown.
    pub(super) fn column(&self, offset: usize) -> usize {
        let index = offset.saturating_sub(self.first).min(self.columns.len() - 1);
        self.columns[index]
    }

    /// Fills in the columns and gives what is shown with the column where it starts.
    fn cells(&mut self, bytes: &[u8]) -> Vec<Cell> {
        let mut cells = Vec::with_capacity(bytes.len());
        let mut column = 0;
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                let (shown, width) = cell(character);
                self.columns.extend(std::iter::repeat_n(column, character.len_utf8()));
                match character {
                    '\t' => cells.extend((column..column + width).map(|column| (column, shown))),
                    _ => cells.push((column, shown)),
                }
                column += width;
            }
            if !chunk.invalid().is_empty() {
                self.columns.extend(std::iter::repeat_n(column, chunk.invalid().len()));
                cells.push((column, char::REPLACEMENT_CHARACTER));
                column += 1;
            }
        }
        self.columns.push(column);
        cells
    }

    /// Keeps the columns around what matters.
    fn cut(&mut self, cells: &mut Vec<Cell>, width: usize, from: usize, to: usize, more: bool) {
        let (from, to) = (self.column(from), self.column(to));
        let start = if to < MAX_WIDTH && self.first == 0 { 0 } else { from.saturating_sub(MARGIN) };
        let end = start + MAX_WIDTH;
        cells.retain(|(column, _)| (start..end).contains(column));
        let skipped = if start > 0 || self.first > 0 { 1 } else { 0 };
        if skipped > 0 {
            cells.insert(0, (start, CUT));
        }
        if width > end || more {
            cells.push((end, CUT));
        }
        for column in &mut self.columns {
            *column = (*column).clamp(start, end) - start + skipped;
        }
    }
}

/// Whether a character is invisible or changes the direction of writing, so that a text is not what it seems.
pub(super) fn is_deceptive(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What stands for a character, and how wide it is.
fn cell(character: char) -> (char, usize) {
    match character {
        '\t' => (' ', TAB),
        character if is_deceptive(character) => (char::REPLACEMENT_CHARACTER, 1),
        character => character.width().map_or((char::REPLACEMENT_CHARACTER, 1), |width| (character, width)),
    }
}

/// The start of the character that a byte belongs to.
fn char_start(line: &[u8], mut at: usize) -> usize {
    while at > 0 && at < line.len() && line[at] & 0xc0 == 0x80 {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &[u8], from: usize, to: usize) -> (String, usize, usize) {
        let shown = ShownLine::new(line, from, to);
        (shown.text.clone(), shown.column(from), shown.column(to))
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
        assert_eq!(shown(b"ab = c;", 5, 6), ("ab = c;".to_owned(), 5, 6));
        assert_eq!(shown(b"\ta", 1, 2), ("    a".to_owned(), 4, 5));
        // A wide character takes two columns, a combining one none.
        assert_eq!(shown("日本x".as_bytes(), 6, 7), ("日本x".to_owned(), 4, 5));
        assert_eq!(shown("e\u{301}x".as_bytes(), 3, 4), ("e\u{301}x".to_owned(), 1, 2));
        assert_eq!(shown(b"\xff\xfex", 2, 3), ("\u{fffd}\u{fffd}x".to_owned(), 2, 3));
        assert_eq!(shown(b"\x1b[31mx", 5, 6), ("\u{fffd}[31mx".to_owned(), 5, 6));
        assert_eq!(shown(b"a", 1, 1), ("a".to_owned(), 1, 1));
        assert_eq!(shown(b"", 0, 0), (String::new(), 0, 0));
    }

    #[test]
    fn long_lines_are_cut_around_what_matters() {
        let line = [&b"a".repeat(1000)[..], b"HERE", &b"b".repeat(1_000_000)].concat();
        let (text, from, to) = shown(&line, 1000, 1004);
        assert_eq!(text.chars().skip(from).take(to - from).collect::<String>(), "HERE");
        assert!(text.starts_with("…aaa") && text.ends_with("bbb…"), "{text}");
        assert!(text.chars().count() <= MAX_WIDTH + 2);
        let (text, from, to) = shown(&line, 1_001_000, 1_001_004);
        assert!(text.ends_with('b') && from == MARGIN + 1 && to == from + 4, "{text} {from} {to}");
    }
}
