//! Carrying out a garbage collection: read the graph, plan, move the dead to `trash/`, unlink them.
//!
//! The plan is made beside running builds. Only then is the lock taken that [`super::lease`] needs: if roots, leases or the graph have
//! changed meanwhile the plan is made again, and what is dead is renamed away and forgotten. Unlinking needs no lock.
//! A collection that dies leaves `trash/` for the next one, together with a mark that objects may be left over. There is one collection at
//! a time, which keeps the directory `trash/` locked.

use super::effect;
use super::fsutil::{self, At, unique_name};
use super::index;
use super::layout::{object_name, parse_object_name};
use super::lease::{held_by_the_living, lock, lock_file};
use super::occurrences::{FileKey, Occurrences};
use super::{LocalStore, StoreError};
use crate::digest::{BlobDigest, TreeDigest};
use crate::gc::{self, GcPlan, GcPolicy, Reason};
use crate::store_path::StorePath;
use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// The trees among what goes, one for each path.
fn trees_of(plan: &GcPlan) -> Vec<TreeDigest> {
    plan.dead.iter().filter_map(|node| node.path.tree()).collect()
}

/// What a collection did, or would do.
#[derive(Debug)]
pub struct GcReport {
    /// What stays and what goes.
    pub plan: GcPlan,
    /// Bytes of content that are freed: files that nothing else links to, each once.
    pub freed: u64,
}

impl LocalStore {
    /// Plans a collection and says what it would free, without changing anything.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn plan_gc(&self, policy: &GcPolicy) -> Result<GcReport, StoreError> {
        let plan = gc::plan(self.gc_graph()?, &self.held()?, policy);
        let freed = self.would_free(&self.occurrences(trees_of(&plan))?)?;
        Ok(GcReport { plan, freed })
    }

    /// Collects garbage.
    ///
    /// # Errors
    /// When the store cannot be read or written. What was moved to `trash/` by then is removed by the next collection.
    pub fn collect_garbage(&self, policy: &GcPolicy) -> Result<GcReport, StoreError> {
        self.must_be_writable()?;
        let trash = self.lock_trash()?;
        self.follow_index_locked()?;
        let waste = fsutil::names(trash.as_fd()).at("read directory", self.layout.trash())?;
        let mark = self.layout.trash().join(unique_name("sweep-"));
        effect::write_file(&mark, b"").at("create", &mark)?;
        let interrupted = self.remove_leftovers()? || !waste.is_empty();
        self.index_unknown()?;
        let state = self.graph_state()?;
        let held = self.held()?;
        let mut plan = gc::plan(self.gc_graph()?, &held, policy);
        {
            let _no_leases = lock(&self.layout.gc_lock(), FlockOperation::LockExclusive)?;
            let held_now = self.held()?;
            if held_now != held || self.graph_state()? != state {
                plan = gc::plan(self.gc_graph()?, &held_now, policy);
            }
            self.move_out(&plan, &mark)?;
        }
        if !plan.dead.is_empty() {
            // What is unlinked must not come back as a tree without its files.
            self.sync_names()?;
        }
        // The records of what has been moved out are still there.
        let occurrences = self.occurrences(trees_of(&plan))?;
        self.empty_trash(&mark)?;
        let freed = self.remove_objects(occurrences, interrupted)?;
        self.remove_restored()?;
        self.remove_old_remains()?;
        effect::unlink(&mark).at("remove", &mark)?;
        Ok(GcReport { plan, freed })
    }

    /// Keeps others from collecting, and from rebuilding the index, until the result is dropped: two collections would empty each
    /// other's trash, and a rebuild must not take a tree that is being moved out for one that is damaged.
    pub(super) fn lock_trash(&self) -> Result<OwnedFd, fsutil::IoError> {
        let trash = fsutil::open_directory(&self.layout.trash())?;
        lock_file(&trash, FlockOperation::LockExclusive).at("lock", self.layout.trash())?;
        Ok(trash)
    }

    /// What roots and leases name, sorted so that two answers can be compared.
    fn held(&self) -> Result<Vec<(StorePath, Reason)>, StoreError> {
        // Leases first: who makes a root and ends between the two looks is then seen in one of them.
        let mut leased: Vec<_> = held_by_the_living(&self.layout)?.into_iter().collect();
        leased.sort_unstable();
        let named = |root: super::roots::Root| {
            let name = root.link.map_or(root.name, |link| link.display().to_string());
            Some((root.target?, Reason::Root(name)))
        };
        let roots = self.roots()?.into_iter().filter_map(named);
        Ok(roots.chain(leased.into_iter().map(|path| (path, Reason::Lease))).collect())
    }

    /// Two numbers that change when the index does.
    fn graph_state(&self) -> Result<(i64, u64), StoreError> {
        let connection = self.index.lock();
        let version = connection
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| self.index_error(error))?;
        Ok((version, connection.total_changes()))
    }

    fn would_free(&self, occurrences: &Occurrences) -> Result<u64, StoreError> {
        let one = |((blob, executable), count): &(FileKey, u64)| {
            let name = object_name(blob, *executable);
            match rustix::fs::statat(&self.objects, &*name, AtFlags::SYMLINK_NOFOLLOW) {
                #[expect(clippy::useless_conversion, reason = "the link count's width differs between systems")]
                Ok(stat) if u64::from(stat.st_nlink) <= count + 1 => Ok(u64::try_from(stat.st_size).unwrap_or(0)),
                Ok(_) | Err(Errno::NOENT) => Ok(0),
                Err(error) => Err(error).at("stat", self.layout.objects().join(name)),
            }
        };
        Ok(occurrences.iter().map(one).try_reduce(|| 0, |a, b| Ok(a + b))?)
    }

    /// Forgets the dead and renames them into `trash/`, those that need others first.
    fn move_out(&self, plan: &GcPlan, mark: &Path) -> Result<(), StoreError> {
        if plan.dead.is_empty() {
            return Ok(());
        }
        self.sync_mark(mark)?;
        self.renew_state()?;
        let forget = |transaction: &rusqlite::Transaction<'_>| {
            plan.dead.iter().try_for_each(|node| match node.path.derivation() {
                Some(derivation) => index::delete_derivation(transaction, &derivation),
                None => index::delete_path(transaction, &node.path),
            })
        };
        // First, so that the index never says more than the disk: what it forgot and is still there is indexed by the next collection.
        self.index.change(forget).map_err(|error| self.index_error(error))?;
        let trash = fsutil::open_directory(&self.layout.trash())?;
        let trees = plan.dead.iter().filter(|node| node.path.tree().is_some());
        Ok(trees.map(|node| node.path.base_name()).try_for_each(|name| self.take_out(&name, &trash))?)
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

    /// Takes one entry out of `store/`, in one step: a directory goes to `trash/` with all that is in it.
    fn take_out(&self, name: &str, trash: &OwnedFd) -> Result<(), fsutil::IoError> {
        let place = || self.layout.store().join(name);
        match effect::unlinkat(&self.store, name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => {}
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            failed => return failed.at_place("remove", place),
        }
        let to = unique_name("dead-");
        match effect::renameat(&self.store, name, trash, &*to) {
            // Only who may write to a directory may move it elsewhere.
            Err(Errno::ACCESS) => {
                effect::chmodat(&self.store, name, Mode::RWXU).at_place("change the mode of", place)?;
                effect::renameat(&self.store, name, trash, &*to).at_place("rename", place)
            }
            renamed => renamed.at_place("rename", place),
        }
    }

    /// Unlinks what is in `trash/`.
    fn empty_trash(&self, mark: &Path) -> Result<(), StoreError> {
        let trash = fsutil::open_directory(&self.layout.trash())?;
        let names = fsutil::names(trash.as_fd()).at("read directory", self.layout.trash())?;
        let doomed: Vec<_> =
            names.into_iter().filter(|(name, _)| Some(OsStr::from_bytes(name)) != mark.file_name()).collect();
        doomed.par_iter().try_for_each(|(name, _)| {
            fsutil::remove_tree_at(trash.as_fd(), OsStr::from_bytes(name))
                .at("remove", fsutil::join_bytes(&self.layout.trash(), name))
        })?;
        Ok(())
    }

    /// Removes what failed builds left a while ago, the logs of builds long ago, evaluations that nobody asked for
    /// again, and what nobody repaired.
    fn remove_old_remains(&self) -> Result<(), StoreError> {
        const FAILED: Duration = Duration::from_secs(7 * 86_400);
        const LOGS: Duration = Duration::from_secs(90 * 86_400);
        const QUARANTINE: Duration = Duration::from_secs(30 * 86_400);
        const EVALUATIONS: Duration = Duration::from_secs(30 * 86_400);
        let logs = fsutil::open_directory(&self.layout.logs())?;
        // Made when first needed.
        let evaluations = fsutil::open_directory(&self.layout.evaluations()).ok();
        let evaluations = evaluations.iter().map(|directory| (directory.as_fd(), "", EVALUATIONS));
        let quarantine = fsutil::open_directory(&self.layout.quarantine()).ok();
        let quarantine = quarantine.iter().map(|directory| (directory.as_fd(), "", QUARANTINE));
        let remains = [(self.tmp.as_fd(), "failed-", FAILED), (logs.as_fd(), "", LOGS)];
        for (directory, prefix, age) in remains.into_iter().chain(evaluations).chain(quarantine) {
            for (name, _) in fsutil::names(directory).at("read directory", self.layout.root())? {
                let entry = OsStr::from_bytes(&name);
                let stat = rustix::fs::statat(directory, entry, AtFlags::SYMLINK_NOFOLLOW);
                // Only to clean up: what cannot be looked at or removed is left for the next time.
                let changed = stat.ok().and_then(|stat| u64::try_from(stat.st_ctime).ok());
                let old = changed.is_some_and(|time| time.saturating_add(age.as_secs()) < super::now());
                if name.starts_with(prefix.as_bytes()) && old {
                    let _ = fsutil::remove_tree_at(directory, entry);
                }
            }
        }
        Ok(())
    }

    /// Removes objects that no tree links to any more: the given ones, or after an interrupted collection any.
    fn remove_objects(&self, occurrences: Occurrences, interrupted: bool) -> Result<u64, StoreError> {
        let mut candidates = occurrences.into_files();
        if interrupted {
            candidates.extend(self.all_objects()?);
            candidates.par_sort_unstable();
            candidates.dedup();
        }
        // Sorted, so that each directory is one thread's.
        let directories: Vec<_> = candidates.chunk_by(|(a, _), (b, _)| a.as_bytes()[0] == b.as_bytes()[0]).collect();
        let one = |(blob, executable): &FileKey| self.remove_object(&object_name(blob, *executable));
        let freed = directories.into_par_iter().flat_map_iter(|objects| objects.iter().map(one));
        Ok(freed.try_reduce(|| 0, |a, b| Ok(a + b))?)
    }

    /// Removes one object if it is the last link to its file.
    fn remove_object(&self, name: &str) -> Result<u64, fsutil::IoError> {
        let place = || self.layout.objects().join(name);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.objects, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(0),
            opened => opened.at_place("open", place)?,
        };
        let stat = rustix::fs::fstat(&file).at_place("stat", place)?;
        if stat.st_nlink > 1 {
            return Ok(0);
        }
        effect::unlinkat(&self.objects, name, AtFlags::empty()).at_place("remove", place)?;
        // Between the look and this somebody may have linked to it, who counts on there being an object.
        if rustix::fs::fstat(&file).at_place("stat", place)?.st_nlink == 0 {
            return Ok(u64::try_from(stat.st_size).unwrap_or(0));
        }
        match effect::link_open_file(&file, &self.objects, name) {
            // The other one has gone, or has made an object of its own.
            Ok(()) | Err(Errno::NOENT | Errno::EXIST) => Ok(0),
            failed => failed.at_place("link", place).map(|()| 0),
        }
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

    /// Removes what dead processes left in `tmp/`, and says whether there was anything. Names there begin with the number of their process.
    pub(super) fn remove_leftovers(&self) -> Result<bool, StoreError> {
        let process = |name: &[u8]| name.split(|&byte| byte == b'-').next().unwrap_or_default().to_vec();
        // Before the leases are listed: whoever has something here by now has had a lease before.
        let staged = fsutil::names(self.tmp.as_fd()).at("read directory", self.layout.tmp())?;
        held_by_the_living(&self.layout)?;
        let leases = fsutil::open_directory(&self.layout.leases())?;
        let living: HashSet<_> = fsutil::names(leases.as_fd())
            .at("read directory", self.layout.leases())?
            .into_iter()
            .map(|(name, _)| process(&name))
            .collect();
        let mut removed = false;
        for (name, _) in staged {
            let owner = process(&name);
            if owner.iter().all(u8::is_ascii_digit) && !living.contains(&owner) {
                fsutil::remove_tree_at(self.tmp.as_fd(), OsStr::from_bytes(&name))
                    .at("remove", fsutil::join_bytes(&self.layout.tmp(), &name))?;
                removed = true;
            }
        }
        Ok(removed)
    }
}
