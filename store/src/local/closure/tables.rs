//! A large closure: the tables of the index are read as a whole, and so is `store/`. Trees are numbers meanwhile, as in a collection.

use crate::gc::{Edges, GcNodes};
use crate::graph::{Graph, Need};
use crate::local::graph::Numbers;
use crate::local::index::{self, Edge};
use crate::local::sweep::numbers_of;
use crate::local::{LocalStore, StoreError};
use crate::store_path::StorePath;
use rusqlite::Connection;
use std::collections::BTreeSet;

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
        let mut numbers = Numbers::new(&nodes);
        index::visit_needs_of_trees(connection, &mut |edge| {
            let found = if matches!(edge, Edge::Runtime(..)) { &mut runtime } else { &mut mentions };
            found.extend(numbers.of(&edge));
        })?;
        let count = nodes.as_slice().len();
        Ok(Self { mentions: Edges::new(count, mentions), runtime: Edges::new(count, runtime), nodes })
    }

    /// The numbers of the closure of some paths, these first, where `there` says by number what is on the disk; if something is missing, that
    /// path. `need` is told who needs whom, both by their place in the closure, and how.
    fn walk(
        &self,
        paths: &[StorePath],
        there: &[bool],
        mut need: impl FnMut(usize, usize, Need),
    ) -> Result<Vec<u32>, StorePath> {
        let is_there = |number: &u32| there[*number as usize];
        let mut walk = Walk { known: vec![None; there.len()], order: Vec::new() };
        for path in paths {
            let number = self.nodes.number(path).filter(is_there).ok_or_else(|| path.clone())?;
            walk.place(number);
        }
        let mut at = 0;
        while let Some(&from) = walk.order.get(at) {
            if !is_there(&from) {
                return Err(self.path(from).clone());
            }
            for &to in self.mentions.of(from) {
                need(at, walk.place(to), Need::Mention);
            }
            // One that is gone was declared by another realisation of this tree, whose closure nobody keeps.
            for &to in self.runtime.of(from).iter().filter(|to| is_there(to)) {
                need(at, walk.place(to), Need::Runtime);
            }
            at += 1;
        }
        Ok(walk.order)
    }

    fn path(&self, number: u32) -> &StorePath {
        &self.nodes.as_slice()[number as usize].path
    }
}

/// A closure that is being walked.
struct Walk {
    /// By the number of a tree its place in the closure.
    known: Vec<Option<u32>>,
    /// The numbers of the trees in the closure.
    order: Vec<u32>,
}

impl Walk {
    /// The place of a tree in the closure.
    fn place(&mut self, number: u32) -> usize {
        let next = self.order.len();
        *self.known[number as usize].get_or_insert_with(|| {
            self.order.push(number);
            u32::try_from(next).expect("trees have numbers of this size")
        }) as usize
    }
}

impl LocalStore {
    /// What [`Self::closure_graph`] gives, for a closure that is known to be large.
    pub(super) fn closure_graph_from_tables(&self, paths: &[StorePath]) -> Result<Graph, StoreError> {
        let (tables, there) = self.read_tables()?;
        let mut needs = Vec::new();
        let order = tables.walk(paths, &there, |from, to, need| needs.push((from, to, need)));
        let mut graph = Graph::default();
        for number in order.map_err(StoreError::NotValid)? {
            graph.add_path(tables.path(number).clone());
        }
        needs.into_iter().for_each(|(from, to, need)| graph.add_need(from, to, need));
        Ok(graph)
    }

    /// The paths of it alone.
    pub(super) fn closure_from_tables(&self, paths: &[StorePath]) -> Result<BTreeSet<StorePath>, StoreError> {
        let (tables, there) = self.read_tables()?;
        let mut numbers = tables.walk(paths, &there, |_, _, _| ()).map_err(StoreError::NotValid)?;
        // That is the order of the paths, too.
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(|number| tables.path(number).clone()).collect())
    }

    /// The tables, and by the numbers of trees which of them are on the disk.
    fn read_tables(&self) -> Result<(Tables, Vec<bool>), StoreError> {
        let connection = self.index.lock();
        let failed = |error: rusqlite::Error| self.index_error(error);
        let _snapshot = connection.unchecked_transaction().map_err(failed)?;
        // The first question fixes what is seen, which `store/` has by now: nothing is published between the two.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
        let mut names = Ok(Vec::new());
        let tables = rayon::in_place_scope(|scope| {
            scope.spawn(|_| names = self.names_in_store());
            Tables::read(&connection)
        });
        let (names, tables) = (names?, tables.map_err(failed)?);
        let mut there = vec![false; tables.nodes.as_slice().len()];
        let numbers = numbers_of(&tables.nodes, &names);
        numbers.into_iter().flatten().for_each(|number| there[number as usize] = true);
        Ok((tables, there))
    }
}
