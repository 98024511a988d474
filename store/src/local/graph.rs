//! Loading the graph that a collection is planned on: each table of the index is read once, from its beginning to its end.

use super::index::{Edge, Index};
use super::{LocalStore, StoreError};
use crate::Input;
use crate::gc::{GcGraph, GcNodes};
use crate::store_path::StorePath;
use std::ops::Range;

impl LocalStore {
    /// All objects that the index knows, and who keeps whom.
    pub(super) fn gc_graph(&self) -> Result<GcGraph, StoreError> {
        let nodes = GcNodes::new(self.ask(Index::gc_nodes)?);
        let (mut needs, mut outputs) = (Vec::new(), Vec::new());
        let mut numbers = Numbers::new(&nodes);
        self.ask(|index| {
            index.edges(|edge| {
                let found = if matches!(edge, Edge::Output(..)) { &mut outputs } else { &mut needs };
                found.extend(numbers.of(&edge));
            })
        })?;
        Ok(nodes.with_edges(needs, outputs))
    }
}

/// Gives edges the numbers of objects.
pub(super) struct Numbers<'n> {
    nodes: &'n GcNodes,
    /// The last object that an edge led from: all that lead from one object are read together.
    from: ([u8; 32], Range<u32>),
}

impl<'n> Numbers<'n> {
    pub(super) fn new(nodes: &'n GcNodes) -> Self {
        Self { nodes, from: ([0; 32], nodes.numbers(&[0; 32])) }
    }

    /// An edge by numbers. All names of a tree are kept alive where the tree is mentioned, and keep what it needs; one to or from an unknown
    /// object counts for nothing.
    pub(super) fn of(&mut self, edge: &Edge) -> impl Iterator<Item = (u32, u32)> + use<> {
        let nodes = self.nodes;
        let one = |path: &StorePath| nodes.number(path).map_or(0..0, |number| number..number + 1);
        let (from, to): (&[u8; 32], Range<u32>) = match edge {
            Edge::Reference(from, to) => (from.as_bytes(), nodes.numbers(to.as_bytes())),
            Edge::Runtime(from, to) => (from.as_bytes(), one(to)),
            Edge::Input(from, Input::Tree(path)) => (from.as_bytes(), one(path)),
            Edge::Input(from, Input::Output { derivation, .. }) => (from.as_bytes(), one(derivation)),
            Edge::Output(derivation, tree) => (derivation.as_bytes(), nodes.numbers(tree.as_bytes())),
        };
        if self.from.0 != *from {
            self.from = (*from, nodes.numbers(from));
        }
        self.from.1.clone().flat_map(move |from| to.clone().filter(move |to| *to != from).map(move |to| (from, to)))
    }
}
