//! What is recorded is found again, and in the order in which it was recorded: by the next writer of a segment, and by a rebuild.

use crate::support::{build, derivation, name, open, publish_build, scratch};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::ActionDigest;
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
    let mut child = Command::new(std::env::current_exe().expect("a test binary"));
    child.args(["--exact", "test_records::child_that_is_killed_between_two_threads", "--nocapture"]);
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
