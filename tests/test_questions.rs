//! Sizes, trees, graphs, reasons, and what is behind links.

use crate::harness::{Ran, Scratch};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{OpenptyResult, Winsize, openpty};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::process::Command;

const RECIPES: &str = r#"rec {
  source = ./source;
  libc = write "libc-2" { "lib/libc.so" = { text = builtins.readFile (source + "/code"); }; } // { };
  zlib = write "zlib-1" { "lib/libz.so" = { text = "uses ${libc}/lib/libc.so"; }; };
  tool = mini "tool-1" "mkdir $out\nwrite $out/a ${zlib}\nwrite $out/b ${libc}\nwrite $out/c ${libc}" { src = source; };
  top = mini "top-1" "mkdir $out\nwrite $out/text ${zlib}" { runtime = [ tool ]; };
  bare = write "bare-1" { x = { text = "x"; }; };
  links = write "links-1" {
    "usr/lib/file" = { text = "found"; };
    lib = { symlink = "usr/lib"; };
    absolute = { symlink = "/lib/file"; };
    other = { symlink = "${libc}/lib"; };
    circle = { symlink = "circle"; };
    outside = { symlink = "../../etc/passwd"; };
    roundabout = { symlink = "${libc}/lib/../lib/libc.so"; };
    dangling = { symlink = "none"; };
  };
}"#;

fn built() -> Scratch {
    let scratch = Scratch::new(RECIPES);
    std::fs::create_dir(scratch.path("source")).unwrap();
    scratch.write("source/code", "c".repeat(10_000));
    scratch.larder("build .#top").ok();
    scratch.larder("build --no-link .#links").ok();
    scratch
}

fn path(scratch: &Scratch, name: &str) -> String {
    scratch.line(&format!("query outputs .#{name}"))
}

/// A drawing in which paths are called by their names.
fn named(scratch: &Scratch, text: &str) -> String {
    let names = ["libc", "zlib", "tool", "top"];
    names.iter().fold(text.to_owned(), |text, name| text.replace(&path(scratch, name), name))
}

/// What larder prints on a terminal of 80 columns without colours.
fn on_a_terminal(scratch: &Scratch, words: &str) -> String {
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
    // What other tests start must not keep it open.
    for end in [&master, &slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    let mut child = scratch.command(words.split(' ')).env("NO_COLOR", "1").stdout(slave).spawn().unwrap();
    let (mut told, mut buffer, mut master) = (Vec::new(), [0; 4096], File::from(master));
    // That the last one has closed the other end is an error here.
    while let Ok(length @ 1..) = master.read(&mut buffer) {
        told.extend_from_slice(&buffer[..length]);
    }
    assert!(child.wait().unwrap().success(), "{words}");
    String::from_utf8(told).unwrap().replace("\r\n", "\n")
}

#[test]
fn people_see_names_and_all_columns_on_a_terminal_and_programs_whole_paths() {
    let long = "a-name-that-takes-the-room-of-all-columns-1.2.3";
    let scratch = Scratch::new(&format!(
        r#"rec {{
      long = write "{long}" {{ x = {{ text = "x"; }}; }};
      gone = write "gone" {{ x = {{ text = "gone"; }}; }};
      more = write "more" {{ x = {{ text = "${{gone}}"; }}; }};
    }}"#
    ));
    let path = scratch.line("build .#long --profile web");
    scratch.larder("build .#gone --no-link").ok();
    let digest = &path.strip_prefix("/larder/store/").unwrap()[..8];
    for words in [
        "query size .#long",
        "roots list",
        "roots generations web",
        "gc --dry-run",
        "gc --explain .#long",
        "build --dry-run .#more",
    ] {
        let told = on_a_terminal(&scratch, words);
        let plain = scratch.larder(words).ok().stdout;
        let size = words.starts_with("query size");
        assert!(!told.contains("/larder/store/"), "{words}: {told}");
        assert!(size || plain.contains("/larder/store/"), "{words}: {plain}");
        if size {
            assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
            assert!(told.lines().next().unwrap().ends_with("held  closure"), "{told}");
            assert!(told.contains(&format!("… {digest} ")) && plain.contains(&format!("{path} ")), "{told}{plain}");
        } else if words.contains("long") || words.contains("roots") {
            assert!(told.contains(&format!("{long} {digest}")) && plain.contains(&path), "{words}: {told}{plain}");
        }
    }
}

#[test]
fn sizes_are_what_the_disk_says() {
    let scratch = built();
    let json = scratch.larder("query size -R .#top --json").ok().json("size");
    let row = |name: &str| {
        let rows = json["paths"].as_array().unwrap();
        rows.iter().find(|row| row["path"] == path(&scratch, name)).unwrap_or_else(|| panic!("no {name}"))
    };
    let number = |value: &Value| value.as_u64().unwrap();
    assert_eq!(json["paths"].as_array().unwrap().len(), 4);
    assert_eq!((number(&row("libc")["files"]), number(&row("libc")["bytes"])), (1, 10_000));
    // Two of its files are one file on the disk.
    assert_eq!(number(&row("tool")["files"]), 3);
    for name in ["libc", "zlib", "tool", "top"] {
        let du = Command::new("du").args(["-s", "-B1"]).arg(scratch.physical(&path(&scratch, name))).output().unwrap();
        let du = String::from_utf8(du.stdout).unwrap();
        assert_eq!(row(name)["disk"].to_string(), du.split('\t').next().unwrap(), "{name}, by du");
    }
    let sum: u64 = json["paths"].as_array().unwrap().iter().map(|row| number(&row["bytes"])).sum();
    assert_eq!(number(&json["total"]["bytes"]), sum);
    assert_eq!(number(&row("top")["held"]), sum, "nothing else is asked about");
    assert_eq!(row("zlib")["held"], row("zlib")["bytes"], "libc is needed by others, too");
    assert_eq!(number(&row("zlib")["closure"]["bytes"]), number(&row("zlib")["bytes"]) + 10_000);
}

#[test]
fn what_is_shared_is_not_unique() {
    let scratch = Scratch::new("{ }");
    for directory in ["one", "two"] {
        std::fs::create_dir(scratch.path(directory)).unwrap();
        scratch.write(&format!("{directory}/same"), "s".repeat(20_000));
    }
    scratch.write("one/own", "o".repeat(8_000));
    let one = scratch.line("add one");
    let sizes =
        |path: &str| scratch.larder_with(&["query", "size", path, "--json"]).ok().json("size")["paths"][0].clone();
    assert_eq!(sizes(&one)["shared"], 0);
    let before = sizes(&one)["unique"].as_u64().unwrap();
    scratch.line("add two");
    let shared = sizes(&one)["shared"].as_u64().unwrap();
    assert!(shared >= 20_000, "{shared}");
    assert_eq!(sizes(&one)["unique"].as_u64().unwrap(), before - shared);
    let text = scratch.larder_with(&["query", "size", &one, "--bytes"]).ok().stdout;
    assert!(text.lines().nth(1).unwrap().contains(" 28000 "), "{text}");
}

#[test]
fn a_closure_is_drawn_as_a_tree_and_as_a_graph() {
    let scratch = built();
    let tree = scratch.larder("query tree .#top").ok().stdout;
    let expected = "top\n├── tool\n│   ├── libc\n│   └── zlib\n│       └── libc\n└── zlib (above)\n";
    assert_eq!(named(&scratch, &tree), expected);
    let cut = scratch.larder("query tree .#top --depth 1").ok().stdout;
    assert_eq!(named(&scratch, &cut), "top\n├── tool …\n└── zlib …\n");
    let graph = scratch.larder("query graph .#top").ok().stdout;
    let base = |name: &str| path(&scratch, name).replace("/larder/store/", "");
    assert!(graph.contains(&format!("\"{}\" -> \"{}\" [style = dashed];", base("top"), base("tool"))), "{graph}");
    assert_eq!(graph.matches(" -> ").count(), 5, "{graph}");
    let json = scratch.larder("query graph .#top --json").ok().json("graph");
    let nodes = json["nodes"].as_array().unwrap();
    let top = nodes.iter().find(|node| node["name"] == "top-1").unwrap();
    assert_eq!(
        (&top["runtime"][0], &top["references"][0]),
        (&path(&scratch, "tool").into(), &path(&scratch, "zlib").into())
    );
}

#[test]
fn derivations_are_asked_about_themselves() {
    let scratch = built();
    let drv = |name: &str| scratch.line(&format!("instantiate .#{name}"));
    let lines = |ran: Ran| -> BTreeSet<String> { ran.ok().lines().into_iter().map(str::to_owned).collect() };
    let references = lines(scratch.larder_with(&["query", "references", &drv("tool")]));
    assert!(references.contains(&drv("zlib")) && references.contains(&drv("libc")));
    let source = references.iter().find(|path| path.ends_with("-source")).expect("the source is an input");
    assert_eq!(lines(scratch.larder("query references .#tool --derivations")), references);
    assert_eq!(lines(scratch.larder_with(&["query", "referrers", source])), BTreeSet::from([drv("tool")]));
    let all = lines(scratch.larder_with(&["query", "referrers", "-R", source]));
    assert_eq!(all, BTreeSet::from([drv("tool"), drv("top")]));
    let closure = lines(scratch.larder("query closure .#top --derivations"));
    assert!(
        ["top", "tool", "zlib", "libc"].iter().all(|name| closure.contains(&drv(name))) && closure.contains(source)
    );
    assert_eq!(closure, lines(scratch.larder_with(&["query", "closure", &drv("top")])));
    // What a derivation needs is kept by a root that names it; a tree keeps what it was made by.
    scratch.larder_with(&["roots", "add", "later", &drv("bare")]).ok();
    let result = scratch.path("result").display().to_string();
    let roots = |words: &[&str]| lines(scratch.larder_with(&[&["query", "roots"], words].concat()));
    assert_eq!(roots(&[&drv("bare")]), BTreeSet::from(["later".to_owned()]));
    assert_eq!(roots(&[source]), BTreeSet::from([result.clone()]));
    assert_eq!(roots(&[source, &drv("bare")]), BTreeSet::from(["later".to_owned(), result]));
    // An output of it is what it became.
    let out = format!("{}!out", drv("libc"));
    assert_eq!(lines(scratch.larder_with(&["query", "closure", &out])), BTreeSet::from([path(&scratch, "libc")]));
    scratch.larder_with(&["query", "tree", &drv("top"), ".#top"]).fails(2, &["--derivations"]);
    scratch.larder_with(&["query", "size", &drv("top")]).fails(2, &["!out"]);
    scratch.larder("query tree .#bare").fails(1, &["is not realised", "larder realise"]);
    assert_eq!(scratch.larder("query tree .#bare --derivations").ok().line(), drv("bare"), "which need not be built");
}

#[test]
fn every_way_is_shown_if_that_is_wanted() {
    let scratch = built();
    let shortest = scratch.larder("why .#tool .#libc").ok().stdout;
    assert_eq!(named(&scratch, &shortest), "tool\n  mentions, in b, c: libc\n");
    let all = scratch.larder("why .#tool .#libc --all").ok().stdout;
    let expected = "tool\n  mentions, in b, c: libc\n  mentions, in a: zlib\n    mentions, in lib/libz.so: libc\n";
    assert_eq!(named(&scratch, &all), expected);
    let build = scratch.larder("why --build .#top .#libc").ok().stdout;
    assert!(
        build.lines().nth(1).unwrap().contains("mentions, in argument 1: ") || build.contains("at run time"),
        "{build}"
    );
    let source = scratch.larder("query references .#tool --derivations").ok().stdout;
    let source = source.lines().find(|line| line.ends_with("-source")).unwrap();
    let build = scratch.larder_with(&["why", "--build", ".#tool", source]).ok().stdout;
    assert!(build.lines().nth(1).unwrap().contains("mentions, in variable `src`: "), "{build}");
    scratch.larder("why --build .#libc .#top").fails(1, &["does not need"]);
    scratch.larder("why .#zlib .#tool").fails(1, &["does not need", "--build"]);
}

#[test]
fn links_are_followed_where_they_lead() {
    let scratch = built();
    let cat = |inside: &str| scratch.larder_with(&["cat", ".#links", inside]);
    for inside in ["usr/lib/file", "lib/file", "absolute"] {
        assert_eq!(cat(inside).ok().stdout, "found", "{inside}");
    }
    for inside in ["other/libc.so", "roundabout"] {
        assert_eq!(cat(inside).ok().stdout.len(), 10_000, "into another store path");
    }
    cat("circle").fails(1, &["circle", "symbolic links"]);
    cat("outside").fails(1, &["outside", "leads out of the tree"]);
    cat("dangling").fails(1, &["no `none` in it"]);
    cat("lib").fails(1, &["directory"]);
    let ls = |words: &str| scratch.larder(&format!("ls .#links {words}")).ok().stdout;
    assert_eq!(ls("lib"), "usr/lib/file\n");
    assert_eq!(ls("-l lib/").lines().count(), 1);
    assert!(ls("-l lib").ends_with(" lib -> usr/lib\n"), "{}", ls("-l lib"));
    assert_eq!(ls("other"), "lib/libc.so\n");
    assert_eq!(ls("circle"), "circle -> circle\n", "a link is there, wherever it leads");
}

#[test]
fn new_commands_are_completed() {
    let scratch = Scratch::new("{ }");
    let complete = |words: &[&str]| {
        let other = scratch.command([""; 0]);
        let mut command = Command::new(other.get_program());
        crate::harness::like(&mut command, &other);
        let index = words.len().to_string();
        command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n");
        Ran::of(command.args(["--", "larder"]).args(words)).stdout
    };
    assert_eq!(complete(&["why-"]), "why-rebuild");
    let questions = complete(&["query", ""]);
    let usage = scratch.larder("query nonsense").fails(2, &["nonsense"]).stderr;
    let questions: Vec<_> = questions.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(questions.contains(&"tree"), "{questions:?}");
    assert!(usage.contains(&format!("<{}>", questions.join("|"))), "{questions:?} in {usage}");
}
