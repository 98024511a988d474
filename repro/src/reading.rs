//! Reading a difference: what it tells about its cause, and on what evidence. Pure.
//!
//! What was planted in the runs ([`Tokens`]) proves; the structure of a format or the same parts in another order is
//! strong; what merely looks like a date or a path is a pattern.

mod pattern;
mod time;

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Longest fragment that is looked at.
const MAX_FRAGMENT: usize = 64 << 10;
/// Most fragments of each side that are looked at.
const MAX_FRAGMENTS: usize = 2000;
/// A token that is found on one side only proves something if it is at least this long.
const TELLING: usize = 8;
/// Shorter tokens are found everywhere; they must be exactly what differs.
const SHORT: usize = 4;

/// What is known to have differed between the two runs: kind of token (`host name`, `user name`, `build path`,
/// `build time` in seconds since 1970, `cpu count`, `locale`, …) to its text in that run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the run that made the left tree.
    pub left: BTreeMap<String, String>,
    /// Of the run that made the right tree.
    pub right: BTreeMap<String, String>,
}

/// What makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The time of the build.
    Time,
    /// A path of the build.
    Path,
    /// The name of the machine.
    HostName,
    /// The user's name or number.
    User,
    /// The number of processors, or how the work was divided among them.
    ProcessorCount,
    /// Locale or language.
    Locale,
    /// The time zone.
    TimeZone,
    /// The umask, or permissions.
    Umask,
    /// The kernel's version.
    Kernel,
    /// The order of parts, as directories, hash tables or parallel work give it.
    Order,
    /// A hash over other content.
    BuildId,
    /// Random numbers or identifiers made of them.
    Random,
    /// A memory address.
    Address,
    /// The same content, compressed in another way.
    Compression,
    /// Something else that was planted.
    Other,
}

/// How sure a reading is; the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// What differs is what was planted in the two runs.
    Proof,
    /// The format says what it is.
    Structure,
    /// It looks like it.
    Pattern,
}

/// What a difference tells about its cause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reading {
    /// How sure it is.
    pub evidence: Evidence,
    /// The cause.
    pub cause: Cause,
    /// In words.
    pub explanation: String,
}

impl Reading {
    pub(crate) fn new(evidence: Evidence, cause: Cause, explanation: impl Into<String>) -> Self {
        Self { evidence, cause, explanation: explanation.into() }
    }
}

/// Sorted by evidence, without repetitions, and without patterns for what is proved.
#[must_use]
pub fn strongest(mut readings: Vec<Reading>) -> Vec<Reading> {
    readings.sort();
    readings.dedup();
    let proved: Vec<Cause> =
        readings.iter().filter(|reading| reading.evidence == Evidence::Proof).map(|reading| reading.cause).collect();
    readings.retain(|reading| reading.evidence == Evidence::Proof || !proved.contains(&reading.cause));
    readings
}

/// Reads parts that only the left or only the right has: lines, strings, or stretches of bytes.
#[must_use]
pub fn of_fragments(left: &[&[u8]], right: &[&[u8]], tokens: &Tokens) -> Vec<Reading> {
    let (left, right) = (&left[..left.len().min(MAX_FRAGMENTS)], &right[..right.len().min(MAX_FRAGMENTS)]);
    if is_permutation(left, right) {
        return vec![Reading::new(Evidence::Structure, Cause::Order, "the same parts in another order")];
    }
    let pairs = Pairs::new(left, right);
    let mut readings: Vec<Reading> = differing_kinds(tokens).filter_map(|token| token.find(&pairs)).collect();
    readings.extend(pattern::find(&pairs));
    strongest(readings)
}

/// Reads a time in seconds since 1970 that the format says is one.
#[must_use]
pub fn of_time(left: u64, right: u64, tokens: &Tokens) -> Vec<Reading> {
    let proof = differing_kinds(tokens).find(|token| token.is_time_of(left, right));
    vec![match proof {
        Some(token) => Reading::new(Evidence::Proof, Cause::Time, format!("the {} of each run", token.kind)),
        None => Reading::new(Evidence::Structure, Cause::Time, "a time stamp"),
    }]
}

/// A time in seconds since 1970 as people read it.
pub(crate) fn shown_time(time: u64) -> String {
    format!("{time} ({})", time::shown(time))
}

/// Parts that only one side has, and yet the other has them too: then they stand elsewhere there.
fn is_permutation(left: &[&[u8]], right: &[&[u8]]) -> bool {
    if left.is_empty() || left.len() != right.len() {
        return false;
    }
    let sorted = |parts: &[&[u8]]| {
        let mut parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        parts.sort_unstable();
        parts
    };
    sorted(left) == sorted(right)
}

/// Fragments side by side, each with the range that differs.
pub(crate) struct Pairs<'a> {
    pub(crate) left: Vec<(&'a [u8], Range<usize>)>,
    pub(crate) right: Vec<(&'a [u8], Range<usize>)>,
}

impl<'a> Pairs<'a> {
    fn new(left: &[&'a [u8]], right: &[&'a [u8]]) -> Self {
        let cut = |fragment: &'a [u8]| &fragment[..fragment.len().min(MAX_FRAGMENT)];
        let mut pairs = Self { left: Vec::new(), right: Vec::new() };
        let matching = left.len() == right.len();
        for (index, fragment) in left.iter().enumerate() {
            let other = right.get(index).filter(|_| matching);
            pairs.left.push((cut(fragment), core(cut(fragment), other.map(|other| cut(other)))));
        }
        for (index, fragment) in right.iter().enumerate() {
            let other = left.get(index).filter(|_| matching);
            pairs.right.push((cut(fragment), core(cut(fragment), other.map(|other| cut(other)))));
        }
        pairs
    }
}

/// What of `fragment` is left without what it has in common with `other` at the beginning and end.
fn core(fragment: &[u8], other: Option<&[u8]>) -> Range<usize> {
    let Some(other) = other else { return 0..fragment.len() };
    let shorter = fragment.len().min(other.len());
    let prefix = fragment.iter().zip(other).take_while(|(a, b)| a == b).count();
    let suffix = fragment.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    prefix..fragment.len() - suffix.min(shorter - prefix)
}

/// A token of both runs that differs.
struct Token<'a> {
    kind: &'a str,
    left: &'a str,
    right: &'a str,
}

/// All kinds that differ between the two runs; a kind that one of them lacks is empty there, and found nowhere.
fn differing_kinds(tokens: &Tokens) -> impl Iterator<Item = Token<'_>> {
    let kinds: BTreeSet<&str> = tokens.left.keys().chain(tokens.right.keys()).map(String::as_str).collect();
    let of = |kind| Token { kind, left: text_of(&tokens.left, kind), right: text_of(&tokens.right, kind) };
    kinds.into_iter().map(of).filter(|token| token.left != token.right)
}

fn text_of<'a>(side: &'a BTreeMap<String, String>, kind: &str) -> &'a str {
    side.get(kind).map_or("", String::as_str)
}

impl Token<'_> {
    fn cause(&self) -> Cause {
        match self.kind {
            "host name" | "domain" => Cause::HostName,
            "user name" | "user id" | "group name" | "group id" | "gecos" => Cause::User,
            "build path" | "home" | "temporary directory" => Cause::Path,
            "cpu count" | "parallelism" => Cause::ProcessorCount,
            "locale" | "language" => Cause::Locale,
            "time zone" => Cause::TimeZone,
            "umask" => Cause::Umask,
            "kernel" | "kernel release" => Cause::Kernel,
            kind if kind.contains("time") || kind.contains("date") => Cause::Time,
            _ => Cause::Other,
        }
    }

    fn find(&self, pairs: &Pairs<'_>) -> Option<Reading> {
        let proof = |words: String| Some(Reading::new(Evidence::Proof, self.cause(), words));
        if let (Cause::Time, Ok(left), Ok(right)) = (self.cause(), self.left.parse(), self.right.parse()) {
            let found = time::contains(&pairs.left, left) && time::contains(&pairs.right, right);
            return if found { proof(format!("contains the {} of each run", self.kind)) } else { None };
        }
        match (contains(&pairs.left, self.left), contains(&pairs.right, self.right)) {
            (true, true) if self.left.len().max(self.right.len()) < SHORT => Some(Reading::new(
                Evidence::Pattern,
                self.cause(),
                format!("is the {} of each run, if not by coincidence", self.kind),
            )),
            (true, true) => proof(format!("contains the {} of each run", self.kind)),
            (true, false) if self.left.len() >= TELLING => proof(format!("contains the {} of the left run", self.kind)),
            (false, true) if self.right.len() >= TELLING => {
                proof(format!("contains the {} of the right run", self.kind))
            }
            _ => None,
        }
    }

    fn is_time_of(&self, left: u64, right: u64) -> bool {
        let within = |token: &str, time| token.parse().is_ok_and(|start| time::is_within(start, time));
        self.cause() == Cause::Time && within(self.left, left) && within(self.right, right)
    }
}

/// Whether a fragment contains `token` where it differs.
fn contains(fragments: &[(&[u8], Range<usize>)], token: &str) -> bool {
    let token = token.as_bytes();
    if token.is_empty() {
        return false;
    }
    fragments.iter().any(|(fragment, core)| {
        if token.len() < SHORT {
            return word_around(fragment, core) == token;
        }
        let start = core.start.saturating_sub(token.len() - 1);
        let end = (core.end + token.len() - 1).min(fragment.len());
        fragment[start..end].windows(token.len()).any(|window| window == token)
    })
}

/// The letters and digits that a differing range is part of.
fn word_around<'a>(fragment: &'a [u8], core: &Range<usize>) -> &'a [u8] {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let start = fragment[..core.start].iter().rposition(|byte| !is_word(byte)).map_or(0, |at| at + 1);
    let end = fragment[core.end..].iter().position(|byte| !is_word(byte)).map_or(fragment.len(), |at| core.end + at);
    &fragment[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(kind: &str, left: &str, right: &str) -> Tokens {
        let one = |text: &str| BTreeMap::from([(kind.to_owned(), text.to_owned())]);
        Tokens { left: one(left), right: one(right) }
    }

    fn read(left: &str, right: &str, tokens: &Tokens) -> Vec<(Evidence, Cause)> {
        let readings = of_fragments(&[left.as_bytes()], &[right.as_bytes()], tokens);
        readings.into_iter().map(|reading| (reading.evidence, reading.cause)).collect()
    }

    #[test]
    fn planted_tokens_prove() {
        let hosts = tokens("host name", "h1a2b3", "h4c5d6");
        assert_eq!(read("built on h1a2b3.x", "built on h4c5d6.x", &hosts), [(Evidence::Proof, Cause::HostName)]);
        assert_eq!(read("built on h1a2b3.x", "built on other.x", &hosts), []);
        assert_eq!(read("h1a2b3 = 1", "h1a2b3 = 2", &hosts), [], "the token is not what differs");
        let kernel = Tokens { left: BTreeMap::new(), right: tokens("kernel", "", "4.19.0-quince").right };
        assert_eq!(read("on 6.1", "on 4.19.0-quince", &kernel), [(Evidence::Proof, Cause::Kernel)]);
        assert_eq!(read("on 6.1", "on 6.2", &kernel), []);
        let long = tokens("user name", "u-1234567890", "u-0987654321");
        assert_eq!(read("u-1234567890", "", &long), [(Evidence::Proof, Cause::User)]);
    }

    #[test]
    fn short_tokens_must_be_the_whole_word() {
        let cpus = tokens("cpu count", "2", "16");
        assert_eq!(read("-j2 x", "-j16 x", &cpus), []);
        // A number like 2 differs for many reasons.
        assert_eq!(read("jobs=2 x", "jobs=16 x", &cpus), [(Evidence::Pattern, Cause::ProcessorCount)]);
        assert_eq!(read("a 12 x", "a 16 x", &cpus), []);
    }

    #[test]
    fn times_of_the_runs_prove_in_many_forms() {
        // 2023-11-14T22:13:20 and 2024-11-14T22:13:20.
        let times = tokens("build time", "1700000000", "1731622400");
        for (left, right) in [
            ("t=1700000123", "t=1731622555"),
            ("on 2023-11-14", "on 2024-11-14"),
            ("Nov 14 2023", "Nov 14 2024"),
            ("20231114", "20241114"),
        ] {
            assert_eq!(read(left, right, &times), [(Evidence::Proof, Cause::Time)], "{left}");
        }
        assert_eq!(of_time(1_700_000_001, 1_731_622_401, &times)[0].evidence, Evidence::Proof);
        assert_eq!(of_time(1, 2, &times)[0].evidence, Evidence::Structure);
    }

    #[test]
    fn patterns_are_taken_for_what_they_look_like() {
        let none = Tokens::default();
        for (left, right, cause) in [
            ("x 1700000000 y", "x 1700000001 y", Cause::Time),
            ("at 12:34:56", "at 12:35:01", Cause::Time),
            ("made 2023-11-14", "made 2024-01-02", Cause::Time),
            ("/tmp/a/b.c:1", "/tmp/x/b.c:1", Cause::Path),
            ("0x7f0012345678", "0x7f9912345678", Cause::Address),
            ("123e4567-e89b-12d3-a456-426614174000", "923e4567-e89b-12d3-a456-426614174000", Cause::Random),
        ] {
            assert_eq!(read(left, right, &none), [(Evidence::Pattern, cause)], "{left}");
        }
        assert_eq!(read("x = 1", "x = 2", &none), []);
        assert_eq!(read("2023-11-14 x = 1", "2023-11-14 x = 2", &none), [], "the date is not what differs");
    }

    #[test]
    fn the_same_parts_in_another_order() {
        let readings = of_fragments(&[b"a", b"b"], &[b"b", b"a"], &Tokens::default());
        assert_eq!(readings[0].cause, Cause::Order);
    }
}
