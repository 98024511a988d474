//! What a larder that was killed leaves in `tmp/`: removed by its spawner, which outlives it.
//!
//! Only names that begin with its number are taken, as the store makes them ([`store::local::Staging`]), and only when it is dead and no
//! process of that number has a lease: one in another container may have the same. The lock of collections is held meanwhile, for two who
//! remove the same would be in each other's way. No link is followed. Where a file had another name, which may be an object, a mark stays in
//! `trash/`, so that the next collection looks at all objects.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// So long a collection or repair is waited for, and so often it is looked whether it has ended.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// What a larder may leave, and what has to be known to remove it.
#[derive(Debug)]
pub(super) struct Staged {
    /// Its number.
    pub(super) process: u32,
    /// A descriptor of it.
    pub(super) larder: OwnedFd,
    /// The store's directories of these names.
    pub(super) tmp: OwnedFd,
    pub(super) leases: OwnedFd,
    pub(super) trash: OwnedFd,
}

impl Staged {
    /// Waits for the end of the larder and removes what it has left.
    ///
    /// # Errors
    /// When it cannot: what is there still is left to the next collection.
    pub(super) fn remove(&self) -> Result<(), Errno> {
        // Its descriptors are closed a moment before it is dead.
        wait_for_end(self.larder.as_fd())?;
        let staged = self.own_names(self.tmp.as_fd())?;
        self.lock()?;
        // After the names: who has made one of these has had a lease before.
        if self.is_held()? {
            return Ok(());
        }
        // One that cannot be removed does not keep the others.
        let removed: Vec<_> = staged.iter().map(|name| self.remove_staged(name)).collect();
        removed.into_iter().collect()
    }

    /// Takes the lock of collections, but does not wait for a long one: it removes the same.
    fn lock(&self) -> Result<(), Errno> {
        let began = Instant::now();
        loop {
            match rustix::fs::flock(&self.trash, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) if began.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
                Err(Errno::INTR) => {}
                locked => return locked,
            }
        }
    }

    /// What is in a directory under names that the larder makes.
    fn own_names(&self, directory: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
        let prefix = format!("{}-", self.process);
        let mut names = names(directory)?;
        names.retain(|name| name.to_bytes().starts_with(prefix.as_bytes()));
        Ok(names)
    }

    /// Whether a living process of that number has a lease. Those of dead ones are removed.
    fn is_held(&self) -> Result<bool, Errno> {
        for name in self.own_names(self.leases.as_fd())? {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let lease = match rustix::fs::openat(&self.leases, &name, flags, Mode::empty()) {
                Err(Errno::NOENT) => continue,
                opened => opened?,
            };
            match retry(|| rustix::fs::flock(&lease, FlockOperation::NonBlockingLockExclusive)) {
                Err(Errno::WOULDBLOCK) => return Ok(true),
                locked => locked?,
            }
            or_gone(rustix::fs::unlinkat(&self.leases, &name, AtFlags::empty()))?;
        }
        Ok(false)
    }

    fn remove_staged(&self, name: &CStr) -> Result<(), Errno> {
        let mark = || match rustix::fs::mkdirat(&self.trash, [b"left-", name.to_bytes()].concat(), Mode::RWXU) {
            Err(Errno::EXIST) => Ok(()),
            made => made,
        };
        or_gone(remove(self.tmp.as_fd(), name, &mark))
    }
}

fn wait_for_end(process: BorrowedFd<'_>) -> Result<(), Errno> {
    retry(|| poll(&mut [PollFd::from_borrowed_fd(process, PollFlags::IN)], None)).map(drop)
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// What is gone need not be removed.
fn or_gone(removed: Result<(), Errno>) -> Result<(), Errno> {
    if removed == Err(Errno::NOENT) { Ok(()) } else { removed }
}

fn names(directory: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned();
        if name.as_c_str() != c"." && name.as_c_str() != c".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// Removes what has this name. `shared` is called before a file goes that has other names.
fn remove(parent: BorrowedFd<'_>, name: &CStr, shared: &dyn Fn() -> Result<(), Errno>) -> Result<(), Errno> {
    if unlinked(parent, name, shared)? {
        return Ok(());
    }
    let top = open_to_change(parent, name)?;
    let mut moved = 0_u64;
    loop {
        let subdirectories = unlink_files(&top, shared)?;
        if subdirectories.is_empty() {
            return rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
        }
        // What is deeper is moved up, so that neither descriptors nor the stack run out however deep it is.
        for name in subdirectories {
            let directory = open_to_change(top.as_fd(), &name)?;
            for below in unlink_files(&directory, shared)? {
                // Only who may write to a directory may move it.
                drop(open_to_change(directory.as_fd(), &below)?);
                move_up(&directory, &below, &top, &mut moved)?;
            }
            rustix::fs::unlinkat(&top, &name, AtFlags::REMOVEDIR)?;
        }
    }
}

fn move_up(from: &OwnedFd, name: &CStr, to: &OwnedFd, moved: &mut u64) -> Result<(), Errno> {
    loop {
        *moved += 1;
        match rustix::fs::renameat(from, name, to, format!(".larder-{moved}")) {
            // A build may have had the same idea.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            renamed => return renamed,
        }
    }
}

/// Unlinks every file in a directory; the names of its directories.
fn unlink_files(directory: &OwnedFd, shared: &dyn Fn() -> Result<(), Errno>) -> Result<Vec<CString>, Errno> {
    let mut directories = Vec::new();
    for name in names(directory.as_fd())? {
        if !unlinked(directory.as_fd(), &name, shared)? {
            directories.push(name);
        }
    }
    Ok(directories)
}

/// Unlinks something, unless it is a directory.
fn unlinked(parent: BorrowedFd<'_>, name: &CStr, shared: &dyn Fn() -> Result<(), Errno>) -> Result<bool, Errno> {
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Ok(false);
    }
    if stat.st_nlink > 1 {
        shared()?;
    }
    rustix::fs::unlinkat(parent, name, AtFlags::empty()).map(|()| true)
}

/// Opens a directory, which is given the permissions to change it, whatever a build has left of them.
fn open_to_change(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::openat(parent, name, flags | OFlags::PATH, Mode::empty())?;
    if !Mode::from_raw_mode(rustix::fs::fstat(&found)?.st_mode).contains(Mode::RWXU) {
        // A descriptor that only names it cannot be used for this, and a name could lead elsewhere by now.
        rustix::fs::chmod(format!("/proc/self/fd/{}", found.as_raw_fd()), Mode::RWXU)?;
    }
    rustix::fs::openat(&found, c".", flags | OFlags::RDONLY, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{PidfdFlags, pidfd_open};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::{Path, PathBuf};

    /// A store's directories, and what a process that has ended has staged.
    struct Left {
        top: tempfile::TempDir,
        staged: Staged,
    }

    impl Left {
        fn new() -> Self {
            let top = tempfile::tempdir().expect("a directory");
            let open = |name: &str| {
                let path = top.path().join(name);
                std::fs::create_dir(&path).expect("made");
                OwnedFd::from(std::fs::File::open(path).expect("opened"))
            };
            let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("run");
            let number = i32::try_from(child.id()).expect("small");
            let larder = pidfd_open(rustix::process::Pid::from_raw(number).expect("positive"), PidfdFlags::empty());
            let staged = Staged {
                process: child.id(),
                larder: larder.expect("it lives"),
                tmp: open("tmp"),
                leases: open("leases"),
                trash: open("trash"),
            };
            drop(child.stdin.take());
            child.wait().expect("ended");
            Self { top, staged }
        }

        fn path(&self, place: &str) -> PathBuf {
            self.top.path().join(place.replace("PID", &self.staged.process.to_string()))
        }

        fn make(&self, place: &str) -> PathBuf {
            let place = self.path(place);
            std::fs::create_dir_all(place.parent().expect("it has one")).expect("made");
            std::fs::write(&place, "").expect("written");
            place
        }

        fn names(&self, directory: &str) -> Vec<String> {
            let entries = std::fs::read_dir(self.path(directory)).expect("readable");
            entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect()
        }
    }

    fn forbid(place: &Path) {
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o000)).expect("set");
    }

    #[test]
    fn what_the_dead_staged_goes_and_nothing_else() {
        let left = Left::new();
        let outside = left.make("outside/file");
        forbid(left.make("tmp/PID-0-1/build/a/b/c/file").parent().expect("it has one"));
        forbid(&left.path("tmp/PID-0-1/build/a"));
        left.make("tmp/PID-0-1/build/.larder-1/.larder-2/file");
        symlink(outside.parent().expect("it has one"), left.path("tmp/PID-0-1/link")).expect("linked");
        left.make("tmp/PID-1-1");
        left.make("tmp/PID0-1-1");
        left.make("tmp/failed-PID-1");
        left.make("leases/PID-0-1");
        left.staged.remove().expect("removed");
        let mut there = left.names("tmp");
        there.sort();
        assert_eq!(there, [format!("{}0-1-1", left.staged.process), format!("failed-{}-1", left.staged.process)]);
        assert!(outside.exists() && left.names("leases").is_empty());
        assert_eq!(left.names("trash"), [""; 0], "no object can be left over");
    }

    #[test]
    fn who_has_a_lease_in_that_number_keeps_all() {
        let left = Left::new();
        left.make("tmp/PID-0-1/file");
        let lease = std::fs::File::open(left.make("leases/PID-0-1")).expect("opened");
        rustix::fs::flock(&lease, FlockOperation::LockExclusive).expect("locked");
        left.staged.remove().expect("looked at");
        assert!(left.path("tmp/PID-0-1/file").exists());
        drop(lease);
        left.staged.remove().expect("removed");
        assert_eq!(left.names("tmp"), [""; 0]);
    }

    #[test]
    fn where_a_file_was_an_object_the_next_collection_looks_at_all() {
        let left = Left::new();
        std::fs::hard_link(left.make("tmp/PID-0-1/file"), left.path("object")).expect("linked");
        left.staged.remove().expect("removed");
        assert_eq!(left.names("trash"), [format!("left-{}-0-1", left.staged.process)]);
    }

    #[test]
    fn however_deep_it_is_it_goes() {
        let left = Left::new();
        let mut directory = OwnedFd::from(std::fs::File::open(left.path("tmp")).expect("opened"));
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let first = format!("{}-0-1", left.staged.process);
        for depth in 0..3000 {
            let name = if depth == 0 { first.as_str() } else { "d" };
            rustix::fs::mkdirat(&directory, name, Mode::RWXU).expect("made");
            directory = rustix::fs::openat(&directory, name, flags, Mode::empty()).expect("opened");
        }
        left.staged.remove().expect("removed");
        assert_eq!(left.names("tmp"), [""; 0]);
    }
}
