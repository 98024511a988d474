//! `ar` archives, with the long names of GNU and BSD; the container of static libraries and Debian packages.

use super::bytes::{number, slice};
use super::members::{self, Member, Value};
use super::{Decoder, Found, Malformed};
use std::borrow::Cow;

const MAGIC: usize = 8;
const HEADER: usize = 60;

/// What differs between two ar archives.
pub(super) fn compare(decoder: &Decoder<'_>, left: &[u8], right: &[u8], depth: usize) -> Found {
    let most = decoder.limits().members;
    Ok(members::compare(decoder, &parse(left, most)?, &parse(right, most)?, depth))
}

fn parse(bytes: &[u8], most: usize) -> Result<Vec<Member<'_>>, Malformed> {
    let mut members = Vec::new();
    let mut long_names: &[u8] = &[];
    let mut at = MAGIC;
    while at < bytes.len() {
        if members.len() == most {
            return Err(Malformed("it has too many members"));
        }
        let header = slice(bytes, at, HEADER)?;
        if &header[58..] != b"`\n" {
            return Err(Malformed("malformed member header"));
        }
        let size = usize::try_from(number(&header[48..58], 10)?).map_err(|_| Malformed("a member is too large"))?;
        let content = slice(bytes, at + HEADER, size)?;
        at += HEADER + size + size % 2;
        if header[..16].trim_ascii_end() == b"//" {
            long_names = content;
        }
        members.push(member(header, content, long_names)?);
    }
    Ok(members)
}

fn member<'a>(header: &[u8], content: &'a [u8], long_names: &[u8]) -> Result<Member<'a>, Malformed> {
    let (name, content) = name(header[..16].trim_ascii_end(), content, long_names)?;
    let fields = vec![
        ("modification time", Value::Time(number(&header[16..28], 10)?)),
        ("user", Value::Owner(number(&header[28..34], 10)?)),
        ("group", Value::Owner(number(&header[34..40], 10)?)),
        ("mode", Value::Mode(number(&header[40..48], 8)?)),
    ];
    let is_index = matches!(name, b"/" | b"/SYM64/" | b"__.SYMDEF" | b"__.SYMDEF SORTED");
    let follows = is_index.then_some("it is the index of the other members");
    Ok(Member { name: name.to_vec(), fields, content: Cow::Borrowed(content), follows })
}

/// The name of a member, and its content without a name that stands before it.
fn name<'n, 'a: 'n>(
    short: &'n [u8],
    content: &'a [u8],
    long_names: &'n [u8],
) -> Result<(&'n [u8], &'a [u8]), Malformed> {
    if let Some(length) = short.strip_prefix(b"#1/") {
        let length = usize::try_from(number(length, 10)?).map_err(|_| Malformed("malformed long name"))?;
        let (name, rest) = content.split_at_checked(length).ok_or(Malformed("malformed long name"))?;
        return Ok((super::bytes::until_nul(name), rest));
    }
    let Some(offset) = short.strip_prefix(b"/").filter(|rest| rest.first().is_some_and(u8::is_ascii_digit)) else {
        let is_special = matches!(short, b"/" | b"//" | b"/SYM64/");
        return Ok((if is_special { short } else { short.strip_suffix(b"/").unwrap_or(short) }, content));
    };
    let offset = usize::try_from(number(offset, 10)?).map_err(|_| Malformed("malformed long name"))?;
    let rest = long_names.get(offset..).ok_or(Malformed("a long name is missing"))?;
    let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    Ok((rest[..end].strip_suffix(b"/").unwrap_or(&rest[..end]), content))
}
