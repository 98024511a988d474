//! Sites: what a build may write to of the disk, `build` for its files and `out` for its outputs. And what builds that have ended leave to
//! be done when there is time.
//!
//! A site is used again by another build, for making and removing directories takes longer than a small build does. Invariants: one build
//! has it at a time; but for its number and its age a build finds it as if it were new: empty, small, with mode, times and flags of a
//! directory that was just made. What cannot be brought into that state is removed.

use crate::builder::Builder;
use crate::publisher::Lent;
use rustix::fs::{CWD, Dir, Mode, OFlags, Timespec, Timestamps, UTIME_NOW};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{MutexGuard, PoisonError};
use store::local::{At, IoError, Staging, StoreError};

/// A directory that has grown beyond this may stay large, and slow, when it is empty again.
const LARGEST: i64 = 4096;

/// The mode of a build's directories.
const MODE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP).union(Mode::ROTH).union(Mode::XOTH);

/// What builds that have ended leave.
#[derive(Debug, Default)]
pub(crate) struct Left {
    sites: Vec<Staging>,
    trees: Vec<Lent>,
}

/// Makes a directory that a build may write to, if it is not there.
pub(crate) fn make_directory(place: &Path) -> Result<(), IoError> {
    match rustix::fs::mkdir(place, MODE) {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        // Whatever larder's umask is.
        made => made.and_then(|()| rustix::fs::chmod(place, MODE)).at("create directory", place),
    }
}

/// Makes a file for a build, if it is not there. A link that a failed build left at its place is not followed.
pub(crate) fn make_file(place: &Path, text: &str) -> Result<(), IoError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    let made = match rustix::fs::open(place, flags, mode) {
        Err(rustix::io::Errno::EXIST) => return Ok(()),
        made => made.at("create", place)?,
    };
    // Whatever larder's umask is.
    rustix::fs::fchmod(&made, mode).at("change the mode of", place)?;
    File::from(made).write_all(text.as_bytes()).at("write", place)
}

impl Builder<'_> {
    /// A site that no build has.
    pub(crate) fn take_site(&self) -> Result<Staging, StoreError> {
        let free = self.sites.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.map_or_else(|| self.store().stage(), Ok)
    }

    /// Leaves the site of a build whose outputs are taken. Every process of it has ended.
    pub(crate) fn leave_site(&self, site: Staging) {
        // To remove what is there may take long, and would keep another build waiting then.
        if is_empty(&site.path().join("build")) {
            self.left().sites.push(site);
        }
    }

    /// Gives back what a build had borrowed.
    pub(crate) fn give_back(&self, lent: Lent) {
        self.left().trees.push(lent);
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        // Each change is one statement.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clears away what ended builds have left. To be called when there is time: a build has just been started.
    pub(crate) fn clear_away(&self) {
        let Left { sites, trees } = std::mem::take(&mut *self.left());
        drop(trees);
        for site in sites {
            if renew(site.path()).is_ok_and(|renewed| renewed) {
                self.sites.lock().unwrap_or_else(PoisonError::into_inner).push(site);
            }
        }
    }
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

/// Makes a site as if it were new. False if it cannot be.
fn renew(site: &Path) -> rustix::io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let above = rustix::fs::openat(CWD, site, flags, Mode::empty())?;
    // A new directory has those of the one that it is made in.
    let usual = rustix::fs::ioctl_getflags(&above);
    for name in ["build", "out"] {
        let directory = rustix::fs::openat(&above, name, flags, Mode::empty())?;
        let is_small = rustix::fs::fstat(&directory)?.st_size <= LARGEST;
        let dots = [c".", c".."];
        let is_empty =
            Dir::read_from(&directory)?.all(|entry| entry.is_ok_and(|entry| dots.contains(&entry.file_name())));
        if !is_small || !is_empty || rustix::fs::ioctl_getflags(&directory) != usual {
            return Ok(false);
        }
        rustix::fs::fchmod(&directory, MODE)?;
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        rustix::fs::futimens(&directory, &Timestamps { last_access: now, last_modification: now })?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    fn site() -> (tempfile::TempDir, [PathBuf; 2]) {
        let site = tempfile::tempdir().expect("a directory");
        let places = ["build", "out"].map(|name| site.path().join(name));
        places.iter().for_each(|place| make_directory(place).expect("made"));
        (site, places)
    }

    #[test]
    fn a_site_is_as_a_new_one_again() {
        let (site, places) = site();
        for place in &places {
            let long_ago = SystemTime::now() - Duration::from_secs(1000);
            std::fs::File::open(place).expect("opened").set_modified(long_ago).expect("set");
            std::fs::set_permissions(place, PermissionsExt::from_mode(0o2700)).expect("set");
        }
        assert!(renew(site.path()).expect("looked at"));
        for place in &places {
            let data = place.metadata().expect("there");
            assert_eq!(data.mode() & 0o7777, 0o755);
            assert!(data.modified().expect("a time").elapsed().is_ok_and(|age| age < Duration::from_secs(500)));
        }
    }

    #[test]
    fn what_a_build_changed_for_good_is_not_used_again() {
        let (left_something, places) = site();
        std::fs::write(places[0].join(".hidden"), "").expect("written");
        assert!(!renew(left_something.path()).expect("looked at"));

        let (exchanged, places) = site();
        std::fs::remove_dir(&places[1]).expect("removed");
        std::os::unix::fs::symlink("/", &places[1]).expect("linked");
        assert!(renew(exchanged.path()).is_err());

        let (flagged, places) = site();
        let directory = std::fs::File::open(&places[0]).expect("opened");
        // Where the file system has no flags nobody can leave any.
        if let Ok(flags) = rustix::fs::ioctl_getflags(&directory)
            && rustix::fs::ioctl_setflags(&directory, flags | rustix::fs::IFlags::NOATIME).is_ok()
        {
            assert!(!renew(flagged.path()).expect("looked at"));
        }
    }
}
