//! Taking out: the dead are forgotten, leave `store/`, and are unlinked, their objects last.
//!
//! One thread forgets them and takes them out, those that need others first, while it holds the lock that leases are taken under. What has
//! left `store/` for good is unlinked meanwhile on the other cores, which needs no lock. Invariants: the index never says more than the
//! disk, so nothing leaves `store/` that has not been forgotten; and nothing comes back without its files, so nothing is
//! unlinked before the directory `store/` has been synced without it.

use super::effect;
use super::fsutil::{self, At, IoError, unique_name};
use super::index;
use super::layout::object_name;
use super::publish::ABANDONED;
use super::reclaim;
use super::remains::{Freed, Remains};
use super::sweep::{GcProgress, Planned};
use super::tree_files::FileKey;
use super::{LocalStore, StoreError};
use crate::digest::TreeDigest;
use crate::store_path::StorePath;
use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

/// So many trees are taken out before `store/` is synced, and the others may unlink them.
const PORTION: usize = 4096;

/// So many are forgotten at once where there is hardly any room: their rows lie on some hundred pages of the index.
const SMALL: usize = 64;

/// What the one thread tells the other.
enum TakenOut {
    /// These directories will not come back.
    Portion(Portion),
    /// Nothing more comes, and nothing in `trash/` will come back.
    All,
}

/// Directories that were taken out together. They are in one of their own below `trash/`, for one into which more is moved meanwhile would have
/// to be waited for.
struct Portion {
    name: String,
    directory: OwnedFd,
    /// What is in it has the numbers up to this as names.
    count: usize,
}

impl Portion {
    fn new(trash: &OwnedFd) -> Result<Self, Errno> {
        let name = unique_name("dead-");
        effect::mkdirat(trash, &*name, Mode::RWXU)?;
        let directory = fsutil::open_directory_at(trash.as_fd(), OsStr::new(&name))?;
        Ok(Self { name, directory, count: 0 })
    }
}

/// Takes out what is planned to go.
pub(super) struct TakeOut<'a> {
    pub(super) store: &'a LocalStore,
    pub(super) planned: &'a Planned,
    pub(super) remains: &'a Remains,
    /// What lies in `trash/` and stays.
    pub(super) mark: &'a Path,
    pub(super) progress: &'a GcProgress,
}

impl TakeOut<'_> {
    /// Does it, and says what that gives back. `no_leases` is the lock that is held until nothing more is taken out; of the `wanted` trees
    /// the listings stay.
    pub(super) fn run(&self, no_leases: File, wanted: &HashSet<TreeDigest>) -> Result<Freed, StoreError> {
        let (out, taken_out) = channel();
        let take_out = || {
            let _no_leases = no_leases;
            self.take_out(wanted, out)
        };
        let (left, unlinked) = rayon::join(take_out, move || self.unlink(taken_out));
        let left = left?;
        let mut freed = unlinked?;
        freed.trees += left;
        Ok(freed)
    }

    /// Forgets the dead and takes them out of `store/`. Says how many bytes that gives back already; directories are left to who unlinks.
    fn take_out(&self, wanted: &HashSet<TreeDigest>, out: Sender<TakenOut>) -> Result<u64, StoreError> {
        let dead: Vec<_> = self.planned.plan.dead.iter().map(|node| &node.path).collect();
        if !dead.is_empty() {
            self.store.renew_state()?;
            self.forget(&dead)?;
        }
        let trash = fsutil::open_directory(&self.store.layout.trash())?;
        let trees: Vec<_> = dead.into_iter().filter(|path| path.tree().is_some()).collect();
        self.progress.expect(trees.len());
        let mut freed = 0;
        for paths in trees.chunks(PORTION) {
            let mut portion = None;
            for path in paths {
                freed += self.take_out_one(&path.base_name(), &trash, &mut portion)?;
            }
            self.store.sync_names()?;
            // Who has failed to unlink says so itself; the rest is left for the next collection.
            let _ = portion.map_or(Ok(()), |portion| out.send(TakenOut::Portion(portion)));
        }
        let _ = out.send(TakenOut::All);
        self.forget_listings(wanted)?;
        Ok(freed)
    }

    /// Forgets paths and derivations. What is still there when this process is killed is indexed by the next collection.
    fn forget(&self, dead: &[&StorePath]) -> Result<(), StoreError> {
        self.change_index(dead, |transaction, dead| {
            let mut sorted = dead.to_vec();
            sorted.par_sort_unstable();
            index::delete_paths(transaction, sorted.iter().copied())?;
            index::delete_derivations(transaction, sorted.iter().filter_map(|path| path.derivation()))
        })
    }

    /// Changes the index for all of these in one transaction; where there is no room for the log of that, in small ones, one after the other.
    fn change_index<T>(
        &self,
        all: &[T],
        change: impl Fn(&rusqlite::Transaction<'_>, &[T]) -> Result<(), rusqlite::Error>,
    ) -> Result<(), StoreError> {
        let index = &self.store.index;
        let once = |some: &[T]| {
            let changed = index.change(|transaction| change(transaction, some));
            changed.map_err(|error: rusqlite::Error| self.store.index_error(error))
        };
        match once(all) {
            Err(error) if error.is_lack_of_space() => all.chunks(SMALL).try_for_each(|some| {
                index.empty_log();
                once(some)
            }),
            changed => changed,
        }
    }

    /// Forgets what trees consisted of that have no path any more. Nobody asks for that, so it has time; but only while nobody can
    /// begin to publish one of them, who would find it recorded.
    fn forget_listings(&self, wanted: &HashSet<TreeDigest>) -> Result<(), StoreError> {
        let dead = self.planned.plan.dead.iter().filter_map(|node| node.path.tree());
        let mut trees: Vec<_> = dead.chain(self.planned.pathless.iter().copied()).collect();
        trees.retain(|tree| !wanted.contains(tree));
        if trees.is_empty() {
            return Ok(());
        }
        trees.par_sort_unstable();
        self.change_index(&trees, |transaction, trees| index::delete_listings(transaction, trees.iter().copied()))
    }

    /// Takes one entry out of `store/`, in one step: a directory goes to `trash/` with all that is in it. Says how many bytes that gives
    /// back at once.
    fn take_out_one(&self, name: &str, trash: &OwnedFd, portion: &mut Option<Portion>) -> Result<u64, IoError> {
        let store = &self.store.store;
        let place = || self.store.layout.store().join(name);
        let stat = match rustix::fs::statat(store, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(0),
            stat => stat.at_place("stat", place)?,
        };
        if !FileType::from_raw_mode(stat.st_mode).is_dir() {
            effect::unlinkat(store, name, AtFlags::empty()).at_place("remove", place)?;
            self.progress.step();
            return Ok(if stat.st_nlink == 1 { reclaim::allocated(&stat) } else { 0 });
        }
        let portion = match portion {
            Some(portion) => portion,
            none => none.insert(Portion::new(trash).at_place("create directory in", || self.store.layout.trash())?),
        };
        let to = portion.count.to_string();
        match effect::renameat(store, name, &portion.directory, &*to) {
            // Only who may write to a directory may move it elsewhere.
            Err(Errno::ACCESS) => {
                effect::chmodat(store, name, Mode::RWXU).at_place("change the mode of", place)?;
                effect::renameat(store, name, &portion.directory, &*to).at_place("rename", place)?;
            }
            renamed => renamed.at_place("rename", place)?,
        }
        portion.count += 1;
        Ok(0)
    }

    /// Unlinks what the other thread takes out, what there was to be removed before, and at last objects.
    fn unlink(&self, taken_out: Receiver<TakenOut>) -> Result<Freed, StoreError> {
        let mut freed = Freed::default();
        if self.remains.may_leave_objects() {
            // Who was interrupted may not have come to sync what it had taken out.
            self.store.sync_names()?;
        }
        self.remains.remove(&mut freed)?;
        let candidates = self.store.objects_to_try(self.planned.records.files(), self.planned, self.remains)?;
        self.progress.expect(candidates.len());
        let trash = fsutil::open_directory(&self.store.layout.trash())?;
        // If it ends without having said that this is all, something has failed, and what is in `trash/` may come back.
        while let Ok(next) = taken_out.recv() {
            match next {
                TakenOut::Portion(portion) => freed.trees += self.unlink_portion(&trash, &portion)?,
                TakenOut::All => {
                    freed.trees += self.empty_trash(&trash)?;
                    freed.trees += self.remove_objects(&candidates)?;
                    break;
                }
            }
        }
        Ok(freed)
    }

    fn unlink_portion(&self, trash: &OwnedFd, portion: &Portion) -> Result<u64, StoreError> {
        let place = || self.store.layout.trash().join(&portion.name);
        let one = |number: usize| {
            self.progress.step();
            let name = number.to_string();
            fsutil::remove_directory_at(portion.directory.as_fd(), OsStr::new(&name))
                .at_place("remove", || place().join(name))
        };
        let freed = (0..portion.count).into_par_iter().map(one).try_reduce(|| 0, |a, b| Ok(a + b))?;
        effect::unlinkat(trash, &*portion.name, AtFlags::REMOVEDIR).at_place("remove", place)?;
        Ok(freed)
    }

    /// Unlinks what else is in `trash/`: what was no tree, for one. What has been abandoned meanwhile is the next collection's.
    fn empty_trash(&self, trash: &OwnedFd) -> Result<u64, StoreError> {
        let place = self.store.layout.trash();
        let mut freed = 0;
        for (name, _) in fsutil::names(trash.as_fd()).at("read directory", &place)? {
            let name = OsStr::from_bytes(&name);
            if Some(name) != self.mark.file_name() && !name.as_bytes().starts_with(ABANDONED.as_bytes()) {
                freed += fsutil::remove_tree_at(trash.as_fd(), name).at_place("remove", || place.join(name))?;
            }
        }
        Ok(freed)
    }

    /// Removes those of these objects that no tree links to any more.
    fn remove_objects(&self, candidates: &[FileKey]) -> Result<u64, StoreError> {
        // Sorted, so that each directory is one thread's.
        let directories: Vec<_> = candidates.chunk_by(|(a, _), (b, _)| a.as_bytes()[0] == b.as_bytes()[0]).collect();
        let freed = directories.into_par_iter().map(|objects| self.remove_objects_in_one_directory(objects));
        Ok(freed.try_reduce(|| 0, |a, b| Ok(a + b))?)
    }

    fn remove_objects_in_one_directory(&self, candidates: &[FileKey]) -> Result<u64, IoError> {
        let mut freed = 0;
        let mut opened = None;
        for (blob, executable) in candidates {
            self.progress.step();
            let object = object_name(blob, *executable);
            let (name, file) = object.split_once('/').expect("objects lie in directories");
            let directory = match &opened {
                Some(directory) => directory,
                None => match fsutil::open_directory_at(self.store.objects.as_fd(), OsStr::new(name)) {
                    Err(Errno::NOENT) => continue,
                    found => {
                        opened.insert(found.at_place("open directory", || self.store.layout.objects().join(name))?)
                    }
                },
            };
            freed += self.remove_object(directory, file, &object)?;
        }
        Ok(freed)
    }

    /// Removes one object if it is the last link to its file.
    fn remove_object(&self, directory: &OwnedFd, name: &str, object: &str) -> Result<u64, IoError> {
        let place = || self.store.layout.objects().join(object);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(0),
            opened => opened.at_place("open", place)?,
        };
        let stat = rustix::fs::fstat(&file).at_place("stat", place)?;
        if stat.st_nlink > 1 {
            return Ok(0);
        }
        effect::unlinkat(directory, name, AtFlags::empty()).at_place("remove", place)?;
        // Between the look and this somebody may have linked to it, who counts on there being an object.
        if rustix::fs::fstat(&file).at_place("stat", place)?.st_nlink == 0 {
            return Ok(reclaim::allocated(&stat));
        }
        match effect::link_open_file(&file, directory, name) {
            // The other one has gone, or has made an object of its own.
            Ok(()) | Err(Errno::NOENT | Errno::EXIST) => Ok(0),
            failed => failed.at_place("link", place).map(|()| 0),
        }
    }
}
