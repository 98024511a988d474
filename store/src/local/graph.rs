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
        self.ask(|index| {
            index.edges(|edge| {
                let found = if matches!(edge, Edge::Output(..)) { &mut outputs } else { &mut needs };
                found.extend(numbered(&nodes, &edge));
            })
        })?;
        Ok(nodes.with_edges(needs, outputs))
    }
}

/// An edge by numbers. All names of a tree are kept alive where the tree is mentioned, and keep what it needs; one to or from an unknown
/// object counts for nothing.
pub(super) fn numbered(nodes: &GcNodes, edge: &Edge) -> impl Iterator<Item = (u32, u32)> + use<> {
    let numbers = |digest: &[u8; 32]| nodes.numbers(digest);
    let one = |path: &StorePath| nodes.number(path).map_or(0..0, |number| number..number + 1);
    let (from, to): (Range<u32>, Range<u32>) = match edge {
        Edge::Reference(from, to) => (numbers(from.as_bytes()), numbers(to.as_bytes())),
        Edge::Runtime(from, to) => (numbers(from.as_bytes()), one(to)),
        Edge::Input(from, Input::Tree(path)) => (numbers(from.as_bytes()), one(path)),
        Edge::Input(from, Input::Output { derivation, .. }) => (numbers(from.as_bytes()), one(derivation)),
        Edge::Output(derivation, tree) => (numbers(derivation.as_bytes()), numbers(tree.as_bytes())),
    };
    from.flat_map(move |from| to.clone().filter(move |to| *to != from).map(move |to| (from, to)))
}
