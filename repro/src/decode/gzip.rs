//! gzip (RFC 1952): the header of the first member, and what the whole unpacks to.

use super::bytes::{slice, u32_at, until_nul};
use super::{Decoder, Found, Malformed, printable};
use crate::reading;
use crate::report::{Change, Detail};
use flate2::read::MultiGzDecoder;

const FLAG_HEADER_CRC: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;

/// What a header says.
struct Header {
    time: u32,
    extra_flags: u8,
    system: u8,
    name: Vec<u8>,
    comment: Vec<u8>,
    has_header_crc: bool,
    /// Where the compressed data starts.
    end: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let fixed = slice(bytes, 0, 10)?;
        let flags = fixed[3];
        let mut at = 10;
        if flags & FLAG_EXTRA != 0 {
            let length = super::bytes::u16_at(bytes, at)?;
            at += 2 + usize::from(length);
        }
        let mut text = |flag: u8| -> Result<Vec<u8>, Malformed> {
            if flags & flag == 0 {
                return Ok(Vec::new());
            }
            let rest = bytes.get(at..).ok_or(Malformed("the header ends too early"))?;
            let found = until_nul(rest).to_vec();
            at += found.len() + 1;
            Ok(found)
        };
        let (name, comment) = (text(FLAG_NAME)?, text(FLAG_COMMENT)?);
        let has_header_crc = flags & FLAG_HEADER_CRC != 0;
        let end = at + if has_header_crc { 2 } else { 0 };
        Ok(Self {
            end,
            time: u32_at(fixed, 4)?,
            extra_flags: fixed[8],
            system: fixed[9],
            name,
            comment,
            has_header_crc,
        })
    }

    /// The fields but the time, in words.
    fn fields(&self) -> [(&'static str, String); 5] {
        [
            ("original name", printable(&self.name)),
            ("comment", printable(&self.comment)),
            ("operating system", self.system.to_string()),
            ("compression level flags", self.extra_flags.to_string()),
            ("header checksum", self.has_header_crc.to_string()),
        ]
    }
}

/// What differs between two gzip files.
pub(super) fn compare(decoder: &Decoder<'_>, left: &[u8], right: &[u8], depth: usize) -> Found {
    let (left_header, right_header) = (Header::parse(left)?, Header::parse(right)?);
    let mut changes = headers(decoder, &left_header, &right_header);
    let left_content = decoder.unpack(&mut MultiGzDecoder::new(left))?;
    let right_content = decoder.unpack(&mut MultiGzDecoder::new(right))?;
    // Equal content, equally compressed: only the headers differ.
    if left.get(left_header.end..) != right.get(right_header.end..) {
        changes.push(decoder.compare_unpacked(&left_content, &right_content, depth));
    }
    Ok(changes)
}

fn headers(decoder: &Decoder<'_>, left: &Header, right: &Header) -> Vec<Change> {
    let mut changes = Vec::new();
    if left.time != right.time {
        let (left, right) = (u64::from(left.time), u64::from(right.time));
        let detail = Detail::Field { left: reading::shown_time(left), right: reading::shown_time(right) };
        changes.push(Change::new("modification time in the header", detail).read(reading::of_time(
            left,
            right,
            decoder.tokens(),
        )));
    }
    for ((name, left), (_, right)) in left.fields().into_iter().zip(right.fields()) {
        if left != right {
            let readings = reading::of_fragments(&[left.as_bytes()], &[right.as_bytes()], decoder.tokens());
            changes.push(Change::new(format!("{name} in the header"), Detail::Field { left, right }).read(readings));
        }
    }
    changes
}
