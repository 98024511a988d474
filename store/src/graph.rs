//! Graphs of store paths: who needs whom and in which way, and what follows from that. Pure.
//!
//! Nodes are numbered in the order in which they were added; nothing here recurses, for graphs may be deeper than a thread's stack.

use crate::store_path::StorePath;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

/// In which way one path needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A file or link of it mentions the other.
    Mention,
    /// It was declared to need the other at run time.
    Runtime,
    /// It is a derivation, and the other is a derivation or tree that it names.
    Input,
}

/// Store paths and what each of them needs.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    paths: Vec<StorePath>,
    needs: Vec<Vec<(usize, Need)>>,
    /// The same once more for those that need many, so that what is said twice is found.
    many: HashMap<usize, HashSet<(usize, Need)>>,
}

/// So many needs of a path are looked through one by one.
const FEW: usize = 32;

impl Graph {
    /// Adds a path, which must not be in the graph, and returns its number.
    pub fn add_path(&mut self, path: StorePath) -> usize {
        self.paths.push(path);
        self.needs.push(Vec::new());
        self.paths.len() - 1
    }

    /// Says that one path needs another. Saying so twice changes nothing. That it needs itself is no edge.
    pub fn add_need(&mut self, from: usize, to: usize, need: Need) {
        let needs = &mut self.needs[from];
        let is_known = if needs.len() < FEW {
            needs.contains(&(to, need))
        } else {
            !self.many.entry(from).or_insert_with(|| needs.iter().copied().collect()).insert((to, need))
        };
        if from != to && !is_known {
            needs.push((to, need));
        }
    }

    /// Puts what each path needs in the order of the names and digests, in which people and tests expect it.
    pub fn sort(&mut self) {
        let paths = &self.paths;
        for needs in &mut self.needs {
            needs.sort_by(|(a, a_need), (b, b_need)| {
                let key = |number: &usize| (paths[*number].name(), &paths[*number]);
                key(a).cmp(&key(b)).then(a_need.cmp(b_need))
            });
        }
    }

    /// The part of the graph that is to be kept, in the same order.
    #[must_use]
    pub fn restricted(&self, keep: impl Fn(&StorePath) -> bool) -> Self {
        let mut part = Self::default();
        let numbers: Vec<_> = self.paths.iter().map(|path| keep(path).then(|| part.add_path(path.clone()))).collect();
        for (from, needs) in self.needs.iter().enumerate() {
            let Some(from) = numbers[from] else { continue };
            part.needs[from] = needs.iter().filter_map(|(to, need)| Some((numbers[*to]?, *need))).collect();
        }
        part
    }

    /// How many paths there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there is no path.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The path of a number.
    #[must_use]
    pub fn path(&self, number: usize) -> &StorePath {
        &self.paths[number]
    }

    /// All paths, by their numbers.
    #[must_use]
    pub fn paths(&self) -> &[StorePath] {
        &self.paths
    }

    /// The paths alone.
    #[must_use]
    pub fn into_paths(self) -> Vec<StorePath> {
        self.paths
    }

    /// The numbers of all paths, for who asks for many.
    #[must_use]
    pub fn numbers(&self) -> HashMap<&StorePath, usize> {
        self.paths.iter().enumerate().map(|(number, path)| (path, number)).collect()
    }

    /// The number of a path, if it is in the graph.
    #[must_use]
    pub fn number(&self, path: &StorePath) -> Option<usize> {
        self.paths.iter().position(|known| known == path)
    }

    /// What a path needs, and how. One that is needed in two ways stands there twice.
    #[must_use]
    pub fn needs(&self, number: usize) -> &[(usize, Need)] {
        &self.needs[number]
    }

    /// What a path needs, each once.
    #[must_use]
    pub fn needed(&self, number: usize) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        self.needs[number].iter().map(|(to, _)| *to).filter(|to| seen.insert(*to)).collect()
    }

    /// The shortest way from one path to another: their numbers, both ends included.
    #[must_use]
    pub fn shortest(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let mut before = vec![None; self.len()];
        let mut pending = VecDeque::from([from]);
        while let Some(number) = pending.pop_front() {
            if number == to {
                let mut chain: Vec<_> =
                    std::iter::successors(Some(to), |at| if *at == from { None } else { before[*at] }).collect();
                chain.reverse();
                return Some(chain);
            }
            for (next, _) in &self.needs[number] {
                if *next != from && before[*next].is_none() {
                    before[*next] = Some(number);
                    pending.push_back(*next);
                }
            }
        }
        None
    }

    /// Whether each path is on some way from one to another. Nothing is if there is no way.
    #[must_use]
    pub fn between(&self, from: usize, to: usize) -> Vec<bool> {
        let (down, up) = (self.reached_from(&[from]), self.needing(&[to]));
        down.iter().zip(up).map(|(down, up)| *down && up).collect()
    }

    /// Whether each path needs one of `to`, these included.
    #[must_use]
    pub fn needing(&self, to: &[usize]) -> Vec<bool> {
        let mut needed_by = vec![Vec::new(); self.len()];
        for (number, needs) in self.needs.iter().enumerate() {
            needs.iter().for_each(|(next, _)| needed_by[*next].push(number));
        }
        reached(self.len(), to, |number| needed_by[number].clone())
    }

    /// Whether each path is needed by `from`, these included.
    #[must_use]
    pub fn reached_from(&self, from: &[usize]) -> Vec<bool> {
        reached(self.len(), from, |number| self.needs[number].iter().map(|(next, _)| *next).collect())
    }

    /// For each path the weight of all that would not be reached from `roots` without it, its own included: what only it holds.
    /// What is not reached from the roots holds nothing.
    #[must_use]
    pub fn held(&self, roots: &[usize], weight: impl Fn(usize) -> u64) -> Vec<u64> {
        let (order, above) = self.dominators(roots);
        let mut held = vec![0; self.len()];
        order.iter().for_each(|number| held[*number] = weight(*number));
        // Whoever dominates another stands before it.
        for number in order.iter().rev() {
            if let Some(above) = above[*number] {
                held[above] += held[*number];
            }
        }
        held
    }

    /// For each path the sum of the weights of all that it reaches, itself included. All are found together, 64 of what is reached at a time:
    /// walks from each one would take as long as they reach far.
    #[must_use]
    pub fn closure_sums<const N: usize>(&self, weight: impl Fn(usize) -> [u64; N]) -> Vec<[u64; N]> {
        let mut order = self.reverse_post_order(&(0..self.len()).collect::<Vec<_>>());
        // What is needed comes first, but for circles.
        order.reverse();
        let mut position = vec![0; self.len()];
        order.iter().enumerate().for_each(|(at, number)| position[*number] = at);
        let below = |number: &usize| self.needs[*number].iter().map(|(next, _)| position[*next]).collect();
        let below: Vec<Vec<usize>> = order.iter().map(below).collect();
        let is_circular = below.iter().enumerate().any(|(at, below)| below.iter().any(|next| *next > at));
        let mut sums = vec![[0; N]; self.len()];
        for start in (0..order.len()).step_by(64) {
            let weights: Vec<_> = order[start..].iter().take(64).map(|number| weight(*number)).collect();
            let block = Block::new(&weights);
            let first = if is_circular { 0 } else { start };
            let reached = reached_in_block(&below, first, start, is_circular);
            for (mask, number) in reached.iter().zip(&order).skip(first) {
                block.add(*mask, &mut sums[*number]);
            }
        }
        sums
    }

    /// What is reached from the roots, in reverse post-order, and which path each of them cannot be reached without: the nearest one,
    /// `None` if there is none. After Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm".
    fn dominators(&self, roots: &[usize]) -> (Vec<usize>, Vec<Option<usize>>) {
        let order = self.reverse_post_order(roots);
        // Position 0 is a path that needs all the roots; the others follow in order.
        let mut position = vec![0; self.len()];
        order.iter().enumerate().for_each(|(at, number)| position[*number] = at + 1);
        let mut before = vec![Vec::new(); order.len() + 1];
        roots.iter().for_each(|root| before[position[*root]].push(0));
        for number in &order {
            self.needs[*number].iter().for_each(|(next, _)| before[position[*next]].push(position[*number]));
        }
        let mut nearest: Vec<Option<usize>> = vec![None; order.len() + 1];
        nearest[0] = Some(0);
        let mut changed = true;
        while changed {
            changed = false;
            for at in 1..=order.len() {
                let known = before[at].iter().copied().filter(|before| nearest[*before].is_some());
                let common = known.reduce(|a, b| common(&nearest, a, b));
                changed |= nearest[at] != common;
                nearest[at] = common;
            }
        }
        let mut above = vec![None; self.len()];
        for (at, number) in order.iter().enumerate() {
            above[*number] = nearest[at + 1].filter(|above| *above > 0).map(|above| order[above - 1]);
        }
        (order, above)
    }

    fn reverse_post_order(&self, roots: &[usize]) -> Vec<usize> {
        let mut seen = vec![false; self.len()];
        let mut order = Vec::new();
        for root in roots.iter().rev() {
            let mut pending = Vec::new();
            if !std::mem::replace(&mut seen[*root], true) {
                pending.push((*root, 0));
            }
            while let Some((number, at)) = pending.last_mut() {
                let Some((next, _)) = self.needs[*number].get(*at) else {
                    order.push(*number);
                    pending.pop();
                    continue;
                };
                *at += 1;
                if !std::mem::replace(&mut seen[*next], true) {
                    pending.push((*next, 0));
                }
            }
        }
        order.reverse();
        order
    }
}

/// For each position which of the 64 from `start` on it reaches, a bit for each. Nothing before `first` reaches any.
fn reached_in_block(below: &[Vec<usize>], first: usize, start: usize, is_circular: bool) -> Vec<u64> {
    let mut reached = vec![0u64; below.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for at in first..below.len() {
            let own = if (start..start + 64).contains(&at) { 1 << (at - start) } else { 0 };
            let mask = below[at].iter().fold(own, |mask, next| mask | reached[*next]);
            // Without circles all that is below has been dealt with.
            changed |= is_circular && mask != reached[at];
            reached[at] = mask;
        }
    }
    reached
}

/// The weights of 64 paths, ready to be summed up by sets of them.
struct Block<const N: usize> {
    /// For every eight of them the sum of each subset.
    tables: Vec<[[u64; N]; 256]>,
    everything: (u64, [u64; N]),
}

impl<const N: usize> Block<N> {
    fn new(weights: &[[u64; N]]) -> Self {
        let table = |weights: &[[u64; N]]| {
            let mut table = [[0; N]; 256];
            for subset in 1..256usize {
                // The subset without its lowest member has been dealt with.
                let (lowest, rest) = (subset.trailing_zeros() as usize, subset & (subset - 1));
                let one = weights.get(lowest).copied().unwrap_or([0; N]);
                table[subset] = std::array::from_fn(|part| table[rest][part] + one[part]);
            }
            table
        };
        let all = std::array::from_fn(|part| weights.iter().map(|weight| weight[part]).sum());
        let mask = if weights.len() == 64 { u64::MAX } else { (1 << weights.len()) - 1 };
        Self { tables: weights.chunks(8).map(table).collect(), everything: (mask, all) }
    }

    /// Adds the weights of a set.
    fn add(&self, mask: u64, sum: &mut [u64; N]) {
        let mut add = |weights: &[u64; N]| sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
        if mask == self.everything.0 {
            return add(&self.everything.1);
        }
        for (table, byte) in self.tables.iter().zip(mask.to_le_bytes()).filter(|(_, byte)| *byte != 0) {
            add(&table[usize::from(byte)]);
        }
    }
}

/// The nearest position that dominates both.
fn common(nearest: &[Option<usize>], mut a: usize, mut b: usize) -> usize {
    while a != b {
        let further = if a > b { &mut a } else { &mut b };
        *further = nearest[*further].unwrap_or(0);
    }
    a
}

fn reached(count: usize, from: &[usize], next: impl Fn(usize) -> Vec<usize>) -> Vec<bool> {
    let mut seen = vec![false; count];
    let mut pending = from.to_vec();
    while let Some(number) = pending.pop() {
        if !std::mem::replace(&mut seen[number], true) {
            pending.extend(next(number));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::TreeDigest;
    use crate::store_path::StoreName;
    use proptest::prelude::*;

    fn path(number: usize) -> StorePath {
        let name = StoreName::parse(&format!("p{number}")).expect("valid");
        StorePath::from_tree(TreeDigest::from_bytes([u8::try_from(number).expect("few"); 32]), name).expect("valid")
    }

    fn graph(count: usize, edges: &[(usize, usize)]) -> Graph {
        let mut graph = Graph::default();
        for number in 0..count {
            graph.add_path(path(number));
        }
        edges.iter().for_each(|(from, to)| graph.add_need(from % count, to % count, Need::Mention));
        graph
    }

    #[test]
    fn the_shortest_way_is_found() {
        let graph = graph(5, &[(0, 1), (1, 2), (2, 3), (0, 2), (3, 0)]);
        assert_eq!(graph.shortest(0, 3), Some(vec![0, 2, 3]));
        assert_eq!(graph.shortest(0, 0), Some(vec![0]));
        assert_eq!(graph.shortest(0, 4), None);
        assert_eq!(graph.between(0, 2), [true, true, true, true, false], "3 leads back to 0");
        assert_eq!(graph.between(0, 4), [false; 5]);
    }

    #[test]
    fn what_is_shared_is_held_by_nobody_below() {
        // 0 needs 1 and 2, both need 3, only 2 needs 4.
        let graph = graph(5, &[(0, 1), (0, 2), (1, 3), (2, 3), (2, 4)]);
        assert_eq!(graph.held(&[0], |_| 1), [5, 1, 2, 1, 1]);
        assert_eq!(graph.held(&[1, 2], |number| 10 * number as u64), [0, 10, 60, 30, 40]);
    }

    #[test]
    fn an_edge_counts_once_and_never_to_itself() {
        let mut graph = graph(2, &[(0, 1), (0, 1), (0, 0)]);
        graph.add_need(0, 1, Need::Runtime);
        assert_eq!(graph.needs(0), [(1, Need::Mention), (1, Need::Runtime)]);
        assert_eq!(graph.needed(0), [1]);
    }

    /// Each of these took the square of it, which is minutes.
    #[test]
    fn large_graphs_take_no_longer_than_they_are_large() {
        let count = 50_000usize;
        let mut graph = Graph::default();
        let name = StoreName::parse("n").expect("valid");
        for number in 0..count {
            let digest = *crate::digest::BlobDigest::of(&number.to_le_bytes()).as_bytes();
            graph.add_path(StorePath::from_tree(TreeDigest::from_bytes(digest), name.clone()).expect("valid"));
        }
        // 0 needs all others, and they are a chain.
        for number in (1..count).chain(1..count) {
            graph.add_need(0, number, Need::Mention);
            graph.add_need(number - 1, number, Need::Mention);
        }
        assert_eq!(graph.needs(0).len(), count - 1);
        let first = graph.path(0).clone();
        let part = graph.restricted(|path| path.digest()[0] < 16 || *path == first);
        assert_eq!(part.closure_sums(|_| [1])[0], [part.len() as u64]);
        assert_eq!(graph.held(&[0], |_| 1)[0], count as u64);
    }

    proptest! {
        /// Compared with a walk from each path; there may be circles.
        #[test]
        fn sums_of_closures_are_those_of_walks(edges: Vec<(usize, usize)>, count in 1usize..200) {
            let graph = graph(count, &edges);
            let weight = |number: usize| [1, 3 * number as u64];
            for (number, [paths, sum]) in graph.closure_sums(weight).into_iter().enumerate() {
                let reached = graph.reached_from(&[number]);
                let reached: Vec<_> = (0..count).filter(|number| reached[*number]).collect();
                prop_assert_eq!(paths, reached.len() as u64);
                prop_assert_eq!(sum, reached.into_iter().map(|number| 3 * number as u64).sum::<u64>());
            }
        }

        /// What a path holds is what is not reached once it is left out, by a walk that knows nothing of dominators.
        #[test]
        fn what_is_held_is_what_goes_without_it(edges: Vec<(usize, usize)>, count in 1usize..12, roots: [usize; 2]) {
            let graph = graph(count, &edges);
            let roots = roots.map(|root| root % count);
            let held = graph.held(&roots, |number| 1 << number);
            let all = graph.reached_from(&roots);
            for (without, held) in held.into_iter().enumerate() {
                let others: Vec<_> = roots.into_iter().filter(|root| *root != without).collect();
                let left = reached(count, &others, |number| {
                    graph.needed(number).into_iter().filter(|next| *next != without).collect()
                });
                let gone = (0..count).filter(|number| all[*number] && !left[*number]).map(|number| 1 << number).sum::<u64>();
                prop_assert_eq!(held, gone, "without {}", without);
            }
        }

        /// A way consists of edges, and no way is shorter: distances by relaxation.
        #[test]
        fn no_way_is_shorter(edges: Vec<(usize, usize)>, count in 1usize..12, ends: [usize; 2]) {
            let graph = graph(count, &edges);
            let [from, to] = ends.map(|end| end % count);
            let mut distance = vec![usize::MAX; count];
            distance[from] = 0;
            for _ in 0..count {
                for number in 0..count {
                    for next in graph.needed(number) {
                        distance[next] = distance[next].min(distance[number].saturating_add(1));
                    }
                }
            }
            match graph.shortest(from, to) {
                None => prop_assert_eq!(distance[to], usize::MAX),
                Some(chain) => {
                    prop_assert_eq!(chain.len() - 1, distance[to]);
                    prop_assert!(chain.windows(2).all(|pair| graph.needed(pair[0]).contains(&pair[1])));
                    prop_assert_eq!((chain[0], chain[chain.len() - 1]), (from, to));
                }
            }
            let between = graph.between(from, to);
            for (number, between) in between.into_iter().enumerate() {
                let on_a_way = graph.shortest(from, number).is_some() && graph.shortest(number, to).is_some();
                prop_assert_eq!(between, on_a_way);
            }
        }
    }
}
