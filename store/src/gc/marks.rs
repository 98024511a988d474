//! Marking what stays, and the order in which the rest goes.

use super::{GcGraph, GcPlan, GcPolicy, Limit, Spared, SparedSum};
use std::collections::BTreeMap;

/// Why an object stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Live,
    Spared(Spared),
}

/// What is marked so far.
pub(super) struct Marks<'g> {
    graph: &'g GcGraph,
    policy: &'g GcPolicy,
    marks: Vec<Option<Mark>>,
    seeds: Vec<Option<Spared>>,
}

impl<'g> Marks<'g> {
    pub(super) fn new(graph: &'g GcGraph, policy: &'g GcPolicy) -> Self {
        let count = graph.nodes().len();
        Self { graph, policy, marks: vec![None; count], seeds: vec![None; count] }
    }

    /// Marks an object that is held, and all that this keeps.
    pub(super) fn live(&mut self, number: u32) {
        self.mark(number, Mark::Live);
    }

    /// Marks an object that a policy spares, and all that this keeps. What is live already is not spared.
    pub(super) fn spare(&mut self, number: u32, why: Spared) {
        if self.marks[number as usize] != Some(Mark::Live) {
            self.seeds[number as usize].get_or_insert(why);
        }
        self.mark(number, Mark::Spared(why));
    }

    fn mark(&mut self, number: u32, mark: Mark) {
        let with_outputs = mark == Mark::Live && self.policy.keep_outputs;
        let mut pending = vec![number];
        while let Some(number) = pending.pop() {
            if self.marks[number as usize].is_none() {
                self.marks[number as usize] = Some(mark);
                let is_open = |to: &u32| self.marks[*to as usize].is_none();
                pending.extend(self.graph.keeps(number, self.policy, with_outputs).filter(is_open));
            }
        }
    }

    /// Spares the most recently used of the dead once enough is freed.
    pub(super) fn stop_at(&mut self, limit: Limit<'_>) {
        let mut freed = 0;
        for group in self.dead_by_use() {
            let enough = freed >= limit.wanted;
            for number in group {
                if enough {
                    self.spare(number, Spared::Enough);
                } else {
                    freed += (limit.freed_by)(self.graph.node(number));
                }
            }
        }
    }

    /// The dead, least recently used first, in groups that keep each other; they count as used when one that keeps them was, and never
    /// come before it.
    fn dead_by_use(&self) -> Vec<Vec<u32>> {
        let mut used: Vec<u64> = self.graph.nodes().iter().map(|node| node.used).collect();
        let mut ranked = Vec::new();
        for (rank, group) in self.dead_groups().into_iter().enumerate() {
            let last = group.iter().map(|number| used[*number as usize]).max().unwrap_or(0);
            for &number in &group {
                for to in self.graph.keeps(number, self.policy, false) {
                    used[to as usize] = last.max(used[to as usize]);
                }
            }
            ranked.push((last, rank, group));
        }
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, _, group)| group).collect()
    }

    /// The dead in groups that keep each other (a derivation may have made what it was made from), each before all it keeps.
    ///
    /// Source: S. Rao Kosaraju's algorithm for strongly connected components.
    fn dead_groups(&self) -> Vec<Vec<u32>> {
        let order = self.dead_in_order(|number| self.graph.keeps(number, self.policy, false));
        let mut keepers = vec![Vec::new(); self.graph.nodes().len()];
        for &from in &order {
            self.graph.keeps(from, self.policy, false).for_each(|to| keepers[to as usize].push(from));
        }
        let mut seen = vec![false; self.graph.nodes().len()];
        let mut groups = Vec::new();
        for start in order {
            let mut group = Vec::new();
            let mut pending = vec![start];
            while let Some(number) = pending.pop() {
                if !std::mem::replace(&mut seen[number as usize], true) {
                    group.push(number);
                    pending.extend(&keepers[number as usize]);
                }
            }
            if !group.is_empty() {
                groups.push(group);
            }
        }
        groups
    }

    /// The dead, each before all that `next` says of it, but for circles.
    fn dead_in_order<I: Iterator<Item = u32>>(&self, next: impl Fn(u32) -> I) -> Vec<u32> {
        let mut finished = Vec::new();
        let mut seen = vec![false; self.graph.nodes().len()];
        let mut pending = Vec::new();
        for start in self.graph.numbers() {
            pending.push((start, false));
            while let Some((number, done)) = pending.pop() {
                if done {
                    finished.push(number);
                } else if !seen[number as usize] && self.marks[number as usize].is_none() {
                    seen[number as usize] = true;
                    pending.push((number, true));
                    pending.extend(next(number).map(|to| (to, false)));
                }
            }
        }
        finished.reverse();
        finished
    }

    /// All that is marked.
    pub(super) fn marked(&self) -> impl Iterator<Item = u32> {
        self.graph.numbers().zip(&self.marks).filter_map(|(number, mark)| mark.map(|_| number))
    }

    pub(super) fn finish(self) -> GcPlan {
        let numbers = self.dead_in_order(|number| self.graph.needs(number).iter().copied());
        let dead: Vec<_> = numbers.iter().map(|number| self.graph.node(*number).clone()).collect();
        let mut sums = BTreeMap::<Spared, (usize, u64)>::new();
        for (mark, node) in self.marks.iter().zip(self.graph.nodes()) {
            if let Some(Mark::Spared(why)) = mark {
                let (objects, bytes) = sums.entry(*why).or_default();
                *objects += 1;
                *bytes += node.bytes;
            }
        }
        let spared = sums.into_iter().map(|(why, (objects, bytes))| SparedSum { why, objects, bytes }).collect();
        GcPlan { live: self.graph.nodes().len() - dead.len(), dead, numbers, spared, seeds: self.seeds }
    }
}
