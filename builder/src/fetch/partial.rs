//! The file that is fetched into: created by us, hashed while it is written, gone unless it is wanted.
//!
//! As soon as there is much of it, it moves to where the next fetch of the same goes on with it should this one be interrupted, however
//! that happens. Invariants: what was begun by somebody is gone on with by one at a time, who has a lock on it; what is at the destination
//! is there whole.

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_NOW};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use store::file_hash::FileHasher;
use store::{FileHash, HashAlgorithm};

/// Less than this is fetched anew as soon as gone on with.
pub(super) const WORTH_KEEPING: u64 = 64 << 10;

const NOW: Timestamps = {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Timestamps { last_access: now, last_modification: now }
};

const NEW: OFlags = OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL);

/// A name in a directory.
struct Spot {
    /// The directory: what is in it is found there, even if it is renamed meanwhile.
    directory: OwnedFd,
    name: OsString,
}

impl Spot {
    fn of(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?.to_owned();
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { directory: rustix::fs::openat(CWD, directory, flags, Mode::empty())?, name })
    }

    fn open(&self, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.directory, &self.name, flags, Mode::from_raw_mode(0o644))?))
    }

    /// Whether a file is the one that is here.
    fn has(&self, file: &File) -> bool {
        let here = rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        match (here, rustix::fs::fstat(file)) {
            (Ok(here), Ok(file)) => (here.st_dev, here.st_ino) == (file.st_dev, file.st_ino),
            _ => false,
        }
    }

    fn is_free(&self) -> bool {
        rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW).is_err()
    }

    /// Moves what is here to where nothing is.
    fn rename(&self, to: &Self) -> io::Result<()> {
        let (from, to) = ((&self.directory, &self.name), (&to.directory, &to.name));
        match rustix::fs::renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE) {
            // Not every file system can say that nothing may be there.
            Err(rustix::io::Errno::INVAL) => {
                rustix::fs::linkat(from.0, from.1, to.0, to.1, AtFlags::empty())?;
                Ok(rustix::fs::unlinkat(from.0, from.1, AtFlags::empty())?)
            }
            renamed => Ok(renamed?),
        }
    }

    fn remove(&self) {
        // Nobody is left to tell; the file is in a directory of temporary ones, which is cleaned anyway.
        let _ = rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::empty());
    }
}

/// Where the file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whereabouts {
    /// At its destination, which it is to leave when it is worth keeping, if it may be kept.
    Destination { may_be_kept: bool },
    /// Where it is kept if this fetch is interrupted.
    Kept,
    /// At its destination, for good.
    Done,
}

/// A file that disappears on drop, unless [`PartialFile::keep`] is called or it is worth keeping for the next fetch of the same.
pub(super) struct PartialFile {
    destination: Spot,
    keeping: Option<Spot>,
    whereabouts: Whereabouts,
    file: File,
    algorithm: HashAlgorithm,
    hasher: FileHasher,
    length: u64,
}

impl PartialFile {
    /// Opens what an interrupted fetch has left at `keeping`, or else creates the file; anything that is at the destination already, even a
    /// dangling link, is an error.
    pub(super) fn open(
        destination: &Path,
        hash: Option<&FileHash>,
        keeping: Option<&Path>,
        cancelled: &dyn Fn() -> bool,
    ) -> io::Result<Self> {
        let destination = Spot::of(destination)?;
        // What has no hash cannot be checked as a whole.
        let keeping = keeping.filter(|_| hash.is_some()).map(Spot::of).transpose()?;
        let algorithm = hash.map_or(HashAlgorithm::Blake3, FileHash::algorithm);
        if !destination.is_free() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // What cannot be gone on with, whatever is wrong with it, is left to who can.
        if let Some(kept) = &keeping
            && let Ok((file, hasher, length)) = take(kept, algorithm, cancelled)
        {
            return Ok(Self { destination, keeping, whereabouts: Whereabouts::Kept, file, algorithm, hasher, length });
        }
        let file = destination.open(NEW)?;
        let whereabouts = Whereabouts::Destination { may_be_kept: keeping.is_some() };
        Ok(Self { destination, keeping, whereabouts, file, algorithm, hasher: algorithm.hasher(), length: 0 })
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Appends a piece.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        if self.length >= WORTH_KEEPING && self.whereabouts == (Whereabouts::Destination { may_be_kept: true }) {
            self.shelter();
        }
        Ok(())
    }

    /// Moves the file to where it is kept, unless another fetch of the same has one there: then that goes on.
    fn shelter(&mut self) {
        let locked = rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok();
        let moved = self.keeping.as_ref().is_some_and(|keeping| locked && self.destination.rename(keeping).is_ok());
        self.whereabouts = if moved { Whereabouts::Kept } else { Whereabouts::Destination { may_be_kept: false } };
    }

    /// Forgets all pieces.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.hasher = self.algorithm.hasher();
        self.length = 0;
        Ok(())
    }

    /// The hash of all pieces. After that, none can be appended.
    pub(super) fn hash(&mut self) -> FileHash {
        std::mem::replace(&mut self.hasher, self.algorithm.hasher()).finish()
    }

    /// Has the file, which is whole, be at its destination.
    pub(super) fn arrive(&mut self) -> io::Result<()> {
        if let (Whereabouts::Kept, Some(keeping)) = (self.whereabouts, &self.keeping) {
            if keeping.has(&self.file) {
                keeping.rename(&self.destination)?;
            } else {
                // A collection took it away, and another fetch may have put its own there.
                let mut copy = self.destination.open(NEW)?;
                self.whereabouts = Whereabouts::Destination { may_be_kept: false };
                self.file.rewind()?;
                io::copy(&mut self.file, &mut copy)?;
                self.file = copy;
            }
            self.whereabouts = Whereabouts::Destination { may_be_kept: false };
        }
        Ok(())
    }

    /// Keeps the file, which has arrived; its length.
    pub(super) fn keep(mut self) -> u64 {
        self.whereabouts = Whereabouts::Done;
        self.length
    }
}

/// Opens what is kept, with its hash so far and its length, if nobody else has it.
fn take(kept: &Spot, algorithm: HashAlgorithm, cancelled: &dyn Fn() -> bool) -> io::Result<(File, FileHasher, u64)> {
    // O_NONBLOCK, so that opening a fifo does not wait for ever.
    let mut file = kept.open(OFlags::RDWR | OFlags::NONBLOCK)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    // A collection takes what was not touched for long.
    rustix::fs::futimens(&file, &NOW)?;
    // Who had it may have moved it away, or a collection.
    if !file.metadata()?.is_file() || !kept.has(&file) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let (mut hasher, mut length) = (algorithm.hasher(), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        if cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match file.read(&mut piece)? {
            0 => return Ok((file, hasher, length)),
            count => {
                hasher.update(&piece[..count]);
                length += count as u64;
            }
        }
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        match (self.whereabouts, &self.keeping) {
            (Whereabouts::Destination { .. }, _) => self.destination.remove(),
            // A collection may have made room for another.
            (Whereabouts::Kept, Some(keeping)) if self.length < WORTH_KEEPING && keeping.has(&self.file) => {
                keeping.remove();
            }
            _ => {}
        }
    }
}
