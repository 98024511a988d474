//! Evaluating again: what nothing has changed of is not evaluated, and what is remembered is what evaluating would give.

use crate::harness::{Ran, Scratch};
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};

/// `say NAME TEXT` is a derivation that says when its text is evaluated.
const SAY: &str = r#"let
  say = name: text: derivation { inherit name; system = "s"; builder = "/b"; text = builtins.trace "<${name}>" (toString text); };
in
"#;

impl Scratch {
    fn source(&self, expression: &str) {
        self.write("default.nix", format!("{SAY}{expression}\n"));
    }

    /// Instantiates, which must give what evaluating all of it gives; and again, which must evaluate nothing. Returns what was evaluated.
    fn instantiate(&self, installable: &str) -> Vec<String> {
        let first = self.larder(&format!("instantiate {installable}")).ok();
        let again = self.larder(&format!("instantiate {installable}")).ok();
        assert_eq!(evaluated(&again), [""; 0], "nothing has changed");
        let fresh = self.larder(&format!("instantiate --no-eval-cache {installable}")).ok();
        assert_eq!(first.stdout, fresh.stdout, "what was evaluated is wrong");
        assert_eq!(again.stdout, fresh.stdout, "what was remembered is wrong");
        evaluated(&first)
    }
}

/// The names that were evaluated, sorted.
fn evaluated(ran: &Ran) -> Vec<String> {
    let names = ran.stderr.lines().filter_map(|line| line.strip_prefix("trace: <")?.strip_suffix('>'));
    names.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn nothing_is_evaluated_when_nothing_changed() {
    let scratch = Scratch::new(r#"{ hi = builtins.trace "<hi>" (mini "hi" "write $out hi" { }); }"#);
    let built = scratch.larder("build .#hi").ok();
    assert_eq!(evaluated(&built), ["hi"]);
    for command in ["build .#hi", "instantiate .#hi", "show .#hi", "run .#hi --help", "log .#hi", "query closure .#hi"]
    {
        assert_eq!(evaluated(&scratch.larder(command)), [""; 0], "{command}");
    }
    assert_eq!(evaluated(&scratch.larder("build --no-eval-cache .#hi").ok()), ["hi"]);
    for printed in
        ["eval .#hi.name", "eval .#hi.drvPath --json", "eval --strict .#hi.args", "eval --expr import(./.) -A hi.name"]
    {
        let first = scratch.larder(printed).ok();
        assert_eq!(evaluated(&first), ["hi"], "{printed}");
        let again = scratch.larder(printed).ok();
        assert_eq!((evaluated(&again), again.stdout), (vec![], first.stdout), "{printed}");
    }
    scratch.assert_sound();
}

#[test]
fn only_what_read_a_change_is_evaluated() {
    let scratch = Scratch::new("{ }");
    let package = |name: &str, needs: &str| {
        let text = format!("all: say: say \"{name}\" (builtins.readFile ./{name}.txt + \"{needs}\")");
        scratch.write(&format!("{name}.nix"), text);
        scratch.write(&format!("{name}.txt"), name);
    };
    package("a", "");
    package("b", "${all.a}");
    package("c", "${all.a}");
    package("d", "${all.b} ${all.c}");
    package("e", "");
    scratch.source(
        "let all = builtins.listToAttrs (map (name: { inherit name; value = import (./. + \"/${name}.nix\") all say; })
           [ \"a\" \"b\" \"c\" \"d\" \"e\" ]); in all // { group = { recurseForDerivations = true; inherit (all) e; }; number = 1; }",
    );
    assert_eq!(scratch.instantiate("."), ["a", "b", "c", "d", "e"]);
    scratch.write("e.txt", "changed");
    assert_eq!(scratch.instantiate("."), ["e"]);
    scratch.write("b.txt", "changed");
    // What they need besides is remembered, and not evaluated either.
    assert_eq!(scratch.instantiate("."), ["b", "d"]);
    assert_eq!(scratch.instantiate(".#e"), [""; 0], "only asked for by another name");
    scratch.write("d.txt", "changed");
    assert_eq!(scratch.instantiate(".#e"), [""; 0]);
    assert_eq!(scratch.instantiate(".#group"), [""; 0]);
    package("d", "");
    assert_eq!(scratch.instantiate("."), ["d"]);
    let text = std::fs::read_to_string(scratch.path("default.nix")).unwrap();
    scratch.write("default.nix", format!("{text}# a comment\n"));
    assert_eq!(scratch.instantiate("."), ["a", "b", "c", "d", "e"]);
}

/// A question, a change, and whether that gives another answer.
type Case<'c> = (&'c str, fn(&Scratch), bool);

/// Evaluates before and after each change.
fn check_answers(cases: &[Case<'_>]) {
    for &(expression, change, matters) in cases {
        let scratch = Scratch::new("{ }");
        for (file, content) in [("file", "file"), ("other", "other"), ("value.nix", "1"), ("other.nix", "2")] {
            scratch.write(file, content);
        }
        std::fs::create_dir_all(scratch.path("directory/inner")).unwrap();
        for (file, content) in [("one", "one"), ("default.nix", "1"), ("inner/file", "text")] {
            scratch.write(&format!("directory/{file}"), content);
        }
        symlink("file", scratch.path("link")).unwrap();
        symlink("value.nix", scratch.path("chain")).unwrap();
        scratch.source(&format!("{{ x = say \"x\" (builtins.toJSON ({expression})); }}"));
        assert_eq!(scratch.instantiate(".#x"), ["x"], "{expression}");
        change(&scratch);
        assert_eq!(!scratch.instantiate(".#x").is_empty(), matters, "{expression}");
    }
}

#[test]
fn contents_of_files_count() {
    check_answers(&[
        ("builtins.readFile ./file", |s| s.write("file", "changed"), true),
        ("builtins.readFile ./file", |s| s.write("file", "file"), false),
        ("builtins.readFile ./file", |s| s.write("other", "changed"), false),
        ("builtins.readFile ./link", |s| s.write("file", "changed"), true),
        ("builtins.hashFile \"sha256\" ./file", |s| s.write("file", "changed"), true),
        ("builtins.readFileKind ./link", |s| s.write("file", "a\0b"), true),
        ("builtins.readFileKind ./missing", |s| s.write("missing", ""), true),
        ("import ./value.nix", |s| s.write("value.nix", "2"), true),
        ("import ./directory", |s| s.write("directory/default.nix", "2"), true),
    ]);
}

#[test]
fn entries_and_types_count() {
    check_answers(&[
        ("builtins.toJSON (builtins.readDir ./directory)", |s| s.write("directory/new", ""), true),
        ("builtins.toJSON (builtins.readDir ./directory)", |s| s.write("directory/one", "changed"), false),
        (
            "builtins.toJSON (builtins.readDir ./directory)",
            |s| std::fs::remove_file(s.path("directory/one")).unwrap(),
            true,
        ),
        ("builtins.pathExists ./new", |s| s.write("new", ""), true),
        ("builtins.pathExists ./file", |s| std::fs::remove_file(s.path("file")).unwrap(), true),
        (
            "builtins.readFileType ./other",
            |s| {
                std::fs::remove_file(s.path("other")).unwrap();
                std::fs::create_dir(s.path("other")).unwrap();
            },
            true,
        ),
        (
            "import ./chain",
            |s| {
                std::fs::remove_file(s.path("chain")).unwrap();
                symlink("other.nix", s.path("chain")).unwrap();
            },
            true,
        ),
    ]);
}

#[test]
fn what_is_added_to_the_store_counts() {
    check_answers(&[
        ("\"${./directory}\"", |s| s.write("directory/one", "changed"), true),
        ("\"${./directory}\"", |s| s.write("directory/inner/new", "changed"), true),
        (
            "\"${./directory}\"",
            |s| {
                std::fs::set_permissions(s.path("directory/one"), std::fs::Permissions::from_mode(0o755)).unwrap();
            },
            true,
        ),
        (
            "builtins.filterSource (path: type: baseNameOf path != \"one\") ./directory",
            |s| s.write("directory/one", "changed"),
            false,
        ),
        (
            "builtins.filterSource (path: type: baseNameOf path != \"one\") ./directory",
            |s| s.write("directory/inner/file", "changed"),
            true,
        ),
        (
            "builtins.path { path = ./directory; name = \"x\"; filter = path: type: type == \"directory\" || builtins.readFile path != \"\"; }",
            |s| s.write("directory/inner/file", ""),
            true,
        ),
    ]);
}

/// Ways on which the content of a file comes to an attribute when another one has made it come into being.
const SHARED: &str = r#"let
  data = builtins.readFile ./data;
  strict = builtins.foldl' (a: b: a + b) "" [ data data ];
  set = { inherit data; nested.data = data; };
  forced = builtins.deepSeq set set;
  lazy = { ${if data == "1" then "one" else "many"} = 7; };
  function = let seen = builtins.seq data data; in x: x + seen;
  made = builtins.seq data (x: x + builtins.substring 0 1 data);
  partial = builtins.replaceStrings [ "x" ] [ data ];
  sorted = builtins.sort (a: b: a < b) [ "5" data "0" ];
  elements = map (x: x) sorted;
  failing = if data == "1" then throw "one" else "fine";
  failed = builtins.tryEval failing;
  pattern = { a ? data, ... }: a;
  recursive = rec { inherit data; twice = data + data; };
  functor = { __functor = self: x: x + self.data; inherit data; };
  string = { __toString = self: data; };
  default = { outPath = data; };
  updated = { a = 1; } // (if data == "1" then { b = 2; } else { c = 3; });
  imported = import ./data.nix;
  scoped = builtins.scopedImport { } ./data.nix;
  closure = builtins.genericClosure { startSet = [ { key = data; } ]; operator = x: [ ]; };
  rest = map (x: x.key) closure;
  other = builtins.readFile ./other;
in {
  a00 = say "a00" data;
  a01 = say "a01" strict;
  a02 = say "a02" set.nested.data;
  a03 = say "a03" forced.data;
  a04 = say "a04" (builtins.attrNames lazy);
  a05 = say "a05" (function "x");
  a06 = say "a06" (made "x");
  a07 = say "a07" (partial "x");
  a08 = say "a08" sorted;
  a09 = say "a09" (builtins.elemAt elements 1);
  a10 = say "a10" (builtins.length elements);
  a11 = say "a11" (builtins.toJSON failed);
  a12 = say "a12" (builtins.tryEval failing).success;
  a13 = say "a13" (pattern { });
  a14 = say "a14" (with set; data);
  a15 = say "a15" (with builtins.seq data { value = 3; }; value);
  a16 = say "a16" recursive.twice;
  a17 = say "a17" (functor "x");
  a18 = say "a18" "${string} ${default}";
  a19 = say "a19" (builtins.attrNames updated);
  a20 = say "a20" imported;
  a21 = say "a21" (import ./data.nix);
  a22 = say "a22" scoped;
  a23 = say "a23" rest;
  a24 = say "a24" (data == "1");
  a25 = say "a25" (let inherit (set) nested; in nested.data or "none");
  a26 = say "a26" (set ? ${data});
  a27 = say "a27" (assert data != "impossible"; 3);
  a28 = say "a28" (builtins.hashString "sha256" data);
  a29 = say "a29" (builtins.concatMap (x: [ x ]) sorted);
  a30 = say "a30" (builtins.match "(.).*" data);
  a31 = say "a31" (builtins.attrValues (builtins.mapAttrs (n: v: v) { x = data; }));
  a32 = say "a32" (if builtins.elem data [ "1" ] then "y" else "n");
  b0 = say "b0" other;
  b1 = say "b1" "constant";
  b2 = say "b2" (builtins.length [ data data ]);
}"#;

#[test]
fn what_is_shared_is_not_forgotten() {
    let scratch = Scratch::new("{ }");
    scratch.write("data", "1");
    scratch.write("data.nix", "builtins.readFile ./data");
    scratch.source(SHARED);
    scratch.write("other", "other");
    let all = scratch.instantiate(".");
    assert_eq!(all.len(), 36);
    let (on_data, others): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|name| name.starts_with('a'));
    for content in ["2", "1", "3"] {
        scratch.write("data", content);
        assert_eq!(scratch.instantiate("."), on_data);
    }
    scratch.write("other", "changed");
    assert_eq!(scratch.instantiate("."), ["b0"]);
    // In another order: each alone, the last first.
    scratch.write("data", "4");
    for name in on_data.iter().rev() {
        assert_eq!(scratch.instantiate(&format!(".#{name}")), [name.as_str()]);
    }
    for name in &others {
        assert_eq!(scratch.instantiate(&format!(".#{name}")), [""; 0]);
    }
}

/// Whatever a derivation is called, it is only taken for the one that is remembered when it is that one.
#[test]
fn another_derivation_of_the_same_name_is_another() {
    let scratch = Scratch::new("{ }");
    scratch.write("data", "1");
    scratch.source(
        r#"let
  data = builtins.readFile ./data;
  make = text: say "same" text;
  set = {
    one = make "one";
    two = make "two";
    path = make "three" // { drvPath = set.two.drvPath; };
    user1 = say "user1" "${set.one} ${data}";
    user2 = say "user2" "${make "other"} ${set.path} ${data}";
    user3 = say "user3" (if data == "1" then "${set.two}" else "${set.two // { outPath = "elsewhere"; }} ${set.path.drvAttrs.text}");
    user4 = say "user4" (builtins.foldl' (a: b: "${a}${b}") data [ set.one set.two (make data) (builtins.head set.one.all) ]);
    user5 = say "user5" "${set.one.out} ${(derivation (set.one.drvAttrs // { text = data; }))}";
  };
in set"#,
    );
    let users = ["user1", "user2", "user3", "user4", "user5"];
    assert_eq!(scratch.instantiate(".").len(), 1 + users.len());
    for content in ["2", "1", "3"] {
        scratch.write("data", content);
        // What is made anew under the name of the others is evaluated.
        assert_eq!(scratch.instantiate("."), [&["same"], &users[..]].concat());
    }
    scratch.write("data", "4");
    assert_eq!(scratch.instantiate(".#user1"), ["user1"]);
}

#[test]
fn what_the_store_has_lost_is_evaluated_again() {
    let scratch = Scratch::new("{ }");
    scratch.write("file", "text");
    scratch.source("{ x = say \"x\" \"${./file}\"; y = say \"y\" \"y\"; }");
    scratch.larder("instantiate .").ok();
    let printed = ["eval", "--raw", "--expr", "toString (builtins.toFile \"name\" \"content\")"];
    let path = scratch.larder_with(&printed).ok().stdout;
    scratch.larder("gc --derivations").ok();
    assert!(!scratch.physical(&path).exists());
    assert_eq!(scratch.larder_with(&printed).ok().stdout, path);
    assert!(scratch.physical(&path).exists(), "what was printed is there");
    let again = scratch.larder("instantiate .").ok();
    let shown = scratch.larder(&format!("show {}", again.lines()[0])).ok().stdout;
    let source =
        shown.split_whitespace().map(|word| word.trim_matches(['"', ','])).find(|word| word.ends_with("-file"));
    assert!(scratch.physical(source.unwrap()).exists(), "{shown}");
    std::fs::remove_file(scratch.home().join("index.db")).unwrap();
    assert_eq!(scratch.larder("instantiate .").ok().stdout, again.stdout);
    std::fs::remove_dir_all(scratch.home().join("records")).unwrap();
    std::fs::create_dir(scratch.home().join("records")).unwrap();
    let index = scratch.larder("rebuild-index");
    assert_eq!(index.code, Some(0), "{}", index.stderr);
    assert_eq!(evaluated(&scratch.larder("instantiate .").ok()), ["x", "y"], "the derivations are gone");
    scratch.larder_with(&["show", again.lines()[0]]).ok();
}

#[test]
fn evaluation_that_builds_is_remembered_with_what_was_built() {
    let scratch = Scratch::new(
        r#"rec {
  made = write "made" { "x.nix" = { text = "{ answer = ${builtins.readFile ./answer}; }"; }; };
  x = builtins.trace "<x>" (mini "x" "write $out ${toString (import "${made}/x.nix").answer}" { });
}"#,
    );
    scratch.write("answer", "42");
    assert_eq!(scratch.instantiate(".#x"), ["x"]);
    scratch.write("answer", "43");
    assert_eq!(scratch.instantiate(".#x"), ["x"]);
    scratch.larder("gc").ok();
    assert_eq!(scratch.instantiate(".#x"), ["x"], "what was read has been collected");
}

#[test]
fn other_circumstances_are_other_evaluations() {
    let scratch = Scratch::new("{ }");
    scratch.source("{ n ? \"none\" }: { x = say \"x\" n; }");
    let asked = [
        "instantiate .",
        "instantiate . --argstr n a",
        "instantiate . --argstr n b",
        "instantiate . --arg n toString(1)",
    ];
    let all: BTreeSet<_> = asked.iter().map(|words| scratch.line(words)).collect();
    assert_eq!(all.len(), asked.len());
    for words in asked {
        assert_eq!(evaluated(&scratch.larder(words).ok()), [""; 0], "{words}");
    }
    let impure = "eval --impure --expr builtins.trace(\"<x>\")(builtins.currentTime)";
    for _ in 0..2 {
        assert_eq!(evaluated(&scratch.larder(impure).ok()), ["x"], "the clock may be read");
    }
}

#[test]
fn damage_only_costs_time() {
    let scratch = Scratch::new("{ }");
    scratch.source("{ x = say \"x\" \"x\"; broken = say \"broken\" (throw \"no\"); }");
    let path = scratch.line("instantiate .#x");
    scratch.larder("instantiate .#broken").fails(3, &["no"]);
    scratch.larder("instantiate .#broken").fails(3, &["no"]);
    scratch.larder("instantiate .").fails(3, &["no"]);
    let files = scratch.entries("evaluations");
    assert_eq!(files.len(), 1, "{files:?}");
    let file = scratch.home().join("evaluations").join(&files[0]);
    for damaged in [&b""[..], b"larder evaluations 1\n", &[0xff; 400]] {
        std::fs::write(&file, damaged).unwrap();
        assert_eq!(scratch.larder("instantiate .#x").ok().line(), path);
    }
    std::fs::remove_dir_all(scratch.home().join("evaluations")).unwrap();
    std::fs::write(scratch.home().join("evaluations"), "no directory").unwrap();
    assert_eq!(scratch.larder("instantiate .#x").ok().line(), path);
}

/// A small generator of numbers, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// Some text that reads files `f0`, `f1`, … in `d0`, `d1` and may use earlier attributes and shared values.
fn random_text(random: &mut Random, depth: usize, earlier: usize) -> String {
    let file = format!("./d{}/f{}", random.below(2), random.below(4));
    let inner = |random: &mut Random| random_text(random, depth.saturating_sub(1), earlier);
    match if depth == 0 { random.below(6) } else { random.below(16) } {
        0 => format!("(if builtins.pathExists {file} then builtins.readFile {file} else \"absent\")"),
        1 => format!("(builtins.toJSON (builtins.readDir ./d{}))", random.below(2)),
        2 => format!("\"${{./d{}}}\"", random.below(2)),
        3 => format!("shared.s{}", random.below(4)),
        4 if earlier > 0 => format!("\"${{all.x{}}}\"", random.below(earlier)),
        4 | 5 => "\"constant\"".to_owned(),
        6 => format!("(let v = {}; in v + v)", inner(random)),
        7 => format!("(if {} == {} then {} else {})", inner(random), inner(random), inner(random), inner(random)),
        8 => format!("(builtins.foldl' (a: b: a + b) \"\" [ {} {} ])", inner(random), inner(random)),
        9 => format!("(with {{ w = {}; }}; w)", inner(random)),
        10 => format!("((x: builtins.seq x (y: x + y)) {} {})", inner(random), inner(random)),
        11 => format!(
            "(builtins.toJSON (builtins.tryEval (if {} < {} then throw \"x\" else 1)))",
            inner(random),
            inner(random)
        ),
        13 => format!("\"${{say \"x{}\" {}}}\"", random.below(10), inner(random)),
        14 if earlier > 0 => format!("\"${{all.x{} // {{ unused = {}; }}}}\"", random.below(earlier), inner(random)),
        12 => format!("(toString (builtins.sort (a: b: a < b) [ {} {} ]))", inner(random), inner(random)),
        _ => format!(
            "\"${{builtins.filterSource (p: t: baseNameOf p != \"f{}\") ./d{}}}\"",
            random.below(4),
            random.below(2)
        ),
    }
}

fn random_change(random: &mut Random, scratch: &Scratch) {
    let file = scratch.path(&format!("d{}/f{}", random.below(2), random.below(4)));
    match random.below(5) {
        0 => drop(std::fs::remove_file(&file)),
        1 => {
            let _ = std::fs::remove_file(&file);
            symlink(format!("f{}", random.below(4)), &file).unwrap();
            // A link that leads nowhere or to itself is there, but cannot be read.
            if std::fs::read(&file).is_err() {
                std::fs::remove_file(&file).unwrap();
            }
        }
        _ => {
            let _ = std::fs::remove_file(&file);
            std::fs::write(&file, random.below(3).to_string()).unwrap();
        }
    }
    // What links lead to may be gone by now.
    for entry in ["d0", "d1"].iter().flat_map(|directory| std::fs::read_dir(scratch.path(directory)).unwrap()) {
        let path = entry.unwrap().path();
        if std::fs::read(&path).is_err() {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn what_is_remembered_is_what_evaluating_gives() {
    let rounds: u64 = std::env::var("LARDER_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let mut spared = 0;
    for seed in 1..=rounds {
        let random = &mut Random(seed);
        let scratch = Scratch::new("{ }");
        for directory in ["d0", "d1"] {
            std::fs::create_dir(scratch.path(directory)).unwrap();
            scratch.write(&format!("{directory}/f0"), "0");
        }
        let shared: String =
            (0..4).map(|n| format!("s{n} = {};\n", random_text(random, 1, 0).replace("shared.", "plain."))).collect();
        let attributes: String =
            (0..10).map(|n| format!("x{n} = say \"x{n}\" {};\n", random_text(random, 3, n))).collect();
        scratch.source(&format!(
            "let plain = {{ s0 = \"0\"; s1 = \"1\"; s2 = \"2\"; s3 = \"3\"; }}; all = {{ {attributes} }}; shared = {{ {shared} }}; in all"
        ));
        for step in 0..12 {
            let asked = if random.below(3) == 0 { format!(".#x{}", random.below(10)) } else { ".".to_owned() };
            let remembered = scratch.larder(&format!("instantiate {asked}")).ok();
            let fresh = scratch.larder(&format!("instantiate --no-eval-cache {asked}")).ok();
            let source = std::fs::read_to_string(scratch.path("default.nix")).unwrap();
            assert_eq!(remembered.stdout, fresh.stdout, "seed {seed}, step {step}, {asked}:\n{source}");
            spared += usize::from(evaluated(&remembered).len() < evaluated(&fresh).len());
            (0..random.below(3)).for_each(|_| random_change(random, &scratch));
        }
    }
    assert!(spared > 0, "everything was always evaluated");
}
