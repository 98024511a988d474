//! Reading numbers from byte strings that may be too short. Pure.

use super::Malformed;

const SHORT: Malformed = Malformed("it ends too early");

/// The bytes of a range.
pub(super) fn slice(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], Malformed> {
    at.checked_add(length).and_then(|end| bytes.get(at..end)).ok_or(SHORT)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    slice(bytes, at, N)?.try_into().map_err(|_| SHORT)
}

/// A little-endian number of two bytes.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// A little-endian number of four bytes.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// A little-endian number of eight bytes.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Malformed> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// Up to the first zero byte.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

/// A number in ASCII digits of this base, padded with blanks or zero bytes. Nothing but padding is 0.
pub(super) fn number(field: &[u8], base: u32) -> Result<u64, Malformed> {
    let text = std::str::from_utf8(field).map_err(|_| Malformed("malformed number"))?;
    let digits = text.trim_matches([' ', '\0']);
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, base).map_err(|_| Malformed("malformed number"))
}
