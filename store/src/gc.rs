//! The plan of a garbage collection: what is live and why, and what is to be deleted. Pure functions of the graph.
//!
//! Invariants: nothing that a root or a lease reaches is planned for deletion, and whatever stays keeps all it needs, so that every
//! object that is left has its whole closure.
//!
//! *Live* is what roots and leases reach: a tree what it mentions and declares for run time and, with `keep_derivations`, the
//! derivations that made it; a derivation its inputs and, with `keep_outputs`, what it made. What is not live dies, unless a policy
//! *spares* it; then it keeps the same, but not what derivations made. An object dies only if no policy spares it.

mod explain;
mod graph;
mod marks;
mod share;
#[cfg(test)]
mod tests;

pub use explain::{Explanation, HeldThrough, explain, keeps_any};
pub use graph::{Edges, GcGraph, GcNode, GcNodes};
pub use share::{Share, shares};

use crate::store_path::StorePath;
use marks::Marks;

/// Who holds an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// The root of this name.
    Root(String),
    /// The running process of this number.
    Process(u32),
}

/// What a collection keeps beside what is held, and how much it deletes.
#[derive(Debug, Clone, Copy)]
pub struct GcPolicy {
    /// Spare what was added at or after this time.
    pub added_since: Option<u64>,
    /// Spare what was used at or after this time.
    pub used_since: Option<u64>,
    /// Spare derivations that were used at or after this time, and the sources they name.
    pub derivations_since: Option<u64>,
    /// What stays keeps the derivations that made it, and what these need.
    pub keep_derivations: bool,
    /// Derivations that are live keep what they made.
    pub keep_outputs: bool,
    /// Delete only until the store takes at most this many bytes of the disk, least recently used first.
    pub max_size: Option<u64>,
    /// Delete only until this many bytes are freed, least recently used first.
    pub max_freed: Option<u64>,
    /// Delete only until this many bytes of the disk are free, least recently used first.
    pub min_free: Option<u64>,
}

impl Default for GcPolicy {
    /// All goes that is not live.
    fn default() -> Self {
        Self {
            added_since: None,
            used_since: None,
            derivations_since: None,
            keep_derivations: true,
            keep_outputs: false,
            max_size: None,
            max_freed: None,
            min_free: None,
        }
    }
}

impl GcPolicy {
    /// How many bytes are to be freed at most, when the store takes `taken` bytes of a disk that has `free` more; `None` if there is no limit.
    #[must_use]
    pub fn wanted(&self, taken: u64, free: u64) -> Option<u64> {
        let by_size = self.max_size.map(|limit| taken.saturating_sub(limit));
        let by_space = self.min_free.map(|limit| limit.saturating_sub(free));
        [self.max_freed, by_size, by_space].into_iter().flatten().min()
    }
}

/// Deleting ends when enough is freed.
pub struct Limit<'a> {
    /// What is enough, in bytes.
    pub wanted: u64,
    /// How many bytes deleting an object frees, after all those it was asked of before are deleted.
    pub freed_by: &'a mut dyn FnMut(&GcNode) -> u64,
}

impl std::fmt::Debug for Limit<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Limit").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

/// Why something stays that is not live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spared {
    /// It was added recently.
    Added,
    /// It was used recently.
    Used,
    /// It is a derivation that was used recently.
    Derivation,
    /// Enough is freed without it.
    Enough,
}

/// What is spared for one reason, with what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SparedSum {
    /// The reason; of several the first one counts.
    pub why: Spared,
    /// How many objects.
    pub objects: usize,
    /// Bytes of their files, each path on its own.
    pub bytes: u64,
}

/// What stays and what goes.
#[derive(Debug)]
pub struct GcPlan {
    /// What goes; whoever needs an object stands before it.
    pub dead: Vec<GcNode>,
    /// Number of objects that stay.
    pub live: usize,
    /// What of that only a policy keeps.
    pub spared: Vec<SparedSum>,
    /// The numbers of the dead.
    numbers: Vec<u32>,
    /// By an object's number why a policy spares it, not counting what others need of it.
    seeds: Vec<Option<Spared>>,
}

impl GcPlan {
    /// By an object's number whether it goes.
    #[must_use]
    pub fn goes(&self) -> Vec<bool> {
        let mut goes = vec![false; self.seeds.len()];
        self.numbers.iter().for_each(|number| goes[*number as usize] = true);
        goes
    }
}

/// Plans a collection. `held` are the objects that roots and leases name; without a limit all goes that is neither live nor spared.
#[must_use]
pub fn plan(graph: &GcGraph, held: &[(StorePath, Holder)], policy: &GcPolicy, limit: Option<Limit<'_>>) -> GcPlan {
    let mut marks = Marks::new(graph, policy);
    for (path, _) in held {
        if let Some(number) = graph.number(path) {
            marks.live(number);
        }
    }
    for number in graph.numbers() {
        if let Some(why) = spared(graph.node(number), policy) {
            marks.spare(number, why);
        }
    }
    if let Some(limit) = limit {
        marks.stop_at(limit);
    }
    marks.finish()
}

fn spared(node: &GcNode, policy: &GcPolicy) -> Option<Spared> {
    let since = |limit: Option<u64>, time: u64| limit.is_some_and(|limit| time >= limit);
    if node.path.derivation().is_some() {
        return since(policy.derivations_since, node.used).then_some(Spared::Derivation);
    }
    if since(policy.added_since, node.added) {
        return Some(Spared::Added);
    }
    since(policy.used_since, node.used).then_some(Spared::Used)
}
