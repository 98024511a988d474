//! Loading the graph that a collection is planned on: each table of the index is read once, from its beginning to its end.

use super::index::{Edge, Index};
use super::{LocalStore, StoreError};
use crate::Input;
use crate::gc::{GcGraph, GcNodes};
use std::ops::Range;

impl LocalStore {
    /// All objects that the index knows, and who keeps whom.
    pub(super) fn gc_graph(&self) -> Result<GcGraph, StoreError> {
        let nodes = GcNodes::new(self.ask(Index::gc_nodes)?);
        let mut edges = Edges { nodes: &nodes, needs: Vec::new(), outputs: Vec::new() };
        self.ask(|index| index.edges(|edge| edges.add(&edge)))?;
        let Edges { needs, outputs, .. } = edges;
        Ok(nodes.with_edges(needs, outputs))
    }
}

/// Edges by number. One to or from an unknown object counts for nothing.
struct Edges<'n> {
    nodes: &'n GcNodes,
    needs: Vec<(u32, u32)>,
    outputs: Vec<(u32, u32)>,
}

impl Edges<'_> {
    fn add(&mut self, edge: &Edge) {
        let numbers = |digest: &[u8; 32]| self.nodes.numbers(digest);
        // All names of a tree are kept alive where the tree is mentioned, and keep what it needs.
        let (from, to) = match edge {
            Edge::Reference(from, to) => (numbers(from.as_bytes()), numbers(to.as_bytes())),
            Edge::Runtime(from, to) => (numbers(from.as_bytes()), self.one(to)),
            Edge::Input(from, Input::Tree(path)) => (numbers(from.as_bytes()), self.one(path)),
            Edge::Input(from, Input::Output { derivation, .. }) => (numbers(from.as_bytes()), self.one(derivation)),
            Edge::Output(derivation, tree) => (numbers(derivation.as_bytes()), numbers(tree.as_bytes())),
        };
        let found = if matches!(edge, Edge::Output(..)) { &mut self.outputs } else { &mut self.needs };
        for from in from {
            found.extend(to.clone().filter(|to| *to != from).map(|to| (from, to)));
        }
    }

    fn one(&self, path: &crate::StorePath) -> Range<u32> {
        self.nodes.number(path).map_or(0..0, |number| number..number + 1)
    }
}
