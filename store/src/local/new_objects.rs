//! New objects: the files of a tree that is being made which no object has yet, by the object's name, and where each lies.
//!
//! They are handed out by their directories: linking file after file of one directory takes the system less than finding each anew from the
//! root of the tree.

use dashmap::DashMap;
use rayon::prelude::*;
use rustc_hash::FxBuildHasher;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory of what is being made.
#[derive(Debug, Default)]
pub(super) struct MadeDirectory {
    number: usize,
    /// Below the root of the tree; empty for that itself.
    path: PathBuf,
}

impl MadeDirectory {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A file that no object has yet.
#[derive(Debug, Clone)]
pub(super) struct NewObject {
    pub(super) name: String,
    pub(super) directory: Arc<MadeDirectory>,
    file: Vec<u8>,
}

impl NewObject {
    /// Its name in its directory; empty if it is the whole tree.
    pub(super) fn file(&self) -> &OsStr {
        OsStr::from_bytes(&self.file)
    }

    /// Whether another one lies beside it.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.directory.number == other.directory.number
    }

    /// Where it lies below `root`.
    pub(super) fn path_below(&self, root: &Path) -> PathBuf {
        below(root, &self.directory, &self.file)
    }
}

/// All those of a tree.
#[derive(Debug, Default)]
pub(super) struct NewObjects {
    directories: AtomicUsize,
    files: DashMap<String, (Arc<MadeDirectory>, Vec<u8>), FxBuildHasher>,
}

impl NewObjects {
    /// A directory that is there now.
    pub(super) fn directory(&self, path: PathBuf) -> Arc<MadeDirectory> {
        Arc::new(MadeDirectory { number: self.directories.fetch_add(1, Ordering::Relaxed), path })
    }

    /// Notes a file with the content of this object. The last one counts: the one before may have as many links as can be made.
    pub(super) fn insert(&self, object: String, directory: &Arc<MadeDirectory>, file: &[u8]) {
        self.files.insert(object, (Arc::clone(directory), file.to_vec()));
    }

    /// Where a file with the content of this object lies below `root`, if there is one.
    pub(super) fn find_below(&self, root: &Path, object: &str) -> Option<PathBuf> {
        let found = self.files.get(object)?;
        let (directory, file) = found.value();
        Some(below(root, directory, file))
    }

    /// All of them, directory by directory.
    pub(super) fn into_sorted(self) -> Vec<NewObject> {
        let new = |(name, (directory, file))| NewObject { name, directory, file };
        let mut all: Vec<_> = self.files.into_iter().map(new).collect();
        all.par_sort_unstable_by_key(|object| object.directory.number);
        all
    }
}

fn below(root: &Path, directory: &MadeDirectory, file: &[u8]) -> PathBuf {
    let mut path = root.to_owned();
    for part in [directory.path(), Path::new(OsStr::from_bytes(file))] {
        // To join what is empty would add a slash.
        if !part.as_os_str().is_empty() {
            path.push(part);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_and_come_directory_by_directory() {
        let new = NewObjects::default();
        let root = Path::new("r");
        let directories: Vec<_> = ["", "a", "a/b"].into_iter().map(|path| new.directory(path.into())).collect();
        for number in 0..30 {
            new.insert(format!("object-{number}"), &directories[number % 3], format!("f{number}").as_bytes());
        }
        new.insert("object-7".to_owned(), &directories[0], b"again");
        assert_eq!(new.find_below(root, "object-7").as_deref(), Some(Path::new("r/again")));
        assert_eq!(new.find_below(root, "object-8").as_deref(), Some(Path::new("r/a/b/f8")));
        assert_eq!(new.find_below(root, "object-30"), None);
        let all = new.into_sorted();
        let runs: Vec<_> = all.chunk_by(NewObject::is_beside).map(|run| (run[0].directory.path(), run.len())).collect();
        assert_eq!(runs, [(Path::new(""), 11), (Path::new("a"), 9), (Path::new("a/b"), 10)]);
        assert!(all.iter().any(|object| object.path_below(root) == Path::new("r/a/f4")));
    }

    #[test]
    fn a_tree_that_is_a_file_lies_at_the_root() {
        let new = NewObjects::default();
        let directory = new.directory(PathBuf::new());
        new.insert("object".to_owned(), &directory, b"");
        assert_eq!(new.find_below(Path::new("r"), "object").map(PathBuf::into_os_string), Some("r".into()));
    }
}
