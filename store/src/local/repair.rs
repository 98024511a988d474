//! Repairing: restoring what verification found wrong from what is still right, here or in another store.
//!
//! What is wrong goes to quarantine first, so that nothing is made from it. A tree is made anew from its listing and from objects; an
//! object is found again in any tree that has a file with its content, in what lies in quarantine, or in the other store. Every file is
//! hashed before it is used. What cannot be restored is said, and why; building it again is left to the caller.

mod records;
mod search;

use super::fsutil::{At, IoError};
use super::layout::parse_object_name;
use super::present::PresentObjects;
use super::verify::{Contents, Problem, VerifyOptions, VerifyProgress};
use super::{LocalStore, StoreError};
use crate::digest::BlobDigest;
use crate::listing::TreeListing;
use crate::store_path::StorePath;
use crate::tree::{Node, TreePath};
use search::Search;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::path::PathBuf;

/// What a repair came to.
#[derive(Debug, Default)]
pub struct Repaired {
    /// Paths that are valid and right again.
    pub restored: Vec<StorePath>,
    /// Paths of which something is nowhere to be found: the first such thing.
    pub lost: Vec<(StorePath, String)>,
    /// Damaged segments that were replaced: the file, the records that were read from it, and how many the index knew of.
    pub segments: Vec<(PathBuf, usize, usize)>,
    /// Damaged segments that another process is writing to; they are left as they are.
    pub busy: Vec<PathBuf>,
    /// Segments that cannot be made such that they can be used, and why; they are left as they are.
    pub unusable: Vec<(PathBuf, IoError)>,
}

/// How a store is repaired.
#[derive(Debug, Clone, Copy, Default)]
pub struct RepairOptions<'a> {
    /// Where lost files may be taken from.
    pub other: Option<&'a LocalStore>,
    /// At most so many bytes a second are read.
    pub max_rate: Option<NonZeroU64>,
}

impl RepairOptions<'_> {
    /// How files are read for it.
    fn reading(self) -> VerifyOptions<'static> {
        VerifyOptions { contents: true, max_rate: self.max_rate, ..VerifyOptions::default() }
    }
}

/// A file's content and whether it can be executed: what an object is.
type Wanted = (BlobDigest, bool);

impl LocalStore {
    /// Restores what is wrong, taking from another store what this one has not.
    ///
    /// # Errors
    /// When the store cannot be read or written; what was restored by then stays.
    pub fn repair(&self, problems: &[Problem], other: Option<&LocalStore>) -> Result<Repaired, StoreError> {
        self.repair_with(problems, RepairOptions { other, max_rate: None })
    }

    /// The same, with all options.
    ///
    /// # Errors
    /// As [`Self::repair`].
    pub fn repair_with(&self, problems: &[Problem], options: RepairOptions<'_>) -> Result<Repaired, StoreError> {
        if !problems.iter().any(|problem| matches!(problem, Problem::Index(_))) {
            return self.repair_found(problems, options);
        }
        self.rebuild_index()?;
        // Only now can the rest be looked at. Losses that nobody was told of yet are left to be told.
        let mut problems = self.verify_with(options.reading(), &VerifyProgress::default())?;
        problems.retain(|problem| !matches!(problem, Problem::LostRecords { .. }));
        self.repair_found(&problems, options)
    }

    /// The same, of a store whose index tells what is in it.
    fn repair_found(&self, problems: &[Problem], options: RepairOptions<'_>) -> Result<Repaired, StoreError> {
        if problems.is_empty() {
            return Ok(Repaired::default());
        }
        let mut repaired = Repaired::default();
        self.quarantine(problems)?;
        self.make_object_directories()?;
        self.repair_records(problems, &mut repaired)?;
        let paths: BTreeSet<_> = problems.iter().filter_map(Problem::store_path).cloned().collect();
        let progress = VerifyProgress::default();
        let contents = Contents::new(options.reading(), &progress);
        let mut search = Search::new(self, options.other, contents);
        for path in paths {
            self.hold([&path])?;
            match search.restore(&path)? {
                None => repaired.restored.push(path),
                Some(missing) => repaired.lost.push((path, missing)),
            }
        }
        for wanted in problems.iter().filter_map(|problem| self.damaged_object(problem)) {
            // Of one that no tree needs nothing is left, and nothing is missed.
            let _ = search.has_object(&wanted) || search.restore_object(&wanted)?;
        }
        Ok(repaired)
    }

    /// Makes objects anew that trees have files of. One may be missing after a collection that was killed just when somebody linked to an
    /// object that it was removing. What is damaged besides is left to a repair.
    pub(super) fn restore_lost_objects(&self) -> Result<(), StoreError> {
        let trees = self.paths()?.into_iter().filter_map(|info| info.path.tree()).collect();
        let there = PresentObjects::read(&self.objects).at("read directory", self.layout.objects())?;
        let (lost, _) =
            self.records_of_trees(self.all_tree_records()?, trees, |_| ()).files_where(|file| !there.contains(file));
        drop(there);
        if lost.is_empty() {
            return Ok(());
        }
        let progress = VerifyProgress::default();
        let contents = Contents::new(RepairOptions::default().reading(), &progress);
        let mut search = Search::new(self, None, contents).only_for(lost.iter().map(|(blob, _)| *blob).collect());
        for lost in lost {
            search.restore_object(&lost)?;
        }
        Ok(())
    }

    fn damaged_object(&self, problem: &Problem) -> Option<Wanted> {
        let Problem::Object { path, .. } = problem else { return None };
        parse_object_name(path.strip_prefix(self.layout.objects()).ok()?.to_str()?)
    }
}

/// The files of a tree, each content once: where it first stands.
pub(super) fn files_of(listing: &TreeListing) -> BTreeMap<Wanted, TreePath> {
    let mut files = BTreeMap::new();
    let mut collect = |inside: &TreePath, node: &Node| {
        if let Node::File { blob, executable, .. } = node {
            files.entry((*blob, *executable)).or_insert_with(|| inside.clone());
        }
    };
    collect(&TreePath::default(), listing.root());
    listing.walk(&mut collect);
    files
}
