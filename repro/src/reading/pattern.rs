//! What differing text looks like: dates, paths, addresses, random numbers. Pure.

use super::{Cause, Evidence, Pairs, Reading};
use std::ops::Range;

/// A look: the name for people, the cause it suggests, and how to find its spans in a text.
type Look = (&'static str, Cause, fn(&[u8]) -> Vec<Range<usize>>);

const LOOKS: [Look; 6] = [
    ("looks like a date or time", Cause::Time, times),
    ("looks like a number of seconds since 1970", Cause::Time, epochs),
    ("looks like a UUID", Cause::Random, uuids),
    ("looks like a hash or a random number", Cause::Random, long_hex),
    ("looks like a memory address", Cause::Address, addresses),
    ("looks like a path", Cause::Path, paths),
];

/// Readings by what both sides look like where they differ; the first look of each cause.
pub(super) fn find(pairs: &Pairs<'_>) -> Vec<Reading> {
    let mut readings: Vec<Reading> = Vec::new();
    for (words, cause, spans) in LOOKS {
        let has = |fragments: &[(&[u8], Range<usize>)]| {
            fragments.iter().any(|(text, core)| spans(text).iter().any(|span| overlap(span, core)))
        };
        let known = readings.iter().any(|reading| reading.cause == cause);
        if !known && has(&pairs.left) && has(&pairs.right) {
            readings.push(Reading::new(Evidence::Pattern, cause, words));
        }
    }
    readings
}

fn overlap(span: &Range<usize>, core: &Range<usize>) -> bool {
    // An empty core is where the other side has something more.
    span.start <= core.end
        && core.start <= span.end
        && !span.is_empty()
        && (span.start < core.end || core.is_empty())
        && (core.start < span.end || core.is_empty())
}

/// Maximal runs of bytes that fit.
fn runs(text: &[u8], fits: fn(&u8) -> bool) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = None;
    for (at, byte) in text.iter().enumerate() {
        match (fits(byte), start) {
            (true, None) => start = Some(at),
            (false, Some(begin)) => {
                runs.push(begin..at);
                start = None;
            }
            _ => {}
        }
    }
    runs.extend(start.map(|begin| begin..text.len()));
    runs
}

fn epochs(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = runs(text, u8::is_ascii_digit);
    // From 2000 to 2100.
    found.retain(|run| {
        run.len() == 10 && (b"0946684800".as_slice()..b"4102444800".as_slice()).contains(&&text[run.clone()])
    });
    found
}

fn uuids(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = runs(text, |byte| byte.is_ascii_hexdigit() || *byte == b'-');
    found.retain(|run| {
        let groups: Vec<usize> = text[run.clone()].split(|&byte| byte == b'-').map(<[u8]>::len).collect();
        groups == [8, 4, 4, 4, 12]
    });
    found
}

fn long_hex(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = runs(text, u8::is_ascii_hexdigit);
    found.retain(|run| run.len() >= 16 && text[run.clone()].iter().any(u8::is_ascii_alphabetic));
    found
}

fn addresses(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = runs(text, |byte| byte.is_ascii_hexdigit() || *byte == b'x');
    found.retain(|run| (10..=18).contains(&run.len()) && text[run.clone()].starts_with(b"0x"));
    found
}

/// An absolute path of at least two components.
fn paths(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = runs(text, |byte| byte.is_ascii_alphanumeric() || b"/._+-@~%".contains(byte));
    for run in &mut found {
        let slash = text[run.clone()].iter().position(|&byte| byte == b'/').unwrap_or(run.len());
        run.start += slash;
    }
    found.retain(|run| text[run.clone()].iter().filter(|&&byte| byte == b'/').count() >= 2 && run.len() >= 4);
    found
}

/// `2023-11-14`, `12:34:56`, `Nov 14` and `14 Nov`.
fn times(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = runs(text, |byte| byte.is_ascii_digit() || b"-:/T.Z".contains(byte));
    found.retain(|run| is_date(&text[run.clone()]) || is_clock(&text[run.clone()]));
    found.extend(month_names(text));
    found
}

fn numbers(text: &[u8], separator: u8) -> Vec<Option<u32>> {
    let parse = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse().ok();
    text.split(|&byte| byte == separator).map(parse).collect()
}

fn is_date(text: &[u8]) -> bool {
    let date = &text[..text.len().min(10)];
    [b'-', b'/']
        .iter()
        .any(|&separator| matches!(numbers(date, separator)[..], [Some(1970..=2100), Some(1..=12), Some(1..=31)]))
}

fn is_clock(text: &[u8]) -> bool {
    let clock = text.split(|&byte| byte == b'T').next_back().unwrap_or(text);
    matches!(numbers(clock.get(..8).unwrap_or(clock), b':')[..], [Some(0..=23), Some(0..=59), Some(0..=60)])
}

/// A month's name with digits near it, on the same line.
fn month_names(text: &[u8]) -> Vec<Range<usize>> {
    const NAMES: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let is_near = |at: usize| {
        let (start, end) = (at.saturating_sub(4), (at + 24).min(text.len()));
        text[start..at].iter().chain(&text[(at + 3).min(end)..(at + 7).min(end)]).any(u8::is_ascii_digit)
    };
    let starts = text.windows(3).enumerate().filter(|(at, window)| NAMES.contains(window) && is_near(*at));
    starts.map(|(at, _)| at.saturating_sub(8)..(at + 24).min(text.len())).collect()
}
