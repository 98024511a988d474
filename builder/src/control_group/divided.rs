//! The group that larder was started in, divided: whether that can be, doing it, and undoing it.

use super::hierarchy::{self, Place};
use super::limit::settings;
use super::{CONTROLLERS, Group, Lacking, Undivided};
use crate::sandbox::Limits;
use rustix::fs::{Access, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Files of a group that decide who may divide it.
const FILES: [&str; 2] = [PROCESSES, ENABLED];
const PROCESSES: &str = "cgroup.procs";
const ENABLED: &str = "cgroup.subtree_control";
/// The leaf for larder itself.
const SELF: &str = "self";
/// So long the end of killed processes is waited for when larder ends; what is left then the next one removes.
const PATIENCE: Duration = Duration::from_millis(500);

/// A group that can be divided, as far as can be told without trying.
#[derive(Debug)]
pub(super) struct Survey {
    group: PathBuf,
    controllers: Vec<&'static str>,
    must_leave: bool,
}

impl Survey {
    /// The group.
    pub(super) fn group(&self) -> &Path {
        &self.group
    }

    /// Those of the wanted controllers that it has.
    pub(super) fn controllers(&self) -> &[&'static str] {
        &self.controllers
    }
}

/// Looks whether this process's own group can be divided, changing nothing.
pub(super) fn survey(own: Option<Place>, wanted: &[&'static str]) -> Result<Survey, Undivided> {
    let Place { group, .. } = own.ok_or(Undivided::NoHierarchy)?;
    let read = |name: &str| std::fs::read_to_string(group.join(name)).unwrap_or_default();
    let offered = read("cgroup.controllers");
    let controllers: Vec<_> =
        wanted.iter().copied().filter(|wanted| offered.split_whitespace().any(|offered| offered == *wanted)).collect();
    if controllers.is_empty() {
        return Err(Undivided::NoControllers(group));
    }
    let files = FILES.iter().map(|name| group.join(name)).chain([group.clone()]);
    if files.into_iter().any(|file| rustix::fs::access(&file, Access::WRITE_OK).is_err()) {
        return Err(Undivided::NotDelegated(group));
    }
    // Only the root of the hierarchy, which has no type, may be divided with processes in it.
    let must_leave = group.join("cgroup.type").exists();
    let this = std::process::id().to_string();
    if must_leave && read(PROCESSES).lines().any(|process| process != this) {
        return Err(Undivided::Occupied(group));
    }
    Ok(Survey { group, controllers, must_leave })
}

/// A divided group. Dropped, it is as it was before.
#[derive(Debug)]
pub(crate) struct Divided {
    survey: Survey,
    /// Its controllers that were not enabled before.
    enabled: Vec<&'static str>,
    /// The directory in it that is this larder's.
    top: PathBuf,
    _lock: OwnedFd,
    next: AtomicU64,
    /// Groups of sandboxes that may not have ended to the last process.
    left: Mutex<Vec<Group>>,
}

impl Divided {
    /// Divides this process's own group.
    pub(crate) fn open() -> Result<Self, Undivided> {
        Self::of(survey(hierarchy::own(), &CONTROLLERS)?)
    }

    fn of(survey: Survey) -> Result<Self, Undivided> {
        sweep(&survey.group);
        let (top, lock) = make_top(&survey.group)?;
        let before = std::fs::read_to_string(survey.group.join(ENABLED)).unwrap_or_default();
        let is_new = |wanted: &&str| !before.split_whitespace().any(|enabled| enabled == *wanted);
        let enabled = survey.controllers.iter().copied().filter(is_new).collect();
        let (next, left) = Default::default();
        // From here on, whatever fails is undone.
        let divided = Self { survey, enabled, top, _lock: lock, next, left };
        if divided.survey.must_leave {
            let leaf = divided.top.join(SELF);
            at(&leaf, std::fs::create_dir(&leaf))?;
            write(&leaf.join(PROCESSES), "0")?;
        }
        for group in [&divided.survey.group, &divided.top] {
            divided.enable(group).map_err(|source| match source.raw_os_error() {
                Some(libc::EBUSY) => Undivided::Occupied(group.clone()),
                _ => Undivided::Failed { path: group.join(ENABLED), source },
            })?;
        }
        Ok(divided)
    }

    fn enable(&self, group: &Path) -> io::Result<()> {
        std::fs::write(group.join(ENABLED), signed('+', &self.survey.controllers))
    }

    /// What cannot be limited all the same.
    pub(crate) fn lacking(&self) -> Option<Lacking> {
        Lacking::of(&self.survey.group, &self.survey.controllers)
    }

    /// Makes a group for a sandbox.
    pub(crate) fn make(&self, limits: &Limits) -> Result<Group, Undivided> {
        self.remove_left();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Group::make(self.top.join(number.to_string()), &settings(limits, &self.survey.controllers))
    }

    /// Takes a group back whose sandbox has ended, or will at once.
    pub(crate) fn take_back(&self, group: Group) {
        if group.remove().is_err() {
            self.lock_left().push(group);
        }
    }

    /// Removes what is left as far as it has ended; gives whether that is all.
    fn remove_left(&self) -> bool {
        let mut left = self.lock_left();
        left.retain(|group| group.remove().is_err());
        left.is_empty()
    }

    fn lock_left(&self) -> std::sync::MutexGuard<'_, Vec<Group>> {
        // Each change is one call.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Divided {
    fn drop(&mut self) {
        let end = Instant::now() + PATIENCE;
        while !self.remove_left() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        let own = &self.survey.group;
        // A group that is divided takes no process, and none is undivided above another that is divided.
        for (group, controllers) in [(&self.top, &self.survey.controllers), (own, &self.enabled)] {
            if !controllers.is_empty() {
                let _ = std::fs::write(group.join(ENABLED), signed('-', controllers));
            }
        }
        if self.survey.must_leave {
            let _ = std::fs::write(own.join(PROCESSES), "0");
            let _ = std::fs::remove_dir(self.top.join(SELF));
        }
        // What cannot be removed now the next one does.
        let _ = std::fs::remove_dir(&self.top);
    }
}

/// `+cpu +memory`
fn signed(sign: char, controllers: &[&str]) -> String {
    controllers.iter().map(|controller| format!("{sign}{controller}")).collect::<Vec<_>>().join(" ")
}

fn at(path: &Path, result: io::Result<()>) -> Result<(), Undivided> {
    result.map_err(|source| Undivided::Failed { path: path.to_owned(), source })
}

fn write(file: &Path, text: &str) -> Result<(), Undivided> {
    at(file, std::fs::write(file, text))
}

/// A new directory in a group, locked.
fn make_top(group: &Path) -> Result<(PathBuf, OwnedFd), Undivided> {
    let mut number = 0;
    loop {
        let top = group.join(format!("larder-{}-{number}", std::process::id()));
        match std::fs::create_dir(&top) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => {
                at(&top, made)?;
                // Another larder may take it for one that a dead one left, until it is locked.
                match lock(&top) {
                    Ok(Some(lock)) => return Ok((top, lock)),
                    Ok(None) => {}
                    Err(source) => {
                        let _ = std::fs::remove_dir(&top);
                        return Err(Undivided::Failed { path: top, source });
                    }
                }
            }
        }
    }
}

/// Locks a directory; `None` if somebody else has locked or removed it.
fn lock(directory: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let locked = || {
        let opened = rustix::fs::open(directory, flags, Mode::empty())?;
        rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive)?;
        let (ours, there) = (rustix::fs::fstat(&opened)?, rustix::fs::lstat(directory)?);
        Ok((ours.st_ino == there.st_ino).then_some(opened))
    };
    match locked() {
        Err(Errno::NOENT | Errno::WOULDBLOCK) => Ok(None),
        locked => Ok(locked?),
    }
}

/// Removes what larders that are dead have left in a group.
fn sweep(group: &Path) {
    for top in directories(group).filter(|top| is_ours(top)) {
        let Ok(Some(_lock)) = lock(&top) else { continue };
        for left in directories(&top) {
            // Nobody has these processes any more. Who is about to end keeps the directory until the next time.
            let _ = std::fs::write(left.join("cgroup.kill"), "1");
            let _ = std::fs::remove_dir(&left);
        }
        let _ = std::fs::remove_dir(&top);
    }
}

fn directories(group: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(group).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// Whether a directory has a name as [`make_top`] gives it.
fn is_ours(directory: &Path) -> bool {
    let name = directory.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("larder-"));
    let number = |text: &str| text.parse::<u32>().is_ok();
    name.and_then(|name| name.split_once('-')).is_some_and(|(process, count)| number(process) && number(count))
}

#[cfg(test)]
mod tests;
