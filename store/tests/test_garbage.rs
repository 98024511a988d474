//! Collections: what they free to the byte, what policies keep, and who holds what.

use crate::support::{self, assert_clean_after_collection, assert_sound, derivation, name, publish_build, write_files};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use store::StorePath;
use store::gc::{Explanation, GcPolicy, HeldThrough, Holder, Spared};
use store::local::{Freed, Generation, LocalStore, OpenOptions, RootError, StoreError};
use tempfile::TempDir;

/// On a real disk where there is one: in memory directories take nothing.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> LocalStore {
        LocalStore::open(&self.path("store"), OpenOptions { durable: false }).expect("opened")
    }

    fn add(&self, store: &LocalStore, as_name: &str, files: &[(&str, &str)]) -> StorePath {
        let source = self.path("source");
        let _ = std::fs::remove_dir_all(&source);
        write_files(&source, files);
        store.add_path(&source, name(as_name), None).expect("added")
    }

    /// What `du` says of all that a collection takes from; the directories that stay do not count, which never shrink.
    fn taken(&self) -> u64 {
        let places: Vec<_> = ["store", "objects", "tmp", "trash", "logs", "quarantine", "evaluations", "records"]
            .map(|name| self.path("store").join(name))
            .into_iter()
            .filter(|place| place.exists())
            .collect();
        let output = Command::new("du").args(["-sc", "--block-size=1"]).args(&places).output().expect("du runs");
        let text = String::from_utf8(output.stdout).expect("a text");
        let total = text.lines().last().and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        let own: u64 = places.iter().map(|place| place.metadata().expect("there").blocks() * 512).sum();
        total.expect("a total") - own
    }

    /// Collects, and checks that as much is freed as was said before, as is said after, and as is free then.
    fn collect(&self, policy: &GcPolicy) -> Freed {
        let store = self.open();
        let (said, before) = (store.plan_gc(policy).expect("planned").freed, self.taken());
        let done = store.collect_garbage(policy).expect("collected").freed;
        assert_eq!(said.total(), done.total(), "planned {said:?}, done {done:?}");
        assert_eq!(before - self.taken(), done.total(), "{done:?}");
        assert_sound(&store);
        if policy.max_freed.is_none() {
            assert_eq!(store.plan_gc(policy).expect("planned").freed, Freed::default(), "nothing is left to be freed");
        }
        done
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        crate::support::make_writable(self.0.path());
    }
}

fn large(seed: &str) -> String {
    seed.repeat(9000)
}

#[test]
fn as_many_bytes_are_freed_as_the_disk_gets_back() {
    let place = Place::new();
    let store = place.open();
    let (shared, own, twice) = (large("s"), large("o"), large("t"));
    let kept = place.add(&store, "kept", &[("shared", &shared)]);
    store.add_root("keep", &kept).expect("rooted");
    place.add(&store, "dead", &[("shared", &shared), ("d/own", &own), ("d/e/twice", &twice), ("again", &twice)]);
    place.add(&store, "dead-too", &[("twice", &twice), ("small", "x")]);
    std::os::unix::fs::symlink("far/".repeat(100), place.path("source/link")).expect("linked");
    store.add_path(&place.path("source"), name("with-a-link"), None).expect("added");
    store.add_bytes(large("f").as_bytes(), true, name("file")).expect("added");
    drop(store);
    let freed = place.collect(&GcPolicy::default());
    assert_eq!(freed.total(), freed.trees);
    let block = place.path("source").metadata().expect("there").blocks() * 512;
    // Three large files, each counted once; six directories, the small file and the long link are some blocks more.
    assert!((27_000..27_000 + 12 * block.max(4096)).contains(&freed.trees), "{freed:?}");
    assert_clean_after_collection(&place.open());
}

#[test]
fn what_others_link_to_is_not_freed() {
    let place = Place::new();
    let store = place.open();
    let dead = place.add(&store, "dead", &[("mine", &large("m")), ("yours", &large("y"))]);
    std::fs::hard_link(store.host_path(&dead).join("yours"), place.path("outside")).expect("linked");
    drop(store);
    let freed = place.collect(&GcPolicy::default());
    let bytes = |file: &Path| file.metadata().expect("there").blocks() * 512;
    assert!(freed.trees < 2 * bytes(&place.path("outside")) + 4096, "only one of the two: {freed:?}");
}

/// A directory has another time then than when it was sealed, and is read.
#[test]
fn what_was_put_into_a_sealed_tree_is_counted() {
    let place = Place::new();
    let store = place.open();
    let other = place.add(&store, "other", &[("f", &large("o"))]);
    let dead = store.host_path(&place.add(&store, "dead", &[("f", &large("d")), ("d/e/g", &large("g"))]));
    crate::support::make_writable(&dead);
    std::fs::write(dead.join("added"), large("a")).expect("written");
    write_files(&dead.join("d/e"), &[("added", &large("b")), ("more/added", &large("c"))]);
    std::fs::remove_file(dead.join("d/e/g")).expect("removed");
    // Two links that go with it to a file that goes, too.
    std::fs::hard_link(store.host_path(&other).join("f"), dead.join("linked")).expect("linked");
    std::fs::hard_link(dead.join("added"), dead.join("d/again")).expect("linked");
    drop(store);
    let freed = place.collect(&GcPolicy::default());
    assert!(freed.trees > 6 * 9000, "{freed:?}");
    assert_clean_after_collection(&place.open());
}

#[test]
fn all_that_goes_is_counted() {
    let place = Place::new();
    let store = place.open();
    let dead = place.add(&store, "dead", &[("f", &large("d"))]);
    let moved = place.add(&store, "moved", &[("f", &large("w")), ("g", &large("d"))]);
    let root = store.layout().root().to_owned();
    let trash = store.host_path(&moved);
    drop(store);
    // As an interrupted collection leaves it: forgotten and moved, its objects still there.
    crate::support::make_writable(&trash);
    std::fs::rename(&trash, root.join("trash/dead-1-0-0")).expect("moved");
    write_files(&root.join("tmp/4194305-0-0/d"), &[("staged", &large("x"))]);
    write_files(&root.join("tmp/failed-0"), &[("log", &large("l"))]);
    place.open().rebuild_index().expect("rebuilt");
    let freed = place.collect(&GcPolicy::default());
    assert!(freed.trees > 18_000 && freed.leftovers > 9_000, "{freed:?}");
    assert_eq!(freed.failed_builds, 0, "it is young");
    assert!(!place.open().is_valid(&dead).expect("asked"));
    assert_clean_after_collection_but(&root, "failed-0");
}

fn assert_clean_after_collection_but(root: &Path, failed: &str) {
    assert_eq!(crate::support::names(&root.join("tmp")), BTreeSet::from([failed.to_owned()]));
    assert_eq!(crate::support::names(&root.join("trash")), BTreeSet::new());
}

/// Known to nobody, because its process was killed before it told the index.
#[test]
fn what_the_index_does_not_know_is_counted_and_collected() {
    let place = Place::new();
    let store = place.open();
    let lost = place.add(&store, "lost", &[("f", &large("u"))]);
    let aside = place.path("aside");
    let at = store.host_path(&lost);
    crate::support::make_writable(&at);
    std::fs::rename(&at, &aside).expect("moved");
    drop(store);
    place.open().rebuild_index().expect("rebuilt");
    let store = place.open();
    std::fs::rename(&aside, store.host_path(&lost)).expect("moved");
    drop(store);
    assert!(place.collect(&GcPolicy::default()).total() > 9_000);
}

/// The records of the dead are left behind, those of the living are found, also by who makes the index anew.
#[test]
fn records_of_the_dead_are_freed_when_they_are_many() {
    let place = Place::new();
    let store = place.open();
    let library = place.add(&store, "library", &[("lib", "code")]);
    let built = publish_build(&store, 1, &[("out", &format!("uses {library}"))], BTreeSet::from([library.clone()]));
    let built = built.expect("published").path;
    store.add_root("keep", &built).expect("rooted");
    let names: Vec<_> = (0..600).map(|number| format!("{number:0100}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "the same")).collect();
    place.add(&store, "many", &many);
    store.add_derivation(derivation(2)).expect("added");
    let second = publish_build(&store, 1, &[("out", "second")], BTreeSet::new()).expect("published");
    assert!(second.conflict.is_some());
    drop(store);
    let facts = || {
        let store = place.open();
        let segments = crate::support::names(&store.layout().records());
        let action = store::ActionDigest::from_bytes([1; 32]);
        let realised = store.realised_path(&action, &store::OutputName::out(), built.name()).expect("asked");
        let listing = store.listing(&built.tree().expect("a tree")).expect("kept");
        let derivers = store.derivers(&built).expect("asked");
        (segments, realised, listing, derivers, store.closure(std::slice::from_ref(&built)).expect("closed"))
    };
    let before = facts();
    let freed = place.collect(&GcPolicy::default());
    assert!(freed.records > 60_000, "{freed:?}");
    let after = facts();
    assert!(before.0.is_disjoint(&after.0), "it is another segment");
    assert_eq!((&before.1, &before.2, &before.3, &before.4), (&after.1, &after.2, &after.3, &after.4));
    std::fs::remove_file(place.path("store/index.db")).expect("removed");
    assert_eq!(facts(), after);
    // What is dead comes back like anything new.
    let store = place.open();
    assert_eq!(store.derivation(&derivation(2).digest()).ok(), None);
    let again = place.add(&store, "many", &many);
    assert_eq!(store.listing(&again.tree().expect("a tree")).expect("kept").totals().files, 600);
    assert_sound(&store);
}

/// A tree that is about to be published while its like is collected keeps its record, or gets it anew.
#[test]
fn a_tree_that_comes_back_has_its_record() {
    let place = Place::new();
    let store = place.open();
    let dead = place.add(&store, "dead", &[("f", "content")]);
    drop(store);
    let (one, two) = (place.open(), place.open());
    let sealed = {
        let staging = one.stage().expect("staged");
        write_files(&staging.path().join("t"), &[("f", "content")]);
        let tree = staging.path().join("t");
        one.seal(staging, &tree).expect("sealed")
    };
    let other = StorePath::from_tree(dead.tree().expect("a tree"), name("other")).expect("valid");
    one.hold([&other]).expect("held");
    two.collect_garbage(&GcPolicy::default()).expect("collected");
    assert!(two.listing(&dead.tree().expect("a tree")).is_ok(), "somebody is about to publish it");
    assert_eq!(one.publish(sealed, name("other")).expect("published"), other);
    assert!(one.listing(&dead.tree().expect("a tree")).is_ok());
    assert_sound(&one);
}

#[test]
fn limits_are_about_bytes_of_the_disk() {
    let place = Place::new();
    let store = place.open();
    let shared = large("s");
    let all: Vec<_> = (0..6)
        .map(|number| {
            place.add(&store, &format!("n{number}"), &[("shared", &shared), ("own", &large(&number.to_string()))])
        })
        .collect();
    drop(store);
    let store = place.open();
    let count = |policy: &GcPolicy| store.plan_gc(policy).expect("planned").plan.dead.len();
    let limit = |max_freed| GcPolicy { max_freed: Some(max_freed), ..GcPolicy::default() };
    assert_eq!((count(&limit(0)), count(&limit(1)), count(&limit(u64::MAX))), (0, 1, 6));
    // The shared file is freed with the last of them.
    let one = store.plan_gc(&limit(1)).expect("planned").freed.total();
    assert_eq!(count(&limit(3 * one)), 3);
    assert_eq!(count(&limit(3 * one + 1)), 4);
    let free = GcPolicy { min_free: Some(0), ..GcPolicy::default() };
    assert_eq!(count(&free), 0, "enough is free");
    assert_eq!(count(&GcPolicy { min_free: Some(u64::MAX), ..free }), 6);
    assert_eq!(count(&GcPolicy { max_size: Some(1 << 40), ..GcPolicy::default() }), 0);
    assert_eq!(count(&GcPolicy { max_size: Some(0), ..GcPolicy::default() }), 6);
    let spared = store.explain_gc(&limit(0), &[], &all[0]).expect("explained");
    assert_eq!(spared, Explanation::Spared(Spared::Enough, vec![all[0].clone()]));
    drop(store);
    assert_eq!(place.collect(&limit(2 * one)).total(), 2 * one);
}

#[test]
fn derivations_and_outputs_are_kept_as_asked() {
    let place = Place::new();
    let store = place.open();
    let built = |number| {
        publish_build(&store, number, &[("out", &number.to_string())], BTreeSet::new()).expect("published").path
    };
    let (rooted, other) = (built(1), built(2));
    let [drv, other_drv] = [1, 2].map(|number| store.derivers(&built(number)).expect("asked").remove(0));
    assert_eq!(drv, store.add_derivation(derivation(1)).expect("added"));
    store.add_root("output", &rooted).expect("rooted");
    store.add_root("derivation", &other_drv).expect("rooted");
    drop(store);
    let store = place.open();
    let dead = |keep_derivations, keep_outputs| -> BTreeSet<_> {
        let policy = GcPolicy { keep_derivations, keep_outputs, ..GcPolicy::default() };
        store.plan_gc(&policy).expect("planned").plan.dead.into_iter().map(|node| node.path).collect()
    };
    assert_eq!(dead(true, false), BTreeSet::from([other.clone()]));
    assert_eq!(dead(true, true), BTreeSet::new());
    assert_eq!(dead(false, false), BTreeSet::from([other.clone(), drv.clone()]));
    assert_eq!(dead(false, true), BTreeSet::from([drv.clone()]));
    let why = store.explain_gc(&GcPolicy::default(), &[], &drv).expect("explained");
    let held = HeldThrough { holder: Holder::Root("output".to_owned()), chain: vec![rooted, drv] };
    assert_eq!(why, Explanation::Held(vec![held]));
    assert_eq!(store.explain_gc(&GcPolicy::default(), &[], &other).expect("explained"), Explanation::Dead);
}

#[test]
fn what_a_root_alone_keeps_is_freed_with_it() {
    let place = Place::new();
    let store = place.open();
    let shared = large("s");
    let library = place.add(&store, "library", &[("lib", &large("l"))]);
    let one = place.add(&store, "one", &[("shared", &shared), ("own", &large("1")), ("uses", &library.to_string())]);
    let two = place.add(&store, "two", &[("shared", &shared), ("own", &large("2")), ("uses", &library.to_string())]);
    store.add_root("one", &one).expect("rooted");
    store.add_root("two", &two).expect("rooted");
    store.add_root_link(&place.path("result"), &two).expect("rooted");
    drop(store);
    let store = place.open();
    let sizes = |store: &LocalStore| {
        let roots = store.roots().expect("listed");
        let sizes = store.root_sizes(&roots, &GcPolicy::default()).expect("measured");
        roots.into_iter().map(|root| root.name).zip(sizes).collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = sizes(&store);
    assert_eq!(before["two"].alone, 0, "the link holds it, too");
    assert_eq!((before["one"].trees, before["two"].trees), (2, 2));
    assert!(before["one"].alone > 9_000 && before["one"].taken > 27_000, "{before:?}");
    store.remove_root("one").expect("removed");
    drop(store);
    assert_eq!(place.collect(&GcPolicy::default()).total(), before["one"].alone);
    std::fs::remove_file(place.path("result")).expect("removed");
    let store = place.open();
    let after = sizes(&store);
    assert_eq!(after["two"].alone, after["two"].taken, "nobody else holds anything");
    store.remove_root("two").expect("removed");
    drop(store);
    assert_eq!(place.collect(&GcPolicy::default()).total(), after["two"].alone);
}

/// Whoever moves a store to a larger disk and leaves a link in its place has links with the old name of it.
#[test]
fn a_link_holds_however_it_names_the_store() {
    let place = Place::new();
    let store = place.open();
    let path = store.add_bytes(b"kept", false, name("kept")).expect("added");
    store.add_root_link(&place.path("result"), &path).expect("rooted");
    drop(store);
    std::fs::rename(place.path("store"), place.path("moved")).expect("moved");
    std::os::unix::fs::symlink("moved", place.path("store")).expect("linked");
    let open = || LocalStore::open(&place.path("moved"), OpenOptions { durable: false }).expect("opened");
    let store = open();
    assert_eq!(store.roots().expect("listed")[0].target, Some(path.clone()));
    drop(store);
    let store = open();
    store.collect_garbage(&GcPolicy::default()).expect("collected");
    assert!(store.is_valid(&path).expect("asked"));
    store.add_root_link(&place.path("result"), &path).expect("it is a link into the store");
    // One of another store is none, whatever is in that.
    let other = place.path("other/store");
    std::fs::create_dir_all(&other).expect("created");
    std::fs::remove_file(place.path("result")).expect("removed");
    std::os::unix::fs::symlink(other.join(path.base_name()), place.path("result")).expect("linked");
    let root = store.roots().expect("listed").remove(0);
    assert_eq!((root.target, root.unseen), (None, None));
}

/// It may hold something, so nothing is deleted.
#[test]
fn a_link_that_cannot_be_looked_at_is_told_of() {
    let place = Place::new();
    let store = place.open();
    let path = store.add_bytes(b"kept", false, name("kept")).expect("added");
    std::fs::create_dir(place.path("d")).expect("created");
    store.add_root_link(&place.path("d/result"), &path).expect("rooted");
    drop(store);
    std::fs::rename(place.path("d"), place.path("moved")).expect("moved");
    std::os::unix::fs::symlink("d", place.path("d")).expect("linked");
    let store = place.open();
    let root = store.roots().expect("listed").remove(0);
    assert_eq!((&root.target, root.unseen), (&None, Some(Errno::LOOP)));
    let refused = |error: StoreError| match error {
        StoreError::UnseenRoot { name, link, .. } => {
            assert_eq!((name, link), (root.name.clone(), place.path("d/result")))
        }
        error => panic!("{error:?}"),
    };
    store.forget_lost_links().expect("looked at");
    refused(store.collect_garbage(&GcPolicy::default()).expect_err("refused"));
    refused(store.plan_gc(&GcPolicy::default()).expect_err("refused"));
    assert!(store.is_valid(&path).expect("asked"));
    store.remove_root(&root.name).expect("removed");
    drop(store);
    let store = place.open();
    store.collect_garbage(&GcPolicy::default()).expect("collected");
    assert!(!store.is_valid(&path).expect("asked"));
}

#[test]
fn a_link_holds_what_it_points_to_now() {
    let place = Place::new();
    let store = place.open();
    let [one, two] = ["one", "two"].map(|text| store.add_bytes(text.as_bytes(), false, name(text)).expect("added"));
    let link = place.path("result");
    store.add_root_link(&link, &one).expect("rooted");
    let target = |store: &LocalStore| store.roots().expect("listed").remove(0).target;
    assert_eq!(target(&store), Some(one.clone()));
    std::fs::remove_file(&link).expect("removed");
    assert_eq!(target(&store), None);
    std::os::unix::fs::symlink(store.host_path(&two), &link).expect("linked");
    assert_eq!(target(&store), Some(two.clone()));
    std::fs::rename(&link, place.path("moved")).expect("moved");
    assert_eq!(target(&store), None, "the link is elsewhere");
    std::fs::write(&link, "no link").expect("written");
    assert!(matches!(store.add_root_link(&link, &one), Err(RootError::Occupied { .. })));
    drop(store);
    place.collect(&GcPolicy::default());
    assert_eq!(place.open().paths().expect("asked"), []);
}

#[test]
fn a_link_that_cannot_be_made_leaves_no_root() {
    let place = Place::new();
    let store = place.open();
    let one = store.add_bytes(b"one", false, name("one")).expect("added");
    let roots = || store.roots().expect("listed").len();
    let before = roots();
    assert!(store.add_root_link(&place.path("nowhere/result"), &one).is_err());
    assert_eq!(roots(), before);
}

#[test]
fn profiles_have_generations() {
    let place = Place::new();
    let store = place.open();
    let [one, two] = ["one", "two"].map(|text| store.add_bytes(text.as_bytes(), false, name(text)).expect("added"));
    let current = || std::fs::read_to_string(store.layout().profiles().join("web")).expect("it leads to a file");
    let generation = |number| Generation { profile: "web".to_owned(), number, is_current: true };
    assert_eq!(store.add_generation("web", &one).expect("added"), generation(1));
    assert_eq!(store.add_generation("web", &two).expect("added"), generation(2));
    assert_eq!(store.add_generation("web", &two).expect("added"), generation(2), "nothing is new");
    assert_eq!(current(), "two");
    assert_eq!(store.roll_back("web", None).expect("done"), generation(1));
    assert_eq!(current(), "one");
    assert!(matches!(store.roll_back("web", None), Err(RootError::NoGeneration { number: None, .. })));
    assert!(matches!(store.roll_back("web", Some(7)), Err(RootError::NoGeneration { number: Some(7), .. })));
    assert!(matches!(store.roll_back("other", None), Err(RootError::NoProfile { .. })));
    assert_eq!(store.add_generation("web", &one).expect("added"), generation(3));
    assert_eq!(store.roll_back("web", Some(2)).expect("done"), generation(2));
    let listed: Vec<_> = store
        .roots()
        .expect("listed")
        .into_iter()
        .map(|root| (root.name, root.target.expect("held"), root.generation.expect("a generation").is_current))
        .collect();
    let name_of = |number| format!("web-{number}-link");
    assert_eq!(listed, [(name_of(1), one.clone(), false), (name_of(2), two, true), (name_of(3), one, false)]);
    assert!(matches!(store.remove_root("web-2-link"), Err(RootError::Current { number: 2, .. })));
    assert!(matches!(store.remove_root("web"), Err(RootError::Profile { .. })));
    assert!(matches!(store.add_root("web-9-link", &listed[0].1), Err(RootError::Reserved { .. })));
    store.remove_root("web-1-link").expect("removed");
    assert!(matches!(store.remove_root("web-1-link"), Err(RootError::Unknown { .. })));
    store.remove_profile("web").expect("removed");
    assert!(matches!(store.remove_profile("web"), Err(RootError::NoProfile { .. })));
    assert_eq!(store.roots().expect("listed"), []);
    assert_eq!(crate::support::names(&store.layout().profiles()), BTreeSet::new());
}

const DIRECTORY: &str = "STORE_TEST_LEASE_DIRECTORY";

/// Not a test of its own: holds a path until it is killed.
#[test]
fn child_that_holds() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = LocalStore::open(&Path::new(&directory).join("store"), OpenOptions::default()).expect("opened");
    store.add_bytes(b"held by a process", false, name("held")).expect("added");
    std::fs::write(Path::new(&directory).join("holds"), "").expect("written");
    std::thread::sleep(std::time::Duration::from_secs(600));
}

fn start(place: &Place) -> Child {
    let mut command = support::child("test_garbage::child_that_holds");
    command.env(DIRECTORY, place.0.path());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !place.path("holds").exists() {
        assert!(std::time::Instant::now() < end, "the child does not hold anything");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child
}

#[test]
fn a_lease_ends_with_its_process() {
    let place = Place::new();
    let mut child = start(&place);
    let store = place.open();
    let held = store.paths().expect("asked").remove(0).path;
    let lease = store.leases().expect("listed").into_iter().find(|lease| lease.process == child.id());
    assert_eq!(lease.map(|lease| lease.held), Some(BTreeSet::from([held.clone()])));
    let why = store.explain_gc(&GcPolicy::default(), &[], &held).expect("explained");
    let through = HeldThrough { holder: Holder::Process(child.id()), chain: vec![held.clone()] };
    assert_eq!(why, Explanation::Held(vec![through]));
    assert_eq!(store.collect_garbage(&GcPolicy::default()).expect("collected").plan.dead, []);
    // With SIGKILL, so that it cannot clean up.
    child.kill().expect("killed");
    child.wait().expect("waited for");
    assert!(store.leases().expect("listed").iter().all(|lease| lease.process != child.id()));
    let dead = store.collect_garbage(&GcPolicy::default()).expect("collected").plan.dead;
    assert_eq!(dead.into_iter().map(|node| node.path).collect::<Vec<_>>(), [held]);
}
