//! Versions and the names of derivations.

use super::{Builtin, row};
use crate::diagnostic::Result;
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::symbol::names;
use crate::value::Value;
use std::cmp::Ordering;

pub(super) const TABLE: &[Builtin] = &[
    row(
        "compareVersions",
        2,
        "-1, 0 or 1 as the first version is older than, equal to or newer than the second.",
        compare_versions,
    ),
    row("parseDrvName", 1, "Name and version in the name of a derivation.", parse_drv_name),
    row("splitVersion", 1, "The components of a version.", split_version),
];

/// The components of a version: runs of digits and runs of other characters, between dots and dashes.
fn components(version: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = version;
    std::iter::from_fn(move || {
        let skip = rest.iter().take_while(|byte| matches!(byte, b'.' | b'-')).count();
        rest = &rest[skip..];
        let digit = rest.first()?.is_ascii_digit();
        let same = |byte: &&u8| byte.is_ascii_digit() == digit && !matches!(byte, b'.' | b'-');
        let (component, after) = rest.split_at(rest.iter().take_while(same).count());
        rest = after;
        Some(component)
    })
}

/// A number of 32 bits; what does not fit compares as text, as in Nix.
fn number(component: &[u8]) -> Option<i32> {
    if component.iter().all(u8::is_ascii_digit) { std::str::from_utf8(component).ok()?.parse().ok() } else { None }
}

/// Whether the component `a` is older than `b`; a missing component is empty.
fn older(a: &[u8], b: &[u8]) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a < b,
        (None, Some(_)) if a.is_empty() => true,
        _ if a == b"pre" && b != b"pre" => true,
        _ if b == b"pre" => false,
        (_, Some(_)) => true,
        (Some(_), None) => false,
        _ => a < b,
    }
}

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (components(a), components(b));
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) => (x.unwrap_or_default(), y.unwrap_or_default()),
        };
        if older(x, y) {
            return Ordering::Less;
        }
        if older(y, x) {
            return Ordering::Greater;
        }
    }
}

fn compare_versions(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let a = evaluator.expect_plain_string(args[0], span, "as the first argument of `compareVersions`")?;
    let b = evaluator.expect_plain_string(args[1], span, "as the second argument of `compareVersions`")?;
    Ok(Value::Int(compare(a.bytes(), b.bytes()) as i64))
}

fn split_version(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let version = evaluator.expect_plain_string(args[0], span, "as the argument of `splitVersion`")?;
    let parts: Vec<_> = components(version.bytes()).map(|part| evaluator.string(part)).collect();
    Ok(evaluator.list(&parts))
}

/// Name and version.
fn split_name(name: &[u8]) -> (&[u8], &[u8]) {
    store::store_path::split_version(name).map_or((name, b""), |dash| (&name[..dash], &name[dash + 1..]))
}

fn parse_drv_name(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let name = evaluator.expect_plain_string(args[0], span, "as the argument of `parseDrvName`")?;
    let (name, version) = split_name(name.bytes());
    Ok(evaluator.set([(names::NAME, evaluator.string(name)), (names::VERSION, evaluator.string(version))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare() {
        for (a, b, expected) in [
            ("1.0", "2.3", Ordering::Less),
            ("2.1", "2.3", Ordering::Less),
            ("2.3", "2.3", Ordering::Equal),
            ("2.5", "2.3", Ordering::Greater),
            ("2.3.1", "2.3", Ordering::Greater),
            ("2.3.1", "2.3a", Ordering::Greater),
            ("2.3pre1", "2.3", Ordering::Less),
            ("2.3pre3", "2.3pre12", Ordering::Less),
            ("2.3a", "2.3c", Ordering::Less),
            ("2.3pre1", "2.3c", Ordering::Less),
            ("2.3pre1", "2.3q", Ordering::Less),
        ] {
            assert_eq!(compare(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
            assert_eq!(compare(b.as_bytes(), a.as_bytes()), expected.reverse(), "{b} {a}");
        }
    }

    #[test]
    fn names_split() {
        for (name, expected) in [
            ("hello-2.12", ("hello", "2.12")),
            ("a-b-c", ("a-b-c", "")),
            ("x-1-y", ("x", "1-y")),
            ("nix-", ("nix-", "")),
        ] {
            assert_eq!(split_name(name.as_bytes()), (expected.0.as_bytes(), expected.1.as_bytes()), "{name}");
        }
    }
}
