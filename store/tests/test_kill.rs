//! Killed processes: whatever a store was doing when SIGKILL came, it is whole, the work can be done again, and the next
//! collection cleans up.
//!
//! The child is this test binary itself. It is killed at random moments, and, where `strace` can be used, before every single
//! system call that changes the file system.

use crate::support::{
    assert_clean_after_collection, assert_sound, name, open, publish_build, say, scratch, write_files,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use store::StorePath;
use store::gc::GcPolicy;
use store::local::LocalStore;
use tempfile::TempDir;

/// What the child is to do, and in which directory.
const OPERATION: &str = "STORE_TEST_OPERATION";
const DIRECTORY: &str = "STORE_TEST_DIRECTORY";

const FILES: &[(&str, &str)] = &[("shared", "in two trees"), ("d/twice", "own"), ("d/e/twice", "own"), ("f", "more")];

/// A directory with a store, and something to add to it.
struct Scene {
    directory: TempDir,
}

impl Scene {
    /// A store with a rooted path, a path that is garbage, and a derivation.
    fn new() -> Self {
        let scene = Self { directory: scratch() };
        write_files(&scene.path("source"), FILES);
        write_files(&scene.path("rooted"), &[("shared", "in two trees"), ("own", "of the rooted")]);
        write_files(&scene.path("garbage"), &[("shared", "in two trees"), ("d/waste", "of the garbage")]);
        let store = open(&scene.path("store"));
        let rooted = store.add_path(&scene.path("rooted"), name("rooted"), None).expect("added");
        store.add_root("keep", &rooted).expect("rooted");
        store.add_path(&scene.path("garbage"), name("garbage"), None).expect("added");
        store.add_bytes(b"a garbage file", false, name("garbage-file")).expect("added");
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn rooted(&self, store: &LocalStore) -> StorePath {
        store.add_path(&self.path("rooted"), name("rooted"), None).expect("it is there")
    }

    /// What must hold after a kill.
    fn check(&self, operation: &str) {
        let store = open(&self.path("store"));
        assert_sound(&store);
        let roots = store.roots().expect("listed");
        let kept = roots.iter().find(|root| root.name == "keep").and_then(|root| root.target.clone()).expect("a root");
        assert!(store.is_valid(&kept).expect("asked"), "the root's path is lost");
        drop(store);
        let store = open(&self.path("store"));
        act(&store, self.directory.path(), operation);
        assert_sound(&store);
        drop(store);
        let store = open(&self.path("store"));
        assert_clean_after_collection(&store);
        assert_eq!(self.rooted(&store), kept);
        let copy = store.can_be_made_again(&kept);
        assert!(copy, "every file of what is valid has its object");
    }
}

/// Whether the tree of a path can be made once more from its objects alone.
trait Remake {
    fn can_be_made_again(&self, path: &StorePath) -> bool;
}

impl Remake for LocalStore {
    fn can_be_made_again(&self, path: &StorePath) -> bool {
        let listing = self.listing(&path.tree().expect("a tree")).expect("kept");
        self.stage_listing(&listing, None).is_ok_and(|sealed| sealed.digest() == listing.digest())
    }
}

/// One operation, as the child does it and as the parent repeats it.
fn act(store: &LocalStore, directory: &Path, operation: &str) {
    match operation {
        "add_path" => drop(store.add_path(&directory.join("source"), name("source"), None).expect("added")),
        "add_bytes" => drop(store.add_bytes(b"some bytes", true, name("bytes")).expect("added")),
        "publish_build" => {
            publish_build(store, 7, FILES, BTreeSet::new()).expect("published");
        }
        "collect_garbage" => drop(store.collect_garbage(&GcPolicy::default()).expect("collected")),
        "rebuild_index" => drop(store.rebuild_index().expect("rebuilt")),
        "open_without_index" => {}
        other => panic!("{other} is no operation"),
    }
}

/// Not a test of its own: what the other tests start and kill.
#[test]
fn child() {
    let (Some(operation), Some(directory)) = (std::env::var_os(OPERATION), std::env::var_os(DIRECTORY)) else { return };
    let (operation, directory) = (operation.into_string().expect("text"), PathBuf::from(directory));
    if operation == "mixed" {
        return mixed(&directory);
    }
    // All in this thread, so that the number of a system call says which one it is.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().expect("the first pool");
    let store = open(&directory.join("store"));
    act(&store, &directory, &operation);
    drop(store);
    std::fs::write(directory.join("finished"), "").expect("written");
}

/// Adds, builds, collects and rebuilds until killed.
fn mixed(directory: &Path) {
    let id = std::process::id();
    for round in 0u32.. {
        let store = open(&directory.join("store"));
        let number = format!("{}", (id + round) % 5);
        let source = directory.join(format!("mixed-{number}"));
        write_files(&source, &[("shared", "in two trees"), ("own", &number), ("d/again", &number)]);
        store.add_path(&source, name("mixed"), None).expect("added");
        store.add_bytes(number.as_bytes(), round % 2 == 0, name("mixed")).expect("added");
        act(&store, directory, "add_path");
        act(&store, directory, "publish_build");
        drop(store);
        let store = open(&directory.join("store"));
        act(&store, directory, if (id + round).is_multiple_of(3) { "rebuild_index" } else { "collect_garbage" });
    }
}

fn start(mut command: Command, directory: &Path, operation: &str) -> Child {
    command.args(["--exact", "test_kill::child", "--test-threads=1"]);
    command.env(OPERATION, operation).env(DIRECTORY, directory);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started")
}

fn this_binary() -> PathBuf {
    std::env::current_exe().expect("a test binary")
}

#[test]
fn at_random_moments() {
    let scene = Scene::new();
    let began = Instant::now();
    let mut kills = 0;
    let mut random = 0x2545_f491_4f6c_dd1du64;
    while began.elapsed() < Duration::from_secs(15) && kills < 300 {
        let mut child = start(Command::new(this_binary()), scene.directory.path(), "mixed");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_micros(5_000 + random % 60_000));
        child.kill().expect("killed");
        let status = child.wait().expect("waited for");
        assert_eq!(status.code(), None, "the child failed by itself");
        kills += 1;
        let store = open(&scene.path("store"));
        assert_sound(&store);
        drop(store);
        if kills % 4 == 0 {
            scene.check("add_path");
        }
    }
    say(format_args!("killed {kills} times"));
    scene.check("publish_build");
}

/// System calls that change what is on the disk or in the index, but for the writes of content between them.
const CHANGES: &str = "mkdir,mkdirat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,\
                       chmod,fchmod,fchmodat,?fchmodat2,ftruncate,utimensat,flock,pwrite64";

/// `strace` as it must be called to follow those.
fn strace(output: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-o"]).arg(output).arg(format!("-etrace={CHANGES}"));
    strace
}

fn can_trace() -> bool {
    let status = strace(Path::new("/dev/null")).arg("true").stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The changes an operation makes: name of the system call, and the how manieth of that name it is.
fn changes_of(scene: &Scene, operation: &str) -> Vec<(String, usize)> {
    let output = scene.path("trace");
    let mut command = strace(&output);
    command.arg(this_binary());
    assert!(start(command, scene.directory.path(), operation).wait().expect("waited for").success());
    let mut counts = BTreeMap::<String, usize>::new();
    let mut changes = Vec::new();
    for line in std::fs::read_to_string(output).expect("readable").lines() {
        let Some((call, _)) = line.split_once(' ').and_then(|(_, call)| call.split_once('(')) else { continue };
        let call = call.trim();
        if call.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            let count = counts.entry(call.to_owned()).or_default();
            *count += 1;
            // SQLite's transactions are its own to prove; a sample of the writes in them will do.
            let sampled = !line.contains("/index.db") || line.contains("index.db-wal>") && count.is_multiple_of(8);
            if sampled {
                changes.push((call.to_owned(), *count));
            }
        }
    }
    changes
}

/// Copies a scene's files with their links, so that each kill begins with the same store.
fn copy_of(scene: &Scene) -> Scene {
    let directory = scratch();
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(format!("{}/.", scene.directory.path().display())).arg(directory.path());
    assert!(copy.status().expect("cp runs").success());
    Scene { directory }
}

/// Kills an operation before its first, second, … change, up to its last.
fn before_every_change(operation: &str) {
    if !can_trace() {
        say("skipped: strace cannot be used here");
        return;
    }
    let scene = Scene::new();
    if operation == "open_without_index" {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(scene.path(&format!("store/index.db{ending}")));
        }
    }
    let changes = changes_of(&copy_of(&scene), operation);
    for (call, number) in &changes {
        let scene = copy_of(&scene);
        let mut command = strace(Path::new("/dev/null"));
        command.arg(format!("-einject={call}:signal=KILL:when={number}")).arg(this_binary());
        start(command, scene.directory.path(), operation).wait().expect("waited for");
        say(format_args!("{operation} killed before {call} {number}"));
        assert!(!scene.path("finished").exists(), "it was not killed");
        scene.check(operation);
    }
    say(format_args!("killed {} times", changes.len()));
}

#[test]
fn before_every_change_of_add_path() {
    before_every_change("add_path");
}

#[test]
fn before_every_change_of_add_bytes() {
    before_every_change("add_bytes");
}

#[test]
fn before_every_change_of_publish_build() {
    before_every_change("publish_build");
}

#[test]
fn before_every_change_of_collect_garbage() {
    before_every_change("collect_garbage");
}

#[test]
fn before_every_change_of_rebuild_index() {
    before_every_change("rebuild_index");
}

#[test]
fn before_every_change_of_opening_without_index() {
    before_every_change("open_without_index");
}
