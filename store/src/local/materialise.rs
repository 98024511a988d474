//! Materialising: making a tree of which the listing is known and the files are objects, without reading or writing any content.

use super::effect;
use super::fsutil::{self, At, SEALED_DIRECTORY};
use super::layout::object_name;
use super::{LocalStore, StoreError};
use crate::listing::TreeListing;
use crate::tree::{Node, TreePath};
use rayon::prelude::*;
use rustix::fs::Mode;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

impl LocalStore {
    /// Makes a read-only tree of links to objects at `place`.
    pub(super) fn materialise(&self, listing: &TreeListing, place: &Path) -> Result<(), StoreError> {
        self.materialise_node(listing.root(), place)?;
        let mut entries = Vec::new();
        listing.walk(&mut |path, node| entries.push((path.clone(), node.clone())));
        let host = |path: &TreePath| host_path(place, path);
        let (directories, leaves): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(_, node)| matches!(node, Node::Directory(_)));
        directories.iter().try_for_each(|(path, node)| self.materialise_node(node, &host(path)))?;
        leaves.par_iter().with_min_len(64).try_for_each(|(path, node)| self.materialise_node(node, &host(path)))?;
        for (path, _) in directories.iter().rev() {
            seal_directory(&host(path))?;
        }
        if matches!(listing.root(), Node::Directory(_)) {
            let root = fsutil::open_directory(place)?;
            effect::set_fixed_time(root).at("set the time of", place)?;
        }
        Ok(())
    }

    fn materialise_node(&self, node: &Node, place: &Path) -> Result<(), StoreError> {
        match node {
            Node::Directory(_) => effect::mkdir(place, Mode::RWXU).at("create directory", place)?,
            Node::Symlink { target } => {
                effect::symlinkat(OsStr::from_bytes(target), rustix::fs::CWD, place).at("create link", place)?;
            }
            Node::File { executable, blob, .. } => {
                let object = object_name(blob, *executable);
                let linked = effect::linkat(&self.objects, &*object, rustix::fs::CWD, place);
                match linked {
                    Err(Errno::MLINK | Errno::PERM | Errno::XDEV | Errno::NOTSUP) => {
                        copy_object(&self.layout.objects().join(&object), place, *executable)?
                    }
                    linked => linked.at("link", self.layout.objects().join(&object))?,
                }
            }
        }
        Ok(())
    }
}

/// Gives a directory its fixed time and takes the right to write away.
pub(super) fn seal_directory(path: &Path) -> Result<(), fsutil::IoError> {
    let directory = fsutil::open_directory(path)?;
    effect::set_fixed_time(&directory).at("set the time of", path)?;
    effect::fchmod(&directory, SEALED_DIRECTORY).at("change the mode of", path)
}

/// Makes a sealed copy of a file where no link to it can be made.
pub(super) fn copy_object(object: &Path, place: &Path, executable: bool) -> Result<(), fsutil::IoError> {
    let content = std::fs::read(object).at("read", object)?;
    effect::write_file(place, &content).at("write", place)?;
    effect::chmod(place, fsutil::sealed_file(executable)).at("change the mode of", place)?;
    let file = std::fs::File::open(place).at("open", place)?;
    effect::set_fixed_time(file).at("set the time of", place)
}

/// Where an entry of a tree is whose root is at `place`.
pub(super) fn host_path(place: &Path, path: &TreePath) -> PathBuf {
    path.components().iter().fold(place.to_owned(), |host, name| fsutil::join_bytes(&host, name.as_bytes()))
}
