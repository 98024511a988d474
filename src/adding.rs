//! Sources that evaluation has taken in, on their way to the store: many are published together, because a publication waits for the disk.
//!
//! Invariants: nothing that waits mentions anything else that does; whoever looks into a path that waits has it published first. Evaluation has
//! the paths of what waits already: when that cannot be published, nothing that is asked here afterwards succeeds.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::local::publish::{Addition, Taken};
use store::local::{LocalStore, StoreError};
use store::{StorePath, TreeDigest, TreeListing};

/// So many sources wait at most.
const MANY: usize = 256;

/// So many entries a source may have to wait: for larger ones a publication is a small part of the work.
const SMALL: usize = 256;

/// Why sources could not be published, for whoever asks.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub(crate) struct AddError(Arc<StoreError>);

impl AddError {
    /// What the store said.
    pub(crate) fn reason(&self) -> &StoreError {
        &self.0
    }
}

impl From<StoreError> for AddError {
    fn from(error: StoreError) -> Self {
        Self(Arc::new(error))
    }
}

/// Sources that wait to be published.
#[derive(Debug)]
pub(crate) struct Adding {
    /// Whether there will be a flush.
    is_flushed: bool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    taken: Vec<Taken>,
    /// By name in the store: the place among them.
    places: HashMap<String, usize>,
    trees: HashSet<TreeDigest>,
    /// Why some that waited could not be published.
    failed: Option<AddError>,
}

impl Adding {
    /// `is_flushed` says whether what waits will be flushed in the end; if not, nothing waits.
    pub(crate) fn new(is_flushed: bool) -> Self {
        Self { is_flushed, waiting: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a source published, soon or at once.
    ///
    /// # Errors
    /// When it, or one before it, cannot be published.
    pub(crate) fn add(&self, store: &LocalStore, addition: Addition) -> Result<StorePath, AddError> {
        let taken = match addition {
            Addition::There(path) => return Ok(path),
            Addition::Taken(taken) => *taken,
        };
        let path = taken.path().clone();
        let mut waiting = self.waiting();
        if let Some(failed) = &waiting.failed {
            return Err(failed.clone());
        }
        if waiting.places.contains_key(&path.base_name()) {
            return Ok(path);
        }
        if taken.references().iter().any(|tree| waiting.trees.contains(tree)) {
            waiting.publish(store)?;
        }
        if !self.is_flushed || !taken.listing().has_at_most(SMALL) {
            drop(waiting);
            store.publish_taken(vec![taken])?;
            return Ok(path);
        }
        let place = waiting.taken.len();
        waiting.places.insert(path.base_name(), place);
        waiting.trees.insert(taken.listing().digest());
        waiting.taken.push(taken);
        if waiting.taken.len() >= MANY {
            waiting.publish(store)?;
        }
        Ok(path)
    }

    /// The files and directories of a source, if it waits.
    pub(crate) fn listing(&self, path: &StorePath) -> Option<TreeListing> {
        let waiting = self.waiting();
        let place = waiting.places.get(&path.base_name())?;
        Some(waiting.taken[*place].listing().clone())
    }

    /// Has a source published if it waits: somebody looks into it. `name` is that of something in the store.
    pub(crate) fn need(&self, store: &LocalStore, name: &OsStr) {
        let mut waiting = self.waiting();
        if std::str::from_utf8(name.as_bytes()).is_ok_and(|name| waiting.places.contains_key(name)) {
            // Who looks does not find it then, and is told by what comes next why.
            let _ = waiting.publish(store);
        }
    }

    /// Why something could not be published, if so.
    pub(crate) fn failed(&self) -> Option<AddError> {
        self.waiting().failed.clone()
    }

    /// Publishes all that waits.
    pub(crate) fn flush(&self, store: &LocalStore) -> Result<(), AddError> {
        self.waiting().publish(store)
    }
}

impl Waiting {
    fn publish(&mut self, store: &LocalStore) -> Result<(), AddError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        self.places.clear();
        self.trees.clear();
        let taken = std::mem::take(&mut self.taken);
        if taken.is_empty() {
            return Ok(());
        }
        store.publish_taken(taken).map_err(|error| self.failed.insert(error.into()).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::StoreName;
    use store::local::OpenOptions;

    struct Scene {
        store: LocalStore,
        adding: Adding,
        _directory: tempfile::TempDir,
    }

    impl Scene {
        fn new(is_flushed: bool) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let store = LocalStore::open(directory.path(), OpenOptions { durable: false }).expect("opened");
            Self { store, adding: Adding::new(is_flushed), _directory: directory }
        }

        fn add(&self, text: &str) -> StorePath {
            let taken = self.store.take_bytes(text.as_bytes(), false, StoreName::parse("text").expect("valid"));
            self.adding.add(&self.store, taken.expect("taken")).expect("added")
        }

        fn is_valid(&self, path: &StorePath) -> bool {
            self.store.is_valid(path).expect("asked")
        }
    }

    #[test]
    fn what_is_small_waits_until_all_is_flushed() {
        let scene = Scene::new(true);
        let paths = ["one", "two", "one"].map(|text| scene.add(text));
        assert!(paths[0] == paths[2] && !paths.iter().any(|path| scene.is_valid(path)));
        scene.adding.flush(&scene.store).expect("flushed");
        assert!(paths.iter().all(|path| scene.is_valid(path)));
        assert_eq!(scene.add("two"), paths[1], "it is there");
        scene.adding.flush(&scene.store).expect("nothing to do");
    }

    #[test]
    fn nothing_waits_if_nobody_flushes() {
        let scene = Scene::new(false);
        assert!(scene.is_valid(&scene.add("one")));
    }

    #[test]
    fn what_is_looked_into_or_mentioned_is_published_first() {
        let scene = Scene::new(true);
        let one = scene.add("one");
        scene.adding.need(&scene.store, OsStr::new("another"));
        assert!(!scene.is_valid(&one));
        scene.adding.need(&scene.store, OsStr::new(&one.base_name()));
        assert!(scene.is_valid(&one));
        let two = scene.add("two");
        let three = scene.add(&format!("see {two}"));
        assert!(scene.is_valid(&two) && !scene.is_valid(&three));
    }

    #[test]
    fn nothing_is_added_after_what_could_not_be_published() {
        let scene = Scene::new(true);
        let one = scene.add("one");
        let two = scene.store.take_bytes(b"two", false, StoreName::parse("two").expect("valid")).expect("taken");
        let place = scene.store.layout().store();
        std::fs::remove_dir(&place).expect("empty");
        std::fs::write(&place, "").expect("written");
        scene.adding.need(&scene.store, OsStr::new(&one.base_name()));
        assert!(scene.adding.failed().is_some() && !scene.is_valid(&one));
        scene.adding.add(&scene.store, two).expect_err("evaluation has the path of what is lost");
        scene.adding.flush(&scene.store).expect_err("it is not forgotten");
    }

    #[test]
    fn only_so_many_wait() {
        let scene = Scene::new(true);
        let paths: Vec<_> = (0..=MANY).map(|number| scene.add(&number.to_string())).collect();
        assert_eq!(paths.iter().filter(|path| !scene.is_valid(path)).count(), 1);
    }
}
