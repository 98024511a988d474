//! Verifying: comparing what lies on the disk with what its name says. Nothing is changed; see [`super::quarantine`] and
//! [`super::repair`] for what follows from it.
//!
//! Other processes may publish and collect meanwhile. What looks wrong is looked at again while no collection runs, and counts
//! only if it is still wrong and still part of the store.

mod contents;
mod index;
mod objects;
mod records;
mod strays;
mod tree;

use super::{LocalStore, StoreError};
use crate::shown::shown;
use crate::store_path::StorePath;
use crate::tree::TreePath;
pub(super) use contents::Contents;
use rayon::prelude::*;
pub(super) use records::{OTHERS_WRITE, OWNER_READS_AND_WRITES};
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU64;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
pub(super) use tree::sealed_file;

/// What is wrong with an entry of a tree or with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// It is not there.
    Missing,
    /// It should be a file.
    NotFile,
    /// It should be a symbolic link.
    NotSymlink,
    /// It should be a directory.
    NotDirectory,
    /// Its mode is another.
    Mode,
    /// Its time of modification is not the fixed one.
    Time,
    /// Its bytes are others.
    Content,
    /// The link leads elsewhere.
    Target,
    /// Nothing should be there.
    Extra,
    /// It cannot be read.
    Unreadable,
    /// A file is right, but its object is gone: equal files of other trees cannot share it.
    NoObject,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::NotFile => "is not a file",
            Self::NotSymlink => "is not a symbolic link",
            Self::NotDirectory => "is not a directory",
            Self::Mode => "has another mode",
            Self::Time => "has another time",
            Self::Content => "has other content",
            Self::Target => "has another target",
            Self::Extra => "does not belong there",
            Self::Unreadable => "cannot be read",
            Self::NoObject => "has no object",
        })
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A path that the index knows is not on the disk.
    Missing(StorePath),
    /// A path failed an earlier verification and was put aside.
    Quarantined(StorePath),
    /// A path is on the disk but is not the tree it should be.
    Tree {
        /// Which path.
        path: StorePath,
        /// Where in it; empty for its root.
        inside: TreePath,
        /// What is wrong there.
        flaw: Flaw,
    },
    /// The record of a path's directories is missing or damaged.
    Record(StorePath),
    /// An object is not what its name says.
    Object {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// Something in `store/`, `objects/` or `records/` that is nothing of the store.
    Foreign(PathBuf),
    /// The index is damaged.
    Index(PathBuf),
    /// A segment has bytes that are no record.
    Segment {
        /// Its file.
        path: PathBuf,
        /// Where they begin.
        offset: u64,
    },
    /// A segment cannot be read or written to.
    SegmentFile {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A segment is shorter than it was, or gone, and with it records.
    LostRecords {
        /// Its file.
        path: PathBuf,
        /// How many bytes of it the index knew.
        known: u64,
        /// How many there are.
        found: u64,
    },
}

impl Problem {
    /// The store path it concerns, if it concerns one.
    #[must_use]
    pub fn store_path(&self) -> Option<&StorePath> {
        match self {
            Self::Missing(path) | Self::Quarantined(path) | Self::Record(path) | Self::Tree { path, .. } => Some(path),
            Self::Object { .. }
            | Self::Foreign(_)
            | Self::Index(_)
            | Self::Segment { .. }
            | Self::SegmentFile { .. }
            | Self::LostRecords { .. } => None,
        }
    }

    /// What kind of problem it is, in a word for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Quarantined(_) => "quarantined",
            Self::Tree { .. } => "tree",
            Self::Record(_) => "record",
            Self::Object { .. } => "object",
            Self::Foreign(_) => "foreign",
            Self::Index(_) => "index",
            Self::Segment { .. } | Self::SegmentFile { .. } => "segment",
            Self::LostRecords { .. } => "lost-records",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{path} is missing"),
            Self::Quarantined(path) => write!(f, "{path} failed verification before and is in quarantine"),
            Self::Tree { path, inside, flaw } if inside.components().is_empty() => write!(f, "{path} {flaw}"),
            Self::Tree { path, inside, flaw } => write!(f, "{path}/{inside} {flaw}"),
            Self::Record(path) => write!(f, "the record of {path} is missing or damaged"),
            Self::Object { path, flaw: Flaw::Content } => write!(f, "{} is not what its name says", shown(path)),
            Self::Object { path, flaw } => write!(f, "{} {flaw}", shown(path)),
            Self::Foreign(path) => write!(f, "{} does not belong there", shown(path)),
            Self::Index(path) => write!(f, "{} is damaged", shown(path)),
            Self::Segment { path, offset } => write!(f, "{} is damaged from byte {offset} on", shown(path)),
            Self::SegmentFile { path, flaw } => write!(f, "{} {flaw}", shown(path)),
            Self::LostRecords { path, known, found } => {
                write!(f, "{} has lost records: of {known} bytes {found} are left", shown(path))
            }
        }
    }
}

/// How far a verification is; read by other threads.
#[derive(Debug, Default)]
pub struct VerifyProgress {
    done: AtomicU64,
    total: AtomicU64,
}

impl VerifyProgress {
    /// Bytes that have been read, and that are to be read.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// How a store is verified.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions<'a> {
    /// Which paths; `None` for all, with objects and records.
    pub paths: Option<&'a [StorePath]>,
    /// Whether every byte of every file is read.
    pub contents: bool,
    /// At most so many bytes a second are read.
    pub max_rate: Option<NonZeroU64>,
    /// Whether it is found out beforehand how much is to be read.
    pub estimate: bool,
}

impl LocalStore {
    /// Compares the paths, or all there are, with their records: kinds, names, modes, times, sizes and link targets, and with
    /// `contents` every byte of every file. All there are includes objects and records.
    ///
    /// # Errors
    /// When the store cannot be read at all; what is wrong in it is the result.
    pub fn verify(&self, paths: Option<&[StorePath]>, contents: bool) -> Result<Vec<Problem>, StoreError> {
        let options = VerifyOptions { paths, contents, ..VerifyOptions::default() };
        self.verify_with(options, &VerifyProgress::default())
    }

    /// The same, with all options, telling how far it is.
    ///
    /// # Errors
    /// When the store cannot be read at all; what is wrong in it is the result.
    pub fn verify_with(
        &self,
        options: VerifyOptions<'_>,
        progress: &VerifyProgress,
    ) -> Result<Vec<Problem>, StoreError> {
        let contents = Contents::new(options, progress);
        let problems = self.find_problems(options.paths, &contents)?;
        if problems.is_empty() {
            return Ok(problems);
        }
        let _no_collection = self.lock_trash()?;
        let again = Contents::new(options, progress);
        let doubtful: BTreeSet<_> = problems.iter().filter_map(Problem::store_path).cloned().collect();
        let mut still = Vec::new();
        for problem in problems {
            if self.is_still(&problem, &again)? {
                still.push(problem);
            }
        }
        let mut problems = still;
        problems.extend(self.verify_paths(&doubtful.into_iter().collect::<Vec<_>>(), &again)?);
        // They are read in any case: that its size is wrong cannot be told of an object without its tree.
        let read = Contents::new(VerifyOptions { contents: true, ..options }, progress);
        problems.extend(self.objects_behind(&problems, &read));
        if options.paths.is_none() && !problems.iter().any(|problem| matches!(problem, Problem::Index(_))) {
            problems.extend(self.verify_records(&mut index::Extents::new())?);
        }
        Ok(problems)
    }

    fn find_problems(&self, paths: Option<&[StorePath]>, contents: &Contents<'_>) -> Result<Vec<Problem>, StoreError> {
        if let Some(paths) = paths {
            contents.expect(self.bytes_of(paths)?);
            return self.verify_paths(paths, contents);
        }
        let Some(mut extents) = self.verify_index()? else {
            // What it knows is not worth comparing.
            return Ok(vec![Problem::Index(self.layout.index())]);
        };
        let mut chosen: BTreeSet<_> = self.paths()?.into_iter().map(|info| info.path).collect();
        chosen.extend(self.quarantined()?);
        let mut problems = self.verify_objects(contents)?;
        problems.extend(self.verify_paths(&chosen.iter().cloned().collect::<Vec<_>>(), contents)?);
        problems.extend(self.verify_records(&mut extents)?);
        problems.extend(self.foreign_entries(&chosen)?);
        Ok(problems)
    }

    fn bytes_of(&self, paths: &[StorePath]) -> Result<u64, StoreError> {
        paths.iter().map(|path| Ok(self.path_info(path)?.map_or(0, |info| info.bytes))).sum()
    }

    /// Whether there is something to verify of a path: it is valid, was until it was lost, or is in quarantine.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn is_known(&self, path: &StorePath) -> Result<bool, StoreError> {
        Ok(self.ask(|index| index.path(path))?.is_some() || self.is_quarantined(path))
    }

    fn verify_paths(&self, paths: &[StorePath], contents: &Contents<'_>) -> Result<Vec<Problem>, StoreError> {
        let known: Vec<_> = paths
            .iter()
            .filter_map(|path| self.is_known(path).map(|known| known.then_some(path)).transpose())
            .collect::<Result<_, StoreError>>()?;
        Ok(known.par_iter().flat_map_iter(|path| self.verify_path(path, contents)).collect())
    }

    /// Whether what was found of an object or a foreign entry is still so.
    fn is_still(&self, problem: &Problem, contents: &Contents<'_>) -> Result<bool, StoreError> {
        Ok(match problem {
            Problem::Object { path, .. } => {
                let name = path.strip_prefix(self.layout.objects()).ok().and_then(|name| name.to_str());
                name.is_some_and(|name| self.verify_object(name, contents).contains(problem))
            }
            Problem::Index(_) => true,
            // Those are all looked for again.
            Problem::Foreign(path) if path.starts_with(self.layout.records()) => false,
            Problem::Foreign(path) => match path.strip_prefix(self.layout.store()) {
                Ok(name) => self.is_foreign(name.as_os_str().as_bytes())?,
                Err(_) => path.symlink_metadata().is_ok(),
            },
            _ => false,
        })
    }
}
