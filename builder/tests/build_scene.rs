//! A store with a tree that has one static program, `/bin/mini`, and derivations that run its scripts.

use builder::fetch::FetchSettings;
use builder::{Builder, RunResult, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use store::local::{LocalStore, OpenOptions};
use store::{Derivation, Input, OutputName, StoreName, StorePath};

const SYSTEM: &str = "test-system";

pub(crate) struct BuildScene {
    pub(crate) store: LocalStore,
    /// The tree with the program.
    pub(crate) seed: StorePath,
    pub(crate) top: tempfile::TempDir,
}

impl BuildScene {
    pub(crate) fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let seed = top.path().join("seed");
        std::fs::create_dir_all(seed.join("bin")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/mini.c");
        let compiled = Command::new("cc").args(["-static", "-o"]).arg(seed.join("bin/mini")).arg(source).status();
        assert!(compiled.unwrap().success());
        let store = LocalStore::open(&top.path().join("store"), OpenOptions { durable: false }).unwrap();
        let seed = store.add_path(&seed, name("seed"), None).unwrap();
        Self { store, seed, top }
    }

    /// Adds a tree of one file.
    pub(crate) fn add_tree(&self, tree: &str, file: &str, content: &str) -> StorePath {
        let directory = self.top.path().join(tree);
        let file = directory.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
        self.store.add_path(&directory, name(tree), None).unwrap()
    }

    pub(crate) fn builder(&self, jobs: usize) -> Builder<'_> {
        let settings = Settings {
            spawner: (PathBuf::from(env!("CARGO_BIN_EXE_larder-spawner")), Vec::new()),
            system: SYSTEM.to_owned(),
            jobs,
            cores: 1,
            keep_failed: false,
            fetch: FetchSettings::default(),
        };
        Builder::new(&self.store, settings)
    }

    /// Adds a derivation that runs a script of `mini.c`; its root is the seed and `root`.
    pub(crate) fn add(&self, text: &str, script: &str, inputs: &[Input], root: &[StorePath]) -> StorePath {
        let derivation = Derivation {
            name: name(text),
            system: SYSTEM.to_owned(),
            builder: "/bin/mini".to_owned(),
            args: vec![script.to_owned()],
            env: BTreeMap::from([("out".to_owned(), "/larder/out/out".to_owned())]),
            inputs: inputs.iter().cloned().collect(),
            root: [&self.seed].into_iter().chain(root).cloned().map(Input::Tree).collect(),
            overrides: Vec::new(),
            runtime: Vec::new(),
            outputs: BTreeSet::from([OutputName::out()]),
            fixed: None,
        };
        let path = derivation.store_path().unwrap();
        self.store.add_derivation(derivation).unwrap();
        path
    }

    pub(crate) fn content(&self, result: &RunResult, derivation: &StorePath) -> String {
        std::fs::read_to_string(self.store.host_path(&result.outputs[&output_of(derivation)])).unwrap()
    }
}

impl Drop for BuildScene {
    /// What is sealed is read-only, so an ordinary user cannot remove it as it is.
    fn drop(&mut self) {
        make_writable(self.top.path());
    }
}

fn make_writable(directory: &Path) {
    let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755));
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

pub(crate) fn name(text: &str) -> StoreName {
    StoreName::parse(text).unwrap()
}

/// The only output of a derivation.
pub(crate) fn output_of(derivation: &StorePath) -> Input {
    Input::Output { derivation: derivation.clone(), output: OutputName::out() }
}
