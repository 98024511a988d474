//! Unpacking zip archives: stored and deflated entries.

use super::limit::{Budget, Limits};
use super::place::Placer;
use super::problem::{Failure, Outcome, Problem};
use super::zip_directory::{self, ZipEntry};
use super::{Content, Entry, EntryKind, ar::Section, bounded_chunk, name::MAX_PATH};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

const METHOD_STORED: u16 = 0;
const METHOD_DEFLATED: u16 = 8;
const KIND_MASK: u32 = 0o170_000;
const KIND_DIRECTORY: u32 = 0o040_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_SYMLINK: u32 = 0o120_000;
const BUFFER: usize = 64 << 10;

/// Unpacks all entries in the order of the central directory.
pub(super) fn unpack(file: &File, limits: &Limits, placer: &mut Placer) -> Outcome<()> {
    let mut budget = Budget::new(limits);
    let mut packed = 0u64;
    for entry in zip_directory::read(file, limits)? {
        packed = packed.saturating_add(entry.packed_size);
        let placed = budget.spend(entry.size, packed).map_err(Failure::from);
        placed.and_then(|()| place(file, &entry, placer)).map_err(|failure| failure.of(&entry.name))?;
    }
    Ok(())
}

fn place(file: &File, zipped: &ZipEntry, placer: &mut Placer) -> Outcome<()> {
    if zipped.name.contains(&b'\\') {
        return Err(Problem::Backslash.into());
    }
    let mut content = ZipContent::open(file, zipped)?;
    let entry = Entry { name: zipped.name.clone(), kind: kind(zipped, &mut content)?, size: zipped.size };
    placer.place(&entry, &mut content)
}

fn kind(zipped: &ZipEntry, content: &mut ZipContent) -> Outcome<EntryKind> {
    let mode = zipped.unix_mode.unwrap_or(0);
    let named_directory = zipped.name.ends_with(b"/");
    let executable = mode & 0o100 != 0;
    match (mode & KIND_MASK, named_directory) {
        (KIND_DIRECTORY, _) | (0, true) if zipped.size == 0 => Ok(EntryKind::Directory),
        (KIND_FILE | 0, false) => Ok(EntryKind::File { executable }),
        (KIND_SYMLINK, false) => Ok(EntryKind::Symlink(content.read_target(zipped.size)?)),
        (KIND_DIRECTORY | 0 | KIND_FILE | KIND_SYMLINK, _) => {
            Err(Problem::Malformed("the entry's name, size and kind contradict each other").into())
        }
        _ => Ok(EntryKind::Special("a device, fifo or socket")),
    }
}

/// What an entry unpacks to, neither its length nor its checksum verified.
fn plain_content(file: &File, entry: &ZipEntry) -> Outcome<Box<dyn Read>> {
    let at = entry.content_at(file)?;
    let end = at.checked_add(entry.packed_size).ok_or(Problem::Truncated)?;
    let packed = Section { file: file.try_clone().map_err(Problem::Read)?, at, end };
    Ok(match entry.method {
        METHOD_STORED if entry.packed_size == entry.size => Box::new(packed),
        METHOD_STORED => return Err(Problem::Malformed("a stored entry has two sizes").into()),
        METHOD_DEFLATED => Box::new(DeflateDecoder::new(BufReader::with_capacity(BUFFER, packed))),
        _ => return Err(Problem::Unsupported("this compression method of zip").into()),
    })
}

/// The content of each entry that can be unpacked, with its name. Neither lengths nor checksums are verified.
pub(crate) fn members(file: &File) -> impl Iterator<Item = (Vec<u8>, Box<dyn Read>)> {
    let entries = zip_directory::read(file, &Limits::default()).unwrap_or_default();
    entries.into_iter().filter_map(move |entry| Some((entry.name.clone(), plain_content(file, &entry).ok()?)))
}

/// The content of one entry. Its size and checksum are verified when its end is read.
struct ZipContent {
    reader: BufReader<Box<dyn Read>>,
    remaining: u64,
    crc: Crc,
    expected: u32,
}

impl ZipContent {
    fn open(file: &File, entry: &ZipEntry) -> Outcome<Self> {
        let reader = BufReader::with_capacity(BUFFER, plain_content(file, entry)?);
        Ok(Self { reader, remaining: entry.size, crc: Crc::new(), expected: entry.crc })
    }

    fn read_target(&mut self, size: u64) -> Outcome<Vec<u8>> {
        if size > MAX_PATH as u64 {
            return Err(Problem::PathTooLong.into());
        }
        let mut target = Vec::new();
        loop {
            let chunk = self.next_chunk()?;
            if chunk.is_empty() {
                return Ok(target);
            }
            let length = chunk.len();
            target.extend_from_slice(chunk);
            self.consume(length);
        }
    }

    fn check_end(&mut self) -> Outcome<()> {
        if !self.reader.fill_buf().map_err(Problem::from_read)?.is_empty() {
            return Err(Problem::Malformed("the entry is longer than its stated size").into());
        }
        if self.crc.sum() == self.expected {
            Ok(())
        } else {
            Err(Problem::Malformed("the entry has a wrong checksum").into())
        }
    }
}

impl Content for ZipContent {
    fn next_chunk(&mut self) -> Outcome<&[u8]> {
        if self.remaining == 0 {
            self.check_end()?;
        }
        bounded_chunk(&mut self.reader, self.remaining)
    }

    fn consume(&mut self, count: usize) {
        let buffer = self.reader.buffer();
        self.crc.update(&buffer[..count]);
        self.reader.consume(count);
        self.remaining -= count as u64;
    }
}
