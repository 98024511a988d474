//! Which inputs a build used: whose the paths are that it opened or asked about. Pure.
//!
//! A directory is nobody's, for all trees of the root have a part in it; a link is its tree's, and so is what it leads to.

use crate::trace::InputTrace;
use crate::world::{Found, World};
use std::collections::{BTreeMap, BTreeSet};
use store::{STORE_DIR, StorePath, TreeListing, TreePath};

/// What a build used of its inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputUse {
    /// The inputs it used, with the files and links that it used of each.
    pub used: BTreeMap<StorePath, BTreeSet<String>>,
    /// What it looked for in vain, each on a way without links as far as there is one.
    pub missed: BTreeSet<String>,
}

/// Finds whose the paths of a trace are. `layers` are the trees of the root, those first that stand before others.
#[must_use]
pub fn input_use(trace: &InputTrace, layers: &[(&StorePath, &TreeListing)], world: &World<'_>) -> InputUse {
    let mut found = InputUse::default();
    for path in trace.opened.union(&trace.seen) {
        let way = world.follow(path);
        let end = (way.found == Some(Found::File) || is_in_store(&way.end)).then_some(way.end);
        for place in way.links.into_iter().chain(end) {
            if let Some(owner) = owner(&place, layers) {
                found.used.entry(owner).or_default().insert(place);
            }
        }
    }
    for path in &trace.missed {
        let way = world.follow(path);
        if way.found.is_none() {
            found.missed.insert(way.end);
        }
    }
    found
}

fn is_in_store(path: &str) -> bool {
    path.strip_prefix(STORE_DIR).is_some_and(|rest| rest.len() > 1)
}

/// The tree that has a file or link: at its store path, or in the root.
fn owner(place: &str, layers: &[(&StorePath, &TreeListing)]) -> Option<StorePath> {
    if let Some(inside) = place.strip_prefix(STORE_DIR) {
        return StorePath::parse_base_name(inside.split('/').nth(1)?).ok();
    }
    let path = TreePath::parse(place.trim_start_matches('/').as_bytes()).ok()?;
    let (owner, _) = layers.iter().find(|(_, listing)| listing.get(&path).is_some())?;
    Some((*owner).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::tree;
    use store::StoreName;

    fn path_of(listing: &TreeListing, name: &str) -> StorePath {
        StorePath::from_tree(listing.digest(), StoreName::parse(name).expect("valid")).expect("valid")
    }

    #[test]
    fn paths_are_those_of_the_tree_that_has_them() {
        let base = tree(&[("bin", Some("usr/bin")), ("usr/bin/bash", None)]);
        let links = tree(&[("usr/bin/sh", Some("bash"))]);
        let unused = tree(&[("usr/bin/other", None)]);
        let mentioned = tree(&[("share/x", None)]);
        let root = tree(&[
            ("bin", Some("usr/bin")),
            ("usr/bin/bash", None),
            ("usr/bin/sh", Some("bash")),
            ("usr/bin/other", None),
        ]);
        let paths = [path_of(&base, "base"), path_of(&links, "links"), path_of(&unused, "unused")];
        let mention = path_of(&mentioned, "mentioned");
        let world = World::new(root, [(mention.clone(), &mentioned)]);
        let set = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect::<BTreeSet<_>>();
        let share = format!("{mention}/share");
        let trace = InputTrace {
            opened: set(&["/bin/sh", "/usr/bin", "/made/by/the/build"]),
            seen: set(&[&share]),
            missed: set(&["/bin/../bin/missing", "/bin/other"]),
            ..InputTrace::default()
        };
        let layers = [(&paths[0], &base), (&paths[1], &links), (&paths[2], &unused)];
        let found = input_use(&trace, &layers, &world);
        let expected = [
            (paths[0].clone(), set(&["/bin", "/usr/bin/bash"])),
            (paths[1].clone(), set(&["/usr/bin/sh"])),
            (mention, set(&[&share])),
        ];
        assert_eq!(found.used, BTreeMap::from(expected));
        assert_eq!(found.missed, set(&["/usr/bin/missing"]), "what is there was missed before it was made");
    }
}
