//! The central directory of a zip archive (APPNOTE 6.3.10): what the archive contains, and where.
//!
//! A zip archive says everything twice: in a central directory at its end and in a header before each content. Programs
//! that believe one or the other see different archives, so here both must agree, contents must not overlap, and the
//! directory must end where the archive's end record starts.

use super::limit::{Limits, check_entries};
use super::problem::{Outcome, Problem};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

const END_RECORD: usize = 22;
const MAX_COMMENT: usize = 65_535;
const CENTRAL_HEADER: usize = 46;
const LOCAL_HEADER: usize = 30;
const ZIP64_LOCATOR: u64 = 20;
const ZIP64_END: usize = 56;
/// The largest central directory that is read into memory.
const MAX_DIRECTORY: u64 = 512 << 20;
const FLAG_ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const MADE_BY_UNIX: u8 = 3;

/// One entry of the central directory.
#[derive(Debug, Clone)]
pub(super) struct ZipEntry {
    pub(super) name: Vec<u8>,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) packed_size: u64,
    pub(super) size: u64,
    /// Permissions and kind as stat(2) has them, if a Unix program made the entry.
    pub(super) unix_mode: Option<u32>,
    /// Where the local header is.
    header_at: u64,
}

/// Reads a little-endian number; callers have checked the length.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// Where the central directory is.
struct Place {
    entries: u64,
    start: u64,
    size: u64,
}

/// All entries, in the order of the directory, after checking that their contents do not overlap.
pub(super) fn read(file: &File, limits: &Limits) -> Outcome<Vec<ZipEntry>> {
    let place = find(file)?;
    check_entries(place.entries, limits)?;
    if place.size > MAX_DIRECTORY {
        return Err(Problem::Malformed("the central directory is too large").into());
    }
    let mut directory = vec![0; place.size as usize];
    file.read_exact_at(&mut directory, place.start).map_err(Problem::from_read)?;
    let entries = parse_entries(&directory, place.entries)?;
    check_overlap(&entries, place.start)?;
    Ok(entries)
}

fn find(file: &File) -> Outcome<Place> {
    let size = file.metadata().map_err(Problem::Read)?.len();
    let tail_size = size.min((END_RECORD + MAX_COMMENT) as u64);
    let mut tail = vec![0; tail_size as usize];
    file.read_exact_at(&mut tail, size - tail_size).map_err(Problem::from_read)?;
    let at = end_record(&tail).ok_or(Problem::Malformed("the zip archive's end record is missing"))?;
    let record = &tail[at..];
    let record_at = size - tail_size + at as u64;
    if u16_at(record, 4) != 0 && u16_at(record, 4) != u16::MAX {
        return Err(Problem::Unsupported("an archive of several volumes").into());
    }
    let place = Place {
        entries: u64::from(u16_at(record, 10)),
        size: u64::from(u32_at(record, 12)),
        start: u64::from(u32_at(record, 16)),
    };
    let large = place.entries == 0xffff || place.size == 0xffff_ffff || place.start == 0xffff_ffff;
    match zip64_place(file, record_at)?.filter(|_| large) {
        Some((place, end)) => check_end(place, end),
        None => check_end(place, record_at),
    }
}

fn check_end(place: Place, end: u64) -> Outcome<Place> {
    if place.start.checked_add(place.size) == Some(end) {
        Ok(place)
    } else {
        Err(Problem::Malformed("the central directory is not where the zip archive's end record says").into())
    }
}

/// The record whose comment ends where the file ends.
fn end_record(tail: &[u8]) -> Option<usize> {
    let last = tail.len().checked_sub(END_RECORD)?;
    let fits = |at: &usize| {
        tail[*at..].starts_with(b"PK\x05\x06") && at + END_RECORD + usize::from(u16_at(tail, at + 20)) == tail.len()
    };
    (0..=last).rev().find(fits)
}

/// The place by the 64-bit end record, if there is one, and where that record starts.
fn zip64_place(file: &File, record_at: u64) -> Outcome<Option<(Place, u64)>> {
    let mut locator = [0; ZIP64_LOCATOR as usize];
    let Some(locator_at) = record_at.checked_sub(ZIP64_LOCATOR) else { return Ok(None) };
    file.read_exact_at(&mut locator, locator_at).map_err(Problem::from_read)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let end_at = u64_at(&locator, 8);
    if end_at.checked_add(ZIP64_END as u64) != Some(locator_at) {
        return Err(Problem::Malformed("the 64-bit end record is not before its locator").into());
    }
    let mut record = [0; ZIP64_END];
    file.read_exact_at(&mut record, end_at).map_err(Problem::from_read)?;
    if !record.starts_with(b"PK\x06\x06") {
        return Err(Problem::Malformed("malformed 64-bit end record").into());
    }
    let place = Place { entries: u64_at(&record, 32), size: u64_at(&record, 40), start: u64_at(&record, 48) };
    Ok(Some((place, end_at)))
}

fn parse_entries(mut directory: &[u8], count: u64) -> Outcome<Vec<ZipEntry>> {
    let mut entries = Vec::new();
    while !directory.is_empty() {
        let (entry, rest) = parse_entry(directory)?;
        entries.push(entry);
        directory = rest;
    }
    if entries.len() as u64 == count {
        Ok(entries)
    } else {
        Err(Problem::Malformed("the central directory has another number of entries than stated").into())
    }
}

fn parse_entry(bytes: &[u8]) -> Outcome<(ZipEntry, &[u8])> {
    let malformed = Problem::Malformed("malformed entry of the central directory");
    if bytes.len() < CENTRAL_HEADER || !bytes.starts_with(b"PK\x01\x02") {
        return Err(malformed.into());
    }
    let name_end = CENTRAL_HEADER + usize::from(u16_at(bytes, 28));
    let extra_end = name_end + usize::from(u16_at(bytes, 30));
    let end = extra_end + usize::from(u16_at(bytes, 32));
    if bytes.len() < end {
        return Err(malformed.into());
    }
    let name = bytes[CENTRAL_HEADER..name_end].to_vec();
    if u16_at(bytes, 8) & FLAG_ENCRYPTED != 0 {
        return Err(super::problem::Failure::from(Problem::Unsupported("an encrypted entry")).of(&name));
    }
    let sizes = Zip64Sizes::new(bytes, &bytes[name_end..extra_end]).ok_or(malformed)?;
    let unix_mode = (bytes[5] == MADE_BY_UNIX).then(|| u32_at(bytes, 38) >> 16);
    let entry = ZipEntry {
        name,
        method: u16_at(bytes, 10),
        crc: u32_at(bytes, 16),
        packed_size: sizes.packed_size,
        size: sizes.size,
        unix_mode,
        header_at: sizes.header_at,
    };
    Ok((entry, &bytes[end..]))
}

/// The three numbers that move to an extra field when they do not fit 32 bits.
struct Zip64Sizes {
    size: u64,
    packed_size: u64,
    header_at: u64,
}

impl Zip64Sizes {
    fn new(header: &[u8], extra: &[u8]) -> Option<Self> {
        let mut large = extra_field(extra, 1)?;
        let mut wide = |at: usize| match u32_at(header, at) {
            u32::MAX => {
                let (number, rest) = large.split_at_checked(8)?;
                large = rest;
                Some(u64_at(number, 0))
            }
            small => Some(u64::from(small)),
        };
        Some(Self { size: wide(24)?, packed_size: wide(20)?, header_at: wide(42)? })
    }
}

/// The extra field of this kind, empty if there is none; `None` if the fields are malformed.
fn extra_field(mut extra: &[u8], kind: u16) -> Option<&[u8]> {
    let mut found: &[u8] = &[];
    // Fewer than four bytes at the end are padding, which some programs write.
    while extra.len() >= 4 {
        let length = usize::from(u16_at(extra, 2));
        let content = extra.get(4..4 + length)?;
        if u16_at(extra, 0) == kind {
            found = content;
        }
        extra = &extra[4 + length..];
    }
    Some(found)
}

/// Contents that share bytes unpack to far more than the archive's size.
fn check_overlap(entries: &[ZipEntry], directory_at: u64) -> Outcome<()> {
    let mut spans: Vec<(u64, u64)> = entries.iter().map(|entry| (entry.header_at, entry.packed_size)).collect();
    spans.sort_unstable();
    let ends = spans.iter().skip(1).map(|next| next.0).chain([directory_at]);
    let fits = |((start, size), end): (&(u64, u64), u64)| {
        start.checked_add(LOCAL_HEADER as u64).and_then(|at| at.checked_add(*size)).is_some_and(|at| at <= end)
    };
    if spans.iter().zip(ends).all(fits) { Ok(()) } else { Err(Problem::Malformed("entries overlap").into()) }
}

impl ZipEntry {
    /// Where the content starts, after checking that the local header says the same as the central directory.
    pub(super) fn content_at(&self, file: &File) -> Outcome<u64> {
        let mut header = [0; LOCAL_HEADER];
        file.read_exact_at(&mut header, self.header_at).map_err(Problem::from_read)?;
        let name_length = usize::from(u16_at(&header, 26));
        let mut name = vec![0; name_length];
        file.read_exact_at(&mut name, self.header_at + LOCAL_HEADER as u64).map_err(Problem::from_read)?;
        let same = header.starts_with(b"PK\x03\x04") && name == self.name && u16_at(&header, 8) == self.method;
        if !same || !self.same_sizes(&header) {
            return Err(Problem::Malformed("the local header contradicts the central directory").into());
        }
        Ok(self.header_at + LOCAL_HEADER as u64 + name_length as u64 + u64::from(u16_at(&header, 28)))
    }

    /// Sizes and checksum agree, unless they follow the content, or stand in the 64-bit extra field.
    fn same_sizes(&self, header: &[u8]) -> bool {
        let deferred = u16_at(header, 6) & 1 << 3 != 0;
        let same = |at: usize, number: u64| {
            let stated = u32_at(header, at);
            u64::from(stated) == number || stated == u32::MAX || deferred && stated == 0
        };
        same(14, u64::from(self.crc)) && same(18, self.packed_size) && same(22, self.size)
    }
}
