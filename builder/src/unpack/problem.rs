//! What can go wrong while unpacking, and where.

use super::limit::{Limit, LimitReached};
use std::io;
use std::path::{Path, PathBuf};
use store::shown;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The directory to unpack into cannot be opened.
    #[error("cannot unpack into {}", shown(path))]
    Destination {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive as a whole is at fault.
    #[error("cannot unpack {}: {problem}", shown(archive))]
    Archive {
        /// The archive.
        archive: PathBuf,
        /// What is wrong.
        #[source]
        problem: Problem,
    },
    /// One entry is at fault.
    #[error("cannot unpack {}: entry `{entry}`: {problem}", shown(archive))]
    Entry {
        /// The archive.
        archive: PathBuf,
        /// The entry's name, with all but printable ASCII escaped.
        entry: String,
        /// What is wrong.
        #[source]
        problem: Problem,
    },
}

impl UnpackError {
    /// What is wrong with the archive, unless the destination is at fault.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Destination { .. } => None,
            Self::Archive { problem, .. } | Self::Entry { problem, .. } => Some(problem),
        }
    }
}

/// What is wrong with an archive or an entry.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The first bytes are those of no known format.
    #[error("unknown format: expected tar (plain, gz, bz2, xz, zst or lz), zip or deb")]
    UnknownFormat,
    /// The archive file cannot be read.
    #[error("cannot read: {0}")]
    Read(#[source] io::Error),
    /// The compressed data is damaged, or needs more memory than allowed.
    #[error("cannot decompress: {0}")]
    Decompress(#[source] io::Error),
    /// The archive ends early.
    #[error("the archive ends too early")]
    Truncated,
    /// There is data after the end of the archive.
    #[error("there is data after the end of the archive")]
    TrailingData,
    /// A header is malformed or contradicts another one.
    #[error("{0}")]
    Malformed(&'static str),
    /// A feature of the format that is not supported.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// A limit is exceeded.
    #[error(transparent)]
    Limit(#[from] Limit),
    /// The name is empty.
    #[error("the name is empty")]
    EmptyName,
    /// The name starts with a slash.
    #[error("the name is an absolute path")]
    Absolute,
    /// The name has a `..` component.
    #[error("the name has the component `..`")]
    Parent,
    /// The name or a link's target contains a zero byte.
    #[error("the name or link target contains a zero byte")]
    Nul,
    /// A zip name contains a backslash, which some systems read as a separator.
    #[error("the name contains a backslash")]
    Backslash,
    /// A component is longer than 255 bytes.
    #[error("a component of the name is longer than 255 bytes")]
    ComponentTooLong,
    /// The name or a link's target is longer than 4095 bytes.
    #[error("the name or link target is longer than 4095 bytes")]
    PathTooLong,
    /// The archive names one path twice, or the destination has it already.
    #[error("the path exists already{}", if *.0 { " from an earlier entry" } else { " in the destination" })]
    Exists(bool),
    /// A directory on the way is a file or a link.
    #[error("`{0}` is not a directory")]
    NotDirectory(String),
    /// A hard link's target is no file or symbolic link that came before it.
    #[error("hard link to `{0}`, which is no earlier file of this archive")]
    LinkTarget(String),
    /// A node that a tree cannot hold.
    #[error("{0} cannot be unpacked: a tree holds files, symbolic links and directories only")]
    Special(&'static str),
    /// The destination cannot be written.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
    /// Nobody wants it any more.
    #[error("interrupted")]
    Cancelled,
}

impl Problem {
    /// Tells running out, running over a limit and damage apart in what a reader of unpacked data reports.
    pub(super) fn from_read(source: io::Error) -> Self {
        if let Some(LimitReached(limit)) = source.get_ref().and_then(|inner| inner.downcast_ref()) {
            return Self::Limit(*limit);
        }
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Decompress(source),
        }
    }
}

/// A problem on its way up, before the archive is known.
#[derive(Debug)]
pub(super) struct Failure {
    /// The entry, as soon as it is known.
    entry: Option<Vec<u8>>,
    problem: Box<Problem>,
}

/// A result inside this module.
pub(super) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Says which entry is at fault, if nobody said yet.
    pub(super) fn of(mut self, entry: &[u8]) -> Self {
        self.entry.get_or_insert_with(|| entry.to_vec());
        self
    }

    /// Says which archive is at fault.
    pub(super) fn at(self, archive: &Path) -> UnpackError {
        let archive = archive.to_owned();
        match self.entry {
            None => UnpackError::Archive { archive, problem: *self.problem },
            Some(entry) => UnpackError::Entry { archive, entry: printable(&entry), problem: *self.problem },
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { entry: None, problem: Box::new(problem) }
    }
}

impl From<Limit> for Failure {
    fn from(limit: Limit) -> Self {
        Problem::Limit(limit).into()
    }
}

/// A name from an archive as it may be shown: printable ASCII, cut to 200 bytes.
pub(super) fn printable(name: &[u8]) -> String {
    let shown = &name[..name.len().min(200)];
    let dots = if shown.len() < name.len() { "…" } else { "" };
    format!("{}{dots}", shown.escape_ascii())
}
