//! What is there for programs: a root and trees at their store paths, as listings, and where the paths in it lead. Pure.

use std::collections::BTreeMap;
use store::{Node, StorePath, TreeListing, TreePath};

/// Symbolic links on one path before it counts as a loop, as in the kernel.
const MAX_LINKS: usize = 40;

/// A merged root, and trees at their store paths.
#[derive(Debug)]
pub struct World<'a> {
    root: TreeListing,
    trees: BTreeMap<String, &'a TreeListing>,
}

/// Where a path leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// The symbolic links on it.
    pub links: Vec<String>,
    /// Its end without links. Where nothing is, what is behind that is as it was named.
    pub end: String,
    /// What is there; nothing if there is nothing.
    pub found: Option<Found>,
}

/// What stands at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A file, or a link that was not followed.
    File,
    /// A directory.
    Directory,
}

impl<'a> World<'a> {
    /// A world with these trees at their store paths.
    #[must_use]
    pub fn new(root: TreeListing, trees: impl IntoIterator<Item = (StorePath, &'a TreeListing)>) -> Self {
        Self { root, trees: trees.into_iter().map(|(path, tree)| (path.base_name(), tree)).collect() }
    }

    /// What stands at a path without links in it.
    fn get(&self, path: &[Vec<u8>]) -> Option<&Node> {
        self.get_with_tree(path).map(|(_, node)| node)
    }

    /// The same, and in which tree.
    fn get_with_tree(&self, path: &[Vec<u8>]) -> Option<(&TreeListing, &Node)> {
        let components: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
        let (tree, inside) = match components.as_slice() {
            [b"larder", b"store", name, inside @ ..] => (*self.trees.get(std::str::from_utf8(name).ok()?)?, inside),
            inside => (&self.root, inside),
        };
        Some((tree, tree.get(&TreePath::parse(&inside.join(&b'/')).ok()?)?))
    }

    /// The names in a directory, following links to it; none if it is not there. Those that are no text are left out.
    pub fn names(&self, directory: &str) -> impl Iterator<Item = String> + use<> {
        let end: Vec<_> = components(self.follow(directory).end.as_bytes()).collect();
        let found = match self.get_with_tree(&end) {
            Some((tree, Node::Directory(digest))) => tree.directory(digest),
            _ => None,
        };
        let names = found.into_iter().flat_map(|found| found.entries());
        let names: Vec<_> = names.filter_map(|(name, _)| String::from_utf8(name.as_bytes().to_vec()).ok()).collect();
        names.into_iter()
    }

    /// Whether an absolute path leads to a file or directory, following links.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.follow(path).found.is_some()
    }

    /// Where an absolute path leads, following links.
    #[must_use]
    pub fn follow(&self, path: &str) -> Way {
        let mut way = Way::default();
        let mut pending: Vec<Vec<u8>> = components(path.as_bytes()).rev().collect();
        let mut done: Vec<Vec<u8>> = Vec::new();
        way.found = Some(Found::Directory);
        while let Some(component) = pending.pop() {
            if component == b".." {
                done.pop();
                continue;
            }
            done.push(component);
            way.found = match self.get(&done) {
                // The way to the store need not be in any tree.
                None if is_above_store(&done) => Some(Found::Directory),
                Some(Node::Symlink { target }) => {
                    way.links.push(text(&done));
                    done.pop();
                    if target.starts_with(b"/") {
                        done.clear();
                    }
                    pending.extend(components(target).rev());
                    // A circle ends nowhere.
                    (way.links.len() <= MAX_LINKS).then_some(Found::Directory)
                }
                Some(Node::Directory(_)) => Some(Found::Directory),
                Some(Node::File { .. }) if pending.is_empty() => Some(Found::File),
                None | Some(Node::File { .. }) => None,
            };
            if way.found.is_none() {
                done.extend(pending.into_iter().rev());
                break;
            }
        }
        way.end = text(&done);
        way
    }
}

fn is_above_store(path: &[Vec<u8>]) -> bool {
    path.len() < 3 && ["larder", "store"].iter().zip(path).all(|(name, component)| name.as_bytes() == component)
}

fn text(path: &[Vec<u8>]) -> String {
    path.iter().map(|component| format!("/{}", String::from_utf8_lossy(component))).collect()
}

fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = Vec<u8>> {
    path.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b".")).map(<[u8]>::to_vec)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use store::BlobDigest;
    use store::listing::ListingBuilder;

    /// A tree of executable files and of links to these targets.
    pub(crate) fn tree(paths: &[(&str, Option<&str>)]) -> TreeListing {
        let mut builder = ListingBuilder::default();
        for (path, target) in paths {
            let leaf = match target {
                Some(target) => Node::Symlink { target: target.as_bytes().to_vec() },
                None => Node::File { executable: true, size: 4, blob: BlobDigest::of(b"x") },
            };
            builder.insert(&TreePath::parse(path.as_bytes()).expect("valid"), Some(leaf)).expect("free");
        }
        builder.finish()
    }

    pub(crate) fn alone(root: TreeListing) -> World<'static> {
        World::new(root, [])
    }

    #[test]
    fn store_paths_of_the_closure_are_there() {
        let bash = tree(&[("usr/bin/bash", None), ("bin", Some("usr/bin"))]);
        let name = store::StoreName::parse("bash").expect("valid");
        let path = StorePath::from_tree(bash.digest(), name).expect("valid");
        let here = World::new(tree(&[("usr/bin/sh", Some(&format!("{path}/bin/bash")))]), [(path.clone(), &bash)]);
        assert!(here.has(&format!("{path}/usr/bin/bash")) && here.has("/usr/bin/sh"));
        let gone = alone(tree(&[]));
        assert!(!gone.has(&format!("{path}/usr/bin/bash")) && !gone.has("/larder/x"));
    }

    #[test]
    fn links_are_followed_inside_the_world_only() {
        let world = alone(tree(&[
            ("lib64", Some("usr/lib64")),
            ("usr/lib64/ld.so", Some("../lib/ld-2.so")),
            ("usr/lib/ld-2.so", None),
            ("usr/lib/absolute", Some("/usr/lib/ld-2.so")),
            ("usr/lib/loop", Some("loop")),
            ("usr/lib/out", Some("../../../../etc/passwd")),
        ]));
        assert!(world.has("/lib64/ld.so") && world.has("/usr/lib/absolute"));
        for missing in ["/lib/ld.so", "/usr/lib/loop", "/usr/lib/out", "/usr/lib/ld-2.so/x"] {
            assert!(!world.has(missing), "{missing}");
        }
    }

    #[test]
    fn a_way_tells_its_links_and_its_end() {
        let world = alone(tree(&[("bin", Some("usr/bin")), ("usr/bin/sh", Some("bash")), ("usr/bin/bash", None)]));
        let way = |links: &[&str], end: &str, found| Way {
            links: links.iter().map(|&link| link.to_owned()).collect(),
            end: end.to_owned(),
            found,
        };
        assert_eq!(world.follow("/bin/sh"), way(&["/bin", "/usr/bin/sh"], "/usr/bin/bash", Some(Found::File)));
        assert_eq!(world.follow("/usr//./lib/../bin"), way(&[], "/usr/lib/../bin", None));
        assert_eq!(world.follow("/bin/x/y"), way(&["/bin"], "/usr/bin/x/y", None));
        assert_eq!(world.follow("/"), way(&[], "", Some(Found::Directory)));
    }
}
