//! The file that is fetched into: created by us, hashed while it is written, gone unless it is kept.

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use store::file_hash::FileHasher;
use store::{FileHash, HashAlgorithm};

/// A file that disappears on drop, unless [`PartialFile::keep`] is called.
pub(super) struct PartialFile {
    /// The directory it is in: it is removed there, even if the directory is renamed meanwhile.
    parent: OwnedFd,
    name: OsString,
    file: File,
    algorithm: HashAlgorithm,
    hasher: FileHasher,
    length: u64,
    kept: bool,
}

impl PartialFile {
    /// Creates the file; anything that is there already, even a dangling link, is an error.
    pub(super) fn create(path: &Path, hash: Option<&FileHash>) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?.to_owned();
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent =
            rustix::fs::openat(CWD, directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&parent, &name, flags, Mode::from_raw_mode(0o644))?);
        let algorithm = hash.map_or(HashAlgorithm::Blake3, FileHash::algorithm);
        Ok(Self { parent, name, file, algorithm, hasher: algorithm.hasher(), length: 0, kept: false })
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
        Ok(())
    }

    /// Forgets all pieces.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.hasher = self.algorithm.hasher();
        self.length = 0;
        Ok(())
    }

    /// The hash of all pieces.
    pub(super) fn hash(&mut self) -> FileHash {
        std::mem::replace(&mut self.hasher, self.algorithm.hasher()).finish()
    }

    /// Keeps the file; its length.
    pub(super) fn keep(mut self) -> u64 {
        self.kept = true;
        self.length
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody is left to tell; the file is in a directory of temporary ones, which is cleaned anyway.
            let _ = rustix::fs::unlinkat(&self.parent, &self.name, AtFlags::empty());
        }
    }
}
