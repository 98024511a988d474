//! The plan of a garbage collection: what is live and why, and what is to be deleted. A pure function of the graph.
//!
//! Invariants: nothing that a root or a lease reaches is planned for deletion, and whatever stays keeps all it reaches, so that every
//! object that is left has its whole closure.

use crate::store_path::StorePath;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// An object that may be collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcNode {
    /// A tree's path or a derivation's.
    pub path: StorePath,
    /// Bytes of its files; 0 for a derivation.
    pub bytes: u64,
    /// When it was added, in seconds since the epoch.
    pub added: u64,
    /// When it was last used, in seconds since the epoch.
    pub used: u64,
}

/// All objects and who keeps whom.
#[derive(Debug, Default)]
pub struct GcGraph {
    nodes: Vec<GcNode>,
    edges: Vec<Vec<u32>>,
    numbers: HashMap<StorePath, u32>,
}

impl GcGraph {
    /// Adds an object without edges.
    pub fn add_node(&mut self, node: GcNode) {
        let number = u32::try_from(self.nodes.len()).expect("fewer than 2^32 objects");
        if let Entry::Vacant(vacant) = self.numbers.entry(node.path.clone()) {
            vacant.insert(number);
            self.nodes.push(node);
            self.edges.push(Vec::new());
        }
    }

    /// Says that `from` keeps `to`. An edge to or from an unknown object counts for nothing.
    pub fn add_edge(&mut self, from: &StorePath, to: &StorePath) {
        if let (Some(&from), Some(&to)) = (self.numbers.get(from), self.numbers.get(to))
            && from != to
        {
            self.edges[from as usize].push(to);
        }
    }

    /// The objects in the order they were added.
    #[must_use]
    pub fn nodes(&self) -> &[GcNode] {
        &self.nodes
    }
}

/// Which of the objects that no root reaches are spared.
#[derive(Debug, Clone, Copy, Default)]
pub struct GcPolicy {
    /// Spare what was added at or after this time.
    pub added_since: Option<u64>,
    /// Spare what was used at or after this time.
    pub used_since: Option<u64>,
    /// Spare derivations that were used at or after this time, and the sources they name.
    pub derivations_since: Option<u64>,
    /// Delete only until all that is left is at most this many bytes, least recently used first.
    pub max_size: Option<u64>,
    /// Delete only until this many bytes are freed, least recently used first.
    pub max_freed: Option<u64>,
}

/// Why an object lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A root names it.
    Root(String),
    /// A running process holds it.
    Lease,
    /// The policy spares it: it is too young, or enough is freed without it.
    Policy(&'static str),
    /// Another live object needs it.
    NeededBy(StorePath),
}

/// What stays and what goes.
#[derive(Debug)]
pub struct GcPlan {
    /// What goes; whoever needs an object stands before it.
    pub dead: Vec<GcNode>,
    /// Number of objects that stay.
    pub live: usize,
    /// Bytes of the files of what goes, each path on its own.
    pub dead_bytes: u64,
    reasons: HashMap<StorePath, Reason>,
}

impl GcPlan {
    /// Why `path` lives, from what needs it up to what no other object needs; empty if it dies or is unknown.
    #[must_use]
    pub fn explain(&self, path: &StorePath) -> Vec<(StorePath, Reason)> {
        let mut chain = Vec::new();
        let mut at = path.clone();
        while let Some(reason) = self.reasons.get(&at) {
            chain.push((at.clone(), reason.clone()));
            match reason {
                Reason::NeededBy(next) => at = next.clone(),
                _ => break,
            }
        }
        chain
    }
}

/// Plans a collection. `held` are the objects that roots and leases name.
#[must_use]
pub fn plan(graph: &GcGraph, held: &[(StorePath, Reason)], policy: &GcPolicy) -> GcPlan {
    let mut marks = Marks { graph, reasons: vec![None; graph.nodes.len()] };
    for (path, reason) in held {
        if let Some(&number) = graph.numbers.get(path) {
            marks.mark(number, reason.clone());
        }
    }
    for (number, node) in graph.nodes.iter().enumerate() {
        if let Some(reason) = spared(node, policy) {
            marks.mark(u32::try_from(number).expect("numbered so"), reason);
        }
    }
    marks.limit(policy);
    marks.finish()
}

fn spared(node: &GcNode, policy: &GcPolicy) -> Option<Reason> {
    let since = |limit: Option<u64>, time: u64| limit.is_some_and(|limit| time >= limit);
    if node.path.derivation().is_some() {
        return since(policy.derivations_since, node.used).then_some(Reason::Policy("a recently used derivation"));
    }
    if since(policy.added_since, node.added) {
        return Some(Reason::Policy("added recently"));
    }
    since(policy.used_since, node.used).then_some(Reason::Policy("used recently"))
}

struct Marks<'g> {
    graph: &'g GcGraph,
    reasons: Vec<Option<Reason>>,
}

impl Marks<'_> {
    /// Marks an object and all it reaches as live.
    fn mark(&mut self, number: u32, reason: Reason) {
        if self.reasons[number as usize].is_some() {
            return;
        }
        self.reasons[number as usize] = Some(reason);
        let mut pending = vec![number];
        while let Some(from) = pending.pop() {
            for &to in &self.graph.edges[from as usize] {
                if self.reasons[to as usize].is_none() {
                    let needed_by = self.graph.nodes[from as usize].path.clone();
                    self.reasons[to as usize] = Some(Reason::NeededBy(needed_by));
                    pending.push(to);
                }
            }
        }
    }

    /// Spares the most recently used of the dead once enough is freed.
    fn limit(&mut self, policy: &GcPolicy) {
        if policy.max_size.is_none() && policy.max_freed.is_none() {
            return;
        }
        let total: u64 = self.graph.nodes.iter().map(|node| node.bytes).sum();
        let wanted = policy.max_size.map_or(u64::MAX, |limit| total.saturating_sub(limit));
        let wanted = wanted.min(policy.max_freed.unwrap_or(u64::MAX));
        let mut freed = 0;
        for number in self.dead_by_use() {
            if freed >= wanted {
                self.mark(number, Reason::Policy("enough is freed without it"));
            } else {
                freed += self.graph.nodes[number as usize].bytes;
            }
        }
    }

    /// The dead, least recently used first; an object counts as used when one that needs it was, and never comes before it.
    fn dead_by_use(&self) -> Vec<u32> {
        let order = self.dead_in_order();
        let mut used: HashMap<u32, u64> = HashMap::new();
        let mut ranked = Vec::with_capacity(order.len());
        for (rank, &number) in order.iter().enumerate() {
            let own = self.graph.nodes[number as usize].used.max(used.get(&number).copied().unwrap_or(0));
            ranked.push((own, rank, number));
            for &to in &self.graph.edges[number as usize] {
                let inherited = used.entry(to).or_default();
                *inherited = own.max(*inherited);
            }
        }
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, _, number)| number).collect()
    }

    /// The dead, each before all it needs.
    fn dead_in_order(&self) -> Vec<u32> {
        let count = self.graph.nodes.len();
        let mut finished = Vec::new();
        let mut seen = vec![false; count];
        for start in 0..count {
            let mut pending = vec![(u32::try_from(start).expect("numbered so"), false)];
            while let Some((number, done)) = pending.pop() {
                if done {
                    finished.push(number);
                } else if !seen[number as usize] && self.reasons[number as usize].is_none() {
                    seen[number as usize] = true;
                    pending.push((number, true));
                    pending.extend(self.graph.edges[number as usize].iter().map(|&to| (to, false)));
                }
            }
        }
        finished.reverse();
        finished
    }

    fn finish(self) -> GcPlan {
        let dead: Vec<_> =
            self.dead_in_order().into_iter().map(|number| self.graph.nodes[number as usize].clone()).collect();
        let live: HashMap<_, _> = self
            .reasons
            .into_iter()
            .zip(&self.graph.nodes)
            .filter_map(|(reason, node)| Some((node.path.clone(), reason?)))
            .collect();
        GcPlan { dead_bytes: dead.iter().map(|node| node.bytes).sum(), dead, live: live.len(), reasons: live }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::TreeDigest;
    use crate::store_path::StoreName;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn path(number: u8) -> StorePath {
        let name = StoreName::parse(&format!("n{number}")).expect("valid");
        StorePath::from_tree(TreeDigest::from_bytes([number; 32]), name).expect("valid")
    }

    /// Objects 0..count; an edge from the higher to the lower number, as references always go to what was there before.
    fn graph(count: u8, edges: &[(u8, u8)]) -> GcGraph {
        let mut graph = GcGraph::default();
        for number in 0..count {
            graph.add_node(GcNode { path: path(number), bytes: 10, added: 0, used: u64::from(number) });
        }
        for &(a, b) in edges {
            if a % count != b % count {
                graph.add_edge(&path((a % count).max(b % count)), &path((a % count).min(b % count)));
            }
        }
        graph
    }

    fn roots(numbers: &[u8]) -> Vec<(StorePath, Reason)> {
        numbers.iter().map(|&number| (path(number), Reason::Root(format!("r{number}")))).collect()
    }

    #[test]
    fn a_chain_from_the_root_explains_why_an_object_lives() {
        let plan = plan(&graph(4, &[(2, 1), (1, 0)]), &roots(&[2]), &GcPolicy::default());
        assert_eq!(plan.dead.iter().map(|node| &node.path).collect::<Vec<_>>(), [&path(3)]);
        assert_eq!(
            plan.explain(&path(0)),
            [
                (path(0), Reason::NeededBy(path(1))),
                (path(1), Reason::NeededBy(path(2))),
                (path(2), Reason::Root("r2".to_owned()))
            ]
        );
        assert!(plan.explain(&path(3)).is_empty());
    }

    #[test]
    fn what_is_spared_keeps_what_it_needs() {
        let policy = GcPolicy { used_since: Some(2), ..GcPolicy::default() };
        let plan = plan(&graph(3, &[(2, 0)]), &[], &policy);
        assert_eq!(plan.dead.iter().map(|node| &node.path).collect::<Vec<_>>(), [&path(1)]);
    }

    #[test]
    fn a_limit_deletes_the_least_recently_used_first() {
        // 4 was used last and needs 0: 0 counts as used with it.
        let policy = GcPolicy { max_freed: Some(20), ..GcPolicy::default() };
        let plan = plan(&graph(5, &[(4, 0)]), &[], &policy);
        let dead: HashSet<_> = plan.dead.iter().map(|node| node.path.clone()).collect();
        assert_eq!(dead, HashSet::from([path(1), path(2)]));
    }

    proptest! {
        #[test]
        fn what_stays_is_closed_and_holds_all_roots(
            edges: Vec<(u8, u8)>, held in prop::collection::vec(0u8..12, 0..3), freed in prop::option::of(0u64..150),
        ) {
            let graph = graph(12, &edges);
            let plan = plan(&graph, &roots(&held), &GcPolicy { max_freed: freed, ..GcPolicy::default() });
            let dead: HashSet<_> = plan.dead.iter().map(|node| node.path.clone()).collect();
            prop_assert_eq!(dead.len() + plan.live, 12);
            for number in held {
                prop_assert!(!dead.contains(&path(number)));
            }
            for (from, targets) in graph.edges.iter().enumerate() {
                for &to in targets {
                    let (from, to) = (&graph.nodes[from].path, &graph.nodes[to as usize].path);
                    prop_assert!(dead.contains(from) || !dead.contains(to), "{from} lost {to}");
                }
            }
            let place = |wanted: &StorePath| plan.dead.iter().position(|node| node.path == *wanted);
            for (from, targets) in graph.edges.iter().enumerate() {
                for &to in targets {
                    if let (Some(from), Some(to)) = (place(&graph.nodes[from].path), place(&graph.nodes[to as usize].path)) {
                        prop_assert!(from < to);
                    }
                }
            }
        }
    }
}
