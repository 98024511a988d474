//! What several tests need: opening stores, small trees and builds, and the check that a store is sound.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use store::derivation::{Derivation, OutputName};
use store::gc::GcPolicy;
use store::local::publish::{BuildResult, Published};
use store::local::{BuildCost, LocalStore, OpenOptions, StoreError};
use store::{ActionDigest, Node, StoreName, StorePath};

/// If this variable is set, tests that try some of many cases, or for some time, try all, or for minutes.
pub(crate) const LONG: &str = "LARDER_TEST_LONG";

/// Says what a test has done or could not do here. What a test prints is seen only when it fails; this is seen always.
pub(crate) fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A process of this binary, for one of its tests that is none of its own: who calls it says so in a variable.
pub(crate) fn child(test: &str) -> Command {
    child_of(&std::env::current_exe().expect("a test binary"), test)
}

/// The same of a copy of it.
pub(crate) fn child_of(binary: &Path, test: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(["--exact", test, "--nocapture"]);
    command
}

/// Runs a process of this binary, whose test must be there and pass.
pub(crate) fn succeed(command: &mut Command) {
    let output = command.output().expect("started");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Says in which circumstances a check failed.
#[expect(clippy::print_stderr, reason = "the test harness decides who sees it")]
pub(crate) fn guarded(circumstances: &str, check: impl FnOnce()) {
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)) {
        eprintln!("{circumstances}");
        std::panic::resume_unwind(panic);
    }
}

/// A valid name.
pub(crate) fn name(text: &str) -> StoreName {
    StoreName::parse(text).expect("a valid name")
}

/// A directory that is removed when this is dropped, with what is sealed in it: an ordinary user cannot do that as it is.
#[derive(Debug)]
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        make_writable(self.path());
    }
}

/// A directory in memory where there is one: these tests kill processes, not power.
pub(crate) fn scratch() -> Scratch {
    let memory = Path::new("/dev/shm");
    Scratch(if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a directory"))
}

/// One on a disk, where a file can have only so many links and syncs are waited for.
pub(crate) fn scratch_on_disk() -> Scratch {
    Scratch(tempfile::tempdir().expect("a directory"))
}

/// Lets this user change and remove directories that are sealed.
pub(crate) fn make_writable(directory: &Path) {
    let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755));
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

/// Opens the store in `root`. Without syncs: no test can cut the power.
pub(crate) fn open(root: &Path) -> LocalStore {
    LocalStore::open(root, OpenOptions { durable: false }).expect("opened")
}

/// Writes files below `directory`, with the directories they need.
pub(crate) fn write_files(directory: &Path, files: &[(&str, &str)]) {
    std::fs::create_dir_all(directory).expect("created");
    for (path, content) in files {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().expect("below the directory")).expect("created");
        std::fs::write(path, content).expect("written");
    }
}

/// A derivation without inputs.
pub(crate) fn derivation(number: u8) -> Derivation {
    Derivation {
        name: name(&format!("package-{number}")),
        system: "x86_64-linux".to_owned(),
        builder: "/bin/sh".to_owned(),
        args: Vec::new(),
        env: Default::default(),
        inputs: BTreeSet::new(),
        root: Vec::new(),
        overrides: Vec::new(),
        runtime: Vec::new(),
        outputs: BTreeSet::from([OutputName::out()]),
        fixed: None,
    }
}

/// Publishes what building `derivation(number)` is said to have made.
pub(crate) fn publish_build(
    store: &LocalStore,
    number: u8,
    files: &[(&str, &str)],
    runtime: BTreeSet<StorePath>,
) -> Result<Published, StoreError> {
    Ok(store.publish_build(build(store, number, files, runtime)?)?.remove(0))
}

/// The same, sealed but not published.
pub(crate) fn build(
    store: &LocalStore,
    number: u8,
    files: &[(&str, &str)],
    runtime: BTreeSet<StorePath>,
) -> Result<BuildResult, StoreError> {
    let derivation = derivation(number);
    store.add_derivation(derivation.clone())?;
    let staging = store.stage()?;
    let place = staging.path().join("out");
    write_files(&place, files);
    Ok(BuildResult {
        derivation: derivation.digest(),
        name: derivation.name,
        action: ActionDigest::from_bytes([number; 32]),
        outputs: vec![(OutputName::out(), store.seal(staging, &place)?)],
        runtime,
        cost: BuildCost { finished: moment(), duration_ms: 2, cpu_ms: 3, memory: 4 },
    })
}

/// A number that is larger every time, also in other processes: tests make many builds in a second, of which a rebuilt index must
/// know which was first.
fn moment() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after the epoch");
    u64::try_from(now.as_nanos()).expect("before the year 2554")
}

/// A seed that is another one every time.
pub(crate) fn seed_of_now() -> u64 {
    moment() % 1_000_000_000
}

/// The most memory that this process has had since the last time, in MiB.
pub(crate) fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("readable");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    std::fs::write("/proc/self/clear_refs", "5").expect("forgotten");
    kilobytes >> 10
}

/// The names in a directory.
pub(crate) fn names(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).expect("readable");
    entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}

/// Checks that every byte is in its place.
pub(crate) fn assert_sound(store: &LocalStore) {
    let problems: Vec<_> = store.verify(None, true).expect("verified").iter().map(ToString::to_string).collect();
    assert_eq!(problems, [""; 0]);
}

/// Collects garbage in a store that nobody else uses, and checks that nothing superfluous is left of it.
pub(crate) fn assert_clean_after_collection(store: &LocalStore) {
    store.collect_garbage(&GcPolicy::default()).expect("collected");
    assert_sound(store);
    let layout = store.layout();
    assert_eq!(names(&layout.tmp()), BTreeSet::new(), "leftovers in tmp/");
    assert_eq!(names(&layout.trash()), BTreeSet::new(), "leftovers in trash/");
    let indexed: BTreeSet<_> = store.paths().expect("asked").iter().map(|info| info.path.base_name()).collect();
    assert_eq!(names(&layout.store()), indexed, "store/ and the index differ");
    let needed = needed_objects(store);
    for directory in names(&layout.objects()) {
        for object in names(&layout.objects().join(&directory)) {
            let place = layout.objects().join(&directory).join(&object);
            // A tree may have a copy of it, where no further link could be made.
            let is_used = place.metadata().expect("there").nlink() > 1 || needed.contains(&object);
            assert!(is_used, "object {object} belongs to no tree");
        }
    }
}

/// The names of all objects that valid trees are made of.
fn needed_objects(store: &LocalStore) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for info in store.paths().expect("asked") {
        let listing = store.listing(&info.path.tree().expect("a tree")).expect("kept");
        let mut collect = |node: &Node| {
            if let Node::File { blob, executable, .. } = node {
                needed.insert(format!("{blob}{}", if *executable { "-x" } else { "" }));
            }
        };
        collect(listing.root());
        listing.walk(&mut |_, node| collect(node));
    }
    needed
}
