//! The store on disk, used from outside.

use crate::support::{Scratch, assert_sound, build, derivation, name, names, scratch_on_disk};
use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use store::derivation::OutputName;
use store::gc::{Explanation, GcPolicy, HeldThrough, Holder};
use store::local::publish::{BuildResult, Published};
use store::local::{BuildCost, LocalStore, LookupError, OpenOptions, Problem, StoreError};
use store::{ActionDigest, StorePath};

struct Fixture {
    directory: Scratch,
    store: LocalStore,
}

impl Fixture {
    fn new() -> Self {
        let directory = scratch_on_disk();
        let store = Self::open(directory.path());
        Self { directory, store }
    }

    fn open(directory: &Path) -> LocalStore {
        LocalStore::open(&directory.join("store"), OpenOptions::default()).expect("opened")
    }

    /// The same store as another process would see it: the lease of the first is gone.
    fn reopen(self) -> Self {
        let Self { directory, store } = self;
        drop(store);
        let store = Self::open(directory.path());
        Self { directory, store }
    }

    fn add(&self, as_name: &str, files: &[(&str, &str)]) -> StorePath {
        let source = self.directory.path().join("source");
        let _ = std::fs::remove_dir_all(&source);
        for (path, content) in files {
            let path = source.join(path);
            std::fs::create_dir_all(path.parent().expect("below source")).expect("created");
            std::fs::write(path, content).expect("written");
        }
        self.store.add_path(&source, name(as_name), None).expect("added")
    }

    fn build(&self, action: u8, content: &str, runtime: &[StorePath]) -> Published {
        let derivation = derivation(action);
        self.store.add_derivation(derivation.clone()).expect("added");
        let staging = self.store.stage().expect("staged");
        let place = staging.path().join("out");
        std::fs::create_dir(&place).expect("created");
        std::fs::write(place.join("file"), content).expect("written");
        let result = BuildResult {
            derivation: derivation.digest(),
            name: derivation.name,
            action: ActionDigest::from_bytes([action; 32]),
            outputs: vec![(OutputName::out(), self.store.seal(staging, &place).expect("sealed"))],
            runtime: runtime.iter().cloned().collect(),
            cost: BuildCost { finished: 1, duration_ms: 2, cpu_ms: 3, memory: 4 },
        };
        self.store.publish_build(result).expect("published").remove(0)
    }

    fn gc(&self) -> Vec<StorePath> {
        let report = self.store.collect_garbage(&GcPolicy::default()).expect("collected");
        report.plan.dead.into_iter().map(|node| node.path).collect()
    }

    fn assert_sound(&self) {
        assert_eq!(self.store.verify(None, true).expect("verified"), []);
    }
}

#[test]
fn what_is_added_is_sealed_shared_and_found_again() {
    let fixture = Fixture::new();
    let first = fixture.add("a", &[("x", "same"), ("d/y", "same"), ("z", "other")]);
    let second = fixture.add("b", &[("w", "same")]);
    let host = |path: &StorePath, file: &str| fixture.store.host_path(path).join(file);
    let inode = |path: &Path| path.metadata().expect("there").ino();
    assert_eq!(inode(&host(&first, "x")), inode(&host(&first, "d/y")), "equal files of one tree share an inode");
    assert_eq!(inode(&host(&first, "x")), inode(&host(&second, "w")), "equal files of two trees share an inode");
    for (file, mode) in [("", 0o555), ("d", 0o555), ("x", 0o444)] {
        assert_eq!(host(&first, file).metadata().expect("there").permissions().mode() & 0o7777, mode, "{file}");
    }
    assert_eq!(host(&first, "x").metadata().expect("there").mtime(), 1);
    let info = fixture.store.path_info(&first).expect("asked").expect("valid");
    assert_eq!((info.files, info.bytes), (3, 13));
    let text = first.tree().expect("a tree").to_string();
    assert_eq!(fixture.store.lookup(&text[..10]).expect("unique"), first);
    assert!(matches!(fixture.store.lookup(&text[..7]), Err(LookupError::Form(_))));
    assert!(matches!(fixture.store.lookup("aaaaaaaaaaaa"), Err(LookupError::Unknown(_))));
    fixture.assert_sound();
}

#[test]
fn equal_trees_have_equal_paths_whatever_their_modes_and_times() {
    let fixture = Fixture::new();
    let first = fixture.add("a", &[("x", "1")]);
    std::fs::set_permissions(fixture.directory.path().join("source/x"), std::fs::Permissions::from_mode(0o640))
        .expect("changed");
    let again = fixture.store.add_path(&fixture.directory.path().join("source"), name("a"), None).expect("added");
    assert_eq!(first, again);
    std::fs::set_permissions(fixture.directory.path().join("source/x"), std::fs::Permissions::from_mode(0o740))
        .expect("changed");
    let executable = fixture.store.add_path(&fixture.directory.path().join("source"), name("a"), None).expect("added");
    assert_ne!(first, executable, "the executable bit counts");
}

#[test]
fn sockets_and_pipes_are_refused_by_name() {
    let fixture = Fixture::new();
    let source = fixture.directory.path().join("special");
    std::fs::create_dir(&source).expect("created");
    let _socket = std::os::unix::net::UnixListener::bind(source.join("talk")).expect("bound");
    let error = fixture.store.add_path(&source, name("a"), None).expect_err("a socket");
    assert!(error.to_string().contains("special/talk is a socket"), "{error}");
    assert!(fixture.store.paths().expect("asked").is_empty());
}

#[test]
fn links_are_kept_and_never_followed() {
    let fixture = Fixture::new();
    let source = fixture.directory.path().join("links");
    std::fs::create_dir(&source).expect("created");
    symlink("/etc/passwd", source.join("l")).expect("linked");
    let path = fixture.store.add_path(&source, name("a"), None).expect("added");
    let target = std::fs::read_link(fixture.store.host_path(&path).join("l")).expect("a link");
    assert_eq!(target, Path::new("/etc/passwd"));
    symlink(&source, fixture.directory.path().join("outer")).expect("linked");
    let outer = fixture.store.add_path(&fixture.directory.path().join("outer"), name("o"), None).expect("added");
    assert!(fixture.store.host_path(&outer).symlink_metadata().expect("there").is_symlink());
}

#[test]
fn references_are_found_and_kept_alive() {
    let fixture = Fixture::new();
    let library = fixture.add("library", &[("lib", "code")]);
    let program = fixture.add("program", &[("bin", &format!("needs {library}/lib"))]);
    let stranger = fixture.add("stranger", &[("x", "y")]);
    assert_eq!(fixture.store.references(&program).expect("asked"), std::slice::from_ref(&library));
    assert_eq!(fixture.store.referrers(&library).expect("asked"), std::slice::from_ref(&program));
    let closure = fixture.store.closure(std::slice::from_ref(&program)).expect("closed");
    assert_eq!(closure, BTreeSet::from([library.clone(), program.clone()]));
    fixture.store.add_root("keep", &program).expect("rooted");
    let fixture = fixture.reopen();
    assert_eq!(fixture.gc(), [stranger]);
    assert!(fixture.store.is_valid(&library).expect("asked"));
    fixture.assert_sound();
}

#[test]
fn a_collection_takes_what_nothing_holds_and_frees_its_files() {
    let fixture = Fixture::new();
    let kept = fixture.add("kept", &[("shared", "shared content"), ("own", "1")]);
    let dead = fixture.add("dead", &[("shared", "shared content"), ("own", "23456")]);
    assert_eq!(fixture.gc(), [], "this process holds both");
    let link = fixture.directory.path().join("result");
    fixture.store.add_root_link(&link, &kept).expect("rooted");
    let fixture = fixture.reopen();
    let plan = fixture.store.plan_gc(&GcPolicy::default()).expect("planned");
    assert!(fixture.store.is_valid(&dead).expect("asked"), "a plan changes nothing");
    let root = fixture.store.roots().expect("listed").remove(0).name;
    let through = HeldThrough { holder: Holder::Root(root), chain: vec![kept.clone()] };
    let why = fixture.store.explain_gc(&GcPolicy::default(), &[], &kept).expect("explained");
    assert_eq!(why, Explanation::Held(vec![through]));
    let report = fixture.store.collect_garbage(&GcPolicy::default()).expect("collected");
    assert_eq!(report.freed, plan.freed);
    assert!(!fixture.store.host_path(&dead).exists() && fixture.store.host_path(&kept).exists());
    fixture.assert_sound();
    std::fs::remove_file(&link).expect("removed");
    assert_eq!(fixture.gc(), [kept], "a link that is gone holds nothing");
}

#[test]
fn the_first_realisation_is_kept_and_a_second_one_is_a_conflict() {
    let fixture = Fixture::new();
    let first = fixture.build(1, "one", &[]);
    assert_eq!(first.conflict, None);
    let second = fixture.build(1, "two", &[]);
    assert_eq!(second.path, first.path);
    assert!(second.conflict.is_some());
    let action = ActionDigest::from_bytes([1; 32]);
    let found = fixture.store.realised_path(&action, &OutputName::out(), &name("package-1")).expect("asked");
    assert_eq!(found, Some(first.path.clone()));
    assert_eq!(fixture.store.derivers(&first.path).expect("asked").len(), 1);
    fixture.assert_sound();
}

#[test]
fn an_output_that_was_collected_can_be_realised_anew() {
    let fixture = Fixture::new();
    let first = fixture.build(1, "one", &[]).path;
    let fixture = fixture.reopen();
    assert!(fixture.gc().contains(&first));
    let other = fixture.build(1, "two", &[]);
    assert_eq!(other.conflict, None, "there is nothing left to conflict with");
    let action = ActionDigest::from_bytes([1; 32]);
    let found = fixture.store.realised_path(&action, &OutputName::out(), &name("package-1")).expect("asked");
    assert_eq!(found, Some(other.path));
}

#[test]
fn a_new_name_for_a_realised_tree_costs_a_tree_of_links() {
    let fixture = Fixture::new();
    let first = fixture.build(1, "one", &[]).path;
    let action = ActionDigest::from_bytes([1; 32]);
    let renamed = fixture.store.realised_path(&action, &OutputName::out(), &name("renamed")).expect("asked");
    let renamed = renamed.expect("the tree is there");
    assert_eq!((renamed.tree(), renamed.name().as_str()), (first.tree(), "renamed"));
    fixture.assert_sound();
}

#[test]
fn declared_run_time_dependencies_are_kept_alive() {
    let fixture = Fixture::new();
    let library = fixture.build(1, "library", &[]).path;
    let program = fixture.build(2, "program", std::slice::from_ref(&library)).path;
    fixture.store.add_root("program", &program).expect("rooted");
    let fixture = fixture.reopen();
    fixture.gc();
    assert!(fixture.store.is_valid(&library).expect("asked"));
    assert_eq!(fixture.store.runtime(&program).expect("asked"), std::slice::from_ref(&library));
    assert_eq!(fixture.store.referrers(&library).expect("asked"), [program]);
}

#[test]
fn records_that_the_disk_lost_are_noticed() {
    let fixture = Fixture::new();
    fixture.store.add_derivation(derivation(1)).expect("added");
    let path = fixture.add("tree", &[("file", "content")]);
    let records = fixture.directory.path().join("store/records");
    let segments: Vec<_> =
        std::fs::read_dir(records).expect("listed").map(|entry| entry.expect("one").path()).collect();
    let [segment] = &segments[..] else { panic!("one process writes to one segment") };
    let file = std::fs::File::options().write(true).open(segment).expect("opened");
    file.set_len(file.metadata().expect("there").len() - 30).expect("cut");
    let fixture = fixture.reopen();
    fixture.store.add_derivation(derivation(2)).expect("added");
    assert!(fixture.store.listing(&path.tree().expect("a tree")).is_ok(), "the listing is made anew");
    let problems = fixture.store.verify(None, true).expect("verified");
    assert_eq!(problems.iter().map(Problem::kind).collect::<Vec<_>>(), ["lost-records"]);
}

#[test]
fn damage_is_found_and_named() {
    let fixture = Fixture::new();
    let path = fixture.add("p", &[("bit", "content"), ("gone", "x"), ("d/mode", "y")]);
    let host = fixture.store.host_path(&path);
    let writable = |file: &Path, mode| {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).expect("changed");
    };
    writable(&host, 0o755);
    writable(&host.join("bit"), 0o644);
    std::fs::write(host.join("bit"), "Content").expect("written");
    writable(&host.join("bit"), 0o444);
    std::fs::remove_file(host.join("gone")).expect("removed");
    writable(&host.join("d/mode"), 0o555);
    std::fs::write(host.join("extra"), "").expect("written");
    let problems: BTreeSet<_> =
        fixture.store.verify(None, true).expect("verified").iter().map(Problem::to_string).collect();
    for expected in
        ["/bit has other content", "/gone is missing", "/d/mode has another mode", "/extra does not belong there"]
    {
        assert!(problems.contains(&format!("{path}{expected}")), "{expected} is not among {problems:?}");
    }
    assert!(
        problems.iter().any(|problem| problem.contains("objects/") && problem.contains("is not what its name says"))
    );
    let quick = fixture.store.verify(Some(&[path]), false).expect("verified");
    assert!(!quick.iter().any(|problem| problem.to_string().contains("/bit has other content")), "only contents tell");
}

#[test]
fn a_store_of_another_format_is_refused() {
    let fixture = Fixture::new();
    let format = fixture.directory.path().join("store/format");
    std::fs::write(&format, "larder store 2\n").expect("written");
    let opened = LocalStore::open(&fixture.directory.path().join("store"), OpenOptions::default());
    assert!(matches!(opened, Err(StoreError::Format { found, .. }) if found == "larder store 2"));
}

#[test]
fn what_an_unfinished_publication_left_is_cleaned_up() {
    let fixture = Fixture::new();
    let tmp = fixture.store.layout().tmp();
    let leftover = tmp.join("1-0-deadbeef");
    std::fs::create_dir_all(leftover.join("tree/d")).expect("created");
    std::fs::set_permissions(leftover.join("tree/d"), std::fs::Permissions::from_mode(0o555)).expect("changed");
    let own = fixture.store.stage().expect("staged");
    fixture.gc();
    assert!(!leftover.exists(), "process 1 holds no lease");
    assert!(own.path().exists(), "what this process stages stays");
}

/// A tree that is one file lies in `tmp/` itself, which is everybody's.
#[test]
fn a_file_that_two_builds_made_is_published_once() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let tmp = store.layout().tmp();
    let before = tmp.metadata().expect("there").mode();
    let seal = || {
        let staging = store.reserve().expect("reserved");
        let place = staging.path().to_owned();
        assert!(!place.exists());
        std::fs::write(&place, "the same").expect("written");
        store.seal(staging, &place).expect("sealed")
    };
    // Neither sees the other: only who is published second finds the object.
    let (first, second) = (seal(), seal());
    let paths = [first, second].map(|sealed| store.publish(sealed, name("made")).expect("published"));
    let third = seal();
    assert_eq!(
        third.path().metadata().expect("there").nlink(),
        3,
        "a link to the object, which the tree in the store is"
    );
    assert_eq!((&paths[0], third.digest()), (&paths[1], paths[0].tree().expect("a tree")));
    assert_eq!(tmp.metadata().expect("there").mode(), before);
    drop(third);
    assert_eq!(names(&tmp), BTreeSet::new(), "nothing is left");
    fixture.assert_sound();
}

/// What is lent looks as it will when it is published, and stays as long as it is needed.
#[test]
fn trees_are_lent_while_they_are_published() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let files = [("d/program", "#!/bin/sh\n"), ("file", "content")];
    let mut prepared = Vec::new();
    let mut lent = Vec::new();
    for number in [1, 2, 3] {
        // The second is as the first, of another action.
        let files = if number == 3 { &files[..1] } else { &files[..] };
        let mut build = store.prepare_build(build(store, number, files, BTreeSet::new()).unwrap()).unwrap();
        lent.push((store.lend(&mut build).unwrap().remove(0), build.outputs()[0].path.clone()));
        prepared.push(build);
    }
    for ((path, sealed), output) in &lent {
        assert_eq!(path, output);
        assert!(!store.is_valid(path).unwrap(), "it is not published yet");
        assert_eq!(std::fs::read(sealed.path().join("d/program")).unwrap(), b"#!/bin/sh\n");
    }
    let modes = |place: &Path| ["", "d", "d/program"].map(|name| place.join(name).metadata().unwrap().mode());
    let before: Vec<_> = lent.iter().map(|((_, sealed), _)| modes(sealed.path())).collect();
    store.publish_builds(prepared).unwrap();
    for (((path, sealed), _), before) in lent.iter().zip(before) {
        assert_eq!((modes(&store.host_path(path)), modes(sealed.path())), (before, before));
    }
    assert_sound(store);
    drop(lent);
    assert_eq!(names(&store.layout().tmp()), BTreeSet::new(), "nothing is left");
    assert_sound(store);
}
