//! Closures, against a walk that asks for one path at a time, and the graphs that they come from.

use crate::support::{derivation, name, open, publish_build, say, scratch, write_files};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::derivation::{Derivation, Input, OutputName, placeholder};
use store::gc::GcPolicy;
use store::local::{LocalStore, StoreError};
use store::{EncodedDerivation, Need, StorePath};

/// More than are asked for one by one, see `FEW` in `store/src/local/closure.rs`.
const MANY: usize = 200;

/// A path whose text mentions others.
fn mentioning(store: &LocalStore, label: &str, others: &[&StorePath]) -> StorePath {
    let text: Vec<_> = others.iter().map(ToString::to_string).collect();
    store.add_bytes(format!("{label} {}", text.join(" ")).as_bytes(), false, name(label)).expect("added")
}

/// What is reached from a path by asking about one path after another.
fn walked(store: &LocalStore, from: &StorePath) -> BTreeSet<StorePath> {
    let mut closure = BTreeSet::new();
    let mut pending = vec![from.clone()];
    while let Some(path) = pending.pop() {
        if store.is_valid(&path).expect("asked") && closure.insert(path.clone()) {
            pending.extend(store.references(&path).expect("asked"));
            pending.extend(store.runtime(&path).expect("asked"));
        }
    }
    closure
}

#[test]
fn a_large_closure_is_what_single_questions_give() {
    let directory = scratch();
    let store = open(directory.path());
    let mut paths = vec![mentioning(&store, "first", &[])];
    for number in 1..MANY {
        let others: Vec<_> = [number - 1, number / 2, number / 3].map(|other| &paths[other]).to_vec();
        paths.push(mentioning(&store, &format!("p{number}"), &others));
    }
    mentioning(&store, "stranger", &[&paths[MANY - 1]]);
    let declared = publish_build(&store, 1, &[("x", "1")], BTreeSet::from([paths[5].clone()])).expect("built").path;
    let top = mentioning(&store, "top", &[&declared, &paths[MANY - 1]]);
    let few = walked(&store, &paths[20]);
    assert_eq!(store.closure(&paths[20..21]).expect("closed"), few);
    let many = walked(&store, &top);
    assert_eq!(many.len(), MANY + 2);
    assert_eq!(store.closure(std::slice::from_ref(&top)).expect("closed"), many);
    let graph = store.closure_graph(std::slice::from_ref(&top)).expect("closed");
    assert_eq!(graph.path(0), &top);
    for (number, path) in graph.paths().iter().enumerate() {
        let needed = |need| -> BTreeSet<_> {
            graph.needs(number).iter().filter(|(_, how)| *how == need).map(|(to, _)| graph.path(*to).clone()).collect()
        };
        assert_eq!(needed(Need::Mention), store.references(path).expect("asked").into_iter().collect());
        assert_eq!(needed(Need::Runtime), store.runtime(path).expect("asked").into_iter().collect());
    }
}

#[test]
fn all_names_of_a_mentioned_tree_are_needed() {
    let directory = scratch();
    let store = open(directory.path());
    let one = store.add_bytes(b"same", false, name("one")).expect("added");
    let two = store.add_bytes(b"same", false, name("two")).expect("added");
    let user = mentioning(&store, "user", &[&one]);
    let closure = store.closure(std::slice::from_ref(&user)).expect("closed");
    assert_eq!(closure, BTreeSet::from([one, two, user]));
}

#[test]
fn what_is_not_on_the_disk_is_in_no_closure() {
    let directory = scratch();
    let store = open(directory.path());
    let mut paths = vec![mentioning(&store, "first", &[])];
    for number in 1..MANY {
        paths.push(mentioning(&store, &format!("p{number}"), &[&paths[number - 1]]));
    }
    std::fs::remove_file(store.host_path(&paths[0])).expect("removed");
    for top in [&paths[1], &paths[MANY - 1]] {
        match store.closure(std::slice::from_ref(top)) {
            Err(StoreError::NotValid(path)) => assert_eq!(path, paths[0]),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_graph_of_derivations_has_their_inputs_and_sources() {
    let directory = scratch();
    let store = open(directory.path());
    let source = store.add_bytes(b"source", false, name("source")).expect("added");
    let with_inputs = |label: &str, inputs: &[Input]| {
        let mut made = Derivation { name: name(label), inputs: inputs.iter().cloned().collect(), ..derivation(0) };
        let mentions: Vec<_> = inputs.iter().map(Input::mention).collect();
        made.env.insert("inputs".to_owned(), mentions.join(" "));
        store.add_derivation(made).expect("added")
    };
    let out = |path: &StorePath| Input::Output { derivation: path.clone(), output: OutputName::out() };
    let mut paths = vec![with_inputs("d0", &[Input::Tree(source.clone())])];
    for number in 1..MANY {
        paths.push(with_inputs(&format!("d{number}"), &[out(&paths[number - 1]), out(&paths[number / 2])]));
    }
    assert!(placeholder(&paths[0], &OutputName::out()).contains("d0"), "names are as expected");
    let last = &paths[MANY - 1];
    let graph = store.derivation_graph(std::slice::from_ref(last)).expect("asked");
    let all: BTreeSet<_> = graph.paths().iter().cloned().collect();
    assert_eq!(all, paths.iter().cloned().chain([source.clone()]).collect());
    let first = graph.number(&paths[0]).expect("there");
    assert_eq!(graph.needed(first), [graph.number(&source).expect("there")]);
    let needed: BTreeSet<_> = graph.needed(0).into_iter().map(|number| graph.path(number).clone()).collect();
    assert_eq!(needed, BTreeSet::from([paths[MANY - 2].clone(), paths[(MANY - 1) / 2].clone()]));
    let dependants = store.dependants(std::slice::from_ref(&source)).expect("asked");
    assert_eq!(dependants, BTreeSet::from([paths[0].clone()]));
    let unknown = derivation(9).store_path().expect("a path");
    assert!(matches!(store.derivation_graph(&[unknown]), Err(StoreError::NotValid(_))));
}

/// Seconds of the processor that this thread took: others may have the machine.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("readable");
    text.split_whitespace().next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok()).expect("a number") / 1e9
}

/// As deep as it is large, so that what recursed would end here, and what went over all for each would not end in time.
#[test]
fn a_graph_of_a_hundred_thousand_is_asked_in_seconds() {
    const COUNT: usize = 100_000;
    const MOST: f64 = 20.0;
    let directory = scratch();
    let store = open(directory.path());
    let mut made: Vec<Arc<EncodedDerivation>> = Vec::with_capacity(COUNT);
    for number in 0..COUNT {
        let named = [number.checked_sub(1), (number > 1).then_some(number / 2)].into_iter().flatten();
        let inputs: BTreeSet<_> = named
            .map(|other| Input::Output { derivation: made[other].path().clone(), output: OutputName::out() })
            .collect();
        let mentions: Vec<_> = inputs.iter().map(Input::mention).collect();
        let mut next = Derivation { name: name(&format!("d{number}")), inputs, ..derivation(0) };
        next.env.insert("inputs".to_owned(), mentions.join(" "));
        made.push(Arc::new(EncodedDerivation::new(next).expect("a short name")));
    }
    store.add_derivations(&made).expect("added");
    let (first, last) = (made[0].path(), made[COUNT - 1].path());
    store.add_root("last", last).expect("rooted");
    let graph = store.derivation_graph(std::slice::from_ref(last)).expect("asked");
    let (from, to) = (graph.number(last).expect("there"), graph.number(first).expect("there"));
    let timed = |what: &str, question: &dyn Fn()| {
        let began = processor_time();
        question();
        let took = processor_time() - began;
        say(format_args!("{what}: {took:.2} s"));
        assert!(took < MOST, "{what} took {took} s of the processor");
    };
    timed("reading the graph", &|| {
        assert_eq!(store.derivation_graph(std::slice::from_ref(last)).expect("asked").len(), COUNT);
    });
    timed("the shortest way", &|| {
        // Halved sixteen times, down to 1, and then 0.
        assert_eq!(graph.shortest(from, to).expect("it is needed").len(), 18);
    });
    timed("all ways", &|| assert!(graph.between(from, to).iter().all(|between| *between)));
    timed("what each holds alone", &|| assert_eq!(graph.held(&[from], |_| 1)[from], COUNT as u64));
    timed("what needs it", &|| assert_eq!(graph.needing(&[to]).iter().filter(|needing| **needing).count(), COUNT));
    timed("planning a collection", &|| {
        assert!(store.plan_gc(&GcPolicy::default()).expect("planned").plan.dead.is_empty());
    });
}

/// Wherever in a large file something is mentioned, and whatever else is mentioned there, it is found with what stands around it.
#[test]
fn every_mention_is_found_in_one_reading() {
    const PIECE: usize = 1 << 20;
    let directory = scratch();
    let store = open(&directory.path().join("store"));
    let [one, two, none] =
        ["one", "two", "none"].map(|text| store.add_bytes(text.as_bytes(), false, name(text)).expect("added"));
    let text = format!("<{one}>");
    for at in (PIECE - 200..PIECE + 100).step_by(7).chain([0, 2 * PIECE - 30]) {
        let mut content = vec![b'\n'; 2 * PIECE + 100];
        content[at..at + text.len()].copy_from_slice(text.as_bytes());
        let large = store.add_bytes(&content, false, name("large")).expect("added");
        let found = store.places_of(&large, &[none.clone(), one.clone()]).expect("read");
        assert_eq!(found[0], []);
        assert_eq!((found[1].len(), found[1][0].offset), (1, Some(at as u64 + 1)), "at {at}");
        assert_eq!(found[1][0].excerpt, text, "at {at}");
    }
    let place = directory.path().join("tree");
    let both = format!("{two} {one} {one}");
    write_files(&place, &[("both", both.as_str()), ("d/only", &one.to_string()), ("neither", "/larder/store/")]);
    std::os::unix::fs::symlink(two.to_string(), place.join("link")).expect("made");
    let tree = store.add_path(&place, name("tree"), None).expect("added");
    let found = store.places_of(&tree, &[one, two.clone(), none, two.clone()]).expect("read");
    let shown = |mentions: &[store::local::Mention]| -> Vec<_> {
        mentions.iter().map(|mention| (mention.path.to_string(), mention.offset)).collect()
    };
    let behind_two = two.to_string().len() as u64 + 1;
    assert_eq!(shown(&found[0]), [("both".to_owned(), Some(behind_two)), ("d/only".to_owned(), Some(0))]);
    assert_eq!(shown(&found[1]), [("both".to_owned(), Some(0)), ("link".to_owned(), None)]);
    assert_eq!((&found[2], &found[3]), (&Vec::new(), &found[1]));
}
