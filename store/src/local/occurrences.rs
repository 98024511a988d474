//! What trees consist of, for many trees at once: how often each file occurs in them.
//!
//! Where their records are is read from the index in one pass, and the records are read by segment and place, on all cores.

use super::record::Record;
use super::segment::{Location, SegmentReader};
use super::{LocalStore, StoreError};
use crate::digest::{BlobDigest, TreeDigest};
use crate::tree::Node;
use rayon::prelude::*;

/// A file's content and executable bit: what makes an object.
pub(super) type FileKey = (BlobDigest, bool);

/// Files with the number of times each occurs, sorted.
#[derive(Debug, Default)]
pub(super) struct Occurrences(Vec<(FileKey, u64)>);

impl Occurrences {
    fn count(mut files: Vec<FileKey>) -> Self {
        files.par_sort_unstable();
        Self(files.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len() as u64)).collect())
    }

    /// Each file with how often it occurs.
    pub(super) fn iter(&self) -> impl IndexedParallelIterator<Item = &(FileKey, u64)> {
        self.0.par_iter()
    }

    /// The files, sorted.
    pub(super) fn into_files(self) -> Vec<FileKey> {
        self.0.into_iter().map(|(file, _)| file).collect()
    }
}

impl LocalStore {
    /// How often each file occurs in the trees. A tree whose record is missing or damaged counts for nothing.
    pub(super) fn occurrences(&self, mut trees: Vec<TreeDigest>) -> Result<Occurrences, StoreError> {
        trees.sort_unstable();
        let mut wanted = trees.iter().peekable();
        let mut places: Vec<(Location, usize)> = Vec::new();
        self.ask(|index| {
            index.tree_records(|tree, location| {
                // Both are sorted by digest.
                while wanted.next_if(|wanted| **wanted < tree).is_some() {}
                let mut count = 0;
                while wanted.next_if(|wanted| **wanted == tree).is_some() {
                    count += 1;
                }
                if count > 0 {
                    places.push((location, count));
                }
            })
        })?;
        places.sort_unstable_by(|(a, _), (b, _)| (&a.segment, a.offset).cmp(&(&b.segment, b.offset)));
        let reader = SegmentReader::new(self.layout.records());
        let files_of = |(location, count): &(Location, usize)| {
            let mut files = Vec::new();
            if let Ok(Some(Record::Tree { listing, .. })) = reader.read(location) {
                let mut collect = |node: &Node| {
                    if let Node::File { blob, executable, .. } = node {
                        files.extend(std::iter::repeat_n((*blob, *executable), *count));
                    }
                };
                collect(listing.root());
                listing.walk(&mut |_, node| collect(node));
            }
            files
        };
        Ok(Occurrences::count(places.par_iter().with_min_len(64).flat_map_iter(files_of).collect()))
    }
}
