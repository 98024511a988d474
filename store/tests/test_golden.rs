//! The stored formats against golden vectors, which `testdata/formats/generate.py` computes on its own.
//!
//! They change only together with the version of a format.

use crate::support::{name, open, scratch_on_disk};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use store::derivation::placeholder;
use store::local::BuildCost;
use store::local::publish::BuildResult;
use store::{
    Action, BlobDigest, Derivation, Directory, EntryName, FileHash, FixedOutput, HashAlgorithm, HashMode, Input,
    ListingBuilder, Node, OutputName, Realisation, StorePath, Tree, TreeDigest, TreeListing, TreePath,
};

fn golden(file: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/formats").join(file);
    serde_json::from_slice(&std::fs::read(&path).expect("a golden file")).expect("JSON")
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("a string").as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    hex.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The vectors of a file by name: bytes and digest.
fn vectors(file: &str) -> BTreeMap<String, (Vec<u8>, String)> {
    let Value::Object(fields) = golden(file) else { panic!("{file} holds no object") };
    let vector = |value: &Value| (bytes(&value["hex"]), value["digest"].as_str().unwrap_or_default().to_owned());
    fields.iter().map(|(name, value)| (name.clone(), vector(value))).collect()
}

fn file(executable: bool, content: &[u8]) -> Node {
    Node::File { executable, size: content.len() as u64, blob: BlobDigest::of(content) }
}

fn symlink(target: &[u8]) -> Node {
    Node::Symlink { target: target.to_vec() }
}

fn content() -> Node {
    file(false, b"content\n")
}

fn script() -> Node {
    file(true, b"#!/bin/sh\n")
}

fn directory(entries: &[(&[u8], Node)]) -> Directory {
    entries.iter().map(|(name, node)| (EntryName::new(name).expect("valid"), node.clone())).collect()
}

fn flat() -> Directory {
    directory(&[
        (b"b", content()),
        (b"a", script()),
        (b"B", symlink(b"../usr/lib")),
        (b"ab", file(false, b"")),
        (b"\xff", content()),
    ])
}

fn nested() -> TreeListing {
    let mut builder = ListingBuilder::default();
    for (path, leaf) in [
        ("z/void", None),
        ("z/deep/er/x", Some(content())),
        ("lib64/x", Some(content())),
        ("lib/x", Some(content())),
        ("bin/sh", Some(script())),
    ] {
        builder.insert(&TreePath::parse(path.as_bytes()).expect("valid"), leaf).expect("free");
    }
    builder.finish()
}

fn listings() -> BTreeMap<&'static str, TreeListing> {
    let leaf = |node| TreeListing::new(node, Default::default());
    BTreeMap::from([
        ("file", leaf(content())),
        ("empty file", leaf(file(false, b""))),
        ("executable", leaf(script())),
        ("symlink", leaf(symlink(b"../usr/lib"))),
        ("symlink with any bytes", leaf(symlink(b"\xff\x01"))),
        ("empty directory", TreeListing::of_directory(Directory::default())),
        ("directory", TreeListing::of_directory(flat())),
        ("nested", nested()),
    ])
}

fn root_tree(listing: &TreeListing) -> Tree {
    match listing.root() {
        Node::Directory(digest) => Tree::Directory(listing.directory(digest).expect("its root").clone()),
        leaf => Tree::Leaf(leaf.clone()),
    }
}

#[test]
fn trees_and_listings() {
    let (trees, golden_listings) = (vectors("trees.json"), vectors("listings.json"));
    assert_eq!(trees.keys().map(String::as_str).collect::<BTreeSet<_>>(), listings().into_keys().collect());
    for (case, listing) in listings() {
        let (encoding, digest) = &trees[case];
        let tree = root_tree(&listing);
        assert_eq!((&tree.encode(), &tree.digest().to_string()), (encoding, digest), "{case}");
        assert_eq!(Tree::decode(encoding), Ok(tree), "{case}");
        let (encoding, digest) = &golden_listings[case];
        assert_eq!((&listing.encode(), &listing.digest().to_string()), (encoding, digest), "{case}");
        assert_eq!(TreeListing::decode(encoding).expect("golden"), listing, "{case}");
    }
}

fn source() -> StorePath {
    StorePath::from_tree(content().digest(), name("source.txt")).expect("valid")
}

fn seed() -> StorePath {
    StorePath::from_tree(nested().digest(), name("seed")).expect("valid")
}

fn library() -> Derivation {
    Derivation {
        name: name("library-1.0"),
        system: "builtin".to_owned(),
        builder: "builtin:fetch".to_owned(),
        args: Vec::new(),
        env: BTreeMap::new(),
        inputs: BTreeSet::new(),
        root: Vec::new(),
        overrides: Vec::new(),
        runtime: Vec::new(),
        outputs: BTreeSet::from([OutputName::out()]),
        fixed: Some(FixedOutput { mode: HashMode::File, hash: FileHash::of(HashAlgorithm::Sha256, b"abc") }),
    }
}

fn library_out() -> Input {
    Input::Output { derivation: library().store_path().expect("short"), output: OutputName::out() }
}

fn program() -> Derivation {
    let mention = library_out().mention();
    let env = [("B", "2".to_owned()), ("a", String::new()), ("Z_9", source().to_string()), ("ä", "kept".to_owned())];
    Derivation {
        name: name("program-2.12"),
        system: "x86_64-linux".to_owned(),
        builder: "/usr/bin/sh".to_owned(),
        args: vec!["-c".to_owned(), format!("echo \"hi\\there\"\n\t\u{1}\u{7f}äöü \u{1f980} {mention}/lib")],
        env: env.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        inputs: BTreeSet::from([Input::Tree(source()), library_out()]),
        root: vec![Input::Tree(seed()), library_out()],
        overrides: vec![Input::Tree(seed())],
        runtime: vec![library_out()],
        outputs: BTreeSet::from([OutputName::out(), "dev".parse().expect("valid")]),
        fixed: None,
    }
}

#[test]
fn derivations() {
    let hash = FileHash::parse(&bytes_to_hex(nested().digest().as_bytes()), Some(HashAlgorithm::Blake3));
    let tree_fixed = Derivation {
        name: name("tree-fixed"),
        fixed: Some(FixedOutput { mode: HashMode::Tree, hash: hash.expect("a digest") }),
        ..library()
    };
    let golden = vectors("derivations.json");
    for (case, derivation) in [("library", library()), ("program", program()), ("tree-fixed", tree_fixed)] {
        let (encoding, digest) = &golden[case];
        assert_eq!(String::from_utf8_lossy(&derivation.encode()), String::from_utf8_lossy(encoding), "{case}");
        assert_eq!(&derivation.digest().to_string(), digest, "{case}");
        assert_eq!(Derivation::decode(encoding).expect("golden"), derivation, "{case}");
    }
}

fn bytes_to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn library_path() -> StorePath {
    StorePath::from_tree(script().digest(), name("library-1.0")).expect("valid")
}

fn action() -> Action {
    let paths = BTreeMap::from([(library_out(), library_path())]);
    Action::resolve(&program(), &paths, flat().digest()).expect("all inputs known")
}

#[test]
fn actions() {
    let fixed = Action::resolve(&library(), &BTreeMap::new(), Directory::default().digest()).expect("no inputs");
    let (golden, commands) = (vectors("actions.json"), self::golden("commands.json"));
    for (case, action) in [("program", action()), ("fixed", fixed)] {
        let (encoding, digest) = &golden[case];
        assert_eq!(String::from_utf8_lossy(&action.encode()), String::from_utf8_lossy(encoding), "{case}");
        assert_eq!(&action.digest().to_string(), digest, "{case}");
        assert_eq!(commands[case]["digest"], action.command_digest().to_string(), "{case}");
    }
}

fn built_content() -> String {
    format!("{}\n{}\n", source(), seed())
}

fn built() -> Directory {
    directory(&[(b"uses", file(false, built_content().as_bytes())), (b"l", symlink(b"uses"))])
}

fn realisation(tree: TreeDigest, references: BTreeSet<TreeDigest>) -> Realisation {
    let runtime = BTreeSet::from([library_path()]);
    Realisation { action: action().digest(), output: OutputName::out(), tree, references, runtime }
}

#[test]
fn realisations() {
    let references = BTreeSet::from([content().digest(), nested().digest()]);
    let other = directory(&[(b"uses", file(false, b"nothing"))]).digest();
    let golden = vectors("realisations.json");
    for (case, realisation) in
        [("built", realisation(built().digest(), references)), ("other", realisation(other, BTreeSet::new()))]
    {
        let encoding = &golden[case].0;
        assert_eq!(String::from_utf8_lossy(&realisation.encode()), String::from_utf8_lossy(encoding), "{case}");
        assert_eq!(Realisation::decode(encoding).expect("golden"), realisation, "{case}");
    }
}

#[test]
fn paths_placeholders_and_file_hashes() {
    let golden = golden("paths.json");
    let out = OutputName::out();
    let dev = "dev".parse().expect("valid");
    let library = library().store_path().expect("short");
    for (case, text) in [
        ("tree", source().to_string()),
        ("derivation", library.to_string()),
        ("blob", BlobDigest::of(b"content\n").to_string()),
        ("placeholder out", placeholder(&library, &out)),
        ("placeholder dev", placeholder(&program().store_path().expect("short"), &dev)),
        ("sha256", FileHash::of(HashAlgorithm::Sha256, b"abc").to_string()),
        ("sha512", FileHash::of(HashAlgorithm::Sha512, b"abc").to_string()),
        ("blake3", FileHash::of(HashAlgorithm::Blake3, b"abc").to_string()),
    ] {
        assert_eq!(golden[case], text, "{case}");
    }
    for (case, expected) in [("tree", source()), ("derivation", library)] {
        assert_eq!(golden[case].as_str().expect("a string").parse::<StorePath>(), Ok(expected), "{case}");
    }
}

/// The header and all frames in their order, as the golden file has them.
fn segment() -> Vec<u8> {
    let golden = golden("records.json");
    let frames = golden["frames"].as_array().expect("a list").iter().map(|frame| bytes(&frame["hex"]));
    std::iter::once(bytes(&golden["header"])).chain(frames).flatten().collect()
}

fn build(store: &store::local::LocalStore, content: &str, with_link: bool) -> BuildResult {
    let staging = store.stage().expect("staged");
    let place = staging.path().join("out");
    std::fs::create_dir(&place).expect("created");
    std::fs::write(place.join("uses"), content).expect("written");
    if with_link {
        std::os::unix::fs::symlink("uses", place.join("l")).expect("linked");
    }
    BuildResult {
        derivation: program().digest(),
        name: program().name,
        action: action().digest(),
        outputs: vec![(OutputName::out(), store.seal(staging, &place).expect("sealed"))],
        runtime: BTreeSet::from([library_path()]),
        cost: BuildCost {
            finished: 1_700_000_000,
            duration_ms: 123_456,
            cpu_ms: 1 << 40,
            memory: i64::MAX.unsigned_abs(),
        },
    }
}

fn only_segment(root: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(root.join("records")).expect("readable");
    let segment = entries.next().expect("a segment").expect("readable").path();
    assert!(entries.next().is_none(), "there is one segment");
    segment
}

#[test]
fn records_as_a_store_writes_them() {
    let directory = scratch_on_disk();
    let store = open(directory.path());
    store.add_derivation(program()).expect("added");
    store.publish_build(build(&store, &built_content(), true)).expect("published");
    let conflict = store.publish_build(build(&store, "nothing", false)).expect("published").remove(0).conflict;
    assert!(conflict.is_some());
    let written = std::fs::read(only_segment(directory.path())).expect("readable");
    assert_eq!(bytes_to_hex(&written), bytes_to_hex(&segment()));
}

#[test]
fn records_as_a_store_reads_them() {
    let directory = scratch_on_disk();
    drop(open(directory.path()));
    std::fs::write(directory.path().join("records/1"), segment()).expect("written");
    std::fs::remove_file(directory.path().join("index.db")).expect("removed");
    let store = open(directory.path());
    assert_eq!(store.derivation(&program().digest()).expect("kept"), program());
    assert_eq!(store.resolution(&program().digest()).expect("asked"), Some(action().digest()));
    assert_eq!(store.listing(&built().digest()).expect("kept"), TreeListing::of_directory(built()));
    let mentions = store.mentions(&built().digest()).expect("kept");
    assert_eq!(mentions, BTreeSet::from([content().digest(), nested().digest()]));
    let cost = store.build_cost(&action().digest()).expect("asked").expect("kept");
    assert_eq!((cost.finished, cost.duration_ms, cost.cpu_ms), (1_700_000_000, 123_456, 1 << 40));
    assert_eq!(cost.memory, i64::MAX.unsigned_abs());
}
