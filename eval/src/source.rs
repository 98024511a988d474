//! Source texts and places in them.
//!
//! All sources of a session share one space of 32-bit positions: position 0 is nowhere, and each source has a range of
//! its own, so a place needs four bytes and knows its file.
//!
//! Texts are seldom wanted once they are compiled. When there are many, they go to a file without a name, if the outside
//! has one to give, and come back when somebody asks for them: the same bytes, whatever becomes of the files they came from.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

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
    pub origin: Arc<Origin>,
    /// Its bytes.
    pub text: Arc<[u8]>,
    base: u32,
    /// Offsets at which lines start, once somebody wanted them.
    lines: OnceLock<Vec<u32>>,
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
        match &*self.origin {
            Origin::File(path) => path.display().to_string(),
            Origin::Text(name) => name.clone(),
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &*self.origin {
            Origin::File(path) => Some(path),
            Origin::Text(_) => None,
        }
    }

    fn new(origin: Arc<Origin>, base: u32, text: Arc<[u8]>) -> Self {
        Self { origin, text, base, lines: OnceLock::new() }
    }

    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let starts = self.text.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').map(|(at, _)| at as u32 + 1);
            std::iter::once(0).chain(starts).collect()
        })
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
        let line = self.lines().partition_point(|&start| start <= offset);
        LineColumn { line: line as u32, column: offset - self.lines()[line - 1] + 1 }
    }

    /// The bytes of a line, counted from 1, without its end.
    #[must_use]
    pub fn line(&self, line: u32) -> &[u8] {
        let start = self.lines()[line as usize - 1] as usize;
        let end = self.lines().get(line as usize).map_or(self.text.len(), |&next| next as usize - 1);
        let line = &self.text[start..end];
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// Texts of so many bytes are kept at hand.
const AT_HAND: usize = 1 << 20;

/// All source texts of a session.
#[derive(Debug, Default)]
pub struct Sources(RwLock<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    all: Vec<Kept>,
    archive: Option<Archive>,
    /// The indices of those at hand, and how many bytes they have.
    at_hand: (Vec<usize>, usize),
}

/// Where texts go that are not wanted at hand.
#[derive(Debug)]
struct Archive {
    file: File,
    end: u64,
    /// It takes no more.
    full: bool,
}

/// A source, at hand or in the archive.
#[derive(Debug)]
struct Kept {
    origin: Arc<Origin>,
    base: u32,
    length: u32,
    at_hand: Option<Arc<Source>>,
    archived: Option<u64>,
}

impl Sources {
    /// No sources yet; many will go to this file.
    pub(crate) fn with_archive(file: Option<File>) -> Self {
        Self(RwLock::new(Shelf { archive: file.map(|file| Archive { file, end: 0, full: false }), ..Shelf::default() }))
    }

    /// Adds a text. `None` when all sources together would exceed 4 GiB.
    pub(crate) fn add(&self, origin: Origin, text: Arc<[u8]>) -> Option<Arc<Source>> {
        let mut shelf = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let base = shelf.all.last().map_or(1, |last| u64::from(last.base) + u64::from(last.length) + 1);
        u32::try_from(base + text.len() as u64 + 1).ok()?;
        let source = Arc::new(Source::new(Arc::new(origin), base as u32, text));
        let (origin, length) = (Arc::clone(&source.origin), source.text.len() as u32);
        shelf.all.push(Kept { origin, base: base as u32, length, at_hand: None, archived: None });
        let index = shelf.all.len() - 1;
        shelf.put_at_hand(index, &source);
        Some(source)
    }

    /// The source of a place.
    #[must_use]
    pub fn find(&self, pos: Pos) -> Option<Arc<Source>> {
        let shelf = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let index = shelf.all.partition_point(|source| source.base <= pos.0).checked_sub(1)?;
        if let Some(source) = &shelf.all[index].at_hand {
            return Some(Arc::clone(source));
        }
        drop(shelf);
        let mut shelf = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = &shelf.all[index].at_hand {
            return Some(Arc::clone(source));
        }
        let source = Arc::new(shelf.read(index)?);
        shelf.put_at_hand(index, &source);
        Some(source)
    }
}

impl Shelf {
    /// Keeps a source at hand; when there is too much of that, all others go to the archive.
    fn put_at_hand(&mut self, index: usize, source: &Arc<Source>) {
        if self.at_hand.1 > AT_HAND {
            self.put_away();
        }
        self.all[index].at_hand = Some(Arc::clone(source));
        self.at_hand.0.push(index);
        self.at_hand.1 += source.text.len();
    }

    /// Puts all that is at hand into the archive; when that has no room, they stay.
    fn put_away(&mut self) {
        let Some(archive) = self.archive.as_mut().filter(|archive| !archive.full) else { return };
        let mut bytes = Vec::with_capacity(self.at_hand.1);
        let mut places = Vec::new();
        for &index in &self.at_hand.0 {
            let kept = &self.all[index];
            if let (None, Some(source)) = (kept.archived, &kept.at_hand) {
                places.push((index, archive.end + bytes.len() as u64));
                bytes.extend_from_slice(&source.text);
            }
        }
        if archive.file.write_all_at(&bytes, archive.end).is_err() {
            archive.full = true;
            return;
        }
        archive.end += bytes.len() as u64;
        places.into_iter().for_each(|(index, place)| self.all[index].archived = Some(place));
        for index in std::mem::take(&mut self.at_hand).0 {
            self.all[index].at_hand = None;
        }
    }

    /// A source from the archive.
    fn read(&self, index: usize) -> Option<Source> {
        let kept = &self.all[index];
        let mut text = vec![0; kept.length as usize];
        self.archive.as_ref()?.file.read_exact_at(&mut text, kept.archived?).ok()?;
        Some(Source::new(Arc::clone(&kept.origin), kept.base, text.into()))
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

    #[test]
    fn many_texts_come_back_from_the_archive() {
        let file = tempfile::tempfile().expect("a file");
        for sources in [Sources::with_archive(Some(file)), Sources::default()] {
            let text = |n: usize| format!("{n}\n").repeat(20_000 + n).into_bytes();
            let places: Vec<_> = (0..40)
                .map(|n| sources.add(Origin::Text(n.to_string()), text(n).into()).expect("small").pos(n + 50))
                .collect();
            let away = sources.0.read().expect("no panic").all.iter().filter(|kept| kept.at_hand.is_none()).count();
            assert_eq!(away > 20, sources.0.read().expect("no panic").archive.is_some());
            for _ in 0..2 {
                for (n, place) in places.iter().enumerate() {
                    let source = sources.find(*place).expect("known");
                    assert_eq!((source.name(), &*source.text), (n.to_string(), text(n).as_slice()));
                    assert_eq!(source.offset(*place), n + 50);
                }
            }
            let last = *places.last().expect("there are some");
            assert!(Arc::ptr_eq(&sources.find(last).expect("known"), &sources.find(last).expect("known")));
        }
    }
}
