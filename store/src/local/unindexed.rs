//! What this process has appended to segments and the index has not been told yet.
//!
//! Several threads append to one segment, and what came last may be indexed first. The index is told how far a segment is indexed *without a
//! gap*, for the next writer indexes only what stands behind that: a process that is killed, or fails, in between leaves nothing that
//! is found only by a rebuild. What was never indexed because a step failed is left to that writer, too.

use super::segment::Location;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What has been appended to one segment.
#[derive(Debug, Default)]
struct Tail {
    /// Where the records begin of which the index does not know.
    begins: BTreeSet<u64>,
    /// Where the last record ends.
    end: u64,
}

/// The segments that this process has appended to.
#[derive(Debug, Default)]
pub(super) struct Unindexed(HashMap<Arc<str>, Tail>);

impl Unindexed {
    /// Notes what was appended, before anything is appended behind it.
    pub(super) fn add(&mut self, locations: &[Location]) {
        for location in locations {
            let tail = self.0.entry(Arc::clone(&location.segment)).or_default();
            tail.begins.insert(location.offset);
            tail.end = tail.end.max(location.end());
        }
    }

    /// Notes that the index has been told of these.
    pub(super) fn remove(&mut self, locations: &[Location]) {
        for Location { segment, offset, .. } in locations {
            if let Some(tail) = self.0.get_mut(segment) {
                tail.begins.remove(offset);
            }
        }
    }

    /// How far the segment of these is indexed without a gap once the index has been told of them. All of them were appended at once.
    pub(super) fn indexed_to(&self, locations: &[Location]) -> Option<(Arc<str>, u64)> {
        let segment = &locations.first()?.segment;
        let tail = self.0.get(segment)?;
        let told: BTreeSet<_> = locations.iter().map(|location| location.offset).collect();
        let gap = tail.begins.iter().find(|begin| !told.contains(begin));
        Some((Arc::clone(segment), gap.copied().unwrap_or(tail.end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(offset: u64, lengths: &[u64]) -> Vec<Location> {
        let mut offset = offset;
        let one = |&length: &u64| {
            let location = Location { segment: "s".into(), offset, length };
            offset += length;
            location
        };
        lengths.iter().map(one).collect()
    }

    #[test]
    fn the_end_is_that_of_what_is_indexed_without_a_gap() {
        let mut unindexed = Unindexed::default();
        let [first, second, third] = [batch(17, &[3, 5]), batch(25, &[10]), batch(35, &[1, 1])];
        [&first, &second, &third].into_iter().for_each(|batch| unindexed.add(batch));
        let told = |unindexed: &mut Unindexed, batch: &[Location]| {
            let end = unindexed.indexed_to(batch).expect("appended").1;
            unindexed.remove(batch);
            end
        };
        assert_eq!(told(&mut unindexed, &second), 17);
        assert_eq!(told(&mut unindexed, &first), 35);
        assert_eq!(told(&mut unindexed, &third), 37);
    }

    #[test]
    fn what_was_never_indexed_stays_a_gap() {
        let mut unindexed = Unindexed::default();
        unindexed.add(&batch(17, &[3]));
        for offset in [20, 30] {
            let later = batch(offset, &[10]);
            unindexed.add(&later);
            assert_eq!(unindexed.indexed_to(&later), Some(("s".into(), 17)));
            unindexed.remove(&later);
        }
    }
}
