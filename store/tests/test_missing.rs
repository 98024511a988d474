//! Directories of a store that are missing: those that were empty when somebody copied it, and those that were lost with what was in them.

use crate::damage_scene::DamageScene;
use crate::support::{assert_clean_after_collection, assert_sound, name, names, open};
use store::gc::GcPolicy;

/// As a copy by a tool that leaves out empty directories.
#[test]
fn a_store_without_its_empty_directories_is_used_as_any_other() {
    let DamageScene { directory, store, path } = DamageScene::new();
    let layout = store.layout().clone();
    drop(store);
    let mut removed = 0;
    for place in [layout.tmp(), layout.trash(), layout.leases(), layout.roots(), layout.logs()] {
        std::fs::remove_dir(&place).expect("it was empty");
    }
    for place in names(&layout.objects()) {
        removed += usize::from(std::fs::remove_dir(layout.objects().join(place)).is_ok());
    }
    assert!(removed > 200, "most are empty");
    let store = open(&directory.path().join("store"));
    assert_sound(&store);
    store.add_root("tree", &path).expect("rooted");
    for number in 0..40u8 {
        store.add_bytes(&[number], number % 2 == 0, name("bytes")).expect("added");
    }
    assert_sound(&store);
    drop(store);
    assert_clean_after_collection(&open(&directory.path().join("store")));
}

/// Also while the store is open, and with all that was in them: what is added next is not refused, and a repair restores the rest.
#[test]
fn lost_directories_of_objects_are_made_again() {
    let fixture = DamageScene::new();
    let objects = fixture.store.layout().objects();
    for directory in names(&objects) {
        std::fs::remove_dir_all(objects.join(directory)).expect("removed");
    }
    fixture.add_other_tree();
    let problems = fixture.verify();
    assert!(problems.iter().all(|problem| problem.kind() == "tree"), "{problems:?}");
    assert_eq!(problems.len(), 3, "of four files one was added again: {problems:?}");
    fixture.store.repair(&problems, None).expect("repaired");
    assert_eq!(names(&objects).len(), 256);
    assert_sound(&fixture.store);
}

/// What is in the place of one is put aside by a verification; then it is made.
#[test]
fn what_is_in_the_place_of_a_directory_of_objects_does_not_stay() {
    for is_link in [false, true] {
        let fixture = DamageScene::new();
        let objects = fixture.store.layout().objects();
        for directory in names(&objects) {
            let place = objects.join(directory);
            if std::fs::remove_dir(&place).is_err() {
                continue;
            }
            if is_link {
                std::os::unix::fs::symlink("nowhere", &place).expect("linked");
            } else {
                std::fs::write(&place, "nothing of the store").expect("written");
            }
        }
        fixture.store.quarantine(&fixture.verify()).expect("put aside");
        assert_eq!(fixture.verify(), []);
        for number in 0..40u8 {
            fixture.store.add_bytes(&[number], false, name("bytes")).expect("added");
        }
        assert_sound(&fixture.store);
        fixture.store.collect_garbage(&GcPolicy::default()).expect("collected");
    }
}
