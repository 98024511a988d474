//! Reading a large file on all cores, in pieces that are subtrees of its BLAKE3 tree.
//!
//! Each piece is read, hashed and whatever else is done with it by one thread, while it is in that core's cache. Pieces are taken in
//! the order of the file, so that a disk is read nearly in sequence. BLAKE3 is a binary tree over chunks of 1024 bytes, its left
//! side always full (section 2.1 of its paper), so a piece of a power of two of chunks, at a multiple of its size, is a subtree.

use crate::digest::BlobDigest;
use blake3::hazmat::{HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};
use rayon::prelude::*;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A power of two of chunks. It should fit the cache of one core.
const PIECE: usize = 1 << 20;

/// What a subtree brings into the digest of the whole.
type ChainingValue = [u8; blake3::OUT_LEN];

/// A part of a file.
pub(super) struct Piece<'a> {
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// What comes before it, as much as was asked for and is there, and the piece itself.
    bytes: &'a [u8],
    before: usize,
}

impl<'a> Piece<'a> {
    /// Its bytes.
    pub(super) fn content(&self) -> &'a [u8] {
        &self.bytes[self.before..]
    }

    /// Its bytes behind those that come before it.
    pub(super) fn with_before(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The digest of a file of `size` bytes; `None` if it ends earlier or later. Every piece is given to `visit`, with up to `before` bytes
/// of what comes before it; several at the same time, on different threads, in no order that can be relied on.
///
/// # Errors
/// When the file cannot be read, or `visit` fails.
pub(super) fn hash_pieces(
    file: &File,
    size: u64,
    before: usize,
    visit: impl Fn(&Piece<'_>) -> std::io::Result<()> + Sync,
) -> std::io::Result<Option<BlobDigest>> {
    // What is no larger than a piece is no subtree but the whole.
    if size <= PIECE as u64 {
        return hash_whole(file, size, visit);
    }
    let count = size.div_ceil(PIECE as u64);
    let (next, values) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let take_pieces = |_| {
        let mut buffer = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            let value = hash_piece(file, size, number, before, &mut buffer, &visit);
            // Nobody needs the rest of a file of which a part could not be read.
            let value = value.inspect_err(|_| next.store(count, Ordering::Relaxed))?;
            values.lock().unwrap_or_else(PoisonError::into_inner).push((number, value));
        }
    };
    let threads = (0..rayon::current_num_threads()).into_par_iter().with_max_len(1);
    let taken: std::io::Result<()> = threads.try_for_each(take_pieces);
    match taken {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        taken => taken?,
    }
    if !ends_at(file, size)? {
        return Ok(None);
    }
    let mut values = values.into_inner().unwrap_or_else(PoisonError::into_inner);
    values.sort_unstable_by_key(|(number, _)| *number);
    let values: Vec<_> = values.into_iter().map(|(_, value)| value).collect();
    let (left, right, left_size) = halves(&values, size);
    let root = merge_subtrees_root(&merged(left, left_size), &merged(right, size - left_size), Mode::Hash);
    Ok(Some(BlobDigest::from_bytes(*root.as_bytes())))
}

fn hash_whole(
    file: &File,
    size: u64,
    visit: impl Fn(&Piece<'_>) -> std::io::Result<()>,
) -> std::io::Result<Option<BlobDigest>> {
    let mut content = vec![0; size as usize];
    match file.read_exact_at(&mut content, 0) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    visit(&Piece { offset: 0, bytes: &content, before: 0 })?;
    Ok(ends_at(file, size)?.then(|| BlobDigest::of(&content)))
}

fn hash_piece(
    file: &File,
    size: u64,
    number: u64,
    before: usize,
    buffer: &mut Vec<u8>,
    visit: impl Fn(&Piece<'_>) -> std::io::Result<()>,
) -> std::io::Result<ChainingValue> {
    let offset = number * PIECE as u64;
    let before = before.min(usize::try_from(offset).unwrap_or(usize::MAX));
    let length = usize::try_from(size - offset).unwrap_or(usize::MAX).min(PIECE);
    buffer.resize(before + length, 0);
    file.read_exact_at(buffer, offset - before as u64)?;
    let piece = Piece { offset, bytes: buffer, before };
    visit(&piece)?;
    Ok(blake3::Hasher::new().set_input_offset(offset).update(piece.content()).finalize_non_root())
}

/// The pieces of the left and the right side of a tree of `size` bytes, which is more than one piece, and the size of the left one.
fn halves(values: &[ChainingValue], size: u64) -> (&[ChainingValue], &[ChainingValue], u64) {
    let left = left_subtree_len(size);
    let (left_values, right_values) = values.split_at((left / PIECE as u64) as usize);
    (left_values, right_values, left)
}

/// What a subtree of `size` bytes brings into the whole, from what its pieces bring.
fn merged(values: &[ChainingValue], size: u64) -> ChainingValue {
    if let [value] = values {
        return *value;
    }
    let (left, right, left_size) = halves(values, size);
    merge_subtrees_non_root(&merged(left, left_size), &merged(right, size - left_size), Mode::Hash)
}

fn ends_at(file: &File, size: u64) -> std::io::Result<bool> {
    Ok(file.read_at(&mut [0], size)? == 0)
}

/// Fills `buffer` as far as the file goes.
pub(super) fn read_full(mut file: &File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file_of(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("made");
        file.write_all(content).expect("written");
        file
    }

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at / 1000 % 251) as u8).collect()
    }

    #[test]
    fn pieces_are_the_file() {
        let lengths = [0, 1, PIECE - 1, PIECE, PIECE + 1, PIECE + 1025, 2 * PIECE, 3 * PIECE, 7 * PIECE + 7, 8 * PIECE];
        for length in lengths {
            let content = content(length);
            let visited = Mutex::new(vec![0; length]);
            let visit = |piece: &Piece<'_>| {
                let offset = piece.offset as usize;
                let before = piece.with_before().len() - piece.content().len();
                assert_eq!(before, offset.min(100));
                assert!(content[offset - before..].starts_with(piece.with_before()));
                visited.lock().expect("held")[offset..][..piece.content().len()].copy_from_slice(piece.content());
                Ok(())
            };
            let found = hash_pieces(&file_of(&content), length as u64, 100, visit).expect("read");
            assert_eq!(found, Some(BlobDigest::of(&content)), "{length}");
            assert!(visited.into_inner().expect("held") == content, "{length}");
        }
    }

    #[test]
    fn a_file_of_another_size_has_no_digest() {
        for length in [10, 3 * PIECE + 10] {
            for wrong in [length - 1, length + 1, length + 2 * PIECE] {
                let found = hash_pieces(&file_of(&content(length)), wrong as u64, 0, |_| Ok(())).expect("read");
                assert_eq!(found, None, "{length} bytes, not {wrong}");
            }
        }
    }

    #[test]
    fn what_a_visit_cannot_do_is_told() {
        for length in [10, 3 * PIECE + 10] {
            let visit = |_: &Piece<'_>| Err(ErrorKind::StorageFull.into());
            let found = hash_pieces(&file_of(&content(length)), length as u64, 0, visit);
            assert_eq!(found.map_err(|error| error.kind()), Err(ErrorKind::StorageFull));
        }
    }
}
