//! What trees take on the disk: files that several of them share are one file there.

use super::fsutil::{self, At, IoError};
use super::{LocalStore, StoreError};
use crate::store_path::StorePath;
use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// What some trees take on the disk.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// Regular files by device and number.
    files: HashMap<(u64, u64), File>,
    /// Bytes of directories and links, which are never shared.
    own: u64,
}

/// A file of some trees.
#[derive(Debug, Clone, Copy)]
struct File {
    bytes: u64,
    /// How many names it has in these trees.
    names: u64,
    /// How many it has altogether; the object's is one of them.
    links: u64,
}

impl Usage {
    /// Bytes on the disk, every file counted once: blocks that are in use, whatever the length says.
    #[must_use]
    pub fn disk(&self) -> u64 {
        self.own + self.files.values().map(|file| file.bytes).sum::<u64>()
    }

    /// Bytes on the disk that no other tree in the store has: what removing these trees would free.
    #[must_use]
    pub fn unique(&self) -> u64 {
        let unshared = self.files.values().filter(|file| file.links <= file.names + 1);
        self.own + unshared.map(|file| file.bytes).sum::<u64>()
    }

    /// Adds what other trees take, which must not be among these.
    pub fn add(&mut self, other: &Self) {
        self.own += other.own;
        #[expect(clippy::iter_over_hash_type, reason = "a sum does not depend on the order")]
        for (number, file) in &other.files {
            self.add_file(*number, *file);
        }
    }

    fn add_file(&mut self, number: (u64, u64), file: File) {
        let known = self.files.entry(number).or_insert(File { names: 0, ..file });
        known.names += file.names;
    }
}

impl LocalStore {
    /// What the tree of a path takes on the disk.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn usage(&self, path: &StorePath) -> Result<Usage, StoreError> {
        let mut usage = Usage::default();
        let name = path.base_name();
        let measured = measure(self.store.as_fd(), name.as_bytes(), &mut usage);
        measured.map_err(|error| IoError { path: self.layout.path(path), ..error })?;
        Ok(usage)
    }
}

/// A directory that is being measured, and the names in it that are left.
struct Open {
    directory: OwnedFd,
    names: std::vec::IntoIter<(Vec<u8>, FileType)>,
}

impl Open {
    fn at(parent: BorrowedFd<'_>, name: &[u8]) -> Result<Self, Errno> {
        let directory = fsutil::open_directory_at(parent, OsStr::from_bytes(name))?;
        let names = fsutil::names(directory.as_fd())?.into_iter();
        Ok(Self { directory, names })
    }
}

/// Adds what is at `name` in `parent`, without following links. Not by recursion: trees may be deep.
fn measure(parent: BorrowedFd<'_>, name: &[u8], usage: &mut Usage) -> Result<(), IoError> {
    let failed = |name: &[u8]| OsStr::from_bytes(name).to_owned();
    let mut pending: Vec<Open> = Vec::new();
    if measure_one(parent, name, usage).at("measure", failed(name))? {
        pending.push(Open::at(parent, name).at("open directory", failed(name))?);
    }
    while let Some(open) = pending.last_mut() {
        let Some((name, _)) = open.names.next() else {
            pending.pop();
            continue;
        };
        if measure_one(open.directory.as_fd(), &name, usage).at("measure", failed(&name))? {
            let below = Open::at(open.directory.as_fd(), &name).at("open directory", failed(&name))?;
            pending.push(below);
        }
    }
    Ok(())
}

/// Adds one entry; says whether it is a directory.
fn measure_one(parent: BorrowedFd<'_>, name: &[u8], usage: &mut Usage) -> Result<bool, Errno> {
    /// Of which `st_blocks` counts so many bytes, on every file system.
    const BLOCK: u64 = 512;
    let data = rustix::fs::statat(parent, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)?;
    let bytes = u64::try_from(data.st_blocks).unwrap_or(0) * BLOCK;
    let kind = FileType::from_raw_mode(data.st_mode);
    if kind == FileType::RegularFile {
        #[allow(clippy::useless_conversion, reason = "it is narrower on some machines")]
        let links = u64::from(data.st_nlink);
        let file = File { bytes, names: 1, links };
        usage.add_file((data.st_dev, data.st_ino), file);
    } else {
        usage.own += bytes;
    }
    Ok(kind == FileType::Directory)
}
