//! Reading and hashing files, each once however many links it has, within a budget of bytes a second.
//!
//! Files are read, not mapped: an error of the disk is then an error, not the end of the process.

use super::{Flaw, VerifyOptions, VerifyProgress};
use crate::digest::BlobDigest;
use crate::local::pieces::{Piece, hash_pieces, read_full};
use dashmap::{DashMap, DashSet};
use rustc_hash::FxBuildHasher;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::File;
use std::num::NonZeroU64;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Files up to this size are hashed on one thread, side by side with others.
const SMALL: u64 = 1 << 20;

/// Which file it is: device, number, and the time of the last change, since numbers are given away again.
type FileNumber = (u64, u64, i64, u64);

/// What files contain.
pub(in crate::local) struct Contents<'a> {
    /// Whether they are read at all.
    wanted: bool,
    estimate: bool,
    max_rate: Option<NonZeroU64>,
    /// When the first bytes were read: what is done before that saves nothing up.
    began: OnceLock<Instant>,
    /// Bytes that were read since then.
    spent: AtomicU64,
    progress: &'a VerifyProgress,
    known: DashMap<FileNumber, BlobDigest, FxBuildHasher>,
    objects: DashSet<FileNumber, FxBuildHasher>,
}

impl<'a> Contents<'a> {
    pub(in crate::local) fn new(options: VerifyOptions<'_>, progress: &'a VerifyProgress) -> Self {
        Self {
            wanted: options.contents,
            estimate: options.estimate,
            max_rate: options.max_rate,
            began: OnceLock::new(),
            spent: AtomicU64::new(0),
            progress,
            known: DashMap::default(),
            objects: DashSet::default(),
        }
    }

    /// Whether anybody wants to know how many bytes are going to be read.
    pub(super) fn is_estimated(&self) -> bool {
        self.wanted && self.estimate
    }

    /// Notes how many bytes are going to be read.
    pub(super) fn expect(&self, bytes: u64) {
        if self.is_estimated() {
            self.progress.total.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// What is wrong with the content of a file that was looked at, if contents are wanted.
    pub(super) fn flaw(
        &self,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        looked: &Stat,
        expected: &BlobDigest,
    ) -> Option<Flaw> {
        if !self.wanted {
            return None;
        }
        let known = self.known.get(&number(looked)).map(|known| *known);
        match known.map_or_else(|| self.digest(directory, name), Ok) {
            Ok(found) => (found != *expected).then_some(Flaw::Content),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Flaw::Missing),
            Err(_) => Some(Flaw::Unreadable),
        }
    }

    /// Notes that a file is an object.
    pub(super) fn note_object(&self, looked: &Stat) {
        self.objects.insert(number(looked));
    }

    /// Whether a file was found to be an object, under whichever name it was looked at here.
    pub(super) fn is_object(&self, looked: &Stat) -> bool {
        self.objects.contains(&number(looked))
    }

    /// The digest of a file's content.
    pub(in crate::local) fn digest(&self, directory: BorrowedFd<'_>, name: &OsStr) -> std::io::Result<BlobDigest> {
        self.read(directory, name).map(|(_, digest)| digest)
    }

    /// What a file is, and the digest of its content if that is wanted; empty content if it is no regular file.
    pub(super) fn look(&self, directory: BorrowedFd<'_>, name: &OsStr) -> std::io::Result<(Stat, Option<BlobDigest>)> {
        if !self.wanted {
            return Ok((rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?, None));
        }
        match self.read(directory, name) {
            // A link, or what may not be read: what it is can be told all the same.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                    Err(error)
                } else {
                    Ok((stat, None))
                }
            }
            read => read.map(|(stat, digest)| (stat, Some(digest))),
        }
    }

    fn read(&self, directory: BorrowedFd<'_>, name: &OsStr) -> std::io::Result<(Stat, BlobDigest)> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
        let stat = rustix::fs::fstat(&file)?;
        let number = number(&stat);
        if let Some(known) = self.known.get(&number) {
            return Ok((stat, *known));
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let digest = if size <= SMALL { self.read_small(&file, size as usize)? } else { self.read_large(&file, size)? };
        self.known.insert(number, digest);
        Ok((stat, digest))
    }

    fn read_small(&self, file: &File, size: usize) -> std::io::Result<BlobDigest> {
        thread_local!(static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < size {
                buffer.resize(size, 0);
            }
            let filled = read_full(file, &mut buffer[..size])?;
            self.spend(filled);
            Ok(BlobDigest::of(&buffer[..filled]))
        })
    }

    fn read_large(&self, file: &File, size: u64) -> std::io::Result<BlobDigest> {
        let visit = |piece: &Piece<'_>| {
            self.spend(piece.content().len());
            Ok(())
        };
        hash_pieces(file, size, 0, visit)?.ok_or_else(|| std::io::Error::other("it changed while it was read"))
    }

    /// Counts bytes that were read, and waits as long as the budget demands.
    fn spend(&self, bytes: usize) {
        self.progress.done.fetch_add(bytes as u64, Ordering::Relaxed);
        // Not what is done altogether: others may have read some of that before.
        let spent = self.spent.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if let Some(rate) = self.max_rate {
            let began = self.began.get_or_init(Instant::now);
            let due = Duration::from_millis(spent.saturating_mul(1000) / rate);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
    }
}

fn number(stat: &Stat) -> FileNumber {
    #[expect(clippy::useless_conversion, reason = "the widths differ between systems")]
    let number = (u64::from(stat.st_dev), u64::from(stat.st_ino));
    (number.0, number.1, stat.st_ctime, stat.st_ctime_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_before_the_first_read_does_not_count_as_waiting() {
        let progress = VerifyProgress::default();
        let options = VerifyOptions { max_rate: NonZeroU64::new(1000), ..VerifyOptions::default() };
        let contents = Contents::new(options, &progress);
        std::thread::sleep(Duration::from_millis(120));
        let began = Instant::now();
        contents.spend(100);
        assert!(began.elapsed() >= Duration::from_millis(95), "{:?}", began.elapsed());
    }
}
