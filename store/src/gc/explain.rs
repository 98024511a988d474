//! Why an object stays or goes: the chains that lead to it from what is held or spared, and who keeps it.

use super::{GcGraph, GcPlan, GcPolicy, Holder, Spared};
use crate::store_path::StorePath;
use std::collections::VecDeque;

/// How a root or a process holds an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldThrough {
    /// Who.
    pub holder: Holder,
    /// A shortest chain from what that names to the object, each keeping the next.
    pub chain: Vec<StorePath>,
}

/// Why an object stays or goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Explanation {
    /// It is no object of the graph.
    Unknown,
    /// It is live: all that hold it, roots first, then by the length of their chains. Never empty.
    Held(Vec<HeldThrough>),
    /// Nothing holds it, but a policy spares the first of the chain, which keeps the others up to the object.
    Spared(Spared, Vec<StorePath>),
    /// Nothing keeps it.
    Dead,
}

/// Says why an object stays or goes by a plan that was made of the same graph, held objects and policy.
#[must_use]
pub fn explain(
    graph: &GcGraph,
    held: &[(StorePath, Holder)],
    policy: &GcPolicy,
    plan: &GcPlan,
    path: &StorePath,
) -> Explanation {
    let Some(number) = graph.number(path) else { return Explanation::Unknown };
    let from_held = Ways::to(graph, policy, &[number], policy.keep_outputs);
    let through = |(path, holder): &(StorePath, Holder)| {
        let chain = from_held.chain(graph.number(path)?)?;
        Some(HeldThrough { holder: holder.clone(), chain })
    };
    let mut found: Vec<_> = held.iter().filter_map(through).collect();
    if !found.is_empty() {
        let is_process = |holder: &Holder| matches!(holder, Holder::Process(_));
        found.sort_by_cached_key(|one| (is_process(&one.holder), one.chain.len(), one.holder.clone()));
        return Explanation::Held(found);
    }
    let from_spared = Ways::to(graph, policy, &[number], false);
    let seed = from_spared.order.iter().find_map(|&from| Some((from, plan.seeds[from as usize]?)));
    let chain = seed.and_then(|(from, why)| Some((why, from_spared.chain(from)?)));
    chain.map_or(Explanation::Dead, |(why, chain)| Explanation::Spared(why, chain))
}

/// Says of each object that is held whether it keeps any of these, itself among what it keeps.
#[must_use]
pub fn keeps_any(graph: &GcGraph, held: &[StorePath], policy: &GcPolicy, paths: &[StorePath]) -> Vec<bool> {
    let wanted: Vec<_> = paths.iter().filter_map(|path| graph.number(path)).collect();
    let ways = Ways::to(graph, policy, &wanted, policy.keep_outputs);
    held.iter().map(|path| graph.number(path).is_some_and(|number| ways.next[number as usize].is_some())).collect()
}

/// For every object that keeps one of some targets, however indirectly, the next on a shortest way to it.
struct Ways<'g> {
    graph: &'g GcGraph,
    next: Vec<Option<u32>>,
    /// All these objects, nearest first; those that they keep come first.
    order: Vec<u32>,
}

impl<'g> Ways<'g> {
    fn to(graph: &'g GcGraph, policy: &GcPolicy, targets: &[u32], with_outputs: bool) -> Self {
        let keepers = graph.keepers(policy, with_outputs);
        let mut ways = Self { graph, next: vec![None; graph.nodes().len()], order: Vec::new() };
        targets.iter().for_each(|target| ways.next[*target as usize] = Some(*target));
        let mut pending = VecDeque::from(targets.to_vec());
        while let Some(number) = pending.pop_front() {
            ways.order.push(number);
            for &keeper in keepers.of(number) {
                if ways.next[keeper as usize].is_none() {
                    ways.next[keeper as usize] = Some(number);
                    pending.push_back(keeper);
                }
            }
        }
        ways
    }

    /// The way from an object to its target, both included.
    fn chain(&self, from: u32) -> Option<Vec<StorePath>> {
        let mut number = from;
        let mut chain = Vec::new();
        loop {
            chain.push(self.graph.node(number).path.clone());
            match self.next[number as usize]? {
                next if next == number => return Some(chain),
                next => number = next,
            }
        }
    }
}
