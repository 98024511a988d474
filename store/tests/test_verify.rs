//! Verification finds whatever is wrong, and what is wrong is never handed out.

use crate::damage_scene::{DamageScene, change, files_below, flip, replace, set_mode, set_time};
use crate::support::{assert_sound, name, open, publish_build, scratch, write_files};
use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};
use store::derivation::OutputName;
use store::gc::GcPolicy;
use store::local::{Flaw, Problem, RepairOptions, StoreError, VerifyOptions, VerifyProgress};
use store::{ActionDigest, StorePath, TreePath};

#[test]
fn every_flipped_bit_is_found() {
    let fixture = DamageScene::new();
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
        let fixture = DamageScene::new();
        fixture.damage(&fixture.host(inside), damage);
        let place = if inside.is_empty() { String::new() } else { format!("/{inside}") };
        let expected = format!("{}{place} {flaw}", fixture.path);
        let found = fixture.texts();
        assert!(found.contains(&expected), "{expected} is not among {found:?}");
    }
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
    let fixture = DamageScene::new();
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

/// Whatever is put aside stays until it is old, for somebody may want it back.
#[test]
fn strays_of_one_name_are_all_kept() {
    let fixture = DamageScene::new();
    let layout = fixture.store.layout();
    let long = "x".repeat(255);
    let strays = ["store/stray", "objects/00/stray", "objects/stray", "records/stray", &format!("store/{long}")];
    for _ in 0..2 {
        for stray in strays {
            std::fs::write(layout.root().join(stray), stray).expect("written");
        }
        fixture.store.quarantine(&fixture.verify()).expect("put aside");
        assert_eq!(fixture.verify(), []);
    }
    let mut kept: Vec<_> =
        files_below(&layout.quarantine()).iter().map(|file| std::fs::read(file).expect("kept")).collect();
    kept.sort();
    let mut expected = strays.repeat(2);
    expected.sort_unstable();
    assert_eq!(kept, expected.iter().map(|stray| stray.as_bytes()).collect::<Vec<_>>());
}

/// What has the name of a tree that nobody knows is hashed: it may have been left by a process that was killed.
#[test]
fn what_has_the_name_of_another_tree_is_found() {
    let fixture = DamageScene::new();
    let store = fixture.store.layout().store();
    let other = "a".repeat(52);
    let digest = &fixture.path.base_name()[..52];
    let strays = [store.join(format!("{other}-copy")), store.join(format!("{other}-link"))];
    copy_tree(&fixture.host(""), &strays[0]);
    symlink("nowhere", &strays[1]).expect("linked");
    copy_tree(&fixture.host(""), &store.join(format!("{digest}-true")));
    let problems = fixture.verify();
    let texts: BTreeSet<_> = problems.iter().map(ToString::to_string).collect();
    let expected = strays.iter().map(|stray| format!("{} does not belong there", stray.display()));
    assert_eq!(texts, expected.collect());
    fixture.store.quarantine(&problems).expect("put aside");
    assert_sound(&fixture.store);
}

/// That there is a record of a tree does not prove that what has its name is that tree.
#[test]
fn a_rebuild_does_not_believe_a_name_that_the_index_did_not_know() {
    let DamageScene { directory, store, path } = DamageScene::new();
    let dead = store.add_bytes(b"dead", false, name("dead")).expect("added");
    store.add_root("tree", &path).expect("rooted");
    drop(store);
    let store = open(&directory.path().join("store"));
    store.collect_garbage(&GcPolicy::default()).expect("collected");
    assert!(!store.is_valid(&dead).expect("asked"));
    copy_tree(&store.host_path(&path), &store.host_path(&dead));
    assert_eq!(store.rebuild_index().expect("rebuilt").discarded, 1);
    assert!(!store.is_valid(&dead).expect("asked"));
    assert_sound(&store);
}

/// Nor does a collection, which makes valid what a process that was killed has left.
#[test]
fn a_collection_does_not_believe_a_name_that_the_index_did_not_know() {
    let fixture = DamageScene::new();
    let tree = fixture.path.tree().expect("a tree");
    let [left, wrong] = ["left", "wrong"].map(|text| StorePath::from_tree(tree, name(text)).expect("a path"));
    copy_tree(&fixture.host(""), &fixture.store.host_path(&left));
    write_files(&fixture.store.host_path(&wrong), &[("one", "not this")]);
    let policy = GcPolicy { added_since: Some(0), ..GcPolicy::default() };
    fixture.store.collect_garbage(&policy).expect("collected");
    assert!(fixture.store.is_valid(&left).expect("asked"));
    assert!(!fixture.store.is_valid(&wrong).expect("asked"));
    assert_sound(&fixture.store);
}

fn copy_tree(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success());
}

/// A path that was put aside can be added again like any other.
#[test]
fn what_is_in_quarantine_can_be_added_again() {
    let fixture = DamageScene::new();
    flip(&fixture.host("one"), 3);
    fixture.store.quarantine(&fixture.verify()).expect("put aside");
    let again = fixture.store.add_path(&fixture.directory.path().join("source"), name("tree"), None).expect("added");
    assert_eq!(again, fixture.path);
    assert_eq!(std::fs::read(fixture.host("one")).expect("readable"), b"only here");
    assert_eq!(fixture.verify(), []);
}

/// Most files are one with their object: where only the path is verified, what is wrong does not come back with what is added next.
#[test]
fn what_failed_is_not_linked_to_again() {
    type Damage = (fn(&Path), bool);
    let damages: &[Damage] = &[
        (|file| flip(file, 3), true),
        (|file| change(file, |bytes| bytes.push(b'x')), false),
        (|file| set_mode(file, 0o4444), false),
        (|file| set_time(file, 7), false),
    ];
    for (damage, contents) in damages {
        let fixture = DamageScene::new();
        damage(&fixture.host("one"));
        let problems = fixture.store.verify(Some(std::slice::from_ref(&fixture.path)), *contents).expect("verified");
        assert_eq!(problems.iter().map(Problem::kind).collect::<Vec<_>>(), ["tree", "object"]);
        assert_eq!(fixture.store.quarantine(&problems).expect("put aside"), std::slice::from_ref(&fixture.path));
        fixture.store.add_path(&fixture.directory.path().join("source"), name("tree"), None).expect("added");
        assert_eq!(std::fs::read(fixture.host("one")).expect("readable"), b"only here");
        assert_sound(&fixture.store);
    }
}

/// What is below a directory that nobody can look into may be wrong, too.
#[test]
fn what_a_replaced_directory_hides_is_not_linked_to_again() {
    let fixture = DamageScene::new();
    flip(&fixture.host("d/e/three"), 0);
    fixture.damage(&fixture.host("d/e"), replace_directory);
    let problems = fixture.store.verify(Some(std::slice::from_ref(&fixture.path)), true).expect("verified");
    assert!(problems.iter().any(|problem| matches!(problem, Problem::Object { .. })), "{problems:?}");
}

/// A realisation whose tree is in quarantine is none.
#[test]
fn what_was_built_is_built_again_after_quarantine() {
    let fixture = DamageScene::new();
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
    let fixture = DamageScene::new();
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
    let fixture = DamageScene::new();
    let user = fixture.store.add_bytes(fixture.path.to_string().as_bytes(), false, name("user")).expect("added");
    flip(&fixture.host("one"), 0);
    fixture.store.quarantine(&fixture.verify()).expect("put aside");
    let closure = fixture.store.closure(&[user]);
    assert!(matches!(&closure, Err(StoreError::NotValid(path)) if *path == fixture.path), "{closure:?}");
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
    let options = VerifyOptions {
        contents: true,
        max_rate: NonZeroU64::new(16 << 20),
        estimate: true,
        ..VerifyOptions::default()
    };
    let began = Instant::now();
    assert_eq!(store.verify_with(options, &progress).expect("verified"), []);
    assert_eq!(progress.bytes(), (8 << 20, 8 << 20), "each file once, though it has two links");
    let elapsed = began.elapsed();
    assert!(elapsed >= Duration::from_millis(450), "8 MiB at 16 MiB/s took {elapsed:?}");
}

/// What is looked at again has a budget of its own: it does not wait once more for all that was read before it.
#[test]
fn what_is_wrong_does_not_cost_the_budget_twice() {
    let fixture = DamageScene::new();
    let content = vec![b'x'; 4 << 20];
    fixture.store.add_bytes(&content, false, name("large")).expect("added");
    flip(&fixture.host("one"), 0);
    let max_rate = NonZeroU64::new(2 << 20);
    let options = VerifyOptions { contents: true, max_rate, ..VerifyOptions::default() };
    let began = Instant::now();
    assert!(!fixture.store.verify_with(options, &VerifyProgress::default()).expect("verified").is_empty());
    let elapsed = began.elapsed();
    assert!(elapsed < Duration::from_millis(3800), "4 MiB at 2 MiB/s took {elapsed:?}");
}

/// A repair keeps it, too.
#[test]
fn a_repair_keeps_the_budget() {
    let fixture = DamageScene::new();
    let content = vec![b'x'; 2 << 20];
    let path = fixture.store.add_bytes(&content, false, name("large")).expect("added");
    set_mode(&fixture.store.host_path(&path), 0o644);
    let problems = fixture.verify();
    let began = Instant::now();
    let options = RepairOptions { other: None, max_rate: NonZeroU64::new(2 << 20) };
    let repaired = fixture.store.repair_with(&problems, options).expect("repaired");
    assert_eq!(repaired.restored, [path]);
    let elapsed = began.elapsed();
    assert!(elapsed >= Duration::from_millis(950), "2 MiB at 2 MiB/s took {elapsed:?}");
}

/// Whoever opened it would wait for somebody who writes to it.
#[test]
fn what_is_no_file_is_not_opened_as_one() {
    let fixture = DamageScene::new();
    fixture.damage(&fixture.host("one"), |place| {
        replace(place, |place| {
            assert!(std::process::Command::new("mkfifo").arg(place).status().expect("it runs").success());
        })
    });
    for inside in ["one", "d"] {
        let inside = TreePath::parse(inside.as_bytes()).expect("valid");
        let refused = fixture.store.open_file(&fixture.path, &inside).expect_err("it is no file");
        assert_eq!(refused.source.kind(), std::io::ErrorKind::InvalidInput);
    }
}
