//! Names and paths that nobody should have: shown without harm, told exactly to programs, refused where they lead elsewhere.

use crate::harness::Scratch;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

#[test]
fn every_name_is_told_exactly_and_shown_without_harm() {
    let scratch = Scratch::new("{ }");
    let long = [b'n'; 255];
    let names: [&[u8]; 6] = [&long, b"\xff\xfe", b"new\nline", b"\x1b[31mred", "ü".as_bytes(), b"\\xff"];
    std::fs::create_dir(scratch.path("tree")).unwrap();
    for name in names {
        std::fs::write(scratch.path("tree").join(OsStr::from_bytes(name)), name).unwrap();
    }
    symlink(OsStr::from_bytes(b"\x80/to"), scratch.path("tree/link")).unwrap();
    let path = scratch.line("add tree");
    let listed = scratch.larder_with(&["ls", &path, "--json"]).ok().json("ls");
    let entries = listed["entries"].as_array().unwrap();
    let told = |entry: &serde_json::Value, key: &str| match entry[format!("{key}_hex")].as_str() {
        Some(hex) => (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect(),
        None => entry[key].as_str().unwrap().as_bytes().to_vec(),
    };
    let mut found: Vec<_> = entries.iter().map(|entry| told(entry, "path")).collect();
    let mut expected: Vec<_> = names.iter().map(|name| name.to_vec()).chain([b"link".to_vec()]).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let link = entries.iter().find(|entry| entry["kind"] == "symlink").unwrap();
    assert_eq!(told(link, "target"), b"\x80/to");
    for words in [&["ls", &path][..], &["ls", "--long", &path]] {
        let shown = scratch.larder_with(words).ok();
        assert_eq!(shown.lines().len(), names.len() + 1, "each entry is one line: {}", shown.stdout);
        assert!(!shown.stdout.contains('\x1b'), "a terminal is told nothing: {:?}", shown.stdout);
    }
    scratch.larder_with(&["export", &path, "copy"]).ok();
    for name in names {
        assert_eq!(std::fs::read(scratch.path("copy").join(OsStr::from_bytes(name))).unwrap(), name);
    }
    assert_eq!(std::fs::read_link(scratch.path("copy/link")).unwrap().as_os_str().as_bytes(), b"\x80/to");
    scratch.assert_sound();
}

#[test]
fn a_file_whose_name_no_store_path_can_have_needs_another() {
    let scratch = Scratch::new("{ }");
    for name in [&b"two\nlines"[..], b"\x1b[2J", b"\xff", &[b'n'; 255], b".hidden"] {
        let mut file = scratch.path(".").into_os_string().into_encoded_bytes();
        file.push(b'/');
        file.extend_from_slice(name);
        std::fs::write(OsStr::from_bytes(&file), "x").unwrap();
        let mut command = scratch.command([OsStr::new("add"), OsStr::from_bytes(&file)]);
        let ran = crate::harness::Ran::of(&mut command).fails(2, &["--name NAME"]);
        assert!(!ran.stderr.contains(['\x1b', '\u{fffd}']) || name == b"\xff", "{:?}", ran.stderr);
        let mut command = scratch.command([OsStr::new("add"), OsStr::new("--name=x"), OsStr::from_bytes(&file)]);
        crate::harness::Ran::of(&mut command).ok();
    }
    scratch.larder_with(&["add", "--name", "a/b", "default.nix"]).fails(2, &["a/b"]);
    scratch.larder_with(&["add", "--name", "", "default.nix"]).fails(2, &["--name NAME"]);
}

/// Whatever is said of such a name, a terminal takes it for text, and it stands in one line.
#[test]
fn messages_tell_terminals_nothing() {
    const BAD: &str = "a\x1b[31m\x07b\nc";
    let scratch = Scratch::new("{ }");
    let harmless = |ran: crate::harness::Ran| {
        let said = [ran.stdout, ran.stderr].concat();
        assert!(said.contains("\\u{1b}[31m\\u{7}b\\nc"), "{said:?}");
        assert!(!said.contains(|character: char| character.is_control() && character != '\n'), "{said:?}");
    };
    std::fs::create_dir(scratch.path("tree")).unwrap();
    let _listener = UnixListener::bind(scratch.path("tree").join(BAD)).unwrap();
    scratch.write(&format!("{BAD}.nix"), "{  }.x\n");
    scratch.write(&format!("{BAD}-1.nix"), "{  }\n");
    std::fs::create_dir_all(scratch.path("recipes/core").join(BAD)).unwrap();
    scratch.write(&format!("recipes/core/{BAD}/package.yml"), "");
    let path = scratch.line("add default.nix");
    for words in [
        &["add", "tree"][..],
        &["add", BAD],
        &["ls", BAD],
        &["eval", "-f", BAD],
        &["eval", &format!("./{BAD}.nix")],
        &["lint", BAD],
        &["lint", "recipes"],
        &["fmt", "--check", &format!("{BAD}.nix")],
        &["fmt", "--check", "--diff", &format!("{BAD}-1.nix")],
        &["export", &path, &format!("{BAD}.nix")],
        &["roots", "add", &format!("./{BAD}.nix"), &path],
    ] {
        harmless(scratch.larder_with(words));
    }
    // The parser of arguments leaves such characters out, but for the ends of lines.
    let ran = scratch.larder_with(&[BAD]).fails(2, &["unrecognized"]);
    assert!(!ran.stderr.contains(['\x1b', '\x07']), "{:?}", ran.stderr);
    std::fs::create_dir(scratch.home().join("store").join(BAD)).unwrap();
    harmless(scratch.larder("verify").fails(1, &["1 problem"]));
    std::fs::create_dir(scratch.path(BAD)).unwrap();
    scratch.larder_with(&["roots", "add", &format!("{BAD}/link"), &path]).ok();
    harmless(scratch.larder("roots list"));
    harmless(scratch.larder_with(&["gc", "--explain", &path]));
}

#[test]
fn what_lies_outside_the_store_is_not_in_it() {
    let scratch = Scratch::new("{ }");
    let path = scratch.line("add default.nix");
    for words in [&["cat", "/etc/passwd"][..], &["ls", "/etc"], &["query", "references", "/etc/passwd"]] {
        let ran = scratch.larder_with(words);
        assert!(matches!(ran.code, Some(1..=3)), "{words:?}: {} {}", ran.stdout, ran.stderr);
        assert_eq!(ran.stdout, "", "{words:?}");
    }
    for outside in ["/larder/store/../../etc/passwd", "/larder/store/", "/larder/store", "/larder/store/..", "..", "/"]
    {
        let ran = scratch.larder_with(&["cat", outside]);
        assert!(matches!(ran.code, Some(1..=3)), "{outside}: {} {}", ran.stdout, ran.stderr);
        assert_eq!(ran.stdout, "", "{outside}");
        assert!(!ran.stderr.contains("bug of larder"), "{outside}: {}", ran.stderr);
    }
    for inside in ["..", "../../format", "../index.db", "/etc/passwd", "a/../../b"] {
        let ran = scratch.larder_with(&["cat", &path, inside]);
        assert!(matches!(ran.code, Some(1 | 2)), "{inside}: {} {}", ran.stdout, ran.stderr);
        assert_eq!(ran.stdout, "", "{inside}");
    }
    // What has the store in it is not added to it.
    for place in [".", "home"] {
        scratch.larder_with(&["add", place, "--name", "x"]).fails(1, &["has the store itself in it"]);
    }
    scratch.assert_sound();
}

#[test]
fn what_is_no_file_is_refused_by_name() {
    let scratch = Scratch::new("{ }");
    std::fs::create_dir_all(scratch.path("tree/d")).unwrap();
    let _listener = UnixListener::bind(scratch.path("tree/d/talk")).unwrap();
    scratch.larder("add tree").fails(1, &["tree/d/talk is a socket"]);
    scratch.larder("add tree/d/talk").fails(1, &["talk is a socket"]);
    scratch.larder("add /dev/null --name null").fails(1, &["/dev/null is a device"]);
    scratch.larder("add nowhere").fails(2, &["nowhere does not exist"]);
    assert_eq!(scratch.entries("store"), [""; 0]);
    assert_eq!(scratch.entries("tmp"), [""; 0]);
}

/// However deep, wide or large with nothing in it: a tree is added, imported, listed, exported, verified and collected.
#[test]
fn extreme_trees_go_all_the_ways() {
    const WIDE: usize = 20_000;
    let scratch = Scratch::new("{ }");
    std::fs::create_dir_all(scratch.path("tree/wide")).unwrap();
    for number in 0..WIDE {
        std::fs::write(scratch.path(&format!("tree/wide/{number}")), "").unwrap();
    }
    std::fs::create_dir_all(scratch.path(&format!("tree/{}", "d/".repeat(900)))).unwrap();
    scratch.write(&format!("tree/{}end", "d/".repeat(900)), "found");
    std::fs::File::create(scratch.path("tree/sparse")).unwrap().set_len(40 << 20).unwrap();
    let path = scratch.line("add tree");
    let imported = scratch.larder_with(&["eval", "--raw", "--expr", "\"${./tree}\""]).ok().stdout;
    assert_eq!(imported.trim(), path);
    let listed = scratch.larder_with(&["ls", "-R", &path]).ok();
    assert_eq!(listed.lines().len(), WIDE + 900 + 3, "the files, the directories and the two others");
    assert_eq!(scratch.larder_with(&["cat", &path, &format!("{}end", "d/".repeat(900))]).ok().stdout, "found");
    scratch.larder_with(&["export", &path, "copy"]).ok();
    let same = std::process::Command::new("diff").arg("-r").args([scratch.path("tree"), scratch.path("copy")]).output();
    assert_eq!(String::from_utf8_lossy(&same.unwrap().stdout), "");
    scratch.assert_sound();
    scratch.larder("gc").ok();
    assert_eq!((scratch.entries("store"), scratch.entries("tmp")), (Vec::new(), Vec::new()));
    scratch.assert_sound();
}
