use super::*;
use crate::derivation::placeholder;
use crate::store_path::StoreName;
use proptest::prelude::*;
use std::convert::Infallible;

/// A store in memory.
#[derive(Default)]
struct Memory {
    derivations: HashMap<StorePath, Arc<Derivation>>,
    realised: HashMap<StorePath, TreeDigest>,
}

impl Known for Memory {
    type Error = Infallible;

    fn derivation(&self, path: &StorePath) -> Result<Option<Arc<Derivation>>, Infallible> {
        Ok(self.derivations.get(path).cloned())
    }

    fn realised(&self, derivation: &StorePath, _: &OutputName) -> Result<Option<TreeDigest>, Infallible> {
        Ok(self.realised.get(derivation).copied())
    }
}

impl Memory {
    fn add(&mut self, derivation: Derivation) -> StorePath {
        let path = derivation.store_path().expect("a short name");
        self.derivations.insert(path.clone(), Arc::new(derivation));
        path
    }

    fn compare(&self, before: &StorePath, after: &StorePath) -> Difference {
        let Ok(found) = difference(self, before, after);
        found
    }
}

fn out(derivation: &StorePath) -> Input {
    Input::Output { derivation: derivation.clone(), output: OutputName::out() }
}

fn tree(byte: u8, name: &str) -> StorePath {
    StorePath::from_tree(TreeDigest::from_bytes([byte; 32]), StoreName::parse(name).expect("valid")).expect("valid")
}

/// A derivation that mentions inputs in the variable `deps`, in order.
fn package(name: &str, deps: &[Input]) -> Derivation {
    let mentions: Vec<_> = deps.iter().map(Input::mention).collect();
    Derivation {
        name: StoreName::parse(name).expect("valid"),
        system: "s".to_owned(),
        builder: "/b".to_owned(),
        args: Vec::new(),
        env: BTreeMap::from([("deps".to_owned(), mentions.join(" "))]),
        inputs: deps.iter().cloned().collect(),
        root: Vec::new(),
        overrides: Vec::new(),
        runtime: Vec::new(),
        outputs: BTreeSet::from([OutputName::out()]),
        fixed: None,
    }
}

fn with(derivation: Derivation, name: &str, value: &str) -> Derivation {
    let mut derivation = derivation;
    derivation.env.insert(name.to_owned(), value.to_owned());
    derivation
}

/// `top` needs `middle`, which needs `base` and a source.
fn stack(memory: &mut Memory, source: u8, flags: &str) -> StorePath {
    let base = memory.add(package("base-1", &[Input::Tree(tree(source, "src"))]));
    let middle = memory.add(with(package("middle-1", &[out(&base)]), "flags", flags));
    memory.add(package("top-1", &[out(&middle), out(&base)]))
}

fn names(found: &Difference, numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|number| found.pairs[*number].after.name().to_string()).collect()
}

#[test]
fn what_is_the_same_does_not_differ() {
    let mut memory = Memory::default();
    let top = stack(&mut memory, 1, "a");
    assert_eq!(memory.compare(&top, &top), Difference::default());
}

#[test]
fn a_changed_source_is_found_through_what_needs_it() {
    let mut memory = Memory::default();
    let (before, after) = (stack(&mut memory, 1, "a"), stack(&mut memory, 2, "a"));
    let found = memory.compare(&before, &after);
    let causes: Vec<_> = found.causes().collect();
    assert_eq!(names(&found, &causes), ["src"]);
    assert_eq!(found.pairs[causes[0]].changes, [Change::Content]);
    assert_eq!(names(&found, &found.chain(causes[0])), ["top-1.drv", "base-1.drv", "src"], "the shortest way");
    assert_eq!(found.followers(), 3);
}

#[test]
fn causes_stand_apart_from_what_follows() {
    let mut memory = Memory::default();
    let (before, after) = (stack(&mut memory, 1, "a"), stack(&mut memory, 2, "b"));
    let found = memory.compare(&before, &after);
    let causes: Vec<_> = found.causes().collect();
    assert_eq!(names(&found, &causes), ["middle-1.drv", "src"]);
    let flags = Change::Variable("flags".to_owned(), Some("a".to_owned()), Some("b".to_owned()));
    assert_eq!(found.pairs[causes[0]].changes, [flags]);
    assert_eq!(found.followers(), 2);
}

#[test]
fn nothing_behind_what_came_out_identical_is_a_cause() {
    let mut memory = Memory::default();
    let (before, after) = (stack(&mut memory, 1, "a"), stack(&mut memory, 2, "b"));
    for path in
        memory.derivations.keys().filter(|path| path.name().as_str().starts_with("base")).cloned().collect::<Vec<_>>()
    {
        memory.realised.insert(path, TreeDigest::from_bytes([9; 32]));
    }
    let found = memory.compare(&before, &after);
    assert_eq!(names(&found, &found.causes().collect::<Vec<_>>()), ["middle-1.drv"]);
    let cut: Vec<_> = (0..found.pairs.len()).filter(|number| found.pairs[*number].cut_off).collect();
    assert_eq!(names(&found, &cut), ["base-1.drv", "src"]);
    assert!(found.pairs[0].inputs.iter().any(|edge| edge.identical && edge.to == cut[0]));
}

#[test]
fn a_new_version_is_one_change_and_not_two_inputs() {
    let mut memory = Memory::default();
    let old = memory.add(package("zlib-1.2", &[]));
    let new = memory.add(package("zlib-1.3", &[]));
    let other = memory.add(package("other-1", &[]));
    let before = memory.add(package("top-1", &[out(&old), out(&other)]));
    let after = memory.add(package("top-1", &[out(&other), out(&new)]));
    let found = memory.compare(&before, &after);
    let name = Change::Name("zlib-1.2".to_owned(), "zlib-1.3".to_owned());
    assert_eq!(found.pairs[1].changes, [name]);
    // The order of the mentions is a change of its own, told by names.
    let text = |first: &str, second: &str| Some(format!("${{{first}}} ${{{second}}}"));
    let deps = Change::Variable("deps".to_owned(), text("zlib-1.2", "other-1"), text("other-1", "zlib-1.3"));
    assert_eq!(found.pairs[0].changes, [deps]);
}

#[test]
fn what_comes_and_goes_is_told_with_its_place() {
    let mut memory = Memory::default();
    let extra = memory.add(package("extra-1", &[]));
    let plain = package("top-1", &[]);
    let before = memory.add(plain.clone());
    let after = memory.add(Derivation { root: vec![out(&extra)], overrides: vec![out(&extra)], ..plain.clone() });
    let came = [Change::Came(out(&extra), Place::Root), Change::Came(out(&extra), Place::Override)];
    assert_eq!(memory.compare(&before, &after).pairs[0].changes, came);
    let went = [Change::Went(out(&extra), Place::Root), Change::Went(out(&extra), Place::Override)];
    assert_eq!(memory.compare(&after, &before).pairs[0].changes, went);
    let other = memory.add(package("other-1", &[]));
    let root = |inputs: [&StorePath; 2]| Derivation { root: inputs.map(out).to_vec(), ..plain.clone() };
    let (a, b) = (memory.add(root([&extra, &other])), memory.add(root([&other, &extra])));
    assert_eq!(memory.compare(&a, &b).pairs[0].changes, [Change::Order(Place::Root)]);
}

#[test]
fn sources_of_one_name_are_paired_by_where_they_stand() {
    let mut memory = Memory::default();
    let make = |a: u8, b: u8| {
        let sources = [tree(a, "source"), tree(b, "source")];
        let [first, second] = sources.each_ref().map(StorePath::to_string);
        let inputs = sources.map(Input::Tree);
        with(with(package("top-1", &inputs), "deps", ""), "src", &format!("{first}/x {second}"))
    };
    // The digests are in the other order than the mentions.
    let (before, after) = (memory.add(make(9, 1)), memory.add(make(2, 8)));
    let found = memory.compare(&before, &after);
    assert_eq!(found.pairs[0].changes, []);
    let pairs: BTreeSet<_> = found.pairs[1..].iter().map(|pair| (pair.before.clone(), pair.after.clone())).collect();
    let source = |byte| tree(byte, "source");
    assert_eq!(pairs, BTreeSet::from([(source(9), source(2)), (source(1), source(8))]));
}

#[test]
fn a_fetch_of_the_same_hash_is_no_cause() {
    let mut memory = Memory::default();
    let hash = format!("sha256:{}", "0".repeat(64)).parse().expect("a hash");
    let fixed = Some(FixedOutput { mode: crate::HashMode::File, hash });
    let fetch = |url: &str| Derivation { fixed: fixed.clone(), ..with(package("x.tar", &[]), "urls", url) };
    let (old, new) = (memory.add(fetch("a")), memory.add(fetch("b")));
    let before = memory.add(package("top-1", &[out(&old)]));
    let after = memory.add(package("top-1", &[out(&new)]));
    let found = memory.compare(&before, &after);
    assert_eq!(found.causes().count(), 0);
    assert!(found.pairs[1].cut_off && !found.pairs[1].changes.is_empty());
}

#[test]
fn what_is_not_kept_is_said() {
    let mut memory = Memory::default();
    let (before, after) = (stack(&mut memory, 1, "a"), stack(&mut memory, 2, "a"));
    memory.derivations.retain(|path, _| !path.name().as_str().starts_with("base"));
    let found = memory.compare(&before, &after);
    let causes: Vec<_> = found.causes().collect();
    assert_eq!(names(&found, &causes), ["base-1.drv"]);
    assert!(matches!(found.pairs[causes[0]].changes[..], [Change::Unknown(_)]));
}

/// A graph of packages, each with some of those before it as inputs, those in `changed` with another variable; the paths in order.
fn packages(memory: &mut Memory, needs: &[Vec<usize>], changed: &[bool]) -> Vec<StorePath> {
    let mut paths: Vec<StorePath> = Vec::new();
    for (number, needs) in needs.iter().enumerate() {
        let deps: BTreeSet<_> = needs.iter().map(|need| need % number.max(1)).filter(|need| *need < number).collect();
        let deps: Vec<_> = deps.into_iter().map(|need| out(&paths[need])).collect();
        let flags = if changed[number] { "new" } else { "old" };
        paths.push(memory.add(with(package(&format!("p{number}-1"), &deps), "flags", flags)));
    }
    paths
}

fn number_of(path: &StorePath) -> usize {
    path.name().name_and_version().0[1..].parse().expect("a number")
}

proptest! {
    /// Exactly those are causes that were changed and are reached without going through one that came out identical; what follows is
    /// what differs and was not changed.
    #[test]
    fn the_causes_are_what_was_changed(
        needs in prop::collection::vec(prop::collection::vec(0usize..20, 0..4), 1..20),
        changed in prop::collection::vec(prop::bool::weighted(0.2), 20),
        identical in prop::collection::vec(prop::bool::weighted(0.2), 20),
    ) {
        let mut memory = Memory::default();
        let before = packages(&mut memory, &needs, &[false; 20]);
        let after = packages(&mut memory, &needs, &changed);
        for number in (0..needs.len()).filter(|number| identical[*number]) {
            for path in [&before[number], &after[number]] {
                memory.realised.insert(path.clone(), TreeDigest::from_bytes([1; 32]));
            }
        }
        let top = needs.len() - 1;
        let found = memory.compare(&before[top], &after[top]);
        let below = |number: usize| needs[number].iter().map(move |need| need % number.max(1)).filter(move |need| *need < number);
        let differs = |number: usize| before[number] != after[number];
        let mut reached = BTreeSet::new();
        let mut pending: Vec<_> = differs(top).then_some(top).into_iter().collect();
        while let Some(number) = pending.pop() {
            if reached.insert(number) {
                pending.extend(below(number).filter(|need| differs(*need) && !identical[*need]));
            }
        }
        let causes: BTreeSet<_> = found.causes().map(|pair| number_of(&found.pairs[pair].after)).collect();
        prop_assert_eq!(&causes, &reached.iter().copied().filter(|number| changed[*number]).collect());
        prop_assert_eq!(found.followers(), reached.len() - causes.len());
        for pair in 0..found.pairs.len() {
            let chain = found.chain(pair);
            prop_assert_eq!(chain[0], 0);
            for step in chain.windows(2) {
                prop_assert!(found.pairs[step[0]].inputs.iter().any(|edge| edge.to == step[1]));
            }
            prop_assert_eq!(&found.pairs[pair].before, &before[number_of(&found.pairs[pair].after)], "paired by name");
        }
    }

    /// What stands for inputs never hides a change of the text around them.
    #[test]
    fn texts_are_told_apart(a in "[a-c/]{0,6}", b in "[a-c/]{0,6}") {
        let mut memory = Memory::default();
        let (old, new) = (memory.add(package("x-1", &[])), memory.add(package("x-2", &[])));
        let text = |path: &StorePath, text: &str| format!("{text}{}{text}", placeholder(path, &OutputName::out()));
        let before = memory.add(with(package("top", &[out(&old)]), "text", &text(&old, &a)));
        let after = memory.add(with(package("top", &[out(&new)]), "text", &text(&new, &b)));
        let found = memory.compare(&before, &after);
        prop_assert_eq!(found.pairs[0].changes.is_empty(), a == b);
    }
}
