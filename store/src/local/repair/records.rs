//! Repairing `records/`: segments that can be used again, what can still be read of damaged ones, and an index that knows what there is.

use super::Repaired;
use crate::local::effect;
use crate::local::fsutil::{At, IoError};
use crate::local::record::SEGMENT_HEADER;
use crate::local::segment::{SegmentWriter, open_segment, read_frames};
use crate::local::unindexed::Unindexed;
use crate::local::verify::{Flaw, OTHERS_WRITE, OWNER_READS_AND_WRITES, Problem};
use crate::local::{LocalStore, StoreError};
use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::path::Path;
use std::sync::PoisonError;

impl LocalStore {
    pub(super) fn repair_records(&self, problems: &[Problem], repaired: &mut Repaired) -> Result<(), StoreError> {
        let is_of_records = |problem: &Problem| {
            matches!(problem, Problem::Segment { .. } | Problem::SegmentFile { .. } | Problem::LostRecords { .. })
        };
        if !problems.iter().any(is_of_records) {
            return Ok(());
        }
        // This process must not go on writing to one of them, nor tell the index of what was behind the end of one that is shorter now.
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.unindexed() = Unindexed::default();
        self.make_usable(problems, repaired)?;
        self.replace_segments(problems, repaired)?;
        self.end_losses(problems)
    }

    /// Gives segments a mode with which they can be used; what was in them while they could not be read is indexed.
    fn make_usable(&self, problems: &[Problem], repaired: &mut Repaired) -> Result<(), StoreError> {
        let mut is_changed = false;
        for problem in problems {
            let Problem::SegmentFile { path, flaw } = problem else { continue };
            let usable = if *flaw == Flaw::Mode { mend_mode(path) } else { Ok(()) };
            match usable.and_then(|()| must_be_readable(path)) {
                Ok(()) => is_changed = true,
                // It may be told of twice.
                Err(_) if repaired.unusable.iter().any(|(told, _)| told == path) => {}
                Err(error) => repaired.unusable.push((path.clone(), error)),
            }
        }
        if is_changed { self.rebuild_index().map(drop) } else { Ok(()) }
    }

    /// Lets a segment with the records that can still be read take the place of each damaged one.
    fn replace_segments(&self, problems: &[Problem], repaired: &mut Repaired) -> Result<(), StoreError> {
        let mut locked = Vec::new();
        for problem in problems {
            let Problem::Segment { path, .. } = problem else { continue };
            let Some(file) = open_segment(path, OFlags::RDONLY)? else { continue };
            if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                repaired.busy.push(path.clone());
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let known = self.ask(|index| index.records_in(&name))?;
            let Some(found) = read_frames(path, &name, SEGMENT_HEADER.len() as u64)? else { continue };
            repaired.segments.push((path.clone(), found.frames.len(), known));
            let records: Vec<_> = found.frames.into_iter().map(|(record, _)| record).collect();
            // One of its own: what was recorded first is told from the order within a segment.
            SegmentWriter::create(&self.layout.records())?.append(&records)?;
            locked.push((path, file));
        }
        if locked.is_empty() {
            return Ok(());
        }
        // Whoever is killed from here on leaves each record at least once.
        self.sync()?;
        // Nobody who opens the store meanwhile is to find an index that knows of what was put aside.
        let _no_collection = self.lock_trash()?;
        for (path, _lock) in &locked {
            self.put_aside(path)?;
        }
        self.rebuild_locked().map(drop)
    }
}

/// Changes the bits of a segment's mode that are wrong.
fn mend_mode(path: &Path) -> Result<(), IoError> {
    let stat = match rustix::fs::lstat(path) {
        // As below.
        Err(Errno::NOENT) => return Ok(()),
        stat => stat.at("stat", path)?,
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(());
    }
    let mode = (Mode::from_raw_mode(stat.st_mode) | OWNER_READS_AND_WRITES).difference(OTHERS_WRITE);
    effect::chmod(path, mode).at("change the mode of", path)
}

fn must_be_readable(path: &Path) -> Result<(), IoError> {
    match open_segment(path, OFlags::RDWR) {
        // A collection has moved what is still needed of it into another one.
        Err(error) if error.is_not_found() => Ok(()),
        Ok(None) => Err(std::io::Error::from(std::io::ErrorKind::PermissionDenied)).at("open", path),
        opened => opened.map(drop),
    }
}
