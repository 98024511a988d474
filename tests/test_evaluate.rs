//! Evaluating: `eval`, `parse`, `instantiate`, `show`, and what an installable may be.

use crate::harness::{Ran, Scratch, system};
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

const SET: &str =
    r#"rec { list = [ 1 (1 + 1) ]; text = "two\nlines"; nested.deep = true; hi = mini "hi" "write $out hi" { }; }"#;

#[test]
fn values_are_printed_as_nix_prints_them() {
    let scratch = Scratch::new(SET);
    for (words, expected) in [
        (&["eval", ".#list"][..], "[ 1 <CODE> ]\n"),
        (&["eval", ".#list", "--strict"], "[ 1 2 ]\n"),
        (&["eval", ".#list", "--json"], "[1,2]\n"),
        (&["eval", ".#text"], "\"two\\nlines\"\n"),
        (&["eval", ".#text", "--raw"], "two\nlines"),
        (&["eval", ".#nested.deep"], "true\n"),
        (&["eval", "--file", "default.nix", "--attr", "nested", "--strict"], "{ deep = true; }\n"),
        (&["eval", "--expr", "1 + 1"], "2\n"),
        (&["eval", "--expr", "{ a ? 1, b }: a + b", "--arg", "b", "41"], "42\n"),
        (&["eval", "--expr", "{ name }: name", "--argstr", "name", "x y", "--raw"], "x y"),
        (&["eval", "--expr", "builtins.getEnv \"HOME\""], "\"\"\n"),
        (&["eval", "--expr", "import ./default.nix", "-A", "nested.deep"], "true\n"),
    ] {
        let ran = scratch.larder_with(words).ok();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (expected, ""), "{words:?}");
    }
    let current = scratch.larder_with(&["eval", "--raw", "--expr", "builtins.currentSystem"]).ok();
    assert_eq!(current.stdout, system());
}

/// What `--file` names is a file, whatever there is in the store.
#[test]
fn a_file_is_looked_for_among_files_only() {
    let scratch = Scratch::new(SET);
    let derivation = scratch.line("instantiate .#hi");
    let digest = &derivation["/larder/store/".len()..][..10];
    assert_eq!(scratch.line(&format!("instantiate {digest}")), derivation);
    for named in [digest, "missing"] {
        for command in ["instantiate", "eval"] {
            scratch.larder(&format!("{command} --file {named}")).fails(2, &[named, "does not exist"]);
        }
    }
}

#[test]
fn verbose_traces_are_shown_when_they_are_asked_for() {
    let scratch = Scratch::new(SET);
    let words = ["eval", "-E", "builtins.traceVerbose \"seen\" 1", "--trace-verbose"];
    for (words, expected) in [(&words[..3], ""), (&words[..], "trace: seen\n")] {
        let ran = scratch.larder_with(words).ok();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("1\n", expected));
    }
}

#[test]
fn impurity_must_be_asked_for() {
    let scratch = Scratch::new(SET);
    let mut command = scratch.command(["eval", "--impure", "--raw", "--expr", "builtins.getEnv \"COLOUR\""]);
    assert_eq!(Ran::of(command.env("COLOUR", "blue")).ok().stdout, "blue");
}

#[test]
fn evaluation_builds_what_it_imports() {
    let scratch = Scratch::new(
        r#"rec { made = write "made" { "x.nix" = { text = "{ answer = 42; }"; }; }; answer = (import "${made}/x.nix").answer; }"#,
    );
    assert_eq!(scratch.larder("eval .#answer").ok().stdout, "42\n");
}

/// What a failing build says is said once, and what is not reached is not built, on any number of threads.
#[test]
fn evaluation_builds_on_one_thread() {
    let slow = "slow = n: if n == 0 then 0 else 1 + slow (n - 1);
                busy = map (i: builtins.foldl' (a: b: a + slow 900) 0 (builtins.genList (x: x) 300)) [ 1 2 3 ];
                bad = builtins.readFile (derivation {
                    name = \"bad\"; system = builtins.currentSystem; builder = \"builtin:fetch\"; url = \"file:///missing\";
                    outputHashAlgo = \"blake3\"; outputHash = builtins.concatStringsSep \"\" (builtins.genList (i: \"0\") 64); });";
    let scratch =
        Scratch::new(&format!("rec {{ {slow} reached = busy ++ [ bad ]; kept = busy ++ [ (throw \"no\") bad ]; }}"));
    for threads in ["1", "2", "8"] {
        let ran = scratch.larder_with(&["eval", "--strict", ".#kept", "--threads", threads]).fails(3, &["no"]);
        assert!(!ran.stderr.contains("bad:"), "{}", ran.stderr);
        let ran = scratch.larder_with(&["eval", "--strict", ".#reached", "--threads", threads]);
        assert_eq!((ran.code, ran.stderr.matches("failed: bad").count()), (Some(3), 1), "{}", ran.stderr);
    }
}

/// A derivation that cannot be written is an error on any number of threads, not one that is missing later.
#[test]
fn derivations_that_cannot_be_kept() {
    let set = "builtins.listToAttrs (builtins.genList (i: { name = \"d${toString i}\"; value = derivation {
        name = \"d${toString i}\"; system = \"none\"; builder = \"/none\"; }; }) 1500)";
    let scratch = Scratch::new(set);
    scratch.larder_with(&["eval", "-E", "1"]).ok();
    for threads in ["1", "2", "8"] {
        let words = ["instantiate", ".#", "--no-eval-cache", "--threads", threads];
        let larder = scratch.command(words);
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 300; exec \"$0\" \"$@\""]).arg(larder.get_program());
        command.args(larder.get_args()).current_dir(scratch.path("")).env("LARDER_HOME", scratch.home());
        // Found out while evaluation goes on, or at its end.
        let ran = Ran::of(&mut command);
        assert!(matches!(ran.code, Some(1 | 3)), "{}", ran.stderr);
        // Of the segment, or of the index, whatever is too large first.
        let says = ["File too large", "disk I/O error"].iter().any(|why| ran.stderr.contains(why));
        assert_eq!((ran.stdout.as_str(), says), ("", true), "{}", ran.stderr);
    }
    assert_eq!(scratch.larder("instantiate .# --no-eval-cache --threads 8").ok().lines().len(), 1500);
}

#[test]
fn threads_build_what_others_have_made() {
    const MADE: &str = r#"let made = n: write "made-${toString (n / 2)}" { "n" = { text = toString (n / 2); }; }; in
        { all = builtins.genList (n: builtins.readFile "${made n}/n") 12; }"#;
    for _ in 0..5 {
        // With nothing that was built before.
        let scratch = Scratch::new(MADE);
        let ran = scratch.larder("eval .#all --json --no-eval-cache --threads 4").ok();
        assert_eq!(ran.stdout, "[\"0\",\"0\",\"1\",\"1\",\"2\",\"2\",\"3\",\"3\",\"4\",\"4\",\"5\",\"5\"]\n");
    }
}

/// They lie in no file system, but nothing that reads files can tell.
#[test]
fn files_of_the_language_are_files() {
    let scratch = Scratch::new("{ }");
    let text = "let f = <nix/fetchurl.nix>; text = builtins.readFile f; copy = builtins.toFile \"fetchurl.nix\" text; in [
        (\"${f}\" == copy) (builtins.readFile \"${f}\" == text) (builtins.length (builtins.split \"derivation\" text) > 1)
        (builtins.path { path = f; } == copy) (builtins.filterSource (path: type: false) f == copy)
        (builtins.path { path = f; recursive = false; sha256 = builtins.hashFile \"sha256\" f; } == copy)
        (builtins.pathExists f) (builtins.pathExists (dirOf f)) (builtins.pathExists (dirOf f + \"/none.nix\"))
        (builtins.readDir (dirOf f)) (builtins.readFileType (dirOf f)) (builtins.functionArgs (import copy)).url ]";
    let expected =
        "[ true true true true true true true true false { \"fetchurl.nix\" = \"regular\"; } \"directory\" false ]\n";
    for _ in 0..2 {
        assert_eq!(scratch.larder_with(&["eval", "--strict", "-E", text]).ok().stdout, expected);
    }
    for (text, says) in [
        ("\"${dirOf <nix/fetchurl.nix>}\"", "cannot be added to the store"),
        ("builtins.readFile (dirOf <nix/fetchurl.nix>)", "is a directory, not a file"),
        ("builtins.readDir <nix/fetchurl.nix>", "is a file, not a directory"),
        // The hash of the tree is looked at, which asks whether the file is executable.
        ("builtins.path { path = <nix/fetchurl.nix>; sha256 = builtins.hashString \"sha256\" \"\"; }", "has the hash"),
    ] {
        scratch.larder_with(&["eval", "-E", text]).fails(3, &[says]);
    }
}

/// Names of files are bytes: whatever names a file may be none of Unicode.
#[test]
fn paths_need_not_be_unicode() {
    let scratch = Scratch::new("{ it = write \"it\" { f.text = \"here\"; }; }");
    let name = |text: &[u8]| OsStr::from_bytes(text).to_owned();
    let (file, link) = (scratch.path("").join(name(b"\xff.nix")), name(b"out\xff"));
    std::fs::rename(scratch.path("default.nix"), &file).unwrap();
    let ran = |words: &[&OsStr]| Ran::of(&mut scratch.command(words));
    let [eval, build, show, roots] = ["eval", "build", "show", "roots"].map(OsStr::new);
    let word = OsStr::new;
    let drv = ran(&[word("instantiate"), word("--file"), file.as_os_str(), word("-A"), word("it")]).ok().line();
    assert_eq!(ran(&[word("instantiate"), &name(b"\xff.nix#it")]).ok().line(), drv);
    assert_eq!(ran(&[eval, &name(b"\xff.nix#it.name")]).ok().stdout, "\"it\"\n");
    let tree = ran(&[build, &name(b"\xff.nix#it"), word("--out-link"), &link]).ok().line();
    // The link is of no Unicode either; what it leads to is in the store.
    assert!(ran(&[show, &link]).ok().stdout.contains(&drv));
    assert_eq!(ran(&[word("cat"), &name(b"out\xff/f")]).ok().stdout, "here");
    ran(&[roots, word("add"), &name(b"./root\xff"), &link]).ok();
    assert_eq!(std::fs::read_link(scratch.path("").join(name(b"root\xff"))).unwrap(), scratch.physical(&tree));
    for (words, says) in [
        (&[roots, word("add"), &name(b"root\xff"), &link][..], "the name of a root is not UTF-8"),
        (&[eval, &name(b"default.nix#\xff")], "the attribute in `default.nix#\u{fffd}` is not UTF-8"),
    ] {
        ran(words).fails(2, &[says]);
    }
    ran(&[eval, &name(b"none\xff")]).fails(2, &["none\u{fffd} does not exist"]);
}

#[test]
fn only_the_syntax_is_parsed() {
    let scratch = Scratch::new(SET);
    scratch.write("good.nix", "{ a = throw \"never forced\"; }");
    scratch.write("bad.nix", "{ a = ; }");
    assert_eq!(scratch.larder("parse good.nix").ok().stdout, "");
    scratch.larder("parse good.nix bad.nix").fails(3, &["bad.nix:1:7"]);
    scratch.larder("parse missing.nix").fails(2, &["missing.nix does not exist"]);
    let mut child = scratch.command(["parse", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"[ 1").unwrap();
    Ran::from(child.wait_with_output().unwrap()).fails(3, &["-:1:1", "`[` is never closed"]);
}

#[test]
fn a_derivation_can_be_shown_by_any_of_its_names() {
    let scratch = Scratch::new(SET);
    let drv = scratch.line("instantiate .#hi");
    assert!(drv.starts_with("/larder/store/") && drv.ends_with("-hi.drv"));
    let tree = scratch.line("build .#hi");
    let digest = |path: &str| path.strip_prefix("/larder/store/").unwrap()[..8].to_owned();
    let base = drv.strip_prefix("/larder/store/").unwrap();
    let shown = scratch.larder("show .#hi").ok().stdout;
    for name in [drv.as_str(), base, &digest(&drv), &tree, &digest(&tree), "result"] {
        assert_eq!(scratch.larder_with(&["show", name]).ok().stdout, shown, "{name}");
    }
    for expected in [drv.as_str(), "/bin/mini", "write $out hi", &system(), "-seed"] {
        assert!(shown.contains(expected), "`{expected}` is not in:\n{shown}");
    }
    let json: serde_json::Value = serde_json::from_str(&scratch.larder("show --json .#hi").ok().stdout).unwrap();
    assert_eq!((&json["name"], &json["builder"], &json["version"]), (&"hi".into(), &"/bin/mini".into(), &1.into()));
}

#[test]
fn an_installable_may_be_a_file_or_the_directory_above() {
    let scratch = Scratch::new(SET);
    scratch.write("one.nix", "import ./default.nix");
    std::fs::create_dir(scratch.path("below")).unwrap();
    let expected = scratch.line("instantiate .#hi");
    for name in ["one.nix#hi", "#hi", "./#hi", "./default.nix#hi"] {
        assert_eq!(scratch.larder_with(&["instantiate", name]).ok().line(), expected, "{name}");
    }
    scratch.write("single.nix", "(import ./default.nix).hi");
    for name in ["single.nix", "./single.nix"] {
        assert_eq!(scratch.larder_with(&["instantiate", name]).ok().line(), expected, "{name}");
    }
    let above = scratch.command(["instantiate", "..#hi"]).current_dir(scratch.path("below")).output().unwrap();
    assert_eq!(Ran::from(above).ok().line(), expected);
    let absolute = format!("{}#hi", scratch.path("default.nix").display());
    assert_eq!(scratch.larder_with(&["instantiate", &absolute]).ok().line(), expected);
}

#[test]
fn a_failure_of_what_evaluation_needs_shows_its_log() {
    let scratch = Scratch::new(r#"rec { bad = mini "bad" "say the reason\nexit 4" { }; answer = import bad; }"#);
    let words = ["E0204", "default.nix:", "-bad.drv", "exit status 4", "| the reason", "larder log /larder/store/"];
    scratch.larder("eval .#answer").fails(3, &words);
}

#[test]
fn what_evaluation_builds_is_limited_as_the_command_says() {
    let scratch = Scratch::new(
        r#"rec { slow = mini "slow" "sleep 60" { }; bad = mini "bad" "exit 3" { }; text = builtins.readFile slow; failed = builtins.readFile bad;
          needs = mini "needs" text { }; }"#,
    );
    let started = std::time::Instant::now();
    for words in ["eval .#text", "instantiate .#needs", "build .#needs", "shell .#needs"] {
        scratch.larder(&format!("{words} --timeout 1")).fails(3, &["1 s"]);
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(40));
    scratch.larder("eval .#failed").fails(3, &["exit status 3"]);
    scratch.larder("eval .#failed").fails(3, &["failed before"]);
    let again = scratch.larder("eval .#failed --retry").fails(3, &["exit status 3"]);
    assert!(!again.stderr.contains("failed before"), "{}", again.stderr);
}
