//! Hashes of what was made: of a file's bytes, and of a tree in the archive format of Nix. No link is followed.

use crate::error::BuildError;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use store::local::At;
use store::{ArchiveHasher, FileHash, HashAlgorithm};

/// The hash of a file's bytes.
pub(crate) fn hash_file(algorithm: HashAlgorithm, path: &Path) -> Result<FileHash, BuildError> {
    let mut hasher = algorithm.hasher();
    each_piece(path, |piece| hasher.update(piece))?;
    Ok(hasher.finish())
}

/// The hash of the archive of a tree.
pub(crate) fn hash(algorithm: HashAlgorithm, path: &Path) -> Result<FileHash, BuildError> {
    let mut hasher = ArchiveHasher::new(algorithm);
    add(&mut hasher, path)?;
    Ok(hasher.finish())
}

fn add(hasher: &mut ArchiveHasher, path: &Path) -> Result<(), BuildError> {
    let metadata = path.symlink_metadata().at("stat", path)?;
    if metadata.is_symlink() {
        hasher.symlink(std::fs::read_link(path).at("read link", path)?.as_os_str().as_bytes());
    } else if metadata.is_dir() {
        hasher.begin_directory();
        let entries = std::fs::read_dir(path).at("read directory", path)?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<BTreeSet<_>, _>>();
        for name in names.at("read directory", path)? {
            hasher.begin_entry(name.as_bytes());
            add(hasher, &path.join(&name))?;
            hasher.end_entry();
        }
        hasher.end_directory();
    } else {
        hasher.begin_file(metadata.permissions().mode() & 0o111 != 0, metadata.len());
        each_piece(path, |piece| hasher.content(piece))?;
        hasher.end_file(metadata.len());
    }
    Ok(())
}

fn each_piece(path: &Path, mut take: impl FnMut(&[u8])) -> Result<(), BuildError> {
    let mut file = File::open(path).at("open", path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer).at("read", path)?;
        if length == 0 {
            return Ok(());
        }
        take(&buffer[..length]);
    }
}
