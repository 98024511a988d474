//! The files that many trees consist of.
//!
//! Where their records are is read from the index in one pass, and the records are read by segment and place, on all cores.

use super::record::Record;
use super::segment::{Location, SegmentReader};
use super::{LocalStore, StoreError};
use crate::digest::{BlobDigest, TreeDigest};
use crate::listing::TreeListing;
use crate::tree::Node;
use rayon::prelude::*;

/// A file's content and executable bit: what makes an object.
pub(super) type FileKey = (BlobDigest, bool);

/// So many records are read one after the other, by one thread.
const TOGETHER: usize = 64;

/// Where the records of some trees are: to be asked for before the index forgets them, and read whenever there is time.
#[derive(Debug)]
pub(super) struct TreeRecords {
    places: Vec<(TreeDigest, Location)>,
    reader: SegmentReader,
    /// The trees that have no record.
    missing: Vec<TreeDigest>,
}

impl TreeRecords {
    /// The files of these trees, sorted, each once, and whether these are all: what a tree has whose record is missing or damaged, nobody
    /// knows.
    pub(super) fn files(&self) -> (Vec<FileKey>, bool) {
        self.files_where(|_| true)
    }

    /// The same, but only those for which `wanted` says so: no others are ever kept.
    pub(super) fn files_where(&self, wanted: impl Fn(&FileKey) -> bool + Sync) -> (Vec<FileKey>, bool) {
        let files = self.map(|_, listing| Some(keys_of(listing?).filter(&wanted).collect()));
        sorted_files(files)
    }

    /// What `of` makes of each tree and its listing, which is `None` where the record is missing or damaged.
    pub(super) fn map<T: Send>(&self, of: impl Fn(&TreeDigest, Option<&TreeListing>) -> T + Sync) -> Vec<T> {
        let read = |places: &[(TreeDigest, Location)]| {
            let mut read = Vec::with_capacity(places.len());
            let locations: Vec<_> = places.iter().map(|(_, location)| location).collect();
            self.reader.visit(&locations, |at, record| {
                read.push(match record {
                    Some(Record::Tree { listing, .. }) => of(&places[at].0, Some(&listing)),
                    _ => of(&places[at].0, None),
                });
            });
            read
        };
        let known = self.places.par_chunks(TOGETHER).flat_map_iter(read);
        known.chain(self.missing.par_iter().map(|tree| of(tree, None))).collect()
    }
}

/// The files of a tree; some may come more than once.
pub(super) fn keys_of(listing: &TreeListing) -> impl Iterator<Item = FileKey> {
    let nodes = listing.directories().flat_map(|directory| directory.entries().map(|(_, node)| node));
    std::iter::once(listing.root()).chain(nodes).filter_map(|node| match node {
        Node::File { blob, executable, .. } => Some((*blob, *executable)),
        _ => None,
    })
}

/// The files of many trees, each once, and whether all of them are known.
pub(super) fn sorted_files(files: Vec<Option<Vec<FileKey>>>) -> (Vec<FileKey>, bool) {
    let are_all = files.iter().all(Option::is_some);
    let mut files: Vec<_> = files.into_iter().flatten().flatten().collect();
    files.par_sort_unstable();
    files.dedup();
    (files, are_all)
}

impl LocalStore {
    /// Where the records of all trees are, sorted by tree.
    pub(super) fn all_tree_records(&self) -> Result<Vec<(TreeDigest, Location)>, StoreError> {
        let mut places = Vec::new();
        self.ask(|index| index.tree_records(|tree, location| places.push((tree, location))))?;
        Ok(places)
    }

    /// Takes from `all` that there are those of some trees. `other` is told of every other tree that has one.
    pub(super) fn records_of_trees(
        &self,
        mut all: Vec<(TreeDigest, Location)>,
        mut trees: Vec<TreeDigest>,
        mut other: impl FnMut(TreeDigest),
    ) -> TreeRecords {
        trees.sort_unstable();
        trees.dedup();
        let mut sought = trees.iter().peekable();
        let mut missing = Vec::new();
        all.retain(|(tree, _)| {
            // Both are sorted by digest.
            while let Some(unknown) = sought.next_if(|sought| *sought < tree) {
                missing.push(*unknown);
            }
            let is_sought = sought.next_if(|sought| *sought == tree).is_some();
            if !is_sought {
                other(*tree);
            }
            is_sought
        });
        let mut places = all;
        missing.extend(sought);
        places.sort_unstable_by(|(_, a), (_, b)| (&a.segment, a.offset).cmp(&(&b.segment, b.offset)));
        TreeRecords { places, reader: SegmentReader::new(self.layout.records()), missing }
    }
}
