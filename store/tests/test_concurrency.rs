//! Several processes at one store, all adding, building, evaluating, rooting and collecting, and some of them killed wherever they are:
//! nothing that is held or rooted is ever lost.
//!
//! The children are this test binary itself; a child that loses something fails.

use crate::support::{
    self, LONG, assert_clean_after_collection, assert_sound, derivation, name, open, publish_build, say, scratch,
    write_files,
};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::derivation::OutputName;
use store::gc::GcPolicy;
use store::local::LocalStore;
use store::{EncodedDerivation, Input, StorePath};

const DIRECTORY: &str = "STORE_TEST_CONCURRENT_DIRECTORY";
const ROLE: &str = "STORE_TEST_CONCURRENT_ROLE";

/// What a process does, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Rebuild,
    Collect,
    Verify,
    Import,
    Evaluate,
}

/// Eight that add, build, evaluate and root, and those that make it hard for them.
const ROLES: [Role; 13] = {
    use Role::{Collect, Evaluate, Import, Rebuild, Verify};
    [Rebuild, Collect, Collect, Collect, Verify, Import, Import, Import, Import, Import, Evaluate, Evaluate, Evaluate]
};

/// Minutes with `LARDER_TEST_LONG`.
fn run_time() -> Duration {
    Duration::from_secs(if std::env::var_os(LONG).is_some() { 300 } else { 8 })
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Not a test of its own: one of the processes. It ends when it is told to, after a whole round.
#[test]
fn child() {
    let (Some(directory), Some(role)) = (std::env::var_os(DIRECTORY), std::env::var_os(ROLE)) else { return };
    let directory = Path::new(&directory);
    let number: usize = role.into_string().expect("text").parse().expect("a number");
    let mut random =
        Random((u64::from(std::process::id()) << 8 | number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let rounds = directory.join(format!("rounds-{:?}", ROLES[number]));
    loop {
        round(directory, number, random.next());
        let mut rounds = std::fs::File::options().append(true).create(true).open(&rounds).expect("opened");
        rounds.write_all(b".").expect("counted");
        if directory.join("stop").exists() {
            break;
        }
    }
}

fn round(directory: &Path, number: usize, random: u64) {
    let store = open(&directory.join("store"));
    match ROLES[number] {
        Role::Rebuild => assert_eq!(store.rebuild_index().expect("rebuilt").discarded, 0),
        Role::Collect => drop(store.collect_garbage(&GcPolicy::default()).expect("collected")),
        // Whatever is being published and collected meanwhile, nothing is wrong.
        Role::Verify => {
            assert_sound(&store);
            check_roots(&store);
        }
        Role::Import => import(&store, directory, number, random),
        Role::Evaluate => evaluate(&store, number, random),
    }
}

/// What is rooted is there. A root may be moved meanwhile: then it is another process that looks after what it named.
fn check_roots(store: &LocalStore) {
    let roots = store.roots().expect("listed");
    let targets: Vec<_> = roots.iter().filter_map(|root| root.target.clone()).collect();
    store.hold(&targets).expect("held");
    let still = store.roots().expect("listed");
    for root in roots.iter().filter(|root| still.iter().any(|now| now.name == root.name && now.target == root.target)) {
        let target = root.target.as_ref().expect("a target");
        assert!(store.is_valid(target).expect("asked"), "{target} is rooted by {} and lost", root.name);
    }
}

/// What an evaluation does: sources, and many derivations that name each other and them, all at once. The last one is rooted.
fn evaluate(store: &LocalStore, number: usize, random: u64) {
    let root = format!("r{number}");
    // From the round before, which may have been another process's.
    if let Some(before) = store.roots().expect("listed").into_iter().find(|found| found.name == root) {
        check_derivations(store, &before.target.expect("a target"));
    }
    let text = format!("source {}", random % 5);
    let source = store.add_bytes(text.as_bytes(), false, name("source")).expect("added");
    let mut last: Option<StorePath> = None;
    let mut derivations = Vec::new();
    for position in 0..20 {
        let mut derivation = derivation(position);
        derivation.args = vec![format!("{}", random >> 8 & 7)];
        derivation.inputs.insert(Input::Tree(source.clone()));
        derivation.inputs.extend(last.map(|derivation| Input::Output { derivation, output: OutputName::out() }));
        let encoded = EncodedDerivation::new(derivation).expect("encoded");
        last = Some(encoded.path().clone());
        derivations.push(Arc::new(encoded));
    }
    store.add_derivations(&derivations).expect("added");
    let last = last.expect("there are some");
    check_derivations(store, &last);
    if random >> 32 & 3 == 0 {
        let _ = store.remove_root(&root);
    }
    store.add_root(&root, &last).expect("rooted");
    check_derivations(store, &last);
}

/// A derivation is kept with all that it needs to be built.
fn check_derivations(store: &LocalStore, last: &StorePath) {
    let mut pending = vec![last.clone()];
    while let Some(path) = pending.pop() {
        let digest = path.derivation().expect("a derivation");
        let derivation = store.derivation(&digest).expect("kept");
        assert_eq!(derivation.digest(), digest);
        for input in derivation.all_inputs() {
            match input {
                Input::Tree(tree) => assert!(store.is_valid(tree).expect("asked"), "{tree} is lost"),
                Input::Output { derivation, .. } => pending.push(derivation.clone()),
            }
        }
    }
}

fn import(store: &LocalStore, directory: &Path, number: usize, random: u64) {
    let source = directory.join(format!("source-{number}"));
    let _ = std::fs::remove_dir_all(&source);
    let content = (random % 6).to_string();
    write_files(&source, &[("same", "in all trees"), ("d/one", &content), ("d/again", &content)]);
    let added = store.add_path(&source, name(&format!("n{}", random % 3)), None).expect("added");
    let user = store.add_bytes(format!("uses {added}").as_bytes(), false, name("user")).expect("added");
    let action = (random >> 8) as u8 % 4;
    // What an action needs at run time is part of what it is.
    let bytes = store.add_bytes(action.to_string().as_bytes(), true, name("bytes")).expect("added");
    let content = (random >> 16) as u8 % 2;
    let files = [("same", "in all trees"), ("out", ["first", "second"][usize::from(content)])];
    let built = publish_build(store, action, &files, BTreeSet::from([bytes.clone()])).expect("published").path;
    let held = [added, bytes, user, built];
    let root = format!("r{number}");
    if random >> 32 & 3 == 0 {
        // Whoever came before may not have come to make it.
        let _ = store.remove_root(&root);
    }
    store.add_root(&root, &held[(random >> 24) as usize % 4]).expect("rooted");
    let drv = derivation(action);
    store.add_derivation(drv.clone()).expect("added");
    assert_eq!(store.derivation(&drv.digest()).expect("held"), drv);
    check(store, &held);
    let action = store::ActionDigest::from_bytes([action; 32]);
    let other = store.realised_path(&action, &OutputName::out(), &name("renamed")).expect("asked");
    check(store, &[other.expect("it is held")]);
    check(store, &held);
}

/// What this process holds is whole.
fn check(store: &LocalStore, held: &[StorePath]) {
    for path in held {
        assert!(store.is_valid(path).expect("asked"), "{path} is lost");
    }
    let problems = store.verify(Some(held), true).expect("verified");
    assert!(problems.is_empty(), "{problems:?}");
    store.closure(held).expect("closed");
}

fn start(directory: &Path, number: usize) -> Child {
    let mut command = support::child("test_concurrency::child");
    command.env(DIRECTORY, directory).env(ROLE, number.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started")
}

/// What a process says that ended by itself and should not have.
fn failure(output: Output) -> Option<String> {
    let by_itself = output.status.code().is_some_and(|code| code != 0);
    by_itself.then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Has them all at work, and now and then one killed wherever it is, until the time is over or one fails. What those say that failed.
fn work_together(directory: &Path) -> Vec<String> {
    let began = Instant::now();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut failures = Vec::new();
    let mut killed = 0;
    // The store itself is made by whoever comes first.
    let mut children: Vec<_> = (0..ROLES.len()).map(|number| start(directory, number)).collect();
    while began.elapsed() < run_time() && failures.is_empty() {
        std::thread::sleep(Duration::from_millis(100 + random.next() % 300));
        let number = usize::try_from(random.next() % ROLES.len() as u64).expect("small");
        let mut victim = children.swap_remove(number);
        victim.kill().expect("killed");
        failures.extend(failure(victim.wait_with_output().expect("waited for")));
        killed += 1;
        children.push(start(directory, number));
        let last = children.len() - 1;
        children.swap(number, last);
    }
    std::fs::write(directory.join("stop"), "").expect("written");
    let ended = children.into_iter().map(|child| child.wait_with_output().expect("waited for"));
    failures.extend(ended.filter_map(failure));
    let rounds =
        |role: Role| std::fs::metadata(directory.join(format!("rounds-{role:?}"))).map_or(0, |data| data.len());
    let counts =
        [Role::Rebuild, Role::Collect, Role::Verify, Role::Import, Role::Evaluate].map(|role| (role, rounds(role)));
    say(format_args!("{killed} were killed; rounds: {counts:?}"));
    let is_idle = |role: Role| counts.contains(&(role, 0));
    assert!(
        ![Role::Collect, Role::Import, Role::Evaluate].into_iter().any(is_idle),
        "somebody did nothing: {counts:?}"
    );
    failures
}

/// Among them one that rebuilds the index, three that collect and one that verifies, all the time.
#[test]
fn many_processes_at_one_store() {
    let directory = scratch();
    let failures = work_together(directory.path());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let store = open(&directory.path().join("store"));
    assert_sound(&store);
    let roots = store.roots().expect("listed");
    let rooting = ROLES.iter().filter(|role| matches!(role, Role::Import | Role::Evaluate));
    assert_eq!(roots.len(), rooting.count());
    assert_clean_after_collection(&store);
    for target in roots.into_iter().map(|root| root.target.expect("a target")) {
        assert!(store.is_valid(&target).expect("asked"), "{target} is rooted");
        match target.tree() {
            Some(tree) => {
                let listing = store.listing(&tree).expect("kept");
                store.stage_listing(&listing, None).expect("every file has its object");
            }
            None => check_derivations(&store, &target),
        }
    }
}
