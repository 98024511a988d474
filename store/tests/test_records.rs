//! What is recorded is found again, and in the order in which it was recorded: by the next writer of a segment, and by a rebuild.

use crate::fault_scene::copy_files;
use crate::support::{self, build, derivation, name, names, open, publish_build, scratch, write_files};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::ActionDigest;
use store::derivation::OutputName;
use store::gc::GcPolicy;
use store::local::{Effect, LocalStore, OpenOptions, fault};

const DIRECTORY: &str = "STORE_TEST_RECORDS_DIRECTORY";

fn action(number: u8) -> ActionDigest {
    ActionDigest::from_bytes([number; 32])
}

/// Not a test of its own: is killed when records of a build have been appended, and others behind them have been indexed.
#[test]
fn child_that_is_killed_between_two_threads() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let store = Arc::new(LocalStore::open(&directory.join("store"), OpenOptions::default()).expect("opened"));
    let build = build(&store, 1, &[("out", "built")], BTreeSet::new()).expect("made");
    let (another, is_first) = (Arc::clone(&store), AtomicBool::new(true));
    fault::install(Arc::new(move |effect| {
        // The build's records are appended by now, and the index is not told before this is done.
        if effect == Effect::Sync && is_first.swap(false, Ordering::SeqCst) {
            let other = Arc::clone(&another);
            let added = std::thread::spawn(move || other.add_derivation(derivation(2))).join().expect("no panic");
            added.expect("added by another thread");
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        Ok(())
    }));
    store.publish_build(build).expect("killed before this");
}

/// A record that the index was not told of, before one that it was told of, is not lost until somebody rebuilds the index.
#[test]
fn what_stands_before_indexed_records_is_indexed_by_the_next_writer() {
    let directory = scratch();
    let mut child = support::child("test_records::child_that_is_killed_between_two_threads");
    let status = child.env(DIRECTORY, directory.path()).status().expect("it ran");
    assert_eq!(status.code(), None, "it was not killed");
    let store = open(&directory.path().join("store"));
    assert!(store.derivation(&derivation(2).digest()).is_ok(), "the other thread was done");
    assert_eq!(store.resolution(&derivation(1).digest()).expect("asked"), None, "the index was not told");
    store.add_derivation(derivation(3)).expect("added");
    assert_eq!(store.resolution(&derivation(1).digest()).expect("asked"), Some(action(1)));
}

/// What a derivation resolved to last counts, also if it was recorded by a process that built nothing.
#[test]
fn a_rebuilt_index_knows_the_last_resolution() {
    let directory = scratch();
    let (root, resolved) = (directory.path().join("store"), derivation(5).digest());
    // Each writes to a segment of its own, as long as all are open.
    let stores = [(); 4].map(|()| open(&root));
    for (number, store) in (1..).zip(&stores) {
        let mut built = build(store, number, &[("out", "built")], BTreeSet::new()).expect("made");
        built.derivation = resolved;
        built.cost.finished = u64::from(number);
        store.publish_build(built).expect("published");
    }
    // The last has built nothing, and what it resolves to was built first.
    let last = open(&root);
    last.add_resolution(resolved, action(1)).expect("recorded");
    assert_eq!(last.resolution(&resolved).expect("asked"), Some(action(1)));
    last.rebuild_index().expect("rebuilt");
    assert_eq!(last.resolution(&resolved).expect("asked"), Some(action(1)));
}

/// A mark of time is nothing that was built.
#[test]
fn marks_of_time_are_not_builds() {
    let directory = scratch();
    let store = open(&directory.path().join("store"));
    store.add_resolution(derivation(5).digest(), action(1)).expect("recorded");
    assert_eq!(store.build_cost(&action(0)).expect("asked"), None);
    store.rebuild_index().expect("rebuilt");
    assert_eq!(store.build_cost(&action(0)).expect("asked"), None);
    let published = publish_build(&store, 2, &[("out", "x")], BTreeSet::new()).expect("published");
    assert_eq!(published.path.name(), &name("package-2"));
}

/// What is asked of a store about what its roots name.
fn answers(store: &LocalStore) -> Vec<String> {
    let mut answers = Vec::new();
    for root in store.roots().expect("listed") {
        let path = root.target.expect("named");
        match path.tree() {
            Some(tree) => {
                let listing = store.listing(&tree).expect("kept");
                let needed = (store.references(&path).expect("asked"), store.runtime(&path).expect("asked"));
                answers.push(format!(
                    "{path}: {:?} {needed:?} {:?}",
                    listing.totals(),
                    store.derivers(&path).expect("asked")
                ));
            }
            None => {
                let digest = path.derivation().expect("a derivation");
                let known = (store.derivation(&digest).expect("kept"), store.resolution(&digest).expect("asked"));
                answers.push(format!("{path}: {known:?}"));
            }
        }
    }
    for number in 1..4 {
        let realised = store.realised_path(&action(number), &OutputName::out(), &name(&format!("package-{number}")));
        answers.push(format!("{:?} {:?}", realised.expect("asked"), store.build_cost(&action(number))));
    }
    answers
}

/// A power cut may bring back a segment that was compacted, and take from the index that it was. Whatever it leaves, the answers are the
/// same, and the next collection that deletes something compacts it again.
#[test]
fn a_segment_that_comes_back_changes_no_answer() {
    let directory = scratch();
    let (root, before) = (directory.path().join("store"), directory.path().join("before"));
    let store = open(&root);
    let long: Vec<_> = (0..100).map(|number| format!("{number:0100}")).collect();
    let many: Vec<_> = long.iter().map(|name| (name.as_str(), "the same")).collect();
    write_files(&directory.path().join("many"), &many);
    store.add_path(&directory.path().join("many"), name("many"), None).expect("added");
    let needed = store.add_bytes(b"needed", false, name("needed")).expect("added");
    for number in 1..4 {
        let files = [("out", ["one", "two", "three"][usize::from(number) - 1])];
        let built = publish_build(&store, number, &files, BTreeSet::from([needed.clone()])).expect("published").path;
        store.add_root(&format!("built-{number}"), &built).expect("rooted");
    }
    // The first realisation is kept, and the last resolution.
    publish_build(&store, 1, &[("out", "another")], BTreeSet::new()).expect("a conflict");
    store.add_resolution(derivation(2).digest(), action(3)).expect("recorded");
    let resolved = store.add_derivation(derivation(2)).expect("added");
    store.add_root("derivation", &resolved).expect("rooted");
    let expected = answers(&store);
    drop(store);
    copy(&root, &before);
    let store = open(&root);
    store.collect_garbage(&GcPolicy::default()).expect("collected");
    assert_eq!(answers(&store), expected);
    drop(store);
    let segments = names(&before.join("records"));
    assert!(segments.is_disjoint(&names(&root.join("records"))), "it was compacted");
    for index_is_lost in [false, true] {
        let cut = directory.path().join(format!("cut-{index_is_lost}"));
        copy(&root, &cut);
        copy(&before.join("records"), &cut.join("records"));
        if index_is_lost {
            std::fs::copy(before.join("index.db"), cut.join("index.db")).expect("copied");
        }
        std::fs::remove_file(cut.join("started")).expect("removed");
        let store = open(&cut);
        assert_eq!(answers(&store), expected, "{index_is_lost}");
        drop(store);
        open(&cut).add_bytes(b"dead", false, name("dead")).expect("added");
        let store = open(&cut);
        store.collect_garbage(&GcPolicy::default()).expect("collected");
        assert_eq!(answers(&store), expected, "{index_is_lost}, collected");
        assert!(segments.is_disjoint(&names(&cut.join("records"))), "it was compacted again");
        assert_eq!(store.verify(None, true).expect("verified"), []);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("created");
    copy_files(from, to);
}
