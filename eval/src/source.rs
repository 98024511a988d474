//! Source texts and places in them.
//!
//! All sources of a session share one space of 32-bit positions: position 0 is nowhere, and each source has a range of
//! its own, so a place needs four bytes and knows its file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// A place in some source; `Pos::NONE` is nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pos(pub(crate) u32);

impl Pos {
    /// Nowhere: of values that no source wrote.
    pub const NONE: Self = Self(0);
}

/// A range of bytes in one source, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: Pos,
    /// Behind the last byte.
    pub end: Pos,
}

impl Span {
    /// Nowhere.
    pub const NONE: Self = Self { start: Pos::NONE, end: Pos::NONE };

    /// Whether it is nowhere.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.start == Pos::NONE
    }

    /// From the start of one to the end of another.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }

    /// The empty range behind it.
    #[must_use]
    pub fn after(self) -> Self {
        Self { start: self.end, end: self.end }
    }

    /// The range of length one at a place.
    #[must_use]
    pub fn at(pos: Pos) -> Self {
        Self { start: pos, end: if pos == Pos::NONE { pos } else { Pos(pos.0 + 1) } }
    }
}

/// Where a source text came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// A text of the caller's, with the name it is shown under.
    Text(String),
}

/// A source text.
#[derive(Debug)]
pub struct Source {
    /// Where it came from.
    pub origin: Origin,
    /// Its bytes.
    pub text: Arc<[u8]>,
    base: u32,
    /// Offsets at which lines start.
    lines: Vec<u32>,
}

/// Line and column of a place, both from 1; the column counts bytes, as Nix does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineColumn {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Source {
    /// The name it is shown under.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.origin {
            Origin::File(path) => path.display().to_string(),
            Origin::Text(name) => name.clone(),
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) => Some(path),
            Origin::Text(_) => None,
        }
    }

    pub(crate) fn pos(&self, offset: usize) -> Pos {
        Pos(self.base + u32::try_from(offset).expect("sources are shorter than 4 GiB"))
    }

    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        Span { start: self.pos(start), end: self.pos(end) }
    }

    pub(crate) fn offset(&self, pos: Pos) -> usize {
        ((pos.0 - self.base) as usize).min(self.text.len())
    }

    /// The byte at a place in this source.
    pub(crate) fn byte(&self, pos: Pos) -> Option<u8> {
        self.text.get(self.offset(pos)).copied()
    }

    /// Line and column of a place in this source.
    #[must_use]
    pub fn line_column(&self, pos: Pos) -> LineColumn {
        let offset = self.offset(pos) as u32;
        let line = self.lines.partition_point(|&start| start <= offset);
        LineColumn { line: line as u32, column: offset - self.lines[line - 1] + 1 }
    }

    /// The bytes of a line, counted from 1, without its end.
    #[must_use]
    pub fn line(&self, line: u32) -> &[u8] {
        let start = self.lines[line as usize - 1] as usize;
        let end = self.lines.get(line as usize).map_or(self.text.len(), |&next| next as usize - 1);
        let line = &self.text[start..end];
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// All source texts of a session.
#[derive(Debug, Default)]
pub struct Sources {
    all: RwLock<Vec<Arc<Source>>>,
}

impl Sources {
    /// Adds a text. `None` when all sources together would exceed 4 GiB.
    pub(crate) fn add(&self, origin: Origin, text: Arc<[u8]>) -> Option<Arc<Source>> {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let base = all.last().map_or(1, |last| u64::from(last.base) + last.text.len() as u64 + 1);
        u32::try_from(base + text.len() as u64 + 1).ok()?;
        let starts = text.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').map(|(at, _)| at as u32 + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        let source = Arc::new(Source { origin, base: base as u32, lines, text });
        all.push(Arc::clone(&source));
        Some(source)
    }

    /// The source of a place.
    #[must_use]
    pub fn find(&self, pos: Pos) -> Option<Arc<Source>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let index = all.partition_point(|source| source.base <= pos.0).checked_sub(1)?;
        Some(Arc::clone(&all[index]))
    }
}

/// What follows white space and comments.
pub(crate) fn behind_blank(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] => rest,
            [b'#', ..] => &rest[rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())..],
            [b'/', b'*', inside @ ..] => match inside.windows(2).position(|two| two == b"*/") {
                Some(end) => &inside[end + 2..],
                None => return &[],
            },
            _ => return rest,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_know_their_source_and_line() {
        let sources = Sources::default();
        let first = sources.add(Origin::Text("a".to_owned()), b"x\ny".as_slice().into()).expect("small");
        let second = sources.add(Origin::Text("b".to_owned()), b"1\n\n23".as_slice().into()).expect("small");
        assert_eq!(first.line_column(first.pos(2)), LineColumn { line: 2, column: 1 });
        let place = second.pos(4);
        assert_eq!(sources.find(place).expect("known").name(), "b");
        assert_eq!(second.line_column(place), LineColumn { line: 3, column: 2 });
        assert_eq!(second.line(3), b"23");
        let third = sources.add(Origin::Text("c".to_owned()), b"a\r\n\r\nb\n".as_slice().into()).expect("small");
        assert_eq!((1..=4).map(|line| third.line(line)).collect::<Vec<_>>(), [&b"a"[..], b"", b"b", b""]);
        assert!(sources.find(Pos::NONE).is_none());
    }
}
