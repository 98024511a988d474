//! What is sealed cannot be changed through a build: not by a link to it, an alias of it, or a descriptor, a mapping or a process that
//! a build would leave behind.

use builder::fetch::FetchSettings;
use builder::{Builder, Event, RunLimits, RunOptions, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use store::local::{LocalStore, OpenOptions};
use store::{Derivation, Input, OutputName, StoreName, StorePath};

const SYSTEM: &str = "test-system";

/// A store with the tests' program and an input that builds try to change.
struct Fixture {
    store: LocalStore,
    seed: StorePath,
    input: StorePath,
    _top: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let seed = top.path().join("seed");
        std::fs::create_dir_all(seed.join("bin")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/mini.c");
        let compiled = Command::new("cc").args(["-static", "-o"]).arg(seed.join("bin/mini")).arg(source).status();
        assert!(compiled.unwrap().success());
        std::fs::write(seed.join("layer"), "of the root\n").unwrap();
        let store = LocalStore::open(&top.path().join("store"), OpenOptions { durable: false }).unwrap();
        let name = |name| StoreName::parse(name).unwrap();
        let seed = store.add_path(&seed, name("seed"), None).unwrap();
        let tree = top.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::fs::write(tree.join("file"), "as it was\n").unwrap();
        let input = store.add_path(&tree, name("input"), None).unwrap();
        Self { store, seed, input, _top: top }
    }

    /// Runs a script in which `@` stands for the input's store path, and returns its output tree and what it said. The output itself may be
    /// refused.
    fn run(&self, script: &str) -> (Option<StorePath>, Vec<String>) {
        let derivation = Derivation {
            name: StoreName::parse("hostile").unwrap(),
            system: SYSTEM.to_owned(),
            builder: "/bin/mini".to_owned(),
            args: vec![script.replace('@', &self.input.to_string())],
            env: BTreeMap::from([("out".to_owned(), "/larder/out/out".to_owned())]),
            inputs: BTreeSet::from([Input::Tree(self.input.clone())]),
            root: vec![Input::Tree(self.seed.clone())],
            overrides: Vec::new(),
            runtime: Vec::new(),
            outputs: BTreeSet::from([OutputName::out()]),
            fixed: None,
        };
        let path = derivation.store_path().unwrap();
        self.store.add_derivation(derivation).unwrap();
        let settings = Settings {
            spawner: (PathBuf::from(env!("CARGO_BIN_EXE_larder-spawner")), Vec::new()),
            system: SYSTEM.to_owned(),
            jobs: 1,
            cores: 1,
            memory: None,
            limits: RunLimits::default(),
            retry: false,
            keep_failed: false,
            fetch: FetchSettings::default(),
        };
        let said = Mutex::new(Vec::new());
        let listen = |event| {
            if let Event::Output { line, .. } = event {
                said.lock().unwrap().push(line);
            }
        };
        let builder = Builder::new(&self.store, settings);
        let result = builder.realise_all(std::slice::from_ref(&path), RunOptions::default(), &listen).unwrap();
        let output = result.outputs.get(&Input::Output { derivation: path, output: OutputName::out() }).cloned();
        (output, said.into_inner().unwrap())
    }

    /// Nothing in the store changes, neither now nor a while later.
    fn assert_sound(&self) {
        for _ in 0..3 {
            assert_eq!(self.store.verify(None, true).unwrap(), []);
            std::thread::sleep(Duration::from_millis(40));
        }
        let file = self.store.host_path(&self.input).join("file");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "as it was\n");
        assert_eq!(file.metadata().unwrap().nlink(), 2, "the tree's file and its object");
    }
}

#[test]
fn an_output_is_no_link_to_an_input() {
    let fixture = Fixture::new();
    let script = "mkdir $out\ntry hardlink @/file $out/file\ntry hardlink /layer $out/layer\ntry rewrite $out/layer\nwrite $out/x x";
    let (output, said) = fixture.run(script);
    assert_eq!(said[0], "mini: cannot link /larder/out/out/file: Invalid cross-device link");
    assert!(output.is_some(), "{said:?}");
    let layer = fixture.store.host_path(&fixture.seed).join("layer");
    assert_eq!(std::fs::read_to_string(layer).unwrap(), "of the root\n");
    fixture.assert_sound();
}

#[test]
fn an_input_has_no_alias_that_can_be_written_to() {
    let fixture = Fixture::new();
    let script =
        "mkdir /build/alias\ntry bind @ /build/alias\ntry rewrite /build/alias/file\ntry rewrite @/file\nwrite $out x";
    let (output, said) = fixture.run(script);
    assert!(output.is_some());
    let attempts: Vec<_> = said.iter().filter(|line| !line.starts_with("mini:")).map(String::as_str).collect();
    assert_eq!(attempts, ["bind failed", "rewrite failed", "rewrite failed"], "{said:?}");
    fixture.assert_sound();
}

/// The process that holds the descriptor and the mapping is dead before the output is looked at.
#[test]
fn descriptors_and_mappings_end_with_the_build() {
    let fixture = Fixture::new();
    let (output, said) = fixture.run("mkdir $out\nwrite $out/file content\nscribble $out/file");
    let output = output.unwrap_or_else(|| panic!("{said:?}"));
    fixture.assert_sound();
    let content = std::fs::read(fixture.store.host_path(&output).join("file")).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(std::fs::read(fixture.store.host_path(&output).join("file")).unwrap(), content);
}

/// Wherever the exchange was when the process died, the output is one or the other, and nothing of this machine is in it.
#[test]
fn a_link_that_is_swapped_in_leads_nowhere() {
    for _ in 0..5 {
        let fixture = Fixture::new();
        let script = "mkdir $out\nmkdir $out/d\nwrite $out/d/passwd mine\nswap $out/d /etc\nsay started";
        let (output, said) = fixture.run(script);
        let output = output.unwrap_or_else(|| panic!("{said:?}"));
        let listing = fixture.store.listing(&output.tree().unwrap()).unwrap();
        let passwd = store::TreePath::parse(b"d/passwd").unwrap();
        if let Some(node) = listing.get(&passwd) {
            let blob = store::BlobDigest::of(b"mine\n");
            assert_eq!(*node, store::Node::File { executable: false, size: 5, blob });
        }
        fixture.assert_sound();
    }
}
