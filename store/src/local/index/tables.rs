//! Tables read as a whole, each once from its beginning to its end: what a collection and large closures are made of.

use super::row::{derivation_path, digest, tree_path};
use super::{Index, IndexError};
use crate::derivation::Input;
use crate::digest::{DerivationDigest, TreeDigest};
use crate::gc::GcNode;
use crate::store_path::StorePath;
use rusqlite::Connection;

/// An edge of the graph that a collection follows.
#[derive(Debug)]
pub(in crate::local) enum Edge {
    /// The first tree mentions the second.
    Reference(TreeDigest, TreeDigest),
    /// The tree needs the path when it is used.
    Runtime(TreeDigest, StorePath),
    /// The derivation names the input.
    Input(DerivationDigest, Input),
    /// The derivation made the tree.
    Output(DerivationDigest, TreeDigest),
}

impl Index {
    /// All valid paths and derivations, as a collection sees them.
    pub(in crate::local) fn gc_nodes(&self) -> Result<Vec<GcNode>, IndexError> {
        let connection = self.lock();
        let count = "SELECT (SELECT count(*) FROM path) + (SELECT count(*) FROM derivation)";
        // They are many: room for them is taken once.
        let mut nodes = Vec::with_capacity(connection.query_row(count, [], |row| row.get(0))?);
        add_tree_nodes(&connection, &mut nodes)?;
        let mut query = connection.prepare_cached("SELECT digest, name, used FROM derivation")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let used = row.get(2)?;
            nodes.push(GcNode { path: derivation_path(row)?, bytes: 0, added: used, used });
        }
        Ok(nodes)
    }

    /// Every edge that keeps something alive: (digest of what holds, what is held). References, run-time dependencies, inputs.
    pub(in crate::local) fn edges(&self, mut visit: impl FnMut(Edge)) -> Result<(), IndexError> {
        let connection = self.lock();
        visit_needs_of_trees(&connection, &mut visit)?;
        let mut inputs = connection.prepare_cached("SELECT digest, inputs FROM derivation")?;
        let mut rows = inputs.query([])?;
        while let Some(row) = rows.next()? {
            let derivation = DerivationDigest::from_bytes(digest(row, 0)?);
            let inputs = row.get_ref(1)?.as_str().unwrap_or_default();
            inputs
                .lines()
                .filter_map(|input| input.parse().ok())
                .for_each(|input| visit(Edge::Input(derivation, input)));
        }
        let mut derivers = connection.prepare_cached(
            "SELECT resolution.derivation, realisation.tree FROM resolution
             JOIN realisation ON realisation.action = resolution.action",
        )?;
        let mut rows = derivers.query([])?;
        while let Some(row) = rows.next()? {
            visit(Edge::Output(DerivationDigest::from_bytes(digest(row, 0)?), TreeDigest::from_bytes(digest(row, 1)?)));
        }
        Ok(())
    }
}

/// Adds all valid paths, sorted, as a collection sees them.
pub(in crate::local) fn add_tree_nodes(
    connection: &Connection,
    nodes: &mut Vec<GcNode>,
) -> Result<(), rusqlite::Error> {
    let mut query = connection.prepare_cached("SELECT digest, name, bytes, added, used FROM path")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        nodes.push(GcNode { path: tree_path(row)?, bytes: row.get(2)?, added: row.get(3)?, used: row.get(4)? });
    }
    Ok(())
}

/// Every edge from a tree to what it needs: references, then run-time dependencies.
pub(in crate::local) fn visit_needs_of_trees(
    connection: &Connection,
    visit: &mut impl FnMut(Edge),
) -> Result<(), rusqlite::Error> {
    let mut references = connection.prepare_cached("SELECT tree, target FROM reference")?;
    let mut rows = references.query([])?;
    while let Some(row) = rows.next()? {
        visit(Edge::Reference(TreeDigest::from_bytes(digest(row, 0)?), TreeDigest::from_bytes(digest(row, 1)?)));
    }
    let mut runtime = connection.prepare_cached("SELECT tree, target FROM runtime")?;
    let mut rows = runtime.query([])?;
    while let Some(row) = rows.next()? {
        if let Ok(target) = row.get_ref(1)?.as_str()?.parse() {
            visit(Edge::Runtime(TreeDigest::from_bytes(digest(row, 0)?), target));
        }
    }
    Ok(())
}
