//! What a command that failed has made of the root: the writable layer, which is in memory, copied to the disk before it is gone, so that
//! it can be entered.
//!
//! Invariant: all of it is left, under its name, or none; [`PARTIAL`] and [`MOVED`] are for who keeps the place to remove. Sockets are not copied, nor are set-id bits and any attributes but those by
//! which overlayfs knows what was removed. Every process of the guest is dead meanwhile, so nothing changes.

use super::super::outcome::{SetupError, Step};
use super::super::path::HostPath;
use super::super::spec::{LEFT_INCOMPLETE, LEFT_ROOT};
use super::AtStep;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// More than that is not left: who waits for the failure would wait for it.
const MOST_BYTES: u64 = 256 << 20;
const MOST_ENTRIES: u32 = 50_000;
/// Nor more than this part of what the disk has free.
const PART_OF_DISK: u64 = 4;
/// Directories in directories: each takes a part of this process's stack.
const MOST_LEVELS: u32 = 256;
/// So long it may take: larder takes the command to be running meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where it is copied until it is complete.
const PARTIAL: &str = LEFT_INCOMPLETE[0];
/// A file that was moved away from where a whiteout is.
const MOVED: &str = LEFT_INCOMPLETE[1];

const OPAQUE: &str = "user.overlay.opaque";
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A writable layer, and where it is to be left.
#[derive(Debug)]
pub(super) struct Leaving {
    upper: OwnedFd,
    place: OwnedFd,
}

impl Leaving {
    /// Opens both, while they can be reached.
    pub(super) fn open(upper: &Path, place: &HostPath) -> Result<Self, SetupError> {
        let open =
            |path: &Path| rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty()).at(Step::Overlay, path.display());
        Ok(Self { upper: open(upper)?, place: open(place.as_path())? })
    }

    /// Copies the layer, if that is not too much.
    pub(super) fn leave(&self) -> rustix::io::Result<()> {
        let disk = rustix::fs::fstatvfs(&self.place)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        // Counted first: what is begun and given up would lie there.
        Size { bytes: MOST_BYTES.min(free / PART_OF_DISK), entries: MOST_ENTRIES }.take(self.upper.as_fd(), 0)?;
        let top = make_directory(self.place.as_fd(), PARTIAL)?;
        let copying = Copying { place: self.place.as_fd(), until: Instant::now() + PATIENCE };
        copying.directory(self.upper.as_fd(), top.as_fd())?;
        match rustix::fs::unlinkat(&self.place, MOVED, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        rustix::fs::renameat_with(&self.place, PARTIAL, &self.place, LEFT_ROOT, RenameFlags::NOREPLACE)
    }
}

fn make_directory(above: BorrowedFd<'_>, name: impl rustix::path::Arg + Copy) -> rustix::io::Result<OwnedFd> {
    rustix::fs::mkdirat(above, name, Mode::RWXU)?;
    rustix::fs::openat(above, name, DIRECTORY, Mode::empty())
}

/// What of a layer may still be left.
struct Size {
    bytes: u64,
    entries: u32,
}

impl Size {
    /// Takes what a directory has from it.
    fn take(&mut self, directory: BorrowedFd<'_>, level: u32) -> rustix::io::Result<()> {
        for_each_name(directory, |name| {
            let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let kind = FileType::from_raw_mode(stat.st_mode);
            // A sparse file is as long as it says when it is copied.
            let bytes = if kind.is_file() { u64::try_from(stat.st_size).unwrap_or(u64::MAX) } else { 0 };
            self.bytes = self.bytes.checked_sub(bytes).ok_or(Errno::FBIG)?;
            self.entries = self.entries.checked_sub(1).ok_or(Errno::FBIG)?;
            if !kind.is_dir() {
                return Ok(());
            }
            if level == MOST_LEVELS {
                return Err(Errno::FBIG);
            }
            self.take(rustix::fs::openat(directory, name, DIRECTORY, Mode::empty())?.as_fd(), level + 1)
        })
    }
}

fn for_each_name(
    directory: BorrowedFd<'_>,
    mut then: impl FnMut(&CStr) -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if ![c".", c".."].contains(&entry.file_name()) {
            then(entry.file_name())?;
        }
    }
    Ok(())
}

/// A copy of what is not too much.
struct Copying<'p> {
    place: BorrowedFd<'p>,
    until: Instant,
}

impl Copying<'_> {
    /// Copies what is in a directory, then what is to be said of the directory itself.
    fn directory(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<()> {
        for_each_name(from, |name| self.entry(from, to, name))?;
        let mut value = [0; 1];
        if rustix::fs::fgetxattr(from, OPAQUE, &mut value).is_ok_and(|length| length == 1) {
            rustix::fs::fsetxattr(to, OPAQUE, &value, XattrFlags::empty())?;
        }
        let stat = rustix::fs::fstat(from)?;
        rustix::fs::fchmod(to, mode_of(&stat))?;
        rustix::fs::futimens(to, &times_of(&stat))
    }

    fn entry(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
        if Instant::now() > self.until {
            return Err(Errno::TIMEDOUT);
        }
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let below = rustix::fs::openat(from, name, DIRECTORY, Mode::empty())?;
                return self.directory(below.as_fd(), make_directory(to, name)?.as_fd());
            }
            FileType::RegularFile => return copy_file(from, to, name, &stat),
            FileType::Symlink => rustix::fs::symlinkat(rustix::fs::readlinkat(from, name, Vec::new())?, to, name)?,
            FileType::Fifo => rustix::fs::mknodat(to, name, FileType::Fifo, mode_of(&stat), 0)?,
            // What overlayfs has in the place of what was removed.
            FileType::CharacterDevice if stat.st_rdev == 0 => return self.whiteout(to, name),
            _ => return Ok(()),
        }
        rustix::fs::utimensat(to, name, &times_of(&stat), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// To make a device is forbidden to us as to the guest, so the file system does it: in the place of a file that is moved away.
    fn whiteout(&self, to: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
        rustix::fs::mknodat(to, name, FileType::RegularFile, Mode::empty(), 0)?;
        rustix::fs::renameat_with(to, name, self.place, MOVED, RenameFlags::WHITEOUT)
    }
}

fn copy_file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> rustix::io::Result<()> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut source = File::from(rustix::fs::openat(from, name, flags | OFlags::RDONLY, Mode::empty())?);
    let created = flags | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let mut target = File::from(rustix::fs::openat(to, name, created, Mode::RUSR | Mode::WUSR)?);
    std::io::copy(&mut source, &mut target).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    rustix::fs::fchmod(&target, mode_of(stat))?;
    rustix::fs::futimens(&target, &times_of(stat))
}

fn mode_of(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode & 0o1777)
}

fn times_of(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds: u64| Timespec { tv_sec: seconds, tv_nsec: nanoseconds as i64 };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}
