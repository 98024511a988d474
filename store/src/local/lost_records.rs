//! Records that are gone: segments that are shorter than the index knows, or not there.
//!
//! A power cut may take the end of a segment that was not synced: who opens the store first after it has the index made anew, and nobody needs
//! to be told. What is gone when that has been done was lost by the disk or by somebody. Then the index is made anew, too, for there
//! is nothing else to make of it, but what was lost is noted in the file `lost`: every verification tells of it until a repair ends that.

use super::effect;
use super::fsutil::{At, IoError, replace_file, unique_name};
use super::index::Index;
use super::record::SEGMENT_HEADER;
use super::segment::size;
use super::verify::Problem;
use super::{LocalStore, StoreError};
use std::collections::BTreeSet;
use std::path::Path;

/// A segment that has lost records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Loss {
    /// Its file name.
    segment: String,
    /// How many bytes of it the index knew.
    known: u64,
    /// How many there are.
    found: u64,
}

impl Loss {
    fn line(&self) -> String {
        let segment = self.segment.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
        format!("{} {} {segment}\n", self.known, self.found)
    }

    fn from_line(line: &str) -> Option<Self> {
        let mut fields = line.splitn(3, ' ');
        let (known, found) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let mut segment = String::new();
        let mut characters = fields.next()?.chars();
        while let Some(character) = characters.next() {
            segment.push(match character {
                '\\' => match characters.next() {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    other => other.unwrap_or('\\'),
                },
                other => other,
            });
        }
        Some(Self { segment, known, found })
    }

    fn problem(&self, records: &Path) -> Problem {
        Problem::LostRecords { path: records.join(&self.segment), known: self.known, found: self.found }
    }
}

impl LocalStore {
    /// Has the index made anew if it knows of records that are not there.
    pub(super) fn make_good_lost_records(&self) -> Result<(), StoreError> {
        if self.losses()?.is_empty() {
            return Ok(());
        }
        let _no_collection = self.lock_trash()?;
        // Somebody else may have done it while this process waited.
        if self.losses()?.is_empty() {
            return Ok(());
        }
        self.rebuild_locked().map(drop)
    }

    /// What is gone, now or since a repair ended what had been told.
    pub(super) fn lost_records(&self) -> Result<Vec<Problem>, StoreError> {
        let mut losses: BTreeSet<_> = self.noted_losses()?.into_iter().collect();
        losses.extend(self.losses()?);
        Ok(losses.iter().map(|loss| loss.problem(&self.layout.records())).collect())
    }

    /// Ends that these are told of, and has the index know only what there is.
    pub(super) fn end_losses(&self, told: &[Problem]) -> Result<(), StoreError> {
        if !told.iter().any(|problem| matches!(problem, Problem::LostRecords { .. })) {
            return Ok(());
        }
        let _no_collection = self.lock_trash()?;
        self.rebuild_locked()?;
        let mut left = self.noted_losses()?;
        left.retain(|loss| !told.contains(&loss.problem(&self.layout.records())));
        Ok(self.note_losses(left.into_iter().collect())?)
    }

    /// The segments that are shorter than the index knows.
    fn losses(&self) -> Result<Vec<Loss>, StoreError> {
        let mut losses = Vec::new();
        for (segment, known) in self.ask(Index::segments)? {
            // Of one that was only begun a rebuild says that it has its header.
            let found = size(&self.layout.records(), &segment);
            let is_short = found < known && known > SEGMENT_HEADER.len() as u64;
            // Asked again: a collection may have compacted it meanwhile.
            if is_short && self.ask(|index| index.indexed_to(&segment))? == known {
                losses.push(Loss { segment, known, found });
            }
        }
        Ok(losses)
    }

    /// Notes what the index knows and is gone, before it is made anew; but nothing that a power cut may have taken.
    pub(super) fn note_losses_of_index(&self) -> Result<(), StoreError> {
        if !self.is_caught_up() {
            return Ok(());
        }
        let mut losses = self.losses()?;
        // What a repair that was killed has put aside is in other segments, and lost to nobody.
        losses.retain(|loss| loss.found > 0 || !self.is_put_aside(&loss.segment));
        if losses.is_empty() {
            return Ok(());
        }
        Ok(self.note_losses(self.noted_losses()?.into_iter().chain(losses).collect())?)
    }

    fn noted_losses(&self) -> Result<Vec<Loss>, IoError> {
        let place = self.layout.lost();
        let bytes = match std::fs::read(&place) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.at("read", &place)?,
        };
        // What is damaged in it is told as it is.
        Ok(String::from_utf8_lossy(&bytes).lines().filter_map(Loss::from_line).collect())
    }

    fn note_losses(&self, losses: BTreeSet<Loss>) -> Result<(), IoError> {
        let place = self.layout.lost();
        if !losses.is_empty() {
            let text: String = losses.iter().map(Loss::line).collect();
            return replace_file(&place, &self.layout.tmp().join(unique_name("")), text.as_bytes());
        }
        match effect::unlink(&place) {
            Err(rustix::io::Errno::NOENT) => Ok(()),
            removed => removed.at("remove", &place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_read_back() {
        let loss = |segment: &str| Loss { segment: segment.to_owned(), known: 500, found: 17 };
        for name in ["12-0-a", "with a space", " 1 2", "it's", "a\\nb\r\n"] {
            assert_eq!(Loss::from_line(loss(name).line().trim_end_matches('\n')), Some(loss(name)));
        }
        assert_eq!(loss("two\nlines").line().lines().count(), 1);
        assert_eq!(Loss::from_line("x y z"), None);
    }
}
