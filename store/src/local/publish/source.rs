//! Sources: what users have, and what evaluation writes, taken into the store.

use super::sealed::Sealed;
use crate::digest::{BlobDigest, TreeDigest};
use crate::listing::TreeListing;
use crate::local::effect;
use crate::local::fsutil::{self, At};
use crate::local::index;
use crate::local::ingest::{Excluded, Ingest, Way};
use crate::local::{LocalStore, StoreError};
use crate::store_path::{StoreName, StorePath};
use crate::tree::Node;
use rustix::fs::Mode;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// A source after it was taken in.
#[derive(Debug)]
pub enum Addition {
    /// It is in the store.
    There(StorePath),
    /// It is to be published.
    Taken(Box<Taken>),
}

/// A copy of a source that is not in the store yet.
#[derive(Debug)]
pub struct Taken {
    path: StorePath,
    sealed: Sealed,
    /// Where it comes from, if it has a place outside.
    source: Option<PathBuf>,
}

impl Taken {
    /// What its path will be.
    #[must_use]
    pub fn path(&self) -> &StorePath {
        &self.path
    }

    /// The trees it mentions.
    #[must_use]
    pub fn references(&self) -> &BTreeSet<TreeDigest> {
        self.sealed.references()
    }

    /// Its files and directories.
    #[must_use]
    pub fn listing(&self) -> &TreeListing {
        self.sealed.listing()
    }
}

impl LocalStore {
    /// Takes a copy of a tree from outside and publishes it.
    ///
    /// # Errors
    /// When it cannot be read, is no tree, changes meanwhile, or cannot be written.
    pub fn add_path(
        &self,
        source: &Path,
        name: StoreName,
        excluded: Option<Excluded<'_>>,
    ) -> Result<StorePath, StoreError> {
        self.publish_source(self.take_path(source, name, excluded)?)
    }

    fn publish_source(&self, source: Addition) -> Result<StorePath, StoreError> {
        match source {
            Addition::There(path) => Ok(path),
            Addition::Taken(taken) => {
                let path = taken.path.clone();
                self.publish_taken(vec![*taken])?;
                Ok(path)
            }
        }
    }

    /// Publishes copies of sources, waiting for the disk as often as for one of them. None of them may mention another.
    ///
    /// # Errors
    /// When a step fails; none of them is valid then.
    pub fn publish_taken(&self, taken: Vec<Taken>) -> Result<(), StoreError> {
        self.hold_mentioned(&taken)?;
        let (mut trees, mut sources) = (Vec::new(), Vec::new());
        for Taken { path, sealed, source } in taken {
            trees.push((path, sealed));
            sources.extend(source);
        }
        self.publish_all(trees, Vec::new())?;
        let note = |transaction: &rusqlite::Transaction<'_>| {
            sources.iter().try_for_each(|source| index::insert_source(transaction, source))
        };
        if sources.is_empty() {
            return Ok(());
        }
        self.index.change(note).map_err(|error| self.index_error(error))
    }

    /// Holds what sources mention: until they are in the index themselves, a collection does not know that they need it. Of a build that is
    /// held already, for it is among its inputs.
    fn hold_mentioned(&self, taken: &[Taken]) -> Result<(), StoreError> {
        let mentioned: BTreeSet<_> = taken.iter().flat_map(Taken::references).collect();
        let paths = mentioned.into_iter().map(|tree| self.ask(|index| index.paths_of_tree(tree)));
        let paths = paths.collect::<Result<Vec<_>, _>>()?;
        self.hold(paths.iter().flatten())
    }

    /// Takes a copy of a tree from outside, if the store does not have it.
    ///
    /// # Errors
    /// When it cannot be read, is no tree, changes meanwhile, or cannot be written.
    pub fn take_path(
        &self,
        source: &Path,
        name: StoreName,
        excluded: Option<Excluded<'_>>,
    ) -> Result<Addition, StoreError> {
        let source = resolve_but_last(source)?;
        if let Some(path) = self.known_source(&source, &name, excluded)? {
            return Ok(Addition::There(path));
        }
        let staging = self.stage()?;
        let target = fsutil::open_directory(staging.path())?;
        let parent = fsutil::open_directory(source.parent().unwrap_or(Path::new("/")))?;
        let ingest = Ingest::new(Way::Copy, self.objects.as_fd(), excluded);
        let ingested =
            self.while_writing_back(|| ingest.run(parent.as_fd(), &source, target.as_fd(), OsStr::new("tree")))?;
        let place = staging.path().join("tree");
        let sealed = Sealed { ingested, staging, place };
        let path = StorePath::from_tree(sealed.digest(), name)?;
        Ok(Addition::Taken(Box::new(Taken { path, sealed, source: Some(source) })))
    }

    /// Does work that writes much, and has the disk write meanwhile what would otherwise all be waited for at the end.
    fn while_writing_back<T>(&self, work: impl FnOnce() -> T) -> T {
        const INTERVAL: std::time::Duration = std::time::Duration::from_millis(150);
        if !self.options.durable {
            return work();
        }
        let (done, ended) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while ended.recv_timeout(INTERVAL) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    // Only to begin early: what counts is the sync before anything becomes visible.
                    let _ = effect::syncfs(&self.tmp);
                }
            });
            let result = work();
            drop(done);
            result
        })
    }

    /// The path of a source that is in the store as it is now. Only for what was added before, or is one small file, is it worth reading a
    /// source to find out.
    fn known_source(
        &self,
        source: &Path,
        name: &StoreName,
        excluded: Option<Excluded<'_>>,
    ) -> Result<Option<StorePath>, StoreError> {
        const SMALL: u64 = 1 << 20;
        let data = source.symlink_metadata().at("stat", source)?;
        let small = data.is_file() && data.len() <= SMALL;
        if !small && !self.ask(|index| index.is_source(source))? {
            return Ok(None);
        }
        let parent = fsutil::open_directory(source.parent().unwrap_or(Path::new("/")))?;
        let ingest = Ingest::new(Way::Read, self.objects.as_fd(), excluded);
        let file_name = source.file_name().unwrap_or_default();
        let ingested = ingest.run(parent.as_fd(), source, parent.as_fd(), file_name)?;
        let path = StorePath::from_tree(ingested.listing.digest(), name.clone())?;
        self.hold([&path])?;
        Ok(self.is_valid(&path)?.then_some(path))
    }

    /// Publishes one file with this content.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add_bytes(&self, content: &[u8], executable: bool, name: StoreName) -> Result<StorePath, StoreError> {
        self.publish_source(self.take_bytes(content, executable, name)?)
    }

    /// Takes one file with this content, if the store does not have it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn take_bytes(&self, content: &[u8], executable: bool, name: StoreName) -> Result<Addition, StoreError> {
        let node = Node::File { executable, size: content.len() as u64, blob: BlobDigest::of(content) };
        let path = StorePath::from_tree(node.digest(), name.clone())?;
        self.hold([&path])?;
        if self.is_valid(&path)? {
            return Ok(Addition::There(path));
        }
        let staging = self.stage()?;
        let place = staging.path().join("tree");
        effect::write_file(&place, content).at("write", &place)?;
        if executable {
            effect::chmod(&place, Mode::RWXU).at("change the mode of", &place)?;
        }
        let sealed = self.seal(staging, &place)?;
        Ok(Addition::Taken(Box::new(Taken { path, sealed, source: None })))
    }

    /// Publishes a tree whose files are all in the store already.
    ///
    /// # Errors
    /// When a file of it is nowhere, or it cannot be written.
    pub fn add_listing(
        &self,
        listing: &TreeListing,
        references: BTreeSet<TreeDigest>,
        name: StoreName,
    ) -> Result<StorePath, StoreError> {
        let path = StorePath::from_tree(listing.digest(), name.clone())?;
        self.hold([&path])?;
        if self.is_valid(&path)? {
            return Ok(path);
        }
        let sealed = self.stage_listing(listing, Some(references))?;
        self.publish(sealed, name)
    }
}

/// An absolute path without links but for the last component, which may be one itself.
fn resolve_but_last(path: &Path) -> Result<PathBuf, fsutil::IoError> {
    let absolute = std::path::absolute(path).at("find", path)?;
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => Ok(std::fs::canonicalize(parent).at("find", path)?.join(name)),
        _ => std::fs::canonicalize(&absolute).at("find", path),
    }
}
