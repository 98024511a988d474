//! The graph that a collection is planned on: objects by number, who needs whom, and which derivation made what.

use super::GcPolicy;
use crate::store_path::StorePath;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

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

/// All objects and who keeps whom.
#[derive(Debug, Default)]
pub struct GcGraph {
    nodes: Vec<GcNode>,
    /// What each needs.
    edges: Vec<Vec<u32>>,
    /// For a tree the derivations that made it, for a derivation the trees it made.
    made: Vec<Vec<u32>>,
    numbers: HashMap<StorePath, u32>,
}

impl GcGraph {
    /// Adds an object without edges.
    pub fn add_node(&mut self, node: GcNode) {
        let number = u32::try_from(self.nodes.len()).expect("fewer than 2^32 objects");
        if let Entry::Vacant(vacant) = self.numbers.entry(node.path.clone()) {
            vacant.insert(number);
            self.nodes.push(node);
            self.edges.push(Vec::new());
            self.made.push(Vec::new());
        }
    }

    /// Says that `from` needs `to`. An edge to or from an unknown object counts for nothing.
    pub fn add_edge(&mut self, from: &StorePath, to: &StorePath) {
        if let (Some(&from), Some(&to)) = (self.numbers.get(from), self.numbers.get(to))
            && from != to
        {
            self.edges[from as usize].push(to);
        }
    }

    /// Says that a derivation made a tree. If one of them is unknown, that counts for nothing.
    pub fn add_output(&mut self, derivation: &StorePath, tree: &StorePath) {
        if let (Some(&derivation), Some(&tree)) = (self.numbers.get(derivation), self.numbers.get(tree)) {
            self.made[derivation as usize].push(tree);
            self.made[tree as usize].push(derivation);
        }
    }

    /// The objects in the order they were added.
    #[must_use]
    pub fn nodes(&self) -> &[GcNode] {
        &self.nodes
    }

    /// An object by its number.
    #[must_use]
    pub fn node(&self, number: u32) -> &GcNode {
        &self.nodes[number as usize]
    }

    /// All numbers.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.nodes.len()).expect("fewer than 2^32 objects")
    }

    /// The number of a path, if it is there.
    #[must_use]
    pub fn number(&self, path: &StorePath) -> Option<u32> {
        self.numbers.get(path).copied()
    }

    /// What an object needs.
    #[must_use]
    pub fn needs(&self, number: u32) -> &[u32] {
        &self.edges[number as usize]
    }

    /// What an object keeps as long as it stays; what derivations made only where it is asked for.
    pub(super) fn keeps(&self, number: u32, policy: &GcPolicy, with_outputs: bool) -> impl Iterator<Item = u32> {
        let follows = if self.is_derivation(number) { with_outputs } else { policy.keep_derivations };
        let made = if follows { self.made[number as usize].as_slice() } else { &[] };
        self.needs(number).iter().chain(made).copied()
    }

    fn is_derivation(&self, number: u32) -> bool {
        self.node(number).path.derivation().is_some()
    }
}
