//! Several processes at one store, all adding, building, rooting and collecting: nothing that is held or rooted is ever lost.
//!
//! The children are this test binary itself; a child that loses something fails.

use crate::support::{
    LONG, assert_clean_after_collection, assert_sound, derivation, name, open, publish_build, scratch, write_files,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use store::StorePath;
use store::derivation::OutputName;
use store::gc::GcPolicy;
use store::local::LocalStore;

const DIRECTORY: &str = "STORE_TEST_CONCURRENT_DIRECTORY";
const ROLE: &str = "STORE_TEST_CONCURRENT_ROLE";

/// How many processes add, build and root, beside those that collect, verify and rebuild.
const IMPORTERS: u64 = 8;

/// Minutes with `LARDER_TEST_LONG`.
fn run_time() -> Duration {
    Duration::from_secs(if std::env::var_os(LONG).is_some() { 240 } else { 8 })
}

/// Not a test of its own: one of the processes.
#[test]
fn child() {
    let (Some(directory), Some(role)) = (std::env::var_os(DIRECTORY), std::env::var_os(ROLE)) else { return };
    let began = Instant::now();
    let role: u64 = role.into_string().expect("text").parse().expect("a number");
    let mut random = role.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while began.elapsed() < run_time() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        round(Path::new(&directory), role, random);
    }
}

fn round(directory: &Path, role: u64, random: u64) {
    let store = open(&directory.join("store"));
    match role {
        0 => assert_eq!(store.rebuild_index().expect("rebuilt").discarded, 0),
        1 | 2 => drop(store.collect_garbage(&GcPolicy::default()).expect("collected")),
        // Whatever is being published and collected meanwhile, nothing is wrong.
        3 => assert_sound(&store),
        _ => import(&store, directory, role, random),
    }
}

fn import(store: &LocalStore, directory: &Path, role: u64, random: u64) {
    let source = directory.join(format!("source-{role}"));
    let _ = std::fs::remove_dir_all(&source);
    let number = (random % 6).to_string();
    write_files(&source, &[("same", "in all trees"), ("d/number", &number), ("d/again", &number)]);
    let added = store.add_path(&source, name(&format!("n{}", random % 3)), None).expect("added");
    let user = store.add_bytes(format!("uses {added}").as_bytes(), false, name("user")).expect("added");
    let action = (random >> 8) as u8 % 4;
    // What an action needs at run time is part of what it is.
    let bytes = store.add_bytes(action.to_string().as_bytes(), true, name("bytes")).expect("added");
    let content = (random >> 16) as u8 % 2;
    let files = [("same", "in all trees"), ("out", ["first", "second"][usize::from(content)])];
    let built = publish_build(store, action, &files, BTreeSet::from([bytes.clone()])).expect("published").path;
    let held = [added, bytes, user, built];
    let root = format!("r{role}");
    if random >> 32 & 3 == 0 {
        // Whoever came before may not have come to make it.
        let _ = store.remove_root(&root);
    }
    store.add_root(&root, &held[(random >> 24) as usize % 4]).expect("rooted");
    let drv = derivation(action);
    store.add_derivation(drv.clone()).expect("added");
    assert_eq!(store.derivation(&drv.digest()).expect("held"), drv);
    check(store, &held);
    let action = store::ActionDigest::from_bytes([action; 32]);
    let other = store.realised_path(&action, &OutputName::out(), &name("renamed")).expect("asked");
    check(store, &[other.expect("it is held")]);
    check(store, &held);
}

/// What this process holds is whole.
fn check(store: &LocalStore, held: &[StorePath]) {
    for path in held {
        assert!(store.is_valid(path).expect("asked"), "{path} is lost");
    }
    let problems = store.verify(Some(held), true).expect("verified");
    assert!(problems.is_empty(), "{problems:?}");
    store.closure(held).expect("closed");
}

fn start(directory: &Path, role: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a test binary"));
    command.args(["--exact", "test_concurrency::child", "--nocapture"]);
    command.env(DIRECTORY, directory).env(ROLE, role.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started")
}

/// Among them one that rebuilds the index, two that collect and one that verifies, all the time.
#[test]
fn many_processes_at_one_store() {
    let directory = scratch();
    // The store itself is made by whoever comes first.
    let children: Vec<_> = (0..4 + IMPORTERS).map(|role| start(directory.path(), role)).collect();
    let failures: Vec<_> = children
        .into_iter()
        .map(|child| child.wait_with_output().expect("waited for"))
        .filter(|output| !output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stderr).into_owned())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let store = open(&directory.path().join("store"));
    assert_sound(&store);
    let roots = store.roots().expect("listed");
    assert_eq!(roots.len() as u64, IMPORTERS);
    assert_clean_after_collection(&store);
    for root in roots {
        let target = root.target.expect("a target");
        assert!(store.is_valid(&target).expect("asked"), "{target} is rooted");
        let listing = store.listing(&target.tree().expect("a tree")).expect("kept");
        store.stage_listing(&listing, None).expect("every file has its object");
    }
}
