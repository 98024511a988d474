//! Where a tree mentions another one: the file or link, and what stands around it.

use super::fsutil::{self, At, IoError};
use super::{LocalStore, StoreError};
use crate::base32::DIGEST_CHARS;
use crate::reference::MENTION;
use crate::store_path::{STORE_DIR, StorePath};
use crate::tree::{EntryName, Node, TreePath};
use memchr::memmem;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// Bytes around a mention that are shown.
const AROUND: usize = 40;

/// Something in a tree that mentions another tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The file or link, relative to the tree's root.
    pub path: TreePath,
    /// Where in the file; `None` for a link.
    pub offset: Option<u64>,
    /// What stands there, printable, with a little of what is around.
    pub excerpt: String,
}

/// The trees whose mentions are looked for.
struct Sought {
    finder: memmem::Finder<'static>,
    /// Which of the targets they are, by the text of the digest.
    targets: HashMap<[u8; DIGEST_CHARS], Vec<usize>>,
}

impl Sought {
    fn new(paths: &[StorePath]) -> Self {
        let mut targets = HashMap::<_, Vec<_>>::new();
        for (number, path) in paths.iter().enumerate() {
            targets.entry(path.digest_text()).or_default().push(number);
        }
        Self { finder: memmem::Finder::new(STORE_DIR.as_bytes()), targets }
    }

    /// Notes what is mentioned first in `bytes`, which begin at `offset`, as far as what stands around it is there up to `end`.
    fn note(&self, first: &mut First, bytes: &[u8], offset: u64, end: usize) {
        for at in self.finder.find_iter(bytes).take_while(|at| at + MENTION <= end) {
            let digest = bytes[at..at + MENTION][STORE_DIR.len()..].strip_prefix(b"/");
            let digest = digest.and_then(|rest| rest.strip_suffix(b"-"));
            for &target in digest.and_then(|digest| self.targets.get(digest)).into_iter().flatten() {
                first[target].get_or_insert_with(|| (offset + at as u64, excerpt(bytes, at, MENTION)));
            }
        }
    }
}

/// Where in one file or link each target is mentioned first.
type First = [Option<(u64, String)>];

impl LocalStore {
    /// Where the tree of `path` mentions those of `targets`: for each the first place in each file and link. Every file is read once.
    ///
    /// # Errors
    /// When the tree is not known or cannot be read.
    pub fn places_of(&self, path: &StorePath, targets: &[StorePath]) -> Result<Vec<Vec<Mention>>, StoreError> {
        let tree = path.tree().ok_or_else(|| StoreError::NotValid(path.clone()))?;
        let listing = self.listing(&tree)?;
        let mut candidates = Vec::new();
        let mut consider = |path: &TreePath, node: &Node| match node {
            Node::File { size, .. } if *size >= MENTION as u64 => candidates.push((path.clone(), None)),
            Node::Symlink { target } => candidates.push((path.clone(), Some(target.clone()))),
            _ => {}
        };
        consider(&TreePath::default(), listing.root());
        listing.walk(&mut consider);
        let sought = Sought::new(targets);
        let mut found = vec![Vec::new(); targets.len()];
        for (inside, link) in candidates {
            let is_file = link.is_none();
            let mut first = vec![None; targets.len()];
            match link {
                Some(link) => sought.note(&mut first, &link, 0, link.len()),
                None => self.note_file(&sought, &mut first, path, &inside)?,
            }
            for (found, place) in found.iter_mut().zip(first) {
                found.extend(place.map(|(offset, excerpt)| Mention {
                    path: inside.clone(),
                    offset: is_file.then_some(offset),
                    excerpt,
                }));
            }
        }
        Ok(found)
    }

    fn note_file(
        &self,
        sought: &Sought,
        first: &mut First,
        path: &StorePath,
        inside: &TreePath,
    ) -> Result<(), IoError> {
        let mut file = self.open_file(path, inside)?;
        let place = self.layout.path(path);
        let (mut bytes, mut offset) = (Vec::new(), 0);
        loop {
            let read = file.by_ref().take(PIECE as u64).read_to_end(&mut bytes).at("read", &place)?;
            if read < PIECE {
                sought.note(first, &bytes, offset, bytes.len());
                return Ok(());
            }
            sought.note(first, &bytes, offset, bytes.len() - AROUND);
            // So much is kept that a mention across the border is seen with what is around it.
            let done = bytes.len() - (AROUND + MENTION + AROUND);
            bytes.drain(..done);
            offset += done as u64;
        }
    }

    /// Opens a file of a tree, without following a link on the way.
    ///
    /// # Errors
    /// When there is no such file or it cannot be opened.
    pub fn open_file(&self, path: &StorePath, inside: &TreePath) -> Result<File, IoError> {
        use rustix::fs::{Mode, OFlags};
        let name = path.base_name();
        let base = EntryName::new(name.as_bytes()).expect("the name of a store path is one of a file");
        let whole: Vec<_> = [base].iter().chain(inside.components()).cloned().collect();
        let (last, above) = whole.split_last().expect("it has the store path's own name");
        let above = above.iter().fold(TreePath::default(), |path, name| path.join(name));
        let place = || self.layout.path(path);
        let directory = fsutil::open_beneath(self.store.as_fd(), &above).at("open directory", place())?;
        // In a damaged tree something may be there that is waited for when it is opened.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::openat(directory, OsStr::from_bytes(last.as_bytes()), flags, Mode::empty());
        let whole = || place().join(OsStr::from_bytes(&bytes_of(inside)));
        let file = File::from(file.at_place("open", whole)?);
        if file.metadata().at_place("stat", whole)?.is_file() {
            return Ok(file);
        }
        Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a file")).at_place("open", whole)
    }
}

fn bytes_of(path: &TreePath) -> Vec<u8> {
    path.components().iter().map(EntryName::as_bytes).collect::<Vec<_>>().join(&b'/')
}

/// What stands at a place and around it on the same line, each byte that cannot be printed as a dot.
fn excerpt(bytes: &[u8], at: usize, length: usize) -> String {
    let is_text = |byte: &u8| (0x20..0x7f).contains(byte);
    let before = bytes[..at].iter().rev().take(AROUND).take_while(|byte| is_text(byte)).count();
    let after = bytes[at + length..].iter().take(AROUND).take_while(|byte| is_text(byte)).count();
    bytes[at - before..at + length + after].iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_stays_on_its_line() {
        assert_eq!(excerpt(b"no\nbefore NEEDLE after\0no", 10, 6), "before NEEDLE after");
        assert_eq!(excerpt(b"NEEDLE", 0, 6), "NEEDLE");
    }
}
