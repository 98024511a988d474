//! Who has a share in what: what each holder keeps, and what it alone keeps.

use super::{GcGraph, GcPolicy, Marks};
use crate::store_path::StorePath;
use std::collections::HashSet;

/// What a holder keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// All that it keeps.
    pub all: Vec<StorePath>,
    /// What of that would go if only this holder were gone.
    pub alone: Vec<StorePath>,
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
    let stays: Vec<_> = others.iter().filter_map(number).flat_map(|start| reached(graph, start, policy)).collect();
    stays.into_iter().chain(spared.marked()).for_each(|at| keepers[at as usize] = Keeper::Several);
    let mut all = Vec::with_capacity(holders.len());
    for (holder, path) in holders.iter().enumerate() {
        let kept: Vec<_> = number(path).map_or_else(Vec::new, |start| reached(graph, start, policy));
        for &at in &kept {
            let keeper = &mut keepers[at as usize];
            *keeper = if *keeper == Keeper::Nobody { Keeper::One(holder) } else { Keeper::Several };
        }
        all.push(kept);
    }
    let path = |at: &u32| graph.node(*at).path.clone();
    let share = |(holder, kept): (usize, Vec<u32>)| Share {
        alone: kept.iter().filter(|at| keepers[**at as usize] == Keeper::One(holder)).map(path).collect(),
        all: kept.iter().map(path).collect(),
    };
    all.into_iter().enumerate().map(share).collect()
}

/// What an object that is held keeps, itself among it.
fn reached(graph: &GcGraph, start: u32, policy: &GcPolicy) -> Vec<u32> {
    let mut seen = HashSet::from([start]);
    let mut reached = vec![start];
    let mut at = 0;
    while let Some(&number) = reached.get(at) {
        reached.extend(graph.keeps(number, policy, policy.keep_outputs).filter(|to| seen.insert(*to)));
        at += 1;
    }
    reached
}
