//! What is in `records/` and should not be, and what was there and is not: it is told, stops nobody, and a repair ends it.

use crate::damage_scene::{DamageScene, files_below, flip, set_mode};
use crate::support::{self, assert_sound, derivation, name, names, open, publish_build, scratch};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::ActionDigest;
use store::derivation::OutputName;
use store::local::{Effect, LocalStore, Problem, fault};

/// Set where a child works.
const DIRECTORY: &str = "STORE_TEST_LOST_DIRECTORY";

fn segments(store: &LocalStore) -> Vec<PathBuf> {
    let records = store.layout().records();
    names(&records).iter().map(|name| records.join(name)).collect()
}

fn cut(segment: &Path) {
    let file = std::fs::File::options().write(true).open(segment).expect("opened");
    file.set_len(file.metadata().expect("there").len() / 2).expect("cut");
}

fn remove(segment: &Path) {
    std::fs::remove_file(segment).expect("removed");
}

fn kinds(problems: &[Problem]) -> Vec<&'static str> {
    problems.iter().map(Problem::kind).collect()
}

/// A repair ends only what it was told of.
#[test]
fn what_is_lost_before_a_repair_ends_is_told_after_it() {
    let DamageScene { directory, store, .. } = DamageScene::new();
    let root = directory.path().join("store");
    let other = open(&root);
    store.add_bytes(b"one", false, name("one")).expect("added");
    other.add_bytes(b"two", false, name("two")).expect("added");
    drop((store, other));
    let store = open(&root);
    let [first, second] = segments(&store).try_into().expect("one of each that had it open");
    let lost = || {
        let problems = store.verify(None, false).expect("verified").into_iter();
        let segment = |problem| match problem {
            Problem::LostRecords { path, .. } => Some(path),
            _ => None,
        };
        problems.filter_map(segment).collect::<Vec<_>>()
    };
    cut(&first);
    let told = store.verify(None, false).expect("verified");
    assert_eq!(lost(), std::slice::from_ref(&first));
    cut(&second);
    store.repair(&told, None).expect("repaired");
    assert_eq!(lost(), [second]);
    store.repair(&store.verify(None, false).expect("verified"), None).expect("repaired");
    assert_sound(&store);
}

/// Whoever opens the store after it goes on with what there is, and every verification tells what is gone until somebody repairs.
#[test]
fn what_is_gone_is_told_until_a_repair() {
    for lose in [remove as fn(&Path), cut] {
        let DamageScene { directory, store, path } = DamageScene::new();
        publish_build(&store, 1, &[("out", "built")], BTreeSet::new()).expect("published");
        let segment = segments(&store).remove(0);
        let known = segment.metadata().expect("there").len();
        drop(store);
        lose(&segment);
        let found = segment.metadata().map_or(0, |data| data.len());
        let told = [Problem::LostRecords { path: segment, known, found }];
        for _ in 0..2 {
            let store = open(&directory.path().join("store"));
            assert_eq!(store.verify(None, true).expect("verified"), told);
            assert!(store.listing(&path.tree().expect("a tree")).is_ok(), "that of a tree is made anew");
            publish_build(&store, 2, &[("out", "built later")], BTreeSet::new()).expect("published");
        }
        let store = open(&directory.path().join("store"));
        store.repair(&told, None).expect("repaired");
        assert_sound(&store);
        drop(store);
        assert_sound(&open(&directory.path().join("store")));
    }
}

/// A power cut may take what was not synced: that is nobody's fault, and nobody is told.
#[test]
fn what_a_power_cut_took_is_not_told() {
    for lose in [remove as fn(&Path), cut] {
        let DamageScene { directory, store, .. } = DamageScene::new();
        let segment = segments(&store).remove(0);
        drop(store);
        lose(&segment);
        // As by another start of the machine.
        std::fs::remove_file(directory.path().join("store/started")).expect("removed");
        assert_sound(&open(&directory.path().join("store")));
    }
}

/// It is found also by who has the store open, and a repair makes that go on, too.
#[test]
fn what_is_gone_while_the_store_is_open_is_told() {
    for lose in [remove as fn(&Path), cut] {
        let fixture = DamageScene::new();
        lose(&segments(&fixture.store)[0]);
        let problems = fixture.verify();
        assert!(kinds(&problems).contains(&"lost-records"), "{problems:?}");
        fixture.store.repair(&problems, None).expect("repaired");
        assert_sound(&fixture.store);
        publish_build(&fixture.store, 1, &[("out", "built")], BTreeSet::new()).expect("published");
        assert_sound(&fixture.store);
        let DamageScene { directory, store, .. } = fixture;
        drop(store);
        let store = open(&directory.path().join("store"));
        let action = ActionDigest::from_bytes([1; 32]);
        let realised = store.realised_path(&action, &OutputName::out(), &name("package-1")).expect("asked");
        assert!(realised.is_some());
        assert_sound(&store);
    }
}

/// Whatever lies in `records/`: everybody goes on, it is told, put aside, and neither read nor written through.
#[test]
fn what_is_no_segment_stops_nobody() {
    let strays: &[fn(&Path)] = &[
        |place| std::fs::write(place, "nothing of the store").expect("written"),
        |place| std::fs::create_dir(place).expect("created"),
        |place| symlink("nowhere", place).expect("linked"),
        |place| symlink(outside(place), place).expect("linked"),
        |place| {
            let made = std::process::Command::new("mkfifo").arg(place).status();
            assert!(made.expect("mkfifo runs").success());
        },
        |place| {
            let place = place.with_file_name(std::ffi::OsStr::from_bytes(b"0-\xff"));
            std::fs::write(place, "larder records 1\n").expect("written");
        },
    ];
    for (number, stray) in strays.iter().enumerate() {
        let DamageScene { directory, store, .. } = DamageScene::new();
        drop(store);
        let records = directory.path().join("store/records");
        std::fs::write(outside(&records.join("0")), "larder records 1\n").expect("written");
        // Sorted, it is the first that a writer looks at.
        stray(&records.join("0"));
        let store = open(&directory.path().join("store"));
        publish_build(&store, 1, &[("out", "built")], BTreeSet::new()).expect("published");
        store.rebuild_index().expect("rebuilt");
        let problems = store.verify(None, true).expect("verified");
        assert_eq!(kinds(&problems), ["foreign"], "{number}: {problems:?}");
        store.quarantine(&problems).expect("put aside");
        assert_sound(&store);
        let outside = std::fs::read(outside(&records.join("0"))).expect("there");
        assert_eq!(outside, b"larder records 1\n", "{number}");
    }
}

fn outside(place: &Path) -> PathBuf {
    place.ancestors().nth(3).expect("above the store").join("outside")
}

/// A segment whose mode keeps its owner out is left alone and told; a repair has it used again.
#[test]
fn a_segment_with_a_wrong_mode_is_told_and_repaired() {
    for (mode, mended) in [(0, 0o600), (0o400, 0o600), (0o440, 0o640), (0o646, 0o644)] {
        let DamageScene { directory, store, .. } = DamageScene::new();
        store.add_derivation(derivation(1)).expect("added");
        let segment = segments(&store).remove(0);
        drop(store);
        set_mode(&segment, mode);
        let store = open(&directory.path().join("store"));
        store.add_derivation(derivation(2)).expect("added");
        let problems = store.verify(None, true).expect("verified");
        let text = format!("{} has another mode", segment.display());
        assert!(problems.iter().any(|problem| problem.to_string() == text), "{problems:?}");
        store.repair(&problems, None).expect("repaired");
        assert_eq!(segment.metadata().expect("there").permissions().mode() & 0o7777, mended);
        assert_sound(&store);
        for number in [1, 2] {
            assert!(store.derivation(&derivation(number).digest()).is_ok(), "{number}");
        }
    }
}

/// Calls a test of this binary that installs faults, for which it needs a process of its own.
fn in_child(test: &str) {
    let directory = scratch();
    support::succeed(support::child(&format!("test_lost_records::{test}")).env(DIRECTORY, directory.path()));
}

#[test]
fn a_segment_that_cannot_be_made_usable_keeps_nothing_else_from_its_repair() {
    in_child("child_that_may_change_no_mode");
}

/// Not a test of its own.
#[test]
fn child_that_may_change_no_mode() {
    let Some(_) = std::env::var_os(DIRECTORY) else { return };
    let fixture = DamageScene::new();
    let segment = segments(&fixture.store).remove(0);
    set_mode(&segment, 0o646);
    let objects = files_below(&fixture.store.layout().objects());
    std::fs::remove_file(&objects[0]).expect("removed");
    let problems = fixture.verify();
    let of_segment = segment.clone();
    fault::install(Arc::new(move |effect| {
        let is_wrong = of_segment.metadata().is_ok_and(|data| data.permissions().mode() & 0o777 == 0o646);
        if effect == Effect::Mode && is_wrong { Err(Errno::PERM) } else { Ok(()) }
    }));
    let repaired = fixture.store.repair(&problems, None);
    fault::remove();
    let unusable: Vec<_> = repaired.expect("repaired").unusable.into_iter().map(|(path, _)| path).collect();
    assert_eq!(unusable, std::slice::from_ref(&segment));
    assert!(objects[0].exists(), "the object is restored");
    assert_eq!(kinds(&fixture.verify()), ["segment"]);
}

/// What was put aside is recorded in another segment: nobody has lost it.
#[test]
fn a_repair_that_is_killed_loses_no_records() {
    in_child("child_that_repairs_until_it_is_killed");
}

/// Not a test of its own.
#[test]
fn child_that_repairs_until_it_is_killed() {
    let Some(_) = std::env::var_os(DIRECTORY) else { return };
    let DamageScene { directory, store, path } = DamageScene::new();
    publish_build(&store, 1, &[("out", "built")], BTreeSet::new()).expect("published");
    let segment = segments(&store).remove(0);
    flip(&segment, 8 * 60);
    let problems = store.verify(None, true).expect("verified");
    let of_segment = segment.clone();
    fault::install(Arc::new(move |_| if of_segment.exists() { Ok(()) } else { Err(Errno::IO) }));
    store.repair(&problems, None).expect_err("killed");
    fault::remove();
    assert!(!segment.exists());
    drop(store);
    let store = open(&directory.path().join("store"));
    let told = store.verify(None, true).expect("verified");
    assert!(!kinds(&told).contains(&"lost-records"), "{told:?}");
    store.repair(&told, None).expect("repaired");
    assert_sound(&store);
    assert!(store.is_valid(&path).expect("asked"));
}

/// A file that tells of losses may itself be damaged.
#[test]
fn a_damaged_note_of_losses_is_told_and_ended() {
    let DamageScene { directory, store, .. } = DamageScene::new();
    remove(&segments(&store)[0]);
    drop(store);
    drop(open(&directory.path().join("store")));
    let lost = directory.path().join("store/lost");
    let mut bytes = std::fs::read(&lost).expect("noted");
    let last = bytes.len() - 2;
    bytes[last] ^= 0x80;
    std::fs::write(&lost, bytes).expect("written");
    let store = open(&directory.path().join("store"));
    let told = store.verify(None, true).expect("verified");
    assert_eq!(kinds(&told), ["lost-records"]);
    store.repair(&told, None).expect("repaired");
    assert_sound(&store);
    assert!(!lost.exists());
}
