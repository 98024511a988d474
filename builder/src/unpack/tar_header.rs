//! One header block of a tar archive (POSIX.1-1988 ustar, with GNU's large numbers). Pure.
//!
//! ```text
//! offset  size  field          offset  size  field
//!      0   100  name              156     1  type flag
//!    100     8  mode              157   100  link name
//!    108    16  uid, gid          257     8  magic and version
//!    124    12  size              265    80  user, group, device numbers
//!    136    12  mtime             345   155  prefix (ustar only)
//!    148     8  checksum
//! ```

/// Bytes of a block; headers are one block, content is padded to whole blocks.
pub(super) const BLOCK: usize = 512;

/// A header whose checksum is right.
#[derive(Debug, Clone, Copy)]
pub(super) struct TarHeader<'a>(&'a [u8; BLOCK]);

impl<'a> TarHeader<'a> {
    /// The header, if its checksum is right.
    pub(super) fn parse(block: &'a [u8; BLOCK]) -> Option<Self> {
        Self::has_valid_checksum(block).then_some(Self(block))
    }

    /// Whether the checksum field has the sum of all bytes, itself counted as blanks. Old programs summed signed bytes.
    pub(super) fn has_valid_checksum(block: &[u8]) -> bool {
        let Some(stated) = block.get(148..156).and_then(octal) else { return false };
        let bytes = || block.iter().enumerate().map(|(at, &byte)| if (148..156).contains(&at) { b' ' } else { byte });
        let unsigned: u64 = bytes().map(u64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        stated == unsigned || i64::try_from(stated) == Ok(signed)
    }

    /// The name, with ustar's prefix before it.
    pub(super) fn name(self) -> Vec<u8> {
        let name = until_nul(&self.0[..100]);
        let prefix = if self.is_ustar() { until_nul(&self.0[345..500]) } else { b"" };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// The link name.
    pub(super) fn link(self) -> Vec<u8> {
        until_nul(&self.0[157..257]).to_vec()
    }

    /// The type flag.
    pub(super) fn flag(self) -> u8 {
        self.0[156]
    }

    /// The size of the content in bytes; `None` if it is malformed, negative or too large.
    pub(super) fn size(self) -> Option<u64> {
        number(&self.0[124..136])
    }

    /// The permission bits; `None` if they are malformed.
    pub(super) fn mode(self) -> Option<u64> {
        number(&self.0[100..108])
    }

    /// POSIX's magic; GNU's (`ustar` and two blanks) keeps other things where the prefix is.
    fn is_ustar(self) -> bool {
        &self.0[257..263] == b"ustar\0"
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// Octal digits, or, if the first bit is set, GNU's big-endian binary. At most 2^63 - 1.
fn number(field: &[u8]) -> Option<u64> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 == 0 {
        return octal(field);
    }
    // 0x80 alone announces a positive number, 0xff a negative one; a number that needs the first byte is too large.
    let value = |sum: u64, byte: &u8| sum.checked_mul(256)?.checked_add(u64::from(*byte));
    let sum = (first == 0x80).then_some(0).and_then(|sum| rest.iter().try_fold(sum, value))?;
    i64::try_from(sum).is_ok().then_some(sum)
}

/// Octal digits, with blanks before, and blanks or zero bytes after. An empty field is 0.
fn octal(field: &[u8]) -> Option<u64> {
    let start = field.iter().position(|&byte| byte != b' ').unwrap_or(field.len());
    let digits = &field[start..];
    let end = digits.iter().position(|byte| !(b'0'..=b'7').contains(byte)).unwrap_or(digits.len());
    let clean = digits[end..].iter().all(|byte| matches!(byte, 0 | b' '));
    let value = |sum: u64, byte: &u8| sum.checked_mul(8)?.checked_add(u64::from(byte - b'0'));
    clean.then_some(0).and_then(|sum| digits[..end].iter().try_fold(sum, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_form() {
        assert_eq!(number(b"00000000644\0"), Some(0o644));
        assert_eq!(number(b"    644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(b"777777777777"), Some((1 << 36) - 1));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(1 << 33));
    }

    #[test]
    fn malformed_negative_and_huge_numbers_are_refused() {
        let huge = b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff";
        let wrapping = b"\x80\0\0\x01\0\0\0\0\0\0\0\0";
        let bad: [&[u8]; 7] = [b"0644x", b"-1", b"08", b"6 4", b"\xff\xff\xff\xff", huge, wrapping];
        for field in bad {
            assert_eq!(number(field), None, "{}", field.escape_ascii());
        }
    }
}
