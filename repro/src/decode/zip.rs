//! zip archives, by their central directory.

use super::bytes::{slice, u16_at, u32_at, u64_at};
use super::members::{self, Member, Value};
use super::{Decoder, Found, Malformed};
use std::borrow::Cow;

const END_RECORD: usize = 22;
const CENTRAL_HEADER: usize = 46;
const LOCAL_HEADER: usize = 30;
const DEFLATED: u16 = 8;
/// The extra field with times in seconds since 1970 ("extended timestamp").
const EXTRA_TIME: u16 = 0x5455;

/// What differs between two zip archives.
pub(super) fn compare(decoder: &Decoder<'_>, left: &[u8], right: &[u8], depth: usize) -> Found {
    Ok(members::compare(decoder, &parse(decoder, left)?, &parse(decoder, right)?, depth))
}

fn parse<'a>(decoder: &Decoder<'_>, bytes: &'a [u8]) -> Result<Vec<Member<'a>>, Malformed> {
    let (mut at, count) = directory(bytes)?;
    if count > decoder.limits().members {
        return Err(Malformed("it has too many members"));
    }
    let mut members = Vec::new();
    for _ in 0..count {
        let header = slice(bytes, at, CENTRAL_HEADER)?;
        if !header.starts_with(b"PK\x01\x02") {
            return Err(Malformed("malformed central directory"));
        }
        let lengths = [u16_at(header, 28)?, u16_at(header, 30)?, u16_at(header, 32)?].map(usize::from);
        let name = slice(bytes, at + CENTRAL_HEADER, lengths[0])?;
        let extra = slice(bytes, at + CENTRAL_HEADER + lengths[0], lengths[1])?;
        let comment = slice(bytes, at + CENTRAL_HEADER + lengths[0] + lengths[1], lengths[2])?;
        members.push(member(decoder, bytes, header, (name, extra, comment))?);
        at += CENTRAL_HEADER + lengths.iter().sum::<usize>();
    }
    Ok(members)
}

/// Where the central directory starts, and how many entries it has.
fn directory(bytes: &[u8]) -> Result<(usize, usize), Malformed> {
    let last = bytes.len().checked_sub(END_RECORD).ok_or(Malformed("the end record is missing"))?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let at = (first..=last)
        .rev()
        .find(|at| bytes[*at..].starts_with(b"PK\x05\x06"))
        .ok_or(Malformed("the end record is missing"))?;
    let (count, start) = (u16_at(bytes, at + 10)?, u32_at(bytes, at + 16)?);
    if count != u16::MAX && start != u32::MAX {
        return Ok((start as usize, usize::from(count)));
    }
    let locator = at.checked_sub(20).ok_or(Malformed("the 64-bit end record is missing"))?;
    let end = usize::try_from(u64_at(bytes, locator + 8)?).map_err(|_| Malformed("malformed end record"))?;
    let number = |at: usize| usize::try_from(u64_at(bytes, at)?).map_err(|_| Malformed("malformed end record"));
    slice(bytes, end, 56)?;
    Ok((number(end + 48)?, number(end + 32)?))
}

fn member<'a>(
    decoder: &Decoder<'_>,
    bytes: &'a [u8],
    header: &[u8],
    (name, extra, comment): (&[u8], &[u8], &[u8]),
) -> Result<Member<'a>, Malformed> {
    let dos_time = u32::from(u16_at(header, 14)?) << 16 | u32::from(u16_at(header, 12)?);
    let other_extra = extra_fields(extra, |kind| kind != EXTRA_TIME);
    let unix_time = extra_fields(extra, |kind| kind == EXTRA_TIME);
    let fields = vec![
        ("modification time", Value::Text(shown_dos_time(dos_time).into_bytes())),
        (
            "extended modification time",
            u32_at(&unix_time, 5).map_or(Value::Text(Vec::new()), |time| Value::Time(time.into())),
        ),
        ("mode", Value::Mode(u64::from(u32_at(header, 38)? >> 16))),
        ("attributes", Value::Text(format!("{:x}", u32_at(header, 38)? & 0xffff).into_bytes())),
        ("method", Value::Text(u16_at(header, 10)?.to_string().into_bytes())),
        ("made by", Value::Text(format!("{:04x}", u16_at(header, 4)?).into_bytes())),
        ("comment", Value::Text(comment.to_vec())),
        ("extra fields", Value::Text(other_extra.escape_ascii().to_string().into_bytes())),
    ];
    Ok(Member { name: name.to_vec(), fields, content: content(decoder, bytes, header)?, follows: None })
}

fn content<'a>(decoder: &Decoder<'_>, bytes: &'a [u8], header: &[u8]) -> Result<Cow<'a, [u8]>, Malformed> {
    let (method, size, at) = (u16_at(header, 10)?, u32_at(header, 20)?, u32_at(header, 42)? as usize);
    let local = slice(bytes, at, LOCAL_HEADER)?;
    let start = at + LOCAL_HEADER + usize::from(u16_at(local, 26)?) + usize::from(u16_at(local, 28)?);
    let packed = slice(bytes, start, size as usize)?;
    if method != DEFLATED {
        // Members may overlap, so even what is not unpacked counts.
        decoder.spend(packed.len() as u64)?;
    }
    match method {
        DEFLATED => Ok(Cow::Owned(decoder.unpack(&mut flate2::read::DeflateDecoder::new(packed))?)),
        _ => Ok(Cow::Borrowed(packed)),
    }
}

/// The extra fields of the kinds that fit, whole.
fn extra_fields(mut extra: &[u8], fits: fn(u16) -> bool) -> Vec<u8> {
    let mut found = Vec::new();
    while let (Ok(kind), Ok(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Ok(field) = slice(extra, 0, 4 + usize::from(length)) else { break };
        if fits(kind) {
            found.extend_from_slice(field);
        }
        extra = &extra[field.len()..];
    }
    found
}

/// The local time that DOS packs into 32 bits, to two seconds.
fn shown_dos_time(time: u32) -> String {
    let bits = |from: u32, count: u32| time >> from & ((1 << count) - 1);
    let (year, month, day) = (1980 + bits(25, 7), bits(21, 4), bits(16, 5));
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02}", bits(11, 5), bits(5, 6), bits(0, 5) * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dos_times() {
        assert_eq!(shown_dos_time(0x0021_0000), "1980-01-01 00:00:00");
        assert_eq!(shown_dos_time(0x576e_b1aa), "2023-11-14 22:13:20");
    }
}
