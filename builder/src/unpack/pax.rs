//! Extended headers of POSIX.1-2001 ("pax"): records `<length> <key>=<value>\n` that override the next header. Pure.

use super::problem::{Outcome, Problem};

/// What extended headers say about the next entry. Times, owners and attributes are read over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PaxRecords {
    /// Overrides the name.
    pub(super) path: Option<Vec<u8>>,
    /// Overrides the link name.
    pub(super) link: Option<Vec<u8>>,
    /// Overrides the size.
    pub(super) size: Option<u64>,
}

impl PaxRecords {
    /// Reads the content of an extended header.
    ///
    /// # Errors
    /// When a record is malformed, one that matters is given twice, or the entry is sparse.
    pub(super) fn parse(mut text: &[u8]) -> Outcome<Self> {
        let mut records = Self::default();
        while !text.is_empty() {
            let (key, value, rest) = split_record(text).ok_or(Problem::Malformed("malformed extended (pax) header"))?;
            records.take(key, value)?;
            text = rest;
        }
        Ok(records)
    }

    /// Whether nothing that matters is said.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Outcome<()> {
        match key {
            b"path" => set_once(&mut self.path, text(value)?),
            b"linkpath" => set_once(&mut self.link, text(value)?),
            b"size" => {
                set_once(&mut self.size, decimal(value).ok_or(Problem::Malformed("malformed size in a pax header"))?)
            }
            _ if key.starts_with(b"GNU.sparse.") => Err(Problem::Unsupported("a sparse file").into()),
            _ => Ok(()),
        }
    }
}

fn set_once<T>(field: &mut Option<T>, value: T) -> Outcome<()> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::Malformed("a pax header gives one key twice").into()),
    }
}

fn text(value: &[u8]) -> Outcome<Vec<u8>> {
    if value.contains(&0) { Err(Problem::Nul.into()) } else { Ok(value.to_vec()) }
}

/// Splits off the first record: key, value, rest.
fn split_record(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = text.iter().take(20).position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(&text[..blank])?).ok()?;
    let record = text.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    (equals > 0).then(|| (&record[..equals], &record[equals + 1..], &text[length..]))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let digit = |sum: u64, byte: &u8| {
        byte.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')))?
    };
    let sum = (!digits.is_empty()).then_some(0).and_then(|sum| digits.iter().try_fold(sum, digit))?;
    i64::try_from(sum).is_ok().then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_are_read() {
        let records = PaxRecords::parse(b"12 path=a=b\n10 size=7\n11 mtime=1\n").expect("well-formed");
        assert_eq!(records, PaxRecords { path: Some(b"a=b".to_vec()), link: None, size: Some(7) });
        assert!(PaxRecords::parse(b"11 mtime=1\n").expect("well-formed").is_empty());
    }

    #[test]
    fn malformed_records_are_refused() {
        let bad: [&[u8]; 13] = [
            b"5 a=b\n",
            b"7 a=b\n",
            b"6 a=bx",
            b"0 a=b\n",
            b"x a=b\n",
            b" a=b\n",
            b"4 =\n",
            b"5 ab\n",
            b"99999999999999999999 a=b\n",
            b"10 size=-\n",
            b"27 size=9999999999999999999\n",
            b"10 path=a\n10 path=b\n",
            b"22 GNU.sparse.major=1\n",
        ];
        for text in bad {
            assert!(PaxRecords::parse(text).is_err(), "{} was taken", text.escape_ascii());
        }
        assert!(PaxRecords::parse(b"11 path=a\0b\n").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(text in prop::collection::vec(prop::sample::select(&b"0123 =\nab\0"[..]), 0..40)) {
            let _ = PaxRecords::parse(&text);
        }
    }
}
