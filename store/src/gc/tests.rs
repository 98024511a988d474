//! The plan against a naive model of it.

use super::*;
use crate::digest::{DerivationDigest, TreeDigest};
use crate::store_path::StoreName;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Every third object is a derivation.
fn path(number: u8) -> StorePath {
    let name = StoreName::parse(&format!("n{number}")).expect("valid");
    let digest = [number; 32];
    match number % 3 {
        2 => StorePath::from_derivation(DerivationDigest::from_bytes(digest), &name),
        _ => StorePath::from_tree(TreeDigest::from_bytes(digest), name),
    }
    .expect("valid")
}

fn paths(numbers: &[u8]) -> Vec<StorePath> {
    numbers.iter().map(|&number| path(number)).collect()
}

fn is_derivation(number: u8) -> bool {
    number % 3 == 2
}

/// Objects 0..count, used in the order of their numbers; pairs of who needs whom, and of derivations and what they made.
#[derive(Debug, Clone, Default)]
struct Model {
    count: u8,
    needs: BTreeSet<(u8, u8)>,
    outputs: BTreeSet<(u8, u8)>,
    /// Which files of 10 bytes are in an object.
    files: BTreeMap<u8, BTreeSet<u8>>,
}

impl Model {
    fn of(count: u8, needs: &[(u8, u8)]) -> Self {
        Self { count, needs: needs.iter().copied().collect(), ..Self::default() }
    }

    /// Any pairs, made such as a store may have: an object needs only what was there before, but anything may have made a tree.
    fn from_any(count: u8, needs: &[(u8, u8)], outputs: &[(u8, u8)], files: &[(u8, u8)]) -> Self {
        let ordered = |&(a, b): &(u8, u8)| ((a % count).max(b % count), (a % count).min(b % count));
        let needs = needs.iter().map(ordered).filter(|(from, to)| from != to).collect();
        let outputs = outputs.iter().map(|&(a, b)| (a % count, b % count));
        let outputs = outputs.filter(|&(from, to)| is_derivation(from) && !is_derivation(to)).collect();
        let mut model = Self { count, needs, outputs, files: BTreeMap::new() };
        for &(object, file) in files.iter().filter(|(object, _)| !is_derivation(object % count)) {
            model.files.entry(object % count).or_default().insert(file % 16);
        }
        model
    }

    fn graph(&self) -> GcGraph {
        let node = |number| {
            let time = u64::from(number);
            GcNode { path: path(number), bytes: self.bytes([number]), added: 100 - time, used: time }
        };
        let nodes = GcNodes::new((0..self.count).map(node).collect());
        let number = |number| nodes.number(&path(number)).expect("it is there");
        let numbers = |pairs: &BTreeSet<(u8, u8)>| pairs.iter().map(|&(from, to)| (number(from), number(to))).collect();
        let (needs, outputs) = (numbers(&self.needs), numbers(&self.outputs));
        nodes.with_edges(needs, outputs)
    }

    /// What these take of a disk where equal files are there once.
    fn bytes(&self, objects: impl IntoIterator<Item = u8>) -> u64 {
        let files: BTreeSet<_> = objects.into_iter().filter_map(|object| self.files.get(&object)).flatten().collect();
        10 * files.len() as u64
    }

    /// Whom an object keeps.
    fn kept_by(&self, number: u8, policy: &GcPolicy, with_outputs: bool) -> BTreeSet<u8> {
        let needs = self.needs.iter().filter(|(from, _)| *from == number).map(|(_, to)| *to);
        let makers =
            self.outputs.iter().filter(|(_, to)| *to == number && policy.keep_derivations).map(|(from, _)| *from);
        let made = self.outputs.iter().filter(|(from, _)| *from == number && with_outputs).map(|(_, to)| *to);
        needs.chain(makers).chain(made).collect()
    }

    /// All that these keep, until nothing is new.
    fn closure(&self, start: impl IntoIterator<Item = u8>, policy: &GcPolicy, with_outputs: bool) -> BTreeSet<u8> {
        let mut closure: BTreeSet<u8> = start.into_iter().collect();
        loop {
            let more = closure.iter().flat_map(|&number| self.kept_by(number, policy, with_outputs));
            let grown: BTreeSet<u8> = closure.iter().copied().chain(more).collect();
            if grown.len() == closure.len() {
                return closure;
            }
            closure = grown;
        }
    }

    fn live(&self, held: &[u8], policy: &GcPolicy) -> BTreeSet<u8> {
        self.closure(held.iter().copied(), policy, policy.keep_outputs)
    }

    fn is_spared(number: u8, policy: &GcPolicy) -> bool {
        let (used, added) = (u64::from(number), 100 - u64::from(number));
        if is_derivation(number) {
            return policy.derivations_since.is_some_and(|since| used >= since);
        }
        policy.used_since.is_some_and(|since| used >= since) || policy.added_since.is_some_and(|since| added >= since)
    }

    /// What goes if there is no limit.
    fn dead(&self, held: &[u8], policy: &GcPolicy) -> BTreeSet<u8> {
        let spared = (0..self.count).filter(|&number| Self::is_spared(number, policy));
        let stays: BTreeSet<_> = self.live(held, policy).union(&self.closure(spared, policy, false)).copied().collect();
        (0..self.count).filter(|number| !stays.contains(number)).collect()
    }

    /// When a dead object was last used, by itself or through what keeps it.
    fn last_use(&self, number: u8, dead: &BTreeSet<u8>, policy: &GcPolicy) -> u8 {
        let keepers = dead.iter().filter(|&&keeper| self.closure([keeper], policy, false).contains(&number));
        keepers.copied().max().unwrap_or(number)
    }

    /// Plans with a limit, if one is given, and says which objects go.
    fn plan(&self, held: &[u8], policy: &GcPolicy, wanted: Option<u64>) -> (GcPlan, BTreeSet<u8>) {
        let mut gone = BTreeSet::new();
        let all = self.bytes(0..self.count);
        let mut freed_by = |node: &GcNode| {
            let before = self.bytes((0..self.count).filter(|number| !gone.contains(number)));
            gone.extend((0..self.count).find(|&number| path(number) == node.path));
            before - self.bytes((0..self.count).filter(|number| !gone.contains(number)))
        };
        let limit = wanted.map(|wanted| Limit { wanted, freed_by: &mut freed_by });
        let plan = plan(&self.graph(), &roots(held), policy, limit);
        let dead = (0..self.count).filter(|&number| plan.dead.iter().any(|node| node.path == path(number)));
        let dead: BTreeSet<u8> = dead.collect();
        assert!(self.bytes(gone) <= all);
        (plan, dead)
    }
}

fn roots(numbers: &[u8]) -> Vec<(StorePath, Holder)> {
    numbers.iter().map(|&number| (path(number), Holder::Root(format!("r{number}")))).collect()
}

fn dead(model: &Model, held: &[u8], policy: &GcPolicy) -> Vec<u8> {
    model.plan(held, policy, None).1.into_iter().collect()
}

#[test]
fn every_holder_has_its_chain_and_the_shortest_comes_first() {
    let model = Model::of(8, &[(7, 4), (4, 3), (3, 0), (6, 0)]);
    let mut held = roots(&[7, 6]);
    held.insert(0, (path(0), Holder::Process(12)));
    let (graph, policy) = (model.graph(), GcPolicy::default());
    let plan = plan(&graph, &held, &policy, None);
    let found = explain(&graph, &held, &policy, &plan, &path(0));
    let through = |holder, numbers: &[u8]| HeldThrough { holder, chain: paths(numbers) };
    let expected = vec![
        through(Holder::Root("r6".to_owned()), &[6, 0]),
        through(Holder::Root("r7".to_owned()), &[7, 4, 3, 0]),
        through(Holder::Process(12), &[0]),
    ];
    assert_eq!(found, Explanation::Held(expected));
    assert_eq!(explain(&graph, &held, &policy, &plan, &path(1)), Explanation::Dead);
    assert_eq!(explain(&graph, &held, &policy, &plan, &path(9)), Explanation::Unknown);
}

#[test]
fn what_is_spared_keeps_what_it_needs_and_tells_why() {
    let model = Model::of(5, &[(4, 3), (3, 0)]);
    let policy = GcPolicy { used_since: Some(4), ..GcPolicy::default() };
    assert_eq!(dead(&model, &[], &policy), [1, 2]);
    let graph = model.graph();
    let plan = plan(&graph, &[], &policy, None);
    assert_eq!(plan.spared, [SparedSum { why: Spared::Used, objects: 3, bytes: 0 }]);
    let found = explain(&graph, &[], &policy, &plan, &path(0));
    assert_eq!(found, Explanation::Spared(Spared::Used, paths(&[4, 3, 0])));
}

/// 2 made 3 from 1, and 5 made 4; 4 was built with 2, but does not need it.
#[test]
fn derivations_and_outputs_are_kept_as_asked() {
    let mut model = Model::of(6, &[(2, 1), (5, 2)]);
    model.outputs = BTreeSet::from([(2, 3), (5, 4)]);
    let policy = |keep_derivations, keep_outputs| GcPolicy { keep_derivations, keep_outputs, ..GcPolicy::default() };
    // As Nix does it by default: what the root 4 was made by stays, and the sources, but not what these made.
    assert_eq!(dead(&model, &[4], &policy(true, false)), [0, 3]);
    // As developers have it: nothing has to be built again.
    assert_eq!(dead(&model, &[4], &policy(true, true)), [0]);
    assert_eq!(dead(&model, &[4], &policy(false, false)), [0, 1, 2, 3, 5]);
    assert_eq!(dead(&model, &[5], &policy(false, true)), [0]);
    // A derivation that is only spared keeps its sources, but nothing that it made.
    let spared = GcPolicy { derivations_since: Some(5), ..policy(true, true) };
    assert_eq!(dead(&model, &[], &spared), [0, 3, 4]);
}

#[test]
fn a_limit_deletes_the_least_recently_used_first() {
    // 7 was used last and needs 0: 0 counts as used with it.
    let mut model = Model::of(8, &[(7, 0)]);
    model.files = [0, 1, 3, 4, 7].map(|object| (object, BTreeSet::from([object]))).into();
    let (plan, dead) = model.plan(&[], &GcPolicy::default(), Some(20));
    assert_eq!(dead, BTreeSet::from([1, 2, 3]));
    assert_eq!(plan.spared, [SparedSum { why: Spared::Enough, objects: 5, bytes: 30 }]);
    // Deleting what has its file from another frees nothing, so the other goes, too.
    model.files.insert(1, BTreeSet::from([3]));
    assert_eq!(model.plan(&[], &GcPolicy::default(), Some(10)).1, BTreeSet::from([1, 2, 3]));
}

#[test]
fn of_several_limits_the_one_counts_that_deletes_least() {
    let policy = GcPolicy { max_size: Some(70), max_freed: Some(25), min_free: Some(40), ..GcPolicy::default() };
    assert_eq!(GcPolicy::default().wanted(100, 5), None);
    assert_eq!(policy.wanted(100, 5), Some(25));
    assert_eq!(policy.wanted(80, 5), Some(10));
    assert_eq!(policy.wanted(100, 38), Some(2));
    assert_eq!(policy.wanted(60, 50), Some(0));
}

fn any_model() -> impl Strategy<Value = Model> {
    let pairs = |most| prop::collection::vec(any::<(u8, u8)>(), 0..most);
    (pairs(30), pairs(20), pairs(40)).prop_map(|(needs, outputs, files)| Model::from_any(18, &needs, &outputs, &files))
}

fn any_policy() -> impl Strategy<Value = GcPolicy> {
    let since = || prop::option::of(0u64..25);
    (prop::option::of(80u64..105), since(), since(), any::<bool>(), any::<bool>()).prop_map(
        |(added_since, used_since, derivations_since, keep_derivations, keep_outputs)| GcPolicy {
            added_since,
            used_since,
            derivations_since,
            keep_derivations,
            keep_outputs,
            ..GcPolicy::default()
        },
    )
}

fn any_held() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0u8..18, 0..4)
}

proptest! {
    #[test]
    fn a_plan_is_what_the_model_says(model in any_model(), policy in any_policy(), held in any_held()) {
        let (plan, found) = model.plan(&held, &policy, None);
        prop_assert_eq!(&found, &model.dead(&held, &policy));
        prop_assert_eq!(plan.live, 18 - found.len());
        let spared: usize = plan.spared.iter().map(|sum| sum.objects).sum();
        prop_assert_eq!(spared, plan.live - model.live(&held, &policy).len());
        let place = |number: u8| plan.dead.iter().position(|node| node.path == path(number));
        for (from, to) in &model.needs {
            if let (Some(from), Some(to)) = (place(*from), place(*to)) {
                prop_assert!(from < to, "what needs others is moved away first");
            }
        }
    }

    /// Whatever limits there are: what stays is closed, and no more goes than it takes.
    #[test]
    fn a_limit_is_reached_and_not_passed(
        model in any_model(), policy in any_policy(), held in any_held(), wanted in 0u64..200,
    ) {
        let without_limit = model.dead(&held, &policy);
        let (_, found) = model.plan(&held, &policy, Some(wanted));
        let stays: BTreeSet<_> = (0..18).filter(|number| !found.contains(number)).collect();
        let kept = model.closure(stays.iter().copied().filter(|number| without_limit.contains(number)), &policy, false);
        prop_assert!(found.is_subset(&without_limit) && found.is_disjoint(&kept));
        let total = model.bytes(0..18);
        let freed = |gone: &BTreeSet<u8>| total - model.bytes((0..18).filter(|number| !gone.contains(number)));
        prop_assert!(freed(&found) >= wanted || found == without_limit);
        // The last use decides, and of what was last used then at least one had to go.
        let last_use = |number: &u8| model.last_use(*number, &without_limit, &policy);
        let latest = found.iter().map(last_use).max();
        let earliest = without_limit.difference(&found).map(last_use).min();
        prop_assert!(latest <= earliest || earliest.is_none());
        let needless: BTreeSet<_> = found.iter().copied().filter(|number| Some(last_use(number)) < latest).collect();
        prop_assert!(found.is_empty() || freed(&needless) < wanted);
    }

    #[test]
    fn every_answer_has_a_true_chain(model in any_model(), policy in any_policy(), held in any_held(), about in 0u8..18) {
        let (graph, held_by) = (model.graph(), roots(&held));
        let plan = plan(&graph, &held_by, &policy, None);
        let number = |path: &StorePath| (0..18).find(|&number| super::tests::path(number) == *path).expect("known");
        let is_chain = |chain: &[StorePath], with_outputs| {
            chain.last() == Some(&path(about))
                && chain.windows(2).all(|pair| model.kept_by(number(&pair[0]), &policy, with_outputs).contains(&number(&pair[1])))
        };
        match explain(&graph, &held_by, &policy, &plan, &path(about)) {
            Explanation::Unknown => prop_assert!(false, "all are known"),
            Explanation::Held(through) => {
                let holds = |number: &&u8| model.live(&[**number], &policy).contains(&about);
                prop_assert_eq!(through.len(), held.iter().filter(holds).count());
                for one in through {
                    prop_assert!(is_chain(&one.chain, policy.keep_outputs));
                    prop_assert_eq!(&one.holder, &Holder::Root(format!("r{}", number(&one.chain[0]))));
                }
            }
            Explanation::Spared(_, chain) => {
                prop_assert!(!model.live(&held, &policy).contains(&about));
                prop_assert!(is_chain(&chain, false) && Model::is_spared(number(&chain[0]), &policy));
            }
            Explanation::Dead => prop_assert!(model.dead(&held, &policy).contains(&about)),
        }
    }

    /// What a holder alone keeps is what a collection takes once it is gone.
    #[test]
    fn a_share_is_what_its_end_would_free(
        model in any_model(), policy in any_policy(), held in any_held(), others in any_held(),
    ) {
        let graph = model.graph();
        let found = shares(&graph, &paths(&held), &paths(&others), &policy);
        let paths_of = |numbers: &[u32]| numbers.iter().map(|at| graph.node(*at).path.clone()).collect::<BTreeSet<_>>();
        let everyone = [&held[..], &others].concat();
        for (at, share) in found.iter().enumerate() {
            prop_assert_eq!(paths_of(&share.all), model.live(&held[at..=at], &policy).into_iter().map(path).collect());
            let without = [&everyone[..at], &everyone[at + 1..]].concat();
            let more = model.dead(&without, &policy);
            let more: BTreeSet<_> = more.difference(&model.dead(&everyone, &policy)).map(|&number| path(number)).collect();
            prop_assert_eq!(paths_of(&share.alone), more);
        }
    }
}
