//! Rebuilding the index from what it is an index of.

use super::fsutil::{self, At};
use super::index::{self, PathInfo};
use super::record::{Record, SEGMENT_HEADER};
use super::segment::{Location, read_frames, segment_names};
use super::{LocalStore, StoreError, now};
use crate::digest::TreeDigest;
use crate::listing::{Totals, TreeListing};
use crate::store_path::StorePath;
use std::collections::HashMap;
use std::os::fd::AsFd;

/// What a rebuild found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Records in all segments.
    pub records: usize,
    /// Paths in `store/` that are valid.
    pub paths: usize,
    /// Entries of `store/` that are no store path or not what their name says; they are moved to `trash/`.
    pub discarded: usize,
}

impl LocalStore {
    /// Makes the index anew from `records/` and `store/`.
    ///
    /// # Errors
    /// When they cannot be read or the index cannot be written.
    pub fn rebuild_index(&self) -> Result<Rebuilt, StoreError> {
        let tables = [
            "segment",
            "record",
            "path",
            "reference",
            "runtime",
            "derivation",
            "derivation_input",
            "realisation",
            "resolution",
            "build",
        ];
        self.index
            .change(|transaction| {
                tables.iter().try_for_each(|table| transaction.execute(&format!("DELETE FROM {table}"), []).map(drop))
            })
            .map_err(|error| self.index_error(error))?;
        self.fill_index()
    }

    /// Fills an empty index.
    pub(super) fn fill_index(&self) -> Result<Rebuilt, StoreError> {
        let mut found = Rebuilt::default();
        let mut records = Vec::new();
        let mut totals = HashMap::new();
        for name in segment_names(&self.layout.records())? {
            let path = self.layout.records().join(&name);
            records.extend(read_frames(&path, &name, SEGMENT_HEADER.len() as u64)?);
        }
        for (record, _) in &records {
            if let Record::Tree { listing, .. } = record {
                totals.insert(listing.digest(), listing.totals());
            }
        }
        found.records = records.len();
        let infos = self.scan_store(&totals, &mut records, &mut found)?;
        found.paths = infos.len();
        let now = now();
        // Paths first: which of two realisations counts depends on whether the first one's tree is there.
        let fill = |transaction: &rusqlite::Transaction<'_>| {
            infos.iter().try_for_each(|info| index::insert_path(transaction, info))?;
            records.iter().try_for_each(|(record, location)| index::insert_record(transaction, record, location, now))
        };
        self.index.change(fill).map_err(|error| self.index_error(error))?;
        Ok(found)
    }

    fn scan_store(
        &self,
        totals: &HashMap<TreeDigest, Totals>,
        records: &mut Vec<(Record, Location)>,
        found: &mut Rebuilt,
    ) -> Result<Vec<PathInfo>, StoreError> {
        let mut infos = Vec::new();
        for (name, _) in fsutil::names(self.store.as_fd()).at("read directory", self.layout.store())? {
            let path = String::from_utf8(name.clone()).ok().and_then(|name| StorePath::parse_base_name(&name).ok());
            let known = match path.as_ref().and_then(StorePath::tree) {
                Some(tree) => match totals.get(&tree) {
                    Some(totals) => Some(*totals),
                    None => self.recover(&tree, path.as_ref().expect("it has a tree"), records)?,
                },
                None => None,
            };
            let (Some(path), Some(totals)) = (path, known) else {
                found.discarded += 1;
                self.discard(&name)?;
                continue;
            };
            let now = now();
            infos.push(PathInfo { path, files: totals.files, bytes: totals.bytes, added: now, used: now });
        }
        Ok(infos)
    }

    /// Reads a tree whose record is lost; `None` if it is not what its name says.
    fn recover(
        &self,
        tree: &TreeDigest,
        path: &StorePath,
        records: &mut Vec<(Record, Location)>,
    ) -> Result<Option<Totals>, StoreError> {
        let Some((listing, references)) = self.read_tree(path)? else { return Ok(None) };
        if listing.digest() != *tree {
            return Ok(None);
        }
        let totals = listing.totals();
        let record = Record::Tree { listing, references };
        let location = self.append(std::slice::from_ref(&record))?.remove(0);
        records.push((record, location));
        Ok(Some(totals))
    }

    /// Lists, hashes and scans what physically lies at a path; `None` if it cannot be read as a tree.
    pub(super) fn read_tree(
        &self,
        path: &StorePath,
    ) -> Result<Option<(TreeListing, std::collections::BTreeSet<TreeDigest>)>, StoreError> {
        Ok(self.read(&self.layout.path(path)).ok().map(|ingested| (ingested.listing, ingested.references)))
    }

    /// Moves an entry of `store/` out of sight.
    pub(super) fn discard(&self, name: &[u8]) -> Result<(), StoreError> {
        let from = fsutil::join_bytes(&self.layout.store(), name);
        let to = self.layout.trash().join(fsutil::unique_name("discarded-"));
        // A directory can only be moved by those who may write to it.
        if from.symlink_metadata().is_ok_and(|data| data.is_dir()) {
            rustix::fs::chmod(&from, rustix::fs::Mode::RWXU).at("change the mode of", &from)?;
        }
        Ok(rustix::fs::rename(&from, &to).at("discard", &from)?)
    }
}
