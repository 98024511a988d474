//! Who holds what: roots, generations and leases, what each keeps, and why something stays or goes.

use super::fsutil::{At, IoError};
use super::generations::{self, Generation};
use super::lease::{LivingLease, living};
use super::reclaim::{Found, Reclaim};
use super::roots::{self, Root, RootError};
use super::{LocalStore, StoreError};
use crate::gc::{self, Explanation, GcGraph, GcNode, GcPolicy, Holder, Share};
use crate::store_path::StorePath;
use rayon::prelude::*;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::path::Path;

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
    /// When the store, or any segment of its records, cannot be read: a collection would do nothing then.
    pub fn explain_gc(&self, policy: &GcPolicy, roots: &[String], path: &StorePath) -> Result<Explanation, StoreError> {
        self.know_all_records()?;
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

    /// All GC roots by name.
    ///
    /// # Errors
    /// When `roots/` cannot be read.
    pub fn roots(&self) -> Result<Vec<Root>, StoreError> {
        Ok(roots::list(&self.layout)?)
    }

    /// The store path that is at a place in the file system, there or not, if that is in this store, however the place names it.
    ///
    /// # Errors
    /// When the place cannot be looked at.
    pub fn path_at(&self, place: &Path) -> Result<Option<StorePath>, IoError> {
        roots::path_at(&self.layout, place).at("look at", place)
    }

    /// Adds or moves a named root.
    ///
    /// # Errors
    /// When the name is malformed or the link cannot be made.
    pub fn add_root(&self, name: &str, path: &StorePath) -> Result<(), RootError> {
        // Held first, so that no collection that is under way takes it before the root counts.
        self.hold_for_root(path)?;
        roots::add(&self.layout, name, path)
    }

    /// Makes a link outside the store to a path, and a root of it.
    ///
    /// # Errors
    /// When something that is no such link is in its place, or it cannot be made.
    pub fn add_root_link(&self, link: &Path, path: &StorePath) -> Result<(), RootError> {
        self.hold_for_root(path)?;
        roots::add_link(&self.layout, link, path)
    }

    /// Checks that [`Self::add_root_link`] may put a link there, as far as what is there now tells.
    ///
    /// # Errors
    /// When something that is no such link is in its place.
    pub fn check_root_link(&self, link: &Path) -> Result<(), RootError> {
        roots::check_link(&self.layout, link)
    }

    /// Checks that a root or a profile may be called so.
    ///
    /// # Errors
    /// When the name is malformed or that of a generation.
    pub fn check_root_name(&self, name: &str) -> Result<(), RootError> {
        roots::check_name(name)
    }

    pub(super) fn hold_for_root(&self, path: &StorePath) -> Result<(), IoError> {
        match &self.lease {
            Some(lease) => lease.hold([path]),
            None if self.full.is_some() => Err(Errno::NOSPC).at("create a lease in", self.layout.leases()),
            None => Ok(()),
        }
    }

    /// Removes a named root.
    ///
    /// # Errors
    /// When there is none of this name, or it cannot be removed.
    pub fn remove_root(&self, name: &str) -> Result<(), RootError> {
        roots::remove(&self.layout, name)
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
        let graph = self.gc_graph()?;
        let shares = gc::shares(&graph, &targets, &leased.into_iter().collect::<Vec<_>>(), policy);
        let found = self.look_at_all(&graph, &shares)?;
        let mut sizes = vec![RootSize::default(); roots.len()];
        for (at, share) in rooted.into_iter().zip(&shares) {
            let trees: Vec<_> = share.all.iter().filter_map(|at| found[*at as usize].as_ref()).collect();
            let alone: Vec<_> = share.alone.iter().map(|at| graph.node(*at).path.clone()).collect();
            sizes[at] =
                RootSize { trees: trees.len(), taken: Reclaim::taken(trees), alone: self.freed_by_all(&alone)? };
        }
        Ok(sizes)
    }

    /// What lies at the trees that anybody has a share in, by their numbers.
    fn look_at_all(&self, graph: &GcGraph, shares: &[Share]) -> Result<Vec<Option<Found>>, IoError> {
        let mut wanted = vec![false; graph.nodes().len()];
        shares.iter().flat_map(|share| &share.all).for_each(|at| wanted[*at as usize] = true);
        let look = |(wanted, node): (bool, &GcNode)| {
            let is_looked_at = wanted && node.path.tree().is_some();
            is_looked_at.then(|| self.look_at(&node.path)).transpose()
        };
        wanted.into_par_iter().zip(graph.nodes()).map(look).collect()
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
