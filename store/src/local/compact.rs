//! Compacting segments: records of what is dead are left behind when they are more than half of a segment.
//!
//! What is kept goes into a segment of its own, in the same order, for which of two realisations was first is told by what stands before
//! them. It is synced before the index knows of it, and the old one goes last: whoever is killed in between leaves every record at
//! least once. The same transaction that makes the new one known says of the old one that nothing of it is needed: it is never read again, and
//! removed by the next collection if not now. Realisations, conflicts and costs of builds are never left behind, and nothing of a segment that
//! somebody writes to, that is damaged, or that is not indexed to its end. One segment is in memory at a time.

use super::effect;
use super::fsutil::{At, IoError};
use super::index::{self, Index};
use super::reclaim::allocated;
use super::record::{Record, SEGMENT_HEADER};
use super::segment::{Header, Location, SegmentWriter, open_segment, read_wanted_frames};
use super::{LocalStore, StoreError};
use rustc_hash::FxHashMap;
use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What of a segment the index knows.
#[derive(Default)]
struct Needed {
    offsets: Vec<u64>,
    /// Bytes of all these frames.
    length: u64,
}

/// A segment that seems to be mostly waste.
struct Candidate {
    name: String,
    /// Where the index says that it ends.
    end: u64,
    needed: Needed,
}

/// A segment of which more than half is waste.
struct Wasteful {
    name: String,
    path: PathBuf,
    /// Locked, so that nobody writes to it.
    file: File,
    kept: Vec<(Record, Location)>,
    /// Bytes of the new segment.
    length: u64,
}

/// Whether the record of something dead is of no use.
fn goes_with_the_dead(kind: u8) -> bool {
    matches!(kind, 1 | 2 | 4)
}

impl LocalStore {
    /// Compacts segments, for who keeps collections away, and says how many bytes of the disk that gives back.
    pub(super) fn compact_segments(&self) -> Result<u64, StoreError> {
        let mut freed = 0;
        for candidate in self.candidates(|_, _| false)? {
            if let Some(wasteful) = self.look_at_segment(candidate)? {
                freed += self.compact(&wasteful)?;
            }
        }
        Ok(freed)
    }

    /// Says how many bytes that would give back when those records are forgotten of which `is_forgotten` says so by kind and key.
    pub(super) fn would_compact(&self, is_forgotten: impl Fn(u8, &[u8]) -> bool) -> Result<u64, StoreError> {
        let mut freed = 0;
        for candidate in self.candidates(is_forgotten)? {
            if let Some(Wasteful { file, path, length, .. }) = self.look_at_segment(candidate)? {
                let data = file.metadata().at("stat", &path)?;
                freed += (data.blocks() * 512).saturating_sub(length.next_multiple_of(data.blksize().max(1)));
            }
        }
        Ok(freed)
    }

    /// Removes the segments that have been compacted, for who keeps collections away. The index forgets one only when a power cut cannot
    /// bring it back: it would be taken for a segment that has not been indexed.
    pub(super) fn remove_compacted(&self) -> Result<(), StoreError> {
        let names = self.ask(Index::compacted_segments)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in &names {
            let path = self.layout.records().join(name);
            match effect::unlink(&path) {
                Ok(()) | Err(Errno::NOENT) => {}
                failed => failed.at("remove", &path)?,
            }
        }
        self.sync_names_in(&self.layout.records())?;
        let forget = |transaction: &rusqlite::Transaction<'_>| {
            names.iter().try_for_each(|name| index::delete_segment(transaction, name))
        };
        self.index.change(forget).map_err(|error| self.index_error(error))
    }

    /// The segments that seem to be mostly waste, by what the index knows without what is forgotten.
    fn candidates(&self, is_forgotten: impl Fn(u8, &[u8]) -> bool) -> Result<Vec<Candidate>, StoreError> {
        // First: to where another process appends meanwhile, records come that the second question may not see. The end is another then.
        let segments = self.ask(Index::segments)?;
        let mut needed = FxHashMap::<String, Needed>::default();
        self.ask(|index| {
            index.record_places(|kind, key, segment, offset, length| {
                if is_forgotten(kind, key) {
                    return;
                }
                let needed = match needed.get_mut(segment) {
                    Some(needed) => needed,
                    None => needed.entry(segment.to_owned()).or_default(),
                };
                needed.offsets.push(offset);
                needed.length = needed.length.saturating_add(length);
            })
        })?;
        let segments = segments.into_iter().map(|(name, end)| {
            let needed = needed.remove(&name).unwrap_or_default();
            Candidate { name, end, needed }
        });
        Ok(segments.filter(|candidate| is_mostly_waste(candidate.end, candidate.needed.length)).collect())
    }

    /// Reads a segment that seems to be mostly waste; `None` if it is not, or is to be left alone.
    fn look_at_segment(&self, candidate: Candidate) -> Result<Option<Wasteful>, StoreError> {
        let Candidate { name, end, needed } = candidate;
        let path = self.layout.records().join(&name);
        let opened = match open_segment(&path, OFlags::RDONLY) {
            Err(error) if error.is_not_found() => None,
            opened => opened?,
        };
        let Some(file) = opened else { return Ok(None) };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        let offsets: HashSet<_> = needed.offsets.into_iter().collect();
        let is_kept = |kind, offset| !goes_with_the_dead(kind) || offsets.contains(&offset);
        let found = read_wanted_frames(&path, &name, SEGMENT_HEADER.len() as u64, is_kept)?;
        let Some(found) = found else { return Ok(None) };
        let size = file.metadata().at("stat", &path)?.len();
        let extent = found.extent;
        if extent.header != Header::Known || extent.gap.is_some() || extent.end != end || size != end {
            return Ok(None);
        }
        let kept = without_idle_marks(found.frames);
        let needed: u64 = kept.iter().map(|(_, location)| location.length).sum();
        let length = if kept.is_empty() { 0 } else { SEGMENT_HEADER.len() as u64 + needed };
        Ok(is_mostly_waste(end, needed).then_some(Wasteful { name, path, file, kept, length }))
    }

    fn compact(&self, wasteful: &Wasteful) -> Result<u64, StoreError> {
        let Wasteful { name, path, file, kept, .. } = wasteful;
        let mut taken = 0;
        let mut moved = Vec::new();
        if !kept.is_empty() {
            let mut writer = SegmentWriter::create(&self.layout.records())?;
            let records: Vec<_> = kept.iter().map(|(record, _)| record.clone()).collect();
            moved = writer.append(&records)?;
            self.sync()?;
            taken = writer.taken()?;
        }
        let change = |transaction: &rusqlite::Transaction<'_>| {
            index::mark_compacted(transaction, name)?;
            for ((record, from), to) in kept.iter().zip(&moved) {
                index::move_record(transaction, record, from, to)?;
            }
            moved.last().map_or(Ok(()), |last| index::insert_segment(transaction, &last.segment, last.end()))
        };
        self.index.change(change).map_err(|error| self.index_error(error))?;
        let freed = allocated(&rustix::fs::fstat(file).at("stat", path)?);
        self.remove_compacted()?;
        Ok(freed.saturating_sub(taken))
    }
}

/// Leaves out marks of time that tell nothing, for a time that is not earlier is told right behind them, or nothing follows.
fn without_idle_marks(records: Vec<(Record, Location)>) -> Vec<(Record, Location)> {
    let mut kept = Vec::with_capacity(records.len());
    let mut told_behind = Some(u64::MAX);
    for (record, location) in records.into_iter().rev() {
        let told = match &record {
            Record::Build { cost, .. } => Some(cost.finished),
            _ => None,
        };
        if !(record.is_mark_of_time() && told <= told_behind) {
            told_behind = told;
            kept.push((record, location));
        }
    }
    kept.reverse();
    kept
}

/// Whether more than half of a segment of this length is not needed, and a block at least.
fn is_mostly_waste(length: u64, needed: u64) -> bool {
    const BLOCK: u64 = 4096;
    let waste = length.saturating_sub(needed).saturating_sub(SEGMENT_HEADER.len() as u64);
    waste >= BLOCK && waste > length / 2
}

impl SegmentWriter {
    /// Bytes of the disk that it takes.
    fn taken(&self) -> Result<u64, IoError> {
        Ok(allocated(&rustix::fs::fstat(self.file()).at("stat", self.path())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{ActionDigest, DerivationDigest};
    use crate::local::record::BuildCost;

    #[test]
    fn only_marks_of_time_that_tell_something_are_kept() {
        let resolution = Record::Resolution {
            derivation: DerivationDigest::from_bytes([1; 32]),
            action: ActionDigest::from_bytes([2; 32]),
        };
        let mark = Record::mark_of_time;
        // One build may have ended before another one that was published earlier.
        let build = |finished| Record::Build {
            action: ActionDigest::from_bytes([3; 32]),
            cost: BuildCost { finished, duration_ms: 0, cpu_ms: 0, memory: 0 },
        };
        let all = [
            mark(1),
            mark(2),
            resolution.clone(),
            mark(3),
            resolution.clone(),
            mark(5),
            build(4),
            mark(6),
            build(6),
            mark(7),
        ];
        let nowhere = Location { segment: "s".into(), offset: 0, length: 0 };
        let kept = without_idle_marks(all.into_iter().map(|record| (record, nowhere.clone())).collect());
        let kept: Vec<_> = kept.into_iter().map(|(record, _)| record).collect();
        assert_eq!(kept, [mark(2), resolution.clone(), mark(3), resolution, mark(5), build(4), build(6)]);
    }
}
