//! tar archives, read leniently: what matters is what differs, not whether it may be unpacked.

use super::bytes::{number, slice, until_nul};
use super::members::{self, Member, Value};
use super::{Decoder, Found, Malformed};
use std::borrow::Cow;

const BLOCK: usize = 512;

/// Whether the first block is a tar header.
pub(super) fn is_tar(bytes: &[u8]) -> bool {
    bytes.len() >= BLOCK && bytes[257..262] == *b"ustar"
}

/// What differs between two tar archives.
pub(super) fn compare(decoder: &Decoder<'_>, left: &[u8], right: &[u8], depth: usize) -> Found {
    let most = decoder.limits().members;
    Ok(members::compare(decoder, &parse(left, most)?, &parse(right, most)?, depth))
}

/// What extended headers say about the next member.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<usize>,
    /// All records but those above, and times.
    records: Vec<u8>,
    time: Option<u64>,
}

fn parse(bytes: &[u8], most: usize) -> Result<Vec<Member<'_>>, Malformed> {
    let mut members = Vec::new();
    let mut extended = Extended::default();
    let mut at = 0;
    while at < bytes.len() {
        let header = slice(bytes, at, BLOCK)?;
        if header.iter().all(|&byte| byte == 0) {
            break;
        }
        if members.len() == most {
            return Err(Malformed("it has too many members"));
        }
        let size = extended.size.map_or_else(|| size(header), Ok)?;
        let content = slice(bytes, at + BLOCK, size)?;
        at = (at + BLOCK).checked_add(size.next_multiple_of(BLOCK)).ok_or(Malformed("malformed size"))?;
        match header[156] {
            b'x' => extended.take_records(content)?,
            b'L' => extended.path = Some(until_nul(content).to_vec()),
            b'K' => extended.link = Some(until_nul(content).to_vec()),
            _ => members.push(member(header, content, std::mem::take(&mut extended))?),
        }
    }
    Ok(members)
}

/// Octal, or GNU's big-endian binary.
fn size(header: &[u8]) -> Result<usize, Malformed> {
    let field = &header[124..136];
    let size = if field[0] & 0x80 == 0 {
        number(field, 8)?
    } else {
        field[1..]
            .iter()
            .try_fold(0u64, |sum, &byte| sum.checked_mul(256)?.checked_add(u64::from(byte)))
            .ok_or(Malformed("malformed size"))?
    };
    usize::try_from(size).ok().filter(|size| *size < usize::MAX / 2).ok_or(Malformed("malformed size"))
}

fn member<'a>(header: &[u8], content: &'a [u8], extended: Extended) -> Result<Member<'a>, Malformed> {
    let number = |range: std::ops::Range<usize>| number(&header[range], 8).unwrap_or_default();
    let text = |range: std::ops::Range<usize>| until_nul(&header[range]).to_vec();
    let name = extended.path.unwrap_or_else(|| {
        let prefix = if &header[257..263] == b"ustar\0" { text(345..500) } else { Vec::new() };
        if prefix.is_empty() { text(0..100) } else { [prefix, text(0..100)].join(&b'/') }
    });
    let fields = vec![
        ("modification time", Value::Time(extended.time.unwrap_or_else(|| number(136..148)))),
        ("mode", Value::Mode(number(100..108))),
        ("user", Value::Owner(number(108..116))),
        ("group", Value::Owner(number(116..124))),
        ("user name", Value::OwnerName(text(265..297))),
        ("group name", Value::OwnerName(text(297..329))),
        ("kind", Value::Text(vec![header[156].max(b'0')])),
        ("link target", Value::Text(extended.link.unwrap_or_else(|| text(157..257)))),
        ("device", Value::Text(header[329..345].to_vec())),
        ("magic", Value::Text(header[257..265].to_vec())),
        ("extended header", Value::Text(extended.records)),
    ];
    Ok(Member { name, fields, content: Cow::Borrowed(content), follows: None })
}

impl Extended {
    fn take_records(&mut self, mut text: &[u8]) -> Result<(), Malformed> {
        let malformed = || Malformed("malformed extended header");
        while !text.is_empty() {
            let blank = text.iter().position(|&byte| byte == b' ').ok_or_else(malformed)?;
            let length = usize::try_from(number(&text[..blank], 10)?).map_err(|_| malformed())?;
            let record =
                text.get(blank + 1..length).and_then(|record| record.strip_suffix(b"\n")).ok_or_else(malformed)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or_else(malformed)?;
            self.take(&record[..equals], &record[equals + 1..], record)?;
            text = &text[length..];
        }
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: &[u8], record: &[u8]) -> Result<(), Malformed> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(usize::try_from(number(value, 10)?).map_err(|_| Malformed("malformed size"))?),
            b"mtime" => {
                let seconds = value.split(|&byte| byte == b'.').next().unwrap_or(value);
                self.time = number(seconds, 10).ok();
                // Fractions of a second differ where whole seconds do not.
                self.records.extend([record, b"\n"].concat());
            }
            _ => self.records.extend([record, b"\n"].concat()),
        }
        Ok(())
    }
}
