//! Generations: what a profile has been, one after the other, and which of them it is now.
//!
//! Generation 3 of the profile `web` is the root `web-3-link`, so it is held as all roots are. For users there are the links
//! `profiles/web-3-link`, which leads to the tree, and `profiles/web`, which leads to the link of the current generation and is switched
//! in one step. The root comes first and goes last: what a profile leads to is held. Who changes generations keeps `roots/` locked.

use super::effect;
use super::fsutil::{At, IoError, unique_name};
use super::layout::Layout;
use super::roots::{Root, RootError, check_name, list, lock, replace_link};
use crate::store_path::StorePath;
use rustix::fs::Mode;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::path::Path;

/// Which generation a root is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The profile.
    pub profile: String,
    /// Counted from 1; a later one has a larger number.
    pub number: u32,
    /// Whether the profile is this now.
    pub is_current: bool,
}

/// Which old generations are kept. With neither all are; with both, what either of them keeps.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeptGenerations {
    /// The last so many of each profile.
    pub last: Option<u32>,
    /// Those that were current at this time or after it, in seconds since the epoch.
    pub since: Option<u64>,
}

impl KeptGenerations {
    /// The names of the roots that are old generations, and are not kept. What is current is always kept.
    #[must_use]
    pub fn expired(&self, roots: &[Root]) -> Vec<String> {
        if self.last.is_none() && self.since.is_none() {
            return Vec::new();
        }
        let mut profiles = BTreeMap::<&str, Vec<(u32, &Root)>>::new();
        for root in roots {
            if let Some(generation) = &root.generation {
                profiles.entry(&generation.profile).or_default().push((generation.number, root));
            }
        }
        let mut expired = Vec::new();
        for generations in profiles.values_mut() {
            generations.sort_unstable_by_key(|(number, _)| *number);
            for (at, (_, root)) in generations.iter().enumerate() {
                let later = generations.len() - at - 1;
                // It was current until the next one was made.
                let until = generations.get(at + 1).map_or(root.since, |(_, next)| next.since);
                let is_last = self.last.is_some_and(|last| later < last as usize);
                let is_recent = self.since.is_some_and(|since| until >= since);
                let is_current = root.generation.as_ref().is_some_and(|generation| generation.is_current);
                if !is_last && !is_recent && !is_current {
                    expired.push(root.name.clone());
                }
            }
        }
        expired
    }
}

/// The profile and number that the name of a generation's root tells.
pub(super) fn parse_name(name: &str) -> Option<(&str, u32)> {
    let (profile, number) = name.strip_suffix("-link")?.rsplit_once('-')?;
    let parsed = number.parse().ok().filter(|parsed: &u32| *parsed > 0 && parsed.to_string() == number)?;
    (!profile.is_empty()).then_some((profile, parsed))
}

fn name_of(profile: &str, number: u32) -> String {
    format!("{profile}-{number}-link")
}

/// The number that a profile's link leads to.
pub(super) fn current(layout: &Layout, profile: &str) -> Option<u32> {
    let target = std::fs::read_link(layout.profiles().join(profile)).ok()?;
    let (named, number) = parse_name(target.to_str()?)?;
    (named == profile).then_some(number)
}

/// Makes a path the current generation of a profile. If the last one is of this path already, that becomes current.
pub(super) fn add(layout: &Layout, profile: &str, path: &StorePath) -> Result<Generation, RootError> {
    check_name(profile)?;
    let _locked = lock(layout)?;
    let last = generations(layout, profile)?.pop();
    let number = match &last {
        Some((number, target)) if target == path => *number,
        last => {
            let number = last.as_ref().map_or(1, |(number, _)| number + 1);
            let root = layout.roots().join(name_of(profile, number));
            effect::symlinkat(path.to_string(), rustix::fs::CWD, &root).at("create link", &root)?;
            number
        }
    };
    switch(layout, profile, number, path)?;
    Ok(Generation { profile: profile.to_owned(), number, is_current: true })
}

/// Goes back to the generation before the current one, or to the given one.
pub(super) fn roll_back(layout: &Layout, profile: &str, to: Option<u32>) -> Result<Generation, RootError> {
    let _locked = lock(layout)?;
    let all = generations(layout, profile)?;
    if all.is_empty() {
        return Err(RootError::NoProfile { profile: profile.to_owned() });
    }
    let current = current(layout, profile).unwrap_or(u32::MAX);
    let found = match to {
        Some(wanted) => all.into_iter().find(|(number, _)| *number == wanted),
        None => all.into_iter().rfind(|(number, _)| *number < current),
    };
    let Some((number, path)) = found else {
        return Err(RootError::NoGeneration { profile: profile.to_owned(), number: to });
    };
    switch(layout, profile, number, &path)?;
    Ok(Generation { profile: profile.to_owned(), number, is_current: true })
}

/// Removes the generation whose root has this name, unless it is the current one.
pub(super) fn remove(layout: &Layout, profile: &str, number: u32) -> Result<(), RootError> {
    let _locked = lock(layout)?;
    if current(layout, profile) == Some(number) {
        return Err(RootError::Current { profile: profile.to_owned(), number });
    }
    remove_links(layout, profile, number)
}

/// Removes a profile with all of its generations.
pub(super) fn remove_profile(layout: &Layout, profile: &str) -> Result<(), RootError> {
    check_name(profile)?;
    let _locked = lock(layout)?;
    let all = generations(layout, profile)?;
    let link_is_gone = !unlink(&layout.profiles().join(profile))?;
    if all.is_empty() && link_is_gone {
        return Err(RootError::NoProfile { profile: profile.to_owned() });
    }
    all.into_iter().try_for_each(|(number, _)| remove_links(layout, profile, number))
}

/// The numbers of a profile's generations in order, with what each is.
fn generations(layout: &Layout, profile: &str) -> Result<Vec<(u32, StorePath)>, IoError> {
    let of_profile = |root: Root| {
        let generation = root.generation.filter(|generation| generation.profile == profile)?;
        Some((generation.number, root.target?))
    };
    let mut all: Vec<_> = list(layout)?.into_iter().filter_map(of_profile).collect();
    all.sort_unstable();
    Ok(all)
}

/// Lets a profile's link lead to one of its generations.
fn switch(layout: &Layout, profile: &str, number: u32, path: &StorePath) -> Result<(), IoError> {
    let profiles = layout.profiles();
    match effect::mkdir(&profiles, Mode::from_raw_mode(0o755)) {
        Err(Errno::EXIST) => {}
        made => made.at("create directory", &profiles)?,
    }
    let link = name_of(profile, number);
    let tree = Path::new("../store").join(path.base_name());
    replace_link(&profiles.join(&link), &layout.tmp().join(unique_name("")), &tree)?;
    replace_link(&profiles.join(profile), &layout.tmp().join(unique_name("")), Path::new(&link))
}

fn remove_links(layout: &Layout, profile: &str, number: u32) -> Result<(), RootError> {
    let name = name_of(profile, number);
    unlink(&layout.profiles().join(&name))?;
    if unlink(&layout.roots().join(&name))? { Ok(()) } else { Err(RootError::Unknown { name }) }
}

/// Removes a link, and says whether there was one.
fn unlink(link: &Path) -> Result<bool, IoError> {
    match effect::unlink(link) {
        Err(Errno::NOENT) => Ok(false),
        removed => removed.at("remove", link).map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(profile: &str, number: u32, since: u64, is_current: bool) -> Root {
        let generation = Generation { profile: profile.to_owned(), number, is_current };
        Root {
            name: name_of(profile, number),
            link: None,
            target: None,
            unseen: None,
            since,
            generation: Some(generation),
        }
    }

    #[test]
    fn names_tell_generations() {
        assert_eq!(parse_name("web-3-link"), Some(("web", 3)));
        assert_eq!(parse_name("a-1-link-2-link"), Some(("a-1-link", 2)));
        for name in ["web", "web-0-link", "web-03-link", "web-+3-link", "-3-link", "3-link", "web-3-link-"] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }

    #[test]
    fn old_generations_expire_as_asked_but_never_the_current_one() {
        // Of `web` the first is current again.
        let times = [(1, 10), (2, 20), (3, 30), (4, 40)];
        let mut roots: Vec<_> = times.map(|(number, since)| generation("web", number, since, number == 1)).into();
        roots.extend([generation("db", 7, 15, false), generation("db", 9, 35, true)]);
        roots.push(Root {
            name: "other".to_owned(),
            link: None,
            target: None,
            unseen: None,
            since: 0,
            generation: None,
        });
        let expired = |last, since| KeptGenerations { last, since }.expired(&roots);
        assert_eq!(expired(None, None), [""; 0]);
        assert_eq!(expired(Some(0), None), ["db-7-link", "web-2-link", "web-3-link", "web-4-link"]);
        assert_eq!(expired(Some(2), None), ["web-2-link"]);
        // At 35 web was its third generation; db its seventh until then.
        assert_eq!(expired(None, Some(35)), ["web-2-link"]);
        assert_eq!(expired(None, Some(36)), ["db-7-link", "web-2-link"]);
        assert_eq!(expired(Some(1), Some(100)), ["db-7-link", "web-2-link", "web-3-link"]);
        assert_eq!(expired(Some(3), Some(36)), [""; 0]);
    }
}
