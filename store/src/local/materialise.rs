//! Materialising: making a tree of which the listing is known and the files are there, without reading or writing any content.

use super::LocalStore;
use super::effect;
use super::fsutil::{self, At, SEALED_DIRECTORY};
use super::layout::object_name;
use super::pieces::read_full;
use crate::listing::TreeListing;
use crate::tree::{Node, TreePath};
use rayon::prelude::*;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where the files of a tree that is being made are taken from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// They are objects.
    Objects,
    /// They lie in another tree of the same listing.
    Tree(&'a Path),
}

impl LocalStore {
    /// Makes a read-only tree of links to files at `place`.
    pub(super) fn materialise(
        &self,
        listing: &TreeListing,
        source: Source<'_>,
        place: &Path,
    ) -> Result<(), fsutil::IoError> {
        let make = |path: &TreePath, node: &Node| self.materialise_node(node, path, source, place);
        make(&TreePath::default(), listing.root())?;
        let mut entries = Vec::new();
        listing.walk(&mut |path, node| entries.push((path.clone(), node.clone())));
        let (directories, leaves): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(_, node)| matches!(node, Node::Directory(_)));
        directories.iter().try_for_each(|(path, node)| make(path, node))?;
        leaves.par_iter().with_min_len(64).try_for_each(|(path, node)| make(path, node))?;
        for (path, _) in directories.iter().rev() {
            seal_directory(&host_path(place, path))?;
        }
        if matches!(listing.root(), Node::Directory(_)) {
            let root = fsutil::open_directory(place)?;
            effect::set_fixed_time(root).at("set the time of", place)?;
        }
        Ok(())
    }

    fn materialise_node(
        &self,
        node: &Node,
        path: &TreePath,
        source: Source<'_>,
        place: &Path,
    ) -> Result<(), fsutil::IoError> {
        let place = host_path(place, path);
        match node {
            Node::Directory(_) => effect::mkdir(&place, Mode::RWXU).at("create directory", &place),
            Node::Symlink { target } => {
                effect::symlinkat(OsStr::from_bytes(target), CWD, &place).at("create link", &place)?;
                effect::set_fixed_link_time(CWD, &place).at("set the time of", &place)
            }
            Node::File { executable, blob, .. } => {
                let object = object_name(blob, *executable);
                let (directory, file) = match source {
                    Source::Objects => (self.objects.as_fd(), PathBuf::from(&object)),
                    Source::Tree(root) => (CWD, host_path(root, path)),
                };
                match effect::linkat(directory, &file, CWD, &place) {
                    Err(Errno::MLINK | Errno::PERM | Errno::XDEV | Errno::NOTSUP) => {
                        copy_sealed((directory, file.as_os_str()), (CWD, place.as_os_str()), *executable)
                            .map(drop)
                            .at("write", &place)
                    }
                    linked => linked.at_place("link", || match source {
                        Source::Objects => self.layout.objects().join(&file),
                        Source::Tree(_) => file.clone(),
                    }),
                }
            }
        }
    }
}

/// Gives a directory its fixed time and takes the right to write away.
pub(super) fn seal_directory(path: &Path) -> Result<(), fsutil::IoError> {
    let directory = fsutil::open_directory(path)?;
    effect::set_fixed_time(&directory).at("set the time of", path)?;
    effect::fchmod(&directory, SEALED_DIRECTORY).at("change the mode of", path)
}

/// Makes a sealed copy of a file where no link to it can be made. Each is named in its directory; nothing may have the name of the copy.
pub(super) fn copy_sealed(
    (directory, name): (BorrowedFd<'_>, &OsStr),
    (target, target_name): (BorrowedFd<'_>, &OsStr),
    executable: bool,
) -> Result<File, std::io::Error> {
    const PIECE: usize = 1 << 20;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
    let copy = effect::create(target, target_name, OFlags::WRONLY | OFlags::EXCL, Mode::RUSR | Mode::WUSR)?;
    let mut piece = vec![0; PIECE];
    loop {
        match read_full(&file, &mut piece)? {
            0 => break,
            length => effect::write_all(&copy, &piece[..length])?,
        }
    }
    effect::fchmod(&copy, fsutil::sealed_file(executable))?;
    effect::set_fixed_time(&copy)?;
    Ok(copy)
}

/// Where an entry of a tree is whose root is at `place`.
pub(super) fn host_path(place: &Path, path: &TreePath) -> PathBuf {
    path.components().iter().fold(place.to_owned(), |host, name| fsutil::join_bytes(&host, name.as_bytes()))
}
