//! Planning a collection without carrying it out: what it would delete, and how many bytes of the disk that would give back.
//!
//! Each table of the index is read once, and no directory that is as it was sealed: what the dead consist of is in their records, so every
//! file of them, and its object, is looked at by its name. Invariant: the bytes are those that the collection then gives back, whoever else
//! links to what, and whatever has been put into a dead tree.

use super::fsutil::{At, IoError};
use super::layout::object_name;
use super::reclaim::{self, Found, Reclaim};
use super::record::TREE;
use super::remains::{Freed, Remains};
use super::repair::files_of;
use super::sweep::{GcReport, Planned, numbers_of, unknown_names};
use super::tree_files::{FileKey, keys_of, sorted_files};
use super::{LocalStore, StoreError};
use crate::digest::{BlobDigest, TreeDigest};
use crate::gc::{GcGraph, GcPlan, GcPolicy};
use crate::listing::TreeListing;
use crate::store_path::StorePath;
use rayon::prelude::*;
use rustix::fs::{AtFlags, Stat};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::AsFd;

/// The objects of a graph, and which of them go.
struct Going<'g> {
    graph: &'g GcGraph,
    goes: Vec<bool>,
    /// The trees whose records stay all the same.
    wanted: HashSet<TreeDigest>,
}

impl<'g> Going<'g> {
    fn new(graph: &'g GcGraph, plan: &GcPlan, wanted: HashSet<TreeDigest>) -> Self {
        Self { graph, goes: plan.goes(), wanted }
    }

    /// The paths of a tree that go.
    fn paths_of(&self, tree: &TreeDigest) -> impl Iterator<Item = &'g StorePath> {
        let going = self.graph.numbers_of(tree.as_bytes()).filter(|number| self.goes[*number as usize]);
        going.map(|number| &self.graph.node(number).path)
    }

    /// Whether the record of this kind and key is forgotten with the dead: all of a derivation, and the listing of a tree without a path.
    fn takes_record(&self, kind: u8, key: &[u8]) -> bool {
        let Ok(digest) = key.try_into() else { return false };
        let mut numbers = self.graph.numbers_of(digest);
        match kind {
            1 | 4 => numbers.any(|number| self.goes[number as usize]),
            TREE => {
                numbers.all(|number| self.goes[number as usize])
                    && !self.wanted.contains(&TreeDigest::from_bytes(*digest))
            }
            _ => false,
        }
    }
}

/// What is known of a tree that goes.
struct Looked {
    /// What lies at each of its paths.
    found: Vec<Found>,
    /// The files it consists of, unless nobody knows.
    files: Option<Vec<FileKey>>,
}

impl LocalStore {
    /// Plans a collection and says what it would free, without deleting anything.
    ///
    /// # Errors
    /// When the store, or any segment of its records, cannot be read.
    pub fn plan_gc(&self, policy: &GcPolicy) -> Result<GcReport, StoreError> {
        self.plan_gc_without(policy, &[])
    }

    /// The same, as if these roots had been removed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn plan_gc_without(&self, policy: &GcPolicy, roots: &[String]) -> Result<GcReport, StoreError> {
        self.know_all_records()?;
        let held = self.held_without(roots)?;
        let (names, graph) = rayon::join(|| self.names_in_store(), || self.gc_graph());
        let (names, graph) = (names?, graph?);
        let there = numbers_of(graph.numbered(), &names);
        let planned = self.planned(&graph, &held, policy, &there)?;
        let mut remains = self.remains()?;
        let known = held.iter().map(|(path, _)| path).collect();
        self.add_unknown(&mut remains, &unknown_names(&names, &there), &known)?;
        let going = Going::new(&graph, &planned.plan, self.wanted_trees(&held)?);
        let (freed, records) = rayon::join(
            || self.would_free(&going, &planned, &remains),
            || match planned.plan.dead.is_empty() {
                true => Ok(0),
                false => self.would_compact(|kind, key| going.takes_record(kind, key)),
            },
        );
        let freed = Freed { records: records?, ..freed? };
        Ok(GcReport { plan: planned.plan, freed })
    }

    fn would_free(&self, going: &Going<'_>, planned: &Planned, remains: &Remains) -> Result<Freed, StoreError> {
        let look = |tree: &TreeDigest, listing: Option<&TreeListing>| {
            let found =
                going.paths_of(tree).map(|path| self.look_at_listed(path, listing)).collect::<Result<_, _>>()?;
            Ok::<_, IoError>(Looked { found, files: listing.map(|listing| keys_of(listing).collect()) })
        };
        let looked: Vec<_> = planned.records.map(look).into_iter().collect::<Result<_, _>>()?;
        let (mut reclaim, mut freed) = (Reclaim::default(), Freed::default());
        freed.trees = looked.iter().flat_map(|looked| &looked.found).map(|found| reclaim.remove(found)).sum();
        remains.measure(&mut reclaim, &mut freed)?;
        let files = sorted_files(looked.into_iter().map(|looked| looked.files).collect());
        let objects = self.objects_to_try(files, planned, remains)?;
        let stats = objects.par_iter().map(|(blob, executable)| self.object(blob, *executable));
        let stats: Vec<_> = stats.collect::<Result<_, _>>()?;
        freed.trees += stats.iter().flatten().map(|stat| reclaim.remove_object(stat)).sum::<u64>();
        Ok(freed)
    }

    /// What deleting an object gives back, after all that was removed before.
    pub(super) fn freed_by(&self, reclaim: &mut Reclaim, path: &StorePath) -> Result<u64, StoreError> {
        let Some(tree) = path.tree() else { return Ok(0) };
        // Of one whose record is damaged nobody knows.
        let listing = self.listing(&tree).ok();
        let mut freed = reclaim.remove(&self.look_at_listed(path, listing.as_ref())?);
        for (blob, executable) in listing.map(|listing| files_of(&listing)).unwrap_or_default().into_keys() {
            freed += self.object(&blob, executable)?.map_or(0, |stat| reclaim.remove_object(&stat));
        }
        Ok(freed)
    }

    /// What deleting all these gives back.
    pub(super) fn freed_by_all(&self, paths: &[StorePath]) -> Result<u64, StoreError> {
        let mut reclaim = Reclaim::default();
        paths.iter().map(|path| self.freed_by(&mut reclaim, path)).sum()
    }

    /// What lies at a path.
    pub(super) fn look_at(&self, path: &StorePath) -> Result<Found, IoError> {
        reclaim::look(self.store.as_fd(), OsStr::new(&path.base_name())).at("stat", self.layout.path(path))
    }

    /// The same, by its listing if there is one.
    fn look_at_listed(&self, path: &StorePath, listing: Option<&TreeListing>) -> Result<Found, IoError> {
        let Some(listing) = listing else { return self.look_at(path) };
        reclaim::look_as_listed(self.store.as_fd(), &path.base_name(), listing)
            .at_place("stat", || self.layout.path(path))
    }

    fn object(&self, blob: &BlobDigest, executable: bool) -> Result<Option<Stat>, IoError> {
        let name = object_name(blob, executable);
        match rustix::fs::statat(&self.objects, &*name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            stat => stat.map(Some).at_place("stat", || self.layout.objects().join(name)),
        }
    }
}
