//! What an ordinary user may not read, or may only read: what is refused, sealed and restored is so for him, too.

use crate::support::{
    self, assert_clean_after_collection, assert_sound, derivation, name, names, open, publish_build, scratch,
    write_files,
};
use rustix::fs::AtFlags;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use store::gc::{Explanation, GcPolicy};
use store::local::{LocalStore, StoreError};

const UNPRIVILEGED: &str = "STORE_TEST_UNPRIVILEGED_DIRECTORY";

/// Starts this binary's test `child_without_privileges` as an ordinary user, if that can be done.
#[test]
fn an_ordinary_user() {
    let directory = scratch();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).expect("changed");
    let binary = directory.path().join("binary");
    std::fs::copy(std::env::current_exe().expect("a test binary"), &binary).expect("copied");
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).expect("changed");
    let mut command = support::child_of(&binary, "test_unprivileged::child_without_privileges");
    command.env(UNPRIVILEGED, directory.path().join("work")).current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    support::succeed(&mut command);
}

/// Not a test of its own.
#[test]
fn child_without_privileges() {
    let Some(directory) = std::env::var_os(UNPRIVILEGED) else { return };
    let directory = Path::new(&directory);
    assert!(!rustix::process::geteuid().is_root());
    unreadable_sources_are_refused(directory);
    outputs_are_sealed_whatever_their_modes(directory);
    trees_that_became_unreadable_are_restored(directory);
    equal_files_of_two_processes_are_shared(directory);
    a_rebuild_leaves_what_cannot_be_read(directory);
    segments_that_may_not_be_read_stop_nobody(directory);
    nothing_is_collected_while_records_cannot_be_read(directory);
    a_store_that_is_only_read_is_sound(directory);
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed");
}

fn unreadable_sources_are_refused(directory: &Path) {
    let store = open(&directory.join("store"));
    for hidden in ["secret", "d"] {
        let source = directory.join("hidden");
        write_files(&source, &[("secret", "x"), ("d/f", "y")]);
        set_mode(&source.join(hidden), 0);
        let error = store.add_path(&source, name("hidden"), None).expect_err("it cannot be read").to_string();
        assert!(error.contains(&format!("hidden/{hidden}")), "{error}");
        set_mode(&source.join(hidden), 0o700);
    }
    assert!(store.paths().expect("asked").is_empty());
}

fn outputs_are_sealed_whatever_their_modes(directory: &Path) {
    let store = open(&directory.join("store"));
    let staging = store.stage().expect("staged");
    let place = staging.path().join("out");
    write_files(&place, &[("none", "1"), ("d/write-only", "2"), ("d/e/all", "3"), ("d/set", "4")]);
    for (path, mode) in
        [("none", 0), ("d/write-only", 0o200), ("d/e/all", 0o777), ("d/set", 0o6755), ("d/e", 0), ("d", 0o300)]
    {
        set_mode(&place.join(path), mode);
    }
    let sealed = store.seal(staging, &place).expect("sealed");
    let path = store.publish(sealed, name("odd")).expect("published");
    assert_sound(&store);
    assert_eq!(std::fs::read(store.host_path(&path).join("d/e/all")).expect("readable"), b"3");
    drop(store);
    let store = open(&directory.join("store"));
    assert_clean_after_collection(&store);
}

/// What nobody may read is found, and is nevertheless what it is all restored from.
fn trees_that_became_unreadable_are_restored(directory: &Path) {
    let store = open(&directory.join("store"));
    let source = directory.join("readable");
    write_files(&source, &[("f", "only here"), ("d/e/g", "and here")]);
    let path = store.add_path(&source, name("readable"), None).expect("added");
    for (hidden, named) in
        ["f", "d/e/g", "d/e", "d", ""].into_iter().flat_map(|hidden| [(hidden, true), (hidden, false)])
    {
        set_mode(&store.host_path(&path).join(hidden), 0);
        let problems = store.verify(named.then_some(std::slice::from_ref(&path)), true).expect("verified");
        let repaired = store.repair(&problems, None).expect("repaired");
        assert_eq!((repaired.restored, repaired.lost), (vec![path.clone()], Vec::new()), "{hidden} {named}");
        assert_sound(&store);
        assert_eq!(std::fs::read(store.host_path(&path).join("d/e/g")).expect("readable"), b"and here");
    }
    drop(store);
    assert_clean_after_collection(&open(&directory.join("store")));
}

/// Both have staged their trees before either publishes, as processes at the same time do.
fn equal_files_of_two_processes_are_shared(directory: &Path) {
    let (one, two) = (open(&directory.join("store")), open(&directory.join("store")));
    let stage = |store: &LocalStore, more: &str| {
        let staging = store.stage().expect("staged");
        let place = staging.path().join("out");
        write_files(&place, &[("d/e/same", "the same"), ("d/again", "the same"), ("same", "the same"), (more, more)]);
        store.seal(staging, &place).expect("sealed")
    };
    let (first, second) = (stage(&one, "first"), stage(&two, "second"));
    one.publish(first, name("first")).expect("published");
    let kept = two.publish(second, name("second")).expect("published");
    drop(one);
    assert_sound(&two);
    two.collect_garbage(&store::gc::GcPolicy::default()).expect("collected");
    let listing = two.listing(&kept.tree().expect("a tree")).expect("kept");
    two.stage_listing(&listing, None).expect("the objects did not die with the first tree");
    assert_clean_after_collection(&two);
    let file = two.host_path(&kept).join("same");
    let data = rustix::fs::statat(rustix::fs::CWD, &file, AtFlags::empty()).expect("there");
    assert_eq!(data.st_nlink, 4, "three files and their object");
}

/// It may be what its name says, and somebody may be able to read it another time.
fn a_rebuild_leaves_what_cannot_be_read(directory: &Path) {
    let root = directory.join("unread");
    let store = open(&root);
    let source = directory.join("unread-source");
    write_files(&source, &[("file", "content")]);
    let path = store.add_path(&source, name("one"), None).expect("added");
    let other = root.join("store").join(path.base_name().replace("-one", "-two"));
    std::fs::create_dir(&other).expect("created");
    std::fs::write(other.join("file"), "content").expect("written");
    set_mode(&other.join("file"), 0);
    let rebuilt = store.rebuild_index().expect("rebuilt");
    assert_eq!((rebuilt.paths, rebuilt.discarded), (1, 0));
    let told = format!("{} does not belong there", other.display());
    let problems = store.verify(None, true).expect("verified");
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [told]);
    store.collect_garbage(&GcPolicy { added_since: Some(0), ..GcPolicy::default() }).expect("collected");
    assert!(other.exists(), "nobody knows what it is");
    set_mode(&other.join("file"), 0o644);
    assert_eq!(store.rebuild_index().expect("rebuilt").paths, 2);
    let problems = store.verify(None, true).expect("verified");
    store.repair(&problems, None).expect("repaired");
    assert_sound(&store);
}

/// Not even a rebuild of the index; what was in them is known again when a repair has made them readable.
fn segments_that_may_not_be_read_stop_nobody(directory: &Path) {
    let root = directory.join("segments");
    let store = open(&root);
    store.add_derivation(derivation(1)).expect("added");
    drop(store);
    let records = root.join("records");
    let segment = records.join(names(&records).first().expect("one"));
    set_mode(&segment, 0);
    let store = open(&root);
    let kept = store.add_bytes(b"x", false, name("x")).expect("added");
    assert_eq!(store.rebuild_index().expect("rebuilt").unreadable, std::slice::from_ref(&segment));
    assert!(store.is_valid(&kept).expect("asked"));
    let problems = store.verify(None, true).expect("verified");
    let text = format!("{} has another mode", segment.display());
    assert!(problems.iter().any(|problem| problem.to_string() == text), "{problems:?}");
    store.repair(&problems, None).expect("repaired");
    assert_sound(&store);
    assert!(store.derivation(&derivation(1).digest()).is_ok());
}

/// What is needed for run time stands in a record: while that cannot be read nothing is deleted.
fn nothing_is_collected_while_records_cannot_be_read(directory: &Path) {
    let root = directory.join("needed");
    let store = open(&root);
    let needed = store.add_bytes(b"needed", false, name("needed")).expect("added");
    let built = publish_build(&store, 1, &[("out", "built")], BTreeSet::from([needed.clone()])).expect("published");
    store.add_root("built", &built.path).expect("rooted");
    drop(store);
    let records = root.join("records");
    let segment = records.join(names(&records).first().expect("one"));
    set_mode(&segment, 0);
    let store = open(&root);
    store.rebuild_index().expect("rebuilt");
    let refused = |error: StoreError| match error {
        StoreError::UnreadSegment { path, .. } => assert_eq!(path, segment),
        error => panic!("{error:?}"),
    };
    refused(store.collect_garbage(&GcPolicy::default()).expect_err("refused"));
    refused(store.plan_gc(&GcPolicy::default()).expect_err("refused"));
    refused(store.explain_gc(&GcPolicy::default(), &[], &needed).expect_err("refused"));
    drop(store);
    // However it can be read again: nobody has read it yet.
    for by_repair in [false, true] {
        set_mode(&segment, 0);
        let store = open(&root);
        store.rebuild_index().expect("rebuilt");
        if by_repair {
            store.repair(&store.verify(None, true).expect("verified"), None).expect("repaired");
        } else {
            set_mode(&segment, 0o644);
        }
        let why = store.explain_gc(&GcPolicy::default(), &[], &needed).expect("asked");
        assert!(matches!(why, Explanation::Held(_)), "{why:?}");
        store.collect_garbage(&GcPolicy::default()).expect("collected");
        assert!(store.is_valid(&needed).expect("asked"));
        assert_sound(&store);
    }
}

/// As after `chmod -R a-w`, or on a disk that is only read.
fn a_store_that_is_only_read_is_sound(directory: &Path) {
    let root = directory.join("only-read");
    let store = open(&root);
    store.add_bytes(b"x", false, name("x")).expect("added");
    drop(store);
    let records = root.join("records");
    for segment in names(&records) {
        set_mode(&records.join(segment), 0o444);
    }
    for directory in names(&root).iter().filter(|name| root.join(name).is_dir()) {
        set_mode(&root.join(directory), 0o555);
    }
    set_mode(&root, 0o555);
    let store = open(&root);
    assert!(store.is_read_only());
    assert_sound(&store);
}
