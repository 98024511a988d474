//! Trees: a file with its executable bit, a symbolic link, or a directory of trees, and their canonical byte encoding.
//!
//! Encoding, version 1; all integers are little-endian:
//!
//! ```text
//! tree      = 0x01 ( file | symlink | directory )
//! file      = 0x01 executable:( 0x00 | 0x01 ) size:u64 blob:[32]
//! symlink   = 0x02 length:u32 target:[length]            1 to 4095 bytes, no NUL
//! directory = 0x03 count:u32 entry*                      sorted by name, names unique
//! entry     = length:u8 name:[length] ( file | symlink | 0x04 directory:[32] )
//! ```
//!
//! A name is 1 to 255 bytes, without `/` and NUL, and neither `.` nor `..`. The digest of a tree is BLAKE3 of its encoding
//! in the context `larder tree v1`; a directory names its subdirectories by theirs. Nothing else is part of a tree: no
//! times, owners, modes beyond the executable bit, or extended attributes.

use crate::digest::{self, BlobDigest, TreeDigest};
use crate::shown::shown_bytes;
use std::collections::BTreeMap;
use std::fmt;

const CONTEXT: &str = "larder tree v1";
const VERSION: u8 = 1;
const FILE: u8 = 1;
const SYMLINK: u8 = 2;
const DIRECTORY: u8 = 3;
const DIRECTORY_DIGEST: u8 = 4;

/// The longest target of a symbolic link, in bytes.
pub const MAX_TARGET: usize = 4095;

/// The name of a directory entry: 1 to 255 bytes, without `/` and NUL, and neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(Box<[u8]>);

impl EntryName {
    /// Checks a name.
    ///
    /// # Errors
    /// When it breaks one of the rules above.
    pub fn new(name: &[u8]) -> Result<Self, TreeError> {
        let fits = (1..=255).contains(&name.len()) && name != b"." && name != b"..";
        if fits && !name.iter().any(|byte| matches!(byte, b'/' | 0)) {
            Ok(Self(name.into()))
        } else {
            Err(TreeError::Name { name: name.escape_ascii().to_string() })
        }
    }

    /// The name's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for EntryName {
    /// For people: valid UTF-8 with control characters escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown_bytes(&self.0).fmt(f)
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// A path inside a tree: names from the root down; empty for the root itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreePath(Vec<EntryName>);

impl TreePath {
    /// Reads a path as people write it: names separated by `/`; leading, trailing and doubled slashes do not count.
    ///
    /// # Errors
    /// When a component is `.`, `..` or otherwise not a name.
    pub fn parse(path: &[u8]) -> Result<Self, TreeError> {
        let components = path.split(|&byte| byte == b'/').filter(|component| !component.is_empty());
        Ok(Self(components.map(EntryName::new).collect::<Result<_, _>>()?))
    }

    /// The names from the root down.
    #[must_use]
    pub fn components(&self) -> &[EntryName] {
        &self.0
    }

    /// This path without its last name; `None` of the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, above)| Self(above.to_vec()))
    }

    /// This path, one name further down.
    #[must_use]
    pub fn join(&self, name: &EntryName) -> Self {
        let mut components = self.0.clone();
        components.push(name.clone());
        Self(components)
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            name.fmt(f)?;
        }
        Ok(())
    }
}

/// What a directory entry is; a subdirectory by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Whether it may be executed.
        executable: bool,
        /// Bytes of its content.
        size: u64,
        /// Its content.
        blob: BlobDigest,
    },
    /// A symbolic link.
    Symlink {
        /// The target's bytes, as they stand in the link.
        target: Vec<u8>,
    },
    /// A directory.
    Directory(TreeDigest),
}

impl Node {
    /// The digest of the tree this is.
    #[must_use]
    pub fn digest(&self) -> TreeDigest {
        match self {
            Self::Directory(digest) => *digest,
            leaf => {
                let mut bytes = vec![VERSION];
                encode_node(leaf, &mut bytes);
                digest_of(&bytes)
            }
        }
    }
}

/// A directory: entries sorted by the bytes of their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory(BTreeMap<EntryName, Node>);

impl Directory {
    /// The entries in order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&EntryName, &Node)> {
        self.0.iter()
    }

    /// The entry of this name.
    #[must_use]
    pub fn get(&self, name: &EntryName) -> Option<&Node> {
        self.0.get(name)
    }

    /// The digest of the directory as a tree.
    #[must_use]
    pub fn digest(&self) -> TreeDigest {
        digest_of(&self.encode())
    }

    /// The canonical bytes of the directory as a tree.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, DIRECTORY];
        let count = u32::try_from(self.0.len()).expect("a directory of 2^32 entries does not fit in memory");
        bytes.extend_from_slice(&count.to_le_bytes());
        for (name, node) in &self.0 {
            bytes.push(u8::try_from(name.0.len()).expect("names have at most 255 bytes"));
            bytes.extend_from_slice(&name.0);
            encode_node(node, &mut bytes);
        }
        bytes
    }
}

impl FromIterator<(EntryName, Node)> for Directory {
    /// Later entries replace earlier ones of the same name.
    fn from_iter<I: IntoIterator<Item = (EntryName, Node)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

/// A tree, one level deep: subdirectories are named by their digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// A file or a symbolic link; never [`Node::Directory`].
    Leaf(Node),
    /// A directory.
    Directory(Directory),
}

/// A name or an encoding that is not a tree's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A name breaks the rules.
    #[error("`{name}` cannot be the name of a file in a tree: 1 to 255 bytes, without `/` and NUL, not `.` or `..`")]
    Name {
        /// The name, escaped.
        name: String,
    },
    /// The bytes end too early, go on too long, or hold a value that the encoder never writes.
    #[error("not the encoding of a tree: {problem} at byte {offset}")]
    Encoding {
        /// What is wrong.
        problem: &'static str,
        /// Where.
        offset: usize,
    },
}

impl Tree {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Directory(directory) => directory.encode(),
            Self::Leaf(node) => {
                let mut bytes = vec![VERSION];
                encode_node(node, &mut bytes);
                bytes
            }
        }
    }

    /// The digest of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> TreeDigest {
        digest_of(&self.encode())
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// When they are not exactly what [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, TreeError> {
        let mut reader = Reader { bytes, offset: 0 };
        if reader.byte()? != VERSION {
            return Err(reader.error("an unknown version"));
        }
        let tree = match reader.byte()? {
            DIRECTORY => Self::Directory(reader.directory()?),
            kind @ (FILE | SYMLINK) => Self::Leaf(reader.node(kind)?),
            _ => return Err(reader.error("an unknown kind")),
        };
        if reader.offset == bytes.len() { Ok(tree) } else { Err(reader.error("trailing bytes")) }
    }
}

/// The digest of the tree that has these canonical bytes.
pub(crate) fn digest_of(encoding: &[u8]) -> TreeDigest {
    TreeDigest::from_bytes(digest::derive(CONTEXT, encoding))
}

fn encode_node(node: &Node, bytes: &mut Vec<u8>) {
    match node {
        Node::File { executable, size, blob } => {
            bytes.extend_from_slice(&[FILE, u8::from(*executable)]);
            bytes.extend_from_slice(&size.to_le_bytes());
            bytes.extend_from_slice(blob.as_bytes());
        }
        Node::Symlink { target } => {
            bytes.push(SYMLINK);
            let length = u32::try_from(target.len()).expect("targets have at most 4095 bytes");
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(target);
        }
        Node::Directory(digest) => {
            bytes.push(DIRECTORY_DIGEST);
            bytes.extend_from_slice(digest.as_bytes());
        }
    }
}

/// Checks the target of a symbolic link: 1 to 4095 bytes, no NUL.
#[must_use]
pub fn is_valid_target(target: &[u8]) -> bool {
    (1..=MAX_TARGET).contains(&target.len()) && !target.contains(&0)
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, problem: &'static str) -> TreeError {
        TreeError::Encoding { problem, offset: self.offset }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], TreeError> {
        let rest = &self.bytes[self.offset..];
        let taken = rest.get(..length).ok_or_else(|| self.error("an early end"))?;
        self.offset += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TreeError> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were taken"))
    }

    fn byte(&mut self) -> Result<u8, TreeError> {
        Ok(self.array::<1>()?[0])
    }

    fn directory(&mut self) -> Result<Directory, TreeError> {
        let count = u32::from_le_bytes(self.array()?);
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let length = self.byte()?;
            let name = EntryName::new(self.take(usize::from(length))?)?;
            if entries.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(self.error("an entry out of order"));
            }
            let kind = self.byte()?;
            entries.insert(name, self.node(kind)?);
        }
        Ok(Directory(entries))
    }

    fn node(&mut self, kind: u8) -> Result<Node, TreeError> {
        match kind {
            FILE => {
                let executable = match self.byte()? {
                    0 => false,
                    1 => true,
                    _ => return Err(self.error("an executable bit that is neither 0 nor 1")),
                };
                let size = u64::from_le_bytes(self.array()?);
                Ok(Node::File { executable, size, blob: BlobDigest::from_bytes(self.array()?) })
            }
            SYMLINK => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                let target = self.take(length)?.to_vec();
                if is_valid_target(&target) {
                    Ok(Node::Symlink { target })
                } else {
                    Err(self.error("a malformed link target"))
                }
            }
            DIRECTORY_DIGEST => Ok(Node::Directory(TreeDigest::from_bytes(self.array()?))),
            _ => Err(self.error("an unknown kind")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn any_node() -> impl Strategy<Value = Node> {
        prop_oneof![
            (any::<bool>(), any::<u64>(), any::<[u8; 32]>()).prop_map(|(executable, size, blob)| Node::File {
                executable,
                size,
                blob: BlobDigest::from_bytes(blob)
            }),
            prop::collection::vec(1u8.., 1..40).prop_map(|target| Node::Symlink { target }),
            any::<[u8; 32]>().prop_map(|digest| Node::Directory(TreeDigest::from_bytes(digest))),
        ]
    }

    fn any_directory() -> impl Strategy<Value = Directory> {
        let name =
            prop::collection::vec(1u8.., 1..12).prop_filter_map("a valid name", |name| EntryName::new(&name).ok());
        prop::collection::vec((name, any_node()), 0..8).prop_map(Directory::from_iter)
    }

    #[test]
    fn names_are_checked() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b", &[b'x'; 256]] {
            assert!(EntryName::new(bad).is_err(), "{bad:?} was taken");
        }
        assert!(EntryName::new(&[b'x'; 255]).is_ok());
        assert!(EntryName::new(b"\xff\xfe").is_ok(), "names are bytes");
        assert!(TreePath::parse(b"/usr//bin/").is_ok_and(|path| path.components().len() == 2));
        assert!(TreePath::parse(b"a/../b").is_err());
    }

    #[test]
    fn unsorted_and_repeated_entries_are_refused() {
        let entry = |name: u8| [&[1, name, SYMLINK, 1, 0, 0, 0][..], b"t"].concat();
        let directory = |entries: [Vec<u8>; 2]| [vec![VERSION, DIRECTORY, 2, 0, 0, 0], entries.concat()].concat();
        assert!(Tree::decode(&directory([entry(b'a'), entry(b'b')])).is_ok());
        assert!(Tree::decode(&directory([entry(b'b'), entry(b'a')])).is_err());
        assert!(Tree::decode(&directory([entry(b'a'), entry(b'a')])).is_err());
    }

    /// All trees of at most two entries over a small alphabet have different encodings and digests.
    #[test]
    fn small_trees_are_all_different() {
        let leaves = [
            Node::File { executable: false, size: 1, blob: BlobDigest::of(b"a") },
            Node::File { executable: true, size: 1, blob: BlobDigest::of(b"a") },
            Node::File { executable: false, size: 0, blob: BlobDigest::of(b"") },
            Node::Symlink { target: b"a".to_vec() },
            Node::Directory(Directory::default().digest()),
        ];
        let names = [&b"a"[..], b"b", b"ab"].map(|name| EntryName::new(name).expect("valid"));
        let mut digests: Vec<_> = leaves[..4].iter().map(Node::digest).collect();
        digests.push(Directory::default().digest());
        for first in &leaves {
            for name in &names {
                digests.push(Directory::from_iter([(name.clone(), first.clone())]).digest());
            }
            for second in &leaves {
                for (a, b) in [(0, 1), (0, 2), (1, 2)] {
                    let entries = [(names[a].clone(), first.clone()), (names[b].clone(), second.clone())];
                    digests.push(Directory::from_iter(entries).digest());
                }
            }
        }
        let distinct: BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
    }

    proptest! {
        #[test]
        fn decoding_gives_back_what_was_encoded(directory in any_directory()) {
            let tree = Tree::Directory(directory);
            prop_assert_eq!(Tree::decode(&tree.encode()), Ok(tree));
        }

        #[test]
        fn what_is_decoded_is_encoded_again(directory in any_directory(), at: prop::sample::Index, byte: u8) {
            let mut bytes = directory.encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(tree) = Tree::decode(&bytes) {
                prop_assert_eq!(tree.encode(), bytes);
            }
        }

        #[test]
        fn decoding_never_panics(bytes: Vec<u8>) {
            let _ = Tree::decode(&bytes);
        }
    }
}
