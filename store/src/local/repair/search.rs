//! Looking for what is missing. A file that may have a content is reached from a directory of a store, name by name, following no link: in a damaged
//! tree a directory may be a link to anywhere.

use super::{Wanted, files_of};
use crate::digest::{BlobDigest, TreeDigest};
use crate::listing::TreeListing;
use crate::local::fsutil::{self, At, IoError, unique_name};
use crate::local::layout::object_name;
use crate::local::materialise::copy_sealed;
use crate::local::verify::{Contents, sealed_file};
use crate::local::{LocalStore, StoreError, effect};
use crate::store_path::StorePath;
use crate::tree::{EntryName, TreePath};
use rustix::fs::{AtFlags, FileType, Mode};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// A directory of a store that files are looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    /// `store/`.
    Trees,
    /// `quarantine/`.
    Quarantine,
    /// `objects/`.
    Objects,
    /// `objects/` of the other store.
    OtherObjects,
}

/// Where a file may lie.
#[derive(Debug, Clone)]
struct Place {
    base: Base,
    path: TreePath,
}

impl Place {
    fn of_object(base: Base, wanted: &Wanted) -> Self {
        let path = TreePath::parse(object_name(&wanted.0, wanted.1).as_bytes());
        Self { base, path: path.expect("names of objects are names of files") }
    }

    /// Something directly in a directory of a store.
    fn directly_in(base: Base, name: &[u8]) -> Self {
        let name = EntryName::new(name).expect("the system's own names are valid");
        Self { base, path: TreePath::default().join(&name) }
    }

    /// Something below this.
    fn below(&self, inside: &TreePath) -> Self {
        Self { base: self.base, path: inside.components().iter().fold(self.path.clone(), |path, name| path.join(name)) }
    }
}

/// A file that was found: its directory, and its name there.
struct Found {
    directory: OwnedFd,
    name: EntryName,
}

impl Found {
    fn name(&self) -> &OsStr {
        OsStr::from_bytes(self.name.as_bytes())
    }

    fn is_sealed(&self, executable: bool) -> bool {
        sealed_file(self.directory.as_fd(), self.name(), executable).is_ok_and(|(_, flaws)| flaws.is_empty())
    }

    /// Lets a file be read that nobody may read: it is wrong as it is, and may be the last one with its content.
    fn make_readable(&self) {
        let stat = rustix::fs::statat(&self.directory, self.name(), AtFlags::SYMLINK_NOFOLLOW);
        let is_unreadable = stat.is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_mode & 0o400 == 0
        });
        if is_unreadable {
            // If that fails, it cannot be read.
            let _ = effect::chmodat(&self.directory, self.name(), Mode::RUSR);
        }
    }
}

/// Looks for what is missing.
pub(super) struct Search<'a> {
    store: &'a LocalStore,
    other: Option<&'a LocalStore>,
    contents: Contents<'a>,
    /// The contents that may be looked for, if that is known before.
    sought: Option<HashSet<BlobDigest>>,
    /// Where files lie that should have a content, by what was to be their object; made when first needed.
    places: Option<HashMap<Wanted, Vec<Place>>>,
}

impl<'a> Search<'a> {
    pub(super) fn new(store: &'a LocalStore, other: Option<&'a LocalStore>, contents: Contents<'a>) -> Self {
        Self { store, other, contents, sought: None, places: None }
    }

    /// Only these contents will be looked for.
    pub(super) fn only_for(self, sought: HashSet<BlobDigest>) -> Self {
        Self { sought: Some(sought), ..self }
    }

    /// Makes a path valid and right again; otherwise says what is missing.
    pub(super) fn restore(&mut self, path: &StorePath) -> Result<Option<String>, StoreError> {
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
        let recorded = match self.store.recover(tree, path) {
            Err(error) if error.is_unread_tree() => None,
            recorded => recorded?,
        };
        Ok(match recorded {
            Some(_) => Some((self.store.listing(tree)?, self.store.mentions(tree)?)),
            None => None,
        })
    }

    /// Whether an object is there and right.
    pub(super) fn has_object(&self, wanted: &Wanted) -> bool {
        let found = self.open(&Place::of_object(Base::Objects, wanted));
        found.is_some_and(|found| found.is_sealed(wanted.1) && self.has_content(&found, &wanted.0))
    }

    /// Makes an object anew from a file that has its content.
    pub(super) fn restore_object(&mut self, wanted: &Wanted) -> Result<bool, StoreError> {
        let (blob, executable) = *wanted;
        let mut candidates = self.places_of(wanted)?;
        if self.other.is_some() {
            candidates.extend([false, true].map(|any| Place::of_object(Base::OtherObjects, &(blob, any))));
        }
        candidates.push(Place::of_object(Base::Objects, &(blob, !executable)));
        // Perhaps only its mode or time is wrong.
        candidates.push(Place::of_object(Base::Objects, wanted));
        for place in candidates {
            let Some(found) = self.open(&place) else { continue };
            if place.base != Base::OtherObjects {
                found.make_readable();
            }
            if self.has_content(&found, &blob) {
                self.replace_object(&found, wanted)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lets a file with the content of an object take its place, under another name first: what is put aside may displace the file itself.
    fn replace_object(&self, found: &Found, wanted: &Wanted) -> Result<(), IoError> {
        let temporary = unique_name("");
        let replaced =
            self.stage_object(found, &temporary, wanted.1).and_then(|()| self.move_object(&temporary, wanted));
        // Also when it succeeded: two links to one file are not renamed but both left.
        fsutil::remove_temporary(&self.store.layout.tmp().join(&temporary));
        replaced
    }

    fn stage_object(&self, found: &Found, temporary: &str, executable: bool) -> Result<(), IoError> {
        let tmp = &self.store.tmp;
        if found.is_sealed(executable) && effect::linkat(&found.directory, found.name(), tmp, temporary).is_ok() {
            return Ok(());
        }
        let from = (found.directory.as_fd(), found.name());
        let place = || self.store.layout.tmp().join(temporary);
        let copy = copy_sealed(from, (tmp.as_fd(), OsStr::new(temporary)), executable).at_place("write", place)?;
        self.store.sync_file(&copy).at_place("sync", place)
    }

    fn move_object(&self, temporary: &str, wanted: &Wanted) -> Result<(), IoError> {
        let name = object_name(&wanted.0, wanted.1);
        let place = self.store.layout.objects().join(&name);
        let (directory, file) = self.store.open_object_directory(&name)?;
        // What is in the way was not right. A file gives way to another, a directory does not.
        if place.symlink_metadata().is_ok_and(|data| data.is_dir()) {
            self.store.put_aside(&place)?;
        }
        effect::renameat(&self.store.tmp, temporary, directory, file).at("rename", &place)
    }

    fn open(&self, place: &Place) -> Option<Found> {
        let quarantine;
        let base = match place.base {
            Base::Trees => &self.store.store,
            Base::Objects => &self.store.objects,
            Base::OtherObjects => &self.other?.objects,
            Base::Quarantine => {
                quarantine = fsutil::open_directory(&self.store.layout.quarantine()).ok()?;
                &quarantine
            }
        };
        let directory = fsutil::open_beneath(base.as_fd(), &place.path.parent()?).ok()?;
        Some(Found { directory, name: place.path.components().last()?.clone() })
    }

    fn has_content(&self, found: &Found, blob: &BlobDigest) -> bool {
        self.contents.digest(found.directory.as_fd(), found.name()).is_ok_and(|digest| digest == *blob)
    }

    /// Where files lie that should have this content.
    fn places_of(&mut self, wanted: &Wanted) -> Result<Vec<Place>, StoreError> {
        let places = match self.places.take() {
            Some(places) => places,
            None => self.all_places()?,
        };
        let places = self.places.insert(places);
        let with = |executable| places.get(&(wanted.0, executable)).cloned().unwrap_or_default();
        Ok([with(wanted.1), with(!wanted.1)].concat())
    }

    fn all_places(&self) -> Result<HashMap<Wanted, Vec<Place>>, StoreError> {
        let mut places = HashMap::<_, Vec<_>>::new();
        let mut paths: BTreeSet<_> = self.store.paths()?.into_iter().map(|info| info.path).collect();
        paths.extend(self.store.quarantined()?);
        for path in paths {
            let Some(Ok(listing)) = path.tree().map(|tree| self.store.listing(&tree)) else { continue };
            let is_there = [
                (Base::Trees, self.store.layout.path(&path).symlink_metadata().is_ok()),
                (Base::Quarantine, self.store.is_quarantined(&path)),
            ];
            let trees: Vec<_> = is_there
                .iter()
                .filter(|(_, is_there)| *is_there)
                .map(|(base, _)| Place::directly_in(*base, path.base_name().as_bytes()))
                .collect();
            let is_sought = |blob: &BlobDigest| self.sought.as_ref().is_none_or(|sought| sought.contains(blob));
            for (wanted, inside) in files_of(&listing).into_iter().filter(|((blob, _), _)| is_sought(blob)) {
                places.entry(wanted).or_default().extend(trees.iter().map(|tree| tree.below(&inside)));
            }
        }
        for (wanted, name) in self.store.quarantined_objects()? {
            places.entry(wanted).or_default().push(Place::directly_in(Base::Quarantine, &name));
        }
        Ok(places)
    }
}
