//! Run-time closures: a path, all it mentions or declares to need, and so on.
//!
//! What a whole generation of paths needs is asked at once: its digests are sorted, and so are the tables of the index, so that a large
//! part of a table is read in passing, and a small one is found by seeking.

use super::{LocalStore, StoreError};
use crate::digest::TreeDigest;
use crate::store_path::StorePath;
use rayon::prelude::*;
use rustix::fs::AtFlags;
use std::collections::BTreeSet;

impl LocalStore {
    /// The run-time closure: the paths, all they mention or declare to need, and so on.
    ///
    /// # Errors
    /// When the index cannot be asked, or one of the paths is not valid.
    pub fn closure(&self, paths: &[StorePath]) -> Result<BTreeSet<StorePath>, StoreError> {
        for path in paths {
            if !self.is_valid(path)? {
                return Err(StoreError::NotValid(path.clone()));
            }
        }
        let mut closure: BTreeSet<_> = paths.iter().cloned().collect();
        let mut generation = closure.clone();
        while !generation.is_empty() {
            let mut trees: Vec<_> = generation.iter().filter_map(StorePath::tree).collect();
            trees.dedup();
            let mut mentioned = self.ask(|index| index.mentioned_by(&trees))?;
            mentioned.retain(|path| !closure.contains(path));
            if let Some(lost) = mentioned.par_iter().find_any(|path| !self.is_on_disk(path)) {
                return Err(StoreError::NotValid(lost.clone()));
            }
            generation = mentioned.into_iter().collect();
            for needed in self.ask(|index| index.runtime_of(&trees))? {
                // One that is gone was declared by another realisation of this tree, whose closure nobody keeps.
                if !closure.contains(&needed) && self.is_valid(&needed)? {
                    generation.insert(needed);
                }
            }
            closure.extend(generation.iter().cloned());
        }
        Ok(closure)
    }

    /// Whether there is something at a path that the index knows: after a power cut it may know of a rename that the disk does not, and what
    /// failed verification is put aside.
    fn is_on_disk(&self, path: &StorePath) -> bool {
        rustix::fs::statat(&self.store, path.base_name(), AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }
}

impl super::Index {
    /// The valid paths that the trees mention. `trees` are sorted.
    fn mentioned_by(&self, trees: &[TreeDigest]) -> Result<Vec<StorePath>, super::IndexError> {
        let mut targets = Vec::new();
        self.visit_sorted("SELECT tree, target FROM reference WHERE tree >= ? ORDER BY tree", trees, |row| {
            targets.push(TreeDigest::from_bytes(row.get(1)?));
            Ok(())
        })?;
        targets.sort_unstable();
        targets.dedup();
        let mut paths = Vec::new();
        self.visit_sorted("SELECT digest, name FROM path WHERE digest >= ? ORDER BY digest", &targets, |row| {
            paths.push(super::index::tree_path(row)?);
            Ok(())
        })?;
        Ok(paths)
    }

    /// The declared run-time dependencies of the trees. `trees` are sorted.
    fn runtime_of(&self, trees: &[TreeDigest]) -> Result<BTreeSet<StorePath>, super::IndexError> {
        let mut targets = BTreeSet::new();
        self.visit_sorted("SELECT tree, target FROM runtime WHERE tree >= ? ORDER BY tree", trees, |row| {
            let target = row.get_ref(1)?.as_str().unwrap_or_default();
            targets.extend(target.parse::<StorePath>().ok());
            Ok(())
        })?;
        Ok(targets)
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::{Index, PathInfo, insert_path};
    use super::*;
    use crate::store_path::StoreName;

    /// Every how-manieth tree mentions the three after it, so that rows lie near each other and far apart.
    const STEP: u32 = 37;

    fn tree(number: u32) -> TreeDigest {
        // In the order of their numbers.
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        TreeDigest::from_bytes(bytes)
    }

    fn path(number: u32) -> StorePath {
        StorePath::from_tree(tree(number), StoreName::parse("n").expect("valid")).expect("valid")
    }

    fn filled_index(directory: &std::path::Path) -> Index {
        let (index, _) = Index::open(&directory.join("index.db")).expect("opened");
        let fill = |transaction: &rusqlite::Transaction<'_>| -> Result<(), rusqlite::Error> {
            let mut insert = transaction.prepare("INSERT INTO reference VALUES (?, ?)")?;
            for number in 0..1000 {
                let info = PathInfo { path: path(number), files: 1, bytes: 1, added: 1, used: 1 };
                insert_path(transaction, &info)?;
                for next in 1..=if u32::is_multiple_of(number, STEP) { 3 } else { 0 } {
                    insert.execute(rusqlite::params![tree(number).as_bytes(), tree(number + next).as_bytes()])?;
                }
            }
            Ok(())
        };
        index.change(fill).expect("filled");
        index
    }

    #[test]
    fn rows_are_found_near_and_far() {
        let directory = tempfile::tempdir().expect("a directory");
        let index = filled_index(directory.path());
        for (first, step) in [(0, 1), (0, STEP as usize), (5, 7), (36, 500), (998, 1), (2000, 1)] {
            let asked: Vec<_> = (first..1100).step_by(step).collect();
            let mentioned = |number: &u32| if number.is_multiple_of(STEP) { number + 1..number + 4 } else { 0..0 };
            let known: BTreeSet<_> = asked.iter().filter(|number| **number < 1000).flat_map(mentioned).collect();
            let expected: Vec<_> = known.into_iter().filter(|number| *number < 1000).map(path).collect();
            let trees: Vec<_> = asked.into_iter().map(tree).collect();
            assert_eq!(index.mentioned_by(&trees).expect("asked"), expected, "from {first} by {step}");
        }
    }
}
