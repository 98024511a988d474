//! Versions of pkg-config modules, ordered as pkgconf and RPM do it. Pure.

use std::cmp::Ordering;
use std::fmt;

/// How a version is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `>=`
    AtLeast,
    /// `>`
    Greater,
}

impl Comparison {
    const ALL: [(Self, &str); 6] = [
        (Self::Less, "<"),
        (Self::AtMost, "<="),
        (Self::Equal, "="),
        (Self::Unequal, "!="),
        (Self::AtLeast, ">="),
        (Self::Greater, ">"),
    ];

    /// That of an operator; `None` if it is none.
    pub(super) fn parse(operator: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, text)| *text == operator).map(|(comparison, _)| comparison)
    }

    /// Whether it holds for what stands so to the version behind it.
    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::AtLeast => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

/// The versions that are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Constraint {
    comparison: Comparison,
    version: String,
}

impl Constraint {
    /// Those that compare so with a version.
    pub(super) fn new(comparison: Comparison, version: &str) -> Self {
        Self { comparison, version: version.to_owned() }
    }

    /// Whether a version is one of them.
    pub(super) fn allows(&self, version: &str) -> bool {
        self.comparison.holds(compare(version, &self.version))
    }

    /// Whether there may be a version that is meant by both.
    pub(super) fn has_common_versions(&self, other: &Self) -> bool {
        use Ordering::{Equal, Greater, Less};
        // All places that a version can have beside these two.
        let places: &[_] = match compare(&self.version, &other.version) {
            Less => &[(Less, Less), (Equal, Less), (Greater, Less), (Greater, Equal), (Greater, Greater)],
            Equal => &[(Less, Less), (Equal, Equal), (Greater, Greater)],
            Greater => &[(Less, Less), (Less, Equal), (Less, Greater), (Equal, Greater), (Greater, Greater)],
        };
        places.iter().any(|&(own, others)| self.comparison.holds(own) && other.comparison.holds(others))
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = Comparison::ALL.into_iter().find(|(comparison, _)| *comparison == self.comparison);
        write!(f, "{} {}", operator.map_or("", |(_, text)| text), self.version)
    }
}

/// Compares versions part by part: numbers by value and after letters, letters by their bytes; `~` comes before the end.
fn compare(one: &str, other: &str) -> Ordering {
    if one.eq_ignore_ascii_case(other) {
        return Ordering::Equal;
    }
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    loop {
        one = part_start(one);
        other = part_start(other);
        match (one.first(), other.first()) {
            (Some(b'~'), Some(b'~')) => (one, other) = (&one[1..], &other[1..]),
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(first), Some(_)) => {
                let is_number = first.is_ascii_digit();
                let ([own, others], rest) = parts(one, other, is_number);
                let order = match (is_number, others.is_empty()) {
                    (true, true) => Ordering::Greater,
                    (false, true) => Ordering::Less,
                    (true, false) => significant(own)
                        .len()
                        .cmp(&significant(others).len())
                        .then_with(|| significant(own).cmp(significant(others))),
                    (false, false) => own.cmp(others),
                };
                if order.is_ne() {
                    return order;
                }
                [one, other] = rest;
            }
        }
    }
}

/// What follows separators.
fn part_start(version: &[u8]) -> &[u8] {
    let start = version.iter().position(|byte| byte.is_ascii_alphanumeric() || *byte == b'~');
    &version[start.unwrap_or(version.len())..]
}

/// The digits, or letters, that both begin with, and what comes after them.
fn parts<'v>(one: &'v [u8], other: &'v [u8], digits: bool) -> ([&'v [u8]; 2], [&'v [u8]; 2]) {
    let split = |version: &'v [u8]| {
        let is_part = |byte: &u8| if digits { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
        version.split_at(version.iter().position(|byte| !is_part(byte)).unwrap_or(version.len()))
    };
    let ((own, own_rest), (others, others_rest)) = (split(one), split(other));
    ([own, others], [own_rest, others_rest])
}

/// A number without leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    &number[number.iter().position(|byte| *byte != b'0').unwrap_or(number.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each with what pkgconf 1.8.1 says of it.
    #[test]
    fn versions_are_ordered_as_pkgconf_does() {
        let order = [
            "0.9", "1~rc1", "1", "1.a", "1.0", "1.0a", "1.00.1", "1.1", "1.2.3", "1.10", "1.10.0", "2.0~beta",
            "2.0~rc1", "2.0",
        ];
        for (place, one) in order.iter().enumerate() {
            for (other_place, other) in order.iter().enumerate() {
                assert_eq!(compare(one, other), place.cmp(&other_place), "{one} {other}");
            }
        }
        for (one, other) in [("1.0", "1.00"), ("1.0RC", "1.0rc"), ("1_2", "1.2"), ("", "")] {
            assert_eq!(compare(one, other), Ordering::Equal, "{one} {other}");
        }
    }

    #[test]
    fn constraints_allow_versions_and_meet() {
        let constraint = |text: &str| {
            let (operator, version) = text.split_once(' ').expect("two words");
            Constraint::new(Comparison::parse(operator).expect("an operator"), version)
        };
        for (wanted, allowed) in
            [("< 2", false), ("<= 2", true), ("= 2", true), ("!= 2", false), (">= 2", true), ("> 2", false)]
        {
            assert_eq!(constraint(wanted).allows("2"), allowed, "{wanted}");
        }
        let meet = |one: &str, other: &str| constraint(one).has_common_versions(&constraint(other));
        assert!(meet("= 1.2", ">= 1.0") && !meet("= 1.2", ">= 2.0") && meet(">= 1.0", "= 3") && meet("< 3", ">= 2"));
        assert!(!meet("= 1.2", "!= 1.2") && !meet("< 1", "> 1") && meet("<= 1", ">= 1") && !meet("> 2", "< 1"));
    }
}
