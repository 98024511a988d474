//! Remains: what a collection removes beside dead trees. What dead processes and interrupted collections left goes at once; failed
//! builds, fetches that were interrupted, logs, evaluations and what failed verification go when they are old.

use super::effect;
use super::fsutil::{self, At, IoError, unique_name};
use super::index::Index;
use super::layout::Layout;
use super::lease::{living, process_of};
use super::publish::ABANDONED;
use super::rebuild::tree_path;
use super::reclaim::{Reclaim, look};
use super::{LocalStore, StoreError};
use crate::store_path::StorePath;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a collection gives back to the disk, in bytes, by what it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// Dead trees, with the objects that nothing else links to.
    pub trees: u64,
    /// Records of what is dead.
    pub records: u64,
    /// What dead processes, interrupted collections and interrupted fetches left.
    pub leftovers: u64,
    /// Trees that failed builds left.
    pub failed_builds: u64,
    /// What failed verification.
    pub quarantine: u64,
    /// Logs of builds.
    pub logs: u64,
    /// What evaluations came to.
    pub evaluations: u64,
}

impl Freed {
    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }

    /// Each by its name.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, u64); 7] {
        [
            ("trees", self.trees),
            ("records", self.records),
            ("leftovers", self.leftovers),
            ("failed builds", self.failed_builds),
            ("quarantine", self.quarantine),
            ("logs", self.logs),
            ("evaluations", self.evaluations),
        ]
    }

    fn of(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Leftover | Kind::Fetch => &mut self.leftovers,
            Kind::FailedBuild | Kind::Refused => &mut self.failed_builds,
            Kind::Quarantine => &mut self.quarantine,
            Kind::Log => &mut self.logs,
            Kind::Evaluation => &mut self.evaluations,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Leftover,
    /// What had arrived of a file when it was no longer fetched.
    Fetch,
    FailedBuild,
    /// What a build made that was not what it must be: sealed, so its files may be objects.
    Refused,
    Quarantine,
    Log,
    Evaluation,
}

impl Kind {
    /// What is younger is not removed.
    const fn age(self) -> Duration {
        const DAY: u64 = 86_400;
        Duration::from_secs(match self {
            Self::Leftover => 0,
            Self::Fetch | Self::FailedBuild | Self::Refused => 7 * DAY,
            Self::Quarantine | Self::Evaluation => 30 * DAY,
            Self::Log => 90 * DAY,
        })
    }
}

/// Something that is to be removed.
#[derive(Debug)]
struct Remain {
    kind: Kind,
    directory: Arc<OwnedFd>,
    name: Vec<u8>,
    place: PathBuf,
}

/// All that is to be removed beside dead trees.
#[derive(Debug)]
pub(super) struct Remains {
    /// When that was looked at, in seconds since the epoch.
    now: u64,
    trash: OwnedFd,
    all: Vec<Remain>,
}

impl Remains {
    /// Whether some of it may have been the last to need an object.
    pub(super) fn may_leave_objects(&self) -> bool {
        self.all.iter().any(|remain| matches!(remain.kind, Kind::Leftover | Kind::Quarantine | Kind::Refused))
    }

    /// Says what removing them gives back, after what was removed before.
    pub(super) fn measure(&self, reclaim: &mut Reclaim, freed: &mut Freed) -> Result<(), IoError> {
        for remain in &self.all {
            let found = look(remain.directory.as_fd(), OsStr::from_bytes(&remain.name)).at("stat", &remain.place)?;
            *freed.of(remain.kind) += reclaim.remove(&found);
        }
        Ok(())
    }

    /// Removes them.
    pub(super) fn remove(&self, freed: &mut Freed) -> Result<(), IoError> {
        for remain in &self.all {
            // It may have been replaced since by a younger one.
            let may_be_young = !matches!(remain.kind, Kind::Leftover | Kind::Quarantine);
            if may_be_young && !is_old(remain.directory.as_fd(), &remain.name, remain.kind, self.now) {
                continue;
            }
            let removed = match remain.kind {
                Kind::Refused => self.remove_refused(remain),
                _ => fsutil::remove_tree_at(remain.directory.as_fd(), OsStr::from_bytes(&remain.name)),
            };
            match removed {
                Ok(bytes) => *freed.of(remain.kind) += bytes,
                Err(error) if remain.kind == Kind::Leftover => return Err(error).at("remove", &remain.place),
                // Only to clean up: what cannot be removed is left for the next time.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Takes it away in one step before it is removed: somebody may be about to take it for verification.
    fn remove_refused(&self, remain: &Remain) -> Result<u64, Errno> {
        let name = unique_name(ABANDONED);
        effect::renameat(&*remain.directory, OsStr::from_bytes(&remain.name), &self.trash, &*name)?;
        fsutil::remove_tree_at(self.trash.as_fd(), OsStr::new(&name))
    }

    fn add(
        &mut self,
        kind: Kind,
        place: PathBuf,
        wanted: impl Fn(BorrowedFd<'_>, &[u8]) -> bool,
    ) -> Result<(), IoError> {
        let directory = match fsutil::open_directory(&place) {
            // Made when first needed.
            Err(error) if error.is_not_found() => return Ok(()),
            opened => Arc::new(opened?),
        };
        for (name, _) in fsutil::names(directory.as_fd()).at("read directory", &place)? {
            if wanted(directory.as_fd(), &name) {
                let place = fsutil::join_bytes(&place, &name);
                self.all.push(Remain { kind, directory: Arc::clone(&directory), name, place });
            }
        }
        Ok(())
    }

    fn add_old(&mut self, kind: Kind, place: PathBuf, prefix: &str) -> Result<(), IoError> {
        let now = self.now;
        self.add(kind, place, |directory, name| {
            name.starts_with(prefix.as_bytes()) && is_old(directory, name, kind, now)
        })
    }
}

/// Whether nothing has happened to this for so long that it goes.
fn is_old(directory: BorrowedFd<'_>, name: &[u8], kind: Kind, now: u64) -> bool {
    let stat = rustix::fs::statat(directory, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW);
    let changed = stat.ok().and_then(|stat| u64::try_from(stat.st_ctime).ok());
    changed.is_some_and(|time| time.saturating_add(kind.age().as_secs()) < now)
}

impl LocalStore {
    /// What is to be removed beside dead trees.
    pub(super) fn remains(&self) -> Result<Remains, StoreError> {
        self.remains_at(super::now())
    }

    fn remains_at(&self, now: u64) -> Result<Remains, StoreError> {
        let trash = fsutil::open_directory(&self.layout.trash())?;
        let mut remains = Remains { now, trash, all: Vec::new() };
        remains.add(Kind::Leftover, self.layout.trash(), |_, _| true)?;
        let staged = fsutil::names(self.tmp.as_fd()).at("read directory", self.layout.tmp())?;
        // Only now: whoever has something here by then has had a lease before.
        let living = processes(&self.layout)?;
        let staged: HashSet<_> = staged.into_iter().map(|(name, _)| name).collect();
        let is_left = |name: &[u8]| process_of(name).is_some_and(|process| !living.contains(&process));
        remains.add(Kind::Leftover, self.layout.tmp(), |_, name| staged.contains(name) && is_left(name))?;
        remains.add_old(Kind::FailedBuild, self.layout.tmp(), "failed-")?;
        remains.add_old(Kind::Refused, self.layout.tmp(), "refused-")?;
        remains.add_old(Kind::Fetch, self.layout.tmp(), "fetch-")?;
        // Of a larder of before, which was killed.
        remains.add_old(Kind::FailedBuild, self.layout.tmp(), "lock-")?;
        let is_restored = |name: &[u8]| {
            let path = std::str::from_utf8(name).ok().and_then(|name| StorePath::parse_base_name(name).ok());
            path.is_some_and(|path| path.tree().is_some() && self.layout.path(&path).symlink_metadata().is_ok())
        };
        remains.add(Kind::Quarantine, self.layout.quarantine(), |directory, name| {
            is_restored(name) || is_old(directory, name, Kind::Quarantine, now)
        })?;
        let compacted = self.ask(Index::compacted_segments)?;
        let is_compacted = |name: &[u8]| compacted.iter().any(|segment| segment.as_bytes() == name);
        remains.add(Kind::Leftover, self.layout.records(), |_, name| is_compacted(name))?;
        remains.add_old(Kind::Log, self.layout.logs(), "")?;
        remains.add_old(Kind::Evaluation, self.layout.evaluations(), "")?;
        Ok(remains)
    }

    /// Adds what a process that was killed has moved into `store/` under these names without telling the index. A collection indexes it, and
    /// collects it with all else; who only asks must not change anything.
    pub(super) fn add_unknown(
        &self,
        remains: &mut Remains,
        names: &[&[u8]],
        held: &HashSet<&StorePath>,
    ) -> Result<(), IoError> {
        let place = self.layout.store();
        let directory = Arc::new(fsutil::open_directory(&place)?);
        for name in names.iter().filter(|name| !tree_path(name).is_some_and(|path| held.contains(&path))) {
            remains.all.push(Remain {
                kind: Kind::Leftover,
                directory: Arc::clone(&directory),
                name: name.to_vec(),
                place: fsutil::join_bytes(&place, name),
            });
        }
        Ok(())
    }
}

/// The living processes that have a lease.
fn processes(layout: &Layout) -> Result<HashSet<u32>, IoError> {
    Ok(living(layout)?.into_iter().map(|lease| lease.process).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::OpenOptions;

    const DAY: u64 = 86_400;

    /// What is left below `tmp/` after what was there has become so old.
    fn left_after(age: u64) -> Vec<String> {
        let place = tempfile::tempdir().expect("a directory");
        let store = LocalStore::open(place.path(), OpenOptions { durable: false }).expect("opened");
        for name in ["failed-a/build", "refused-b/outputs", "4194305-0-0/d"] {
            std::fs::create_dir_all(store.layout().tmp().join(name)).expect("made");
        }
        std::fs::write(store.layout().tmp().join("fetch-sha256-00"), "begun").expect("written");
        let remains = store.remains_at(super::super::now() + age).expect("looked at");
        remains.remove(&mut Freed::default()).expect("removed");
        let entries = std::fs::read_dir(store.layout().tmp()).expect("readable");
        let mut left: Vec<_> =
            entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
        left.sort();
        left
    }

    #[test]
    fn what_failed_builds_and_interrupted_fetches_left_goes_after_seven_days() {
        assert_eq!(left_after(6 * DAY), ["failed-a", "fetch-sha256-00", "refused-b"]);
        assert_eq!(left_after(8 * DAY), [""; 0]);
    }

    #[test]
    fn objects_may_be_left_by_what_was_refused_and_not_by_what_never_was_sealed() {
        let place = tempfile::tempdir().expect("a directory");
        let store = LocalStore::open(place.path(), OpenOptions { durable: false }).expect("opened");
        for (name, may_leave) in [("failed-a", false), ("refused-b", true)] {
            std::fs::create_dir(store.layout().tmp().join(name)).expect("made");
            let remains = store.remains_at(super::super::now() + 8 * DAY).expect("looked at");
            assert_eq!(remains.may_leave_objects(), may_leave, "{name}");
        }
    }
}
