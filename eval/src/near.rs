//! Names that are near to a name that does not exist.

/// How many names are suggested at most.
const MAX_NAMES: usize = 3;

/// "did you mean `a` or `b`?", if any candidate is near: nearly the same letters, or else the name is a part of it.
#[must_use]
pub fn did_you_mean<'a>(name: &[u8], candidates: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut near = near_names(name, candidates);
    near.truncate(MAX_NAMES);
    let names: Vec<_> = near.iter().map(|name| format!("`{}`", String::from_utf8_lossy(name))).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("did you mean {one}?")),
        [rest @ .., last] => Some(format!("did you mean {} or {last}?", rest.join(", "))),
    }
}

/// "of 100 names, these are nearest: `a`, `b`, `c`", however far they are.
pub(crate) fn nearest<'a>(name: &[u8], candidates: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    /// Longer ones are no names that somebody writes.
    const LONGEST: usize = 100;
    let lower = name.get(..LONGEST).unwrap_or(name).to_ascii_lowercase();
    let candidates = candidates.filter(|other| other.len() <= LONGEST);
    let mut ranked: Vec<_> = candidates.map(|other| (distance(&lower, &other.to_ascii_lowercase()), other)).collect();
    ranked.sort_unstable();
    let names = ranked.get(..MAX_NAMES)?.iter().map(|(_, name)| format!("`{}`", String::from_utf8_lossy(name)));
    Some(format!("of {} names, these are nearest: {}", ranked.len(), names.collect::<Vec<_>>().join(", ")))
}

/// The candidates that are near to a name, nearest first.
#[must_use]
pub fn near_names<'a>(name: &[u8], candidates: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    let candidates: Vec<_> = candidates.filter(|candidate| !candidate.is_empty()).collect();
    let near = misspelt(name, &candidates);
    if near.is_empty() { abbreviated(name, &candidates) } else { near }
}

/// The candidates that differ from a name by few letters, nearest first. Upper and lower case count as the same: who
/// mistakes them mistakes all of a name.
fn misspelt<'a>(name: &[u8], candidates: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let lower = name.to_ascii_lowercase();
    // Of a single letter nothing would be left.
    let limit = if name.len() < 2 { 0 } else { (name.len() / 3).clamp(1, 3) };
    let mut near: Vec<_> = candidates
        .iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= limit)
        .map(|candidate| (distance(&lower, &candidate.to_ascii_lowercase()), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The candidates that a name is a part of, shortest first.
fn abbreviated<'a>(name: &[u8], candidates: &[&'a [u8]]) -> Vec<&'a [u8]> {
    if name.len() < 3 {
        return Vec::new();
    }
    let lower = name.to_ascii_lowercase();
    let contains = |candidate: &&&[u8]| candidate.to_ascii_lowercase().windows(lower.len()).any(|part| part == lower);
    let mut longer: Vec<_> = candidates.iter().filter(contains).copied().collect();
    longer.sort_unstable_by_key(|candidate| (candidate.len(), *candidate));
    longer.dedup();
    longer
}

/// The number of insertions, deletions, replacements and swaps of neighbours between two names.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            row[j + 1] = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_are_told_however_far() {
        let of = |names: &[&str]| nearest(b"nope", names.iter().map(|name| name.as_bytes()));
        let expected = "of 4 names, these are nearest: `note`, `pipe`, `zlib`";
        assert_eq!(of(&["openssl", "zlib", "pipe", "note"]).as_deref(), Some(expected));
        assert_eq!(of(&["a", "b"]), None);
        assert_eq!(
            of(&["a", "b", "c", &"d".repeat(1 << 20)]).as_deref(),
            Some("of 3 names, these are nearest: `a`, `b`, `c`")
        );
    }

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("foo", "foo", 0), ("foo", "fo", 1), ("foo", "ofo", 1), ("abc", "xyz", 3), ("", "ab", 2)]
        {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }

    #[test]
    fn suggestions() {
        let names = ["hello", "help", "zlib"].map(str::as_bytes);
        assert_eq!(did_you_mean(b"helo", names.into_iter()).as_deref(), Some("did you mean `hello` or `help`?"));
        assert_eq!(did_you_mean(b"gcc", names.into_iter()), None);
        assert_eq!(did_you_mean(b"ZLIB", names.into_iter()).as_deref(), Some("did you mean `zlib`?"));
        assert_eq!(did_you_mean(b"lib", names.into_iter()).as_deref(), Some("did you mean `zlib`?"));
        let names = ["concatStringsSep", "concatLists", "a"].map(str::as_bytes);
        assert_eq!(
            did_you_mean(b"concatStrings", names.into_iter()).as_deref(),
            Some("did you mean `concatStringsSep`?")
        );
        assert_eq!(did_you_mean(b"b", names.into_iter()), None);
    }
}
