//! Where a tree mentions another one: the file or link, and what stands around it.

use super::fsutil::{self, At, IoError};
use super::{LocalStore, StoreError};
use crate::store_path::{STORE_DIR, StorePath};
use crate::tree::{EntryName, Node, TreePath};
use memchr::memmem;
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

impl LocalStore {
    /// Where the tree of `path` mentions the one of `target`: the first place in each file and link, at most `limit` of them.
    ///
    /// # Errors
    /// When the tree is not known or cannot be read.
    pub fn places_of(&self, path: &StorePath, target: &StorePath, limit: usize) -> Result<Vec<Mention>, StoreError> {
        let tree = path.tree().ok_or_else(|| StoreError::NotValid(path.clone()))?;
        let listing = self.listing(&tree)?;
        let digest = target.digest_text();
        let needle = [STORE_DIR.as_bytes(), b"/", &digest, b"-"].concat();
        let finder = memmem::Finder::new(&needle);
        let mut candidates = Vec::new();
        let mut consider = |path: &TreePath, node: &Node| match node {
            Node::File { size, .. } if *size >= needle.len() as u64 => candidates.push((path.clone(), None)),
            Node::Symlink { target } => candidates.push((path.clone(), Some(target.clone()))),
            _ => {}
        };
        consider(&TreePath::default(), listing.root());
        listing.walk(&mut consider);
        let mut found = Vec::new();
        for (inside, link) in candidates {
            let place = match link {
                Some(target) => finder.find(&target).map(|at| (None, excerpt(&target, at, needle.len()))),
                None => self.find_in_file(path, &inside, &finder)?.map(|(offset, text)| (Some(offset), text)),
            };
            found.extend(place.map(|(offset, excerpt)| Mention { path: inside, offset, excerpt }));
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }

    fn find_in_file(
        &self,
        path: &StorePath,
        inside: &TreePath,
        finder: &memmem::Finder<'_>,
    ) -> Result<Option<(u64, String)>, IoError> {
        let mut file = self.open_file(path, inside)?;
        let length = finder.needle().len();
        let place = self.layout.path(path);
        let (mut bytes, mut offset) = (Vec::new(), 0);
        loop {
            let kept = bytes.len();
            let read = file.by_ref().take(PIECE as u64).read_to_end(&mut bytes).at("read", &place)?;
            if let Some(at) = finder.find(&bytes) {
                // What follows is wanted too, if there is any.
                file.by_ref().take(AROUND as u64).read_to_end(&mut bytes).at("read", &place)?;
                return Ok(Some((offset + at as u64, excerpt(&bytes, at, length))));
            }
            if read == 0 {
                return Ok(None);
            }
            // So much is kept that a mention across the border is seen with what is before it.
            let done = (kept + read).saturating_sub(length + AROUND);
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
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(directory, OsStr::from_bytes(last.as_bytes()), flags, Mode::empty());
        Ok(file.at("open", place().join(OsStr::from_bytes(&bytes_of(inside))))?.into())
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
