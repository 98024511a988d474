//! Publishing what builds made in the background and several at once: a publication waits for the disk, and no build has to.
//! It is put off a little, so that more is published together, unless somebody waits for it.
//!
//! Until it is published a tree is *fresh*: this process's builds find it at a place of its own, and it is valid for nobody else.
//!
//! Invariants: publications follow the order in which they were added, one after the other, and nothing is published together with
//! what it needs; after one that failed there is no other; whoever has borrowed a fresh tree has it until it is given back, published or
//! not.

use crate::action_lock::ActionLock;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::StorePath;
use store::local::publish::Prepared;
use store::local::{LocalStore, Sealed, StoreError};

/// Trees that may not be published yet, which stay where they are as long as somebody has them.
pub(crate) type Lent = HashMap<StorePath, Arc<Sealed>>;

/// How long a publication may be put off. While the disk syncs no build can make or remove a file, so that builds that take
/// milliseconds would mostly wait for it.
const PUT_OFF: Duration = Duration::from_millis(50);

/// With so many builds at hand there is little to be gained by more of them.
const MANY: usize = 64;

/// What is to be published, and what of it is used already.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    state: Mutex<State>,
    changed: Condvar,
    /// Held while something is published.
    publishing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Entry>,
    /// When the first of these was added.
    since: Option<Instant>,
    /// How many were added.
    added: u64,
    /// Up to how many of them somebody waits for.
    wanted: u64,
    /// How many of them have been published, or never will be.
    done: u64,
    fresh: Lent,
    failed: Option<Failed>,
}

#[derive(Debug)]
enum Failed {
    /// Nobody has been told yet.
    Untold(StoreError),
    Told,
}

#[derive(Debug)]
struct Entry {
    prepared: Prepared,
    paths: Vec<StorePath>,
    /// Until all is published nobody else may realise the action.
    _lock: ActionLock,
}

/// While it lives, a thread publishes.
pub(crate) struct Serving<'p> {
    publisher: &'p Publisher,
    ended: Arc<Mutex<bool>>,
}

impl Publisher {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one statement, so that a panic elsewhere leaves a state that is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes later what is prepared; `lent` may be used until then.
    pub(crate) fn add(&self, prepared: Prepared, lent: Vec<(StorePath, Sealed)>, lock: ActionLock) {
        let paths = lent.iter().map(|(path, _)| path.clone()).collect();
        let mut state = self.state();
        state.fresh.extend(lent.into_iter().map(|(path, sealed)| (path, Arc::new(sealed))));
        state.waiting.push_back(Entry { prepared, paths, _lock: lock });
        state.added += 1;
        // Who publishes looks at the clock by itself, but for the first and when there are many.
        let first = state.since.is_none();
        let tell = first || state.waiting.len() == MANY;
        if first {
            state.since = Some(Instant::now());
        }
        drop(state);
        if tell {
            self.changed.notify_all();
        }
    }

    /// Whether a path is not published yet but may be used here.
    pub(crate) fn is_fresh(&self, path: &StorePath) -> bool {
        self.state().fresh.contains_key(path)
    }

    /// Those of these trees that are fresh.
    pub(crate) fn borrow<'i>(&self, paths: impl Iterator<Item = &'i StorePath>) -> Lent {
        let state = self.state();
        paths.filter_map(|path| Some((path.clone(), Arc::clone(state.fresh.get(path)?)))).collect()
    }

    /// Waits until all that was added by now is published. False if something could not be.
    pub(crate) fn settle(&self) -> bool {
        let mut state = self.state();
        let added = state.added;
        state.wanted = state.wanted.max(added);
        self.changed.notify_all();
        while state.done < added && state.failed.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.failed.is_none()
    }

    /// Whether all that was added is published, as far as nobody serves any more. Why it is not is told once.
    pub(crate) fn outcome(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        match state.failed.as_mut().map(|failed| std::mem::replace(failed, Failed::Told)) {
            None => Ok(()),
            Some(Failed::Untold(error)) => Err(error),
            Some(Failed::Told) => Err(StoreError::Unpublished),
        }
    }

    /// Publishes what is added, until `serving` is dropped. `stop` is called when that fails.
    pub(crate) fn serve(&self, store: &LocalStore, ended: &Mutex<bool>, stop: &dyn Fn()) {
        let _guard = Guard { publisher: self, stop };
        loop {
            let _one = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(mut state) = self.due(ended) else { return };
            let entries = independent(&mut state.waiting);
            if state.waiting.is_empty() {
                state.since = None;
            }
            let failed = state.failed.is_some();
            drop(state);
            let count = entries.len() as u64;
            let (prepared, rest): (Vec<_>, Vec<_>) =
                entries.into_iter().map(|Entry { prepared, paths, _lock }| (prepared, (paths, _lock))).unzip();
            let result = if failed { Ok(()) } else { store.publish_builds(prepared) };
            let mut state = self.state();
            let gone: Vec<_> = rest.iter().flat_map(|(paths, _)| paths).map(|path| state.fresh.remove(path)).collect();
            state.done += count;
            if let Err(error) = result {
                state.failed.get_or_insert(Failed::Untold(error));
                stop();
            }
            drop(state);
            self.changed.notify_all();
            // Only now, for it takes time: what is fresh no longer is removed, and the actions may be realised by others.
            drop((gone, rest));
        }
    }

    /// Waits until something is to be published now. None at the end.
    fn due(&self, ended: &Mutex<bool>) -> Option<MutexGuard<'_, State>> {
        let mut state = self.state();
        loop {
            let ended = *ended.lock().unwrap_or_else(PoisonError::into_inner);
            let left = match state.since {
                None if ended => return None,
                None => None,
                Some(since) => Some(PUT_OFF.saturating_sub(since.elapsed())),
            };
            let hurry = ended || state.wanted > state.done || state.waiting.len() >= MANY || state.failed.is_some();
            state = match left {
                Some(left) if hurry || left.is_zero() => return Some(state),
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// What [`Self::serve`] is told its end with.
    pub(crate) fn serving(&self) -> Serving<'_> {
        Serving { publisher: self, ended: Arc::default() }
    }
}

/// What can be published together: those at the front, up to one that needs a tree of one before it. After a power cut there may be any part
/// of what is published together, but nothing without what it needs.
fn independent(waiting: &mut VecDeque<Entry>) -> Vec<Entry> {
    let mut together = Vec::new();
    let mut trees = HashSet::new();
    while let Some(entry) = waiting.pop_front() {
        if entry.prepared.needs_any_of(&trees) {
            waiting.push_front(entry);
            break;
        }
        trees.extend(entry.prepared.trees());
        together.push(entry);
    }
    together
}

/// Lets nobody wait for a thread that panicked.
struct Guard<'p> {
    publisher: &'p Publisher,
    stop: &'p dyn Fn(),
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.publisher.state().failed.get_or_insert(Failed::Told);
            self.publisher.changed.notify_all();
            (self.stop)();
        }
    }
}

impl Serving<'_> {
    pub(crate) fn ended(&self) -> Arc<Mutex<bool>> {
        Arc::clone(&self.ended)
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        // Under the lock of the state, so that no thread is between looking and waiting.
        let state = self.publisher.state();
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        drop(state);
        self.publisher.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use store::local::publish::BuildResult;
    use store::local::{BuildCost, OpenOptions};
    use store::{ActionDigest, DerivationDigest, OutputName, StoreName};

    struct Scene {
        store: LocalStore,
        _directory: tempfile::TempDir,
    }

    impl Scene {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let store = LocalStore::open(directory.path(), OpenOptions { durable: false }).expect("opened");
            Self { store, _directory: directory }
        }

        /// A build whose output is one file, and where that lies.
        fn build(&self, number: u8) -> (Prepared, ActionLock, StorePath) {
            self.build_of(number, &[number])
        }

        fn build_of(&self, number: u8, content: &[u8]) -> (Prepared, ActionLock, StorePath) {
            let action = ActionDigest::from_bytes([number; 32]);
            let staging = self.store.stage().expect("staged");
            let place = staging.path().join("tree");
            std::fs::write(&place, content).expect("written");
            let outputs = vec![(OutputName::out(), self.store.seal(staging, &place).expect("sealed"))];
            let lock = ActionLock::take(&self.store.layout().actions_lock(), &action, &|| {}, &|| false);
            let prepared = self.store.prepare_build(BuildResult {
                derivation: DerivationDigest::from_bytes([number; 32]),
                name: StoreName::parse("made").expect("valid"),
                action,
                outputs,
                runtime: std::collections::BTreeSet::new(),
                cost: BuildCost { finished: 1, duration_ms: 2, cpu_ms: 3, memory: 4 },
            });
            let prepared = prepared.expect("prepared");
            let path = prepared.outputs()[0].path.clone();
            (prepared, lock.expect("made").expect("taken"), path)
        }
    }

    /// Serves while `act` runs, and says whether it was told to stop.
    fn while_serving(publisher: &Publisher, store: &LocalStore, act: impl FnOnce()) -> bool {
        let stopped = AtomicBool::new(false);
        let serving = publisher.serving();
        let ended = serving.ended();
        std::thread::scope(|scope| {
            scope.spawn(|| publisher.serve(store, &ended, &|| stopped.store(true, Ordering::SeqCst)));
            act();
            drop(serving);
        });
        stopped.into_inner()
    }

    #[test]
    fn what_is_fresh_is_used_until_it_is_published_and_longer() {
        let scene = Scene::new();
        let publisher = Publisher::default();
        let (mut prepared, lock, path) = scene.build(7);
        let lent = scene.store.lend(&mut prepared).expect("lent");
        publisher.add(prepared, lent, lock);
        assert!(publisher.is_fresh(&path) && !scene.store.is_valid(&path).expect("asked"));
        let borrowed = publisher.borrow(std::iter::once(&path));
        let place = borrowed[&path].path().to_owned();
        let stopped = while_serving(&publisher, &scene.store, || assert!(publisher.settle()));
        assert!(!stopped && !publisher.is_fresh(&path) && scene.store.is_valid(&path).expect("asked"));
        assert_eq!(std::fs::read(&place).expect("borrowed"), [7]);
        drop(borrowed);
        assert!(!place.exists(), "nobody needs it any more");
        let again =
            ActionLock::take(&scene.store.layout().actions_lock(), &ActionDigest::from_bytes([7; 32]), &|| {}, &|| {
                true
            });
        assert!(again.expect("made").is_some(), "the action is free");
    }

    #[test]
    fn what_nobody_waits_for_is_published_soon() {
        let scene = Scene::new();
        let publisher = Publisher::default();
        let mut add = |number: u8| {
            let (mut prepared, lock, path) = scene.build(number);
            let lent = scene.store.lend(&mut prepared).expect("lent");
            publisher.add(prepared, lent, lock);
            path
        };
        let soon = |path: &StorePath| {
            let end = Instant::now() + Duration::from_secs(20);
            while !scene.store.is_valid(path).expect("asked") {
                assert!(Instant::now() < end, "it is put off for ever");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        while_serving(&publisher, &scene.store, || {
            soon(&add(1));
            let many: Vec<_> = (2..=2 + u8::try_from(MANY).expect("few")).map(&mut add).collect();
            many.iter().for_each(soon);
        });
    }

    #[test]
    fn what_needs_another_tree_is_published_after_it() {
        let scene = Scene::new();
        let mut waiting = VecDeque::new();
        let mut add = |(prepared, lock, path): (Prepared, ActionLock, StorePath)| {
            waiting.push_back(Entry { prepared, paths: Vec::new(), _lock: lock });
            path
        };
        add(scene.build(1));
        let second = add(scene.build(2));
        add(scene.build_of(3, second.to_string().as_bytes()));
        add(scene.build(4));
        let counts = [(); 3].map(|()| independent(&mut waiting).len());
        assert_eq!(counts, [2, 2, 0]);
    }

    #[test]
    fn after_a_failure_nothing_more_is_published() {
        let scene = Scene::new();
        let publisher = Publisher::default();
        let stopped = while_serving(&publisher, &scene.store, || {
            for number in [1, 2] {
                let (mut prepared, lock, path) = scene.build(number);
                let lent = scene.store.lend(&mut prepared).expect("lent");
                if number == 1 {
                    // What was to be published is lost.
                    for entry in std::fs::read_dir(scene.store.layout().tmp()).expect("read") {
                        let entry = entry.expect("read").path();
                        if !lent[0].1.path().starts_with(&entry) {
                            std::fs::remove_file(entry).expect("removed");
                        }
                    }
                }
                publisher.add(prepared, lent, lock);
                assert!(!publisher.settle());
                assert!(!scene.store.is_valid(&path).expect("asked"), "{number}");
            }
        });
        assert!(stopped);
        let told = [publisher.outcome(), publisher.outcome()].map(|outcome| outcome.expect_err("it failed"));
        assert!(!matches!(told[0], StoreError::Unpublished) && matches!(told[1], StoreError::Unpublished), "{told:?}");
    }
}
