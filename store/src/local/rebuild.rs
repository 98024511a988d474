//! Rebuilding the index from what it is an index of.

use super::effect;
use super::fsutil::{self, At, SEALED_DIRECTORY};
use super::index::{self, IndexError, PathInfo};
use super::lease::held_by_the_living;
use super::record::{Record, SEGMENT_HEADER};
use super::segment::{Location, read_frames, segment_names};
use super::{LocalStore, StoreError, now};
use crate::digest::TreeDigest;
use crate::listing::{Totals, TreeListing};
use crate::store_path::StorePath;
use std::collections::{BTreeMap, HashMap, HashSet};

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

/// What has been read of the segments.
#[derive(Default)]
struct Frames {
    /// In the order of their segment, with the time at which the last build before them ended: together the order of all.
    records: Vec<(u64, Record, Location)>,
    finished: HashMap<String, u64>,
    totals: HashMap<TreeDigest, Totals>,
    /// Where the whole frames of each segment end.
    ends: BTreeMap<String, u64>,
}

/// When paths and derivations were added and last used.
type Times = HashMap<StorePath, (u64, u64)>;

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

    /// The same, for who keeps collections away already.
    pub(super) fn rebuild_locked(&self) -> Result<Rebuilt, StoreError> {
        self.renew_state()?;
        if !self.index.is_sound() {
            super::set_index_aside(&self.layout)?;
            self.index.reopen(&self.layout.index()).map_err(|error| self.index_error(error))?;
        }
        // What was dead must not come back.
        self.remove_compacted()?;
        let times = self.known_times()?;
        let mut found = Rebuilt::default();
        let mut frames = Frames::default();
        self.read_new_frames(&mut frames).map_err(|error| self.index_error(error))?;
        let infos = self.scan_store(&mut frames, &mut found)?;
        let (paths, records) = self
            .index
            .change(|transaction| {
                index::start_anew(transaction)?;
                self.fill_index(transaction, infos, &mut frames, &times)
            })
            .map_err(|error| self.index_error(error))?;
        // Again, for who has looked into the old index meanwhile.
        self.renew_state()?;
        Ok(Rebuilt { records, paths, ..found })
    }

    /// When everything that the old index knows was added and used, which nothing else tells.
    fn known_times(&self) -> Result<Times, StoreError> {
        let paths = self.paths()?.into_iter().map(|info| (info.path, (info.added, info.used)));
        let derivations = self.ask(index::Index::all_derivations)?.into_iter().map(|(path, used)| (path, (used, used)));
        Ok(paths.chain(derivations).collect())
    }

    /// Fills an empty index. Who has published something since the scan has told the index that is gone now, or will tell this one.
    fn fill_index(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        infos: Vec<PathInfo>,
        frames: &mut Frames,
        times: &Times,
    ) -> Result<(usize, usize), IndexError> {
        self.read_new_frames(frames)?;
        let scanned: HashSet<_> = infos.iter().map(|info| info.path.clone()).collect();
        let late = self.names_in_store()?.into_iter().filter_map(|name| {
            let path = StorePath::parse_base_name(&String::from_utf8(name).ok()?).ok()?;
            let totals = *frames.totals.get(&path.tree()?)?;
            (!scanned.contains(&path)).then(|| path_info(path, totals))
        });
        let mut paths = 0;
        for info in infos.iter().cloned().chain(late) {
            if self.layout.path(&info.path).symlink_metadata().is_ok() {
                let (added, used) = times.get(&info.path).copied().unwrap_or((info.added, info.used));
                index::insert_path(transaction, &PathInfo { added, used, ..info })?;
                paths += 1;
            }
        }
        for (name, end) in &frames.ends {
            let end = Location { segment: name.as_str().into(), offset: *end, length: 0 };
            index::insert_segment(transaction, &end)?;
        }
        let now = now();
        frames.records.sort_by_key(|(finished, ..)| *finished);
        for (_, record, location) in &frames.records {
            let used = match record {
                Record::Derivation(derivation) => times.get(derivation.path()),
                _ => None,
            };
            index::insert_record(transaction, record, location, used.map_or(now, |(_, used)| *used))?;
            if let Record::Realisation(realisation) = record {
                index::replace_realisation(transaction, realisation)?;
            }
        }
        Ok((paths, frames.records.len()))
    }

    /// Reads what has been appended to the segments since the last time.
    fn read_new_frames(&self, frames: &mut Frames) -> Result<(), IndexError> {
        for name in segment_names(&self.layout.records())? {
            let path = self.layout.records().join(&name);
            let start = frames.ends.get(&name).copied().unwrap_or(SEGMENT_HEADER.len() as u64);
            for (record, location) in read_frames(&path, &name, start)?.frames {
                if let Record::Tree { listing, .. } = &record {
                    frames.totals.insert(listing.digest(), listing.totals());
                }
                if let Record::Build { cost, .. } = &record {
                    let finished = frames.finished.entry(name.clone()).or_default();
                    *finished = cost.finished.max(*finished);
                }
                frames.ends.insert(name.clone(), location.offset + location.length);
                frames.records.push((frames.finished.get(&name).copied().unwrap_or(0), record, location));
            }
        }
        Ok(())
    }

    /// Indexes what a process that was killed has moved into `store/` without telling the index, so that it is collected like all else.
    pub(super) fn index_unknown(&self) -> Result<(), StoreError> {
        let names = self.names_in_store()?;
        // In this order: what nobody living holds now, and the index does not know after that, nobody is about to publish.
        let held = held_by_the_living(&self.layout)?;
        let known: HashSet<_> = self.paths()?.into_iter().map(|info| info.path).collect();
        for name in names {
            let parsed = std::str::from_utf8(&name).ok().and_then(|name| StorePath::parse_base_name(name).ok());
            let Some(path) = parsed.filter(|path| !held.contains(path) && !known.contains(path)) else { continue };
            let Some(tree) = path.tree() else { continue };
            let totals = match self.listing(&tree) {
                Ok(listing) => Some(listing.totals()),
                Err(_) => self.recover(&tree, &path)?,
            };
            let Some(totals) = totals else {
                self.discard(&name)?;
                continue;
            };
            self.seal_root(&path)?;
            let info = path_info(path, totals);
            let insert = |transaction: &rusqlite::Transaction<'_>| index::insert_path(transaction, &info);
            self.index.change(insert).map_err(|error| self.index_error(error))?;
        }
        Ok(())
    }

    fn scan_store(&self, frames: &mut Frames, found: &mut Rebuilt) -> Result<Vec<PathInfo>, StoreError> {
        let mut infos = Vec::new();
        for name in self.names_in_store()? {
            let path = String::from_utf8(name.clone()).ok().and_then(|name| StorePath::parse_base_name(&name).ok());
            let known = match path.as_ref().and_then(StorePath::tree) {
                Some(tree) => match frames.totals.get(&tree) {
                    Some(totals) => Some(*totals),
                    None => self.recover(&tree, path.as_ref().expect("it has a tree"))?,
                },
                None => None,
            };
            let (Some(path), Some(totals)) = (path, known) else {
                found.discarded += 1;
                self.discard(&name)?;
                continue;
            };
            self.seal_root(&path)?;
            frames.totals.extend(path.tree().map(|tree| (tree, totals)));
            infos.push(path_info(path, totals));
        }
        Ok(infos)
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
    pub(super) fn recover(&self, tree: &TreeDigest, path: &StorePath) -> Result<Option<Totals>, StoreError> {
        let Some((listing, references)) = self.read_tree(path)? else { return Ok(None) };
        if listing.digest() != *tree {
            return Ok(None);
        }
        let totals = listing.totals();
        let record = Record::Tree { listing, references };
        let location = self.append(std::slice::from_ref(&record))?.remove(0);
        self.index_records(&[(record, location)])?;
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
            effect::chmod(&from, rustix::fs::Mode::RWXU).at("change the mode of", &from)?;
        }
        Ok(effect::rename(&from, &to).at("discard", &from)?)
    }
}
