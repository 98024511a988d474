//! Listings: a tree with all of its directories, so that it can be read without touching its files.
//!
//! Encoding, version 1; integers are little-endian:
//!
//! ```text
//! listing = 0x01 count:u32 ( length:u32 tree:[length] )*
//! ```
//!
//! Each `tree` is encoded as in [`crate::tree`]. Every distinct directory stands once, after all of its subdirectories, in the order
//! in which a walk by sorted names leaves them; the last is the root. A listing proves itself: the digests that its directories name
//! are those of the encodings before them.

use crate::digest::TreeDigest;
use crate::tree::{self, Directory, EntryName, Node, Tree, TreeError, TreePath};
use std::collections::{HashMap, HashSet};

const VERSION: u8 = 1;

/// How deep directories may be nested in a tree.
pub const MAX_DEPTH: usize = 1000;

/// A tree with all of its directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeListing {
    root: Node,
    directories: HashMap<TreeDigest, Directory>,
}

/// A listing that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// One of the trees in it is malformed.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The frame around the trees is malformed, or they are not in canonical order.
    #[error("not the encoding of a listing: {0}")]
    Frame(&'static str),
    /// A directory names one that is not there.
    #[error("directory {0} is named but missing")]
    Missing(TreeDigest),
    /// Directories are nested deeper than [`MAX_DEPTH`].
    #[error("directories are nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

impl TreeListing {
    /// A listing of `root`, whose directories are all among `directories`.
    #[must_use]
    pub fn new(root: Node, directories: HashMap<TreeDigest, Directory>) -> Self {
        Self { root, directories }
    }

    /// The listing of a directory without subdirectories.
    #[must_use]
    pub fn of_directory(directory: Directory) -> Self {
        let digest = directory.digest();
        Self { root: Node::Directory(digest), directories: HashMap::from([(digest, directory)]) }
    }

    /// The same tree at a path, below directories that have nothing else.
    #[must_use]
    pub fn placed_at(mut self, path: &TreePath) -> Self {
        for name in path.components().iter().rev() {
            let above = Directory::from_iter([(name.clone(), self.root)]);
            let digest = above.digest();
            self.directories.insert(digest, above);
            self.root = Node::Directory(digest);
        }
        self
    }

    /// The tree's digest.
    #[must_use]
    pub fn digest(&self) -> TreeDigest {
        self.root.digest()
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The directory of this digest, if it is part of the tree.
    #[must_use]
    pub fn directory(&self, digest: &TreeDigest) -> Option<&Directory> {
        self.directories.get(digest)
    }

    /// What stands at `path`; links are not followed.
    #[must_use]
    pub fn get(&self, path: &TreePath) -> Option<&Node> {
        path.components().iter().try_fold(&self.root, |node, name| match node {
            Node::Directory(digest) => self.directory(digest)?.get(name),
            _ => None,
        })
    }

    /// Calls `visit` for every entry below the root, parents first, by sorted names.
    pub fn walk(&self, visit: &mut dyn FnMut(&TreePath, &Node)) {
        let entries = |node: &Node| match node {
            Node::Directory(digest) => self.directory(digest).map(Directory::entries),
            _ => None,
        };
        // No recursion here nor below: directories may be nested deeper than this thread's stack allows.
        let mut pending: Vec<_> =
            entries(&self.root).map(|entries| (TreePath::default(), entries)).into_iter().collect();
        while let Some((path, children)) = pending.last_mut() {
            let Some((name, child)) = children.next() else {
                pending.pop();
                continue;
            };
            let path = path.join(name);
            visit(&path, child);
            pending.extend(entries(child).map(|entries| (path, entries)));
        }
    }

    /// All directories, each once, in no particular order.
    pub fn directories(&self) -> impl Iterator<Item = &Directory> {
        self.directories.values()
    }

    /// All directories, each once and after all of its subdirectories, in the order in which a walk by sorted names leaves them.
    fn directories_in_order(&self) -> Vec<(TreeDigest, &Directory)> {
        let mut seen = HashSet::new();
        let mut enter = |node: &Node| match node {
            Node::Directory(digest) => {
                let directory = self.directory(digest).filter(|_| seen.insert(*digest))?;
                Some((*digest, directory, directory.entries()))
            }
            _ => None,
        };
        let mut order = Vec::new();
        let mut pending: Vec<_> = enter(&self.root).into_iter().collect();
        while let Some((digest, directory, children)) = pending.last_mut() {
            match children.next() {
                Some((_, child)) => pending.extend(enter(child)),
                None => {
                    order.push((*digest, *directory));
                    pending.pop();
                }
            }
        }
        order
    }

    /// Whether the tree has at most so many entries, the root among them. What stands in two places counts twice.
    #[must_use]
    pub fn has_at_most(&self, most: usize) -> bool {
        let mut count = 0;
        let mut pending = vec![&self.root];
        while let Some(node) = pending.pop() {
            count += 1;
            if count > most {
                return false;
            }
            if let Node::Directory(digest) = node {
                let children = self.directory(digest).into_iter().flat_map(Directory::entries);
                pending.extend(children.map(|(_, child)| child).take(most));
            }
        }
        true
    }

    /// Number of files and their bytes; a file that stands in two places counts twice.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut known = HashMap::new();
        for (digest, directory) in self.directories_in_order() {
            let totals = directory.entries().map(|(_, child)| totals_of(child, &known));
            known.insert(digest, totals.fold(Totals::default(), Totals::plus));
        }
        totals_of(&self.root, &known)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let trees: Vec<_> = match &self.root {
            Node::Directory(_) => self.directories_in_order().iter().map(|(_, directory)| directory.encode()).collect(),
            leaf => vec![Tree::Leaf(leaf.clone()).encode()],
        };
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&length(trees.len()));
        for tree in trees {
            bytes.extend_from_slice(&length(tree.len()));
            bytes.extend_from_slice(&tree);
        }
        bytes
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// When they are not exactly what [`Self::encode`] writes, or name a directory that is missing.
    pub fn decode(bytes: &[u8]) -> Result<Self, ListingError> {
        let mut directories = HashMap::new();
        let mut depths = HashMap::new();
        let mut order = Vec::new();
        let trees = split(bytes)?;
        for encoding in &trees {
            let directory = match Tree::decode(encoding)? {
                Tree::Directory(directory) => directory,
                Tree::Leaf(root) if trees.len() == 1 => return Ok(Self { root, directories }),
                Tree::Leaf(_) => return Err(ListingError::Frame("a leaf among directories")),
            };
            // No other bytes are this directory's, so its digest is theirs.
            let digest = tree::digest_of(encoding);
            depths.insert(digest, depth_of(&directory, &depths)?);
            directories.insert(digest, directory);
            order.push(digest);
        }
        let root = Node::Directory(*order.last().ok_or(ListingError::Frame("no trees"))?);
        let listing = Self { root, directories };
        let canonical = listing.directories_in_order();
        let is_canonical = canonical.iter().map(|(digest, _)| digest).eq(&order);
        if is_canonical { Ok(listing) } else { Err(ListingError::Frame("not in canonical order")) }
    }
}

/// What a node counts, given what the directories count.
fn totals_of(node: &Node, known: &HashMap<TreeDigest, Totals>) -> Totals {
    match node {
        Node::File { size, .. } => Totals { files: 1, bytes: *size },
        Node::Symlink { .. } => Totals::default(),
        Node::Directory(digest) => known.get(digest).copied().unwrap_or_default(),
    }
}

/// One more than the deepest subdirectory, all of which must be known.
fn depth_of(directory: &Directory, depths: &HashMap<TreeDigest, usize>) -> Result<usize, ListingError> {
    let mut depth = 0;
    for (_, node) in directory.entries() {
        if let Node::Directory(child) = node {
            depth = depth.max(1 + depths.get(child).ok_or(ListingError::Missing(*child))?);
        }
    }
    if depth > MAX_DEPTH { Err(ListingError::TooDeep) } else { Ok(depth) }
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("4 GiB of directories do not fit in memory").to_le_bytes()
}

/// Takes the frame off: the encodings of the trees.
fn split(bytes: &[u8]) -> Result<Vec<&[u8]>, ListingError> {
    let early = ListingError::Frame("an early end");
    let (&version, rest) = bytes.split_first().ok_or(ListingError::Frame("no bytes"))?;
    if version != VERSION {
        return Err(ListingError::Frame("an unknown version"));
    }
    let (count, mut rest) = rest.split_first_chunk::<4>().ok_or(early)?;
    let mut trees = Vec::new();
    for _ in 0..u32::from_le_bytes(*count) {
        let (size, after) = rest.split_first_chunk::<4>().ok_or(ListingError::Frame("an early end"))?;
        let (tree, after) =
            after.split_at_checked(u32::from_le_bytes(*size) as usize).ok_or(ListingError::Frame("an early end"))?;
        trees.push(tree);
        rest = after;
    }
    if rest.is_empty() { Ok(trees) } else { Err(ListingError::Frame("trailing bytes")) }
}

/// How many files a tree has, and how many bytes they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Number of regular files.
    pub files: u64,
    /// Bytes of their content.
    pub bytes: u64,
}

impl Totals {
    fn plus(self, other: Self) -> Self {
        Self { files: self.files.saturating_add(other.files), bytes: self.bytes.saturating_add(other.bytes) }
    }
}

/// Builds a listing from paths; directories on the way are made.
#[derive(Debug, Default)]
pub struct ListingBuilder(HashMap<EntryName, Entry>);

#[derive(Debug)]
enum Entry {
    Leaf(Node),
    Directory(ListingBuilder),
}

/// Two things were put at one path.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is there already")]
pub struct Occupied(pub TreePath);

impl ListingBuilder {
    /// Puts a file or symbolic link at `path`, or an empty directory when `leaf` is `None`.
    ///
    /// # Errors
    /// When something else is there, or a parent is not a directory.
    pub fn insert(&mut self, path: &TreePath, leaf: Option<Node>) -> Result<(), Occupied> {
        let occupied = || Occupied(path.clone());
        let Some((last, parents)) = path.components().split_last() else {
            return if leaf.is_none() { Ok(()) } else { Err(occupied()) };
        };
        let mut directory = self;
        for name in parents {
            let entry = directory.0.entry(name.clone()).or_insert_with(|| Entry::Directory(Self::default()));
            let Entry::Directory(next) = entry else { return Err(occupied()) };
            directory = next;
        }
        match (directory.0.get(last), leaf) {
            (None, Some(leaf)) => directory.0.insert(last.clone(), Entry::Leaf(leaf)),
            (None, None) => directory.0.insert(last.clone(), Entry::Directory(Self::default())),
            (Some(Entry::Directory(_)), None) => None,
            _ => return Err(occupied()),
        };
        Ok(())
    }

    /// The finished listing.
    #[must_use]
    pub fn finish(self) -> TreeListing {
        let mut directories = HashMap::new();
        let root = Node::Directory(self.finish_into(&mut directories));
        TreeListing { root, directories }
    }

    fn finish_into(self, directories: &mut HashMap<TreeDigest, Directory>) -> TreeDigest {
        let mut finish = |entry| match entry {
            Entry::Leaf(node) => node,
            Entry::Directory(builder) => Node::Directory(builder.finish_into(directories)),
        };
        let directory: Directory = self.0.into_iter().map(|(name, entry)| (name, finish(entry))).collect();
        let digest = directory.digest();
        directories.insert(digest, directory);
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::BlobDigest;
    use proptest::prelude::*;

    fn listing(paths: &[(&str, &str)]) -> TreeListing {
        let mut builder = ListingBuilder::default();
        for (path, content) in paths {
            let node =
                Node::File { executable: false, size: content.len() as u64, blob: BlobDigest::of(content.as_bytes()) };
            builder.insert(&TreePath::parse(path.as_bytes()).expect("valid"), Some(node)).expect("free");
        }
        builder.finish()
    }

    #[test]
    fn equal_directories_stand_once_and_count_twice() {
        let listing = listing(&[("a/x", "12"), ("b/x", "12"), ("c", "345")]);
        assert_eq!(listing.totals(), Totals { files: 3, bytes: 7 });
        assert_eq!([5, 6].map(|most| listing.has_at_most(most)), [false, true], "with the root and two directories");
        assert_eq!(split(&listing.encode()).expect("well framed").len(), 2);
        let mut seen = Vec::new();
        listing.walk(&mut |path, _| seen.push(path.to_string()));
        assert_eq!(seen, ["a", "a/x", "b", "b/x", "c"]);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let digest = TreeDigest::from_bytes([3; 32]);
        let root = Directory::from_iter([(EntryName::new(b"d").expect("valid"), Node::Directory(digest))]);
        let bytes = TreeListing::of_directory(root).encode();
        assert!(matches!(TreeListing::decode(&bytes), Err(ListingError::Missing(missing)) if missing == digest));
    }

    #[test]
    fn what_does_not_belong_is_refused() {
        let two = [listing(&[("x", "1")]), listing(&[("y", "1")])]
            .map(|listing| split(&listing.encode()).expect("framed")[0].to_vec());
        let mut bytes = vec![VERSION, 2, 0, 0, 0];
        for tree in two {
            bytes.extend_from_slice(&length(tree.len()));
            bytes.extend_from_slice(&tree);
        }
        assert!(TreeListing::decode(&bytes).is_err(), "a directory that the root does not reach");
    }

    proptest! {
        #[test]
        fn decoding_gives_back_what_was_encoded(paths in prop::collection::btree_map("[a-c](/[a-c]){0,3}/[d-f]", "[a-z]{0,3}", 0..12)) {
            let paths: Vec<_> = paths.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
            let listing = listing(&paths);
            prop_assert_eq!(TreeListing::decode(&listing.encode()).expect("own encoding"), listing);
        }

        #[test]
        fn decoding_never_panics(bytes: Vec<u8>) {
            let _ = TreeListing::decode(&bytes);
        }
    }
}
