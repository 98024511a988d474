//! References: the store paths whose text occurs in the content of a tree, found while hashing.
//!
//! `/larder/store/` followed by 52 characters of base32 and a dash is unmistakable, so the references of a tree are a pure
//! function of its content and are found without knowing what to look for. A reference is the digest that was mentioned;
//! whether such a tree exists is not this module's question.

use crate::base32::{self, DIGEST_CHARS};
use crate::digest::TreeDigest;
use crate::store_path::STORE_DIR;
use memchr::memmem;
use std::collections::BTreeSet;

/// Bytes of a mention up to and including the dash: `/larder/store/`, digest, `-`.
pub(crate) const MENTION: usize = STORE_DIR.len() + 1 + DIGEST_CHARS + 1;

/// Finds references in content that comes in pieces.
#[derive(Debug)]
pub struct ReferenceScanner {
    finder: memmem::Finder<'static>,
    /// The end of the last piece, in case a mention straddles the border.
    tail: Vec<u8>,
    found: BTreeSet<TreeDigest>,
}

impl Default for ReferenceScanner {
    fn default() -> Self {
        Self { finder: memmem::Finder::new(STORE_DIR.as_bytes()), tail: Vec::new(), found: BTreeSet::new() }
    }
}

impl ReferenceScanner {
    /// Scans the next piece of one content.
    pub fn update(&mut self, piece: &[u8]) {
        if !self.tail.is_empty() {
            let mut border = std::mem::take(&mut self.tail);
            border.extend_from_slice(&piece[..piece.len().min(MENTION - 1)]);
            self.scan(&border);
            if piece.len() < MENTION - 1 {
                border.drain(..border.len().saturating_sub(MENTION - 1));
                self.tail = border;
                return;
            }
        }
        self.scan(piece);
        self.tail.extend_from_slice(&piece[piece.len().saturating_sub(MENTION - 1)..]);
    }

    /// Scans one whole content.
    pub fn scan_content(&mut self, content: &[u8]) {
        self.scan(content);
    }

    /// All references found.
    #[must_use]
    pub fn finish(self) -> BTreeSet<TreeDigest> {
        self.found
    }

    fn scan(&mut self, bytes: &[u8]) {
        let found = &mut self.found;
        found.extend(self.finder.find_iter(bytes).filter_map(|at| mention(&bytes[at + STORE_DIR.len()..])));
    }
}

/// The digest, if `rest` starts with `/`, a digest and a dash.
fn mention(rest: &[u8]) -> Option<TreeDigest> {
    let rest = rest.strip_prefix(b"/")?;
    let (digest, rest) = rest.split_at_checked(DIGEST_CHARS)?;
    rest.starts_with(b"-").then_some(())?;
    base32::decode(digest).map(TreeDigest::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan_in_pieces(content: &[u8], piece: usize) -> BTreeSet<TreeDigest> {
        let mut scanner = ReferenceScanner::default();
        content.chunks(piece).for_each(|piece| scanner.update(piece));
        scanner.finish()
    }

    #[test]
    fn only_whole_mentions_count() {
        let digest = TreeDigest::from_bytes([9; 32]);
        let found = |text: String| scan_in_pieces(text.as_bytes(), text.len());
        assert_eq!(found(format!("x/larder/store/{digest}-name")), BTreeSet::from([digest]));
        assert!(found(format!("/larder/store/{digest}")).is_empty());
        assert!(found(format!("/larder/store/{}-name", digest.to_string().to_uppercase())).is_empty());
        assert!(found(format!("/larder/store{digest}-name")).is_empty());
        assert!(found("/larder/store//larder/store/".to_owned()).is_empty());
    }

    proptest! {
        #[test]
        fn the_size_of_pieces_does_not_matter(digests: Vec<[u8; 32]>, noise in "[/a-z-]{0,80}", piece in 1usize..200) {
            let digests: BTreeSet<_> = digests.into_iter().map(TreeDigest::from_bytes).collect();
            let text: String = digests.iter().map(|digest| format!("{noise}/larder/store/{digest}-n")).collect();
            prop_assert_eq!(scan_in_pieces(text.as_bytes(), piece), digests);
        }
    }
}
