//! Leases: what a running process holds, so that no collection takes it away.
//!
//! A lease is a file that its process keeps locked; a lease that can be locked by another belongs to a dead process and counts for
//! nothing. A path is first written into the lease and then looked for, under a lock that a sweep takes exclusively: whoever finds
//! it valid afterwards keeps it.

use super::effect;
use super::fsutil::{At, IoError, unique_name};
use super::layout::Layout;
use crate::store_path::StorePath;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Mode of lock files: everybody may look.
pub(super) const READABLE: Mode = Mode::from_raw_mode(0o644);

/// The lease of this process on one store.
#[derive(Debug)]
pub(super) struct Lease {
    path: PathBuf,
    gc_lock: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    file: File,
    known: HashSet<StorePath>,
    /// Whether the file may end within a name, for a write has failed.
    is_torn: bool,
}

impl Lease {
    pub(super) fn take(layout: &Layout) -> Result<Self, IoError> {
        loop {
            let path = layout.leases().join(unique_name(""));
            let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::EXCL;
            let file = effect::create(rustix::fs::CWD, &path, flags, READABLE).at("create", &path)?;
            lock_file(&file, FlockOperation::LockExclusive).at("lock", &path)?;
            // A collection that came upon the file before it was locked has taken it for that of a dead process, and removed it.
            if file.metadata().at("stat", &path)?.nlink() > 0 {
                let held = Held { file, known: HashSet::new(), is_torn: false };
                return Ok(Self { path, gc_lock: layout.gc_lock(), held: Mutex::new(held) });
            }
        }
    }

    /// Holds paths until the process ends. What is valid when this returns stays.
    pub(super) fn hold<'p>(&self, paths: impl IntoIterator<Item = &'p StorePath>) -> Result<(), IoError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let new: HashSet<_> = paths.into_iter().filter(|path| !held.known.contains(path)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        // The first of them must not become the end of a name that was half written.
        let start = if held.is_torn { "\n" } else { "" };
        let lines: String =
            std::iter::once(start.to_owned()).chain(new.iter().map(|path| path.base_name() + "\n")).collect();
        let _no_sweep = lock(&self.gc_lock, FlockOperation::LockShared)?;
        let written = effect::write_all(&held.file, lines.as_bytes()).at("write", &self.path);
        held.is_torn = written.is_err();
        written?;
        held.known.extend(new);
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A lease that stays is found unlocked and removed by the next collection.
        let _ = effect::unlink(&self.path);
    }
}

/// Locks a file, made if need be, until the result is dropped.
pub(super) fn lock(path: &Path, operation: FlockOperation) -> Result<File, IoError> {
    let file = effect::create(rustix::fs::CWD, path, OFlags::WRONLY, READABLE).at("open", path)?;
    lock_file(&file, operation).at("lock", path)?;
    Ok(file)
}

/// Locks an open file or directory until it is closed.
pub(super) fn lock_file(file: impl AsFd, operation: FlockOperation) -> Result<(), Errno> {
    loop {
        match rustix::fs::flock(&file, operation) {
            Err(Errno::INTR) => {}
            locked => return locked,
        }
    }
}

/// What a running process holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LivingLease {
    /// The number of the process.
    pub process: u32,
    /// The paths.
    pub held: BTreeSet<StorePath>,
}

/// The leases of living processes, sorted. Those of dead ones are removed.
pub(super) fn living(layout: &Layout) -> Result<Vec<LivingLease>, IoError> {
    let directory = layout.leases();
    let mut living = Vec::new();
    for entry in std::fs::read_dir(&directory).at("read directory", &directory)? {
        let entry = entry.at("read directory", &directory)?;
        let path = entry.path();
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            opened => opened.at("open", &path)?,
        };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = effect::unlink(&path);
            continue;
        }
        let text = std::io::read_to_string(&file).at("read", &path)?;
        let held = text.lines().filter_map(|line| StorePath::parse_base_name(line).ok()).collect();
        living.push(LivingLease { process: process_of(entry.file_name().as_encoded_bytes()).unwrap_or(0), held });
    }
    living.sort_unstable();
    Ok(living)
}

/// What living processes hold. Leases of dead ones are removed.
pub(super) fn held_by_the_living(layout: &Layout) -> Result<HashSet<StorePath>, IoError> {
    Ok(living(layout)?.into_iter().flat_map(|lease| lease.held).collect())
}

/// The process whose name begins this one, as [`unique_name`] makes them.
pub(super) fn process_of(name: &[u8]) -> Option<u32> {
    std::str::from_utf8(name.split(|&byte| byte == b'-').next()?).ok()?.parse().ok()
}
