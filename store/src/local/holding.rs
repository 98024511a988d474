//! Who holds what: roots, generations and leases, what each keeps, and why something stays or goes.

use super::fsutil::IoError;
use super::generations::{self, Generation};
use super::lease::{LivingLease, living};
use super::reclaim::{Found, Reclaim};
use super::roots::{self, Root, RootError};
use super::{LocalStore, StoreError};
use crate::gc::{self, Explanation, GcPolicy, Holder, Share};
use crate::store_path::StorePath;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What a root holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RootSize {
    /// How many trees it keeps.
    pub trees: usize,
    /// How many bytes of the disk they take, whoever else keeps them.
    pub taken: u64,
    /// How many bytes a collection would free if only this root were gone.
    pub alone: u64,
}

impl LocalStore {
    /// Says why an object stays or goes in a collection by this policy, as if these roots had been removed. What this process holds
    /// counts for nothing: it may have come to hold the object by looking for it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn explain_gc(&self, policy: &GcPolicy, roots: &[String], path: &StorePath) -> Result<Explanation, StoreError> {
        let mut held = self.held_without(roots)?;
        held.retain(|(_, holder)| *holder != Holder::Process(std::process::id()));
        let graph = self.gc_graph()?;
        let plan = self.plan_of(&graph, &held, policy)?;
        Ok(gc::explain(&graph, &held, policy, &plan, path))
    }

    /// The roots that keep any of these objects from a collection by this policy, whatever else keeps them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn roots_keeping(&self, paths: &[StorePath], policy: &GcPolicy) -> Result<Vec<Root>, StoreError> {
        let named = self.roots()?.into_iter().filter_map(|root| Some((root.target.clone()?, root)));
        let (targets, roots): (Vec<_>, Vec<_>) = named.unzip();
        let keeping = gc::keeps_any(&self.gc_graph()?, &targets, policy, paths);
        Ok(roots.into_iter().zip(keeping).filter(|(_, keeps)| *keeps).map(|(root, _)| root).collect())
    }

    /// What living processes hold.
    ///
    /// # Errors
    /// When `leases/` cannot be read.
    pub fn leases(&self) -> Result<Vec<LivingLease>, StoreError> {
        Ok(living(&self.layout)?)
    }

    /// What each of these roots holds, and what it alone keeps from a collection by this policy. What this process holds counts for
    /// nothing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn root_sizes(&self, roots: &[Root], policy: &GcPolicy) -> Result<Vec<RootSize>, StoreError> {
        let (rooted, targets): (Vec<_>, Vec<_>) =
            roots.iter().enumerate().filter_map(|(at, root)| root.target.clone().map(|target| (at, target))).unzip();
        let leases = living(&self.layout)?.into_iter().filter(|lease| lease.process != std::process::id());
        let leased: BTreeSet<_> = leases.flat_map(|lease| lease.held).collect();
        let shares = gc::shares(&self.gc_graph()?, &targets, &leased.into_iter().collect::<Vec<_>>(), policy);
        let found = self.look_at_all(&shares)?;
        let mut sizes = vec![RootSize::default(); roots.len()];
        for (at, share) in rooted.into_iter().zip(&shares) {
            let trees: Vec<_> = share.all.iter().filter_map(|path| found.get(path)).collect();
            sizes[at] =
                RootSize { trees: trees.len(), taken: Reclaim::taken(trees), alone: self.freed_by_all(&share.alone)? };
        }
        Ok(sizes)
    }

    fn look_at_all<'s>(&self, shares: &'s [Share]) -> Result<BTreeMap<&'s StorePath, Found>, IoError> {
        let trees: BTreeSet<_> =
            shares.iter().flat_map(|share| &share.all).filter(|path| path.tree().is_some()).collect();
        trees.into_par_iter().map(|path| Ok((path, self.look_at(path)?))).collect()
    }

    /// Removes the roots whose outer link the user has removed: they hold nothing any more.
    ///
    /// # Errors
    /// When `roots/` cannot be read or changed.
    pub fn forget_lost_links(&self) -> Result<(), RootError> {
        roots::forget_lost(&self.layout)
    }

    /// Makes a path the current generation of a profile, and says which that is. If it is that of the last generation, no other is made.
    ///
    /// # Errors
    /// When the name is malformed or the links cannot be made.
    pub fn add_generation(&self, profile: &str, path: &StorePath) -> Result<Generation, RootError> {
        self.hold_for_root(path)?;
        generations::add(&self.layout, profile, path)
    }

    /// Makes the generation before the current one the current one, or the one of the given number.
    ///
    /// # Errors
    /// When there is no such generation, or the links cannot be made.
    pub fn roll_back(&self, profile: &str, to: Option<u32>) -> Result<Generation, RootError> {
        generations::roll_back(&self.layout, profile, to)
    }

    /// Removes a profile with all of its generations.
    ///
    /// # Errors
    /// When there is none of this name, or something cannot be removed.
    pub fn remove_profile(&self, profile: &str) -> Result<(), RootError> {
        generations::remove_profile(&self.layout, profile)
    }
}
