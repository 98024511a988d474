//! Comparing what archives contain: members, their order, their metadata, their content.

use super::{Decoder, printable};
use crate::reading::{self, Cause, Evidence, Reading};
use crate::report::{Change, Detail};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// One member of an archive.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    /// The name, as it stands in the archive.
    pub(super) name: Vec<u8>,
    /// Its metadata; every member of an archive has the same fields in the same order.
    pub(super) fields: Vec<(&'static str, Value)>,
    /// Its content.
    pub(super) content: Cow<'a, [u8]>,
    /// Why its content is but a consequence of other members, if it is.
    pub(super) follows: Option<&'static str>,
}

/// A piece of metadata.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// Seconds since 1970.
    Time(u64),
    /// Permissions.
    Mode(u64),
    /// The number of a user or group.
    Owner(u64),
    /// The name of a user or group.
    OwnerName(Vec<u8>),
    /// Anything else.
    Text(Vec<u8>),
}

impl Value {
    fn shown(&self) -> String {
        match self {
            Self::Time(time) => reading::shown_time(*time),
            Self::Mode(mode) => format!("{mode:o}"),
            Self::Owner(number) => number.to_string(),
            Self::OwnerName(text) | Self::Text(text) => printable(text),
        }
    }

    fn read(&self, other: &Self, decoder: &Decoder<'_>) -> Vec<Reading> {
        let structure = |cause, words| vec![Reading::new(Evidence::Structure, cause, words)];
        let (left, right) = (self.shown(), other.shown());
        let found = reading::of_fragments(&[left.as_bytes()], &[right.as_bytes()], decoder.tokens());
        match (self, other) {
            (Self::Time(left), Self::Time(right)) => reading::of_time(*left, *right, decoder.tokens()),
            (Self::Mode(_), _) => structure(Cause::Umask, "permissions, as the umask gives them"),
            (Self::Owner(_) | Self::OwnerName(_), _) if found.is_empty() => {
                structure(Cause::User, "the owner of a file")
            }
            _ => found,
        }
    }
}

/// Finds members by name, and by occurrence where names repeat.
type ByName<'m, 'a> = BTreeMap<(&'m [u8], usize), &'m Member<'a>>;

/// What differs between two archives.
pub(super) fn compare(decoder: &Decoder<'_>, left: &[Member<'_>], right: &[Member<'_>], depth: usize) -> Vec<Change> {
    let (left_names, right_names) = (by_name(left), by_name(right));
    let mut changes = order(left, right, &left_names, &right_names);
    changes.extend(fields(decoder, &left_names, &right_names));
    for (key, member) in &left_names {
        match right_names.get(key) {
            None => changes.push(lone(member, Detail::Removed { size: member.content.len() as u64 })),
            Some(other) => changes.extend(content(decoder, member, other, depth)),
        }
    }
    let added = right_names.iter().filter(|(key, _)| !left_names.contains_key(*key));
    changes.extend(added.map(|(_, member)| lone(member, Detail::Added { size: member.content.len() as u64 })));
    cut(changes, decoder.limits().changes)
}

fn by_name<'m, 'a>(members: &'m [Member<'a>]) -> ByName<'m, 'a> {
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    let numbered = members.iter().map(|member| {
        let count = counts.entry(&member.name).or_default();
        *count += 1;
        ((member.name.as_slice(), *count), member)
    });
    numbered.collect()
}

fn order(
    left: &[Member<'_>],
    right: &[Member<'_>],
    left_names: &ByName<'_, '_>,
    right_names: &ByName<'_, '_>,
) -> Vec<Change> {
    let has = |names: &ByName<'_, '_>, name: &[u8]| names.contains_key(&(name, 1));
    let common = |members: &[Member<'_>], others: &ByName<'_, '_>| -> Vec<Vec<u8>> {
        members.iter().map(|member| member.name.clone()).filter(|name| has(others, name)).collect()
    };
    let (left, right) = (common(left, right_names), common(right, left_names));
    if left == right {
        return Vec::new();
    }
    let reading = Reading::new(Evidence::Structure, Cause::Order, "the same members in another order");
    vec![Change::new("order of members", Detail::Reordered { parts: left.len() as u64 }).read(vec![reading])]
}

fn lone(member: &Member<'_>, detail: Detail) -> Change {
    Change::new(printable(&member.name), detail)
}

fn content(decoder: &Decoder<'_>, left: &Member<'_>, right: &Member<'_>, depth: usize) -> Option<Change> {
    let change = decoder.compare_part(&printable(&left.name), &left.content, &right.content, depth)?;
    Some(match left.follows {
        Some(why) => change.following(why),
        None => change,
    })
}

/// Differing metadata; members that differ in the same way are one change.
fn fields(decoder: &Decoder<'_>, left: &ByName<'_, '_>, right: &ByName<'_, '_>) -> Vec<Change> {
    let mut groups: BTreeMap<(&str, &Value, &Value), Vec<&[u8]>> = BTreeMap::new();
    for (key, member) in left {
        let Some(other) = right.get(key) else { continue };
        for ((name, left), (_, right)) in member.fields.iter().zip(&other.fields) {
            if left != right {
                groups.entry((name, left, right)).or_default().push(key.0);
            }
        }
    }
    let change = |((name, left, right), members): ((&str, &Value, &Value), Vec<&[u8]>)| {
        let place = match members.as_slice() {
            [one] => format!("{name} of {}", printable(one)),
            [first, ..] => format!("{name} of {} members, such as {}", members.len(), printable(first)),
            [] => name.to_owned(),
        };
        Change::new(place, Detail::Field { left: left.shown(), right: right.shown() }).read(left.read(right, decoder))
    };
    groups.into_iter().map(change).collect()
}

/// Keeps the first changes, and says how many there are more.
fn cut(mut changes: Vec<Change>, most: usize) -> Vec<Change> {
    if changes.len() > most {
        let more = changes.len() - most;
        changes.truncate(most);
        changes.push(Change::note(format!("{more} more changes")));
    }
    changes
}
