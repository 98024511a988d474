//! Faults at every effect: an operation is killed before its first, second, … change of the store directory, and each of them
//! fails with every error that a disk may give. Whatever comes of it, the store is whole, the work can be done, and the next
//! collection cleans up.
//!
//! The process that is killed, or in which effects fail, is this test binary itself.

use crate::fault_scene::{OPERATIONS, Operation, Scene, open_durable, operation};
use crate::support::{self, LONG, guarded, name, open, publish_build, say, seed_of_now, write_files};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::BlobDigest;
use store::gc::GcPolicy;
use store::local::{Effect, fault};

/// What the child is to do, in which directory, and at which effect what is to happen.
const OPERATION: &str = "STORE_TEST_OPERATION";
const DIRECTORY: &str = "STORE_TEST_DIRECTORY";
const NUMBER: &str = "STORE_TEST_EFFECT";
const FAULT: &str = "STORE_TEST_FAULT";

/// Which errors are tried when not all are, as a number; another one every time if it is not set.
const SEED: &str = "STORE_TEST_SEED";

const ERRORS: [Errno; 4] = [Errno::NOSPC, Errno::IO, Errno::MLINK, Errno::DQUOT];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill,
    Error(Errno),
}

impl Fault {
    fn to_text(self) -> String {
        match self {
            Self::Kill => "kill".to_owned(),
            Self::Error(error) => error.raw_os_error().to_string(),
        }
    }

    fn parse(text: &str) -> Self {
        text.parse().map_or(Self::Kill, |number| Self::Error(Errno::from_raw_os_error(number)))
    }

    fn strike(self) -> Result<(), Errno> {
        match self {
            Self::Kill => rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL),
            Self::Error(error) => Err(error),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn start(child: &str, operation: &str, scene: &Scene, fault: Option<(usize, Fault)>) -> Child {
    let mut command = support::child(&format!("test_faults::{child}"));
    command.env(OPERATION, operation).env(DIRECTORY, scene.directory.path());
    if let Some((number, fault)) = fault {
        command.env(NUMBER, number.to_string()).env(FAULT, fault.to_text());
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started")
}

/// Not a test of its own: does an operation; one of its effects fails or is the process's end. All effects are noted.
#[test]
fn child_with_a_fault() {
    let (Some(name), Some(directory)) = (variable(OPERATION), variable(DIRECTORY)) else { return };
    // All work in this thread, so that effects happen in the same order every time.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().expect("the first pool");
    let number = variable(NUMBER).map(|number| number.parse::<usize>().expect("a number"));
    let fault = variable(FAULT).map(|text| Fault::parse(&text));
    let effects = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&effects);
    fault::install(Arc::new(move |effect| {
        let mut noted = noted.lock().expect("no panic");
        noted.push(effect);
        if number == Some(noted.len() - 1) { fault.map_or(Ok(()), Fault::strike) } else { Ok(()) }
    }));
    let directory = PathBuf::from(directory);
    let expected = match fault {
        Some(Fault::Error(error)) => Some(error),
        _ => None,
    };
    act(operation(&name), &directory, expected);
    let lines: String = effects.lock().expect("no panic").iter().map(|effect| format!("{effect:?}\n")).collect();
    std::fs::write(directory.join("effects"), lines).expect("written");
}

/// Does an operation; if it fails because of an error that was made to happen, again with the same open store.
fn act(operation: &Operation, directory: &Path, expected: Option<Errno>) {
    let refused = |failure: &dyn std::error::Error| {
        assert!(expected.is_some_and(|error| says(failure, error)), "{failure:?}");
        fault::remove();
    };
    let store = match open_durable(&directory.join("store")) {
        Err(failure) => return refused(&failure),
        // What it can do is to be asked, until somebody opens it when there is room.
        Ok(store) if store.is_read_only() => {
            match (operation.act)(&store, directory) {
                Err(failure) => refused(&*failure),
                Ok(()) => fault::remove(),
            }
            return;
        }
        Ok(store) => store,
    };
    if let Err(failure) = (operation.act)(&store, directory) {
        refused(&*failure);
        (operation.act)(&store, directory).expect("repeated with the same store");
    }
    drop(store);
    fault::remove();
}

/// Whether an error or one of its causes tells the reason.
fn says(failure: &dyn std::error::Error, error: Errno) -> bool {
    let reason = std::io::Error::from(error).to_string();
    let reason = reason.split(" (os error").next().expect("a text").to_lowercase();
    let mut causes = std::iter::successors(Some(failure), |failure| failure.source());
    causes.any(|cause| cause.to_string().to_lowercase().contains(&reason))
}

/// The effects of an operation, in order.
fn effects_of(scene: &Scene, operation: &Operation) -> Vec<String> {
    let scene = scene.copy();
    finish(start("child_with_a_fault", operation.name, &scene, None));
    let effects = std::fs::read_to_string(scene.path("effects")).expect("readable");
    let effects: Vec<_> = effects.lines().map(str::to_owned).collect();
    assert!(!effects.is_empty(), "{} has no effects", operation.name);
    effects
}

/// Waits for a child that should succeed.
fn finish(child: Child) {
    let output = child.wait_with_output().expect("waited for");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Which effects are tried: all, but of the 256 equal directories of a new store only some.
fn tried(effects: &[String]) -> Vec<usize> {
    let is_directory = |index: usize| effects.get(index).is_some_and(|effect| effect == "MakeDirectory");
    let within = |index: usize| index > 0 && (index - 1..=index + 1).all(is_directory);
    (0..effects.len()).filter(|&index| !within(index) || index.is_multiple_of(50)).collect()
}

/// Lets a fault strike at every effect of operations, and checks what it leaves.
fn at_every_effect(operations: &'static [Operation], faults: impl Fn(&Operation, usize) -> Vec<Fault>) {
    for operation in operations {
        let scene = Scene::new(operation);
        let clean = scene.undisturbed(operation);
        let effects = effects_of(&scene, operation);
        let tried = tried(&effects);
        for &number in &tried {
            for fault in faults(operation, number) {
                // A tree that has a copy because links ran out may lose the object when the others are collected. Here links run out at
                // the second one, and the other is garbage; a repair makes the object again.
                if operation.damaged && fault == Fault::Error(Errno::MLINK) {
                    continue;
                }
                let scene = scene.copy();
                let told = format!("{}, {} at effect {number}, {}", operation.name, fault.to_text(), effects[number]);
                guarded(&told, || {
                    strike(&scene, operation, number, fault);
                    scene.check(operation, &clean);
                });
            }
        }
        say(format_args!("{}: {} of {} effects", operation.name, tried.len(), effects.len()));
    }
}

fn strike(scene: &Scene, operation: &Operation, number: usize, fault: Fault) {
    let mut child = start("child_with_a_fault", operation.name, scene, Some((number, fault)));
    match fault {
        Fault::Kill => assert_eq!(child.wait().expect("waited for").code(), None, "it was not killed"),
        Fault::Error(_) => finish(child),
    }
}

#[test]
fn killed_at_every_effect() {
    at_every_effect(OPERATIONS, |_, _| vec![Fault::Kill]);
}

/// All errors at each effect take long: otherwise one is drawn for each, so that all of them come up sooner or later.
#[test]
fn errors_at_every_effect() {
    if variable(LONG).is_some() {
        return at_every_effect(OPERATIONS, |_, _| ERRORS.map(Fault::Error).to_vec());
    }
    let seed = variable(SEED).map_or_else(seed_of_now, |text| text.parse().expect("a number"));
    say(format_args!("{SEED}={seed} draws the same errors"));
    at_every_effect(OPERATIONS, |operation, number| {
        let mut hasher = DefaultHasher::new();
        (seed, operation.name, number).hash(&mut hasher);
        vec![Fault::Error(ERRORS[usize::try_from(hasher.finish() % 4).expect("small")])]
    });
}

/// Not a test of its own: collects garbage, and links to an object just when it is being removed; then it is killed.
#[test]
fn child_that_loses_an_object() {
    let Some(directory) = variable(DIRECTORY).map(PathBuf::from) else { return };
    let store = open(&directory.join("store"));
    let other = open(&directory.join("store"));
    let object = PathBuf::from(variable(OPERATION).expect("the object"));
    let is_doomed = move || object.metadata().is_ok_and(|data| data.nlink() == 1);
    let linked = Arc::new(AtomicBool::new(false));
    fault::install(Arc::new(move |effect| {
        if linked.load(Ordering::SeqCst) && effect == Effect::Link {
            return Fault::Kill.strike();
        }
        if effect == Effect::Remove && is_doomed() {
            let again = other.add_bytes(b"a garbage file", false, name("again")).expect("added");
            assert!(!is_doomed(), "{again} has a link to it");
            linked.store(true, Ordering::SeqCst);
        }
        Ok(())
    }));
    store.collect_garbage(&GcPolicy::default()).expect("killed before this");
}

#[test]
fn an_object_that_was_linked_to_while_it_was_removed_comes_back() {
    // Made anew, so that nothing else is removed.
    let scene = Scene::new(operation("make"));
    open(&scene.store()).add_bytes(b"a garbage file", false, name("garbage-file")).expect("added");
    let digest = BlobDigest::of(b"a garbage file").to_string();
    let object = scene.store().join(format!("objects/{}/{digest}", &digest[..2]));
    let mut child = start("child_that_loses_an_object", object.to_str().expect("a text"), &scene, None);
    assert_eq!(child.wait().expect("waited for").code(), None, "it was not killed");
    assert!(!object.exists(), "it was killed too early or too late");
    let store = open(&scene.store());
    let path = store.paths().expect("asked").into_iter().find(|info| info.path.name().as_str() == "again");
    store.add_root("again", &path.expect("published").path).expect("rooted");
    drop(store);
    scene.collect();
    assert!(object.exists(), "the object is back");
}

/// Not a test of its own: adds, builds, collects and rebuilds until killed.
#[test]
fn child_that_does_everything() {
    let Some(directory) = variable(DIRECTORY) else { return };
    let directory = PathBuf::from(directory);
    let id = std::process::id();
    for round in 0u32.. {
        let store = open(&directory.join("store"));
        let number = format!("{}", (id + round) % 5);
        let source = directory.join(format!("mixed-{number}"));
        write_files(&source, &[("shared", "in two trees"), ("own", &number), ("d/again", &number)]);
        store.add_path(&source, name("mixed"), None).expect("added");
        store.add_bytes(number.as_bytes(), round % 2 == 0, name("mixed")).expect("added");
        publish_build(&store, 7, &[("shared", "in two trees"), ("f", "more")], BTreeSet::new()).expect("published");
        drop(store);
        let store = open(&directory.join("store"));
        if (id + round).is_multiple_of(3) {
            store.rebuild_index().expect("rebuilt");
        } else {
            store.collect_garbage(&GcPolicy::default()).expect("collected");
        }
    }
}

/// Also within SQLite, and with all threads at work.
#[test]
fn killed_at_random_moments() {
    let operation = operation("add_tree");
    let scene = Scene::new(operation);
    let clean = scene.undisturbed(operation);
    let limit = Duration::from_secs(if variable(LONG).is_some() { 180 } else { 6 });
    let began = Instant::now();
    let mut kills = 0;
    let mut random = 0x2545_f491_4f6c_dd1du64;
    while began.elapsed() < limit {
        let mut child = start("child_that_does_everything", "", &scene, None);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_micros(5_000 + random % 60_000));
        child.kill().expect("killed");
        let status = child.wait().expect("waited for");
        assert_eq!(status.code(), None, "the child failed by itself");
        kills += 1;
        scene.check_sound();
        if kills % 4 == 0 {
            scene.check(operation, &clean);
        }
    }
    say(format_args!("killed {kills} times"));
}
