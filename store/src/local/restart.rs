//! After a start of the machine: what a power cut took of the index is made good.
//!
//! The index is not waited for when something is published, so a power cut may take its last changes, and may take what records and
//! renames it knows of. Who opens a store first after a start of the machine compares names and lengths, and has the index made
//! anew if they differ. The file `started` says which start that was done for.

use super::fsutil::{self, At, IoError, replace_file, unique_name};
use super::index::Index;
use super::record::SEGMENT_HEADER;
use super::segment::{segment_names, size};
use super::{LocalStore, StoreError};
use std::collections::{HashMap, HashSet};
use std::os::fd::AsFd;

/// Which start of the machine this is; `None` where the system does not tell.
pub(super) fn start_of_machine() -> Option<Vec<u8>> {
    std::fs::read("/proc/sys/kernel/random/boot_id").ok()
}

impl LocalStore {
    /// Brings the index up to what is on the disk, if nobody has done so since the machine was started.
    pub(super) fn catch_up_after_restart(&self) -> Result<(), StoreError> {
        if self.is_caught_up() {
            return Ok(());
        }
        let _no_collection = self.lock_trash()?;
        // Somebody else may have done it while this process waited.
        if self.is_caught_up() {
            return Ok(());
        }
        self.remove_compacted()?;
        if self.index_differs()? {
            self.rebuild_locked()?;
        }
        let temporary = self.layout.tmp().join(unique_name(""));
        Ok(replace_file(&self.layout.started(), &temporary, &start_of_machine().unwrap_or_default())?)
    }

    /// Whether that was done after this start of the machine.
    pub(super) fn is_caught_up(&self) -> bool {
        let start = start_of_machine();
        start.is_some() && std::fs::read(self.layout.started()).ok() == start
    }

    /// Whether the index knows of other paths than `store/` has, or not of all records.
    fn index_differs(&self) -> Result<bool, StoreError> {
        let ends: HashMap<_, _> = self.ask(Index::segments)?.into_iter().collect();
        for name in segment_names(&self.layout.records())? {
            let header = SEGMENT_HEADER.len() as u64;
            if size(&self.layout.records(), &name).max(header) != ends.get(&name).copied().unwrap_or(header) {
                return Ok(true);
            }
        }
        let known: HashSet<_> = self.paths()?.into_iter().map(|info| info.path.base_name().into_bytes()).collect();
        let found = self.names_in_store()?;
        Ok(found.len() != known.len() || !found.iter().all(|name| known.contains(name)))
    }

    /// The names in `store/`, of whatever lies there.
    pub(super) fn names_in_store(&self) -> Result<Vec<Vec<u8>>, IoError> {
        let names = fsutil::names(self.store.as_fd()).at("read directory", self.layout.store())?;
        Ok(names.into_iter().map(|(name, _)| name).collect())
    }
}
