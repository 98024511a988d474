//! What is sealed cannot be changed through a build: not by a link to it, an alias of it, or a descriptor, a mapping or a process that
//! a build would leave behind.

use crate::realising::{Fixture as Scene, output_of};
use builder::{Event, RunOptions};
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::time::Duration;
use store::StorePath;
use store::local::LocalStore;

/// A store with a file in the root of builds and an input, both of which builds try to change.
struct Fixture {
    scene: Scene,
    layer: StorePath,
    input: StorePath,
}

impl Fixture {
    fn new() -> Self {
        let scene = Scene::new();
        let layer = scene.add_tree("layer", "layer", "of the root\n");
        let input = scene.add_tree("input", "file", "as it was\n");
        Self { scene, layer, input }
    }

    fn store(&self) -> &LocalStore {
        &self.scene.store
    }

    /// Runs a script in which `@` stands for the input's store path, and returns its output tree and what it said. The output itself may be
    /// refused.
    fn run(&self, script: &str) -> (Option<StorePath>, Vec<String>) {
        let script = script.replace('@', &self.input.to_string());
        let path = self.scene.add("hostile", &script, &[&self.input], std::slice::from_ref(&self.layer));
        let said = Mutex::new(Vec::new());
        let listen = |event| {
            if let Event::Output { line, .. } = event {
                said.lock().unwrap().push(line);
            }
        };
        let builder = self.scene.builder(1);
        let result = builder.realise_all(std::slice::from_ref(&path), RunOptions::default(), &listen).unwrap();
        (result.outputs.get(&output_of(&path)).cloned(), said.into_inner().unwrap())
    }

    /// Nothing in the store changes, neither now nor a while later.
    fn assert_sound(&self) {
        for _ in 0..3 {
            assert_eq!(self.store().verify(None, true).unwrap(), []);
            std::thread::sleep(Duration::from_millis(40));
        }
        let file = self.store().host_path(&self.input).join("file");
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
    let layer = fixture.store().host_path(&fixture.layer).join("layer");
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
    let content = std::fs::read(fixture.store().host_path(&output).join("file")).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(std::fs::read(fixture.store().host_path(&output).join("file")).unwrap(), content);
}

/// Wherever the exchange was when the process died, the output is one or the other, and nothing of this machine is in it.
#[test]
fn a_link_that_is_swapped_in_leads_nowhere() {
    for _ in 0..5 {
        let fixture = Fixture::new();
        let script = "mkdir $out\nmkdir $out/d\nwrite $out/d/passwd mine\nswap $out/d /etc\nsay started";
        let (output, said) = fixture.run(script);
        let output = output.unwrap_or_else(|| panic!("{said:?}"));
        let listing = fixture.store().listing(&output.tree().unwrap()).unwrap();
        let passwd = store::TreePath::parse(b"d/passwd").unwrap();
        if let Some(node) = listing.get(&passwd) {
            let blob = store::BlobDigest::of(b"mine\n");
            assert_eq!(*node, store::Node::File { executable: false, size: 5, blob });
        }
        fixture.assert_sound();
    }
}
