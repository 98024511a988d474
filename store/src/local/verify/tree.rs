//! Comparing one tree with its listing, relative to descriptors and following no link.

use super::{Contents, Flaw, LocalStore, Problem};
use crate::digest::BlobDigest;
use crate::listing::TreeListing;
use crate::local::fsutil;
use crate::local::layout::object_name;
use crate::store_path::StorePath;
use crate::tree::{Directory, EntryName, Node, TreePath};
use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

impl LocalStore {
    /// What is wrong with a path that the index knows.
    pub(super) fn verify_path(&self, path: &StorePath, contents: &Contents<'_>) -> Vec<Problem> {
        let Some(tree) = path.tree() else { return Vec::new() };
        let base_name = path.base_name();
        match rustix::fs::statat(&self.store, &*base_name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(_) if self.is_quarantined(path) => return vec![Problem::Quarantined(path.clone())],
            Err(_) => return vec![Problem::Missing(path.clone())],
            Ok(_) => {}
        }
        let Ok(listing) = self.listing(&tree) else { return vec![Problem::Record(path.clone())] };
        let check = Check { store: self, path, listing: &listing, contents };
        let flaws = check.node(self.store.as_fd(), OsStr::new(&base_name), listing.root());
        let mut problems: Vec<_> = flaws.into_iter().map(|flaw| check.problem(&TreePath::default(), flaw)).collect();
        if matches!(listing.root(), Node::Directory(_)) {
            problems.extend(check.directories(&base_name));
        }
        problems
    }
}

struct Check<'a> {
    store: &'a LocalStore,
    path: &'a StorePath,
    listing: &'a TreeListing,
    contents: &'a Contents<'a>,
}

impl Check<'_> {
    fn problem(&self, inside: &TreePath, flaw: Flaw) -> Problem {
        Problem::Tree { path: self.path.clone(), inside: inside.clone(), flaw }
    }

    /// Compares every directory of the tree, side by side.
    fn directories(&self, base_name: &str) -> Vec<Problem> {
        let root = match fsutil::open_directory_at(self.store.store.as_fd(), OsStr::new(base_name)) {
            Ok(root) => root,
            // Told of already.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Vec::new(),
            Err(_) => return vec![self.problem(&TreePath::default(), Flaw::Unreadable)],
        };
        let mut directories = Vec::new();
        let mut collect = |inside: &TreePath, node: &Node| {
            if let Node::Directory(digest) = node {
                directories.extend(self.listing.directory(digest).map(|directory| (inside.clone(), directory)));
            }
        };
        collect(&TreePath::default(), self.listing.root());
        self.listing.walk(&mut collect);
        directories
            .par_iter()
            .flat_map_iter(|(inside, directory)| self.directory(root.as_fd(), inside, directory))
            .collect()
    }

    fn directory(&self, root: BorrowedFd<'_>, inside: &TreePath, directory: &Directory) -> Vec<Problem> {
        let opened = match fsutil::open_beneath(root, inside) {
            Ok(opened) => opened,
            // Told of by who looked at it in its parent.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Vec::new(),
            Err(_) => return vec![self.problem(inside, Flaw::Unreadable)],
        };
        let Ok(names) = fsutil::names_once(&opened) else { return vec![self.problem(inside, Flaw::Unreadable)] };
        let mut problems = Vec::new();
        for name in names.iter().filter_map(|(name, _)| EntryName::new(name).ok()) {
            if directory.get(&name).is_none() {
                problems.push(self.problem(&inside.join(&name), Flaw::Extra));
            }
        }
        for (name, node) in directory.entries() {
            let host = OsStr::from_bytes(name.as_bytes());
            let flaws = self.node(opened.as_fd(), host, node);
            problems.extend(flaws.into_iter().map(|flaw| self.problem(&inside.join(name), flaw)));
        }
        problems
    }

    /// Compares an entry of a directory; not what is in it, if it is one itself.
    fn node(&self, parent: BorrowedFd<'_>, name: &OsStr, node: &Node) -> Vec<Flaw> {
        match node {
            Node::File { executable, size, blob } => self.file_flaws(parent, name, (*executable, *size, blob)),
            Node::Symlink { target } => match rustix::fs::readlinkat(parent, name, Vec::new()) {
                Err(Errno::NOENT) => vec![Flaw::Missing],
                Err(_) => vec![Flaw::NotSymlink],
                Ok(found) if found.as_bytes() != target.as_slice() => vec![Flaw::Target],
                Ok(_) => Vec::new(),
            },
            Node::Directory(_) => directory_flaws(parent, name),
        }
    }

    fn file_flaws(
        &self,
        parent: BorrowedFd<'_>,
        name: &OsStr,
        (executable, size, blob): (bool, u64, &BlobDigest),
    ) -> Vec<Flaw> {
        let (stat, mut flaws) = match sealed_file(parent, name, executable) {
            Err(flaw) => return vec![flaw],
            Ok(found) => found,
        };
        if u64::try_from(stat.st_size) != Ok(size) {
            flaws.push(Flaw::Content);
        } else {
            flaws.extend(self.contents.flaw(parent, name, &stat, blob));
        }
        if flaws.is_empty() && !self.has_object(&stat, executable, blob) {
            flaws.push(Flaw::NoObject);
        }
        flaws
    }

    fn has_object(&self, file: &Stat, executable: bool, blob: &BlobDigest) -> bool {
        let name = || object_name(blob, executable);
        let look = || rustix::fs::statat(&self.store.objects, name(), AtFlags::SYMLINK_NOFOLLOW);
        self.contents.is_object(file) || look().err() != Some(Errno::NOENT)
    }
}

fn look(parent: BorrowedFd<'_>, name: &OsStr) -> Result<Stat, Flaw> {
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Err(Flaw::Missing),
        Err(_) => Err(Flaw::Unreadable),
        Ok(stat) => Ok(stat),
    }
}

/// What is wrong with the mode and time of a sealed file; an error if it is none.
pub(in crate::local) fn sealed_file(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    executable: bool,
) -> Result<(Stat, Vec<Flaw>), Flaw> {
    let stat = look(parent, name)?;
    let flaws = sealed_flaws(&stat, executable)?;
    Ok((stat, flaws))
}

/// The same of one that was looked at.
pub(super) fn sealed_flaws(stat: &Stat, executable: bool) -> Result<Vec<Flaw>, Flaw> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Flaw::NotFile);
    }
    Ok(mode_and_time(stat, fsutil::sealed_file(executable).as_raw_mode()))
}

fn directory_flaws(parent: BorrowedFd<'_>, name: &OsStr) -> Vec<Flaw> {
    match look(parent, name) {
        Err(flaw) => vec![flaw],
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::Directory => vec![Flaw::NotDirectory],
        Ok(stat) => mode_and_time(&stat, fsutil::SEALED_DIRECTORY.as_raw_mode()),
    }
}

fn mode_and_time(stat: &Stat, mode: u32) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if stat.st_mode & 0o7777 != mode {
        flaws.push(Flaw::Mode);
    }
    if !fsutil::has_fixed_time(stat) {
        flaws.push(Flaw::Time);
    }
    flaws
}
