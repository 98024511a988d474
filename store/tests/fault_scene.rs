//! What tests of faults have in common: a store with something in it, every operation that changes a store, and what must hold
//! after any of them was cut short.

use crate::support::{
    Scratch, assert_clean_after_collection, assert_sound, build, derivation, make_writable, name, names, open,
    publish_build, scratch, write_files,
};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use store::derivation::OutputName;
use store::gc::GcPolicy;
use store::local::{LocalStore, OpenOptions, Root, StoreError};
use store::{ActionDigest, EncodedDerivation, StorePath};

const FILES: &[(&str, &str)] = &[("shared", "in two trees"), ("d/twice", "own"), ("d/e/twice", "own"), ("f", "more")];

/// More than what is read in one piece.
const LARGE: usize = (4 << 20) + 1;

/// What `derivation(5)` resolved to at last, where it did; before that it was something else.
const LAST_ACTION: u8 = 2;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// One thing that can be done to a store.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// Makes of the scene what the operation is for.
    prepare: fn(&Scene),
    /// Whether something is wrong with the scene until it has been done.
    pub(crate) damaged: bool,
    /// Does it, on the store in the directory of a scene.
    pub(crate) act: fn(&LocalStore, &Path) -> Outcome,
}

/// Everything that changes a store.
pub(crate) const OPERATIONS: &[Operation] = &[
    plain("open", |_, _| Ok(())),
    Operation { name: "make", prepare: Scene::remove_store, damaged: false, act: |_, _| Ok(()) },
    Operation { name: "open_without_index", prepare: Scene::remove_index, damaged: false, act: |_, _| Ok(()) },
    plain("add_file", |store, directory| done(store.add_path(&directory.join("source/f"), name("file"), None))),
    plain("add_large_file", |store, directory| done(store.add_path(&directory.join("large"), name("large"), None))),
    plain("add_tree", |store, directory| done(store.add_path(&directory.join("source"), name("source"), None))),
    plain("add_bytes", |store, _| done(store.add_bytes(b"some bytes", true, name("bytes")))),
    plain("add_under_another_name", |store, _| {
        let action = ActionDigest::from_bytes([1; 32]);
        done(store.realised_path(&action, &OutputName::out(), &name("renamed")))
    }),
    plain("add_derivations", |store, _| {
        let encoded = |number| Ok::<_, StoreError>(Arc::new(EncodedDerivation::new(derivation(number))?));
        done(store.add_derivations(&[encoded(8)?, encoded(9)?]))
    }),
    plain("publish_build", |store, _| done(publish_build(store, 7, FILES, BTreeSet::new()))),
    plain("publish_builds", |store, _| {
        let mut lent = Vec::new();
        let mut prepared = Vec::new();
        for number in [7, 8, 9] {
            let mut build =
                store.prepare_build(build(store, number, &FILES[..number as usize - 6], BTreeSet::new())?)?;
            lent.extend(store.lend(&mut build)?);
            prepared.push(build);
        }
        done(store.publish_builds(prepared))
    }),
    plain("publish_conflict", |store, _| done(publish_build(store, 1, FILES, BTreeSet::new()))),
    plain("add_resolution", |store, _| {
        done(store.add_resolution(derivation(3).digest(), ActionDigest::from_bytes([1; 32])))
    }),
    plain("add_root", |store, _| Ok(store.add_root("new", &any_path(store)?)?)),
    plain("move_root", |store, _| Ok(store.add_root("movable", &any_path(store)?)?)),
    plain("add_root_link", |store, directory| Ok(store.add_root_link(&directory.join("result"), &any_path(store)?)?)),
    plain("remove_root", |store, _| match store.remove_root("movable") {
        // When the operation is repeated.
        Err(store::local::RootError::Unknown { .. }) => Ok(()),
        removed => Ok(removed?),
    }),
    plain("add_first_generation", |store, _| generation(store.add_generation("new", &any_path(store)?))),
    plain("add_generation", |store, _| generation(store.add_generation("profile", &any_path(store)?))),
    plain("roll_back", |store, _| generation(store.roll_back("profile", Some(1)))),
    plain("remove_generation", |store, _| match store.remove_root("profile-1-link") {
        Err(store::local::RootError::Unknown { .. }) => Ok(()),
        removed => Ok(removed?),
    }),
    plain("remove_profile", |store, _| match store.remove_profile("profile") {
        Err(store::local::RootError::NoProfile { .. }) => Ok(()),
        removed => Ok(removed?),
    }),
    plain("hold", |store, _| Ok(store.hold(&[any_path(store)?])?)),
    plain("touch", |store, _| Ok(store.touch(&[any_path(store)?])?)),
    plain("verify", |store, _| done(store.verify(None, true))),
    plain("rebuild_index", |store, _| done(store.rebuild_index())),
    plain("collect_garbage", |store, _| done(store.collect_garbage(&GcPolicy::default()))),
    Operation {
        name: "collect_what_a_collection_left",
        prepare: Scene::interrupt_collection,
        damaged: false,
        act: |store, _| done(store.collect_garbage(&GcPolicy::default())),
    },
    Operation {
        name: "collect_records",
        prepare: Scene::add_many_records,
        damaged: false,
        act: |store, directory| {
            store.collect_garbage(&GcPolicy::default())?;
            // Whoever appends takes up a segment that nobody else writes to: all of them, if there are so many.
            let others = [open_durable(&directory.join("store"))?, open_durable(&directory.join("store"))?];
            for store in others.iter().chain([store]) {
                store.add_resolution(derivation(6).digest(), ActionDigest::from_bytes([1; 32]))?;
            }
            Ok(())
        },
    },
    Operation {
        name: "repair",
        prepare: Scene::damage,
        damaged: true,
        act: |store, _| done(store.repair(&store.verify(None, true)?, None)),
    },
    Operation {
        name: "repair_segment",
        prepare: Scene::damage_segment,
        damaged: true,
        act: |store, _| done(store.repair(&store.verify(None, true)?, None)),
    },
    Operation {
        name: "repair_lost_records",
        prepare: Scene::lose_records,
        damaged: true,
        act: |store, _| done(store.repair(&store.verify(None, true)?, None)),
    },
];

const fn plain(name: &'static str, act: fn(&LocalStore, &Path) -> Outcome) -> Operation {
    Operation { name, prepare: |_| (), damaged: false, act }
}

fn done<T>(result: Result<T, StoreError>) -> Outcome {
    Ok(result.map(drop)?)
}

fn generation(result: Result<store::local::Generation, store::local::RootError>) -> Outcome {
    Ok(result.map(drop)?)
}

/// The path that the root `keep` names, which no operation takes away; none in a store that is empty.
fn any_path(store: &LocalStore) -> Result<StorePath, Box<dyn Error>> {
    let root = store.roots()?.into_iter().find(|root| root.name == "keep").ok_or("no root")?;
    Ok(root.target.ok_or("a root without a target")?)
}

/// The operation of this name.
pub(crate) fn operation(name: &str) -> &'static Operation {
    OPERATIONS.iter().find(|operation| operation.name == name).expect("an operation of this name")
}

/// Opens a store as users do.
pub(crate) fn open_durable(root: &Path) -> Result<LocalStore, StoreError> {
    LocalStore::open(root, OpenOptions::default())
}

/// A directory with a store, and things to add to it.
pub(crate) struct Scene {
    pub(crate) directory: Scratch,
}

impl Scene {
    /// A store with rooted paths, a build, garbage, and a derivation; `operation` could be done next.
    pub(crate) fn new(operation: &Operation) -> Self {
        let scene = Self { directory: scratch() };
        write_files(&scene.path("source"), FILES);
        std::fs::write(scene.path("large"), vec![b'x'; LARGE]).expect("written");
        write_files(&scene.path("rooted"), &[("shared", "in two trees"), ("own", "of the rooted")]);
        write_files(&scene.path("garbage"), &[("shared", "in two trees"), ("d/waste", "of the garbage")]);
        let store = open(&scene.store());
        let rooted = store.add_path(&scene.path("rooted"), name("rooted"), None).expect("added");
        store.add_root("keep", &rooted).expect("rooted");
        let built = publish_build(&store, 1, &[("out", "built")], BTreeSet::new()).expect("published").path;
        store.add_root("built", &built).expect("rooted");
        for path in [&rooted, &built] {
            store.add_generation("profile", path).expect("added");
        }
        let movable = store.add_bytes(b"movable", false, name("movable")).expect("added");
        store.add_root("movable", &movable).expect("rooted");
        store.add_path(&scene.path("garbage"), name("garbage"), None).expect("added");
        store.add_bytes(b"a garbage file", false, name("garbage-file")).expect("added");
        store.add_derivation(derivation(2)).expect("added");
        drop(store);
        (operation.prepare)(&scene);
        scene
    }

    fn remove_store(&self) {
        make_writable(&self.store());
        std::fs::remove_dir_all(self.store()).expect("removed");
    }

    fn remove_index(&self) {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.store().join(format!("index.db{ending}")));
        }
    }

    /// As a collection leaves it that is killed after it has moved the dead away.
    fn interrupt_collection(&self) {
        let store = self.store();
        std::fs::write(store.join("trash/sweep-1-0-0"), "").expect("written");
        let garbage = names(&store.join("store")).into_iter().find(|name| name.ends_with("-garbage")).expect("there");
        make_writable(&store.join("store").join(&garbage));
        std::fs::rename(store.join("store").join(garbage), store.join("trash/dead-1-0-0")).expect("moved");
        open(&store).rebuild_index().expect("forgotten");
    }

    /// Most of the records are of something dead.
    fn add_many_records(&self) {
        let names: Vec<_> = (0..100).map(|number| format!("{number:0100}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), "the same")).collect();
        write_files(&self.path("many"), &many);
        let store = open(&self.store());
        store.add_path(&self.path("many"), name("many"), None).expect("added");
        let resolve = |store: &LocalStore, action| {
            store.add_resolution(derivation(5).digest(), ActionDigest::from_bytes([action; 32])).expect("recorded");
        };
        resolve(&store, 1);
        // In another segment, as long as the first one is open.
        let other = open(&self.store());
        publish_build(&other, LAST_ACTION, &[("out", "later")], BTreeSet::new()).expect("published");
        resolve(&other, LAST_ACTION);
    }

    /// A file of a rooted tree is another one than its object.
    fn damage(&self) {
        let store = self.store().join("store");
        let tree = names(&store).into_iter().find(|name| name.ends_with("-rooted")).expect("there");
        let place = store.join(tree);
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).expect("changed");
        std::fs::remove_file(place.join("own")).expect("removed");
        std::fs::write(place.join("own"), "not of the rooted").expect("written");
    }

    /// The last record, which is of a derivation that nobody needs, is cut.
    fn lose_records(&self) {
        let records = self.store().join("records");
        let segment = records.join(names(&records).first().expect("there"));
        let file = std::fs::File::options().write(true).open(segment).expect("opened");
        file.set_len(file.metadata().expect("there").len() - 30).expect("cut");
    }

    /// A byte of the first record is another one; that of a tree, which the tree itself can replace.
    fn damage_segment(&self) {
        let records = self.store().join("records");
        // The same name in every scene, for it is that of what is put aside.
        let segment = records.join("segment");
        std::fs::rename(records.join(names(&records).first().expect("there")), &segment).expect("renamed");
        open(&self.store()).rebuild_index().expect("rebuilt");
        let mut bytes = std::fs::read(&segment).expect("readable");
        bytes[60] ^= 1;
        std::fs::write(segment, bytes).expect("written");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// The same files with their links in another place, so that every run begins with the same store.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self { directory: scratch() };
        copy_files(self.directory.path(), copy.directory.path());
        copy
    }

    /// The store is whole: it opens, nothing visible is wrong, and what is rooted is there and can be made again from its objects.
    pub(crate) fn check_sound(&self) {
        let store = open(&self.store());
        assert_sound(&store);
        let roots = store.roots().expect("listed");
        for named in ["keep", "built"].iter().filter(|_| !roots.is_empty()) {
            assert!(roots.iter().any(|root| root.name == *named), "the root {named} is lost");
        }
        if let Some(built) = roots.iter().find(|root| root.name == "built") {
            let action = ActionDigest::from_bytes([1; 32]);
            let realised = store.realised_path(&action, &OutputName::out(), &name("package-1")).expect("asked");
            assert_eq!(realised, built.target, "the realisation is lost");
        }
        let resolved = store.resolution(&derivation(5).digest()).expect("asked");
        assert!(
            resolved.is_none_or(|action| action == ActionDigest::from_bytes([LAST_ACTION; 32])),
            "an older resolution"
        );
        // What a profile leads to is held.
        for link in names_if_any(&store.layout().profiles()) {
            let place = store.layout().profiles().join(&link).canonicalize().expect("it leads somewhere");
            let is_held = |root: &Root| root.target.as_ref().is_some_and(|target| store.host_path(target) == place);
            assert!(roots.iter().any(is_held), "{link} is not held");
        }
        // An automatic root is there before its link is.
        for path in roots.into_iter().filter_map(|root| root.target) {
            assert!(store.is_valid(&path).expect("asked"), "{path} is rooted and lost");
            let listing = store.listing(&path.tree().expect("a tree")).expect("kept");
            store.stage_listing(&listing, None).expect("every file has its object");
        }
    }

    /// The store is whole, the operation can be done, and the next collection leaves what it leaves after an undisturbed run.
    pub(crate) fn check(&self, operation: &Operation, clean: &Inventory) {
        if !operation.damaged {
            self.check_sound();
        }
        let store = open(&self.store());
        (operation.act)(&store, self.directory.path()).expect("repeated");
        drop(store);
        self.check_sound();
        assert_eq!(&self.collect(), clean, "after collecting");
        // Records are complete.
        open(&self.store()).rebuild_index().expect("rebuilt");
        self.check_sound();
    }

    /// Collects garbage, and says what is left.
    pub(crate) fn collect(&self) -> Inventory {
        let store = open(&self.store());
        assert_clean_after_collection(&store);
        drop(store);
        inventory(&self.store())
    }

    /// What a collection leaves when the operation was not disturbed.
    pub(crate) fn undisturbed(&self, operation: &Operation) -> Inventory {
        let scene = self.copy();
        let store = open(&scene.store());
        (operation.act)(&store, scene.directory.path()).expect("done");
        drop(store);
        scene.collect()
    }
}

fn names_if_any(directory: &Path) -> BTreeSet<String> {
    if directory.is_dir() { names(directory) } else { BTreeSet::new() }
}

/// Copies a directory, if it is there, with modes, times and links.
pub(crate) fn copy_files(from: &Path, to: &Path) {
    if !from.exists() {
        return;
    }
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(from.join(".")).arg(to);
    assert!(copy.status().expect("cp runs").success());
}

/// What takes space in a store, with the bytes it takes.
pub(crate) type Inventory = BTreeMap<String, u64>;

/// All but the index, and the records, of which a killed process may leave more.
fn inventory(store: &Path) -> Inventory {
    let mut found = Inventory::new();
    let mut pending: Vec<_> = ["store", "objects", "tmp", "trash", "roots", "profiles", "leases", "logs", "quarantine"]
        .map(|name| store.join(name))
        .into();
    while let Some(directory) = pending.pop() {
        // Some are made when they are first needed.
        for entry in std::fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.expect("readable").path();
            let data = path.symlink_metadata().expect("there");
            if data.is_dir() {
                pending.push(path.clone());
            }
            let is_fixed = directory == store.join("objects");
            if !is_fixed {
                // A segment may have grown before it was found to be damaged.
                let is_segment = directory == store.join("quarantine");
                let bytes = if data.is_file() && !is_segment { data.size() } else { 0 };
                let inside = path.strip_prefix(store).expect("below").to_string_lossy().into_owned();
                // The name of an automatic root is made from where its link lies.
                let inside = inside.split_once("auto-").map_or(inside.as_str(), |(start, _)| start);
                found.insert(inside.to_owned(), bytes);
            }
        }
    }
    found
}
