//! Verification finds whatever is wrong, what is wrong is never handed out, and what can be restored is.

use crate::support::{
    Scratch, assert_clean_after_collection, assert_sound, make_writable, name, open, publish_build, scratch,
    write_files,
};
use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::derivation::OutputName;
use store::gc::GcPolicy;
use store::local::{Flaw, LocalStore, Problem, StoreError, VerifyOptions, VerifyProgress};
use store::{ActionDigest, StorePath};

struct Fixture {
    directory: Scratch,
    store: LocalStore,
    path: StorePath,
}

const FILES: &[(&str, &str)] = &[("one", "only here"), ("d/two", "in two trees"), ("d/e/three", "3"), ("again", "3")];

impl Fixture {
    fn new() -> Self {
        let directory = scratch();
        let store = open(&directory.path().join("store"));
        let source = directory.path().join("source");
        write_files(&source, FILES);
        symlink("d/two", source.join("link")).expect("linked");
        std::fs::set_permissions(source.join("again"), std::fs::Permissions::from_mode(0o755)).expect("changed");
        let path = store.add_path(&source, name("tree"), None).expect("added");
        Self { directory, store, path }
    }

    fn host(&self, inside: &str) -> PathBuf {
        self.store.host_path(&self.path).join(inside)
    }

    fn verify(&self) -> Vec<Problem> {
        self.store.verify(None, true).expect("verified")
    }

    fn texts(&self) -> BTreeSet<String> {
        self.verify().iter().map(ToString::to_string).collect()
    }

    /// Does something to a file or directory that is sealed, in a directory that is, and seals both again.
    fn damage(&self, place: &Path, act: impl FnOnce(&Path)) {
        let parent = place.parent().expect("below the store");
        unsealed(parent, || act(place));
    }

    fn add_other_tree(&self) -> StorePath {
        let other = self.directory.path().join("other");
        write_files(&other, &[("x", "in two trees"), ("y", "only there")]);
        self.store.add_path(&other, name("other"), None).expect("added")
    }
}

/// Lets something happen in a sealed directory, without a trace in its mode and time.
fn unsealed(directory: &Path, act: impl FnOnce()) {
    let mode = directory.metadata().expect("there").permissions();
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).expect("changed");
    act();
    set_time(directory, 1);
    std::fs::set_permissions(directory, mode).expect("changed");
}

fn set_time(place: &Path, seconds: i64) {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(rustix::fs::CWD, place, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).expect("set");
}

/// Changes bytes of a file without a trace in its mode and time.
fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let data = file.metadata().expect("there");
    let mut bytes = std::fs::read(file).expect("readable");
    change(&mut bytes);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).expect("changed");
    std::fs::write(file, bytes).expect("written");
    set_time(file, data.mtime());
    std::fs::set_permissions(file, data.permissions()).expect("changed");
}

fn flip(file: &Path, bit: usize) {
    change(file, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        let data = path.symlink_metadata().expect("there");
        if data.is_dir() {
            files.extend(files_below(&path));
        } else if data.is_file() {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_flipped_bit_is_found() {
    let fixture = Fixture::new();
    publish_build(&fixture.store, 1, &[("out", "built")], BTreeSet::new()).expect("published");
    let root = fixture.store.layout().root();
    for directory in ["store", "objects", "records"] {
        for file in files_below(&root.join(directory)) {
            let bits = 8 * usize::try_from(file.metadata().expect("there").len()).expect("small");
            // Segments have thousands; each bit of a frame is tried where frames are tested.
            for bit in (0..bits).step_by(if directory == "records" { 101 } else { 1 }) {
                flip(&file, bit);
                assert!(!fixture.verify().is_empty(), "bit {bit} of {}", file.display());
                flip(&file, bit);
            }
        }
    }
    assert_sound(&fixture.store);
}

#[test]
fn every_kind_of_damage_is_found_and_named_with_its_place() {
    type Damage = (&'static str, fn(&Path), Flaw);
    let damages: &[Damage] = &[
        ("one", |place| std::fs::remove_file(place).expect("removed"), Flaw::Missing),
        ("d/new", |place| std::fs::write(place, "").expect("written"), Flaw::Extra),
        ("d/e", |place| set_time(place, 2), Flaw::Time),
        ("one", |place| set_time(place, 0), Flaw::Time),
        ("d/e", |place| set_mode(place, 0o755), Flaw::Mode),
        ("", |place| set_mode(place, 0o755), Flaw::Mode),
        ("one", |place| set_mode(place, 0o644), Flaw::Mode),
        ("one", |place| set_mode(place, 0o555), Flaw::Mode),
        ("again", |place| set_mode(place, 0o4555), Flaw::Mode),
        ("d/two", |place| change(place, |bytes| bytes.push(b'x')), Flaw::Content),
        ("d/two", |place| change(place, |bytes| bytes.truncate(3)), Flaw::Content),
        ("link", |place| replace(place, |place| symlink("d/e", place).expect("linked")), Flaw::Target),
        ("link", |place| replace(place, |place| std::fs::write(place, "d/two").expect("written")), Flaw::NotSymlink),
        ("one", |place| replace(place, |place| symlink("again", place).expect("linked")), Flaw::NotFile),
        ("one", |place| replace(place, |place| std::fs::create_dir(place).expect("created")), Flaw::NotFile),
        ("d/e", |place| replace_directory(place), Flaw::NotDirectory),
    ];
    for (inside, damage, flaw) in damages {
        let fixture = Fixture::new();
        fixture.damage(&fixture.host(inside), damage);
        let place = if inside.is_empty() { String::new() } else { format!("/{inside}") };
        let expected = format!("{}{place} {flaw}", fixture.path);
        let found = fixture.texts();
        assert!(found.contains(&expected), "{expected} is not among {found:?}");
    }
}

fn set_mode(place: &Path, mode: u32) {
    std::fs::set_permissions(place, std::fs::Permissions::from_mode(mode)).expect("changed");
}

fn replace(place: &Path, make: impl FnOnce(&Path)) {
    std::fs::remove_file(place).expect("removed");
    make(place);
}

/// A link to a directory that is just like the one that was there is no directory.
fn replace_directory(place: &Path) {
    let aside = place.parent().and_then(Path::parent).and_then(Path::parent).expect("store/").join("aside");
    set_mode(place, 0o755);
    std::fs::rename(place, &aside).expect("moved");
    set_time(&aside, 1);
    set_mode(&aside, 0o555);
    symlink("../../aside", place).expect("linked");
}

#[test]
fn what_is_no_part_of_a_store_is_found() {
    let fixture = Fixture::new();
    let layout = fixture.store.layout();
    let strays = [layout.store().join("stray"), layout.objects().join("00/stray"), layout.objects().join("stray")];
    for stray in &strays {
        std::fs::write(stray, "").expect("written");
    }
    let found = fixture.texts();
    for stray in strays {
        assert!(found.contains(&format!("{} does not belong there", stray.display())), "{found:?}");
    }
}

/// Whatever was done to a tree, it is not handed out after it was found, and a repair has it as it was.
#[test]
fn what_fails_is_never_handed_out_and_is_restored() {
    let damages: &[fn(&Fixture)] = &[
        |fixture| fixture.damage(&fixture.host("one"), |place| std::fs::remove_file(place).expect("removed")),
        |fixture| fixture.damage(&fixture.host("d/new"), |place| std::fs::write(place, "").expect("written")),
        |fixture| fixture.damage(&fixture.host("d"), |place| set_mode(place, 0o700)),
        |fixture| fixture.damage(&fixture.host("one"), |place| set_time(place, 5)),
        |fixture| {
            fixture.damage(&fixture.host("link"), |place| replace(place, |place| symlink("x", place).expect("linked")))
        },
        // Where the hard link is broken, the object is another file.
        |fixture| {
            fixture.damage(&fixture.host("one"), |place| {
                replace(place, |place| std::fs::write(place, "onlY here").expect("written"))
            })
        },
    ];
    for damage in damages {
        let fixture = Fixture::new();
        damage(&fixture);
        let problems = fixture.verify();
        let put_aside = fixture.store.quarantine(&problems).expect("put aside");
        assert_eq!(put_aside, std::slice::from_ref(&fixture.path));
        assert!(!fixture.store.is_valid(&fixture.path).expect("asked"));
        assert!(fixture.store.lookup(&fixture.path.to_string()).is_err());
        assert_eq!(fixture.verify(), [Problem::Quarantined(fixture.path.clone())]);
        let repaired = fixture.store.repair(&fixture.verify(), None).expect("repaired");
        assert_eq!((repaired.restored, repaired.lost), (vec![fixture.path.clone()], Vec::new()));
        assert_restored(&fixture);
    }
}

fn assert_restored(fixture: &Fixture) {
    assert!(fixture.store.is_valid(&fixture.path).expect("asked"));
    assert_sound(&fixture.store);
    for (inside, content) in FILES {
        assert_eq!(std::fs::read_to_string(fixture.host(inside)).expect("readable"), *content);
    }
    assert_clean_after_collection(&fixture.store);
}

/// A path that was put aside can be added again like any other.
#[test]
fn what_is_in_quarantine_can_be_added_again() {
    let fixture = Fixture::new();
    flip(&fixture.host("one"), 3);
    fixture.store.quarantine(&fixture.verify()).expect("put aside");
    let again = fixture.store.add_path(&fixture.directory.path().join("source"), name("tree"), None).expect("added");
    assert_eq!(again, fixture.path);
    assert_eq!(std::fs::read(fixture.host("one")).expect("readable"), b"only here");
    assert_eq!(fixture.verify(), []);
}

/// A realisation whose tree is in quarantine is none.
#[test]
fn what_was_built_is_built_again_after_quarantine() {
    let fixture = Fixture::new();
    let built = publish_build(&fixture.store, 1, &[("out", "built")], BTreeSet::new()).expect("published").path;
    flip(&fixture.store.host_path(&built).join("out"), 0);
    fixture.store.quarantine(&fixture.verify()).expect("put aside");
    let action = ActionDigest::from_bytes([1; 32]);
    let realised = || fixture.store.realised_path(&action, &OutputName::out(), built.name()).expect("asked");
    assert_eq!(realised(), None);
    publish_build(&fixture.store, 1, &[("out", "built")], BTreeSet::new()).expect("published");
    assert_eq!(realised(), Some(built));
    assert_sound(&fixture.store);
}

/// If it comes out differently then, that counts from then on.
#[test]
fn what_is_built_again_takes_the_place_of_what_is_in_quarantine() {
    let fixture = Fixture::new();
    let built = publish_build(&fixture.store, 1, &[("out", "built")], BTreeSet::new()).expect("published").path;
    flip(&fixture.store.host_path(&built).join("out"), 0);
    fixture.store.quarantine(&fixture.verify()).expect("put aside");
    let again = publish_build(&fixture.store, 1, &[("out", "other")], BTreeSet::new()).expect("published");
    assert_eq!(again.conflict, None);
    let action = ActionDigest::from_bytes([1; 32]);
    let realised = fixture.store.realised_path(&action, &OutputName::out(), built.name()).expect("asked");
    assert_eq!(realised, Some(again.path));
}

/// What needs a path that is in quarantine is not handed out as if it were complete.
#[test]
fn a_closure_with_something_in_quarantine_is_none() {
    let fixture = Fixture::new();
    let user = fixture.store.add_bytes(fixture.path.to_string().as_bytes(), false, name("user")).expect("added");
    flip(&fixture.host("one"), 0);
    fixture.store.quarantine(&fixture.verify()).expect("put aside");
    let closure = fixture.store.closure(&[user]);
    assert!(matches!(&closure, Err(StoreError::NotValid(path)) if *path == fixture.path), "{closure:?}");
}

/// A flipped bit is in the tree and in its object, which are one file: it is found again in another tree.
#[test]
fn a_file_is_restored_from_another_tree() {
    let fixture = Fixture::new();
    let other = fixture.add_other_tree();
    // A file of its own, as on a file system without hard links.
    let copy = fixture.store.host_path(&other).join("x");
    fixture.damage(&copy, |place| {
        let data = place.metadata().expect("there");
        let bytes = std::fs::read(place).expect("readable");
        std::fs::remove_file(place).expect("removed");
        std::fs::write(place, bytes).expect("written");
        set_time(place, 1);
        std::fs::set_permissions(place, data.permissions()).expect("changed");
    });
    assert_eq!(fixture.verify(), []);
    flip(&fixture.host("d/two"), 0);
    let repaired = fixture.store.repair(&fixture.verify(), None).expect("repaired");
    assert_eq!((repaired.restored, repaired.lost), (vec![fixture.path.clone()], Vec::new()));
    assert_restored(&fixture);
}

#[test]
fn an_object_that_is_gone_is_restored_from_its_trees() {
    let fixture = Fixture::new();
    for object in files_below(&fixture.store.layout().objects()) {
        std::fs::remove_file(object).expect("removed");
    }
    let problems = fixture.verify();
    assert_eq!(problems.len(), 4, "one a file: {problems:?}");
    assert_eq!(fixture.store.quarantine(&problems).expect("looked at"), [], "the tree itself is right");
    fixture.store.repair(&problems, None).expect("repaired");
    assert_restored(&fixture);
}

/// A tree that is gone is made of its objects, also of one that only a repair can use: nothing else has its content.
#[test]
fn the_last_copy_of_a_file_is_not_lost_by_the_repair() {
    for leave_mode in [true, false] {
        let fixture = Fixture::new();
        let objects = files_below(&fixture.store.layout().objects());
        let is_one = |object: &&PathBuf| std::fs::read(object).expect("readable") == b"only here";
        let object = objects.iter().find(is_one).expect("there");
        make_writable(&fixture.store.host_path(&fixture.path));
        std::fs::remove_dir_all(fixture.store.host_path(&fixture.path)).expect("removed");
        if !leave_mode {
            set_mode(object, 0o644);
        }
        let repaired = fixture.store.repair(&fixture.verify(), None).expect("repaired");
        assert_eq!((repaired.restored, repaired.lost), (vec![fixture.path.clone()], Vec::new()));
        assert_restored(&fixture);
    }
}

/// A repair that was killed has put an object aside; what came to its place since is damaged, too.
#[test]
fn an_object_in_quarantine_takes_the_place_of_a_damaged_one() {
    let make_file = |object: &Path| std::fs::write(object, "not this").expect("written");
    let make_directory = |object: &Path| std::fs::create_dir(object).expect("created");
    for make in [make_file as fn(&Path), make_directory] {
        let fixture = Fixture::new();
        let objects = files_below(&fixture.store.layout().objects());
        let is_one = |object: &&PathBuf| std::fs::read(object).expect("readable") == b"only here";
        let object = objects.iter().find(is_one).expect("there");
        make_writable(&fixture.store.host_path(&fixture.path));
        std::fs::remove_dir_all(fixture.store.host_path(&fixture.path)).expect("removed");
        set_mode(object, 0o644);
        fixture.store.quarantine(&fixture.verify()).expect("put aside");
        make(object);
        // Only the path: the object is met when the tree is made.
        let problems = fixture.store.verify(Some(std::slice::from_ref(&fixture.path)), true).expect("verified");
        let repaired = fixture.store.repair(&problems, None).expect("repaired");
        assert_eq!((repaired.restored, repaired.lost), (vec![fixture.path.clone()], Vec::new()));
        assert_restored(&fixture);
    }
}

/// A rooted tree that waits for its repair has no link to an object where it was broken; a collection leaves it all the same.
#[test]
fn what_a_repair_will_need_is_not_collected() {
    let fixture = Fixture::new();
    fixture.add_other_tree();
    fixture.store.add_root("tree", &fixture.path).expect("rooted");
    fixture
        .damage(&fixture.host("d/two"), |place| replace(place, |place| std::fs::write(place, "x").expect("written")));
    fixture.store.quarantine(&fixture.verify()).expect("put aside");
    let Fixture { directory, store, path } = fixture;
    drop(store);
    let store = open(&directory.path().join("store"));
    store.collect_garbage(&GcPolicy::default()).expect("collected");
    let fixture = Fixture { directory, store, path };
    assert_eq!(fixture.store.paths().expect("asked").len(), 1, "the other tree is gone");
    let repaired = fixture.store.repair(&fixture.verify(), None).expect("repaired");
    assert_eq!((repaired.restored, repaired.lost), (vec![fixture.path.clone()], Vec::new()));
    assert_restored(&fixture);
}

#[test]
fn what_is_nowhere_else_is_taken_from_another_store() {
    let fixture = Fixture::new();
    let elsewhere = scratch();
    let other = open(&elsewhere.path().join("store"));
    flip(&fixture.host("one"), 0);
    let lost = fixture.store.repair(&fixture.verify(), Some(&other)).expect("repaired").lost;
    assert_eq!(lost, [(fixture.path.clone(), "one".to_owned())], "the other store does not have it");
    assert!(!fixture.store.is_valid(&fixture.path).expect("asked"));
    other.add_path(&fixture.directory.path().join("source"), name("any"), None).expect("added");
    let repaired = fixture.store.repair(&fixture.verify(), Some(&other)).expect("repaired");
    assert_eq!((repaired.restored, repaired.lost), (vec![fixture.path.clone()], Vec::new()));
    assert_restored(&fixture);
}

/// A store that says to have something is not believed either.
#[test]
fn what_another_store_has_is_looked_at() {
    let fixture = Fixture::new();
    let elsewhere = scratch();
    let other = open(&elsewhere.path().join("store"));
    let copy = other.add_path(&fixture.directory.path().join("source"), name("any"), None).expect("added");
    flip(&other.host_path(&copy).join("one"), 5);
    flip(&fixture.host("one"), 0);
    let repaired = fixture.store.repair(&fixture.verify(), Some(&other)).expect("repaired");
    assert_eq!(repaired.lost.len(), 1);
    assert!(!fixture.store.is_valid(&fixture.path).expect("asked"));
}

/// What can be read of a damaged segment is kept, also behind the damage.
#[test]
fn records_are_salvaged() {
    let fixture = Fixture::new();
    let built = publish_build(&fixture.store, 1, &[("out", "built")], BTreeSet::new()).expect("published").path;
    let segment = files_below(&fixture.store.layout().records()).remove(0);
    // In the first record, that of the tree.
    flip(&segment, 8 * 60);
    let problems = fixture.verify();
    assert!(problems.iter().any(|problem| matches!(problem, Problem::Segment { .. })), "{problems:?}");
    assert!(matches!(fixture.store.listing(&fixture.path.tree().expect("a tree")), Err(StoreError::Record(_))));
    let repaired = fixture.store.repair(&problems, None).expect("repaired");
    assert_eq!(repaired.segments.len(), 1);
    assert_eq!(repaired.segments[0].1 + 1, repaired.segments[0].2, "one record is lost");
    let action = ActionDigest::from_bytes([1; 32]);
    let realised = fixture.store.realised_path(&action, &OutputName::out(), built.name()).expect("asked");
    assert_eq!(realised, Some(built));
    // The tree's own record is made anew from the tree.
    assert_restored(&fixture);
}

#[test]
fn a_budget_of_bytes_is_kept() {
    let directory = scratch();
    let store = open(&directory.path().join("store"));
    let source = directory.path().join("source");
    write_files(&source, &[]);
    for number in 0..8 {
        std::fs::write(source.join(number.to_string()), vec![number; 1 << 20]).expect("written");
    }
    store.add_path(&source, name("tree"), None).expect("added");
    let progress = VerifyProgress::default();
    let options =
        VerifyOptions { contents: true, max_rate: Some(16 << 20), estimate: true, ..VerifyOptions::default() };
    let began = Instant::now();
    assert_eq!(store.verify_with(options, &progress).expect("verified"), []);
    assert_eq!(progress.bytes(), (8 << 20, 8 << 20), "each file once, though it has two links");
    let elapsed = began.elapsed();
    assert!(elapsed >= Duration::from_millis(450), "8 MiB at 16 MiB/s took {elapsed:?}");
}
