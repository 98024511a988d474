//! Verifying: comparing what lies on the disk with what its name says.

use super::fsutil::At;
use super::layout::object_name;
use super::record::SEGMENT_HEADER;
use super::segment::{read_frames, segment_names};
use super::{LocalStore, StoreError};
use crate::digest::BlobDigest;
use crate::listing::TreeListing;
use crate::store_path::StorePath;
use crate::tree::{Node, TreePath};
use rayon::prelude::*;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A valid path is not on the disk.
    Missing(StorePath),
    /// A path is on the disk but is not the tree it should be.
    Tree {
        /// Which path.
        path: StorePath,
        /// Where in it; empty for its root.
        inside: TreePath,
        /// What is wrong there.
        what: &'static str,
    },
    /// The record of a path's directories is missing or damaged.
    Record(StorePath),
    /// An object's content is not what its name says.
    Object(PathBuf),
    /// A segment has bytes that are no record.
    Segment {
        /// Its file.
        path: PathBuf,
        /// Where they begin.
        offset: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{path} is missing"),
            Self::Tree { path, inside, what } if inside.components().is_empty() => write!(f, "{path} {what}"),
            Self::Tree { path, inside, what } => write!(f, "{path}/{inside} {what}"),
            Self::Record(path) => write!(f, "the record of {path} is missing or damaged"),
            Self::Object(path) => write!(f, "{} is not what its name says", path.display()),
            Self::Segment { path, offset } => write!(f, "{} is damaged from byte {offset} on", path.display()),
        }
    }
}

impl LocalStore {
    /// Compares the paths, or all there are, with their records: kinds, names, modes, sizes and link targets, and with `contents`
    /// every byte of every file. All there are includes objects and records.
    ///
    /// # Errors
    /// When the store cannot be read at all; what is wrong in it is the result.
    pub fn verify(&self, paths: Option<&[StorePath]>, contents: bool) -> Result<Vec<Problem>, StoreError> {
        let chosen = match paths {
            Some(paths) => paths.to_vec(),
            None => self.paths()?.into_iter().map(|info| info.path).collect(),
        };
        let mut problems: Vec<_> = chosen.par_iter().flat_map_iter(|path| self.verify_path(path, contents)).collect();
        if paths.is_none() {
            problems.extend(self.verify_segments()?);
            if contents {
                problems.extend(self.verify_objects()?);
            }
        }
        Ok(problems)
    }

    fn verify_path(&self, path: &StorePath, contents: bool) -> Vec<Problem> {
        let Some(tree) = path.tree() else { return Vec::new() };
        let Ok(listing) = self.listing(&tree) else { return vec![Problem::Record(path.clone())] };
        let place = self.layout.path(path);
        if place.symlink_metadata().is_err() {
            return vec![Problem::Missing(path.clone())];
        }
        let pending = vec![(TreePath::default(), listing.root(), place)];
        let mut check = Check { path, listing: &listing, contents, problems: Vec::new(), pending };
        // No recursion: directories may be nested deeper than this thread's stack allows.
        while let Some((inside, node, place)) = check.pending.pop() {
            check.node(&inside, node, &place);
        }
        check.problems
    }

    fn verify_objects(&self) -> Result<Vec<Problem>, StoreError> {
        let one = |(blob, executable): &(BlobDigest, bool)| {
            let place = self.layout.objects().join(object_name(blob, *executable));
            let true_to_name = has_content(&place, blob) && mode_is(&place, if *executable { 0o555 } else { 0o444 });
            (!true_to_name).then_some(Problem::Object(place))
        };
        Ok(self.all_objects()?.par_iter().filter_map(one).collect())
    }

    fn verify_segments(&self) -> Result<Vec<Problem>, StoreError> {
        let mut problems = Vec::new();
        for name in segment_names(&self.layout.records())? {
            let path = self.layout.records().join(&name);
            // Only up to what was indexed: another process may be writing behind it.
            let end = self.ask(|index| index.indexed_to(&name))?;
            let start = SEGMENT_HEADER.len() as u64;
            if end == 0 && path.metadata().is_ok_and(|data| data.len() < start) {
                // Its process was killed, or has just begun; the next writer completes it.
                continue;
            }
            let frames = read_frames(&path, &name, start)?;
            let whole = frames.last().map_or(start, |(_, location)| location.offset + location.length);
            let header = std::fs::read(&path).at("read", &path)?.starts_with(SEGMENT_HEADER);
            if whole < end || !header {
                problems.push(Problem::Segment { path, offset: if header { whole } else { 0 } });
            }
        }
        Ok(problems)
    }
}

struct Check<'a> {
    path: &'a StorePath,
    listing: &'a TreeListing,
    contents: bool,
    problems: Vec<Problem>,
    /// What has yet to be compared: where in the tree, what it should be, where it lies.
    pending: Vec<(TreePath, &'a Node, PathBuf)>,
}

impl<'a> Check<'a> {
    fn problem(&mut self, inside: &TreePath, what: &'static str) {
        self.problems.push(Problem::Tree { path: self.path.clone(), inside: inside.clone(), what });
    }

    fn node(&mut self, inside: &TreePath, node: &Node, place: &Path) {
        let Ok(data) = place.symlink_metadata() else { return self.problem(inside, "is missing") };
        match node {
            Node::File { .. } if !data.is_file() => self.problem(inside, "is not a file"),
            Node::Symlink { .. } if !data.is_symlink() => self.problem(inside, "is not a symbolic link"),
            Node::Directory(_) if !data.is_dir() => self.problem(inside, "is not a directory"),
            Node::File { executable, size, blob } => {
                let mode = if *executable { 0o555 } else { 0o444 };
                if data.permissions().mode() & 0o7777 != mode {
                    self.problem(inside, "has another mode");
                }
                if data.size() != *size || self.contents && !has_content(place, blob) {
                    self.problem(inside, "has other content");
                }
            }
            Node::Symlink { target } => {
                if std::fs::read_link(place).is_ok_and(|found| found.as_os_str().as_bytes() != target.as_slice()) {
                    self.problem(inside, "has another target");
                }
            }
            Node::Directory(digest) => {
                if data.permissions().mode() & 0o7777 != 0o555 {
                    self.problem(inside, "has another mode");
                }
                let Some(directory) = self.listing.directory(digest) else {
                    return self.problem(inside, "has no record");
                };
                self.directory(inside, directory, place);
            }
        }
    }

    fn directory(&mut self, inside: &TreePath, directory: &'a crate::tree::Directory, place: &Path) {
        for (name, child) in directory.entries() {
            self.pending.push((inside.join(name), child, super::fsutil::join_bytes(place, name.as_bytes())));
        }
        let Ok(entries) = std::fs::read_dir(place) else { return self.problem(inside, "cannot be read") };
        for entry in entries.flatten() {
            match crate::tree::EntryName::new(entry.file_name().as_bytes()) {
                Ok(name) if directory.get(&name).is_none() => {
                    self.problem(&inside.join(&name), "does not belong there")
                }
                _ => {}
            }
        }
    }
}

fn has_content(place: &Path, blob: &BlobDigest) -> bool {
    let mut hasher = blake3::Hasher::new();
    hasher.update_mmap(place).is_ok_and(|hasher| hasher.finalize().as_bytes() == blob.as_bytes())
}

fn mode_is(place: &Path, mode: u32) -> bool {
    place.symlink_metadata().is_ok_and(|data| data.permissions().mode() & 0o7777 == mode)
}
