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

mod build;
mod sealed;
mod sharing;
mod source;

pub use build::{BuildResult, Prepared, Published};
pub(super) use sealed::ABANDONED;
pub use sealed::{Sealed, Staging};
pub use source::{Addition, Taken};

use super::index::{self, PathInfo};
use super::record::Record;
use super::{LocalStore, StoreError, now};
use crate::derivation::{Derivation, EncodedDerivation};
use crate::digest::{ActionDigest, DerivationDigest};
use crate::store_path::{StoreName, StorePath};
use std::collections::BTreeSet;
use std::sync::Arc;

impl LocalStore {
    /// Publishes one sealed tree under a name.
    ///
    /// # Errors
    /// When a step fails; nothing is visible then.
    pub fn publish(&self, sealed: Sealed, name: StoreName) -> Result<StorePath, StoreError> {
        let path = StorePath::from_tree(sealed.digest(), name)?;
        self.publish_all(vec![(path.clone(), sealed)], Vec::new())?;
        Ok(path)
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
}
