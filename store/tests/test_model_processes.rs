//! The store against models of it, with several processes at once: each does random things under names of its own and knows what must come
//! of them, whatever the others add, collect, verify and rebuild meanwhile. What it holds or has rooted is there; what is there under its
//! names it has made.
//!
//! The processes are this test binary itself. What each does follows from a seed, which is printed; how they come between each other does not.

use crate::support::{
    self, LONG, Scratch, assert_clean_after_collection, assert_sound, guarded, name, open, publish_build, say, scratch,
    seed_of_now, write_files,
};
use crate::test_model::{Model, Step, any_step};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use store::derivation::OutputName;
use store::gc::GcPolicy;
use store::local::LocalStore;
use store::{ActionDigest, StorePath};

const DIRECTORY: &str = "STORE_TEST_MODEL_DIRECTORY";
const NUMBER: &str = "STORE_TEST_MODEL_NUMBER";
const SEED: &str = "STORE_TEST_MODEL_SEED";

const PROCESSES: u8 = 4;

/// How many actions a process knows: those of the next one come behind them.
const ACTIONS: u8 = 4;

/// More with `LARDER_TEST_LONG`.
fn steps_of_each() -> usize {
    if std::env::var_os(LONG).is_some() { 2000 } else { 60 }
}

/// What a process does.
fn steps(seed: u64) -> Vec<Step> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), random);
    let steps = prop::collection::vec(any_step(), steps_of_each()).new_tree(&mut runner);
    steps.expect("nothing is refused").current()
}

/// One process, and what it knows.
struct Worker {
    number: u8,
    directory: PathBuf,
    store: LocalStore,
    /// What the others may have collected is among its paths, too.
    model: Model,
    /// What nobody may collect.
    live: BTreeSet<StorePath>,
}

/// Whether a realisation counts: all that was ever said to be needed with its tree must be there. Others may have collected what was said
/// only before the tree itself was gone and came back.
fn counts(model: &Model, live: &BTreeSet<StorePath>, path: &StorePath) -> bool {
    live.contains(path) && model.ever[path].needs.is_subset(live)
}

impl Worker {
    fn new(directory: &Path, number: u8) -> Self {
        let store = open(&directory.join("store"));
        Self { number, directory: directory.to_owned(), store, model: Model::default(), live: BTreeSet::new() }
    }

    fn own(&self, what: &str) -> String {
        format!("p{}-{what}", self.number)
    }

    /// One of its paths, which stays from now on; none if others have collected it.
    fn pick(&mut self, index: Option<&prop::sample::Index>) -> Option<StorePath> {
        let path = self.model.pick(index)?;
        self.store.hold([&path]).expect("held");
        self.model.held[0].insert(path.clone());
        if self.store.is_valid(&path).expect("asked") {
            return Some(path);
        }
        assert!(!self.live.contains(&path), "{path} is lost");
        self.model.paths.remove(&path);
        None
    }

    /// Notes a path that is there now. Unless it was live before, it came back, and what it needed then may be about to be collected.
    fn insert(&mut self, path: StorePath, needs: Option<StorePath>) {
        self.model.insert(0, path.clone(), needs.clone());
        if !self.live.contains(&path) {
            self.model.paths.get_mut(&path).expect("inserted").needs = needs.into_iter().collect();
        }
    }

    /// Does something, and says which paths must be there after it.
    fn act(&mut self, step: &Step) -> Vec<StorePath> {
        match step {
            Step::Add { contents, mention } => {
                let mention = self.pick(mention.as_ref());
                let source = self.directory.join(self.own("source"));
                let _ = std::fs::remove_dir_all(&source);
                write_files(&source, &[]);
                for (number, content) in contents.iter().enumerate() {
                    write_files(&source, &[(&format!("d{}/f{number}", number % 2), &content.to_string())]);
                }
                if let Some(mention) = &mention {
                    write_files(&source, &[("mention", &mention.to_string())]);
                }
                let path = self.store.add_path(&source, name(&self.own("added")), None).expect("added");
                self.insert(path.clone(), mention);
                vec![path]
            }
            Step::AddBytes { content, executable } => {
                let path = self.store.add_bytes(&[*content], *executable, name(&self.own("bytes"))).expect("added");
                self.insert(path.clone(), None);
                vec![path]
            }
            Step::Build { action, content, needs } => {
                let needs = self.pick(needs.as_ref());
                self.build(self.number * ACTIONS + action, *content, needs)
            }
            Step::AddRoot { root, path } => {
                let Some(path) = self.pick(Some(path)) else { return Vec::new() };
                let root = self.own(&root.to_string());
                self.store.add_root(&root, &path).expect("rooted");
                self.model.roots.insert(root, path.clone());
                vec![path]
            }
            Step::RemoveRoot { root } => {
                let root = self.own(&root.to_string());
                assert_eq!(self.store.remove_root(&root).is_ok(), self.model.roots.remove(&root).is_some());
                Vec::new()
            }
            Step::Hold { path } => self.pick(Some(path)).into_iter().collect(),
            Step::Collect => {
                self.store.collect_garbage(&GcPolicy::default()).expect("collected");
                Vec::new()
            }
            Step::Verify => {
                assert_sound(&self.store);
                Vec::new()
            }
            Step::RebuildIndex => {
                assert_eq!(self.store.rebuild_index().expect("rebuilt").discarded, 0);
                Vec::new()
            }
            // Others use the index.
            Step::Reopen | Step::LoseIndex => {
                self.store = open(&self.directory.join("store"));
                self.model.held[0].clear();
                Vec::new()
            }
        }
    }

    fn build(&mut self, action: u8, content: u8, needs: Option<StorePath>) -> Vec<StorePath> {
        let text = format!("{action} {content}");
        let runtime = needs.iter().cloned().collect();
        let published = publish_build(&self.store, action, &[("out", &text)], runtime).expect("published");
        let earlier = self.model.realised.get(&action).cloned();
        // It is held before it is looked for.
        self.model.held[0].extend(earlier.clone());
        if let Some(loser) = published.conflict {
            assert_eq!(Some(&published.path), earlier.as_ref(), "the first realisation is kept");
            let loser = StorePath::from_tree(loser, published.path.name().clone()).expect("valid");
            for path in [&published.path, &loser] {
                self.insert(path.clone(), None);
            }
            return vec![published.path, loser];
        }
        if let Some(earlier) = earlier.filter(|earlier| *earlier != published.path) {
            assert!(!counts(&self.model, &self.live, &earlier), "{earlier} is lost");
        }
        self.insert(published.path.clone(), needs);
        self.model.realised.insert(action, published.path.clone());
        vec![published.path]
    }

    /// Checks that what was live still is, and that what the last step named is there. What has only now become live by that may
    /// have been collected before.
    fn check(&mut self, named: &[StorePath]) {
        loop {
            let live = self.model.live();
            let is_lost = |path: &&StorePath| !self.store.is_valid(path).expect("asked");
            let lost: Vec<_> = live.iter().filter(is_lost).cloned().collect();
            for path in &lost {
                let needing =
                    self.model.paths.iter().filter(|(_, facts)| facts.needs.contains(path)).map(|(needing, _)| needing);
                let how = (named.contains(path), self.model.held[0].contains(path), needing.collect::<Vec<_>>());
                assert!(!self.live.contains(path) && !how.0, "{path} is lost; named, held, needed by: {how:?}");
                self.model.paths.remove(path);
            }
            if lost.is_empty() {
                self.live = live;
                break;
            }
        }
        let live: Vec<_> = self.live.iter().cloned().collect();
        self.store.closure(&live).expect("closed");
        let is_own = |name: &str| name.starts_with(&self.own(""));
        let roots = self.store.roots().expect("listed").into_iter().filter(|root| is_own(&root.name));
        let roots: Vec<_> = roots.map(|root| (root.name, root.target.expect("named"))).collect();
        assert_eq!(roots, self.model.roots.clone().into_iter().collect::<Vec<_>>());
        for path in self.store.paths().expect("asked").into_iter().map(|info| info.path) {
            assert!(!is_own(path.name().as_str()) || self.model.ever.contains_key(&path), "{path} was never made");
        }
        for (action, path) in self.model.realised.iter().filter(|(_, path)| counts(&self.model, &self.live, path)) {
            let action = ActionDigest::from_bytes([*action; 32]);
            let found = self.store.realised_path(&action, &OutputName::out(), path.name()).expect("asked");
            assert_eq!(found.as_ref(), Some(path));
        }
    }

    /// Ends with nothing held but by roots, and writes down what must be there, and what may: also what was needed before it came back.
    fn finish(mut self) {
        self.model.held[0].clear();
        let live = self.model.live();
        self.model.paths = self.model.ever.clone();
        for (what, paths) in [("live", live), ("perhaps", self.model.live())] {
            let lines: String = paths.iter().map(|path| format!("{path}\n")).collect();
            std::fs::write(self.directory.join(self.own(what)), lines).expect("written");
        }
    }
}

/// Not a test of its own: one of the processes.
#[test]
fn child() {
    let variable = |name| std::env::var(name).ok();
    let (Some(directory), Some(number), Some(seed)) = (variable(DIRECTORY), variable(NUMBER), variable(SEED)) else {
        return;
    };
    let mut worker = Worker::new(Path::new(&directory), number.parse().expect("a number"));
    for (at, step) in steps(seed.parse().expect("a number")).iter().enumerate() {
        guarded(&format!("process {number}, step {at}, {step:?}"), || {
            let named = worker.act(step);
            worker.check(&named);
        });
    }
    worker.finish();
}

fn start(directory: &Scratch, number: u8, seed: u64) -> Child {
    let mut command = support::child("test_model_processes::child");
    command.env(DIRECTORY, directory.path()).env(NUMBER, number.to_string());
    command.env(SEED, seed.wrapping_add(number.into()).to_string());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started")
}

#[test]
fn processes_and_their_models_agree() {
    let seed = std::env::var(SEED).map_or_else(|_| seed_of_now(), |text| text.parse().expect("a number"));
    say(format_args!("{SEED}={seed} does the same again"));
    let directory = scratch();
    let children: Vec<_> = (0..PROCESSES).map(|number| start(&directory, number, seed)).collect();
    let ended: Vec<_> = children.into_iter().map(|child| child.wait_with_output().expect("waited for")).collect();
    // What one does wrong another one may suffer from.
    let failed = ended.iter().filter(|output| !output.status.success());
    let told: Vec<_> = failed.map(|output| String::from_utf8_lossy(&output.stderr)).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    let store = open(&directory.path().join("store"));
    assert_clean_after_collection(&store);
    let [live, perhaps] = ["live", "perhaps"].map(|what| {
        let of_one =
            |number| std::fs::read_to_string(directory.path().join(format!("p{number}-{what}"))).expect("written");
        let text: String = (0..PROCESSES).map(of_one).collect();
        text.lines().map(|line| line.parse::<StorePath>().expect("a path")).collect::<BTreeSet<_>>()
    });
    let there: BTreeSet<_> = store.paths().expect("asked").into_iter().map(|info| info.path).collect();
    assert!(live.is_subset(&there), "of {live:?} only {there:?} are left");
    // Whoever mentions a tree keeps all names of it.
    let trees = |paths: &BTreeSet<StorePath>| paths.iter().filter_map(StorePath::tree).collect::<BTreeSet<_>>();
    let left: Vec<_> = trees(&there).difference(&trees(&perhaps)).copied().collect();
    assert!(left.is_empty(), "nothing holds {left:?}");
}
