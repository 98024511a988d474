//! Comparing sets of strings, as sections of an ELF file hold them.

use super::{Decoder, printable};
use crate::reading;
use crate::report::{Change, Detail};
use std::collections::HashMap;

/// What differs between two lists of strings; `None` if it is nothing.
pub(super) fn compare(decoder: &Decoder<'_>, place: &str, left: &[&[u8]], right: &[&[u8]]) -> Option<Change> {
    if left == right {
        return None;
    }
    let (only_left, only_right) = (without(left, right), without(right, left));
    let (read_left, read_right) =
        if only_left.is_empty() && only_right.is_empty() { (left, right) } else { (&only_left[..], &only_right[..]) };
    let readings = reading::of_fragments(read_left, read_right, decoder.tokens());
    if only_left.is_empty() && only_right.is_empty() {
        return Some(Change::new(place, Detail::Reordered { parts: left.len() as u64 }).read(readings));
    }
    let most = decoder.limits().strings;
    let shown = |strings: &[&[u8]]| strings.iter().take(most).map(|string| printable(string)).collect();
    let omitted = only_left.len().saturating_sub(most) + only_right.len().saturating_sub(most);
    let detail = Detail::Strings { left: shown(&only_left), right: shown(&only_right), omitted: omitted as u64 };
    Some(Change::new(place, detail).read(readings))
}

/// The strings of `list`, in order, without as many equal ones as `other` has.
fn without<'a>(list: &[&'a [u8]], other: &[&[u8]]) -> Vec<&'a [u8]> {
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    other.iter().for_each(|string| *counts.entry(string).or_default() += 1);
    let is_more = |string: &&&[u8]| match counts.get_mut(**string) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    list.iter().filter(is_more).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_count() {
        let list = |text: &'static str| text.split(' ').map(str::as_bytes).collect::<Vec<_>>();
        assert_eq!(without(&list("a b a c"), &list("a c d")), list("b a"));
    }
}
