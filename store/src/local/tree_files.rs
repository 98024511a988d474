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

impl LocalStore {
    /// The files of trees, sorted, each once, and whether these are all: what a tree has whose record is missing or damaged, nobody knows.
    pub(super) fn files_of_trees(&self, trees: Vec<TreeDigest>) -> Result<(Vec<FileKey>, bool), StoreError> {
        self.files_of_trees_where(trees, |_| true)
    }

    /// The same, but only those for which `wanted` says so: no others are ever kept.
    pub(super) fn files_of_trees_where(
        &self,
        mut trees: Vec<TreeDigest>,
        wanted: impl Fn(&FileKey) -> bool + Sync,
    ) -> Result<(Vec<FileKey>, bool), StoreError> {
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
        let reader = SegmentReader::new(self.layout.records());
        let unread = AtomicUsize::new(trees.len() - places.len());
        let files_of = |location: &Location| {
            let mut files = Vec::new();
            let Ok(Some(Record::Tree { listing, .. })) = reader.read(location) else {
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
        let mut files: Vec<_> = places.par_iter().with_min_len(64).flat_map_iter(files_of).collect();
        files.par_sort_unstable();
        files.dedup();
        Ok((files, unread.into_inner() == 0))
    }
}
