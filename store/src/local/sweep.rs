//! Carrying out a garbage collection: read the graph, plan, take the dead out and unlink them ([`super::take_out`]).
//!
//! The plan is made beside running builds. Only then is the lock taken that [`super::lease`] needs: if roots, leases or the graph have
//! changed meanwhile the plan is made again, and what is dead is forgotten and renamed away. Unlinking needs no lock.
//! A collection that dies leaves `trash/` for the next one, together with a mark that objects may be left over. There is one collection at
//! a time, which keeps the directory `trash/` locked.

use super::effect;
use super::fsutil::{self, At, unique_name};
use super::layout::{Layout, parse_object_name};
use super::lease::{LivingLease, held_by_the_living, living, lock, lock_file};
use super::reclaim::{self, Reclaim};
use super::remains::{Freed, Remains};
use super::repair::files_of;
use super::reserve;
use super::roots::Root;
use super::take_out::TakeOut;
use super::tree_files::{FileKey, TreeRecords};
use super::{LocalStore, StoreError};
use crate::digest::{BlobDigest, TreeDigest};
use crate::gc::{self, GcGraph, GcNode, GcNodes, GcPlan, GcPolicy, Holder, Limit};
use crate::store_path::StorePath;
use rayon::prelude::*;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a collection did, or would do.
#[derive(Debug)]
pub struct GcReport {
    /// What stays and what goes.
    pub plan: GcPlan,
    /// Bytes of the disk that are given back.
    pub freed: Freed,
}

/// How far a collection is.
#[derive(Debug, Default)]
pub struct GcProgress {
    done: AtomicU64,
    all: AtomicU64,
}

impl GcProgress {
    /// How many trees and objects have been dealt with, of how many; both 0 while it is planned.
    #[must_use]
    pub fn steps(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed))
    }

    pub(super) fn expect(&self, steps: usize) {
        self.all.fetch_add(steps as u64, Ordering::Relaxed);
    }

    pub(super) fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Two numbers that change when the index does.
type GraphState = (i64, u64);

/// What goes, and what must be known of it before it is forgotten.
pub(super) struct Planned {
    pub(super) plan: GcPlan,
    /// The records of the trees among it.
    pub(super) records: TreeRecords,
    /// Other trees that have a record and no path.
    pub(super) pathless: Vec<TreeDigest>,
    /// The objects that stay, whoever links to them.
    pub(super) needed: HashSet<FileKey>,
}

/// What a collection is planned on.
struct Loaded {
    state: GraphState,
    graph: GcGraph,
    /// The names in `store/`, and the numbers of what has them.
    names: Vec<Vec<u8>>,
    there: Vec<Option<u32>>,
}

/// The numbers of what has these names in `store/`.
pub(super) fn numbers_of(nodes: &GcNodes, names: &[Vec<u8>]) -> Vec<Option<u32>> {
    names.par_iter().with_min_len(1024).map(|name| nodes.number_named(name)).collect()
}

/// The names that have no number.
pub(super) fn unknown_names<'n>(names: &'n [Vec<u8>], numbers: &[Option<u32>]) -> Vec<&'n [u8]> {
    names.iter().zip(numbers).filter(|(_, number)| number.is_none()).map(|(name, _)| &**name).collect()
}

/// See [`LocalStore::lock_trash`].
pub(super) fn lock_trash(layout: &Layout) -> Result<OwnedFd, fsutil::IoError> {
    let trash = fsutil::open_directory(&layout.trash())?;
    lock_file(&trash, FlockOperation::LockExclusive).at("lock", layout.trash())?;
    Ok(trash)
}

impl LocalStore {
    /// Collects garbage.
    ///
    /// # Errors
    /// When the store cannot be read or written. What was moved to `trash/` by then is removed by the next collection.
    pub fn collect_garbage(&self, policy: &GcPolicy) -> Result<GcReport, StoreError> {
        self.collect_garbage_with(policy, &GcProgress::default())
    }

    /// The same, telling how far it is.
    ///
    /// # Errors
    /// As [`Self::collect_garbage`].
    pub fn collect_garbage_with(&self, policy: &GcPolicy, progress: &GcProgress) -> Result<GcReport, StoreError> {
        self.must_be_writable()?;
        let _no_collection = self.lock_trash()?;
        reserve::give_up(&self.layout)?;
        let collected = self.collect_locked(policy, progress);
        reserve::make(&self.layout);
        collected
    }

    /// The same, for who keeps other collections away.
    fn collect_locked(&self, policy: &GcPolicy, progress: &GcProgress) -> Result<GcReport, StoreError> {
        self.follow_index_locked()?;
        self.know_all_records_locked()?;
        let remains = self.remains()?;
        let mark = self.layout.trash().join(unique_name("sweep-"));
        effect::write_file(&mark, b"").at("create", &mark)?;
        self.sync_mark(&mark)?;
        let Loaded { state, graph, names, there } = self.graph_with_all()?;
        let held = self.held_without(&[])?;
        let mut planned = self.planned(&graph, &held, policy, &there)?;
        drop(graph);
        let no_leases = lock(&self.layout.gc_lock(), FlockOperation::LockExclusive)?;
        let held_now = self.held_without(&[])?;
        if held_now != held || self.graph_state()? != state {
            let graph = self.gc_graph()?;
            planned = self.planned(&graph, &held_now, policy, &numbers_of(graph.numbered(), &names))?;
        }
        let wanted = self.wanted_trees(&held_now)?;
        let mut freed = TakeOut { store: self, planned: &planned, remains: &remains, mark: &mark, progress }
            .run(no_leases, &wanted)?;
        self.remove_compacted()?;
        if remains.may_leave_objects() {
            self.restore_lost_objects()?;
        }
        effect::unlink(&mark).at("remove", &mark)?;
        if !planned.plan.dead.is_empty() {
            freed.records = match self.compact_segments() {
                // It needs room for what is kept: a later collection finds some.
                Err(error) if error.is_lack_of_space() => 0,
                compacted => compacted?,
            };
        }
        Ok(GcReport { plan: planned.plan, freed })
    }

    /// The graph, and what lies in `store/`, when what a process that was killed has moved there is known, too.
    fn graph_with_all(&self) -> Result<Loaded, StoreError> {
        let read = || Ok::<_, StoreError>((self.graph_state()?, self.gc_graph()?));
        let (names, read_meanwhile) = rayon::join(|| self.names_in_store(), read);
        let (names, (mut state, mut graph)) = (names?, read_meanwhile?);
        // In this order, after the names: what nobody living holds now, and the index does not know after that, nobody is about to publish.
        let held = held_by_the_living(&self.layout)?;
        if self.graph_state()? != state {
            (state, graph) = read()?;
        }
        let mut there = numbers_of(graph.numbered(), &names);
        if self.index_unknown(&unknown_names(&names, &there), &held)? {
            (state, graph) = read()?;
            there = numbers_of(graph.numbered(), &names);
        }
        Ok(Loaded { state, graph, names, there })
    }

    /// Plans, and looks up what must be known before anything is forgotten. `there` are the numbers of what lies in `store/`.
    pub(super) fn planned(
        &self,
        graph: &GcGraph,
        held: &[(StorePath, Holder)],
        policy: &GcPolicy,
        there: &[Option<u32>],
    ) -> Result<Planned, StoreError> {
        let (plan, all) = rayon::join(|| self.plan_of(graph, held, policy), || self.all_tree_records());
        let plan = plan?;
        let dead = plan.dead.iter().filter_map(|node| node.path.tree()).collect();
        let mut pathless = Vec::new();
        let has_no_path = |tree: &TreeDigest| graph.numbers_of(tree.as_bytes()).is_empty();
        let records = self.records_of_trees(all?, dead, |tree| pathless.extend(Some(tree).filter(has_no_path)));
        let needed = self.needed_for_repair(graph, &plan, there);
        Ok(Planned { plan, records, pathless, needed })
    }

    /// Plans with what the disk says, if the policy has to do with that.
    pub(super) fn plan_of(
        &self,
        graph: &GcGraph,
        held: &[(StorePath, Holder)],
        policy: &GcPolicy,
    ) -> Result<GcPlan, StoreError> {
        let taken = if policy.max_size.is_some() { self.taken()? } else { 0 };
        let free = if policy.min_free.is_some() { self.free()? } else { u64::MAX };
        let mut reclaim = Reclaim::default();
        let mut failed = None;
        let mut freed_by = |node: &GcNode| {
            self.freed_by(&mut reclaim, &node.path).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                0
            })
        };
        let limit = policy.wanted(taken, free).map(|wanted| Limit { wanted, freed_by: &mut freed_by });
        let plan = gc::plan(graph, held, policy, limit);
        failed.map_or(Ok(plan), Err)
    }

    /// Bytes that the store takes of its disk, without the reserve: that is there whatever is deleted.
    fn taken(&self) -> Result<u64, StoreError> {
        let root = fsutil::open_directory(self.layout.root())?;
        let found = reclaim::look(root.as_fd(), OsStr::new(".")).at("stat", self.layout.root())?;
        Ok(Reclaim::taken([&found]).saturating_sub(self.reserve_bytes()?.0))
    }

    /// Bytes of the disk that the store is on.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn disk_size(&self) -> Result<u64, StoreError> {
        let disk = rustix::fs::fstatvfs(&self.store).at("stat", self.layout.root())?;
        Ok(disk.f_blocks.saturating_mul(disk.f_frsize))
    }

    /// Bytes of it that are free for this user when the reserve is there.
    fn free(&self) -> Result<u64, StoreError> {
        let disk = rustix::fs::fstatvfs(&self.store).at("stat", self.layout.root())?;
        let (taken, wanted) = self.reserve_bytes()?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(wanted.saturating_sub(taken)))
    }

    /// Keeps others from collecting, and from rebuilding the index, until the result is dropped: two collections would empty each
    /// other's trash, and a rebuild must not take a tree that is being moved out for one that is damaged.
    pub(super) fn lock_trash(&self) -> Result<OwnedFd, fsutil::IoError> {
        lock_trash(&self.layout)
    }

    /// What roots and leases name, but for roots that count for nothing; sorted so that two answers can be compared.
    pub(super) fn held_without(&self, roots: &[String]) -> Result<Vec<(StorePath, Holder)>, StoreError> {
        // Leases first: who makes a root and ends between the two looks is then seen in one of them.
        let leases = living(&self.layout)?;
        let mut held = Vec::new();
        for Root { name, link, target, unseen, .. } in self.roots()? {
            if roots.contains(&name) {
                continue;
            }
            if let Some(source) = unseen {
                return Err(StoreError::UnseenRoot { name, link: link.unwrap_or_default(), source });
            }
            held.extend(target.map(|target| (target, Holder::Root(name))));
        }
        for LivingLease { process, held: paths } in leases {
            held.extend(paths.into_iter().map(|path| (path, Holder::Process(process))));
        }
        Ok(held)
    }

    /// The index as it is now.
    fn graph_state(&self) -> Result<GraphState, StoreError> {
        let connection = self.index.lock();
        let version = connection
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| self.index_error(error))?;
        Ok((version, connection.total_changes()))
    }

    /// The trees of which something may still be needed that is not valid now: what a process is about to publish, and what may be
    /// repaired.
    pub(super) fn wanted_trees(&self, held: &[(StorePath, Holder)]) -> Result<HashSet<TreeDigest>, StoreError> {
        let held = held.iter().filter_map(|(path, _)| path.tree());
        Ok(held.chain(self.quarantined()?.iter().filter_map(StorePath::tree)).collect())
    }

    /// Makes the mark survive a power cut, before anything is gone of which objects may be left over.
    fn sync_mark(&self, mark: &Path) -> Result<(), fsutil::IoError> {
        if !self.options.durable {
            return Ok(());
        }
        let file = rustix::fs::open(mark, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).at("open", mark)?;
        effect::sync(file).at("sync", mark)?;
        effect::sync(fsutil::open_directory(&self.layout.trash())?).at("sync", self.layout.trash())
    }

    /// The objects that may have lost their last tree: those of trees that go, or any if something else may have been the last to need one.
    pub(super) fn objects_to_try(
        &self,
        (mut objects, are_all): (Vec<FileKey>, bool),
        planned: &Planned,
        remains: &Remains,
    ) -> Result<Vec<FileKey>, StoreError> {
        if remains.may_leave_objects() || !are_all {
            objects.extend(self.all_objects()?);
            objects.par_sort_unstable();
            objects.dedup();
        }
        if !planned.needed.is_empty() {
            objects.retain(|object| !planned.needed.contains(object));
        }
        Ok(objects)
    }

    /// The objects of trees that live but are in quarantine, or not there at all: such a tree is made again from them.
    fn needed_for_repair(&self, graph: &GcGraph, plan: &GcPlan, there: &[Option<u32>]) -> HashSet<FileKey> {
        let mut is_dealt_with = plan.goes();
        there.iter().flatten().for_each(|number| is_dealt_with[*number as usize] = true);
        let lost = graph.nodes().iter().zip(is_dealt_with).filter(|(_, is_dealt_with)| !is_dealt_with);
        // Of one whose record is damaged nobody knows.
        let listings = lost.filter_map(|(node, _)| self.listing(&node.path.tree()?).ok());
        listings.flat_map(|listing| files_of(&listing).into_keys()).collect()
    }

    /// Every object's blob and executable bit.
    pub(super) fn all_objects(&self) -> Result<Vec<(BlobDigest, bool)>, StoreError> {
        let parsed =
            self.names_in_objects()?.into_par_iter().map(|name| parse_object_name(std::str::from_utf8(&name).ok()?));
        Ok(parsed.flatten().collect())
    }

    /// Everything in `objects/`, as `<directory>/<name>`; what is no directory by its name alone.
    pub(super) fn names_in_objects(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let directories = fsutil::names(self.objects.as_fd()).at("read directory", self.layout.objects())?;
        let names_in = |(directory, _): (Vec<u8>, FileType)| -> Result<Vec<Vec<u8>>, fsutil::IoError> {
            let place = || fsutil::join_bytes(&self.layout.objects(), &directory);
            let opened = match fsutil::open_directory_at(self.objects.as_fd(), OsStr::from_bytes(&directory)) {
                Err(Errno::NOTDIR | Errno::LOOP) => return Ok(vec![directory]),
                opened => opened.at("open directory", place())?,
            };
            let names = fsutil::names_once(&opened).at("read directory", place())?;
            Ok(names.iter().map(|(name, _)| [&directory[..], b"/", name].concat()).collect())
        };
        let names: Vec<_> = directories.into_par_iter().map(names_in).collect::<Result<_, _>>()?;
        Ok(names.concat())
    }
}
