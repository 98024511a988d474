//! Resolving: from a derivation and the paths its inputs became to its action.

use crate::compose::{self, Layer};
use crate::error::BuildError;
use dashmap::{DashMap, DashSet};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use store::local::{LocalStore, StoreError};
use store::{Action, ActionDigest, Derivation, Input, StorePath, TreeDigest, TreeListing};

/// A derivation whose inputs are all known.
#[derive(Debug)]
pub struct Resolved {
    /// The derivation's store path.
    pub derivation: StorePath,
    /// What is to be done.
    pub action: Action,
    /// The action's digest.
    pub digest: ActionDigest,
    /// The merged root.
    pub root: Arc<TreeListing>,
    /// The trees of the root, those that override first.
    pub layers: Vec<StorePath>,
    /// How many of them override.
    pub overriding: usize,
    /// What its outputs may need at run time.
    pub runtime: Vec<Input>,
}

/// Merged roots and listings of this run: most derivations of a set have the same few trees at the bottom.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    listings: DashMap<TreeDigest, Arc<TreeListing>>,
    merged: DashMap<(Vec<StorePath>, usize), Arc<TreeListing>>,
    /// Paths that were found valid and are held, and so stay valid: many derivations have the same inputs.
    valid: DashSet<StorePath>,
}

impl Roots {
    /// Resolves a derivation. `is_fresh` tells of trees that are not published yet but may be used; `known` has the path of each of its inputs.
    pub(crate) fn resolve(
        &self,
        store: &LocalStore,
        is_fresh: &dyn Fn(&StorePath) -> bool,
        path: &StorePath,
        derivation: &Derivation,
        known: &BTreeMap<Input, StorePath>,
    ) -> Result<Resolved, BuildError> {
        let unknown = |input: &Input| BuildError::UnknownInput(input.clone());
        let path_of = |input: &Input| match input {
            Input::Tree(path) => Ok(path.clone()),
            Input::Output { .. } => known.get(input).cloned().ok_or_else(|| unknown(input)),
        };
        for input in derivation.all_inputs() {
            let path = path_of(input)?;
            if self.valid.contains(&path) {
                continue;
            }
            store.hold([&path])?;
            // In this order: what is fresh at the first look is valid at the second if it has been published between them.
            if is_fresh(&path) {
                continue;
            }
            if !store.is_valid(&path)? {
                return Err(StoreError::NotValid(path).into());
            }
            self.valid.insert(path);
        }
        let (mut layers, mut seen) = (Vec::new(), HashSet::new());
        let mut push = |input: &Input| -> Result<(), BuildError> {
            let path = path_of(input)?;
            if seen.insert(path.clone()) {
                layers.push(path);
            }
            Ok(())
        };
        derivation.overrides.iter().try_for_each(&mut push)?;
        let overriding = derivation.overrides.iter().map(path_of).collect::<Result<BTreeSet<_>, _>>()?.len();
        derivation.root.iter().try_for_each(&mut push)?;
        let root = self.merged(store, &layers, overriding)?;
        let action = Action::resolve(derivation, known, root.digest()).map_err(|input| unknown(&input))?;
        let digest = action.digest();
        let runtime = derivation.runtime.clone();
        Ok(Resolved { derivation: path.clone(), action, digest, root, layers, overriding, runtime })
    }

    fn merged(
        &self,
        store: &LocalStore,
        layers: &[StorePath],
        overriding: usize,
    ) -> Result<Arc<TreeListing>, BuildError> {
        let key = (layers.to_vec(), overriding);
        if let Some(merged) = self.merged.get(&key) {
            return Ok(Arc::clone(&merged));
        }
        let listings = layers.iter().map(|path| self.listing(store, path)).collect::<Result<Vec<_>, _>>()?;
        let layers: Vec<_> = layers
            .iter()
            .zip(&listings)
            .enumerate()
            .map(|(number, (owner, listing))| Layer { owner, listing, overrides: number < overriding })
            .collect();
        let merged = Arc::new(compose::merge(&layers)?);
        self.merged.insert(key, Arc::clone(&merged));
        Ok(merged)
    }

    /// Notes the directories of a tree that the store may not know yet.
    pub(crate) fn know(&self, tree: TreeDigest, listing: TreeListing) {
        self.listings.entry(tree).or_insert_with(|| Arc::new(listing));
    }

    /// The directories of a path, read once.
    pub(crate) fn listing(&self, store: &LocalStore, path: &StorePath) -> Result<Arc<TreeListing>, StoreError> {
        let tree = path.tree().ok_or_else(|| StoreError::NotValid(path.clone()))?;
        if let Some(listing) = self.listings.get(&tree) {
            return Ok(Arc::clone(&listing));
        }
        let listing = Arc::new(store.listing(&tree)?);
        self.listings.insert(tree, Arc::clone(&listing));
        Ok(listing)
    }
}
