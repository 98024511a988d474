//! Questions to a store.

use super::index::PathInfo;
use super::record::{BuildCost, Record};
use super::{LocalStore, StoreError, now, segment};
use crate::base32::{self, DIGEST_CHARS};
use crate::derivation::{Derivation, OutputName};
use crate::digest::{ActionDigest, DerivationDigest, TreeDigest};
use crate::listing::TreeListing;
use crate::store_path::{StoreName, StorePath};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// The fewest characters of a digest that are looked up.
pub(super) const MIN_PREFIX: usize = 8;

/// A build that is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// What was built.
    pub derivation: StorePath,
    /// What it resolved to.
    pub action: ActionDigest,
    /// When it ended, in seconds since the epoch.
    pub finished: u64,
}

/// A text that names no object of the store.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not a store path and not the beginning of a digest.
    #[error("`{0}` is neither a store path nor at least {MIN_PREFIX} characters of a digest")]
    Form(String),
    /// Nothing in the store begins so.
    #[error("nothing in the store begins with `{0}`")]
    Unknown(String),
    /// Several objects begin so.
    #[error("`{prefix}` could be any of {}", list(candidates))]
    Ambiguous {
        /// The text as given.
        prefix: String,
        /// What it could be.
        candidates: Vec<StorePath>,
    },
}

fn list(paths: &[StorePath]) -> String {
    let mut texts: Vec<_> = paths.iter().take(5).map(StorePath::to_string).collect();
    if paths.len() > texts.len() {
        texts.push(format!("{} more", paths.len() - texts.len()));
    }
    texts.join(", ")
}

impl LocalStore {
    /// Whether a tree's path is valid, or a derivation is kept.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn is_valid(&self, path: &StorePath) -> Result<bool, StoreError> {
        if let Some(derivation) = path.derivation() {
            return Ok(self.ask(|index| index.record(1, derivation.as_bytes()))?.is_some());
        }
        Ok(self.path_info(path)?.is_some())
    }

    /// What is known of a valid path.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn path_info(&self, path: &StorePath) -> Result<Option<PathInfo>, StoreError> {
        let info = self.ask(|index| index.path(path))?;
        // After a power cut the index may know of a rename that the disk does not.
        Ok(info.filter(|_| self.layout.path(path).symlink_metadata().is_ok()))
    }

    /// All valid paths.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn paths(&self) -> Result<Vec<PathInfo>, StoreError> {
        self.ask(super::index::Index::all_paths)
    }

    /// Finds the object that a text names: a store path, its last component, or the beginning of a digest.
    ///
    /// # Errors
    /// When the text has no such form, nothing begins so, or more than one thing does.
    pub fn lookup(&self, text: &str) -> Result<StorePath, LookupError> {
        if let Ok(path) = text.parse::<StorePath>().or_else(|_| StorePath::parse_base_name(text)) {
            self.hold_to_look(&path)?;
            return if self.is_valid(&path)? { Ok(path) } else { Err(LookupError::Unknown(text.to_owned())) };
        }
        let prefix = text.strip_prefix("/larder/store/").unwrap_or(text);
        let in_alphabet = prefix.bytes().all(|byte| base32::value(byte).is_some());
        if !in_alphabet || !(MIN_PREFIX..=DIGEST_CHARS).contains(&prefix.len()) {
            return Err(LookupError::Form(text.escape_debug().to_string()));
        }
        let (low, high) = bounds(prefix);
        let mut candidates = self.ask(|index| index.between(&low, &high))?;
        candidates.retain(|path| path.base_name().starts_with(prefix));
        candidates.sort_unstable();
        match candidates.len() {
            0 => Err(LookupError::Unknown(text.to_owned())),
            1 => {
                let path = candidates.remove(0);
                self.hold_to_look(&path)?;
                if self.is_valid(&path)? { Ok(path) } else { Err(LookupError::Unknown(text.to_owned())) }
            }
            _ => Err(LookupError::Ambiguous { prefix: text.to_owned(), candidates }),
        }
    }

    /// The directories of a tree.
    ///
    /// # Errors
    /// When its record is missing or damaged.
    pub fn listing(&self, tree: &TreeDigest) -> Result<TreeListing, StoreError> {
        Ok(self.tree_record(tree)?.0)
    }

    /// The trees that a tree mentions, whether they are in the store or not.
    ///
    /// # Errors
    /// When its record is missing or damaged.
    pub fn mentions(&self, tree: &TreeDigest) -> Result<BTreeSet<TreeDigest>, StoreError> {
        Ok(self.tree_record(tree)?.1)
    }

    fn tree_record(&self, tree: &TreeDigest) -> Result<(TreeListing, BTreeSet<TreeDigest>), StoreError> {
        match self.record(2, tree.as_bytes())? {
            Some(Record::Tree { listing, references }) if listing.digest() == *tree => Ok((listing, references)),
            _ => Err(StoreError::Record(format!("tree {tree}"))),
        }
    }

    /// A derivation by its digest.
    ///
    /// # Errors
    /// When it is not kept, or its record is damaged.
    pub fn derivation(&self, digest: &DerivationDigest) -> Result<Derivation, StoreError> {
        match self.record(1, digest.as_bytes())? {
            Some(Record::Derivation(derivation)) if derivation.digest() == *digest => {
                Ok(Arc::unwrap_or_clone(derivation).into_derivation())
            }
            _ => Err(StoreError::Record(format!("derivation {digest}"))),
        }
    }

    fn record(&self, kind: u8, key: &[u8]) -> Result<Option<Record>, StoreError> {
        let mut location = self.ask(|index| index.record(kind, key))?;
        loop {
            let Some(found) = location else { return Ok(None) };
            match segment::read_record(&self.layout.records(), &found) {
                // A collection may have moved it into another segment meanwhile.
                Err(error) if error.is_not_found() => {
                    location = self.ask(|index| index.record(kind, key))?;
                    if location.as_ref() == Some(&found) {
                        return Err(error.into());
                    }
                }
                read => return Ok(read?),
            }
        }
    }

    /// The valid paths that a path's files mention.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn references(&self, path: &StorePath) -> Result<Vec<StorePath>, StoreError> {
        let Some(tree) = path.tree() else { return Ok(Vec::new()) };
        let mut references = self.ask(|index| index.references(&tree))?;
        references.sort_unstable();
        Ok(references)
    }

    /// The declared run-time dependencies of a path.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn runtime(&self, path: &StorePath) -> Result<Vec<StorePath>, StoreError> {
        let Some(tree) = path.tree() else { return Ok(Vec::new()) };
        self.ask(|index| index.runtime(&tree))
    }

    /// The valid paths that mention a path or declare to need it.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn referrers(&self, path: &StorePath) -> Result<Vec<StorePath>, StoreError> {
        let Some(tree) = path.tree() else { return Ok(Vec::new()) };
        let mut referrers = self.ask(|index| index.referrers(&tree))?;
        referrers.extend(self.ask(|index| index.runtime_referrers(path))?);
        referrers.sort_unstable();
        referrers.dedup();
        Ok(referrers)
    }

    /// The action a derivation last resolved to.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn resolution(&self, derivation: &DerivationDigest) -> Result<Option<ActionDigest>, StoreError> {
        self.ask(|index| index.resolution(derivation))
    }

    /// The tree that an action's output is recorded to have become, whether it is still in the store or not.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn recorded_tree(&self, action: &ActionDigest, output: &OutputName) -> Result<Option<TreeDigest>, StoreError> {
        self.ask(|index| index.realised(action, output))
    }

    /// The known builds of derivations with the name of this one, in any version.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn builds_of_package(&self, derivation: &StoreName) -> Result<Vec<Built>, StoreError> {
        let package = derivation.name_and_version().0;
        let mut builds = self.ask(|index| index.builds_of_names_from(package))?;
        builds.retain(|built| built.derivation.name().name_and_version().0 == package);
        Ok(builds)
    }

    /// The valid path that an action's output became, under `name`; made of the same tree if it is there under another name.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn realised_path(
        &self,
        action: &ActionDigest,
        output: &OutputName,
        name: &StoreName,
    ) -> Result<Option<StorePath>, StoreError> {
        if self.runtime_is_valid(action, output)? { self.kept_path(action, output, name) } else { Ok(None) }
    }

    /// The same, whether or not what it declares for run time is there.
    pub(super) fn kept_path(
        &self,
        action: &ActionDigest,
        output: &OutputName,
        name: &StoreName,
    ) -> Result<Option<StorePath>, StoreError> {
        let Some(tree) = self.ask(|index| index.realised(action, output))? else { return Ok(None) };
        let path = StorePath::from_tree(tree, name.clone())?;
        self.hold([&path])?;
        if self.is_valid(&path)? {
            return Ok(Some(path));
        }
        for other in self.ask(|index| index.paths_of_tree(&tree))? {
            self.hold([&other])?;
            if self.is_valid(&other)? {
                let (listing, references) = self.tree_record(&tree)?;
                return Ok(Some(self.add_listing(&listing, references, name.clone())?));
            }
        }
        Ok(None)
    }

    /// Whether all that a realisation declares for run time is valid. What is found so stays.
    fn runtime_is_valid(&self, action: &ActionDigest, output: &OutputName) -> Result<bool, StoreError> {
        let key = [action.as_bytes(), output.as_str().as_bytes()].concat();
        let Some(Record::Realisation(realisation)) = self.record(3, &key)? else { return Ok(false) };
        self.hold(&realisation.runtime)?;
        for target in &realisation.runtime {
            if !self.is_valid(target)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The derivations known to have made a path.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn derivers(&self, path: &StorePath) -> Result<Vec<StorePath>, StoreError> {
        let Some(tree) = path.tree() else { return Ok(Vec::new()) };
        self.ask(|index| index.derivers(&tree))
    }

    /// What an action's last build cost.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn build_cost(&self, action: &ActionDigest) -> Result<Option<BuildCost>, StoreError> {
        self.ask(|index| index.build_cost(action))
    }

    /// The derivation of this name that was built last.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn last_built(&self, name: &StoreName) -> Result<Option<DerivationDigest>, StoreError> {
        self.ask(|index| index.last_built(name))
    }

    /// What the last build of any derivation of this name cost.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn expected_cost(&self, name: &StoreName) -> Result<Option<BuildCost>, StoreError> {
        self.ask(|index| index.last_cost(name))
    }

    /// What the last build of any version of a package cost: of derivations whose names are the package's, `-` and a version.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn expected_cost_of_package(&self, package: &str) -> Result<Option<BuildCost>, StoreError> {
        self.ask(|index| index.last_cost_of_package(package))
    }

    /// Notes that paths were used now, for collections by last use.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn touch(&self, paths: &[StorePath]) -> Result<(), StoreError> {
        if self.is_read_only() {
            return Ok(());
        }
        let now = now();
        self.index
            .change(|transaction| super::index::touch(transaction, paths, now))
            .map_err(|error| self.index_error(error))
    }

    /// Where the tree of a path physically is.
    #[must_use]
    pub fn host_path(&self, path: &StorePath) -> PathBuf {
        self.layout.path(path)
    }

    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&super::index::Index) -> Result<T, super::index::IndexError>,
    ) -> Result<T, StoreError> {
        question(&self.index).map_err(|error| self.index_error(error))
    }
}

/// The smallest and the largest digest whose text can begin with `prefix`.
fn bounds(prefix: &str) -> ([u8; 32], [u8; 32]) {
    let mut low = [0u8; 32];
    let mut high = [0xffu8; 32];
    for (index, byte) in prefix.bytes().enumerate() {
        let value = base32::value(byte).unwrap_or(0);
        for bit in 0..5 {
            let at = index * 5 + bit;
            if at < 256 {
                let mask = 0x80 >> (at % 8);
                if value >> (4 - bit) & 1 == 1 { low[at / 8] |= mask } else { high[at / 8] &= !mask }
            }
        }
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bounds_hold_what_begins_so(digest: [u8; 32], length in 8usize..=52) {
            let text = base32::encode(&digest);
            let (low, high) = bounds(&text[..length]);
            prop_assert!(low <= digest && digest <= high);
            prop_assert_eq!(&base32::encode(&low)[..length], &text[..length]);
            prop_assert_eq!(&base32::encode(&high)[..length], &text[..length]);
        }
    }
}
