//! Who has a share in what: what each holder keeps, and what it alone keeps.

use super::{GcGraph, GcPolicy, Marks};
use crate::store_path::StorePath;

/// What a holder keeps, by the numbers of the objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// All that it keeps.
    pub all: Vec<u32>,
    /// What of that would go if only this holder were gone.
    pub alone: Vec<u32>,
}

/// Who keeps an object, as far as is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeper {
    Nobody,
    One(usize),
    Several,
}

/// Says for each holder, given by the object it names, what it keeps. `others` hold something, too, but are not asked about.
#[must_use]
pub fn shares(graph: &GcGraph, holders: &[StorePath], others: &[StorePath], policy: &GcPolicy) -> Vec<Share> {
    let mut keepers = vec![Keeper::Nobody; graph.nodes().len()];
    let number = |path: &StorePath| graph.number(path);
    // What a policy spares would not go either.
    let mut spared = Marks::new(graph, policy);
    for (at, node) in graph.numbers().zip(graph.nodes()) {
        if let Some(why) = super::spared(node, policy) {
            spared.spare(at, why);
        }
    }
    let mut walks = Walks { graph, policy, seen: vec![0; graph.nodes().len()], number: 0 };
    let stays: Vec<_> = others.iter().filter_map(number).flat_map(|start| walks.reached(start)).collect();
    stays.into_iter().chain(spared.marked()).for_each(|at| keepers[at as usize] = Keeper::Several);
    let mut all = Vec::with_capacity(holders.len());
    for (holder, path) in holders.iter().enumerate() {
        let kept: Vec<_> = number(path).map_or_else(Vec::new, |start| walks.reached(start));
        for &at in &kept {
            let keeper = &mut keepers[at as usize];
            *keeper = if *keeper == Keeper::Nobody { Keeper::One(holder) } else { Keeper::Several };
        }
        all.push(kept);
    }
    let is_alone = |holder: usize, at: u32| keepers[at as usize] == Keeper::One(holder);
    let share = |(holder, all): (usize, Vec<u32>)| Share {
        alone: all.iter().copied().filter(|at| is_alone(holder, *at)).collect(),
        all,
    };
    all.into_iter().enumerate().map(share).collect()
}

/// Walks through one graph.
struct Walks<'g> {
    graph: &'g GcGraph,
    policy: &'g GcPolicy,
    /// By object the last walk that came there.
    seen: Vec<u32>,
    number: u32,
}

impl Walks<'_> {
    /// What an object that is held keeps, itself among it.
    fn reached(&mut self, start: u32) -> Vec<u32> {
        self.number += 1;
        let (walk, seen) = (self.number, &mut self.seen);
        let mut is_new = |at: u32| std::mem::replace(&mut seen[at as usize], walk) != walk;
        is_new(start);
        let mut reached = vec![start];
        let mut at = 0;
        while let Some(&number) = reached.get(at) {
            let kept = self.graph.keeps(number, self.policy, self.policy.keep_outputs);
            reached.extend(kept.filter(|to| is_new(*to)));
            at += 1;
        }
        reached
    }
}
