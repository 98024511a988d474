//! Repairing: restoring what verification found wrong from what is still right, here or in another store.
//!
//! What is wrong goes to quarantine first, so that nothing is made from it. A tree is made anew from its listing and from objects; an
//! object is found again in any tree that has a file with its content, in what lies in quarantine, or in the other store. Every file is
//! hashed before it is used. What cannot be restored is said, and why; building it again is left to the caller.

mod records;

use super::effect;
use super::fsutil::{self, At, unique_name};
use super::layout::{object_name, parse_object_name};
use super::materialise::{copy_object, host_path};
use super::present::PresentObjects;
use super::verify::{Contents, Problem, VerifyOptions, VerifyProgress, sealed_file};
use super::{LocalStore, StoreError};
use crate::digest::{BlobDigest, TreeDigest};
use crate::listing::TreeListing;
use crate::store_path::StorePath;
use crate::tree::{Node, TreePath};
use rustix::fs::{CWD, Mode};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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
        let mut search = Search { store: self, other: options.other, contents, sought: None, places: None };
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
        let sought = Some(lost.iter().map(|(blob, _)| *blob).collect());
        let mut search = Search { store: self, other: None, contents, sought, places: None };
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

/// Looks for what is missing.
struct Search<'a> {
    store: &'a LocalStore,
    other: Option<&'a LocalStore>,
    contents: Contents<'a>,
    /// The contents that may be looked for, if that is known before.
    sought: Option<HashSet<BlobDigest>>,
    /// Where files lie that should have a content, by what was to be their object; made when first needed.
    places: Option<HashMap<Wanted, Vec<PathBuf>>>,
}

impl Search<'_> {
    /// Makes a path valid and right again; otherwise says what is missing.
    fn restore(&mut self, path: &StorePath) -> Result<Option<String>, StoreError> {
        let Some(tree) = path.tree() else { return Ok(None) };
        let Some((listing, references)) = self.listing(path, &tree)? else {
            return Ok(Some("the list of what is in it".to_owned()));
        };
        for (wanted, inside) in files_of(&listing) {
            if !self.has_object(&wanted) && !self.restore_object(&wanted)? {
                return Ok(Some(if inside.components().is_empty() {
                    "its content".to_owned()
                } else {
                    inside.to_string()
                }));
            }
        }
        let in_place = self.store.layout.path(path).symlink_metadata().is_ok();
        if in_place && self.store.is_valid(path)? {
            return Ok(None);
        }
        let sealed = self.store.stage_listing(&listing, Some(references))?;
        self.store.publish(sealed, path.name().clone())?;
        self.store.remove_quarantined(OsStr::new(&path.base_name()))?;
        Ok(None)
    }

    /// What is in a tree, from its record, from the tree itself, or from the other store.
    fn listing(
        &self,
        path: &StorePath,
        tree: &TreeDigest,
    ) -> Result<Option<(TreeListing, BTreeSet<TreeDigest>)>, StoreError> {
        for store in [Some(self.store), self.other].into_iter().flatten() {
            if let (Ok(listing), Ok(references)) = (store.listing(tree), store.mentions(tree)) {
                return Ok(Some((listing, references)));
            }
        }
        let recorded = self.store.recover(tree, path)?;
        Ok(match recorded {
            Some(_) => Some((self.store.listing(tree)?, self.store.mentions(tree)?)),
            None => None,
        })
    }

    fn has_object(&self, (blob, executable): &Wanted) -> bool {
        let name = object_name(blob, *executable);
        let objects = self.store.objects.as_fd();
        let is_sealed = sealed_file(objects, OsStr::new(&name), *executable).is_ok_and(|(_, flaws)| flaws.is_empty());
        is_sealed && self.contents.digest(objects, OsStr::new(&name)).is_ok_and(|found| found == *blob)
    }

    /// Makes an object anew from a file that has its content.
    fn restore_object(&mut self, wanted: &Wanted) -> Result<bool, StoreError> {
        let name = object_name(&wanted.0, wanted.1);
        let object = self.store.layout.objects().join(&name);
        let mut candidates = self.places_of(wanted)?;
        if let Some(other) = self.other {
            for executable in [false, true] {
                candidates.push(other.layout.objects().join(object_name(&wanted.0, executable)));
            }
        }
        candidates.push(self.store.layout.objects().join(object_name(&wanted.0, !wanted.1)));
        // Perhaps only its mode or time is wrong.
        candidates.push(object.clone());
        for place in candidates {
            if !self.has_content(&place, &wanted.0) {
                continue;
            }
            let temporary = self.store.layout.tmp().join(unique_name(""));
            let replaced = self.replace_object(&place, &temporary, &object, wanted.1);
            // Also when it succeeded: two links to one file are not renamed but both left.
            fsutil::remove_temporary(&temporary);
            replaced?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Lets a file with the content of an object take its place, under another name first: what is put aside may displace the file itself.
    fn replace_object(
        &self,
        place: &Path,
        temporary: &Path,
        object: &Path,
        executable: bool,
    ) -> Result<(), fsutil::IoError> {
        if !is_sealed(place, executable) || effect::linkat(CWD, place, CWD, temporary).is_err() {
            copy_object(place, temporary, executable)?;
        }
        // What is in the way was not right. A file gives way to another, a directory does not.
        if object.symlink_metadata().is_ok_and(|data| data.is_dir()) {
            self.store.put_aside(object)?;
        }
        effect::rename(temporary, object).at("rename", temporary)
    }

    fn has_content(&self, place: &Path, blob: &BlobDigest) -> bool {
        let (Some(parent), Some(name)) = (place.parent(), place.file_name()) else { return false };
        let is_unreadable = |data: std::fs::Metadata| data.is_file() && data.permissions().mode() & 0o400 == 0;
        if place.starts_with(self.store.layout.root()) && place.symlink_metadata().is_ok_and(is_unreadable) {
            // It is wrong as it is, and may be the last one with this content.
            let _ = effect::chmod(place, Mode::RUSR);
        }
        let digest =
            fsutil::open_directory(parent).ok().and_then(|parent| self.contents.digest(parent.as_fd(), name).ok());
        digest == Some(*blob)
    }

    /// Where files lie that should have this content.
    fn places_of(&mut self, wanted: &Wanted) -> Result<Vec<PathBuf>, StoreError> {
        let places = match self.places.take() {
            Some(places) => places,
            None => self.all_places()?,
        };
        let places = self.places.insert(places);
        let with = |executable| places.get(&(wanted.0, executable)).cloned().unwrap_or_default();
        Ok([with(wanted.1), with(!wanted.1)].concat())
    }

    fn all_places(&self) -> Result<HashMap<Wanted, Vec<PathBuf>>, StoreError> {
        let mut places = HashMap::<_, Vec<_>>::new();
        let paths: BTreeSet<_> = self.store.paths()?.into_iter().map(|info| info.path).collect();
        for path in paths.into_iter().chain(self.store.quarantined()?) {
            let Some(Ok(listing)) = path.tree().map(|tree| self.store.listing(&tree)) else { continue };
            let valid = self.store.layout.path(&path);
            let base = if valid.symlink_metadata().is_ok() { valid } else { self.store.quarantine_place(&path) };
            let is_sought = |blob: &BlobDigest| self.sought.as_ref().is_none_or(|sought| sought.contains(blob));
            for (wanted, inside) in files_of(&listing).into_iter().filter(|((blob, _), _)| is_sought(blob)) {
                places.entry(wanted).or_default().push(host_path(&base, &inside));
            }
        }
        for (wanted, name) in self.store.quarantined_objects()? {
            places.entry(wanted).or_default().push(fsutil::join_bytes(&self.store.layout.quarantine(), &name));
        }
        Ok(places)
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

fn is_sealed(place: &Path, executable: bool) -> bool {
    let (Some(parent), Some(name)) = (place.parent(), place.file_name()) else { return false };
    let looked = fsutil::open_directory(parent).ok().map(|parent| sealed_file(parent.as_fd(), name, executable));
    matches!(looked, Some(Ok((_, flaws))) if flaws.is_empty())
}
