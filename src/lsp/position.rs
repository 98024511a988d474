//! Positions as editors count them: lines from 0, and in a line UTF-16 code units (or bytes, if the client takes them).

use serde_json::{Value, json};
use std::ops::Range;

/// What a column counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16,
}

impl Encoding {
    /// The name in the protocol.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
        }
    }

    fn width(self, character: char) -> usize {
        match self {
            Self::Utf8 => character.len_utf8(),
            Self::Utf16 => character.len_utf16(),
        }
    }
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    text: &'t [u8],
    starts: Vec<usize>,
    encoding: Encoding,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t [u8], encoding: Encoding) -> Self {
        let newlines = text.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(newlines).collect(), encoding }
    }

    /// A line without its end.
    fn line(&self, line: usize) -> &'t [u8] {
        let start = self.starts[line];
        let end = self.starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let line = &self.text[start..end];
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// The offset of a position. What is behind the end of a line or the text means that end.
    pub(super) fn offset(&self, position: &Value) -> Option<usize> {
        let number =
            |key: &str| position.get(key)?.as_u64().map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let (line, character) = (number("line")?, number("character")?);
        if line >= self.starts.len() {
            return Some(self.text.len());
        }
        let (mut counted, mut offset) = (0, self.starts[line]);
        for piece in self.line(line).utf8_chunks() {
            for character_here in piece.valid().chars() {
                if counted >= character {
                    return Some(offset);
                }
                counted += self.encoding.width(character_here);
                offset += character_here.len_utf8();
            }
            if !piece.invalid().is_empty() && counted < character {
                counted += 1;
                offset += piece.invalid().len();
            }
        }
        Some(offset)
    }

    /// The offsets of a range.
    pub(super) fn range(&self, range: &Value) -> Option<Range<usize>> {
        let (start, end) = (self.offset(range.get("start")?)?, self.offset(range.get("end")?)?);
        (start <= end).then_some(start..end)
    }

    /// The position of an offset.
    pub(super) fn position(&self, offset: usize) -> Value {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|&start| start <= offset) - 1;
        let before = &self.text[self.starts[line]..offset];
        if before.is_ascii() {
            return json!({ "line": line, "character": before.len() });
        }
        let width = |piece: std::str::Utf8Chunk<'_>| {
            let valid: usize = piece.valid().chars().map(|character| self.encoding.width(character)).sum();
            valid + usize::from(!piece.invalid().is_empty())
        };
        json!({ "line": line, "character": before.utf8_chunks().map(width).sum::<usize>() })
    }

    /// The range of offsets.
    pub(super) fn range_of(&self, range: &Range<usize>) -> Value {
        json!({ "start": self.position(range.start), "end": self.position(range.end) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_code_units() {
        let text = "a\r\né😀x\n\n".as_bytes();
        let lines = Lines::new(text, Encoding::Utf16);
        for (line, character, offset) in
            [(0, 0, 0), (0, 1, 1), (1, 0, 3), (1, 1, 5), (1, 3, 9), (1, 4, 10), (2, 0, 11), (3, 0, 12)]
        {
            let position = json!({ "line": line, "character": character });
            assert_eq!(lines.offset(&position), Some(offset), "{position}");
            assert_eq!(lines.position(offset), position);
        }
        // In the middle of a pair, behind a line, behind the text.
        for (line, character, offset) in [(1, 2, 9), (0, 9, 1), (9, 0, 12), (1, u64::MAX, 10)] {
            assert_eq!(lines.offset(&json!({ "line": line, "character": character })), Some(offset));
        }
        assert_eq!(lines.offset(&json!({ "line": -1, "character": 0 })), None);
        let lines = Lines::new(text, Encoding::Utf8);
        assert_eq!(lines.position(9), json!({ "line": 1, "character": 6 }));
    }

    #[test]
    fn bytes_that_are_no_text_have_a_width() {
        let lines = Lines::new(b"\xffa", Encoding::Utf16);
        assert_eq!(lines.position(1), json!({ "line": 0, "character": 1 }));
        assert_eq!(lines.offset(&json!({ "line": 0, "character": 1 })), Some(1));
    }
}
