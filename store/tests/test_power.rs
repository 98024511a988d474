//! Power cuts: whatever was not synced may be gone. At every effect of every operation the store is taken as a power cut may leave
//! it; then it opens, is whole, the work can be done, and the next collection cleans up. What an operation published before it
//! returned is there in any case.

use crate::fault_scene::{OPERATIONS, Scene, copy_files, open_durable, operation};
use crate::support::{LONG, Scratch, guarded, name, names, open, say, scratch};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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
    /// A copy of the store as it was when it was last synced.
    synced: Scratch,
    /// How long each file was then, by its number.
    lengths: HashMap<u64, u64>,
    /// The number of each file then.
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
            for path in files_below(&self.store) {
                let data = path.symlink_metadata().expect("there");
                self.lengths.insert(data.ino(), data.len());
                self.numbers.insert(path.strip_prefix(&self.store).expect("below").to_owned(), data.ino());
            }
        }
    }

    /// Before an effect: what a power cut would leave now.
    fn before(&mut self, effect: Effect, scene: &Path) {
        let was_sync = self.last.replace(effect) == Some(Effect::Sync);
        if was_sync {
            self.sync();
        }
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
            if !there.contains(number) && !inside.to_string_lossy().starts_with("index.db") {
                let file = store.join(inside);
                let parent = file.parent().expect("below the store");
                let mode = parent.metadata().expect("there").permissions();
                std::fs::set_permissions(parent, std::fs::Permissions::from_mode(0o700)).expect("changed");
                std::fs::remove_file(&file).expect("removed");
                std::fs::set_permissions(parent, mode).expect("changed");
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
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("changed");
                std::fs::File::options().write(true).open(&file).expect("opened").set_len(synced).expect("cut");
                std::fs::set_permissions(&file, data.permissions()).expect("changed");
            }
        }
    }
}

/// Regular files below a directory; while it is worked in, some may vanish meanwhile.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).expect("readable") {
            let entry = entry.expect("readable");
            let kind = entry.file_type().expect("told");
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files
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
    if disk.last == Some(Effect::Sync) {
        disk.sync();
    }
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
        let mut command = Command::new(std::env::current_exe().expect("a test binary"));
        command.args(["--exact", "test_power::child", "--nocapture"]);
        command.env(OPERATION, operation.name).env(CUTS, cuts.path());
        let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().expect("started");
        assert!(output.status.success(), "{}: {}", operation.name, String::from_utf8_lossy(&output.stderr));
        let names = names(cuts.path());
        say(format_args!("{}: {} power cuts", operation.name, names.len()));
        for cut in names {
            let scene = Scene { directory: scratch() };
            std::fs::rename(cuts.path().join(&cut), scene.directory.path()).expect("moved");
            guarded(&format!("{} cut before effect {cut}", operation.name), || scene.check(operation, &clean));
        }
    }
}
