//! Verifying `records/`: that what lies there is segments which can be written to, that they are as long as the index knows, and whole.

use super::index::Extents;
use super::{Flaw, LocalStore, Problem};
use crate::local::StoreError;
use crate::local::fsutil::{self, At, IoError};
use crate::local::index::COMPACTED;
use crate::local::record::{Record, SEGMENT_HEADER};
use crate::local::segment::{Extent, Header, visit_frames};
use rustix::fs::{AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the mode of a segment must have, and what it must not have: who owns it reads and appends, nobody else writes but perhaps a group.
pub(in crate::local) const OWNER_READS_AND_WRITES: Mode = Mode::from_raw_mode(0o600);
pub(in crate::local) const OTHERS_WRITE: Mode = Mode::from_raw_mode(0o002);

impl LocalStore {
    /// Segments of which it is known how far their records reach, as of some moment before, need not be read once more.
    pub(super) fn verify_records(&self, known: &mut Extents) -> Result<Vec<Problem>, StoreError> {
        let mut problems = self.lost_records()?;
        let place = self.layout.records();
        let directory = fsutil::open_directory(&place)?;
        let mut names = fsutil::names(directory.as_fd()).at("read directory", &place)?;
        names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (name, _) in names {
            let path = fsutil::join_bytes(&place, &name);
            match rustix::fs::statat(&directory, OsStr::from_bytes(&name), AtFlags::SYMLINK_NOFOLLOW) {
                // A collection has moved what is still needed of it into another one.
                Err(Errno::NOENT) => {}
                stat => {
                    let stat = stat.at("stat", &path)?;
                    problems.extend(self.verify_in_records(&name, path, &stat, known)?);
                }
            }
        }
        Ok(problems)
    }

    /// What is wrong with something in `records/`.
    fn verify_in_records(
        &self,
        name: &[u8],
        path: PathBuf,
        stat: &Stat,
        known: &mut Extents,
    ) -> Result<Vec<Problem>, StoreError> {
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let Some(name) = std::str::from_utf8(name).ok().filter(|_| is_file) else {
            return Ok(vec![Problem::Foreign(path)]);
        };
        // Only up to what was indexed: another process may be writing behind it.
        let end = self.ask(|index| index.indexed_to(name))?;
        if end == COMPACTED {
            return Ok(Vec::new());
        }
        let mut problems = Vec::new();
        let mode = Mode::from_raw_mode(stat.st_mode) & (OWNER_READS_AND_WRITES | OTHERS_WRITE);
        // In a store that is only read, as on a disk that is, none has to be such that it can be written to.
        if mode != OWNER_READS_AND_WRITES && !self.is_only_read() {
            problems.push(Problem::SegmentFile { path: path.clone(), flaw: Flaw::Mode });
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        // More may have been indexed since.
        let known = known.remove(name).filter(|extent| extent.end >= end);
        match known.map_or_else(|| extent_of(&path, name), |extent| Ok(Some(extent))) {
            // As above.
            Err(error) if error.is_not_found() => problems.clear(),
            Err(_) | Ok(None) => problems.push(Problem::SegmentFile { path, flaw: Flaw::Unreadable }),
            Ok(Some(extent)) => problems.extend(damage(path, &extent, end, size)),
        }
        Ok(problems)
    }
}

/// How far the records of a segment reach.
fn extent_of(path: &Path, name: &str) -> Result<Option<Extent>, IoError> {
    let is_record = |kind, payload: &[u8], _| Ok::<_, IoError>(Record::from_payload(kind, payload).is_some());
    visit_frames(path, name, SEGMENT_HEADER.len() as u64, is_record)
}

/// What is wrong with the bytes of a segment that is indexed to `end`.
fn damage(path: PathBuf, extent: &Extent, end: u64, size: u64) -> Option<Problem> {
    let has_records = extent.end > SEGMENT_HEADER.len() as u64;
    let offset = match extent.header {
        // One that is only begun, or of a newer larder, is nothing that is wrong.
        Header::Foreign if end == 0 && !has_records => return Some(Problem::Foreign(path)),
        Header::Foreign => Some(0),
        Header::OtherVersion => (end > 0).then_some(0),
        // That it is too short is told as a loss.
        Header::Known if size < end => extent.gap,
        Header::Known => extent.gap.or((extent.end < end).then_some(extent.end)).filter(|offset| *offset < end),
    };
    offset.map(|offset| Problem::Segment { path, offset })
}
