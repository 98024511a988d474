//! Sealed trees: complete and read-only, below a staging directory, and not yet in the store.

use crate::digest::TreeDigest;
use crate::listing::TreeListing;
use crate::local::effect;
use crate::local::fsutil::{self, At, unique_name};
use crate::local::ingest::{Ingest, Ingested, Way};
use crate::local::materialise::Source;
use crate::local::{LocalStore, StoreError};
use rustix::fs::Mode;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// How the names of what was abandoned begin in `trash/`.
pub(in crate::local) const ABANDONED: &str = "refused-";

/// A place below `tmp/`, removed when dropped with what is there.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    keep: bool,
}

impl Staging {
    /// Its place.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory where it is, for a failed build to be looked at.
    #[must_use]
    pub fn keep(mut self) -> PathBuf {
        self.keep = true;
        self.path.clone()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.keep {
            // Whatever cannot be removed now is removed by the next collection.
            let _ = remove(&self.path);
        }
    }
}

fn remove(path: &Path) -> Result<(), fsutil::IoError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let directory = fsutil::open_directory(parent)?;
    fsutil::remove_tree_at(directory.as_fd(), name).at("remove", path).map(drop)
}

/// A tree that is complete and read-only, but not yet in the store.
#[derive(Debug)]
pub struct Sealed {
    pub(super) ingested: Ingested,
    /// What holds it; dropped once the tree has been moved away.
    pub(super) staging: Staging,
    /// Its place: that which holds it, or below it.
    pub(super) place: PathBuf,
}

impl Sealed {
    /// The tree's digest.
    #[must_use]
    pub fn digest(&self) -> TreeDigest {
        self.ingested.listing.digest()
    }

    /// The tree's directories.
    #[must_use]
    pub fn listing(&self) -> &TreeListing {
        &self.ingested.listing
    }

    /// The trees it mentions.
    #[must_use]
    pub fn references(&self) -> &BTreeSet<TreeDigest> {
        &self.ingested.references
    }

    /// Where it lies until it is published.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place
    }
}

impl Sealed {
    /// The staging directory, back from a tree that is not to be published.
    #[must_use]
    pub fn into_staging(self) -> Staging {
        self.staging
    }
}

impl LocalStore {
    /// A new directory for files that are to be published.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stage(&self) -> Result<Staging, StoreError> {
        let staging = self.reserve()?;
        effect::mkdir(&staging.path, Mode::RWXU).at("create directory", &staging.path)?;
        Ok(staging)
    }

    /// Moves something sealed, which is not to be published, to where the next collection finds and removes it: then that looks at all
    /// objects, for some may have had their last link there. Nothing need be there.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn abandon(&self, place: &Path) -> Result<(), StoreError> {
        let trash = self.layout.trash().join(unique_name(ABANDONED));
        match effect::rename(place, &trash) {
            Err(Errno::NOENT) => Ok(()),
            renamed => Ok(renamed.at("rename", place)?),
        }
    }

    /// A new place for a tree that is to be published. There is nothing at it yet: to make and remove a directory takes longer than to
    /// move a small tree.
    ///
    /// # Errors
    /// When the store may only be read.
    pub fn reserve(&self) -> Result<Staging, StoreError> {
        self.must_be_writable()?;
        Ok(Staging { path: self.layout.tmp().join(unique_name("")), keep: false })
    }

    /// Hashes, scans and seals a tree that was made at or below a staging place. Nothing may be able to write to it any more.
    ///
    /// # Errors
    /// When it is missing, is no tree, or cannot be changed.
    pub fn seal(&self, staging: Staging, place: &Path) -> Result<Sealed, StoreError> {
        let parent = fsutil::open_directory(place.parent().unwrap_or(Path::new("/")))?;
        let ingest = Ingest::new(Way::Seal, self.objects.as_fd(), None);
        let name = place.file_name().unwrap_or_default();
        let ingested = ingest.run(parent.as_fd(), place, parent.as_fd(), name)?;
        Ok(Sealed { ingested, staging, place: place.to_owned() })
    }

    /// Makes, without publishing it, a tree whose files are all in the store already. `references` are those of the tree; `None` has its
    /// files scanned for them.
    ///
    /// # Errors
    /// When a file of it is nowhere, or it cannot be written.
    pub fn stage_listing(
        &self,
        listing: &TreeListing,
        references: Option<BTreeSet<TreeDigest>>,
    ) -> Result<Sealed, StoreError> {
        let staging = self.stage()?;
        let place = staging.path().join("tree");
        self.materialise(listing, Source::Objects, &place)?;
        let references = match references {
            Some(references) => references,
            None => self.read(&place)?.references,
        };
        let ingested = Ingested { listing: listing.clone(), references, new_objects: Vec::new() };
        Ok(Sealed { ingested, staging, place })
    }

    /// Lists, hashes and scans a tree without changing it.
    pub(in crate::local) fn read(&self, place: &Path) -> Result<Ingested, StoreError> {
        let parent = fsutil::open_directory(place.parent().unwrap_or(Path::new("/")))?;
        let ingest = Ingest::new(Way::Read, self.objects.as_fd(), None);
        Ok(ingest.run(parent.as_fd(), place, parent.as_fd(), place.file_name().unwrap_or_default())?)
    }
}
