//! What verification put aside is restored from whatever is still right, and a repair loses nothing.

use crate::damage_scene::{DamageScene, FILES, files_below, flip, replace, set_mode, set_time};
use crate::support::{
    self, assert_clean_after_collection, assert_sound, make_writable, name, open, peak, publish_build, scratch,
    write_files,
};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use store::ActionDigest;
use store::derivation::OutputName;
use store::gc::GcPolicy;
use store::local::{Effect, LocalStore, OpenOptions, Problem, StoreError, fault};

/// Whatever was done to a tree, it is not handed out after it was found, and a repair has it as it was.
#[test]
fn what_fails_is_never_handed_out_and_is_restored() {
    let damages: &[fn(&DamageScene)] = &[
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
        let fixture = DamageScene::new();
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

fn assert_restored(fixture: &DamageScene) {
    assert!(fixture.store.is_valid(&fixture.path).expect("asked"));
    assert_sound(&fixture.store);
    for (inside, content) in FILES {
        assert_eq!(std::fs::read_to_string(fixture.host(inside)).expect("readable"), *content);
    }
    assert_clean_after_collection(&fixture.store);
}

/// A flipped bit is in the tree and in its object, which are one file: it is found again in another tree.
#[test]
fn a_file_is_restored_from_another_tree() {
    let fixture = DamageScene::new();
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
    let fixture = DamageScene::new();
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
        let fixture = DamageScene::new();
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
        let fixture = DamageScene::new();
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

/// Of two objects of one name that were put aside, one after the other, the second does not displace the first, which a repair can use.
#[test]
fn an_object_in_quarantine_is_not_displaced() {
    let fixture = DamageScene::new();
    let objects = files_below(&fixture.store.layout().objects());
    let is_one = |object: &&PathBuf| std::fs::read(object).expect("readable") == b"only here";
    let object = objects.iter().find(is_one).expect("there");
    make_writable(&fixture.store.host_path(&fixture.path));
    std::fs::remove_dir_all(fixture.store.host_path(&fixture.path)).expect("removed");
    set_mode(object, 0o644);
    fixture.store.quarantine(&fixture.verify()).expect("put aside");
    std::fs::write(object, "not this").expect("written");
    let repaired = fixture.store.repair(&fixture.verify(), None).expect("repaired");
    assert_eq!((repaired.restored, repaired.lost), (vec![fixture.path.clone()], Vec::new()));
    assert_restored(&fixture);
}

/// A rooted tree that waits for its repair has no link to an object where it was broken; a collection leaves it all the same.
#[test]
fn what_a_repair_will_need_is_not_collected() {
    let fixture = DamageScene::new();
    fixture.add_other_tree();
    fixture.store.add_root("tree", &fixture.path).expect("rooted");
    fixture
        .damage(&fixture.host("d/two"), |place| replace(place, |place| std::fs::write(place, "x").expect("written")));
    fixture.store.quarantine(&fixture.verify()).expect("put aside");
    let DamageScene { directory, store, path } = fixture;
    drop(store);
    let store = open(&directory.path().join("store"));
    store.collect_garbage(&GcPolicy::default()).expect("collected");
    let fixture = DamageScene { directory, store, path };
    assert_eq!(fixture.store.paths().expect("asked").len(), 1, "the other tree is gone");
    let repaired = fixture.store.repair(&fixture.verify(), None).expect("repaired");
    assert_eq!((repaired.restored, repaired.lost), (vec![fixture.path.clone()], Vec::new()));
    assert_restored(&fixture);
}

#[test]
fn what_is_nowhere_else_is_taken_from_another_store() {
    let fixture = DamageScene::new();
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
    let fixture = DamageScene::new();
    let elsewhere = scratch();
    let other = open(&elsewhere.path().join("store"));
    let copy = other.add_path(&fixture.directory.path().join("source"), name("any"), None).expect("added");
    flip(&other.host_path(&copy).join("one"), 5);
    flip(&fixture.host("one"), 0);
    let repaired = fixture.store.repair(&fixture.verify(), Some(&other)).expect("repaired");
    assert_eq!(repaired.lost.len(), 1);
    assert!(!fixture.store.is_valid(&fixture.path).expect("asked"));
}

/// In a damaged tree a directory may be a link to anywhere: nothing there is looked at, changed, or made part of the store.
#[test]
fn what_a_link_in_the_place_of_a_directory_leads_to_is_left_alone() {
    let fixture = DamageScene::new();
    let outside = fixture.directory.path().join("outside");
    write_files(&outside, &[("two", "in two trees")]);
    set_mode(&outside.join("two"), 0);
    for object in files_below(&fixture.store.layout().objects()) {
        if std::fs::read(&object).expect("readable") == b"in two trees" {
            std::fs::remove_file(object).expect("removed");
        }
    }
    fixture.damage(&fixture.host("d"), |place| {
        set_mode(place, 0o755);
        std::fs::rename(place, fixture.directory.path().join("aside")).expect("moved");
        symlink(&outside, place).expect("linked");
    });
    let repaired = fixture.store.repair(&fixture.verify(), None).expect("repaired");
    assert_eq!(repaired.lost, [(fixture.path.clone(), "d/two".to_owned())]);
    let data = outside.join("two").metadata().expect("there");
    assert_eq!((data.permissions().mode() & 0o7777, data.nlink()), (0, 1));
}

const LARGE: &str = "STORE_TEST_LARGE_REPAIR_DIRECTORY";

/// Not a test of its own: repairs an object to which no link can be made, and looks how much memory that takes.
#[test]
fn child_that_repairs_a_large_object() {
    let Some(directory) = std::env::var_os(LARGE) else { return };
    let store = open(&Path::new(&directory).join("store"));
    let problems = store.verify(None, true).expect("verified");
    peak();
    let repaired = store.repair(&problems, None).expect("repaired");
    assert_eq!((repaired.restored.len(), repaired.lost), (1, Vec::new()));
    let repairing = peak();
    assert!(repairing < 64, "{repairing} MiB");
    assert_sound(&store);
}

#[test]
fn a_large_object_is_copied_in_pieces() {
    let directory = scratch();
    let source = directory.path().join("large");
    std::fs::File::create(&source).expect("created").set_len(96 << 20).expect("grown");
    let store = open(&directory.path().join("store"));
    let path = store.add_path(&source, name("large"), None).expect("added");
    set_mode(&store.host_path(&path), 0o644);
    drop(store);
    support::succeed(support::child("test_repair::child_that_repairs_a_large_object").env(LARGE, directory.path()));
}

/// What can be read of a damaged segment is kept, also behind the damage.
#[test]
fn records_are_salvaged() {
    let fixture = DamageScene::new();
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

const SYNCED: &str = "STORE_TEST_SYNCED_DIRECTORY";

/// A power cut would leave an empty file under the name of an object, which everybody believes.
#[test]
fn a_copy_is_synced_before_it_becomes_an_object() {
    let directory = scratch();
    support::succeed(support::child("test_repair::child_that_copies_objects").env(SYNCED, directory.path()));
}

/// Not a test of its own.
#[test]
fn child_that_copies_objects() {
    let Some(directory) = std::env::var_os(SYNCED).map(PathBuf::from) else { return };
    let store = LocalStore::open(&directory.join("store"), OpenOptions { durable: true }).expect("opened");
    let objects = store.layout().objects();
    let numbers = move || -> BTreeSet<u64> {
        files_below(&objects).iter().map(|object| object.metadata().expect("there").ino()).collect()
    };
    let synced = Arc::new(Mutex::new(BTreeSet::new()));
    let (seen, objects) = (Arc::clone(&synced), numbers.clone());
    fault::install(Arc::new(move |effect| match effect {
        Effect::SyncOne(number) => {
            let is_object = objects().contains(&number);
            seen.lock().expect("nobody panicked").extend((!is_object).then_some(number));
            Ok(())
        }
        // As where no further link can be made to a file.
        Effect::Link => Err(Errno::MLINK),
        _ => Ok(()),
    }));
    let all_were_synced = || numbers().is_subset(&synced.lock().expect("nobody panicked"));
    let path = store.add_bytes(b"x", false, name("x")).expect("added");
    assert!(all_were_synced(), "published");
    let published = numbers();
    for object in files_below(&store.layout().objects()) {
        set_mode(&object, 0o644);
    }
    let problems = store.verify(None, true).expect("verified");
    store.repair(&problems, None).expect("repaired");
    fault::remove();
    assert!(store.is_valid(&path).expect("asked"));
    assert_ne!(numbers(), published);
    assert!(all_were_synced(), "repaired");
}
