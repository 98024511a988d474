//! Reading a large file in pieces: one is hashed while the next is read.

use crate::digest::BlobDigest;
use std::fs::File;
use std::io::Read;

/// Two of them should fit the processor's cache.
const PIECE: usize = 2 << 20;

/// Reads a file to its end and gives the digest and the number of its bytes. Every piece is given to `pass` and to `look`, at the
/// same time: `pass` is for what waits, `look` for what calculates.
pub(super) fn hash_pieces(
    file: &File,
    mut pass: impl FnMut(&[u8]) -> std::io::Result<()> + Send,
    mut look: impl FnMut(&[u8]) + Send,
) -> std::io::Result<(BlobDigest, u64)> {
    let mut hasher = blake3::Hasher::new();
    let (mut now, mut next) = (vec![0; PIECE], vec![0; PIECE]);
    let mut filled = read_full(file, &mut now)?;
    let mut total = 0;
    while filled > 0 {
        total += filled as u64;
        let (read, ()) = rayon::join(
            || pass(&now[..filled]).and_then(|()| read_full(file, &mut next)),
            || {
                hasher.update_rayon(&now[..filled]);
                look(&now[..filled]);
            },
        );
        filled = read?;
        std::mem::swap(&mut now, &mut next);
    }
    Ok((BlobDigest::from_bytes(*hasher.finalize().as_bytes()), total))
}

/// Fills `buffer` as far as the file goes.
pub(super) fn read_full(mut file: &File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn pieces_are_the_file_in_its_order() {
        for length in [0, 1, PIECE, 2 * PIECE + 7] {
            let content: Vec<_> = (0..length).map(|at| (at / 1000 % 251) as u8).collect();
            let mut file = tempfile::tempfile().expect("made");
            file.write_all(&content).expect("written");
            std::io::Seek::rewind(&mut file).expect("rewound");
            let (mut passed, mut looked) = (Vec::new(), Vec::new());
            let pass = |piece: &[u8]| {
                passed.extend_from_slice(piece);
                Ok(())
            };
            let found = hash_pieces(&file, pass, |piece| looked.extend_from_slice(piece)).expect("read");
            assert_eq!(found, (BlobDigest::of(&content), length as u64));
            assert!(passed == content && looked == content);
        }
    }
}
