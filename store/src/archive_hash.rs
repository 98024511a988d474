//! The hash of a tree in the archive format of Nix, by which recipes for Nix name what they fetch. Nothing here writes
//! archives: only their hash is computed.
//!
//! Every string is its length in 8 bytes, its bytes, and zeros up to a multiple of 8:
//!
//! ```text
//! archive = "nix-archive-1" node
//! node    = "(" "type" ( "regular" [ "executable" "" ] "contents" bytes | "symlink" "target" bytes
//!                      | "directory" { "entry" "(" "name" bytes "node" node ")" } ) ")"
//! ```
//!
//! The entries of a directory are sorted by their bytes.

use crate::file_hash::FileHasher;
use crate::{FileHash, HashAlgorithm};

/// Takes a tree, from its root on, and gives the hash of its archive. Who calls it keeps the order of the grammar.
#[derive(Debug)]
pub struct ArchiveHasher(FileHasher);

impl ArchiveHasher {
    /// Begins an archive.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm) -> Self {
        let mut hasher = Self(algorithm.hasher());
        hasher.text(b"nix-archive-1");
        hasher
    }

    /// A file begins; its content follows in pieces, and [`Self::end_file`].
    pub fn begin_file(&mut self, executable: bool, length: u64) {
        self.texts(&[b"(", b"type", b"regular"]);
        if executable {
            self.texts(&[b"executable", b""]);
        }
        self.text(b"contents");
        self.0.update(&length.to_le_bytes());
    }

    /// A piece of a file.
    pub fn content(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// A file of that length ends.
    pub fn end_file(&mut self, length: u64) {
        self.pad(length);
        self.text(b")");
    }

    /// A symbolic link.
    pub fn symlink(&mut self, target: &[u8]) {
        self.texts(&[b"(", b"type", b"symlink", b"target", target, b")"]);
    }

    /// A directory begins; its entries follow, and [`Self::end_directory`].
    pub fn begin_directory(&mut self) {
        self.texts(&[b"(", b"type", b"directory"]);
    }

    /// An entry begins; what it is follows, and [`Self::end_entry`].
    pub fn begin_entry(&mut self, name: &[u8]) {
        self.texts(&[b"entry", b"(", b"name", name, b"node"]);
    }

    /// An entry ends.
    pub fn end_entry(&mut self) {
        self.text(b")");
    }

    /// A directory ends.
    pub fn end_directory(&mut self) {
        self.text(b")");
    }

    /// The hash.
    #[must_use]
    pub fn finish(self) -> FileHash {
        self.0.finish()
    }

    fn texts(&mut self, texts: &[&[u8]]) {
        texts.iter().for_each(|text| self.text(text));
    }

    fn text(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self.pad(bytes.len() as u64);
    }

    fn pad(&mut self, length: u64) {
        self.0.update(&[0; 8][..(length.wrapping_neg() % 8) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_nix() {
        // By `nix-hash --type sha256`, of a directory with an executable, a file of 9 bytes, and a link.
        let mut hasher = ArchiveHasher::new(HashAlgorithm::Sha256);
        hasher.begin_directory();
        hasher.begin_entry(b"file");
        hasher.begin_file(false, 9);
        hasher.content(b"12345");
        hasher.content(b"6789");
        hasher.end_file(9);
        hasher.end_entry();
        hasher.begin_entry(b"link");
        hasher.symlink(b"file");
        hasher.end_entry();
        hasher.begin_entry(b"tool");
        hasher.begin_file(true, 0);
        hasher.end_file(0);
        hasher.end_entry();
        hasher.end_directory();
        assert_eq!(
            hasher.finish().to_string(),
            "sha256:f16d1d50f667cc30bb79add16bc2569464c7ddfa736030e23d3ee45f5d7f7123"
        );
    }
}
