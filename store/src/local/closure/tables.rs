//! A large closure: the tables of the index are read as a whole, and so is `store/`. Trees are numbers meanwhile, as in a collection.

use crate::gc::{Edges, GcNodes};
use crate::graph::{Graph, Need};
use crate::local::graph::numbered;
use crate::local::index::{self, Edge};
use crate::local::sweep::numbers_of;
use crate::local::{LocalStore, StoreError};
use crate::store_path::StorePath;
use rusqlite::Connection;

/// All trees that the index knows, and what they need.
struct Tables {
    nodes: GcNodes,
    mentions: Edges,
    runtime: Edges,
}

impl Tables {
    fn read(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let mut nodes = Vec::new();
        index::add_tree_nodes(connection, &mut nodes)?;
        let nodes = GcNodes::new(nodes);
        let (mut mentions, mut runtime) = (Vec::new(), Vec::new());
        index::visit_needs_of_trees(connection, &mut |edge| {
            let found = if matches!(edge, Edge::Runtime(..)) { &mut runtime } else { &mut mentions };
            found.extend(numbered(&nodes, &edge));
        })?;
        let count = nodes.as_slice().len();
        Ok(Self { mentions: Edges::new(count, mentions), runtime: Edges::new(count, runtime), nodes })
    }

    /// The closure of some paths, of which `there` says by number what is on the disk. If something is missing, that path.
    fn closure(&self, paths: &[StorePath], there: &[bool]) -> Result<Graph, StorePath> {
        let is_there = |number: &u32| there[*number as usize];
        let mut closure =
            Closure { nodes: &self.nodes, graph: Graph::default(), known: vec![None; there.len()], order: Vec::new() };
        for path in paths {
            let number = self.nodes.number(path).filter(is_there).ok_or_else(|| path.clone())?;
            closure.place(number);
        }
        let mut at = 0;
        while let Some(&from) = closure.order.get(at) {
            if !is_there(&from) {
                return Err(closure.graph.path(at).clone());
            }
            for &to in self.mentions.of(from) {
                let to = closure.place(to);
                closure.graph.add_need(at, to, Need::Mention);
            }
            // One that is gone was declared by another realisation of this tree, whose closure nobody keeps.
            for &to in self.runtime.of(from).iter().filter(|to| is_there(to)) {
                let to = closure.place(to);
                closure.graph.add_need(at, to, Need::Runtime);
            }
            at += 1;
        }
        Ok(closure.graph)
    }
}

/// A closure that is being walked.
struct Closure<'n> {
    nodes: &'n GcNodes,
    graph: Graph,
    /// By the number of a tree its place in the graph.
    known: Vec<Option<usize>>,
    /// The numbers of the trees in the graph.
    order: Vec<u32>,
}

impl Closure<'_> {
    /// The place of a tree in the graph.
    fn place(&mut self, number: u32) -> usize {
        *self.known[number as usize].get_or_insert_with(|| {
            self.order.push(number);
            self.graph.add_path(self.nodes.as_slice()[number as usize].path.clone())
        })
    }
}

impl LocalStore {
    /// What [`Self::closure_graph`] gives, for a closure that is known to be large.
    pub(super) fn closure_from_tables(&self, paths: &[StorePath]) -> Result<Graph, StoreError> {
        let read = || {
            let connection = self.index.lock();
            let _snapshot = connection.unchecked_transaction()?;
            Tables::read(&connection)
        };
        let (names, tables) = rayon::join(|| self.names_in_store(), read);
        let (names, tables) = (names?, tables.map_err(|error| self.index_error(error))?);
        let mut there = vec![false; tables.nodes.as_slice().len()];
        let numbers = numbers_of(|path| tables.nodes.number(path), &names);
        numbers.into_iter().flatten().for_each(|number| there[number as usize] = true);
        tables.closure(paths, &there).map_err(StoreError::NotValid)
    }
}
