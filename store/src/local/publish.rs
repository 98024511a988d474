//! Publishing: the one way into the store.
//!
//! Order, and what a crash after each step leaves:
//!
//! 1. The tree is staged below `tmp/`, its records are appended to a segment. *Crash: waste in `tmp/`, records nobody asks for.*
//! 2. The file system is synced. *The same.*
//! 3. New files are linked into `objects/`. *Objects without a tree, complete and true to their name.*
//! 4. The tree is renamed into `store/`, its root made read-only. *A complete tree that the index does not know.*
//! 5. The file system is synced. *The same.*
//! 6. The index is told. *Done; a power cut may take what the index was told, which the next start of the machine makes good.*
//!
//! Only sealed objects are ever linked to, and an object's bytes were synced before it got its name.

use super::effect;
use super::fsutil::{self, At, SEALED_DIRECTORY, unique_name};
use super::index::{self, PathInfo};
use super::ingest::{Excluded, Ingest, Ingested, Way};
use super::layout::object_name;
use super::materialise::{Source, copy_object, host_path, seal_directory};
use super::record::{BuildCost, Record};
use super::{LocalStore, StoreError, now};
use crate::derivation::{Derivation, EncodedDerivation, OutputName, output_path_name};
use crate::digest::{ActionDigest, DerivationDigest, TreeDigest};
use crate::listing::TreeListing;
use crate::realisation::Realisation;
use crate::store_path::{StoreName, StorePath};
use crate::tree::{Node, TreePath};
use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory below `tmp/`, removed when dropped.
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
    ingested: Ingested,
    /// What holds it; dropped once the tree has been moved away.
    staging: Staging,
    /// Its place below the staging directory.
    place: PathBuf,
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

/// What a build made, to be published together.
#[derive(Debug)]
pub struct BuildResult {
    /// The derivation that asked for it.
    pub derivation: DerivationDigest,
    /// The derivation's name.
    pub name: StoreName,
    /// What was done.
    pub action: ActionDigest,
    /// Every output.
    pub outputs: Vec<(OutputName, Sealed)>,
    /// What the outputs need when they are used.
    pub runtime: BTreeSet<StorePath>,
    /// What it cost.
    pub cost: BuildCost,
}

/// What a build made, with all decided that publishing it needs.
#[derive(Debug)]
pub struct Prepared {
    trees: Vec<(StorePath, Sealed)>,
    records: Vec<Record>,
    published: Vec<Published>,
}

impl Prepared {
    /// What its outputs will be.
    #[must_use]
    pub fn outputs(&self) -> &[Published] {
        &self.published
    }

    /// The trees that will be published.
    pub fn trees(&self) -> impl Iterator<Item = TreeDigest> {
        self.trees.iter().map(|(_, sealed)| sealed.digest())
    }

    /// Whether an output mentions one of these trees, or declares to need it.
    #[must_use]
    pub fn needs_any_of(&self, trees: &HashSet<TreeDigest>) -> bool {
        let mentions = |sealed: &Sealed| sealed.references().iter().any(|tree| trees.contains(tree));
        let declares = |record: &Record| match record {
            Record::Realisation(realisation) | Record::Conflict(realisation) => {
                realisation.runtime.iter().filter_map(StorePath::tree).any(|tree| trees.contains(&tree))
            }
            _ => false,
        };
        self.trees.iter().any(|(_, sealed)| mentions(sealed)) || self.records.iter().any(declares)
    }
}

/// An output after publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which output.
    pub output: OutputName,
    /// The path that is valid now.
    pub path: StorePath,
    /// The tree that this build made, if an earlier build of the same action made another one, which is kept.
    pub conflict: Option<TreeDigest>,
}

impl LocalStore {
    /// A new directory for files that are to be published.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stage(&self) -> Result<Staging, StoreError> {
        self.must_be_writable()?;
        let path = self.layout.tmp().join(unique_name(""));
        effect::mkdir(&path, Mode::RWXU).at("create directory", &path)?;
        Ok(Staging { path, keep: false })
    }

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
        let source = resolve_but_last(source)?;
        if let Some(path) = self.known_source(&source, &name, excluded)? {
            return Ok(path);
        }
        let staging = self.stage()?;
        let target = fsutil::open_directory(staging.path())?;
        let parent = fsutil::open_directory(source.parent().unwrap_or(Path::new("/")))?;
        let ingest = Ingest::new(Way::Copy, self.objects.as_fd(), excluded);
        let ingested =
            self.while_writing_back(|| ingest.run(parent.as_fd(), &source, target.as_fd(), OsStr::new("tree")))?;
        let place = staging.path().join("tree");
        let path = self.publish(Sealed { ingested, staging, place }, name)?;
        let note = |transaction: &rusqlite::Transaction<'_>| index::insert_source(transaction, &source);
        self.index.change(note).map_err(|error| self.index_error(error))?;
        Ok(path)
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
        let node = Node::File { executable, size: content.len() as u64, blob: crate::digest::BlobDigest::of(content) };
        let path = StorePath::from_tree(node.digest(), name.clone())?;
        self.hold([&path])?;
        if self.is_valid(&path)? {
            return Ok(path);
        }
        let staging = self.stage()?;
        let place = staging.path().join("tree");
        effect::write_file(&place, content).at("write", &place)?;
        if executable {
            effect::chmod(&place, Mode::RWXU).at("change the mode of", &place)?;
        }
        self.publish(self.seal(staging, &place)?, name)
    }

    /// Hashes, scans and seals a tree that was made below a staging directory. Nothing may be able to write to it any more.
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
    pub(super) fn read(&self, place: &Path) -> Result<Ingested, StoreError> {
        let parent = fsutil::open_directory(place.parent().unwrap_or(Path::new("/")))?;
        let ingest = Ingest::new(Way::Read, self.objects.as_fd(), None);
        Ok(ingest.run(parent.as_fd(), place, parent.as_fd(), place.file_name().unwrap_or_default())?)
    }

    /// Publishes one sealed tree under a name.
    ///
    /// # Errors
    /// When a step fails; nothing is visible then.
    pub fn publish(&self, sealed: Sealed, name: StoreName) -> Result<StorePath, StoreError> {
        let path = StorePath::from_tree(sealed.digest(), name)?;
        self.publish_all(vec![(path.clone(), sealed)], Vec::new())?;
        Ok(path)
    }

    /// Publishes the outputs of a build with their realisations. An earlier realisation of the same action is kept.
    ///
    /// # Errors
    /// When a step fails; nothing is visible then.
    pub fn publish_build(&self, result: BuildResult) -> Result<Vec<Published>, StoreError> {
        let prepared = self.prepare_build(result)?;
        let published = prepared.published.clone();
        self.publish_builds(vec![prepared])?;
        Ok(published)
    }

    /// Publishes what several builds made, waiting for the disk as often as for one of them. None of them may need a tree of another.
    ///
    /// # Errors
    /// When a step fails; none of it is valid then.
    pub fn publish_builds(&self, builds: Vec<Prepared>) -> Result<(), StoreError> {
        let (mut trees, mut records) = (Vec::new(), Vec::new());
        for build in builds {
            trees.extend(build.trees);
            records.extend(build.records);
        }
        self.publish_all(trees, records)
    }

    /// Decides what a build's outputs will be published as. No other build of the action may be published before this one.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn prepare_build(&self, result: BuildResult) -> Result<Prepared, StoreError> {
        let BuildResult { derivation, name, action, outputs, runtime, cost } = result;
        // The time of the build first: it orders what follows.
        let mut records = vec![Record::Build { action, cost }, Record::Resolution { derivation, action }];
        let mut published = Vec::new();
        let mut trees = Vec::new();
        for (output, sealed) in outputs {
            let references = sealed.references().clone();
            let tree = sealed.digest();
            let realisation =
                Realisation { action, output: output.clone(), tree, references, runtime: runtime.clone() };
            let path_name = output_path_name(&name, &output)?;
            let earlier = self.kept_path(&action, &output, &path_name)?.filter(|path| path.tree() != Some(tree));
            let conflict = earlier.as_ref().map(|_| tree);
            records.push(if conflict.is_some() {
                Record::Conflict(realisation)
            } else {
                Record::Realisation(realisation)
            });
            let own = StorePath::from_tree(tree, path_name)?;
            // The loser of a conflict is published too, so that the two can be compared.
            trees.push((own.clone(), sealed));
            published.push(Published { output, path: earlier.unwrap_or(own), conflict });
        }
        Ok(Prepared { trees, records, published })
    }

    /// Trees as they will be published, to be used until then and while it is done: what is published are others, made of links to the
    /// same files.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn lend(&self, prepared: &mut Prepared) -> Result<Vec<(StorePath, Sealed)>, StoreError> {
        let lend = |(path, sealed): &mut (StorePath, Sealed)| {
            let staging = self.stage()?;
            let place = staging.path().join("tree");
            self.materialise(&sealed.ingested.listing, Source::Tree(&sealed.place), &place)?;
            let twin = Sealed { ingested: sealed.ingested.clone(), staging, place };
            let lent = std::mem::replace(sealed, twin);
            if matches!(lent.ingested.listing.root(), Node::Directory(_)) {
                effect::chmod(&lent.place, SEALED_DIRECTORY).at("change the mode of", &lent.place)?;
            }
            Ok((path.clone(), lent))
        };
        prepared.trees.iter_mut().map(lend).collect()
    }

    /// Records that a derivation resolved to an action that is realised already.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn add_resolution(&self, derivation: DerivationDigest, action: ActionDigest) -> Result<(), StoreError> {
        self.add_records(vec![Record::Resolution { derivation, action }])
    }

    /// Keeps a derivation and gives its path.
    ///
    /// # Errors
    /// As [`Self::add_derivations`].
    pub fn add_derivation(&self, derivation: Derivation) -> Result<StorePath, StoreError> {
        let encoded = Arc::new(EncodedDerivation::new(derivation)?);
        self.add_derivations(std::slice::from_ref(&encoded))?;
        Ok(encoded.path().clone())
    }

    /// Keeps derivations; those that are kept already cost little.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add_derivations(&self, derivations: &[Arc<EncodedDerivation>]) -> Result<(), StoreError> {
        self.hold(derivations.iter().map(|derivation| derivation.path()))?;
        let mut known = Vec::new();
        let mut records = Vec::new();
        for derivation in derivations {
            if self.is_valid(derivation.path())? {
                known.push(derivation.path().clone());
            } else {
                records.push(Record::Derivation(Arc::clone(derivation)));
            }
        }
        if !known.is_empty() {
            self.touch(&known)?;
        }
        self.add_records(records)
    }

    /// Appends records and indexes them. Without a sync: what a power cut takes can be evaluated again.
    fn add_records(&self, records: Vec<Record>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let locations = self.append(&records)?;
        self.index_appended(&locations, |transaction| index::insert_records(transaction, &records, &locations))
    }

    fn publish_all(&self, trees: Vec<(StorePath, Sealed)>, mut records: Vec<Record>) -> Result<(), StoreError> {
        self.follow_index()?;
        self.hold(trees.iter().map(|(path, _)| path))?;
        let mut new = BTreeSet::new();
        for (_, sealed) in trees.iter().filter(|(_, sealed)| new.insert(sealed.digest())) {
            let listing = sealed.ingested.listing.clone();
            let known = self.index.record(2, listing.digest().as_bytes()).map_err(|error| self.index_error(error))?;
            if known.is_none() {
                records.push(Record::Tree { listing, references: sealed.ingested.references.clone() });
            }
        }
        let locations = self.append(&records)?;
        self.sync()?;
        let mut infos = Vec::with_capacity(trees.len());
        for (path, sealed) in &trees {
            self.move_in(path, sealed)?;
            let totals = sealed.ingested.listing.totals();
            let now = now();
            infos.push(PathInfo {
                path: path.clone(),
                files: totals.files,
                bytes: totals.bytes,
                added: now,
                used: now,
            });
        }
        self.sync()?;
        self.index_appended(&locations, |transaction| {
            infos.iter().try_for_each(|info| index::insert_path(transaction, info))?;
            index::insert_records(transaction, &records, &locations)?;
            records.iter().try_for_each(|record| self.replace_lost_realisation(transaction, record))
        })
    }

    /// Lets a realisation take the place of one whose tree is in quarantine: the index knows that tree, but it is not there.
    fn replace_lost_realisation(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        record: &Record,
    ) -> Result<(), rusqlite::Error> {
        let Record::Realisation(realisation) = record else { return Ok(()) };
        let earlier = index::paths_realised(transaction, realisation)?;
        if earlier.iter().any(|path| self.layout.path(path).symlink_metadata().is_ok()) {
            return Ok(());
        }
        index::replace_realisation(transaction, realisation)
    }

    /// Steps 3 and 4: objects, then the tree itself.
    fn move_in(&self, path: &StorePath, sealed: &Sealed) -> Result<(), StoreError> {
        let place = &sealed.place;
        let target = self.layout.path(path);
        let root = match sealed.ingested.listing.root() {
            Node::Directory(_) => Some(fsutil::open_directory(place)?),
            _ => None,
        };
        let link = |object: &super::ingest::NewObject| {
            let source = || if root.is_some() { place.join(&object.path) } else { place.clone() };
            let linked = match &root {
                Some(root) => effect::linkat(root, &object.path, &self.objects, &*object.name),
                None => effect::linkat(rustix::fs::CWD, place, &self.objects, &*object.name),
            };
            match linked {
                Ok(()) => Ok(None),
                Err(Errno::EXIST) => Ok(Some(object.name.clone())),
                // As many files of this tree are equal as links can be made.
                Err(Errno::MLINK) => self.copy_to_object(&source(), &object.name).map(|()| None),
                failed => failed.at_place("link", source).map(|()| None),
            }
        };
        let linked = sealed.ingested.new_objects.par_iter().with_min_len(64).map(link);
        let foreign: Vec<_> = linked.collect::<Result<_, _>>()?;
        self.share_objects(sealed, &foreign.into_iter().flatten().collect())?;
        match effect::rename(place, &target) {
            // Somebody else was first; both are the same.
            Err(Errno::EXIST | Errno::NOTEMPTY) => {}
            renamed => renamed.at("rename", place)?,
        }
        // Also for somebody else, who may have been killed before it.
        if matches!(sealed.ingested.listing.root(), Node::Directory(_)) {
            effect::chmod(&target, SEALED_DIRECTORY).at("change the mode of", &target)?;
        }
        Ok(())
    }

    /// Exchanges files of a staged tree for objects that other processes have made meanwhile, so that every file of every tree has its object.
    fn share_objects(&self, sealed: &Sealed, objects: &BTreeSet<String>) -> Result<(), fsutil::IoError> {
        if objects.is_empty() {
            return Ok(());
        }
        let mut files = Vec::new();
        let mut collect = |path: &TreePath, node: &Node| {
            if let Node::File { blob, executable, .. } = node {
                let object = object_name(blob, *executable);
                if objects.contains(&object) {
                    files.push((host_path(&sealed.place, path), object));
                }
            }
        };
        let listing = &sealed.ingested.listing;
        collect(&TreePath::default(), listing.root());
        listing.walk(&mut collect);
        for (file, object) in files {
            self.renew_full_object(&file, &object)?;
            self.share_object(&sealed.place, &file, &object)?;
        }
        Ok(())
    }

    fn share_object(&self, root: &Path, file: &Path, object: &str) -> Result<(), fsutil::IoError> {
        let temporary = self.layout.tmp().join(unique_name(""));
        loop {
            match effect::linkat(&self.objects, object, rustix::fs::CWD, &temporary) {
                Ok(()) => break,
                Err(Errno::MLINK) => return Ok(()),
                // It has been collected meanwhile: then this file becomes the object.
                Err(Errno::NOENT) => match effect::linkat(rustix::fs::CWD, file, &self.objects, object) {
                    Err(Errno::EXIST) => {}
                    linked => return linked.at("link", file),
                },
                failed => failed.at("link", file)?,
            }
        }
        let parent = file.parent().unwrap_or(root);
        let renamed = effect::chmod(parent, Mode::RWXU)
            .at("change the mode of", parent)
            .and_then(|()| effect::rename(&temporary, file).at("rename", &temporary));
        // Also when it succeeded: two links to one file are not renamed but both left.
        fsutil::remove_temporary(&temporary);
        renamed?;
        if parent != root && parent.starts_with(root) {
            seal_directory(parent)?;
        } else if parent == root {
            let directory = fsutil::open_directory(root)?;
            effect::set_fixed_time(directory).at("set the time of", root)?;
        }
        Ok(())
    }

    /// Makes an object that is a copy of a file to which no further link can be made.
    fn copy_to_object(&self, source: &Path, object: &str) -> Result<(), fsutil::IoError> {
        let temporary = self.layout.tmp().join(unique_name(""));
        copy_object(source, &temporary, object.ends_with("-x"))
            .and_then(|()| {
                effect::renameat(rustix::fs::CWD, &temporary, &self.objects, object).at("rename", &temporary)
            })
            .inspect_err(|_| fsutil::remove_temporary(&temporary))
    }

    /// Lets a fresh file take the place of an object to which hardly another link can be made.
    fn renew_full_object(&self, source: &Path, object: &str) -> Result<(), fsutil::IoError> {
        const NEARLY_FULL: u64 = 60_000;
        let stat = rustix::fs::statat(&self.objects, object, AtFlags::SYMLINK_NOFOLLOW).at("stat", source)?;
        #[expect(clippy::useless_conversion, reason = "the link count's width differs between systems")]
        if u64::from(stat.st_nlink) < NEARLY_FULL {
            return Ok(());
        }
        let temporary = self.layout.tmp().join(unique_name(""));
        match effect::linkat(rustix::fs::CWD, source, rustix::fs::CWD, &temporary) {
            // It is itself as full, or even the object: another file of the tree may not be.
            Err(Errno::MLINK) => return Ok(()),
            linked => linked.at("link", source)?,
        }
        let renamed = effect::renameat(rustix::fs::CWD, &temporary, &self.objects, object).at("rename", &temporary);
        // Also when it succeeded: two links to one file are not renamed but both left.
        fsutil::remove_temporary(&temporary);
        renamed
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

impl Sealed {
    /// The staging directory, back from a tree that is not to be published.
    #[must_use]
    pub fn into_staging(self) -> Staging {
        self.staging
    }
}
