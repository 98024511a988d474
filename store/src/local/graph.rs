//! Loading the graph that a collection is planned on: each table of the index is read once, from its beginning to its end, and what was read
//! is given numbers meanwhile.

use super::index::{Edge, Index};
use super::{LocalStore, StoreError};
use crate::Input;
use crate::gc::{GcGraph, GcNodes};
use crate::store_path::StorePath;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// So many edges are numbered together, and so many such batches wait at most: then who reads the index numbers the next one itself.
const BATCH: usize = 4096;
const WAITING: usize = 16;

/// Edges by numbers, and those that say which derivation made what.
type Numbered = (Vec<(u32, u32)>, Vec<(u32, u32)>);

impl LocalStore {
    /// All objects that the index knows, and who keeps whom.
    pub(super) fn gc_graph(&self) -> Result<GcGraph, StoreError> {
        let nodes = GcNodes::new(self.ask(Index::gc_nodes)?);
        let batches = Batches { nodes: &nodes, waiting: AtomicUsize::new(0), numbered: Mutex::default() };
        // Numbering takes as long as reading the index does. Nobody waits here for another thread while the index is locked.
        rayon::scope(|scope| {
            let (mut count, mut batch) = (0, Vec::new());
            self.ask(|index| {
                index.edges(|edge| {
                    batch.push(edge);
                    if batch.len() == BATCH {
                        batches.number(scope, count, std::mem::take(&mut batch));
                        count += 1;
                    }
                })
            })?;
            batches.number(scope, count, batch);
            Ok::<_, StoreError>(())
        })?;
        let (needs, outputs) = batches.finish();
        Ok(nodes.with_edges(needs, outputs))
    }
}

/// Edges that are numbered on other cores while more of them are read.
struct Batches<'n> {
    nodes: &'n GcNodes,
    waiting: AtomicUsize,
    numbered: Mutex<Vec<(usize, Numbered)>>,
}

impl Batches<'_> {
    fn number<'s>(&'s self, scope: &rayon::Scope<'s>, at: usize, batch: Vec<Edge>) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING {
            scope.spawn(move |_| self.number_now(at, batch));
        } else {
            self.number_now(at, batch);
        }
    }

    fn number_now(&self, at: usize, batch: Vec<Edge>) {
        let mut numbers = Numbers::new(self.nodes);
        let (mut needs, mut outputs) = (Vec::with_capacity(batch.len()), Vec::new());
        for edge in batch {
            let found = if matches!(edge, Edge::Output(..)) { &mut outputs } else { &mut needs };
            found.extend(numbers.of(&edge));
        }
        self.numbered.lock().unwrap_or_else(PoisonError::into_inner).push((at, (needs, outputs)));
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// All of them, in the order in which they were read.
    fn finish(self) -> Numbered {
        let mut numbered = self.numbered.into_inner().unwrap_or_else(PoisonError::into_inner);
        numbered.sort_unstable_by_key(|(at, _)| *at);
        let (needs, outputs): (Vec<_>, Vec<_>) = numbered.into_iter().map(|(_, both)| both).unzip();
        (needs.concat(), outputs.concat())
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
