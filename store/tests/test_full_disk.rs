//! A full disk: the store can be asked everything, and a collection makes room. On a small file system that is really full, and where every
//! effect fails that needs room.

use crate::support::{self, Scratch, assert_sound, derivation, name, names, open, say, scratch, succeed};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use store::gc::GcPolicy;
use store::local::{Effect, LocalStore, OpenOptions, StoreError, fault};
use store::{Derivation, EncodedDerivation, Input, OutputName, StorePath};

/// So many derivations are garbage that forgetting them takes more of a small disk than the reserve has.
const MANY: usize = 8000;

/// Where the child works.
const DIRECTORY: &str = "STORE_TEST_FULL_DIRECTORY";

/// A process of this binary with a directory to work in, where it may be behind other words.
fn child(words: &[&str], test: &str, directory: &Scratch) -> Command {
    let own = support::child(&format!("test_full_disk::{test}"));
    let mut command = match words {
        [] => own,
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(own.get_program()).args(own.get_args());
            command
        }
    };
    command.env(DIRECTORY, directory.path());
    command
}

/// A store with something that is rooted, and garbage: a large file, and this many derivations, between as many that are needed.
fn fill(place: &Path, dead: usize) -> StorePath {
    let store = open(place);
    let kept = store.add_bytes(b"kept", false, name("kept")).expect("added");
    store.add_root("kept", &kept).expect("rooted");
    store.add_bytes(&vec![b'x'; 4 << 20], false, name("garbage")).expect("added");
    let encoded = |number: usize| {
        let mut derivation = derivation(1);
        derivation.args.push(number.to_string());
        Arc::new(EncodedDerivation::new(derivation).expect("valid"))
    };
    let all: Vec<_> = (0..2 * dead).map(encoded).collect();
    let inputs =
        all[..dead].iter().map(|one| Input::Output { derivation: one.path().clone(), output: OutputName::out() });
    let whole = EncodedDerivation::new(Derivation { inputs: inputs.collect(), ..derivation(2) }).expect("valid");
    store.add_derivations(&all).expect("added");
    store.add_root("whole", whole.path()).expect("rooted");
    store.add_derivations(&[Arc::new(whole)]).expect("added");
    kept
}

/// What can be asked while there is no room, and what cannot be done.
fn ask(place: &Path, kept: &StorePath) {
    let store = open(place);
    assert_eq!(&store.lookup(&kept.to_string()).expect("found"), kept);
    assert_eq!(store.listing(&kept.tree().expect("a tree")).expect("kept").totals().bytes, 4);
    assert_eq!(store.paths().expect("asked").len(), 2);
    assert_eq!(store.roots().expect("asked").len(), 2);
    assert!(store.plan_gc(&GcPolicy::default()).expect("planned").freed.trees >= 4 << 20);
    assert_sound(&store);
    let refused = |error: &StoreError| assert!(error.is_lack_of_space(), "{error:?}");
    refused(&store.add_bytes(&[b'y'; 8192], false, name("more")).expect_err("there is no room"));
    refused(&store.collect_garbage(&GcPolicy::default()).expect_err("who asks does not give up the reserve"));
    assert!(store.add_root("another", kept).is_err(), "it would not be held");
    assert!(place.join("reserve").metadata().expect("there").len() > 0);
}

fn collect(place: &Path, kept: &StorePath, dead: usize) {
    let reserved = place.join("reserve").metadata().expect("there").len();
    let store = LocalStore::open_to_collect(place, OpenOptions { durable: false }).expect("opened");
    let report = store.collect_garbage(&GcPolicy::default()).expect("collected");
    assert!(report.freed.trees >= 4 << 20, "{:?}", report.freed);
    assert_eq!(report.plan.dead.len(), dead + 1);
    drop(store);
    assert_eq!(place.join("reserve").metadata().expect("made again").len(), reserved);
    let store = open(place);
    assert!(!store.is_read_only());
    assert_eq!(store.paths().expect("asked").len(), 1);
    assert!(store.is_valid(kept).expect("asked"));
    store.add_bytes(&[b'y'; 8192], false, name("more")).expect("there is room");
    assert_sound(&store);
}

/// Takes all that is left of a disk.
fn fill_up(place: &Path) {
    let mut file = File::create(place).expect("created");
    for length in [1 << 16, 4096, 1] {
        while file.write_all(&vec![0; length]).is_ok() {}
    }
}

/// Calls a test of this binary on a small disk of its own.
fn on_a_small_disk(test: &str) {
    let directory = scratch();
    let script = "mount -t tmpfs -o size=40m none \"$STORE_TEST_FULL_DIRECTORY\" && exec \"$@\"";
    let words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"];
    let mut probe = Command::new(words[0]);
    probe.args(&words[1..]).arg("true").env(DIRECTORY, directory.path());
    if !probe.status().is_ok_and(|status| status.success()) {
        return say("skipped: no file system can be mounted here");
    }
    succeed(&mut child(&words, test, &directory));
}

#[test]
fn a_full_disk_can_be_asked_and_collected() {
    on_a_small_disk("child_on_a_small_disk");
}

/// Not a test of its own.
#[test]
fn child_on_a_small_disk() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let place = directory.join("store");
    let kept = fill(&place, MANY);
    let early = open(&place);
    fill_up(&directory.join("filler"));
    // Who has opened the store before can look, but not count on what it finds.
    assert_eq!(early.lookup(&kept.to_string()).expect("found"), kept);
    assert!(early.hold([&kept]).expect_err("there is no room").is_lack_of_space());
    // What it had beside the index is removed.
    drop(early);
    fill_up(&directory.join("more"));
    ask(&place, &kept);
    collect(&place, &kept, MANY);
}

#[test]
fn whatever_needs_room_fails_until_the_reserve_is_given_up() {
    succeed(&mut child(&[], "child_whose_effects_fail", &scratch()));
}

/// Not a test of its own.
#[test]
fn child_whose_effects_fail() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    for error in [Errno::NOSPC, Errno::DQUOT] {
        let place = directory.join(error.raw_os_error().to_string());
        let kept = fill(&place, 3);
        let full = place.clone();
        fault::install(Arc::new(move |effect| {
            let needs_room = !matches!(effect, Effect::Rename | Effect::Remove | Effect::Mode | Effect::Time);
            let has_garbage = names(&full.join("store")).iter().any(|name| name.ends_with("-garbage"));
            if needs_room && has_garbage && full.join("reserve").exists() { Err(error) } else { Ok(()) }
        }));
        ask(&place, &kept);
        collect(&place, &kept, 3);
        fault::remove();
    }
}

/// What follows a name that was half written is a name of its own.
#[test]
fn what_is_held_after_a_write_that_failed_is_held() {
    succeed(&mut child(&[], "child_with_a_torn_lease", &scratch()));
}

/// Not a test of its own.
#[test]
fn child_with_a_torn_lease() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let store = open(&directory);
    let paths = [&b"one"[..], b"two"].map(|bytes| store.add_bytes(bytes, false, name("held")).expect("added"));
    drop(store);
    let store = open(&directory);
    fault::install(Arc::new(|effect| if effect == Effect::Write { Err(Errno::NOSPC) } else { Ok(()) }));
    store.hold([&paths[0]]).expect_err("half written");
    fault::remove();
    store.hold([&paths[1]]).expect("written");
    let leases = store.leases().expect("listed");
    assert_eq!(leases.iter().flat_map(|lease| &lease.held).collect::<Vec<_>>(), [&paths[1]]);
}

#[test]
fn the_reserve_is_made_once_and_by_who_adds_something() {
    let directory = scratch();
    let place = directory.path().join("store");
    let reserve = place.join("reserve");
    drop(open(&place));
    assert!(!reserve.exists(), "nothing has been added");
    open(&place).add_bytes(b"x", false, name("x")).expect("added");
    let made = reserve.metadata().expect("made");
    assert!(made.len() >= 1 << 16);
    assert!(std::os::unix::fs::MetadataExt::blocks(&made) * 512 >= made.len(), "its bytes are set aside");
    open(&place).add_bytes(b"y", false, name("y")).expect("added");
    assert_eq!(made.modified().ok(), reserve.metadata().expect("there").modified().ok());
    std::fs::remove_file(&reserve).expect("removed");
    open(&place).collect_garbage(&GcPolicy::default()).expect("collected");
    assert_eq!(reserve.metadata().expect("made again").len(), made.len());
}

/// Most of what is written when something is added is copies of files.
#[test]
fn a_copy_for_which_there_is_no_room_says_so() {
    succeed(&mut child(&[], "child_that_copies_to_a_full_disk", &scratch()));
}

/// Not a test of its own.
#[test]
fn child_that_copies_to_a_full_disk() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let store = open(&directory.join("store"));
    let source = directory.join("source");
    std::fs::create_dir(&source).expect("created");
    std::fs::write(source.join("f"), "x").expect("written");
    let root = directory.join("store/tmp");
    fault::install(Arc::new(move |effect| {
        let is_staged = names(&root).iter().any(|name| root.join(name).is_dir());
        if is_staged && effect == Effect::Write { Err(Errno::NOSPC) } else { Ok(()) }
    }));
    let refused = store.add_path(&source, name("source"), None).expect_err("there is no room");
    fault::remove();
    assert!(matches!(refused, StoreError::Ingest(_)), "{refused:?}");
    assert!(refused.is_lack_of_space());
}

/// What a process that was killed left beside the index keeps the store from being opened even for reading.
#[test]
fn a_full_disk_is_collected_whatever_was_left_beside_the_index() {
    on_a_small_disk("child_with_a_log_on_a_small_disk");
}

/// Not a test of its own.
#[test]
fn child_with_a_log_on_a_small_disk() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let place = directory.join("store");
    let kept = fill(&place, 10);
    let store = open(&place);
    store.add_bytes(b"more", false, name("more-garbage")).expect("added");
    let files = ["index.db", "index.db-wal"].map(|name| (name, std::fs::read(place.join(name)).expect("readable")));
    drop(store);
    for (name, bytes) in files {
        std::fs::write(place.join(name), bytes).expect("written");
    }
    fill_up(&directory.join("filler"));
    let refused = LocalStore::open(&place, OpenOptions { durable: false }).expect_err("there is no room");
    assert!(refused.is_lack_of_space(), "{refused:?}");
    collect(&place, &kept, 11);
}
