//! Verifying the index: that its rows say what the records say which they were made from.
//!
//! All rows are looked at as of one moment; what they name is in segments by then, and stays there unless a collection moves it, which removes
//! the segment. A segment that is damaged is told of as such, and what is said to be in it is not compared.

use super::LocalStore;
use crate::Realisation;
use crate::digest::TreeDigest;
use crate::local::StoreError;
use crate::local::index::{IndexError, Rows, place_of};
use crate::local::record::{Record, SEGMENT_HEADER, realisation_key};
use crate::local::segment::{Extent, Header, Location, segment_names, visit_frames};
use std::collections::{HashMap, HashSet};
use std::iter::Peekable;
use std::vec::IntoIter;

/// How far the records of segments reach, by their names.
pub(super) type Extents = HashMap<String, Extent>;

impl LocalStore {
    /// Whether the index is sound and says what the records say; then also how far these reach in each segment.
    pub(super) fn verify_index(&self) -> Result<Option<Extents>, StoreError> {
        if !self.index.is_consistent() {
            return Ok(None);
        }
        match self.index.at_one_moment(|rows| self.agrees_with_records(rows)) {
            Err(error) if error.is_false() => Ok(None),
            agrees => agrees.map_err(|error| self.index_error(error)),
        }
    }

    fn agrees_with_records(&self, rows: &Rows<'_>) -> Result<Option<Extents>, IndexError> {
        let (ends, mut places) = (rows.segments()?, rows.places()?);
        // Those that are gone are told of as such.
        if !places.segments().into_iter().all(|segment| ends.contains_key(segment)) {
            return Ok(None);
        }
        let (mut realised, mut extents) = (Realised::default(), Extents::new());
        for segment in segment_names(&self.layout.records())? {
            let end = ends.get(&segment).copied().unwrap_or(0);
            let mut compared = Compared::new(rows, places.take(&segment), &mut realised);
            let path = self.layout.records().join(&segment);
            let visited = visit_frames(&path, &segment, SEGMENT_HEADER.len() as u64, |kind, payload, location| {
                let Some(record) = Record::from_payload(kind, payload) else { return Ok::<_, IndexError>(false) };
                compared.compare(&record, &location).map(|()| true)
            });
            let extent = match visited {
                // A collection has moved what is still needed of it into another one. If it cannot be read, that is told of as such.
                Err(IndexError::Io(_)) => continue,
                visited => visited?,
            };
            // What is damaged or cut off is told of by who verifies segments.
            let is_whole = extent
                .as_ref()
                .is_some_and(|extent| extent.header == Header::Known && extent.gap.is_none() && extent.end >= end);
            if !compared.agrees || is_whole && !compared.all_were_met() {
                return Ok(None);
            }
            extents.extend(extent.map(|extent| (segment, extent)));
        }
        Ok(realised.are_recorded().then_some(extents))
    }
}

/// A segment's records beside the rows that are said to be of them.
struct Compared<'r, 'c> {
    rows: &'r Rows<'c>,
    realised: &'r mut Realised,
    /// Where records are said to be that were not come to yet.
    expected: Peekable<IntoIter<(u64, u64)>>,
    /// Whether there was a record wherever one is said to be, so far.
    were_met: bool,
    /// Whether rows say what their records say.
    agrees: bool,
}

impl<'r, 'c> Compared<'r, 'c> {
    fn new(rows: &'r Rows<'c>, expected: Vec<(u64, u64)>, realised: &'r mut Realised) -> Self {
        Self { rows, realised, expected: expected.into_iter().peekable(), were_met: true, agrees: true }
    }

    fn compare(&mut self, record: &Record, location: &Location) -> Result<(), IndexError> {
        while self.expected.next_if(|(offset, _)| *offset < location.offset).is_some() {
            self.were_met = false;
        }
        let said = self.expected.next_if(|(offset, _)| *offset == location.offset);
        let is_current = said == Some(place_of(record, location.offset, location.length));
        self.agrees &= is_current || said.is_none();
        if let Record::Realisation(realisation) = record {
            let by_rows = if is_current { self.rows.realised(realisation)? } else { None };
            self.realised.note(realisation, by_rows);
        }
        if is_current && self.agrees {
            self.agrees = self.rows.agree_with(record)?;
        }
        Ok(())
    }

    /// Whether there was a record wherever one is said to be.
    fn all_were_met(&mut self) -> bool {
        self.were_met && self.expected.next().is_none()
    }
}

/// Which realisations count, by the rows: mostly the last that was recorded, but at least one that was.
#[derive(Default)]
struct Realised {
    /// What rows say otherwise than the last record.
    doubtful: HashMap<Vec<u8>, TreeDigest>,
    /// What was recorded besides.
    recorded: HashSet<(Vec<u8>, TreeDigest)>,
}

impl Realised {
    /// Notes a record, and what the rows say if it is the current one of its key.
    fn note(&mut self, realisation: &Realisation, by_rows: Option<TreeDigest>) {
        let key = realisation_key(realisation);
        match by_rows {
            Some(tree) if tree == realisation.tree => {}
            Some(tree) => {
                self.recorded.insert((key.clone(), realisation.tree));
                self.doubtful.insert(key, tree);
            }
            None => drop(self.recorded.insert((key, realisation.tree))),
        }
    }

    fn are_recorded(&self) -> bool {
        self.doubtful.iter().all(|(key, tree)| self.recorded.contains(&(key.clone(), *tree)))
    }
}
