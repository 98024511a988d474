//! A store for tests with a program to build with, and derivations in it.

use builder::fetch::FetchSettings;
use builder::sandbox::Limits;
use builder::{Builder, Event, How, Kind, RunLimits, RunOptions, RunResult, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use store::local::{LocalStore, OpenOptions};
use store::{Derivation, Input, OutputName, StoreName, StorePath};

pub(crate) const SYSTEM: &str = "test-system";

/// A store with a tree that has one static program, `/bin/mini`.
pub(crate) struct Fixture {
    pub(crate) store: LocalStore,
    pub(crate) seed: StorePath,
    pub(crate) top: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let seed = top.path().join("seed");
        std::fs::create_dir_all(seed.join("bin")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/mini.c");
        let compiled = Command::new("cc").args(["-static", "-o"]).arg(seed.join("bin/mini")).arg(source).status();
        assert!(compiled.unwrap().success());
        let store = LocalStore::open(&top.path().join("store"), OpenOptions { durable: false }).unwrap();
        let seed = store.add_path(&seed, StoreName::parse("seed").unwrap(), None).unwrap();
        Self { store, seed, top }
    }

    pub(crate) fn builder(&self, jobs: usize) -> Builder<'_> {
        Builder::new(&self.store, self.settings(jobs))
    }

    pub(crate) fn settings(&self, jobs: usize) -> Settings {
        Settings {
            spawner: (PathBuf::from(env!("CARGO_BIN_EXE_larder-spawner")), Vec::new()),
            system: SYSTEM.to_owned(),
            jobs,
            cores: 1,
            retry: false,
            trace_inputs: false,
            keep_failed: false,
            memory: None,
            limits: RunLimits::default(),
            sandbox: Limits::default(),
            fetch: FetchSettings::default(),
        }
    }

    /// Adds a tree of one file.
    pub(crate) fn add_tree(&self, tree: &str, file: &str, content: &str) -> StorePath {
        let directory = self.top.path().join(tree);
        let file = directory.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
        self.store.add_path(&directory, StoreName::parse(tree).unwrap(), None).unwrap()
    }

    /// Adds a derivation that runs a script of `mini.c`; its root is the seed and `root`.
    pub(crate) fn add(&self, name: &str, script: &str, inputs: &[&StorePath], root: &[StorePath]) -> StorePath {
        self.add_changed(name, script, inputs, root, |_| {})
    }

    /// The same, with changes.
    pub(crate) fn add_changed(
        &self,
        name: &str,
        script: &str,
        inputs: &[&StorePath],
        root: &[StorePath],
        change: impl FnOnce(&mut Derivation),
    ) -> StorePath {
        let mentioned = |path: &&StorePath| match path.derivation() {
            Some(_) => output_of(path),
            None => Input::Tree((*path).clone()),
        };
        let mut derivation = Derivation {
            name: StoreName::parse(name).unwrap(),
            system: SYSTEM.to_owned(),
            builder: if script.starts_with('#') { "/usr/bin/bash" } else { "/bin/mini" }.to_owned(),
            args: if script.starts_with('#') {
                vec!["-euc".to_owned(), script.to_owned()]
            } else {
                vec![script.to_owned()]
            },
            env: BTreeMap::from([("out".to_owned(), "/larder/out/out".to_owned())]),
            inputs: inputs.iter().map(mentioned).collect(),
            root: [&self.seed].into_iter().chain(root).cloned().map(Input::Tree).collect(),
            overrides: Vec::new(),
            runtime: Vec::new(),
            outputs: BTreeSet::from([OutputName::out()]),
            fixed: None,
        };
        change(&mut derivation);
        let path = derivation.store_path().unwrap();
        self.store.add_derivation(derivation).unwrap();
        path
    }

    pub(crate) fn content(&self, result: &RunResult, derivation: &StorePath) -> String {
        std::fs::read_to_string(self.store.host_path(&result.outputs[&output_of(derivation)])).unwrap()
    }
}

impl Drop for Fixture {
    /// What is sealed is read-only, so an ordinary user cannot remove it as it is.
    fn drop(&mut self) {
        make_writable(self.top.path());
    }
}

/// Lets a directory be removed.
pub(crate) fn make_writable(directory: &Path) {
    let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755));
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

/// The only output of a derivation.
pub(crate) fn output_of(derivation: &StorePath) -> Input {
    Input::Output { derivation: derivation.clone(), output: OutputName::out() }
}

/// A tree with this machine's shell, tools and GNU make, and all the libraries these need.
pub(crate) fn tools(fixture: &Fixture) -> StorePath {
    let top = fixture.top.path().join("tools");
    let programs = [
        "bash", "sh", "make", "sleep", "date", "cat", "head", "setsid", "tail", "perl", "chmod", "mknod", "ln", "mkdir",
    ];
    for program in programs {
        install(&top, Path::new("/usr/bin").join(program).to_str().unwrap());
    }
    std::fs::create_dir(top.join("bin")).unwrap();
    std::os::unix::fs::symlink("../usr/bin/sh", top.join("bin/sh")).unwrap();
    fixture.store.add_path(&top, StoreName::parse("tools").unwrap(), None).unwrap()
}

/// Copies a program to the same place below `top`, and what it is linked with to where it looks for that.
fn install(top: &Path, program: &str) {
    let linked = Command::new("ldd").arg(program).output().unwrap();
    let linked = String::from_utf8(linked.stdout).unwrap();
    for file in linked.split_whitespace().filter(|word| word.starts_with('/')).chain([program]) {
        let to = top.join(&file[1..]);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(file, to).unwrap();
    }
}

/// Realises, and returns what was told as words.
pub(crate) fn told(builder: &Builder<'_>, targets: &[StorePath], options: RunOptions) -> (RunResult, Vec<String>) {
    let words = Mutex::new(Vec::new());
    let result = builder.realise_all(targets, options, &|event| words.lock().unwrap().extend(word(&event))).unwrap();
    (result, words.into_inner().unwrap())
}

pub(crate) fn word(event: &Event) -> Option<String> {
    let name = |path: &StorePath| path.name().as_str().trim_end_matches(".drv").to_owned();
    Some(match event {
        Event::Planned { jobs } => format!("planned {}", jobs.len()),
        Event::Started { derivation, kind: Kind::Build, .. } => format!("started {}", name(derivation)),
        Event::Output { derivation, line } => format!("{}: {line}", name(derivation)),
        Event::Realised { derivation, how: How::Built, .. } => format!("built {}", name(derivation)),
        Event::Realised { derivation, how: How::Reused, .. } => format!("reused {}", name(derivation)),
        Event::Realised { derivation, how: How::Verified, .. } => format!("verified {}", name(derivation)),
        Event::Warned { derivation, message } => format!("warned of {}: {message}", name(derivation)),
        Event::Postponed { derivation, .. } => format!("postponed {}", name(derivation)),
        Event::Failed { derivation, .. } => format!("failed {}", name(derivation)),
        Event::Skipped { derivation, because } => format!("skipped {} for {}", name(derivation), name(because)),
        _ => return None,
    })
}
