//! Decoding pairs of files that differ, to say in the words of their format where.
//!
//! Every decoder takes two byte strings of one format and either says what differs or that one of them is malformed;
//! then, and for unknown formats, they are compared byte by byte. Containers hand their parts back here.

pub mod raw;
pub(crate) mod text;

mod ar;
mod bytes;
mod compressed;
mod elf;
mod elf_symbols;
mod gzip;
mod members;
mod strings;
mod tar;
mod zip;

use crate::diff::Options;
use crate::reading::{Cause, Evidence, Reading, Tokens};
use crate::report::{Change, Detail};
use std::cell::Cell;

/// How much is decoded. What is beyond is compared byte by byte, and the report says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file that is read into memory.
    pub file_bytes: u64,
    /// Most bytes that all compressed data of one file unpacks to, both sides together.
    pub unpacked_bytes: u64,
    /// Deepest nesting of containers.
    pub depth: usize,
    /// Most members of a container.
    pub members: usize,
    /// Most changes that are listed of one container.
    pub changes: usize,
    /// Largest text that is compared line by line.
    pub text_bytes: usize,
    /// Most lines of a unified diff.
    pub diff_lines: usize,
    /// Most strings or symbols that are listed.
    pub strings: usize,
}

impl Default for Limits {
    /// 512 MiB files, 2 GiB unpacked, 10 containers deep; 200,000 members, 200 changes, 16 MiB texts, 200 lines, 40 strings.
    fn default() -> Self {
        Self {
            file_bytes: 512 << 20,
            unpacked_bytes: 2 << 30,
            depth: 10,
            members: 200_000,
            changes: 200,
            text_bytes: 16 << 20,
            diff_lines: 200,
            strings: 40,
        }
    }
}

/// What cannot be decoded, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// What a decoder finds.
type Found = Result<Vec<Change>, Malformed>;

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Elf,
    Ar,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    Tar,
    Zip,
    Text,
    Unknown,
}

impl Format {
    fn of(bytes: &[u8], limits: &Limits) -> Self {
        match bytes {
            [0x7f, b'E', b'L', b'F', ..] => Self::Elf,
            [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => Self::Ar,
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [b'P', b'K', 3 | 5, 4 | 6, ..] => Self::Zip,
            _ if tar::is_tar(bytes) => Self::Tar,
            _ if text::is_text(bytes, limits) => Self::Text,
            _ => Self::Unknown,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Elf => "ELF",
            Self::Ar => "ar",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Tar => "tar",
            Self::Zip => "zip",
            Self::Text => "text",
            Self::Unknown => "unknown format",
        }
    }
}

/// Compares contents, within limits over all that is inside them.
pub(crate) struct Decoder<'a> {
    tokens: &'a Tokens,
    limits: &'a Limits,
    /// Bytes that may still be unpacked from the current file.
    budget: Cell<u64>,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { tokens: &options.tokens, limits: &options.limits, budget: Cell::new(0) }
    }

    pub(crate) fn tokens(&self) -> &'a Tokens {
        self.tokens
    }

    pub(crate) fn limits(&self) -> &'a Limits {
        self.limits
    }

    /// What differs between two contents that are not equal.
    pub(crate) fn compare(&self, left: &[u8], right: &[u8]) -> Vec<Change> {
        self.budget.set(self.limits.unpacked_bytes);
        self.compare_inside(left, right, 0)
    }

    /// The same, `depth` containers deep.
    fn compare_inside(&self, left: &[u8], right: &[u8], depth: usize) -> Vec<Change> {
        let format = Format::of(left, self.limits);
        if format != Format::of(right, self.limits) {
            return vec![raw::compare(left, right, self.tokens)];
        }
        if depth > self.limits.depth {
            return vec![Change::note("containers are nested too deep"), raw::compare(left, right, self.tokens)];
        }
        let found = match format {
            Format::Elf => elf::compare(self, left, right),
            Format::Ar => ar::compare(self, left, right, depth),
            Format::Gzip => gzip::compare(self, left, right, depth),
            Format::Bzip2 | Format::Xz | Format::Zstd => compressed::compare(self, format, left, right, depth),
            Format::Tar => tar::compare(self, left, right, depth),
            Format::Zip => zip::compare(self, left, right, depth),
            Format::Text => Ok(vec![text::compare(self, left, right)]),
            Format::Unknown => Ok(vec![raw::compare(left, right, self.tokens)]),
        };
        match found {
            Ok(changes) if !changes.is_empty() => changes,
            Ok(_) => vec![
                Change::note(format!("the {} structure is the same", format.name())),
                raw::compare(left, right, self.tokens),
            ],
            Err(malformed) => {
                let note = Change::note(format!("cannot be decoded as {}: {malformed}", format.name()));
                vec![note, raw::compare(left, right, self.tokens)]
            }
        }
    }

    /// What differs in a part of a container; nothing if it is equal.
    fn compare_part(&self, place: &str, left: &[u8], right: &[u8], depth: usize) -> Option<Change> {
        if left == right {
            return None;
        }
        let mut changes = self.compare_inside(left, right, depth + 1);
        match changes.len() {
            1 if changes[0].place.is_empty() => {
                changes.pop().map(|change| Change { place: place.to_owned(), ..change })
            }
            _ => {
                let format = Format::of(left, self.limits).name().to_owned();
                Some(Change::new(place, Detail::Inside { format, changes }))
            }
        }
    }

    /// Takes `bytes` from what may still be unpacked.
    fn spend(&self, bytes: u64) -> Result<(), Malformed> {
        let left = self.budget.get().checked_sub(bytes).ok_or(Malformed("it unpacks to more than the limit"))?;
        self.budget.set(left);
        Ok(())
    }

    /// Unpacks all of `reader`.
    fn unpack(&self, reader: &mut dyn std::io::Read) -> Result<Vec<u8>, Malformed> {
        use std::io::Read as _;
        let mut unpacked = Vec::new();
        let limit = self.budget.get();
        reader
            .take(limit.saturating_add(1))
            .read_to_end(&mut unpacked)
            .map_err(|_| Malformed("the compressed data is damaged"))?;
        self.spend(unpacked.len() as u64)?;
        Ok(unpacked)
    }

    /// What differs in two compressed streams: their content, or else how it is compressed.
    fn compare_unpacked(&self, left: &[u8], right: &[u8], depth: usize) -> Change {
        self.compare_part("content", left, right, depth).unwrap_or_else(same_content)
    }
}

/// The compressed bytes differ, what they unpack to does not.
fn same_content() -> Change {
    let reading = Reading::new(Evidence::Structure, Cause::Compression, "another compressor, version or level");
    Change::note("the content is the same, but compressed differently").read(vec![reading])
}

/// A name or text from a file as it may be shown: valid UTF-8 without control characters or changes of direction.
pub(crate) fn printable(bytes: &[u8]) -> String {
    const MOST: usize = 400;
    let shown = &bytes[..bytes.len().min(MOST)];
    let mut text: String = String::from_utf8_lossy(shown).chars().map(visible).collect();
    if shown.len() < bytes.len() {
        text.push('…');
    }
    text
}

/// A character, or the replacement for one that would change how its surroundings are shown.
pub(crate) fn visible(character: char) -> char {
    let directs =
        matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if character.is_control() || directs { '\u{fffd}' } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compare(left: &[u8], right: &[u8]) -> Vec<Change> {
        Decoder::new(&Options::default()).compare(left, right)
    }

    fn start() -> impl Strategy<Value = Vec<u8>> {
        prop::sample::select(vec![
            b"\x7fELF\x02\x01\x01\0".to_vec(),
            b"\x7fELF\x01\x02\x01\0".to_vec(),
            b"!<arch>\n".to_vec(),
            b"\x1f\x8b\x08\x1f".to_vec(),
            b"BZh9".to_vec(),
            b"\xfd7zXZ\0".to_vec(),
            b"\x28\xb5\x2f\xfd".to_vec(),
            b"PK\x03\x04".to_vec(),
            b"".to_vec(),
        ])
    }

    proptest! {
        #[test]
        fn any_bytes_behind_a_magic_are_compared(start in start(), left in prop::collection::vec(any::<u8>(), 0..400), right in prop::collection::vec(any::<u8>(), 0..400)) {
            let (left, right) = ([&start[..], &left].concat(), [&start[..], &right].concat());
            prop_assume!(left != right);
            prop_assert!(!compare(&left, &right).is_empty());
        }
    }

    #[test]
    fn printable_text_cannot_direct_a_terminal() {
        assert_eq!(printable(b"a\x1b[31m\xe2\x80\xaeb\n\xff"), "a\u{fffd}[31m\u{fffd}b\u{fffd}\u{fffd}");
    }
}
