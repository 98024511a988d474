//! Composition: merging trees into the one tree that a build sees at `/`. Pure.
//!
//! Directories merge; anything else may stand at a path twice only if it is the same, or if exactly one of those that differ
//! belongs to a tree that overrides. Directories that only one tree has, or that all have alike, are taken over unread.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use store::{Directory, EntryName, Node, StorePath, TreeDigest, TreeListing, TreePath};

/// One tree of a composition.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// Whose it is.
    pub owner: &'a StorePath,
    /// The tree.
    pub listing: &'a TreeListing,
    /// Whether its files win where others have something else.
    pub overrides: bool,
}

/// A composition that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// Trees give paths different content.
    #[error("{}", describe(.0))]
    Conflicts(Vec<Conflict>),
    /// A tree is a file or a symbolic link.
    #[error("{0} is not a directory, so it cannot be composed to a root")]
    NotADirectory(StorePath),
}

/// Two trees that give one path different content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: TreePath,
    /// Whose content differs.
    pub owners: [StorePath; 2],
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{} is different in {} and {}", self.path, self.owners[0], self.owners[1])
    }
}

fn describe(conflicts: &[Conflict]) -> String {
    const SHOWN: usize = 8;
    let mut text: Vec<_> = conflicts.iter().take(SHOWN).map(Conflict::to_string).collect();
    if conflicts.len() > SHOWN {
        text.push(format!("and {} more paths", conflicts.len() - SHOWN));
    }
    text.join("\n")
}

/// Merges trees. The order of the layers does not matter.
///
/// # Errors
/// When a tree is no directory, or paths conflict; then with all of them.
pub fn merge(layers: &[Layer<'_>]) -> Result<TreeListing, ComposeError> {
    let mut roots = Vec::with_capacity(layers.len());
    for (number, layer) in layers.iter().enumerate() {
        match layer.listing.root() {
            Node::Directory(digest) => roots.push((number, *digest)),
            _ => return Err(ComposeError::NotADirectory(layer.owner.clone())),
        }
    }
    let mut merge = Merge { layers, directories: HashMap::new(), conflicts: Vec::new() };
    let root = merge.directories(&TreePath::default(), &roots);
    if merge.conflicts.is_empty() {
        Ok(TreeListing::new(Node::Directory(root), merge.directories))
    } else {
        Err(ComposeError::Conflicts(merge.conflicts))
    }
}

/// The first tree's entry where others differ: how files look for what is anywhere in a set of trees.
#[must_use]
pub fn merge_first_wins(listings: &[&TreeListing]) -> TreeListing {
    let roots: Vec<_> = listings
        .iter()
        .enumerate()
        .filter_map(|(number, listing)| match listing.root() {
            Node::Directory(digest) => Some((number, *digest)),
            _ => None,
        })
        .collect();
    let mut directories = HashMap::new();
    let root = first_wins(listings, &roots, &mut directories);
    TreeListing::new(Node::Directory(root), directories)
}

fn first_wins(
    listings: &[&TreeListing],
    present: &[(usize, TreeDigest)],
    made: &mut HashMap<TreeDigest, Directory>,
) -> TreeDigest {
    if let Some((number, digest)) = present.first().filter(|first| present.iter().all(|other| other.1 == first.1)) {
        take_over(listings[*number], digest, made);
        return *digest;
    }
    let mut names: BTreeMap<&EntryName, Vec<(usize, &Node)>> = BTreeMap::new();
    for (number, digest) in present {
        for (name, node) in listings[*number].directory(digest).into_iter().flat_map(Directory::entries) {
            names.entry(name).or_default().push((*number, node));
        }
    }
    let mut entries = Vec::with_capacity(names.len());
    for (name, nodes) in names {
        let node = match nodes[0].1 {
            Node::Directory(_) => {
                // What is no directory hides what is behind it.
                let below: Vec<_> = nodes.iter().map_while(|(number, node)| directory_of(*number, node)).collect();
                Node::Directory(first_wins(listings, &below, made))
            }
            leaf => leaf.clone(),
        };
        entries.push((name.clone(), node));
    }
    let directory = Directory::from_iter(entries);
    let digest = directory.digest();
    made.insert(digest, directory);
    digest
}

fn directory_of(number: usize, node: &Node) -> Option<(usize, TreeDigest)> {
    match node {
        Node::Directory(digest) => Some((number, *digest)),
        _ => None,
    }
}

struct Merge<'a> {
    layers: &'a [Layer<'a>],
    directories: HashMap<TreeDigest, Directory>,
    conflicts: Vec<Conflict>,
}

impl<'a> Merge<'a> {
    /// Merges directories of several layers into one.
    fn directories(&mut self, path: &TreePath, present: &[(usize, TreeDigest)]) -> TreeDigest {
        let distinct: BTreeSet<_> = present.iter().map(|(_, digest)| *digest).collect();
        if let (1, Some((number, digest))) = (distinct.len(), present.first()) {
            take_over(self.layers[*number].listing, digest, &mut self.directories);
            return *digest;
        }
        let layers = self.layers;
        let mut names: BTreeMap<&EntryName, Vec<(usize, &'a Node)>> = BTreeMap::new();
        for (number, digest) in present {
            for (name, node) in layers[*number].listing.directory(digest).into_iter().flat_map(Directory::entries) {
                names.entry(name).or_default().push((*number, node));
            }
        }
        let entries: Vec<_> =
            names.into_iter().map(|(name, nodes)| (name.clone(), self.entry(&path.join(name), &nodes))).collect();
        let directory = Directory::from_iter(entries);
        let digest = directory.digest();
        self.directories.insert(digest, directory);
        digest
    }

    /// Decides what stands at one path.
    fn entry(&mut self, path: &TreePath, nodes: &[(usize, &Node)]) -> Node {
        let below: Vec<_> = nodes.iter().filter_map(|(number, node)| directory_of(*number, node)).collect();
        if below.len() == nodes.len() {
            return Node::Directory(self.directories(path, &below));
        }
        let overriding: Vec<_> = nodes.iter().filter(|(number, _)| self.layers[*number].overrides).copied().collect();
        let candidates = if overriding.is_empty() { nodes } else { &overriding };
        let (first, rest) = candidates.split_first().expect("a name comes from somewhere");
        // Directories of several overriding trees merge as well.
        let directories: Vec<_> = candidates.iter().filter_map(|(number, node)| directory_of(*number, node)).collect();
        if directories.len() == candidates.len() {
            self.refuse_hidden_directories(path, nodes, &below);
            return Node::Directory(self.directories(path, &directories));
        }
        if let Some(other) = rest.iter().find(|other| other.1 != first.1) {
            let owner = |number: usize| self.layers[number].owner.clone();
            self.conflicts.push(Conflict { path: path.clone(), owners: [owner(first.0), owner(other.0)] });
        }
        first.1.clone()
    }

    /// An overriding directory in the place of something that is none hides that, but not the directories of others: as layers, what
    /// shows of those would depend on their order.
    fn refuse_hidden_directories(&mut self, path: &TreePath, nodes: &[(usize, &Node)], below: &[(usize, TreeDigest)]) {
        let hidden = below.iter().find(|(number, _)| !self.layers[*number].overrides);
        let other = nodes.iter().find(|(_, node)| !matches!(node, Node::Directory(_)));
        if let (Some((hidden, _)), Some((other, _))) = (hidden, other) {
            let owner = |number: usize| self.layers[number].owner.clone();
            self.conflicts.push(Conflict { path: path.clone(), owners: [owner(*hidden), owner(*other)] });
        }
    }
}

/// Takes a directory with all below it from one tree.
fn take_over(listing: &TreeListing, digest: &TreeDigest, made: &mut HashMap<TreeDigest, Directory>) {
    if made.contains_key(digest) {
        return;
    }
    let Some(directory) = listing.directory(digest) else { return };
    made.insert(*digest, directory.clone());
    for (_, node) in directory.entries() {
        if let Node::Directory(child) = node {
            take_over(listing, child, made);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use store::listing::ListingBuilder;
    use store::{BlobDigest, StoreName};

    fn listing(paths: &[(&str, &str)]) -> TreeListing {
        let mut builder = ListingBuilder::default();
        for (path, content) in paths {
            let path = TreePath::parse(path.as_bytes()).expect("valid");
            let leaf = match content.strip_prefix("-> ") {
                Some(target) => Node::Symlink { target: target.as_bytes().to_vec() },
                None => Node::File { executable: false, size: 1, blob: BlobDigest::of(content.as_bytes()) },
            };
            builder.insert(&path, Some(leaf)).expect("free");
        }
        builder.finish()
    }

    fn owner(number: u8) -> StorePath {
        let name = StoreName::parse(&format!("tree-{number}")).expect("valid");
        StorePath::from_tree(TreeDigest::from_bytes([number; 32]), name).expect("valid")
    }

    fn merged(trees: &[(TreeListing, bool)]) -> Result<TreeListing, ComposeError> {
        let owners: Vec<_> = (0..trees.len()).map(|number| owner(number as u8)).collect();
        let layers: Vec<_> = trees
            .iter()
            .zip(&owners)
            .map(|((listing, overrides), owner)| Layer { owner, listing, overrides: *overrides })
            .collect();
        merge(&layers)
    }

    #[test]
    fn directories_merge_and_equal_files_agree() {
        let one = listing(&[("usr/bin/a", "a"), ("usr/share/common", "same")]);
        let two = listing(&[("usr/bin/b", "b"), ("usr/share/common", "same")]);
        let both = listing(&[("usr/bin/a", "a"), ("usr/bin/b", "b"), ("usr/share/common", "same")]);
        assert_eq!(merged(&[(one, false), (two, false)]), Ok(both));
    }

    #[test]
    fn a_conflict_names_the_path_and_both_owners() {
        let error = merged(&[(listing(&[("etc/x", "1")]), false), (listing(&[("etc/x", "2")]), false)])
            .expect_err("a conflict");
        assert_eq!(error.to_string(), format!("/etc/x is different in {} and {}", owner(0), owner(1)));
    }

    #[test]
    fn an_override_wins_and_two_of_them_do_not() {
        let one = listing(&[("x", "1"), ("y", "1")]);
        let two = listing(&[("x", "2")]);
        let won = merged(&[(one.clone(), false), (two.clone(), true)]).expect("no conflict");
        assert_eq!(won, listing(&[("x", "2"), ("y", "1")]));
        assert!(merged(&[(one, true), (two, true)]).is_err());
    }

    #[test]
    fn an_overriding_directory_does_not_settle_what_others_dispute() {
        let file = listing(&[("a", "1")]);
        let directory = listing(&[("a/x", "1")]);
        let over = listing(&[("a/y", "1")]);
        assert_eq!(merged(&[(file.clone(), false), (over.clone(), true)]), Ok(over.clone()));
        assert!(merged(&[(file, false), (directory, false), (over, true)]).is_err());
    }

    #[test]
    fn a_link_in_the_place_of_a_directory_is_a_conflict() {
        let error = merged(&[(listing(&[("bin", "-> usr/bin")]), false), (listing(&[("bin/sh", "1")]), false)]);
        assert!(matches!(error, Err(ComposeError::Conflicts(conflicts)) if conflicts[0].path.to_string() == "bin"));
    }

    proptest! {
        #[test]
        fn the_order_of_trees_does_not_matter(
            trees in prop::collection::vec((prop::collection::btree_map("[ab](/[ab]){0,2}/[xy]", "[12]", 0..5), any::<bool>()), 1..4),
        ) {
            let trees: Vec<_> = trees
                .into_iter()
                .map(|(paths, overrides)| {
                    let paths: Vec<_> = paths.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
                    (listing(&paths), overrides)
                })
                .collect();
            let reversed: Vec<_> = trees.iter().rev().cloned().collect();
            match (merged(&trees), merged(&reversed)) {
                (Ok(one), Ok(other)) => {
                    prop_assert_eq!(one.digest(), other.digest());
                    prop_assert_eq!(TreeListing::decode(&one.encode()).expect("well formed").digest(), one.digest());
                }
                (Err(_), Err(_)) => {}
                (one, other) => prop_assert!(false, "{one:?} but {other:?}"),
            }
        }
    }
}
