//! Rebuilding the index from what it is an index of. Segments are read twice, one at a time, so that memory is needed only for a number of each
//! tree and for some numbers of each small record.

use super::effect;
use super::fsutil::{self, At, IoError, SEALED_DIRECTORY};
use super::index::{self, Index, IndexError, PathInfo};
use super::ingest::IngestError;
use super::lease::held_by_the_living;
use super::record::{Record, SEGMENT_HEADER, TREE};
use super::segment::{
    Header, Location, SegmentReader, open_segment, read_frames, segment_names, visit_frames, why_unreadable,
};
use super::{LocalStore, StoreError, now};
use crate::digest::TreeDigest;
use crate::listing::{Totals, TreeListing};
use crate::store_path::StorePath;
use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a rebuild found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Records in all segments.
    pub records: usize,
    /// Paths in `store/` that are valid.
    pub paths: usize,
    /// Entries of `store/` that are no store path or not what their name says; they are moved to `trash/`.
    pub discarded: usize,
    /// Segments that this user may not read: what was recorded there the index does not know.
    pub unreadable: Vec<PathBuf>,
}

/// What lies in `store/`.
#[derive(Default)]
struct Scanned {
    infos: Vec<PathInfo>,
    /// What could not be read now, or is not what its name says but held by somebody living. It is left as it is, and the index does not know it.
    unread: HashSet<StorePath>,
}

/// What trees consist of, by what their records say.
type TreeTotals = HashMap<TreeDigest, Totals>;

/// A record of which it matters what was recorded before it. It is read again when it is its turn: all of them may be more than there is memory.
struct Ordered {
    /// When the last build before it in its segment ended: together with its place there the order of all.
    finished: u64,
    /// Which of the segments.
    segment: u32,
    offset: u64,
    length: u64,
}

/// Fills an empty index from segments.
struct Filling<'t> {
    transaction: &'t rusqlite::Transaction<'t>,
    now: u64,
    segments: Vec<Arc<str>>,
    ordered: Vec<Ordered>,
    /// What is looked for: trees that have come since the store was scanned.
    late: HashSet<TreeDigest>,
    late_totals: TreeTotals,
    records: usize,
}

impl Filling<'_> {
    /// Indexes a segment, but for what has to wait until all have been read.
    fn read(&mut self, path: &Path, name: &str) -> Result<(), IndexError> {
        let segment = u32::try_from(self.segments.len()).expect("fewer than 2^32 segments");
        let (mut finished, start) = (0, SEGMENT_HEADER.len() as u64);
        let extent = visit_frames(path, name, start, |kind, payload, location| {
            let Some(record) = Record::from_payload(kind, payload) else { return Ok::<_, IndexError>(false) };
            self.records += 1;
            match &record {
                Record::Derivation(_) => index::insert_record(self.transaction, &record, &location, self.now)?,
                Record::Tree { listing, .. } => {
                    let tree = listing.digest();
                    if self.late.contains(&tree) {
                        self.late_totals.insert(tree, listing.totals());
                    }
                    index::insert_record(self.transaction, &record, &location, self.now)?;
                }
                _ => {
                    if let Record::Build { cost, .. } = &record {
                        finished = cost.finished.max(finished);
                    }
                    let Location { offset, length, .. } = location;
                    self.ordered.push(Ordered { finished, segment, offset, length });
                }
            }
            Ok(true)
        })?;
        self.segments.push(name.into());
        let Some(extent) = extent.filter(|extent| extent.header == Header::Known || extent.end > start) else {
            return Ok(());
        };
        Ok(index::insert_segment(self.transaction, name, extent.end)?)
    }

    /// Indexes what had to wait.
    fn finish(&mut self, reader: &SegmentReader) -> Result<(), IndexError> {
        self.ordered.sort_by_key(|record| record.finished);
        for Ordered { segment, offset, length, .. } in self.ordered.drain(..) {
            let location = Location { segment: Arc::clone(&self.segments[segment as usize]), offset, length };
            let Some(record) = reader.read(&location)? else { continue };
            index::insert_record(self.transaction, &record, &location, self.now)?;
            if let Record::Realisation(realisation) = &record {
                index::replace_realisation(self.transaction, realisation)?;
            }
        }
        Ok(())
    }
}

/// The path of a tree by its name in `store/`.
pub(super) fn tree_path(name: &[u8]) -> Option<StorePath> {
    let path = StorePath::parse_base_name(std::str::from_utf8(name).ok()?).ok()?;
    path.tree().is_some().then_some(path)
}

fn path_info(path: StorePath, totals: Totals) -> PathInfo {
    let now = now();
    PathInfo { path, files: totals.files, bytes: totals.bytes, added: now, used: now }
}

impl LocalStore {
    /// Makes the index anew from `records/` and `store/`, in one transaction: whoever uses the store meanwhile, or finds it after this
    /// process was killed, has the old index or the new one.
    ///
    /// # Errors
    /// When they cannot be read or the index cannot be written.
    pub fn rebuild_index(&self) -> Result<Rebuilt, StoreError> {
        self.must_be_writable()?;
        let _no_collection = self.lock_trash()?;
        self.rebuild_locked()
    }

    /// Fills an index that is new, unless somebody else does.
    pub(super) fn fill_new_index(&self) -> Result<(), StoreError> {
        let _no_collection = self.lock_trash()?;
        if self.ask(Index::is_filled)? { Ok(()) } else { self.rebuild_locked().map(drop) }
    }

    /// A rebuild for who keeps collections away already.
    pub(super) fn rebuild_locked(&self) -> Result<Rebuilt, StoreError> {
        self.renew_state()?;
        if !self.index.is_sound() {
            super::set_index_aside(&self.layout)?;
            self.index.reopen(&self.layout.index()).map_err(|error| self.index_error(error))?;
        }
        self.note_losses_of_index()?;
        // What was dead must not come back.
        self.remove_compacted()?;
        let mut found = Rebuilt::default();
        let scanned = self.scan_store(&self.recorded_totals()?, &mut found)?;
        let (paths, records) = self
            .index
            .change(|transaction| self.fill_index(transaction, scanned))
            .map_err(|error| self.index_error(error))?;
        // Again, for who has looked into the old index meanwhile.
        self.renew_state()?;
        let unreadable = self.unreadable_segments()?.into_iter().map(|(path, _)| path).collect();
        Ok(Rebuilt { records, paths, unreadable, ..found })
    }

    /// The segments that this user may not read, and why not.
    fn unreadable_segments(&self) -> Result<Vec<(PathBuf, Errno)>, StoreError> {
        let mut unreadable = Vec::new();
        for name in segment_names(&self.layout.records())? {
            let path = self.layout.records().join(&name);
            // Of one that has been compacted nothing is needed.
            if let Some(error) = why_unreadable(&path)
                && self.ask(|index| index.indexed_to(&name))? != index::COMPACTED
            {
                unreadable.push((path, error));
            }
        }
        Ok(unreadable)
    }

    /// Sees to it that the index knows all records before it is asked what is needed: one that was made anew does not know those of
    /// segments that nobody could read then.
    ///
    /// # Errors
    /// When there still are such segments.
    pub(super) fn know_all_records(&self) -> Result<(), StoreError> {
        self.must_read_all_records()?;
        if self.is_read_only() || self.missed_segments()?.is_empty() {
            return Ok(());
        }
        let _no_collection = self.lock_trash()?;
        self.index_missed_segments()
    }

    /// The same, for who keeps collections away.
    pub(super) fn know_all_records_locked(&self) -> Result<(), StoreError> {
        self.must_read_all_records()?;
        self.index_missed_segments()
    }

    fn must_read_all_records(&self) -> Result<(), StoreError> {
        let first = self.unreadable_segments()?.into_iter().next();
        first.map_or(Ok(()), |(path, source)| Err(StoreError::UnreadSegment { path, source }))
    }

    /// The segments of which the index knows nothing, and to which nobody writes as long as these are open: they could not be read when it
    /// was made anew.
    fn missed_segments(&self) -> Result<Vec<(String, File)>, StoreError> {
        let mut missed = Vec::new();
        for name in segment_names(&self.layout.records())? {
            if self.ask(|index| index.indexed_to(&name))? > 0 {
                continue;
            }
            let file = match open_segment(&self.layout.records().join(&name), OFlags::RDONLY) {
                Err(error) if error.is_not_found() => continue,
                opened => opened?,
            };
            let Some(file) = file else { continue };
            let is_free = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            // Asked again: whoever wrote to it may have told the index meanwhile.
            if is_free && self.ask(|index| index.indexed_to(&name))? == 0 {
                missed.push((name, file));
            }
        }
        Ok(missed)
    }

    /// Indexes them, for who keeps collections away.
    fn index_missed_segments(&self) -> Result<(), StoreError> {
        for (name, _locked) in self.missed_segments()? {
            if let Some(found) = read_frames(&self.layout.records().join(&name), &name, SEGMENT_HEADER.len() as u64)? {
                self.index_recovered(&found.frames)?;
            }
        }
        Ok(())
    }

    /// What the trees in `store/` consist of, as far as that is recorded.
    fn recorded_totals(&self) -> Result<TreeTotals, StoreError> {
        let names = self.names_in_store()?;
        let wanted: HashSet<_> = names.iter().filter_map(|name| tree_path(name)?.tree()).collect();
        let mut totals = TreeTotals::new();
        for name in segment_names(&self.layout.records())? {
            let path = self.layout.records().join(&name);
            visit_frames(&path, &name, SEGMENT_HEADER.len() as u64, |kind, payload, _| {
                if kind != TREE {
                    return Ok::<_, IoError>(true);
                }
                let Some(Record::Tree { listing, .. }) = Record::from_payload(kind, payload) else { return Ok(false) };
                let tree = listing.digest();
                if wanted.contains(&tree) {
                    totals.insert(tree, listing.totals());
                }
                Ok(true)
            })?;
        }
        Ok(totals)
    }

    /// Takes the place of all that the index knows. Who has published something since the scan has told the index that is gone now, or will
    /// tell this one.
    fn fill_index(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        Scanned { infos, unread }: Scanned,
    ) -> Result<(usize, usize), IndexError> {
        index::keep_times(transaction)?;
        index::start_anew(transaction)?;
        let mut late = self.paths_beside(&infos)?;
        late.retain(|path| !unread.contains(path));
        let mut filling = Filling {
            transaction,
            now: now(),
            segments: Vec::new(),
            ordered: Vec::new(),
            late: late.iter().filter_map(StorePath::tree).collect(),
            late_totals: TreeTotals::new(),
            records: 0,
        };
        for name in segment_names(&self.layout.records())? {
            filling.read(&self.layout.records().join(&name), &name)?;
        }
        let late = late.into_iter().filter_map(|path| {
            let totals = *filling.late_totals.get(&path.tree()?)?;
            Some(path_info(path, totals))
        });
        let mut paths = 0;
        for info in infos.iter().cloned().chain(late) {
            if self.layout.path(&info.path).symlink_metadata().is_ok() {
                index::insert_path(transaction, &info)?;
                paths += 1;
            }
        }
        // Which realisation counts is asked of the paths.
        filling.finish(&SegmentReader::new(self.layout.records()))?;
        index::restore_times(transaction)?;
        Ok((paths, filling.records))
    }

    /// The paths in `store/` that these are not; the names of all that lies there are forgotten again before anything is indexed.
    fn paths_beside(&self, infos: &[PathInfo]) -> Result<Vec<StorePath>, IndexError> {
        let scanned: HashSet<_> = infos.iter().map(|info| &info.path).collect();
        let paths = self.names_in_store()?.into_iter().filter_map(|name| tree_path(&name));
        Ok(paths.filter(|path| !scanned.contains(path)).collect())
    }

    /// Indexes what a process that was killed has moved into `store/` under these names without telling the index, so that it is collected
    /// like all else, and says whether there was anything.
    pub(super) fn index_unknown(&self, names: &[&[u8]], held: &HashSet<StorePath>) -> Result<bool, StoreError> {
        let mut is_changed = false;
        for name in names {
            let Some(path) = tree_path(name).filter(|path| !held.contains(path)) else { continue };
            let Some(tree) = path.tree() else { continue };
            let totals = match self.listing(&tree) {
                Ok(listing) => self.is_true_to_its_name(&path).map(|is_true| is_true.then(|| listing.totals())),
                Err(_) => self.recover(&tree, &path),
            };
            let totals = match totals {
                Err(error) if error.is_unread_tree() => continue,
                totals => totals?,
            };
            is_changed = true;
            let Some(totals) = totals else {
                self.discard(name)?;
                continue;
            };
            self.seal_root(&path)?;
            let info = path_info(path, totals);
            let insert = |transaction: &rusqlite::Transaction<'_>| index::insert_path(transaction, &info);
            self.index.change(insert).map_err(|error| self.index_error(error))?;
        }
        Ok(is_changed)
    }

    /// The paths in `store/`. What the index did not know until now is read, unless it knew nothing.
    fn scan_store(&self, recorded: &TreeTotals, found: &mut Rebuilt) -> Result<Scanned, StoreError> {
        let knows_nothing = !self.ask(Index::is_filled)?;
        let names = self.names_in_store()?;
        // In this order: what nobody living holds after that, nobody is about to publish.
        let held = held_by_the_living(&self.layout)?;
        let mut scanned = Scanned::default();
        for name in names {
            let Some((path, tree)) = tree_path(&name).and_then(|path| Some((path.clone(), path.tree()?))) else {
                found.discarded += 1;
                self.discard(&name)?;
                continue;
            };
            let is_believed = knows_nothing || self.ask(|index| index.path(&path))?.is_some();
            let totals = match recorded.get(&tree) {
                Some(totals) if is_believed => Ok(Some(*totals)),
                Some(totals) => self.is_true_to_its_name(&path).map(|is_true| is_true.then_some(*totals)),
                None => self.recover(&tree, &path),
            };
            match totals {
                Err(error) if error.is_unread_tree() => _ = scanned.unread.insert(path),
                totals => match totals? {
                    Some(totals) => {
                        self.seal_root(&path)?;
                        scanned.infos.push(path_info(path, totals));
                    }
                    None if held.contains(&path) => _ = scanned.unread.insert(path),
                    None => {
                        found.discarded += 1;
                        self.discard(&name)?;
                    }
                },
            }
        }
        Ok(scanned)
    }

    /// Makes the root of a tree read-only, before which its process may have been killed.
    fn seal_root(&self, path: &StorePath) -> Result<(), fsutil::IoError> {
        let place = self.layout.path(path);
        match place.symlink_metadata() {
            Ok(data) if data.is_dir() => effect::chmod(&place, SEALED_DIRECTORY).at("change the mode of", &place),
            _ => Ok(()),
        }
    }

    /// Reads a tree whose record is lost, and records it anew; `None` if it is not what its name says.
    ///
    /// # Errors
    /// As [`Self::read_tree`], and when nothing can be recorded.
    pub(super) fn recover(&self, tree: &TreeDigest, path: &StorePath) -> Result<Option<Totals>, StoreError> {
        let Some((listing, references)) = self.read_tree(path)? else { return Ok(None) };
        if listing.digest() != *tree {
            return Ok(None);
        }
        let totals = listing.totals();
        let record = Record::Tree { listing, references };
        let records = [record];
        let locations = self.append(&records)?;
        self.index_appended(&locations, |transaction| index::insert_records(transaction, &records, &locations))?;
        Ok(Some(totals))
    }

    /// Lists, hashes and scans what physically lies at a path; `None` if that is no tree.
    ///
    /// # Errors
    /// When it cannot be read, of which nothing follows about it: [`StoreError::is_unread_tree`].
    pub(super) fn read_tree(
        &self,
        path: &StorePath,
    ) -> Result<Option<(TreeListing, std::collections::BTreeSet<TreeDigest>)>, StoreError> {
        match self.read(&self.layout.path(path)) {
            Ok(ingested) => Ok(Some((ingested.listing, ingested.references))),
            Err(StoreError::Ingest(IngestError::Io(error))) if error.is_not_found() => Ok(None),
            Err(StoreError::Ingest(error)) if !error.is_of_the_moment() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether what physically lies at a path is the tree that its name says, whatever is recorded of that.
    ///
    /// # Errors
    /// As [`Self::read_tree`].
    pub(super) fn is_true_to_its_name(&self, path: &StorePath) -> Result<bool, StoreError> {
        let found = self.read_tree(path)?.map(|(listing, _)| listing.digest());
        Ok(found.is_some() && found == path.tree())
    }

    /// Moves an entry of `store/` out of sight.
    pub(super) fn discard(&self, name: &[u8]) -> Result<(), StoreError> {
        let from = fsutil::join_bytes(&self.layout.store(), name);
        let to = self.layout.trash().join(fsutil::unique_name("discarded-"));
        // A directory can only be moved by those who may write to it.
        if from.symlink_metadata().is_ok_and(|data| data.is_dir()) {
            effect::chmod(&from, rustix::fs::Mode::RWXU).at("change the mode of", &from)?;
        }
        Ok(effect::rename(&from, &to).at("discard", &from)?)
    }
}
