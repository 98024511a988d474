//! File-system calls with errors that say what was attempted on which path.
//!
//! Everything below a store is reached relative to a directory descriptor and without following links.

use super::effect;
use super::reclaim::allocated;
use crate::shown::shown;
use crate::tree::TreePath;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// An I/O error with its place.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", shown(path))]
pub struct IoError {
    /// What was attempted, as a verb: `open`, `rename`.
    pub action: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

impl IoError {
    /// Whether the system said that the thing does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == std::io::ErrorKind::NotFound
    }

    /// Whether the system said that this user, or anybody, may not do it.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        matches!(self.source.kind(), PermissionDenied | ReadOnlyFilesystem)
    }

    /// Whether the system said that the disk, or what this user may have of it, is full.
    #[must_use]
    pub fn is_lack_of_space(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self.source.kind(), StorageFull | QuotaExceeded)
    }
}

/// Adds the place to an I/O error.
pub trait At<T> {
    /// Says what was attempted on which path.
    ///
    /// # Errors
    /// When `self` is one.
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, IoError>;

    /// The same where the path must be put together first, which is done only if it is to be said.
    ///
    /// # Errors
    /// When `self` is one.
    fn at_place(self, action: &'static str, place: impl FnOnce() -> PathBuf) -> Result<T, IoError>;
}

impl<T, E: Into<std::io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, IoError> {
        self.at_place(action, || path.as_ref().to_owned())
    }

    fn at_place(self, action: &'static str, place: impl FnOnce() -> PathBuf) -> Result<T, IoError> {
        self.map_err(|error| IoError { action, path: place(), source: error.into() })
    }
}

/// Mode of sealed directories.
pub(super) const SEALED_DIRECTORY: Mode = Mode::from_raw_mode(0o555);

/// Mode of a sealed file.
pub(super) const fn sealed_file(executable: bool) -> Mode {
    Mode::from_raw_mode(if executable { 0o555 } else { 0o444 })
}

/// Modification time of everything sealed, in seconds since the epoch.
const FIXED_TIME: i64 = 1;

/// Whether it has the time of what is sealed. A directory has another one as soon as something is added to it or removed.
pub(super) fn has_fixed_time(stat: &Stat) -> bool {
    (stat.st_mtime, stat.st_mtime_nsec) == (FIXED_TIME, 0)
}

/// Opens a directory by path; the last component must not be a link.
pub(super) fn open_directory(path: &Path) -> Result<OwnedFd, IoError> {
    rustix::fs::open(path, directory_flags(), Mode::empty()).at("open directory", path)
}

/// Opens the directory `name` in `parent`.
pub(super) fn open_directory_at(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(parent, name, directory_flags(), Mode::empty())
}

/// Opens a directory some levels below another, without following a link on the way.
pub(super) fn open_beneath(root: BorrowedFd<'_>, path: &TreePath) -> Result<OwnedFd, Errno> {
    let mut directory = open_directory_at(root, OsStr::new("."))?;
    for name in path.components() {
        directory = open_directory_at(directory.as_fd(), OsStr::from_bytes(name.as_bytes()))?;
    }
    Ok(directory)
}

/// The size of what `name` is; 0 if it cannot be looked at.
pub(super) fn size_at(directory: BorrowedFd<'_>, name: &OsStr) -> u64 {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.ok().and_then(|stat| u64::try_from(stat.st_size).ok()).unwrap_or(0)
}

fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Names in a directory with their types.
pub(super) type Names = Vec<(Vec<u8>, FileType)>;

/// The names in a directory and the type each has according to the directory itself, unsorted.
pub(super) fn names(directory: BorrowedFd<'_>) -> Result<Names, Errno> {
    names_once(&open_directory_at(directory, OsStr::new("."))?)
}

/// The same of a directory that was opened for this alone: each of its entries is given once.
pub(super) fn names_once(directory: &OwnedFd) -> Result<Names, Errno> {
    Ok(names_up_to(directory, usize::MAX)?.unwrap_or_default())
}

/// The same, or nothing if there are more than `most`.
pub(super) fn names_up_to(directory: &OwnedFd, most: usize) -> Result<Option<Names>, Errno> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 8192];
    let mut entries = RawDir::new(directory, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push((name.to_bytes().to_vec(), entry.file_type()));
        }
        if names.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(names))
}

/// Removes `name` below `parent` with all it contains, also what is read-only. Says how many bytes of the disk that gives back.
pub(super) fn remove_tree_at(parent: BorrowedFd<'_>, name: &OsStr) -> Result<u64, Errno> {
    let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(0),
        stat => stat?,
    };
    if is_directory(&stat) {
        return remove_directory_at(parent, name);
    }
    match effect::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(0),
        done => done.map(|()| bytes_of_last(&stat)),
    }
}

/// The same for what is known to be a directory.
pub(super) fn remove_directory_at(parent: BorrowedFd<'_>, name: &OsStr) -> Result<u64, Errno> {
    let mut freed = 0;
    let directory = match open_to_empty(parent, name) {
        Err(Errno::NOENT) => return Ok(0),
        opened => opened?,
    };
    // Depth first with an explicit stack: what is removed may be nested deeper than this thread's stack allows.
    let mut pending = vec![Doomed::new(directory, name.as_bytes().to_vec(), &mut freed)?];
    while let Some(Doomed { directory, subdirectories, .. }) = pending.last_mut() {
        let Some(name) = subdirectories.pop() else {
            let Doomed { name, .. } = pending.pop().expect("the loop condition");
            let remove = |parent| effect::unlinkat(parent, OsStr::from_bytes(&name), AtFlags::REMOVEDIR);
            match pending.last().map(|above| above.directory.as_fd()) {
                Some(above) => made_writable_for(above, || remove(above))?,
                None => remove(parent)?,
            }
            continue;
        };
        let subdirectory = open_to_empty(directory.as_fd(), OsStr::from_bytes(&name))?;
        if pending.len() < MAX_OPEN {
            pending.push(Doomed::new(subdirectory, name, &mut freed)?);
        } else {
            move_up(&mut pending, &subdirectory, &name)?;
        }
    }
    Ok(freed)
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// Bytes of the disk that go with this name of a file; none if it has others.
fn bytes_of_last(stat: &Stat) -> u64 {
    if stat.st_nlink == 1 { allocated(stat) } else { 0 }
}

/// So many nested directories are open at once while a tree is removed.
const MAX_OPEN: usize = 100;

/// Moves a subdirectory of the last of the nested directories into the first, to be removed from there.
fn move_up(pending: &mut [Doomed], subdirectory: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    let [first, .., last] = pending else { unreachable!("there are many") };
    // Only who may write to a directory may move it.
    for directory in [subdirectory, &last.directory, &first.directory] {
        effect::fchmod(directory, Mode::RWXU)?;
    }
    let new_name = unique_name(".larder-");
    effect::renameat(&last.directory, OsStr::from_bytes(name), &first.directory, &*new_name)?;
    first.subdirectories.push(new_name.into_bytes());
    Ok(())
}

/// A directory that is being removed, its files already gone.
struct Doomed {
    directory: OwnedFd,
    name: Vec<u8>,
    /// Names in it that are directories.
    subdirectories: Vec<Vec<u8>>,
}

impl Doomed {
    /// Unlinks every file in a directory. What that gives back is added, and what the directory itself will give back.
    fn new(directory: OwnedFd, name: Vec<u8>, freed: &mut u64) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(&directory)?;
        *freed += allocated(&stat);
        // What is sealed may be looked into; whether it may be changed, as by root, shows in time.
        if !Mode::from_raw_mode(stat.st_mode).contains(Mode::RUSR | Mode::XUSR) {
            effect::fchmod(&directory, Mode::RWXU)?;
        }
        let mut subdirectories = Vec::new();
        for (name, kind) in names_once(&directory)? {
            let entry = OsStr::from_bytes(&name);
            if kind == FileType::Directory {
                subdirectories.push(name);
                continue;
            }
            let stat = rustix::fs::statat(&directory, entry, AtFlags::SYMLINK_NOFOLLOW)?;
            // Not every file system says in a directory what is one.
            if is_directory(&stat) {
                subdirectories.push(name);
                continue;
            }
            made_writable_for(directory.as_fd(), || effect::unlinkat(&directory, entry, AtFlags::empty()))?;
            *freed += bytes_of_last(&stat);
        }
        Ok(Self { directory, name, subdirectories })
    }
}

/// Changes a directory that is being removed; if its mode forbids it, after that has been changed. For root no mode forbids anything, and a disk
/// would write each that is changed.
fn made_writable_for(directory: BorrowedFd<'_>, change: impl Fn() -> Result<(), Errno>) -> Result<(), Errno> {
    match change() {
        Err(Errno::ACCESS) => {
            effect::fchmod(directory, Mode::RWXU)?;
            change()
        }
        changed => changed,
    }
}

/// Opens a directory below one that is being removed, also if its mode forbids it: then it is a directory, since of anything else opening
/// it says so, and the change of its mode, which needs no descriptor of it, follows no link.
fn open_to_empty(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    match open_directory_at(parent, name) {
        Err(Errno::ACCESS) => {
            effect::chmodat(parent, name, Mode::RWXU)?;
            open_directory_at(parent, name)
        }
        opened => opened,
    }
}

/// A name that no other process picks: process number and a counter of this process.
pub(super) fn unique_name(prefix: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let started =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
    format!("{prefix}{}-{count}-{started:08x}", std::process::id())
}

/// Puts a file with this content at `place` in one step, whatever was there. It is written as `temporary` first.
pub(super) fn replace_file(place: &Path, temporary: &Path, content: &[u8]) -> Result<(), IoError> {
    effect::write_file(temporary, content)
        .at("write", temporary)
        .and_then(|()| effect::rename(temporary, place).at("rename", temporary))
        .inspect_err(|_| remove_temporary(temporary))
}

/// Removes a file that was to become something else. What remains in `tmp/` is removed by a collection after this process has ended.
pub(super) fn remove_temporary(temporary: &Path) {
    let _ = effect::unlink(temporary);
}

/// Joins bytes to a path.
pub(super) fn join_bytes(path: &Path, name: &[u8]) -> PathBuf {
    path.join(OsStr::from_bytes(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Every level that is held open counts against the limit of open files, which a builder must not be able to exhaust.
    #[test]
    fn few_directories_are_open_at_once_however_deep_a_tree_is() {
        const DEPTH: usize = 3000;
        let base = tempfile::tempdir().expect("a directory");
        let parent = open_directory(base.path()).expect("opened");
        let mut directory = open_directory(base.path()).expect("opened");
        for level in 0..DEPTH {
            rustix::fs::mkdirat(&directory, "d", Mode::RWXU).expect("created");
            directory = open_directory_at(directory.as_fd(), OsStr::new("d")).expect("opened");
            if level % 100 == 0 {
                rustix::fs::mkdirat(&directory, "0-0", Mode::RWXU).expect("created");
                rustix::fs::symlinkat("x", &directory, "l").expect("linked");
            }
        }
        drop(directory);
        let open_now = || std::fs::read_dir("/proc/self/fd").expect("readable").count();
        let most = std::sync::atomic::AtomicUsize::new(0);
        let done = std::sync::atomic::AtomicBool::new(false);
        let before = open_now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    most.fetch_max(open_now(), std::sync::atomic::Ordering::Relaxed);
                }
            });
            remove_tree_at(parent.as_fd(), OsStr::new("d")).expect("removed");
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert!(!base.path().join("d").exists());
        assert!(most.into_inner() < before + DEPTH / 4, "too many directories were open at once");
    }

    #[test]
    fn trees_are_removed_whatever_their_modes_and_depth() {
        let base = tempfile::tempdir().expect("a directory");
        let mut path = base.path().join("t");
        for _ in 0..40 {
            std::fs::create_dir(&path).expect("created");
            std::fs::write(path.join("f"), "x").expect("written");
            path.push("d");
        }
        std::os::unix::fs::symlink(base.path(), base.path().join("t/link")).expect("linked");
        std::fs::set_permissions(base.path().join("t/d"), std::fs::Permissions::from_mode(0o000)).expect("changed");
        let parent = open_directory(base.path()).expect("opened");
        remove_tree_at(parent.as_fd(), OsStr::new("t")).expect("removed");
        assert!(!base.path().join("t").exists() && base.path().exists());
        assert!(remove_tree_at(parent.as_fd(), OsStr::new("t")).is_ok(), "what is gone is removed");
    }
}
