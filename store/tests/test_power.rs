//! Power cuts: whatever was not synced itself may be gone, for a file its content and for a directory the names in it. At every effect of every operation the store is taken as a power cut may leave
//! it; then it opens, is whole, the work can be done, and the next collection cleans up. What an operation published before it
//! returned is there in any case.

use crate::fault_scene::{OPERATIONS, Scene, copy_files, open_durable, operation};
use crate::support::{self, LONG, Scratch, guarded, make_writable, name, names, open, say, scratch};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use store::derivation::OutputName;
use store::local::{Effect, LocalStore, fault};
use store::{ActionDigest, StorePath};

/// What the child is to do, and where it puts the stores that power cuts leave.
const OPERATION: &str = "STORE_TEST_POWER_OPERATION";
const CUTS: &str = "STORE_TEST_POWER_CUTS";

/// What of that which was not synced is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Survives {
    Nothing,
    /// What happened to names and modes, but no content.
    Names,
    /// The same, but for the index.
    NamesWithoutIndex,
    /// Only the index.
    Index,
    /// Only that files were removed, but not that they, or what they were in, had been moved before.
    Removals,
}

const PARTS: [Survives; 4] = [Survives::Names, Survives::NamesWithoutIndex, Survives::Index, Survives::Removals];

/// A store and what of it was synced.
struct Disk {
    store: PathBuf,
    /// A copy of what of the store is synced.
    synced: Scratch,
    /// How much of each file is synced, by its number.
    lengths: HashMap<u64, u64>,
    /// The number of everything in the copy.
    numbers: BTreeMap<PathBuf, u64>,
    last: Option<Effect>,
    cuts: Vec<(usize, Survives, Scene)>,
    effects: usize,
}

impl Disk {
    fn new(store: PathBuf) -> Self {
        let mut disk = Self {
            store,
            synced: scratch(),
            lengths: HashMap::new(),
            numbers: BTreeMap::new(),
            last: None,
            cuts: Vec::new(),
            effects: 0,
        };
        disk.sync();
        disk
    }

    fn sync(&mut self) {
        self.synced = scratch();
        self.lengths.clear();
        self.numbers.clear();
        copy_files(&self.store, self.synced.path());
        if self.store.is_dir() {
            for (inside, data) in entries_below(&self.store) {
                self.lengths.extend(data.is_file().then(|| (data.ino(), data.len())));
                self.numbers.insert(inside, data.ino());
            }
        }
    }

    /// Notes what the last effect has synced, and says whether it was anything.
    fn settle(&mut self) -> bool {
        match self.last.take() {
            Some(Effect::Sync) => self.sync(),
            Some(Effect::SyncOne(number)) => self.sync_one(number),
            _ => return false,
        }
        true
    }

    /// Syncs one file, or the names in one directory. If no name of it is synced, that helps only when one is later.
    fn sync_one(&mut self, number: u64) {
        // It may be that of the store itself.
        let root = [(PathBuf::new(), self.store.symlink_metadata().expect("there"))];
        let found = entries_below(&self.store).into_iter().chain(root).find(|(_, data)| data.ino() == number);
        let Some((inside, data)) = found else { return };
        if data.is_file() {
            self.lengths.insert(number, data.len());
            for (place, _) in self.numbers.iter().filter(|(_, known)| **known == number) {
                self.rewrite(&self.synced.path().join(place), &self.store.join(&inside));
            }
        } else if self.synced.path().join(&inside).is_dir() {
            self.sync_names(&inside);
        }
    }

    fn sync_names(&mut self, directory: &Path) {
        let (live, synced) = (self.store.join(directory), self.synced.path().join(directory));
        let number = |name: &String| live.join(name).symlink_metadata().ok().map(|data| data.ino());
        for name in names(&synced) {
            let inside = directory.join(&name);
            if number(&name) != self.numbers.get(&inside).copied() {
                remove(&synced.join(&name));
                self.numbers.retain(|place, _| !place.starts_with(&inside));
            }
        }
        for name in names(&live).difference(&names(&synced)) {
            let data = live.join(name).symlink_metadata().expect("there");
            self.sync_name(&directory.join(name), &data);
            self.numbers.insert(directory.join(name), data.ino());
        }
    }

    /// Syncs that something has this name, but not what it is.
    fn sync_name(&self, inside: &Path, data: &Metadata) {
        let (live, synced) = (self.store.join(inside), self.synced.path().join(inside));
        let known = self.numbers.iter().find(|(_, number)| **number == data.ino());
        let known = known.map(|(place, _)| self.synced.path().join(place));
        if data.is_dir() {
            std::fs::create_dir(&synced).expect("created");
            known.iter().for_each(|known| copy_files(known, &synced));
        } else if data.is_symlink() {
            let target = live.read_link().expect("readable");
            std::os::unix::fs::symlink(target, &synced).expect("linked");
        } else if let Some(known) = known {
            std::fs::hard_link(known, &synced).expect("linked");
        } else {
            std::fs::write(&synced, "").expect("written");
            self.rewrite(&synced, &live);
        }
    }

    /// Gives a file of the copy what is synced of one of the store.
    fn rewrite(&self, synced: &Path, live: &Path) {
        let data = live.symlink_metadata().expect("there");
        let mut content = std::fs::read(live).expect("readable");
        content.truncate(usize::try_from(self.lengths.get(&data.ino()).copied().unwrap_or(0)).expect("small"));
        std::fs::set_permissions(synced, Permissions::from_mode(0o600)).expect("changed");
        std::fs::write(synced, content).expect("written");
        std::fs::set_permissions(synced, data.permissions()).expect("changed");
    }

    /// Before an effect: what a power cut would leave now.
    fn before(&mut self, effect: Effect, scene: &Path) {
        let was_sync = self.settle();
        self.last = Some(effect);
        let parts = if std::env::var_os(LONG).is_some() { &PARTS[..] } else { &PARTS[self.effects % 4..][..1] };
        let first = self.effects == 0 || was_sync;
        // A new store begins with a row of equal directories.
        if effect != Effect::MakeDirectory || self.effects.is_multiple_of(40) {
            for &part in parts.iter().chain(first.then_some(&Survives::Nothing)) {
                self.cuts.push((self.effects, part, self.cut(part, scene)));
            }
        }
        self.effects += 1;
    }

    /// A scene with the store as a power cut leaves it.
    fn cut(&self, survives: Survives, scene: &Path) -> Scene {
        let cut = Scene { directory: scratch() };
        for entry in std::fs::read_dir(scene).expect("readable") {
            let path = entry.expect("readable").path();
            if path != self.store {
                let mut copy = Command::new("cp");
                copy.arg("-a").arg(&path).arg(cut.directory.path());
                assert!(copy.status().expect("cp runs").success());
            }
        }
        let store = cut.store();
        std::fs::create_dir(&store).expect("created");
        match survives {
            Survives::Nothing => copy_files(self.synced.path(), &store),
            Survives::Index => {
                copy_files(self.synced.path(), &store);
                take_index(&self.store, &store);
            }
            Survives::Removals => {
                copy_files(self.synced.path(), &store);
                self.remove_what_is_gone(&store);
            }
            Survives::Names | Survives::NamesWithoutIndex => {
                copy_files(&self.store, &store);
                self.drop_contents(&store);
                if survives == Survives::NamesWithoutIndex {
                    take_index(self.synced.path(), &store);
                }
            }
        }
        start_machine_again(&store);
        cut
    }

    fn remove_what_is_gone(&self, store: &Path) {
        let files = if self.store.is_dir() { files_below(&self.store) } else { Vec::new() };
        let there: BTreeSet<_> = files.iter().map(|path| path.symlink_metadata().expect("there").ino()).collect();
        for (inside, number) in &self.numbers {
            let file = store.join(inside);
            let is_file = file.symlink_metadata().expect("there").is_file();
            if is_file && !there.contains(number) && !inside.to_string_lossy().starts_with("index.db") {
                remove(&file);
            }
        }
    }

    fn drop_contents(&self, store: &Path) {
        if !self.store.is_dir() {
            return;
        }
        for path in files_below(&self.store) {
            let data = path.symlink_metadata().expect("there");
            let inside = path.strip_prefix(&self.store).expect("below");
            let is_index = inside.to_string_lossy().starts_with("index.db");
            let synced = self.lengths.get(&data.ino()).copied().unwrap_or(0);
            if !is_index && synced < data.len() {
                let file = store.join(inside);
                std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");
                std::fs::File::options().write(true).open(&file).expect("opened").set_len(synced).expect("cut");
                std::fs::set_permissions(&file, data.permissions()).expect("changed");
            }
        }
    }
}

/// All that is below a directory.
fn entries_below(directory: &Path) -> Vec<(PathBuf, Metadata)> {
    let mut entries = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(inside) = pending.pop() {
        for name in names(&directory.join(&inside)) {
            let inside = inside.join(name);
            let data = directory.join(&inside).symlink_metadata().expect("there");
            pending.extend(data.is_dir().then(|| inside.clone()));
            entries.push((inside, data));
        }
    }
    entries
}

/// Regular files below a directory.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let files = entries_below(directory).into_iter().filter(|(_, data)| data.is_file());
    files.map(|(inside, _)| directory.join(inside)).collect()
}

/// Removes a file, or a directory with all that is in it, though its directory is sealed.
fn remove(place: &Path) {
    let parent = place.parent().expect("below the store");
    let mode = parent.metadata().expect("there").permissions();
    std::fs::set_permissions(parent, Permissions::from_mode(0o700)).expect("changed");
    if place.is_dir() && !place.is_symlink() {
        make_writable(place);
        std::fs::remove_dir_all(place).expect("removed");
    } else {
        std::fs::remove_file(place).expect("removed");
    }
    std::fs::set_permissions(parent, mode).expect("changed");
}

/// Puts the index of one store into another.
fn take_index(from: &Path, to: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let file = format!("index.db{ending}");
        let _ = std::fs::remove_file(to.join(&file));
        if from.join(&file).exists() {
            std::fs::copy(from.join(&file), to.join(&file)).expect("copied");
        }
    }
}

/// The store was last used in another start of the machine.
fn start_machine_again(store: &Path) {
    let _ = std::fs::remove_file(store.join("started"));
}

/// Not a test of its own: does an operation, and looks at every store that a power cut would leave.
#[test]
fn child() {
    let (Ok(name), Ok(cuts)) = (std::env::var(OPERATION), std::env::var(CUTS)) else { return };
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().expect("the first pool");
    let operation = operation(&name);
    let scene = Scene::new(operation);
    let disk = Arc::new(Mutex::new(Disk::new(scene.store())));
    let watched = Arc::clone(&disk);
    let directory = scene.directory.path().to_owned();
    fault::install(Arc::new(move |effect| {
        watched.lock().expect("no panic").before(effect, &directory);
        Ok(())
    }));
    let store = open_durable(&scene.store()).expect("opened");
    (operation.act)(&store, scene.directory.path()).expect("done");
    fault::remove();
    let mut disk = disk.lock().expect("no panic");
    disk.settle();
    check_durable(&disk, &scene, &store);
    if !operation.damaged {
        check_removed_segments(&disk, &scene);
    }
    for (number, survives, cut) in disk.cuts.drain(..) {
        std::fs::rename(cut.directory.path(), format!("{cuts}/{number} {survives:?}")).expect("moved");
    }
}

/// All that a store says to be valid is so whatever a power cut takes.
fn check_durable(disk: &Disk, scene: &Scene, store: &LocalStore) {
    let (paths, realised) = facts(store);
    for survives in PARTS.into_iter().chain([Survives::Nothing]) {
        let cut = disk.cut(survives, scene.directory.path());
        let (found_paths, found_realised) = facts(&open(&cut.store()));
        assert!(paths.is_subset(&found_paths), "{survives:?}: of {paths:?} only {found_paths:?} are left");
        assert_eq!(realised, found_realised, "{survives:?}");
    }
}

/// A segment that is gone when an operation has returned stays so: what was forgotten would come back with it.
fn check_removed_segments(disk: &Disk, scene: &Scene) {
    let left = names(&scene.store().join("records"));
    for survives in PARTS.into_iter().chain([Survives::Nothing]) {
        let cut = disk.cut(survives, scene.directory.path());
        drop(open(&cut.store()));
        let found = names(&cut.store().join("records"));
        assert!(found.is_subset(&left), "{survives:?}: of {found:?} only {left:?} were left");
    }
}

/// The valid paths, and what two actions are known to have become.
fn facts(store: &LocalStore) -> (BTreeSet<StorePath>, Vec<Option<StorePath>>) {
    let paths = store.paths().expect("asked").into_iter().map(|info| info.path).collect();
    let realised = [1, 7].map(|action| {
        let action = ActionDigest::from_bytes([action; 32]);
        let found = store.realised_path(&action, &OutputName::out(), &name("any"));
        found.expect("asked")
    });
    (paths, realised.into())
}

#[test]
fn a_power_cut_at_every_effect() {
    for operation in OPERATIONS {
        let clean = Scene::new(operation).undisturbed(operation);
        let cuts = scratch();
        let mut command = support::child("test_power::child");
        guarded(operation.name, || support::succeed(command.env(OPERATION, operation.name).env(CUTS, cuts.path())));
        let names = names(cuts.path());
        say(format_args!("{}: {} power cuts", operation.name, names.len()));
        for cut in names {
            let scene = Scene { directory: scratch() };
            std::fs::rename(cuts.path().join(&cut), scene.directory.path()).expect("moved");
            guarded(&format!("{} cut before effect {cut}", operation.name), || scene.check(operation, &clean));
        }
    }
}
