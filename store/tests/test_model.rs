//! The store against a model of it: whatever is done in whatever order by three that have it open, as processes have it, each with
//! its own lease, index and segment, both know the same paths and the same roots.

use crate::support::{
    LONG, Scratch, assert_clean_after_collection, assert_sound, name, open, publish_build, scratch, write_files,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use store::StorePath;
use store::derivation::OutputName;
use store::gc::GcPolicy;
use store::local::LocalStore;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Add a directory of these contents, mentioning one of the paths there are.
    Add {
        contents: Vec<u8>,
        mention: Option<prop::sample::Index>,
    },
    /// Add one file.
    AddBytes {
        content: u8,
        executable: bool,
    },
    /// Publish what an action made, needing one of the paths there are when it is used.
    Build {
        action: u8,
        content: u8,
        needs: Option<prop::sample::Index>,
    },
    /// Make one of the paths a root.
    AddRoot {
        root: u8,
        path: prop::sample::Index,
    },
    RemoveRoot {
        root: u8,
    },
    /// Hold one of the paths as long as the store is open.
    Hold {
        path: prop::sample::Index,
    },
    Collect,
    Verify,
    RebuildIndex,
    /// As the next process finds it: what this one held is free.
    Reopen,
    /// All have ended, and the index is deleted.
    LoseIndex,
}

pub(crate) fn any_step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (prop::collection::vec(0u8..4, 0..4), prop::option::of(index()))
            .prop_map(|(contents, mention)| Step::Add { contents, mention }),
        2 => (0u8..4, any::<bool>()).prop_map(|(content, executable)| Step::AddBytes { content, executable }),
        4 => (0u8..3, 0u8..3, prop::option::of(index()))
            .prop_map(|(action, content, needs)| Step::Build { action, content, needs }),
        3 => (0u8..3, index()).prop_map(|(root, path)| Step::AddRoot { root, path }),
        1 => (0u8..3).prop_map(|root| Step::RemoveRoot { root }),
        2 => Just(Step::Collect),
        1 => index().prop_map(|path| Step::Hold { path }),
        1 => Just(Step::Verify),
        1 => Just(Step::RebuildIndex),
        3 => Just(Step::Reopen),
        1 => Just(Step::LoseIndex),
    ]
}

/// What is known of a path: what it keeps alive.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) needs: BTreeSet<StorePath>,
}

/// How many have the store open.
const PROCESSES: usize = 3;

/// What the store should know.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) paths: BTreeMap<StorePath, Facts>,
    pub(crate) roots: BTreeMap<String, StorePath>,
    /// What each action became; known also when the path is gone, and then that counts only if the same comes back.
    pub(crate) realised: BTreeMap<u8, StorePath>,
    /// What each process has named since it opened the store.
    pub(crate) held: [BTreeSet<StorePath>; PROCESSES],
    /// What trees need, also of those that are gone: their records stay.
    pub(crate) ever: BTreeMap<StorePath, Facts>,
}

impl Model {
    pub(crate) fn pick(&self, index: Option<&prop::sample::Index>) -> Option<StorePath> {
        let index = index.filter(|_| !self.paths.is_empty())?;
        self.paths.keys().nth(index.index(self.paths.len())).cloned()
    }

    pub(crate) fn insert(&mut self, who: usize, path: StorePath, needs: impl IntoIterator<Item = StorePath>) {
        let facts = self.ever.entry(path.clone()).or_default();
        facts.needs.extend(needs);
        self.paths.insert(path.clone(), facts.clone());
        self.held[who].insert(path);
    }

    /// What roots and this process keep alive.
    pub(crate) fn live(&self) -> BTreeSet<StorePath> {
        let mut live = BTreeSet::new();
        let mut pending: Vec<_> = self.roots.values().chain(self.held.iter().flatten()).cloned().collect();
        while let Some(path) = pending.pop() {
            let Some(facts) = self.paths.get(&path) else { continue };
            if live.insert(path) {
                pending.extend(facts.needs.iter().cloned());
            }
        }
        live
    }

    fn collect(&mut self) {
        let live = self.live();
        self.paths.retain(|path, _| live.contains(path));
    }
}

struct Pair {
    directory: Scratch,
    stores: Vec<LocalStore>,
    /// Which of them does the next step.
    who: usize,
    model: Model,
}

impl Pair {
    fn new() -> Self {
        let directory = scratch();
        let stores = (0..PROCESSES).map(|_| open(&directory.path().join("store"))).collect();
        Self { directory, stores, who: 0, model: Model::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn store(&self) -> &LocalStore {
        &self.stores[self.who]
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Add { contents, mention } => {
                let mention = self.model.pick(mention.as_ref());
                let source = self.path("source");
                let _ = std::fs::remove_dir_all(&source);
                write_files(&source, &[]);
                for (number, content) in contents.iter().enumerate() {
                    write_files(&source, &[(&format!("d{}/f{number}", number % 2), &content.to_string())]);
                }
                if let Some(mention) = &mention {
                    write_files(&source, &[("mention", &mention.to_string())]);
                }
                let path = self.store().add_path(&source, name("added"), None).expect("added");
                self.model.insert(self.who, path, mention);
            }
            Step::AddBytes { content, executable } => {
                let path = self.store().add_bytes(&[*content], *executable, name("bytes")).expect("added");
                self.model.insert(self.who, path, None);
            }
            Step::Build { action, content, needs } => {
                let needs = self.model.pick(needs.as_ref());
                self.build(*action, *content, needs);
            }
            Step::AddRoot { root, path } => {
                if let Some(path) = self.model.pick(Some(path)) {
                    self.store().add_root(&format!("r{root}"), &path).expect("rooted");
                    self.model.held[self.who].insert(path.clone());
                    self.model.roots.insert(format!("r{root}"), path);
                }
            }
            Step::RemoveRoot { root } => {
                let removed = self.store().remove_root(&format!("r{root}"));
                assert_eq!(removed.is_ok(), self.model.roots.remove(&format!("r{root}")).is_some());
            }
            Step::Hold { path } => {
                if let Some(path) = self.model.pick(Some(path)) {
                    self.store().hold([&path]).expect("held");
                    self.model.held[self.who].insert(path);
                }
            }
            Step::Collect => {
                self.store().collect_garbage(&GcPolicy::default()).expect("collected");
                self.model.collect();
            }
            Step::Verify => assert_sound(self.store()),
            Step::RebuildIndex => {
                let rebuilt = self.store().rebuild_index().expect("rebuilt");
                assert_eq!((rebuilt.paths, rebuilt.discarded), (self.model.paths.len(), 0));
            }
            Step::Reopen => {
                self.stores[self.who] = open(&self.path("store"));
                self.model.held[self.who].clear();
            }
            Step::LoseIndex => {
                self.stores.clear();
                std::fs::remove_file(self.path("store/index.db")).expect("removed");
                self.reopen_all();
            }
        }
    }

    fn reopen_all(&mut self) {
        self.stores.clear();
        self.stores = (0..PROCESSES).map(|_| open(&self.path("store"))).collect();
        self.model.held = Default::default();
    }

    fn build(&mut self, action: u8, content: u8, needs: Option<StorePath>) {
        // The name of the output's path is that of the derivation, so equal contents of two actions are two paths.
        let text = format!("{action} {content}");
        let published =
            publish_build(self.store(), action, &[("out", &text)], needs.iter().cloned().collect()).expect("published");
        let staged = published.conflict;
        let known = self.model.realised.get(&action).cloned();
        // It is held before it is looked for.
        self.model.held[self.who].extend(known.clone());
        match known.filter(|path| self.model.paths.contains_key(path)) {
            Some(earlier) if Some(earlier.clone()) != self.path_of(&published.path, staged) => {
                assert_eq!(published.path, earlier, "the first realisation is kept");
                let loser = StorePath::from_tree(staged.expect("a conflict"), earlier.name().clone()).expect("valid");
                // What a loser is said to need is not recorded as a need of its tree.
                self.model.insert(self.who, loser, None);
            }
            _ => {
                assert_eq!(staged, None);
                self.model.insert(self.who, published.path.clone(), needs);
                self.model.realised.insert(action, published.path);
            }
        }
    }

    /// The path of what was built just now.
    fn path_of(&self, published: &StorePath, conflict: Option<store::TreeDigest>) -> Option<StorePath> {
        match conflict {
            None => Some(published.clone()),
            Some(tree) => StorePath::from_tree(tree, published.name().clone()).ok(),
        }
    }

    fn compare(&self) {
        let paths: BTreeSet<_> = self.store().paths().expect("asked").into_iter().map(|info| info.path).collect();
        assert_eq!(paths, self.model.paths.keys().cloned().collect());
        let roots = self.store().roots().expect("listed");
        let roots: BTreeMap<_, _> = roots.into_iter().map(|root| (root.name, root.target.expect("named"))).collect();
        assert_eq!(roots, self.model.roots);
        for (path, facts) in &self.model.paths {
            let valid = facts.needs.iter().filter(|needed| self.model.paths.contains_key(needed));
            let mut found: BTreeSet<_> = self.store().references(path).expect("asked").into_iter().collect();
            found.extend(self.store().runtime(path).expect("asked"));
            for needed in valid {
                assert!(found.contains(needed), "{path} needs {needed}");
            }
        }
    }

    /// Every action is known to have become what the model says, as long as that is there.
    fn compare_realisations(&mut self) {
        let mut realised = self.model.realised.clone();
        realised.retain(|_, path| self.model.paths.contains_key(path));
        for (action, path) in realised {
            let action = store::ActionDigest::from_bytes([action; 32]);
            let found = self.store().realised_path(&action, &OutputName::out(), path.name()).expect("asked");
            assert_eq!(found.as_ref(), Some(&path));
            self.model.held[self.who].insert(path);
        }
    }
}

/// A tree that was collected and came back as the loser of a conflict is not what a rebuilt index takes for the realisation.
#[test]
fn a_rebuilt_index_knows_which_realisation_was_kept() {
    let mut pair = Pair::new();
    pair.build(1, 1, None);
    pair.reopen_all();
    pair.step(&Step::Collect);
    pair.build(1, 2, None);
    pair.build(1, 1, None);
    for step in [Step::RebuildIndex, Step::LoseIndex] {
        pair.step(&step);
        pair.compare_realisations();
    }
}

/// What an action became is held by who builds it again, though it is gone: when it comes back, it stays until he ends.
#[test]
fn a_realisation_that_is_gone_is_held_all_the_same() {
    let mut pair = Pair::new();
    pair.build(1, 0, None);
    pair.reopen_all();
    pair.step(&Step::Collect);
    pair.build(1, 1, None);
    pair.who = 1;
    pair.build(1, 0, None);
    pair.step(&Step::Reopen);
    pair.step(&Step::Collect);
    pair.compare();
}

/// More with `LARDER_TEST_LONG`.
fn cases() -> u32 {
    if std::env::var_os(LONG).is_some() { 5000 } else { 150 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn store_and_model_agree(steps in prop::collection::vec((0..PROCESSES, any_step()), 1..40)) {
        let mut pair = Pair::new();
        for (who, step) in &steps {
            pair.who = *who;
            pair.step(step);
            pair.compare();
        }
        pair.compare_realisations();
        assert_sound(pair.store());
        pair.reopen_all();
        assert_clean_after_collection(pair.store());
        pair.model.collect();
        pair.compare();
    }
}
