//! The builtin functions: every one of Nix 2.34 is there or said to be left out, each has an example that is true, and
//! `docs/builtins.md` is what the table says (`LARDER_ACCEPT=1` writes it).

use crate::test_language::directory;
use eval::builtins::{self, EXAMPLES, UNAVAILABLE};
use eval::{MemoryIo, Session, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// The members of `builtins` that are not functions, and what they are.
const CONSTANTS: &[(&str, &str)] = &[
    ("builtins", "The set of all these."),
    ("currentSystem", "The system that is evaluated for; a parameter (`--system`), not what runs."),
    ("currentTime", "Seconds since 1970; only with `--impure`."),
    ("false", "The boolean."),
    ("langVersion", "6, as in Nix 2.34."),
    ("nixPath", "The search path: that of `-I`, and with `--impure` that of `NIX_PATH`."),
    ("nixVersion", "The version of Nix whose language this is."),
    ("null", "The value that stands for nothing."),
    ("storeDir", "`/larder/store`"),
    ("true", "The boolean."),
];

#[test]
fn every_builtin_of_nix_is_there_or_left_out() {
    let text = std::fs::read_to_string(directory().join("builtins-2.34.txt")).expect("the list is in the repository");
    let of_nix: BTreeSet<&str> = text.lines().collect();
    let ours: BTreeSet<&str> = builtins::all().map(|builtin| builtin.name).collect();
    let left_out: BTreeSet<&str> = UNAVAILABLE.iter().map(|(name, _)| *name).collect();
    let constants: BTreeSet<&str> = CONSTANTS.iter().map(|(name, _)| *name).collect();
    let known = |name: &&&str| ours.contains(**name) || left_out.contains(**name) || constants.contains(**name);
    assert_eq!(of_nix.iter().filter(|name| !known(name)).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert_eq!(ours.intersection(&left_out).collect::<Vec<_>>(), Vec::<&&str>::new());
    // Nix makes `toString` and its like variables only; the others it does not list are `scopedImport` and larder's own.
    let more: Vec<_> = ours.difference(&of_nix).copied().collect();
    assert_eq!(more, ["fromYAML", "readFileKind"]);
}

/// What is wrong with a file is a value, so that who reads many can go on without one of them.
#[test]
fn kinds_of_files_are_values() {
    let io = MemoryIo::default()
        .with_file("/text", "caf\u{e9}")
        .with_file("/latin", b"caf\xe9".to_vec())
        .with_file("/binary", b"a\0b".to_vec())
        .with_file("/directory/file", "")
        .with_link("/link", "directory/file")
        .with_link("/to-directory", "directory")
        .with_link("/chain", "link")
        .with_link("/dangling", "nowhere");
    let session = Session::new(Settings::new("x86_64-linux"), Arc::new(io));
    let kinds = [
        ("/text", "\"text\""),
        ("/latin", "\"text\""),
        ("/binary", "\"binary\""),
        ("/directory", "\"directory\""),
        ("/link", "\"text\""),
        ("/chain", "\"text\""),
        ("/to-directory", "\"directory\""),
        ("/dangling", "null"),
        ("/nothing", "null"),
    ];
    for (path, kind) in kinds {
        let value = session.eval_expr(format!("builtins.readFileKind {path}").as_bytes(), Path::new("/")).unwrap();
        assert_eq!(String::from_utf8_lossy(&session.print(value, true).unwrap()), kind, "{path}");
    }
}

#[test]
fn every_example_is_true() {
    let examples: BTreeMap<_, _> = EXAMPLES.iter().map(|(name, text, value)| (*name, (*text, *value))).collect();
    assert_eq!(examples.len(), EXAMPLES.len(), "one example for each name");
    for builtin in builtins::all() {
        let (text, expected) = examples.get(builtin.name).unwrap_or_else(|| panic!("{} has no example", builtin.name));
        assert!(text.contains(builtin.name), "{}: {text}", builtin.name);
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(MemoryIo::default().with_file("/file", "")));
        let value = session.eval_expr(text.as_bytes(), Path::new("/")).expect("an example evaluates");
        let printed = session.print(value, true).expect("an example prints");
        assert_eq!(String::from_utf8_lossy(&printed), *expected, "{text}");
    }
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn document() -> String {
    let mut out = String::from(
        "# Builtins\n\nMade from the table in `eval/src/builtins/` by a test (`LARDER_ACCEPT=1 cargo test -p eval builtins`).\n\n\
         Everything that Nix 2.34 has is here, or among what is left out below. `fromYAML` and `readFileKind` are larder's own.\n\n\
         | builtin | arguments | what it gives | example | its value |\n| --- | --- | --- | --- | --- |\n",
    );
    let examples: BTreeMap<_, _> = EXAMPLES.iter().map(|(name, text, value)| (*name, (*text, *value))).collect();
    let all: BTreeMap<_, _> = builtins::all().map(|builtin| (builtin.name, builtin)).collect();
    for (name, builtin) in all {
        let (text, value) = examples[name];
        writeln!(
            out,
            "| `{name}` | {} | {} | `` {} `` | `` {} `` |",
            builtin.arity,
            cell(builtin.doc),
            cell(text),
            cell(value)
        )
        .expect("strings take everything");
    }
    out.push_str("\n## Constants\n\n| constant | what it is |\n| --- | --- |\n");
    for (name, what) in CONSTANTS {
        writeln!(out, "| `{name}` | {what} |").expect("strings take everything");
    }
    out.push_str("\n## Left out\n\n| builtin | why |\n| --- | --- |\n");
    for (name, why) in UNAVAILABLE {
        writeln!(out, "| `{name}` | {why} |").expect("strings take everything");
    }
    out.push_str(DIFFERENCES);
    out
}

/// What is different on purpose.
const DIFFERENCES: &str = "
## Different on purpose

- Store paths are `/larder/store/…` with a digest of the content; `outPath` of a derivation is a placeholder until it is
  built, and `placeholder` gives the path where a build creates an output.
- `fetchurl` and `fetchTarball` need a hash: of the file, or of what is unpacked, as in Nix. They give an output of a
  derivation: it is fetched when something reads it. So does what `<nix/fetchurl.nix>` gives, which takes no `unpack`
  (it would restore a NAR), `md5`, `sha1` or `impure`.
- Pure evaluation is the default: `getEnv` gives the empty string, `<x>` is looked for where `-I` says
  only, and `~/x` is an error, unless `--impure` is given.
- `hashString` and `hashFile` know `blake3` too.
- `break` gives its argument: there is no debugger. `traceVerbose` shows its argument with `--trace-verbose`.
";

#[test]
fn the_document_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("docs/builtins.md");
    let wanted = document();
    if std::env::var_os("LARDER_ACCEPT").is_some() {
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("writable");
        std::fs::write(&path, &wanted).expect("writable");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/builtins.md is not what the table says; write it anew with LARDER_ACCEPT=1");
}
