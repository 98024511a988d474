//! A tree in memory that counts what is asked of it.

use repro::{Options, Report, SourceError, TreeSource, compare};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use store::{BlobDigest, Directory, EntryName, Node, TreeDigest, TreePath};

/// What a test puts at a path.
#[derive(Debug, Clone)]
pub(crate) enum Leaf {
    /// A file.
    File(Vec<u8>),
    /// A file that may be executed.
    Executable(Vec<u8>),
    /// A symbolic link.
    Symlink(&'static str),
    /// An empty directory.
    Empty,
}

/// A tree in memory.
#[derive(Debug)]
pub(crate) struct MemoryTree {
    root: Node,
    directories: HashMap<TreeDigest, Directory>,
    blobs: HashMap<BlobDigest, Vec<u8>>,
    /// What was asked for: digests of directories, paths of files.
    pub(crate) asked: RefCell<Vec<String>>,
}

/// Builds a directory by paths.
#[derive(Default)]
struct Builder {
    leaves: BTreeMap<String, Leaf>,
    children: BTreeMap<String, Builder>,
}

impl MemoryTree {
    /// The tree with these paths.
    pub(crate) fn new(paths: &[(&str, Leaf)]) -> Self {
        let mut builder = Builder::default();
        paths.iter().for_each(|(path, leaf)| builder.insert(path, leaf));
        let (mut directories, mut blobs) = (HashMap::new(), HashMap::new());
        let root = builder.build(&mut directories, &mut blobs);
        Self { root, directories, blobs, asked: RefCell::default() }
    }

    /// The tree with one file `file`.
    pub(crate) fn of(content: &[u8]) -> Self {
        Self::new(&[("file", Leaf::File(content.to_vec()))])
    }
}

impl Builder {
    fn insert(&mut self, path: &str, leaf: &Leaf) {
        match path.split_once('/') {
            Some((first, rest)) => self.children.entry(first.to_owned()).or_default().insert(rest, leaf),
            None => {
                self.leaves.insert(path.to_owned(), leaf.clone());
            }
        }
    }

    fn build(self, directories: &mut HashMap<TreeDigest, Directory>, blobs: &mut HashMap<BlobDigest, Vec<u8>>) -> Node {
        let name = |name: &str| EntryName::new(name.as_bytes()).unwrap();
        let mut file = |content: Vec<u8>, executable| {
            let (size, blob) = (content.len() as u64, BlobDigest::of(&content));
            blobs.insert(blob, content);
            Node::File { executable, size, blob }
        };
        let mut entries = Vec::new();
        for (path, leaf) in self.leaves {
            let node = match leaf {
                Leaf::File(content) => file(content, false),
                Leaf::Executable(content) => file(content, true),
                Leaf::Symlink(target) => Node::Symlink { target: target.into() },
                Leaf::Empty => Builder::default().build(directories, &mut HashMap::new()),
            };
            entries.push((name(&path), node));
        }
        for (path, child) in self.children {
            entries.push((name(&path), child.build(directories, blobs)));
        }
        let directory = Directory::from_iter(entries);
        let digest = directory.digest();
        directories.insert(digest, directory);
        Node::Directory(digest)
    }
}

impl TreeSource for MemoryTree {
    fn root(&self) -> &Node {
        &self.root
    }

    fn directory(&self, digest: &TreeDigest) -> Result<&Directory, SourceError> {
        self.asked.borrow_mut().push(digest.to_string());
        self.directories.get(digest).ok_or(SourceError::Missing(*digest))
    }

    fn open(&self, path: &TreePath, blob: &BlobDigest) -> Result<Box<dyn Read + '_>, SourceError> {
        self.asked.borrow_mut().push(path.to_string());
        Ok(Box::new(self.blobs.get(blob).unwrap().as_slice()))
    }
}

/// Compares with default options, and checks that the report survives JSON.
pub(crate) fn report(left: &MemoryTree, right: &MemoryTree) -> Report {
    report_with(left, right, &Options::default())
}

/// The same with options.
pub(crate) fn report_with(left: &MemoryTree, right: &MemoryTree, options: &Options) -> Report {
    let report = compare(left, right, options).unwrap();
    assert_eq!(Report::from_json(&report.to_json().unwrap()).unwrap(), report);
    assert_eq!(report.identical(), report.differences.is_empty());
    report
}
