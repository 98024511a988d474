//! The plan of a garbage collection: what is live and why, and what is to be deleted. A pure function of the graph.
//!
//! Invariants: nothing that a root or a lease reaches is planned for deletion, and whatever stays keeps all it reaches, so that every
//! object that is left has its whole closure.

mod graph;

use crate::store_path::StorePath;
pub use graph::{GcGraph, GcNode, GcNodes};
use std::collections::HashMap;

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
    graph: GcGraph,
    marks: Vec<Option<Mark>>,
    given: Vec<Reason>,
}

/// Why an object lives, by numbers.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// One of the reasons that are given.
    Given(u32),
    /// Another live object needs it.
    NeededBy(u32),
}

impl GcPlan {
    /// Why `path` lives, from what needs it up to what no other object needs; empty if it dies or is unknown.
    #[must_use]
    pub fn explain(&self, path: &StorePath) -> Vec<(StorePath, Reason)> {
        let mut chain = Vec::new();
        let mut at = self.graph.number(path);
        while let Some((number, mark)) = at.and_then(|number| Some((number, self.marks[number as usize]?))) {
            let (reason, next) = match mark {
                Mark::Given(given) => (self.given[given as usize].clone(), None),
                Mark::NeededBy(other) => (Reason::NeededBy(self.graph.node(other).path.clone()), Some(other)),
            };
            chain.push((self.graph.node(number).path.clone(), reason));
            at = next;
        }
        chain
    }

    /// What it was planned on.
    #[must_use]
    pub fn graph(&self) -> &GcGraph {
        &self.graph
    }
}

/// Plans a collection. `held` are the objects that roots and leases name.
#[must_use]
pub fn plan(graph: GcGraph, held: &[(StorePath, Reason)], policy: &GcPolicy) -> GcPlan {
    let mut marks = Marks { marks: vec![None; graph.nodes().len()], given: Vec::new(), graph };
    for (path, reason) in held {
        if let Some(number) = marks.graph.number(path) {
            marks.mark(number, reason.clone());
        }
    }
    for number in marks.graph.numbers() {
        if let Some(reason) = spared(marks.graph.node(number), policy) {
            marks.mark(number, reason);
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

struct Marks {
    graph: GcGraph,
    marks: Vec<Option<Mark>>,
    given: Vec<Reason>,
}

impl Marks {
    fn is_live(&self, number: u32) -> bool {
        self.marks[number as usize].is_some()
    }

    /// Marks an object and all it reaches as live.
    fn mark(&mut self, number: u32, reason: Reason) {
        if self.is_live(number) {
            return;
        }
        self.marks[number as usize] = Some(Mark::Given(self.number_of(reason)));
        let mut pending = vec![number];
        while let Some(from) = pending.pop() {
            for &to in self.graph.kept_by(from) {
                let mark = &mut self.marks[to as usize];
                if mark.is_none() {
                    *mark = Some(Mark::NeededBy(from));
                    pending.push(to);
                }
            }
        }
    }

    /// The number of a reason. What the policy spares is many objects in a row for the same one.
    fn number_of(&mut self, reason: Reason) -> u32 {
        if self.given.last() != Some(&reason) {
            self.given.push(reason);
        }
        u32::try_from(self.given.len() - 1).expect("no more reasons than objects")
    }

    /// Spares the most recently used of the dead once enough is freed.
    fn limit(&mut self, policy: &GcPolicy) {
        if policy.max_size.is_none() && policy.max_freed.is_none() {
            return;
        }
        let total: u64 = self.graph.nodes().iter().map(|node| node.bytes).sum();
        let wanted = policy.max_size.map_or(u64::MAX, |limit| total.saturating_sub(limit));
        let wanted = wanted.min(policy.max_freed.unwrap_or(u64::MAX));
        let mut freed = 0;
        for number in self.dead_by_use() {
            if freed >= wanted {
                self.mark(number, Reason::Policy("enough is freed without it"));
            } else {
                freed += self.graph.node(number).bytes;
            }
        }
    }

    /// The dead, least recently used first; an object counts as used when one that needs it was, and never comes before it.
    fn dead_by_use(&self) -> Vec<u32> {
        let order = self.dead_in_order();
        let mut used: HashMap<u32, u64> = HashMap::new();
        let mut ranked = Vec::with_capacity(order.len());
        for (rank, &number) in order.iter().enumerate() {
            let own = self.graph.node(number).used.max(used.get(&number).copied().unwrap_or(0));
            ranked.push((own, rank, number));
            for &to in self.graph.kept_by(number) {
                let inherited = used.entry(to).or_default();
                *inherited = own.max(*inherited);
            }
        }
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, _, number)| number).collect()
    }

    /// The dead, each before all it needs.
    fn dead_in_order(&self) -> Vec<u32> {
        let mut finished = Vec::new();
        let mut seen = vec![false; self.marks.len()];
        let mut pending = Vec::new();
        for start in self.graph.numbers() {
            pending.push((start, false));
            while let Some((number, done)) = pending.pop() {
                if done {
                    finished.push(number);
                } else if !seen[number as usize] && !self.is_live(number) {
                    seen[number as usize] = true;
                    pending.push((number, true));
                    pending.extend(self.graph.kept_by(number).iter().map(|&to| (to, false)));
                }
            }
        }
        finished.reverse();
        finished
    }

    fn finish(self) -> GcPlan {
        let dead: Vec<_> = self.dead_in_order().into_iter().map(|number| self.graph.node(number).clone()).collect();
        let Self { graph, marks, given } = self;
        let live = marks.iter().flatten().count();
        GcPlan { dead_bytes: dead.iter().map(|node| node.bytes).sum(), dead, live, graph, marks, given }
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
        let node = |number| GcNode { path: path(number), bytes: 10, added: 0, used: u64::from(number) };
        let nodes = GcNodes::new((0..count).map(node).collect());
        let number = |number| nodes.number(&path(number)).expect("it is there");
        let ordered = edges.iter().map(|&(a, b)| (a % count, b % count)).filter(|(a, b)| a != b);
        let edges = ordered.map(|(a, b)| (number(a.max(b)), number(a.min(b)))).collect();
        nodes.with_edges(edges)
    }

    fn roots(numbers: &[u8]) -> Vec<(StorePath, Reason)> {
        numbers.iter().map(|&number| (path(number), Reason::Root(format!("r{number}")))).collect()
    }

    #[test]
    fn a_chain_from_the_root_explains_why_an_object_lives() {
        let plan = plan(graph(4, &[(2, 1), (1, 0)]), &roots(&[2]), &GcPolicy::default());
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
        let plan = plan(graph(3, &[(2, 0)]), &[], &policy);
        assert_eq!(plan.dead.iter().map(|node| &node.path).collect::<Vec<_>>(), [&path(1)]);
    }

    #[test]
    fn a_limit_deletes_the_least_recently_used_first() {
        // 4 was used last and needs 0: 0 counts as used with it.
        let policy = GcPolicy { max_freed: Some(20), ..GcPolicy::default() };
        let plan = plan(graph(5, &[(4, 0)]), &[], &policy);
        let dead: HashSet<_> = plan.dead.iter().map(|node| node.path.clone()).collect();
        assert_eq!(dead, HashSet::from([path(1), path(2)]));
    }

    proptest! {
        #[test]
        fn what_stays_is_closed_and_holds_all_roots(
            edges: Vec<(u8, u8)>, held in prop::collection::vec(0u8..12, 0..3), freed in prop::option::of(0u64..150),
        ) {
            let plan = plan(graph(12, &edges), &roots(&held), &GcPolicy { max_freed: freed, ..GcPolicy::default() });
            let dead: HashSet<_> = plan.dead.iter().map(|node| node.path.clone()).collect();
            prop_assert_eq!(dead.len() + plan.live, 12);
            for number in held {
                prop_assert!(!dead.contains(&path(number)));
            }
            let graph = plan.graph();
            let edges = || graph.numbers().flat_map(|from| graph.kept_by(from).iter().map(move |&to| (from, to)));
            let place = |wanted: &StorePath| plan.dead.iter().position(|node| node.path == *wanted);
            for (from, to) in edges().map(|(from, to)| (&graph.node(from).path, &graph.node(to).path)) {
                prop_assert!(dead.contains(from) || !dead.contains(to), "{from} lost {to}");
                if let (Some(from), Some(to)) = (place(from), place(to)) {
                    prop_assert!(from < to);
                }
            }
        }
    }
}
