//! Where the trees to compare come from.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use store::listing::MAX_DEPTH;
use store::shown;
use store::tree::TreeError;
use store::{BlobDigest, Directory, EntryName, Node, TreeDigest, TreeListing, TreePath};

/// Do not follow a link in the last component (open(2)).
const O_NOFOLLOW: i32 = 0o400_000;
/// Do not wait for a writer of a fifo (open(2)).
const O_NONBLOCK: i32 = 0o4000;

/// A tree to compare. Reading is lazy: what is identical on both sides is never asked for.
pub trait TreeSource {
    /// The root.
    fn root(&self) -> &Node;

    /// A directory of the tree, by the digest that the root or another directory names.
    ///
    /// # Errors
    /// When it is missing, which means that the tree is incomplete.
    fn directory(&self, digest: &TreeDigest) -> Result<&Directory, SourceError>;

    /// The content of the file at `path`, which has the digest `blob`.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self, path: &TreePath, blob: &BlobDigest) -> Result<Box<dyn Read + '_>, SourceError>;
}

/// A tree that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or directory cannot be read.
    #[error("cannot read {}", shown(path))]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that a tree cannot hold.
    #[error("{} is neither file, symbolic link nor directory", shown(path))]
    Special {
        /// Which.
        path: PathBuf,
    },
    /// A name or link target that a tree cannot hold.
    #[error("{}", shown(path))]
    Tree {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        source: TreeError,
    },
    /// Directories are nested too deep.
    #[error("{}: directories are nested more than {MAX_DEPTH} deep", shown(path))]
    TooDeep {
        /// Where.
        path: PathBuf,
    },
    /// A directory that the tree names is not there.
    #[error("directory {0} is named but missing")]
    Missing(TreeDigest),
}

/// A tree in the file system of this machine: an ordinary file or directory, or an object of a store.
#[derive(Debug)]
pub struct HostTree {
    path: PathBuf,
    root: Node,
    directories: HashMap<TreeDigest, Directory>,
    listing: Option<TreeListing>,
}

impl HostTree {
    /// Reads and hashes the file or directory at `path`. Nothing may change it until it is compared.
    ///
    /// # Errors
    /// When something cannot be read or is no part of a tree.
    pub fn scan(path: &Path) -> Result<Self, SourceError> {
        let mut directories = HashMap::new();
        let root = scan(path, &mut directories, 0)?;
        Ok(Self { path: path.to_owned(), root, directories, listing: None })
    }

    /// A tree whose listing is known and whose files are below `path`, as those of a store are. Nothing is read yet.
    #[must_use]
    pub fn from_listing(path: &Path, listing: TreeListing) -> Self {
        Self {
            path: path.to_owned(),
            root: listing.root().clone(),
            directories: HashMap::new(),
            listing: Some(listing),
        }
    }
}

impl TreeSource for HostTree {
    fn root(&self) -> &Node {
        &self.root
    }

    fn directory(&self, digest: &TreeDigest) -> Result<&Directory, SourceError> {
        let listed = self.listing.as_ref().and_then(|listing| listing.directory(digest));
        listed.or_else(|| self.directories.get(digest)).ok_or(SourceError::Missing(*digest))
    }

    fn open(&self, path: &TreePath, _: &BlobDigest) -> Result<Box<dyn Read + '_>, SourceError> {
        let mut host = self.path.clone();
        host.extend(path.components().iter().map(|name| std::ffi::OsStr::from_bytes(name.as_bytes())));
        Ok(Box::new(open_file(&host)?))
    }
}

fn scan(path: &Path, directories: &mut HashMap<TreeDigest, Directory>, depth: usize) -> Result<Node, SourceError> {
    let at = |source| SourceError::Read { path: path.to_owned(), source };
    let metadata = fs::symlink_metadata(path).map_err(at)?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return scan_directory(path, directories, depth);
    }
    if kind.is_symlink() {
        let target = fs::read_link(path).map_err(at)?.as_os_str().as_bytes().to_vec();
        return Ok(Node::Symlink { target });
    }
    if !kind.is_file() || kind.is_fifo() {
        return Err(SourceError::Special { path: path.to_owned() });
    }
    let mut hasher = blake3::Hasher::new();
    let size = io::copy(&mut open_file(path)?, &mut hasher).map_err(at)?;
    let blob = BlobDigest::from_bytes(*hasher.finalize().as_bytes());
    Ok(Node::File { executable: metadata.permissions().mode() & 0o100 != 0, size, blob })
}

fn scan_directory(
    path: &Path,
    directories: &mut HashMap<TreeDigest, Directory>,
    depth: usize,
) -> Result<Node, SourceError> {
    if depth == MAX_DEPTH {
        return Err(SourceError::TooDeep { path: path.to_owned() });
    }
    let at = |source| SourceError::Read { path: path.to_owned(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(at)? {
        let name = entry.map_err(at)?.file_name();
        let child = path.join(&name);
        let name =
            EntryName::new(name.as_bytes()).map_err(|source| SourceError::Tree { path: child.clone(), source })?;
        entries.push((name, scan(&child, directories, depth + 1)?));
    }
    let directory = Directory::from_iter(entries);
    let digest = directory.digest();
    directories.insert(digest, directory);
    Ok(Node::Directory(digest))
}

fn open_file(path: &Path) -> Result<File, SourceError> {
    let opened = File::options().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path);
    opened.map_err(|source| SourceError::Read { path: path.to_owned(), source })
}
