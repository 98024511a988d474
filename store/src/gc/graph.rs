//! The graph that a collection is planned on: objects by number, who needs whom, and which derivation made what.
//!
//! A store has millions of objects, so an object is its place among all objects sorted by path, and an edge is two numbers.

use super::GcPolicy;
use crate::base32::{self, DIGEST_CHARS};
use crate::store_path::StorePath;
use std::ops::Range;

/// An object that may be collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcNode {
    /// A tree's path or a derivation's.
    pub path: StorePath,
    /// Bytes of its files; 0 for a derivation.
    pub bytes: u64,
    /// When it was added, in seconds since the epoch.
    pub added: u64,
    /// When it was last used, in seconds since the epoch.
    pub used: u64,
}

/// All objects, numbered in the order of their paths.
#[derive(Debug, Default)]
pub struct GcNodes {
    nodes: Vec<GcNode>,
    /// Where the objects begin whose digests have these upper bits, and the end: digests are evenly spread, so few share them.
    starts: Vec<u32>,
}

impl GcNodes {
    /// Numbers the objects; of those with one path only the first counts.
    #[must_use]
    pub fn new(mut nodes: Vec<GcNode>) -> Self {
        nodes.sort_by(|a, b| a.path.cmp(&b.path));
        nodes.dedup_by(|b, a| a.path == b.path);
        let mut numbered = Self { nodes, starts: Vec::new() };
        let buckets = numbered.nodes.len().next_power_of_two().max(2);
        let mut starts = vec![0; buckets + 1];
        for node in &numbered.nodes {
            starts[bucket(node.path.digest(), buckets) + 1] += 1;
        }
        for at in 0..buckets {
            starts[at + 1] += starts[at];
        }
        numbered.starts = starts;
        numbered
    }

    /// The number of a path, if it is there.
    #[must_use]
    pub fn number(&self, path: &StorePath) -> Option<u32> {
        self.numbers(path.digest()).find(|&number| self.nodes[number as usize].path.name() == path.name())
    }

    /// The number of the tree that has this name in a store directory, if it is there.
    #[must_use]
    pub fn number_named(&self, base_name: &[u8]) -> Option<u32> {
        // Stores have a million of them, so no path is made of any.
        let (digest, rest) = base_name.split_at_checked(DIGEST_CHARS)?;
        let name = rest.strip_prefix(b"-")?;
        let is_named = |path: &StorePath| path.name().as_str().as_bytes() == name && path.tree().is_some();
        self.numbers(&base32::decode(digest)?).find(|&number| is_named(&self.nodes[number as usize].path))
    }

    /// The numbers of all paths with a digest: a tree has one for each of its names.
    #[must_use]
    pub fn numbers(&self, digest: &[u8; 32]) -> Range<u32> {
        let Some(buckets) = self.starts.len().checked_sub(1) else { return 0..0 };
        let at = bucket(digest, buckets);
        let (low, high) = (self.starts[at], self.starts[at + 1]);
        // Those of one digest stand together; whether two are the same is asked for less than which is the smaller one.
        let is_same = |number: &u32| self.nodes[*number as usize].path.digest() == digest;
        let first = (low..high).find(is_same).unwrap_or(high);
        first..(first..high).find(|number| !is_same(number)).unwrap_or(high)
    }

    /// The objects in the order of their numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[GcNode] {
        &self.nodes
    }

    /// The graph of these objects and edges: the first of two numbers needs the second. Of `outputs` the first is a derivation, which
    /// made the second.
    #[must_use]
    pub fn with_edges(self, edges: Vec<(u32, u32)>, outputs: Vec<(u32, u32)>) -> GcGraph {
        let count = self.nodes.len();
        let both = outputs.iter().flat_map(|&(derivation, tree)| [(derivation, tree), (tree, derivation)]).collect();
        GcGraph { needs: Edges::new(count, edges), made: Edges::new(count, both), nodes: self }
    }
}

/// The upper bits of a digest, of which there are `buckets`: a power of two.
fn bucket(digest: &[u8; 32], buckets: usize) -> usize {
    let upper = digest.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    (upper as usize * buckets) >> u32::BITS
}

/// Edges in the order of the objects they lead from.
#[derive(Debug, Default)]
pub struct Edges {
    /// Where the edges of each object begin in `targets`, and the end.
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Edges {
    /// Puts the edges of so many objects in order; those of one stay in theirs.
    #[must_use]
    pub fn new(objects: usize, edges: Vec<(u32, u32)>) -> Self {
        let mut starts = vec![0u32; objects + 1];
        for (from, _) in &edges {
            starts[*from as usize + 1] += 1;
        }
        for at in 0..objects {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut targets = vec![0; edges.len()];
        for (from, to) in edges {
            let place = &mut next[from as usize];
            targets[*place as usize] = to;
            *place += 1;
        }
        Self { starts, targets }
    }

    /// Where those of an object lead.
    #[must_use]
    pub fn of(&self, number: u32) -> &[u32] {
        let number = number as usize;
        &self.targets[self.starts[number] as usize..self.starts[number + 1] as usize]
    }
}

/// All objects, who needs whom, and which derivation made what.
#[derive(Debug, Default)]
pub struct GcGraph {
    nodes: GcNodes,
    needs: Edges,
    /// For a tree the derivations that made it, for a derivation the trees it made.
    made: Edges,
}

impl GcGraph {
    /// All objects, by number and digest.
    #[must_use]
    pub fn numbered(&self) -> &GcNodes {
        &self.nodes
    }

    /// The objects in the order of their numbers.
    #[must_use]
    pub fn nodes(&self) -> &[GcNode] {
        &self.nodes.nodes
    }

    /// An object by its number.
    #[must_use]
    pub fn node(&self, number: u32) -> &GcNode {
        &self.nodes.nodes[number as usize]
    }

    /// All numbers.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.nodes.nodes.len()).expect("fewer than 2^32 objects")
    }

    /// The number of a path, if it is there.
    #[must_use]
    pub fn number(&self, path: &StorePath) -> Option<u32> {
        self.nodes.number(path)
    }

    /// The numbers of all paths with a digest.
    #[must_use]
    pub fn numbers_of(&self, digest: &[u8; 32]) -> Range<u32> {
        self.nodes.numbers(digest)
    }

    /// What an object needs.
    #[must_use]
    pub fn needs(&self, number: u32) -> &[u32] {
        self.needs.of(number)
    }

    /// What an object keeps as long as it stays; what derivations made only where it is asked for.
    pub(super) fn keeps(&self, number: u32, policy: &GcPolicy, with_outputs: bool) -> impl Iterator<Item = u32> {
        let is_derivation = self.node(number).path.derivation().is_some();
        let follows = if is_derivation { with_outputs } else { policy.keep_derivations };
        let made = if follows { self.made.of(number) } else { &[] };
        self.needs(number).iter().chain(made).copied()
    }

    /// For every object those that keep it.
    pub(super) fn keepers(&self, policy: &GcPolicy, with_outputs: bool) -> Edges {
        let edges = self.numbers().flat_map(|from| self.keeps(from, policy, with_outputs).map(move |to| (to, from)));
        Edges::new(self.nodes.nodes.len(), edges.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{BlobDigest, TreeDigest};
    use crate::store_path::StoreName;

    fn path(digest: [u8; 32], name: &str) -> StorePath {
        StorePath::from_tree(TreeDigest::from_bytes(digest), StoreName::parse(name).expect("valid")).expect("valid")
    }

    fn node(path: StorePath) -> GcNode {
        GcNode { path, bytes: 0, added: 0, used: 0 }
    }

    #[test]
    fn objects_are_found_by_path_and_by_digest() {
        for count in [0, 1, 2, 3, 100, 1000] {
            let digest = |number: u32| *BlobDigest::of(&number.to_le_bytes()).as_bytes();
            let paths = (0..count).flat_map(|number| ["b", "a"].map(|name| path(digest(number), name)));
            let nodes = GcNodes::new(paths.clone().chain(paths.clone()).map(node).collect());
            for path in paths {
                let number = nodes.number(&path).expect("it is there");
                assert_eq!(nodes.nodes[number as usize].path, path);
                let same = nodes.numbers(path.digest());
                assert_eq!((same.len(), same.contains(&number)), (2, true));
                let name = path.base_name();
                assert_eq!(nodes.number_named(name.as_bytes()), Some(number));
                assert_eq!(nodes.number_named(&name.as_bytes()[..name.len() - 1]), None, "not all of it");
                assert_eq!(nodes.number_named(&[name.as_bytes(), b"b"].concat()), None, "more than it");
            }
            assert_eq!(nodes.number(&path(digest(count), "a")), None);
            assert_eq!(nodes.numbers(&[0xff; 32]).len(), 0);
        }
    }

    #[test]
    fn edges_stand_with_their_object() {
        let nodes = GcNodes::new([3, 1, 2].map(|first| node(path([first; 32], "n"))).to_vec());
        let graph = nodes.with_edges(vec![(2, 0), (0, 1), (2, 1)], vec![(1, 2)]);
        let needs = |number| graph.needs(number).to_vec();
        assert_eq!(graph.numbers().map(needs).collect::<Vec<_>>(), [vec![1], vec![], vec![0, 1]]);
        let made = |number| graph.made.of(number).to_vec();
        assert_eq!(graph.numbers().map(made).collect::<Vec<_>>(), [vec![], vec![2], vec![1]]);
        assert_eq!(graph.node(2).path, path([3; 32], "n"));
    }
}
