//! Where things are in a store directory. Nothing here touches them.

use crate::digest::{ActionDigest, BlobDigest};
use crate::store_path::StorePath;
use rustix::fs::Mode;
use std::path::{Path, PathBuf};

/// The text of the file `format`: the version of the layout.
pub(super) const FORMAT: &str = "larder store 1\n";

/// The directories of a store, made when it is opened.
pub(super) const DIRECTORIES: [&str; 8] = ["store", "objects", "records", "roots", "leases", "logs", "tmp", "trash"];

/// The mode of these, and of the directories of objects.
pub(super) const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);

/// The names of the directories of objects.
pub(super) fn object_directories() -> impl Iterator<Item = String> {
    (0..=255u8).map(|byte| format!("{byte:02x}"))
}

/// Files that may be in a store whose making a power cut interrupted.
pub(super) const FILES: [&str; 7] =
    ["index.db", "index.db-wal", "index.db-shm", "state", "started", "reserve", "gc.lock"];

/// The places of one store.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The store directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Realised trees.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Where the tree of a store path physically is.
    #[must_use]
    pub fn path(&self, path: &StorePath) -> PathBuf {
        self.root.join("store").join(path.base_name())
    }

    /// Sealed files by content.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// Segments of records.
    #[must_use]
    pub fn records(&self) -> PathBuf {
        self.root.join("records")
    }

    /// GC roots.
    #[must_use]
    pub fn roots(&self) -> PathBuf {
        self.root.join("roots")
    }

    /// Links for users to what profiles are; made when first needed.
    #[must_use]
    pub fn profiles(&self) -> PathBuf {
        self.root.join("profiles")
    }

    /// What running processes hold.
    #[must_use]
    pub fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    /// Files being written.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Files being deleted.
    #[must_use]
    pub fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// What failed verification; made when first needed.
    #[must_use]
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// Logs of builds.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The log of an action's last build.
    #[must_use]
    pub fn log(&self, action: &ActionDigest) -> PathBuf {
        self.logs().join(format!("{action}.zst"))
    }

    /// What evaluations came to, a file for each source; made when first needed.
    #[must_use]
    pub fn evaluations(&self) -> PathBuf {
        self.root.join("evaluations")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// What was lost of records, while it is to be told.
    pub(super) fn lost(&self) -> PathBuf {
        self.root.join("lost")
    }

    /// Which start of the machine the index was last compared with the disk in.
    pub(super) fn started(&self) -> PathBuf {
        self.root.join("started")
    }

    /// What is given up when the disk is full.
    pub(super) fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }

    /// The index.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.root.join("index.db")
    }

    pub(super) fn format(&self) -> PathBuf {
        self.root.join("format")
    }

    /// The file whose bytes stand for actions: who realises one has its byte locked.
    #[must_use]
    pub fn actions_lock(&self) -> PathBuf {
        self.root.join("actions.lock")
    }

    /// Locked shared to take a lease, exclusively to sweep.
    pub(super) fn gc_lock(&self) -> PathBuf {
        self.root.join("gc.lock")
    }
}

/// The name of an object relative to `objects/`: two digits, slash, digest, and `-x` if executable.
pub(super) fn object_name(blob: &BlobDigest, executable: bool) -> String {
    let digest = blob.to_string();
    [&digest[..2], "/", &digest, if executable { "-x" } else { "" }].concat()
}

/// Reads back what [`object_name`] wrote.
pub(super) fn parse_object_name(name: &str) -> Option<(BlobDigest, bool)> {
    let (directory, name) = name.split_once('/')?;
    let (digest, executable) = name.strip_suffix("-x").map_or((name, false), |digest| (digest, true));
    let blob = digest.parse().ok()?;
    digest.starts_with(directory).then_some((blob, executable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_names_round_trip() {
        let blob = BlobDigest::of(b"x");
        for executable in [true, false] {
            assert_eq!(parse_object_name(&object_name(&blob, executable)), Some((blob, executable)));
        }
        assert_eq!(parse_object_name("00/garbage"), None);
    }
}
