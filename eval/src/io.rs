//! All that the evaluator asks of the outside, as one trait, and an implementation in memory.
//!
//! Paths are absolute and are data here: below `/larder/store` they are logical store paths, which an implementation
//! maps to wherever the store physically is. The evaluator follows links there itself: an implementation follows none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use store::digest::{BlobDigest, TreeDigest};
use store::shown;
use store::{EncodedDerivation, Input, StoreName, StorePath};

/// The type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Something else: a device, socket or pipe.
    Other,
}

impl FileType {
    /// The name that `builtins.readDir` gives.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
            Self::Other => "unknown",
        }
    }
}

/// Says that evaluating a filter failed. The evaluator keeps the reason; an implementation passes this on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the filter function failed")]
pub struct FilterError;

/// Decides which paths below a path are added: called with each path and its type, the path itself left out.
pub type Filter<'a> = dyn FnMut(&Path, FileType) -> Result<bool, FilterError> + 'a;

/// Something outside that did not work.
#[derive(Debug, thiserror::Error)]
pub enum IoError {
    /// There is no such file.
    #[error("{} does not exist", shown(path))]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// An operation on a file failed.
    #[error("{}: {problem}", shown(path))]
    Failed {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// Whoever wanted a file's content would not go on.
    #[error("{}: reading it was ended", shown(path))]
    Ended {
        /// The file.
        path: PathBuf,
    },
    /// The filter failed.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A derivation could not be built, or not be kept.
    #[error("{problem}")]
    Derivation {
        /// What went wrong.
        problem: String,
    },
}

/// Asked again and again while a file is read, with the number of bytes so far (or to come): whether to go on.
pub type GoesOn<'a> = dyn Fn(usize) -> bool + 'a;

/// Asked again and again while something is built, from any thread: whether it is still wanted.
pub type IsWanted<'a> = dyn Fn() -> bool + Sync + 'a;

/// All that the evaluator asks of the outside.
///
/// Answers must not change while a session lives: the evaluator keeps what it was told.
/// Whatever the evaluator asks here it notes, too, so that it is known what values rest on (see [`crate::reads`]).
pub trait EvalIo: Send + Sync {
    /// The content of a file; links are followed, but for those in the store. What has no end, or lets one wait, is given up when that is asked for.
    ///
    /// # Errors
    /// When it does not exist or cannot be read, or not to its end.
    fn read_file(&self, path: &Path, goes_on: &GoesOn<'_>) -> Result<Vec<u8>, IoError>;

    /// Names and types of a directory's entries, in any order; links are not followed.
    ///
    /// # Errors
    /// When it is not a directory or cannot be read.
    fn read_dir(&self, path: &Path) -> Result<Vec<(Vec<u8>, FileType)>, IoError>;

    /// The type of the path itself, links in its last component not followed; `None` when it does not exist.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn file_type(&self, path: &Path) -> Result<Option<FileType>, IoError>;

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// When it is not a link or cannot be read.
    fn read_link(&self, path: &Path) -> Result<Vec<u8>, IoError>;

    /// Whether a regular file is executable.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn is_executable(&self, path: &Path) -> Result<bool, IoError> {
        Err(IoError::Failed {
            path: path.to_owned(),
            problem: "it is not known here whether it is executable".to_owned(),
        })
    }

    /// Adds a file or directory to the store under a name; of a directory, only what the filter takes.
    ///
    /// # Errors
    /// When it cannot be read or added, and when the filter fails.
    fn add_path(&self, path: &Path, name: &StoreName, filter: Option<&mut Filter<'_>>) -> Result<StorePath, IoError>;

    /// Adds a regular file with this content to the store.
    ///
    /// # Errors
    /// When it cannot be added.
    fn add_text(&self, name: &StoreName, text: &[u8]) -> Result<StorePath, IoError>;

    /// Keeps a derivation. Called for each derivation of an evaluation, until it succeeds.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn add_derivation(&self, derivation: EncodedDerivation) -> Result<(), IoError>;

    /// A file that nobody else sees and that is gone when it is closed, for what is seldom wanted and would take memory.
    fn scratch_file(&self) -> Option<std::fs::File> {
        None
    }

    /// Makes inputs valid, by building where necessary, and says which trees they became. What is no longer wanted is given up.
    ///
    /// # Errors
    /// When one cannot be built, or is given up.
    fn realise(&self, inputs: &[Input], is_wanted: &IsWanted<'_>) -> Result<Vec<(Input, StorePath)>, IoError>;

    /// Shows a line of `builtins.trace` or a warning to the user.
    fn trace(&self, line: &str);
}

/// Files in memory, and a store that only computes names. For tests and for parsing without a file system.
#[derive(Debug, Default)]
pub struct MemoryIo {
    files: BTreeMap<PathBuf, MemoryFile>,
    /// Derivations that were added, by store path.
    pub derivations: Mutex<BTreeMap<StorePath, Vec<u8>>>,
    /// Lines that were traced.
    pub traced: Mutex<Vec<String>>,
    /// What realising an input gives.
    pub outputs: BTreeMap<Input, StorePath>,
}

#[derive(Debug)]
enum MemoryFile {
    Regular(Vec<u8>),
    Directory,
    Symlink(Vec<u8>),
}

impl MemoryIo {
    /// Adds a regular file and the directories above it.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.add(path.into(), MemoryFile::Regular(content.into()));
        self
    }

    /// Adds a symbolic link and the directories above it.
    #[must_use]
    pub fn with_link(mut self, path: impl Into<PathBuf>, target: impl Into<Vec<u8>>) -> Self {
        self.add(path.into(), MemoryFile::Symlink(target.into()));
        self
    }

    fn add(&mut self, path: PathBuf, file: MemoryFile) {
        for directory in path.ancestors().skip(1) {
            self.files.entry(directory.to_owned()).or_insert(MemoryFile::Directory);
        }
        self.files.insert(path, file);
    }

    fn find(&self, path: &Path) -> Result<&MemoryFile, IoError> {
        self.files.get(path).ok_or_else(|| IoError::NotFound { path: path.to_owned() })
    }

    /// The digest of a tree, made of the bytes of what the filter takes; not the one a real store computes.
    fn digest(&self, path: &Path, filter: &mut Option<&mut Filter<'_>>) -> Result<Vec<u8>, IoError> {
        let mut bytes = Vec::new();
        match self.find(path)? {
            MemoryFile::Regular(content) => bytes.extend_from_slice(BlobDigest::of(content).as_bytes()),
            MemoryFile::Symlink(target) => bytes.extend_from_slice(target),
            MemoryFile::Directory => {
                for (name, kind) in self.read_dir(path)? {
                    let child = path.join(crate::paths::from_bytes(&name));
                    let taken = match filter {
                        Some(filter) => filter(&child, kind)?,
                        None => true,
                    };
                    if taken {
                        bytes.extend_from_slice(&name);
                        bytes.extend(self.digest(&child, filter)?);
                    }
                }
            }
        }
        Ok(BlobDigest::of(&bytes).as_bytes().to_vec())
    }
}

fn store_path(bytes: &[u8], name: &StoreName) -> Result<StorePath, IoError> {
    let digest = TreeDigest::from_bytes(*BlobDigest::of(bytes).as_bytes());
    StorePath::from_tree(digest, name.clone()).map_err(|error| IoError::Derivation { problem: error.to_string() })
}

impl EvalIo for MemoryIo {
    fn read_file(&self, path: &Path, goes_on: &GoesOn<'_>) -> Result<Vec<u8>, IoError> {
        match self.find(path)? {
            MemoryFile::Regular(content) if !goes_on(content.len()) => Err(IoError::Ended { path: path.to_owned() }),
            MemoryFile::Regular(content) => Ok(content.clone()),
            MemoryFile::Symlink(target) => {
                let directory = crate::paths::dir_name(crate::paths::to_bytes(path)).to_vec();
                self.read_file(crate::paths::from_bytes(&crate::paths::absolute(target, &directory)), goes_on)
            }
            MemoryFile::Directory => {
                Err(IoError::Failed { path: path.to_owned(), problem: "is a directory".to_owned() })
            }
        }
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<(Vec<u8>, FileType)>, IoError> {
        if !matches!(self.find(path)?, MemoryFile::Directory) {
            return Err(IoError::Failed { path: path.to_owned(), problem: "is not a directory".to_owned() });
        }
        let children = self.files.iter().filter(|(child, _)| child.parent() == Some(path));
        Ok(children
            .map(|(child, file)| (crate::paths::base_name(crate::paths::to_bytes(child)).to_vec(), file_type(file)))
            .collect())
    }

    fn file_type(&self, path: &Path) -> Result<Option<FileType>, IoError> {
        Ok(self.files.get(path).map(file_type))
    }

    fn read_link(&self, path: &Path) -> Result<Vec<u8>, IoError> {
        match self.find(path)? {
            MemoryFile::Symlink(target) => Ok(target.clone()),
            _ => Err(IoError::Failed { path: path.to_owned(), problem: "is not a symbolic link".to_owned() }),
        }
    }

    fn is_executable(&self, path: &Path) -> Result<bool, IoError> {
        self.find(path).map(|_| false)
    }

    fn add_path(
        &self,
        path: &Path,
        name: &StoreName,
        mut filter: Option<&mut Filter<'_>>,
    ) -> Result<StorePath, IoError> {
        store_path(&self.digest(path, &mut filter)?, name)
    }

    fn add_text(&self, name: &StoreName, text: &[u8]) -> Result<StorePath, IoError> {
        store_path(BlobDigest::of(text).as_bytes(), name)
    }

    fn add_derivation(&self, derivation: EncodedDerivation) -> Result<(), IoError> {
        let mut derivations = self.derivations.lock().unwrap_or_else(PoisonError::into_inner);
        derivations.insert(derivation.path().clone(), derivation.into_encoding());
        Ok(())
    }

    fn realise(&self, inputs: &[Input], _: &IsWanted<'_>) -> Result<Vec<(Input, StorePath)>, IoError> {
        inputs
            .iter()
            .map(|input| match (input, self.outputs.get(input)) {
                (Input::Tree(path), _) => Ok((input.clone(), path.clone())),
                (_, Some(path)) => Ok((input.clone(), path.clone())),
                _ => Err(IoError::Derivation { problem: format!("{input} cannot be built in memory") }),
            })
            .collect()
    }

    fn trace(&self, line: &str) {
        self.traced.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }
}

fn file_type(file: &MemoryFile) -> FileType {
    match file {
        MemoryFile::Regular(_) => FileType::Regular,
        MemoryFile::Directory => FileType::Directory,
        MemoryFile::Symlink(_) => FileType::Symlink,
    }
}
