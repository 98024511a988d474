//! The files that many trees consist of.
//!
//! Where their records are is read from the index in one pass, and the records are read by segment and place, on all cores.

use super::record::Record;
use super::segment::{Location, SegmentReader};
use super::{LocalStore, StoreError};
use crate::digest::{BlobDigest, TreeDigest};
use crate::tree::Node;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file's content and executable bit: what makes an object.
pub(super) type FileKey = (BlobDigest, bool);

/// Where the records of some trees are: to be asked for before the index forgets them, and read whenever there is time.
#[derive(Debug)]
pub(super) struct TreeRecords {
    places: Vec<Location>,
    reader: SegmentReader,
    /// How many of the trees have no record.
    missing: usize,
}

impl TreeRecords {
    /// The files of these trees, sorted, each once, and whether these are all: what a tree has whose record is missing or damaged, nobody
    /// knows.
    pub(super) fn files(&self) -> (Vec<FileKey>, bool) {
        self.files_where(|_| true)
    }

    /// The same, but only those for which `wanted` says so: no others are ever kept.
    pub(super) fn files_where(&self, wanted: impl Fn(&FileKey) -> bool + Sync) -> (Vec<FileKey>, bool) {
        let unread = AtomicUsize::new(self.missing);
        let files_of = |location: &Location| {
            let mut files = Vec::new();
            let Ok(Some(Record::Tree { listing, .. })) = self.reader.read(location) else {
                unread.fetch_add(1, Ordering::Relaxed);
                return files;
            };
            let mut collect = |node: &Node| {
                if let Node::File { blob, executable, .. } = node {
                    files.extend(Some((*blob, *executable)).filter(&wanted));
                }
            };
            collect(listing.root());
            listing.walk(&mut |_, node| collect(node));
            files
        };
        let mut files: Vec<_> = self.places.par_iter().with_min_len(64).flat_map_iter(files_of).collect();
        files.par_sort_unstable();
        files.dedup();
        (files, unread.into_inner() == 0)
    }
}

impl LocalStore {
    /// Where the records of trees are.
    pub(super) fn records_of_trees(&self, mut trees: Vec<TreeDigest>) -> Result<TreeRecords, StoreError> {
        trees.sort_unstable();
        trees.dedup();
        let mut sought = trees.iter().peekable();
        let mut places: Vec<Location> = Vec::new();
        self.ask(|index| {
            index.tree_records(|tree, location| {
                // Both are sorted by digest.
                while sought.next_if(|sought| **sought < tree).is_some() {}
                if sought.next_if(|sought| **sought == tree).is_some() {
                    places.push(location);
                }
            })
        })?;
        places.sort_unstable_by(|a, b| (&a.segment, a.offset).cmp(&(&b.segment, b.offset)));
        let missing = trees.len() - places.len();
        Ok(TreeRecords { places, reader: SegmentReader::new(self.layout.records()), missing })
    }
}
