//! What lies in `store/` and is nothing of the store.

use super::{LocalStore, Problem};
use crate::local::StoreError;
use crate::local::fsutil::join_bytes;
use crate::local::lease::held_by_the_living;
use crate::local::rebuild::tree_path;
use crate::store_path::StorePath;
use std::collections::BTreeSet;

impl LocalStore {
    /// Names that are those of no tree, and trees which neither the index knows, as of these `known`, nor anybody is about to publish, and which
    /// are not what their names say.
    pub(super) fn foreign_entries(&self, known: &BTreeSet<StorePath>) -> Result<Vec<Problem>, StoreError> {
        let (mut foreign, mut unknown) = (Vec::new(), Vec::new());
        for name in self.names_in_store()? {
            match tree_path(&name) {
                None => foreign.push(Problem::Foreign(join_bytes(&self.layout.store(), &name))),
                Some(path) if !known.contains(&path) => unknown.push(path),
                Some(_) => {}
            }
        }
        let strays = self.strays_among(unknown)?;
        foreign.extend(strays.into_iter().map(|path| Problem::Foreign(self.layout.path(&path))));
        Ok(foreign)
    }

    /// Whether this entry of `store/` is there and still nothing of the store.
    pub(super) fn is_foreign(&self, name: &[u8]) -> Result<bool, StoreError> {
        if join_bytes(&self.layout.store(), name).symlink_metadata().is_err() {
            return Ok(false);
        }
        match tree_path(name) {
            None => Ok(true),
            Some(path) => Ok(!self.strays_among(vec![path])?.is_empty()),
        }
    }

    /// Those of these, which are in `store/`, that nobody knows and that are not what their names say, as far as can be seen. What is may
    /// have been left by a process that was killed before it told the index.
    fn strays_among(&self, mut paths: Vec<StorePath>) -> Result<Vec<StorePath>, StoreError> {
        if paths.is_empty() {
            return Ok(paths);
        }
        // In this order: what nobody living holds now, and the index does not know after that, nobody is about to publish.
        let held = held_by_the_living(&self.layout)?;
        paths.retain(|path| !held.contains(path));
        let mut strays = Vec::new();
        for path in paths {
            if self.ask(|index| index.path(&path))?.is_some() {
                continue;
            }
            let is_stray = match self.is_true_to_its_name(&path) {
                Err(error) if error.is_unread_tree() => true,
                is_true => !is_true?,
            };
            strays.extend(is_stray.then_some(path));
        }
        Ok(strays)
    }
}
