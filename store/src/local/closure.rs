//! Closures: what store paths need at run time, and what derivations need to be built, as graphs.
//!
//! A small closure is asked for tree by tree. For one that turns out to be large the tables are read as a whole instead, which costs
//! a tenth per tree: when that begins to pay is judged by the size of the index.

mod tables;

use super::index::{Index, IndexError};
use super::{LocalStore, StoreError};
use crate::base32::DIGEST_CHARS;
use crate::derivation::Input;
use crate::digest::{DerivationDigest, TreeDigest};
use crate::graph::{Graph, Need};
use crate::store_path::{STORE_DIR, StoreName, StorePath};
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use rustc_hash::FxHashMap;
use rustix::fs::AtFlags;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::fd::OwnedFd;

/// Nodes that are asked for one by one in any case.
const FEW: usize = 64;

/// Pages of an index that is read as a whole as soon as a closure has more than a [`FEW`] nodes.
const SMALL_INDEX: usize = 8192;

/// How many nodes must have been asked for one by one before that has cost as much as reading the tables.
fn worthwhile(connection: &Connection) -> Result<usize, rusqlite::Error> {
    let pages: usize = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    Ok(if pages <= SMALL_INDEX { FEW } else { pages / 2 })
}

impl LocalStore {
    /// The run-time closure: the paths, all they mention or declare to need, and so on. The paths asked for come first.
    ///
    /// # Errors
    /// When the index cannot be asked, or one of the paths is not valid.
    pub fn closure_graph(&self, paths: &[StorePath]) -> Result<Graph, StoreError> {
        match self.closure_asked(paths)? {
            Some(graph) => Ok(graph),
            None => self.closure_graph_from_tables(paths),
        }
    }

    /// The paths of it alone.
    ///
    /// # Errors
    /// As [`Self::closure_graph`].
    pub fn closure(&self, paths: &[StorePath]) -> Result<BTreeSet<StorePath>, StoreError> {
        match self.closure_asked(paths)? {
            Some(graph) => Ok(graph.into_paths().into_iter().collect()),
            None => self.closure_from_tables(paths),
        }
    }

    /// The same, asked for tree by tree; nothing if it turns out to be large.
    fn closure_asked(&self, paths: &[StorePath]) -> Result<Option<Graph>, StoreError> {
        let connection = self.index.lock();
        let failed = |error: rusqlite::Error| self.index_error(IndexError::Sqlite(error));
        // All questions in one transaction: each alone would take locks of its own.
        let _snapshot = connection.unchecked_transaction().map_err(failed)?;
        let mut known = Trees::of(&connection).map_err(failed)?;
        let is_there = |path: &StorePath| is_in(&self.store, path);
        let mut walk = Walk::default();
        for path in paths {
            let number = walk.number(path, &mut known).map_err(failed)?;
            number.filter(|_| is_there(path)).ok_or_else(|| StoreError::NotValid(path.clone()))?;
        }
        let limit = worthwhile(&connection).map_err(failed)?;
        let mut at = 0;
        while at < walk.graph.len() {
            if at == limit {
                return Ok(None);
            }
            let path = walk.graph.path(at).clone();
            // After a power cut the index may know of a rename that the disk does not.
            if !is_there(&path) {
                return Err(StoreError::NotValid(path));
            }
            walk.step(at, &path, &mut known, is_there).map_err(failed)?;
            at += 1;
        }
        Ok(Some(walk.graph))
    }

    /// What derivations need to be built: the derivations, those they name, and so on, with the trees that any of them names. The
    /// derivations asked for come first.
    ///
    /// # Errors
    /// When the index cannot be asked, or one of the derivations is not kept.
    pub fn derivation_graph(&self, derivations: &[StorePath]) -> Result<Graph, StoreError> {
        let connection = self.index.lock();
        let failed = |error: rusqlite::Error| self.index_error(IndexError::Sqlite(error));
        let mut known = Derivations::of(&connection).map_err(failed)?;
        let mut graph = Graph::default();
        let mut numbers: HashMap<[u8; DIGEST_CHARS], usize> = HashMap::new();
        for path in derivations {
            numbers.entry(path.digest_text()).or_insert_with(|| graph.add_path(path.clone()));
        }
        let limit = worthwhile(&connection).map_err(failed)?;
        let mut at = 0;
        while at < graph.len() {
            if at == limit {
                known.read_all(&connection).map_err(failed)?;
            }
            let path = graph.path(at).clone();
            if let Some(digest) = path.derivation() {
                let inputs = known.inputs(&digest).map_err(failed)?.ok_or(StoreError::NotValid(path))?;
                for input in inputs.lines() {
                    let Some(key) = digest_of(input) else { continue };
                    let to = match numbers.get(key) {
                        Some(number) => *number,
                        None => {
                            let Some(path) = path_of(input) else { continue };
                            let number = graph.add_path(path);
                            numbers.insert(*key, number);
                            number
                        }
                    };
                    graph.add_need(at, to, Need::Input);
                }
            }
            at += 1;
        }
        Ok(graph)
    }

    /// The derivations that name any of these derivations or trees.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn dependants(&self, paths: &[StorePath]) -> Result<BTreeSet<StorePath>, StoreError> {
        let wanted: HashSet<_> = paths.iter().map(StorePath::digest_text).collect();
        let mut found = BTreeSet::new();
        let visit = |path: StorePath, inputs: &str| {
            if inputs.lines().filter_map(digest_of).any(|key| wanted.contains(key)) {
                found.insert(path);
            }
        };
        self.ask(|index| index.derivation_inputs(visit))?;
        Ok(found)
    }
}

impl Index {
    /// Every derivation with the text of its inputs, one a line.
    fn derivation_inputs(&self, mut visit: impl FnMut(StorePath, &str)) -> Result<(), IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT digest, name, inputs FROM derivation")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let path = super::index::derivation_path(row)?;
            visit(path, row.get_ref(2)?.as_str().unwrap_or_default());
        }
        Ok(())
    }
}

/// The characters of the digest in the text of an input.
fn digest_of(input: &str) -> Option<&[u8; DIGEST_CHARS]> {
    input.as_bytes().get(STORE_DIR.len() + 1..)?.first_chunk()
}

fn path_of(input: &str) -> Option<StorePath> {
    input.parse::<Input>().ok().map(|input| input.path().clone())
}

/// A closure that is being walked.
#[derive(Default)]
struct Walk {
    graph: Graph,
    /// The names under which each tree that was met is known, with the numbers of those that are in the graph.
    trees: FxHashMap<TreeDigest, Vec<(StoreName, Option<usize>)>>,
}

impl Walk {
    /// Adds what a path needs.
    fn step(
        &mut self,
        from: usize,
        path: &StorePath,
        known: &mut Trees<'_>,
        is_there: impl Fn(&StorePath) -> bool,
    ) -> Result<(), rusqlite::Error> {
        let Some(tree) = path.tree() else { return Ok(()) };
        for target in known.references(&tree)? {
            for to in self.all_numbers(&target, known)? {
                self.graph.add_need(from, to, Need::Mention);
            }
        }
        for target in known.runtime(&tree)? {
            // One that is gone was declared by another realisation of this tree, whose closure nobody keeps.
            if is_there(&target)
                && let Some(to) = self.number(&target, known)?
            {
                self.graph.add_need(from, to, Need::Runtime);
            }
        }
        Ok(())
    }

    /// The number of a path, if the index knows it.
    fn number(&mut self, path: &StorePath, known: &mut Trees<'_>) -> Result<Option<usize>, rusqlite::Error> {
        let Some(tree) = path.tree() else { return Ok(None) };
        let graph = &mut self.graph;
        let names = names_of(&mut self.trees, &tree, known)?;
        let one = names.iter_mut().find(|(name, _)| name == path.name());
        Ok(one.map(|(_, number)| *number.get_or_insert_with(|| graph.add_path(path.clone()))))
    }

    /// The numbers of all paths of a tree: whoever mentions one of them keeps all.
    fn all_numbers(&mut self, tree: &TreeDigest, known: &mut Trees<'_>) -> Result<Vec<usize>, rusqlite::Error> {
        let graph = &mut self.graph;
        let names = names_of(&mut self.trees, tree, known)?;
        let add = |name: &StoreName, graph: &mut Graph| {
            StorePath::from_tree(*tree, name.clone()).map(|path| graph.add_path(path)).map_err(super::index::malformed)
        };
        names
            .iter_mut()
            .map(|(name, number)| match number {
                Some(number) => Ok(*number),
                None => Ok(*number.insert(add(name, graph)?)),
            })
            .collect()
    }
}

fn names_of<'t>(
    trees: &'t mut FxHashMap<TreeDigest, Vec<(StoreName, Option<usize>)>>,
    tree: &TreeDigest,
    known: &mut Trees<'_>,
) -> Result<&'t mut Vec<(StoreName, Option<usize>)>, rusqlite::Error> {
    match trees.entry(*tree) {
        Entry::Occupied(names) => Ok(names.into_mut()),
        Entry::Vacant(vacant) => Ok(vacant.insert(known.names(tree)?.into_iter().map(|name| (name, None)).collect())),
    }
}

/// What the index knows of trees, asked for one by one.
struct Trees<'c> {
    names: CachedStatement<'c>,
    references: CachedStatement<'c>,
    runtime: CachedStatement<'c>,
}

impl<'c> Trees<'c> {
    fn of(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            names: connection.prepare_cached("SELECT name FROM path WHERE digest = ?")?,
            references: connection.prepare_cached("SELECT target FROM reference WHERE tree = ?")?,
            runtime: connection.prepare_cached("SELECT target FROM runtime WHERE tree = ?")?,
        })
    }

    fn names(&mut self, tree: &TreeDigest) -> Result<Vec<StoreName>, rusqlite::Error> {
        self.names.query_map([tree.as_bytes()], |row| name(row, 0))?.collect()
    }

    fn references(&mut self, tree: &TreeDigest) -> Result<Vec<TreeDigest>, rusqlite::Error> {
        self.references.query_map([tree.as_bytes()], |row| digest(row, 0))?.collect()
    }

    fn runtime(&mut self, tree: &TreeDigest) -> Result<Vec<StorePath>, rusqlite::Error> {
        self.runtime.query_map([tree.as_bytes()], |row| path(row, 0))?.collect()
    }
}

/// What the index knows of derivations: asked for one by one, or read as a whole.
struct Derivations<'c> {
    inputs: CachedStatement<'c>,
    all: Option<HashMap<DerivationDigest, String>>,
}

impl<'c> Derivations<'c> {
    fn of(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        Ok(Self { inputs: connection.prepare_cached("SELECT inputs FROM derivation WHERE digest = ?")?, all: None })
    }

    /// The text of its inputs, one a line; `None` if it is not kept.
    fn inputs(&mut self, derivation: &DerivationDigest) -> Result<Option<String>, rusqlite::Error> {
        match &mut self.all {
            Some(all) => Ok(all.remove(derivation)),
            None => self.inputs.query_row([derivation.as_bytes()], |row| row.get(0)).optional(),
        }
    }

    fn read_all(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let mut query = connection.prepare_cached("SELECT digest, inputs FROM derivation")?;
        let all = query.query_map([], |row| Ok((DerivationDigest::from_bytes(row.get(0)?), row.get(1)?)))?;
        self.all = Some(all.collect::<Result<_, _>>()?);
        Ok(())
    }
}

/// Whether a path lies in `store/`.
fn is_in(store: &OwnedFd, path: &StorePath) -> bool {
    rustix::fs::statat(store, path.base_name(), AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

fn digest(row: &rusqlite::Row<'_>, column: usize) -> Result<TreeDigest, rusqlite::Error> {
    row.get(column).map(TreeDigest::from_bytes)
}

fn name(row: &rusqlite::Row<'_>, column: usize) -> Result<StoreName, rusqlite::Error> {
    StoreName::parse(row.get_ref(column)?.as_str()?).map_err(super::index::malformed)
}

fn path(row: &rusqlite::Row<'_>, column: usize) -> Result<StorePath, rusqlite::Error> {
    row.get_ref(column)?.as_str()?.parse().map_err(super::index::malformed)
}
