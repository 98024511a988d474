//! Comparing bytes without known meaning.

use crate::reading::{self, Cause, Evidence, Reading, Tokens};
use crate::report::{Change, Detail};
use std::io::{self, Read};

/// Bytes that are shown of each side.
const SHOWN: usize = 48;
/// Bytes shown before the first difference.
const BEFORE: usize = 16;
/// Bytes that are read for tokens and patterns before and after what differs.
const AROUND: usize = 64;
/// Fewer differing bytes do not look random.
const RANDOM_LENGTH: usize = 16;

/// What differs between two byte strings that are not equal.
#[must_use]
pub fn compare(left: &[u8], right: &[u8], tokens: &Tokens) -> Change {
    let first = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let differing = (left.len() == right.len()).then(|| left.iter().zip(right).filter(|(a, b)| a != b).count() as u64);
    let detail = Detail::Bytes {
        left_size: left.len() as u64,
        right_size: right.len() as u64,
        offset: first as u64,
        differing,
        left: hex_view(left, first),
        right: hex_view(right, first),
    };
    Change::new("", detail).read(read(left, right, first, tokens))
}

fn read(left: &[u8], right: &[u8], first: usize, tokens: &Tokens) -> Vec<Reading> {
    let suffix = left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count();
    let suffix = suffix.min(left.len().min(right.len()) - first);
    let around = |bytes: &'_ [u8]| first.saturating_sub(AROUND)..(bytes.len() - suffix + AROUND).min(bytes.len());
    let (left_part, right_part) = (&left[around(left)], &right[around(right)]);
    let mut readings = reading::of_fragments(&[left_part], &[right_part], tokens);
    let (left_core, right_core) = (&left[first..left.len() - suffix], &right[first..right.len() - suffix]);
    if readings.is_empty() && looks_random(left_core, right_core) {
        readings.push(Reading::new(Evidence::Pattern, Cause::Random, "looks like random bytes or a hash"));
    }
    readings
}

/// As many bytes on both sides, nearly all of them different, and nearly all values different from each other.
fn looks_random(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() || !(RANDOM_LENGTH..=4096).contains(&left.len()) {
        return false;
    }
    let differing = left.iter().zip(right).filter(|(a, b)| a != b).count();
    let distinct = |bytes: &[u8]| bytes.iter().take(64).collect::<std::collections::BTreeSet<_>>().len();
    let expected = left.len().min(64) * 3 / 4;
    differing * 10 >= left.len() * 9 && distinct(left) >= expected && distinct(right) >= expected
}

/// `61 62 63 …  abc…`: some bytes from shortly before `first`, in hexadecimal and as ASCII.
fn hex_view(bytes: &[u8], first: usize) -> String {
    let start = first.saturating_sub(BEFORE).min(bytes.len());
    let shown = &bytes[start..(start + SHOWN).min(bytes.len())];
    let hex: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    let ascii: String =
        shown.iter().map(|&byte| if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '.' }).collect();
    format!("{start:08x}: {}  {ascii}", hex.join(" "))
}

/// What differs between two streams, of which no more is kept than is shown.
///
/// # Errors
/// When one of them cannot be read.
pub fn compare_streams(left: &mut dyn Read, right: &mut dyn Read) -> io::Result<Change> {
    let mut state = Streams::default();
    let (mut left_buffer, mut right_buffer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let (left_length, right_length) = (fill(left, &mut left_buffer)?, fill(right, &mut right_buffer)?);
        if left_length == 0 && right_length == 0 {
            return Ok(state.into_change());
        }
        state.take(&left_buffer[..left_length], &right_buffer[..right_length]);
    }
}

fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[derive(Default)]
struct Streams {
    left_size: u64,
    right_size: u64,
    first: Option<(u64, String, String)>,
    differing: u64,
}

impl Streams {
    fn take(&mut self, left: &[u8], right: &[u8]) {
        let differing = left.iter().zip(right).filter(|(a, b)| a != b).count() as u64;
        if self.first.is_none() && left != right {
            let first = left.iter().zip(right).take_while(|(a, b)| a == b).count();
            self.first = Some((self.left_size + first as u64, hex_view(left, first), hex_view(right, first)));
        }
        self.differing += differing;
        self.left_size += left.len() as u64;
        self.right_size += right.len() as u64;
    }

    fn into_change(self) -> Change {
        let (offset, left, right) = self.first.unwrap_or_default();
        let (left_size, right_size) = (self.left_size, self.right_size);
        let differing = (left_size == right_size).then_some(self.differing);
        Change::new("", Detail::Bytes { left_size, right_size, offset, differing, left, right })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(change: &Change) -> (u64, Option<u64>) {
        let Detail::Bytes { offset, differing, .. } = &change.detail else { panic!("{change:?}") };
        (*offset, *differing)
    }

    #[test]
    fn streams_and_slices_say_the_same() {
        let left: Vec<u8> = (0..200_000u32).map(|number| number as u8).collect();
        let mut right = left.clone();
        right[150_000] ^= 1;
        right[150_005] ^= 1;
        let change = compare(&left, &right, &Tokens::default());
        assert_eq!(bytes(&change), (150_000, Some(2)));
        let streamed = compare_streams(&mut &left[..], &mut &right[..]).expect("slices are readable");
        assert_eq!(bytes(&streamed), (150_000, Some(2)));
        let longer = compare_streams(&mut &left[..10], &mut &left[..]).expect("slices are readable");
        assert_eq!(bytes(&longer), (10, None));
    }

    #[test]
    fn random_bytes_look_random_and_others_do_not() {
        let hash = |seed: u8| blake3::hash(&[seed]).as_bytes().to_vec();
        let causes = |change: Change| change.readings.into_iter().map(|reading| reading.cause).collect::<Vec<_>>();
        assert_eq!(causes(compare(&hash(1), &hash(2), &Tokens::default())), [Cause::Random]);
        assert_eq!(causes(compare(&[0; 32], &[1; 32], &Tokens::default())), []);
        let mut one = hash(1);
        one[3] ^= 1;
        assert_eq!(causes(compare(&hash(1), &one, &Tokens::default())), []);
    }

    #[test]
    fn the_view_starts_shortly_before_the_difference() {
        assert_eq!(hex_view(b"abc\x00", 1), "00000000: 61 62 63 00  abc.");
        assert!(hex_view(&[0; 100], 50).starts_with("00000022: "));
    }
}
