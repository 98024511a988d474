//! What is wrong is said with the exit code, the thing and the reason; nothing of it is published.

use crate::harness::{Ran, Scratch};
use std::process::Stdio;

#[test]
fn an_attribute_that_is_missing_has_a_near_name() {
    let scratch = Scratch::new(r#"{ zlib = 1; nested.openssl = 2; }"#);
    scratch.larder("build .#zlid").fails(3, &["zlid", "did you mean `zlib`"]);
    scratch.larder("eval .#nested.opensll").fails(3, &["opensll", "did you mean `openssl`"]);
    scratch.larder("build .#zlib").fails(3, &["`.#zlib` is not a derivation"]);
    scratch.larder("build .#nested").fails(3, &["`.#nested`", "not a derivation", "openssl"]);
}

#[test]
fn errors_of_the_language_have_code_3_and_a_place() {
    let scratch = Scratch::new("{ }");
    scratch.write("syntax.nix", "{\n  a = 1\n}");
    scratch.larder("build syntax.nix#a").fails(3, &["syntax.nix:2:8", "`;` is missing", "error[E0001]"]);
    scratch.write("type.nix", "{ a = 1 + \"x\"; }");
    scratch.larder("eval type.nix#a").fails(3, &["type.nix:1:"]);
    scratch.write("loop.nix", "rec { a = b; b = a; }");
    scratch.larder("eval loop.nix#a").fails(3, &["infinite recursion"]);
    scratch.write("throw.nix", "{ a = throw \"not today\"; }");
    scratch.larder("eval throw.nix#a").fails(3, &["not today"]);
    scratch.write("deep.nix", "let f = x: f x + 1; in f 1");
    scratch.larder("eval --file deep.nix").fails(3, &["deep.nix"]);
    scratch.larder("build nowhere#a").fails(2, &["nowhere does not exist"]);
    scratch.larder("eval --file nowhere.nix").fails(2, &["nowhere.nix does not exist"]);
    // Imported from a file it is that file that is wrong.
    std::fs::create_dir(scratch.path("empty")).unwrap();
    scratch.write("imports.nix", "import ./empty");
    scratch.larder("eval --file imports.nix").fails(3, &["E0201", "empty/default.nix does not exist"]);
    // A link is there, wherever it leads.
    std::os::unix::fs::symlink("gone.nix", scratch.path("empty/default.nix")).unwrap();
    scratch.larder("build empty#a").fails(3, &["E0201", "empty/gone.nix does not exist"]);
}

#[test]
fn malformed_derivations_are_refused_at_evaluation() {
    for (attributes, words) in [
        (r#"{ builder = "/b"; inherit system; }"#, &["name"][..]),
        (r#"{ name = "x"; inherit system; }"#, &["builder"]),
        (r#"{ name = "x"; builder = "/b"; }"#, &["system"]),
        (r#"{ name = "a/b"; builder = "/b"; inherit system; }"#, &["a/b"]),
        (r#"{ name = ".x"; builder = "/b"; inherit system; }"#, &[".x"]),
        (r#"{ name = "x.drv"; builder = "/b"; inherit system; }"#, &["x.drv"]),
        (r#"{ name = "x"; builder = "/b"; inherit system; outputs = [ ]; }"#, &["outputs"]),
        (r#"{ name = "x"; builder = "/b"; inherit system; outputs = [ "a" "a" ]; }"#, &["a"]),
        (r#"{ name = "x"; builder = "/b"; inherit system; outputs = [ "a b" ]; }"#, &["a b"]),
        (r#"{ name = "x"; builder = "/b"; inherit system; root = [ "/etc" ]; }"#, &["root", "/etc"]),
        (r#"{ name = "x"; builder = "/b"; inherit system; override = [ seed ]; }"#, &["override"]),
        (
            r#"{ name = "x"; builder = "/b"; inherit system; outputHash = "sha256:12"; outputHashMode = "flat"; }"#,
            &["outputHash"],
        ),
        (r#"{ name = "x"; builder = "/b"; inherit system; f = x: x; }"#, &["function"]),
    ] {
        let scratch = Scratch::new(&format!("{{ x = derivation {attributes}; }}"));
        let ran = scratch.larder("instantiate .#x");
        assert_eq!(ran.code, Some(3), "{attributes}\n{}{}", ran.stdout, ran.stderr);
        ran.fails(3, words);
    }
    Scratch::new(r#"rec { a = mini "a" "${b}" { }; b = mini "b" "${a}" { }; }"#)
        .larder("build .#a")
        .fails(3, &["infinite recursion"]);
}

#[test]
fn a_failing_build_shows_its_end_and_how_to_look_closer() {
    let scratch = Scratch::new(
        r#"rec {
      bad = mini "bad" "say first\nwrite /build/file kept $colour\nsay last words\nexit 7" { colour = "blue"; };
      after = mini "after" "copy ${bad} $out" { };
      killed = mini "killed" "kill 11" { };
      absent = mini "absent" "" { builder = "/bin/absent"; };
    }"#,
    );
    let words = [
        "bad",
        "exit status 7",
        "last words",
        "larder log /larder/store/",
        "/logs/",
        "larder debug /larder/store/",
        "1 more was not tried",
    ];
    let ran = scratch.larder("build .#after").fails(1, &words);
    assert_eq!(ran.stdout, "");
    assert!(!scratch.path("result").exists());
    let hint =
        |text: &str| ran.stderr.lines().find_map(|line| Some(line.split_once(text)?.1.trim().to_owned())).unwrap();
    let log = scratch.larder_with(&["log", &hint("larder log ")]).ok();
    assert_eq!(log.stdout, "first\nlast words\n");
    assert!(std::path::Path::new(&hint("the log's file: ")).is_file());
    let file =
        scratch.larder_with(&["debug", &hint("larder debug "), "--", "/bin/mini", "cat /build/file\nsay $colour"]).ok();
    assert_eq!(file.stdout, "kept blue\nblue\n");
    let relative = scratch.larder_with(&["debug", ".#bad", "--", "mini", "exit 9"]);
    assert_eq!(relative.code, Some(9), "{}", relative.stderr);
    scratch.larder("build .#killed").fails(1, &["killed", "signal 11"]);
    scratch.larder("build .#absent").fails(1, &["absent", "/bin/absent", "No such file", "a tree in `root`"]);
    scratch.larder("debug .#after").fails(1, &["its inputs are not there", "larder build /larder/store/"]);
    scratch.assert_sound();
}

#[test]
fn failed_files_are_kept_only_as_long_as_wanted() {
    let scratch = Scratch::new(r#"{ bad = mini "bad" "exit 1" { }; }"#);
    scratch.larder("build .#bad --discard-failed").fails(1, &["exit status 1"]);
    scratch.larder("debug .#bad -- /bin/mini").fails(1, &["no failed build of"]);
    scratch.larder("build .#bad --retry").fails(1, &["larder debug"]);
    scratch.larder("build .#bad --retry").fails(1, &["larder debug"]);
    assert_eq!(scratch.entries("tmp").len(), 1, "the last failure takes the place of the one before");
}

#[test]
fn what_fails_after_the_builder_has_succeeded_is_entered_too() {
    let scratch = Scratch::new(
        r#"let
          noted = name: script: mini name "write /build/note kept\nsay last words\n${script}";
          zeros = "0000000000000000000000000000000000000000000000000000000000000000";
        in {
          incomplete = noted "incomplete" "mkdir $out\nwrite $out/run #!/bin/absent\nexecutable $out/run" { };
          missing = noted "missing" "say nothing" { };
          extra = noted "extra" "mkdir $out\nmkdir /larder/out/surprise" { };
          fifo = noted "fifo" "mkdir $out\nfifo $out/pipe" { };
          fixed = noted "fixed" "write $out x" { outputHash = "blake3:${zeros}"; outputHashMode = "flat"; };
          forbidden = noted "forbidden" "write $out ${./seed}" { allowedReferences = [ ]; };
        }"#,
    );
    for (name, lasts, script, made) in [
        ("incomplete", false, "cat $out/run", "#!/bin/absent\n"),
        ("missing", true, "", ""),
        ("extra", true, "write /larder/out/surprise/file new\ncat /larder/out/surprise/file", "new\n"),
        ("fifo", true, "", ""),
        ("fixed", true, "append $out y\ncat $out", "x\ny\n"),
        ("forbidden", false, "write $out y\ncat $out", "y\n"),
    ] {
        let words = ["last words", "the whole log: larder log ", "enter the failed sandbox: larder debug "];
        let build = format!("build .#{name}");
        scratch.larder(&build).fails(1, &words);
        let debug = scratch.larder_with(&[
            "debug",
            &format!(".#{name}"),
            "--",
            "/bin/mini",
            &format!("cat /build/note\n{script}"),
        ]);
        assert_eq!(debug.ok().stdout, format!("kept\n{made}"), "{name}");
        let again = scratch.larder(&build).fails(1, &[words[2]]);
        assert_eq!(again.stderr.contains("it failed before"), lasts, "{name}: {}", again.stderr);
        assert_eq!(again.stderr.contains(words[0]), lasts, "{name}, if not remembered, is verified: {}", again.stderr);
    }
    assert_eq!(scratch.larder("verify").ok().stdout, "");
}

#[test]
fn outputs_must_be_what_was_announced() {
    let scratch = Scratch::new(
        r#"{
      missing = mini "missing" "mkdir $out" { outputs = [ "out" "dev" ]; };
      nothing = mini "nothing" "say nothing" { };
      extra = mini "extra" "mkdir $out\nmkdir /larder/out/surprise" { };
      fifo = mini "fifo" "mkdir $out\nfifo $out/pipe" { };
    }"#,
    );
    scratch.larder("build .#missing").fails(1, &["did not create the output `dev`", "it created out", "larder debug"]);
    scratch.larder("build .#nothing").fails(1, &["did not create the output `out`"]);
    scratch.larder("build .#extra").fails(1, &["created `surprise` beside its outputs"]);
    scratch.larder("build .#fifo").fails(1, &["output `out`", "pipe"]);
    assert_eq!(scratch.larder("verify").ok().stdout, "");
    assert!(scratch.entries("store").iter().all(|name| name.ends_with("-seed")), "{:?}", scratch.entries("store"));
}

#[test]
fn fixed_outputs_must_have_their_hash() {
    let zeros = "0".repeat(64);
    let scratch = Scratch::new(&format!(
        r#"{{
      wrong = mini "wrong" "write $out fixed" {{ outputHash = "sha256:{zeros}"; outputHashMode = "flat"; }};
      directory = mini "directory" "mkdir $out" {{ outputHash = "sha256:{zeros}"; outputHashMode = "flat"; }};
    }}"#
    ));
    // The sum of `fixed` and a line end, as sha256sum prints it.
    let sum = "0c3071418e6356e614898c84ed064ca95e88551bc0811b534bdf1952ecdae534";
    scratch.larder("build .#wrong").fails(1, &[&zeros, sum]);
    scratch.larder("build .#directory").fails(1, &["not a plain file"]);
}

#[test]
fn what_files_need_at_run_time_must_be_there() {
    let scratch = Scratch::new(
        r##"rec {
      script = mini "script" "mkdir $out\nmkdir $out/bin\nwrite $out/bin/run #!/usr/bin/perl -w\nexecutable $out/bin/run" { };
      perl = write "perl" { "usr/bin/perl" = { text = "not really"; executable = true; }; };
      complete = mini "complete" "mkdir $out\nwrite $out/run #!/usr/bin/perl\nexecutable $out/run" { runtime = [ perl ]; };
      mentioned = mini "mentioned" "mkdir $out\nwrite $out/run #!${perl}/usr/bin/perl\nexecutable $out/run" { };
      missing = mini "missing" "mkdir $out\nwrite $out/run #!${perl}/usr/bin/python\nexecutable $out/run" { };
      program = mini "program" "mkdir $out\ncopy /dynamic $out/dynamic\nexecutable $out/dynamic" { root = [ seed ./dynamic ]; };
    }"##,
    );
    scratch.larder("build .#script").fails(1, &["/bin/run needs the interpreter /usr/bin/perl", "runtime"]);
    scratch.larder("build .#complete").ok();
    scratch.larder("build .#mentioned").ok();
    scratch.larder("build .#missing").fails(1, &["/run needs the interpreter /larder/store/", "/usr/bin/python"]);
    std::fs::create_dir(scratch.path("dynamic")).unwrap();
    std::fs::copy("/proc/self/exe", scratch.path("dynamic/dynamic")).unwrap();
    scratch
        .larder("build .#program")
        .fails(1, &["/dynamic needs the interpreter /", "/dynamic needs the library libc.so.6"]);
}

#[test]
fn modules_of_pkg_config_need_those_they_require() {
    let scratch = Scratch::new(
        r##"rec {
      y = write "y-1" { "usr/share/pkgconfig/y.pc" = { text = "Name: y\n"; }; };
      script = "mkdir $out\nmkdir $out/usr\nmkdir $out/usr/lib\nmkdir $out/usr/lib/pkgconfig\nwrite $out/usr/lib/pkgconfig/x.pc Requires: y";
      x = mini "x" script { root = [ seed y ]; };
      complete = mini "complete" script { runtime = [ y ]; };
      undeclared = mini "undeclared" script { };
      csh = write "tcsh" { "usr/bin/csh" = { text = "not really"; executable = true; }; };
      by-csh = mini "by-csh" "mkdir $out\nwrite $out/run #!/bin/csh\nexecutable $out/run" { };
      by-env = mini "by-env" "mkdir $out\nwrite $out/run #!/usr/bin/env perl\nexecutable $out/run" { runtime = [ (write "env" {
        "usr/bin/env" = { text = "not really"; executable = true; }; }) ]; };
    }"##,
    );
    let need = "/usr/lib/pkgconfig/x.pc needs the pkg-config module y, which y-1 of the build's root has";
    let undeclared = scratch.larder("build .#undeclared").fails(1, &["the pkg-config module y\n"]);
    assert!(!undeclared.stderr.contains("y-1"), "nobody knows of it yet: {}", undeclared.stderr);
    scratch.larder("build .#x").fails(1, &[need]);
    scratch.larder("build .#complete").ok();
    let need = "/usr/lib/pkgconfig/x.pc needs the pkg-config module y, which y-1 of the store has\n";
    scratch.larder("build --retry .#undeclared").fails(1, &[need]);
    scratch.larder("build --no-link .#csh").ok();
    let need = "/run needs the interpreter /bin/csh, which tcsh of the store has";
    scratch.larder("build .#by-csh").fails(1, &[need]);
    scratch.larder("build .#by-env").fails(1, &["/run needs the program perl"]);
}

#[test]
fn paths_of_the_build_that_are_left_are_told() {
    let scratch = Scratch::new(
        r#"{ leaky = mini "leaky" "mkdir $out\nwrite $out/a made in /build/x-1/a.c by cc\nlink /larder/out/out/a $out/b" { }; }"#,
    );
    let ran = scratch.larder("build --no-link .#leaky").ok();
    let told: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("warning leaky: ")).collect();
    let expected = [
        "warning leaky: /a has the path /build/x-1/a.c of the build",
        "warning leaky: /b has the path /larder/out/out/a of the build",
    ];
    assert_eq!(told, expected);
    let ran = scratch.larder("build --no-link --rebuild --log-format json .#leaky").ok();
    assert!(ran.stderr.contains(r#""event":"warned","message":"/a has the path /build/x-1/a.c"#), "{}", ran.stderr);
}

#[test]
fn all_paths_of_the_build_that_are_left_can_be_asked_for() {
    let files =
        (0..7).map(|number| format!("write $out/{number} from /build/{number}.c")).collect::<Vec<_>>().join("\\n");
    let scratch = Scratch::new(&format!(
        r#"{{ leaky = mini "leaky" "mkdir $out\n{files}" {{ }}; clean = mini "clean" "write $out /builder" {{ }}; }}"#
    ));
    let built = scratch.larder("build --no-link .#leaky .#clean").ok();
    let more = "warning leaky: 2 more files have paths of the build: `larder query leaks` names all";
    assert!(built.stderr.contains(more), "{}", built.stderr);
    let path = built.lines()[0].to_owned();
    let leaks = scratch.larder("query leaks .#leaky .#clean").ok();
    let expected = (0..7).map(|number| format!("{path}/{number} has the path /build/{number}.c of the build"));
    assert_eq!(leaks.lines(), expected.collect::<Vec<_>>());
    let json = scratch.larder("query leaks --json .#leaky").ok().json("query-leaks");
    assert_eq!(json["leaks"].as_array().map(Vec::len), Some(7));
    assert_eq!(json["leaks"][3], serde_json::json!({ "path": path, "file": "3", "members": [], "leak": "/build/3.c" }));
}

#[test]
fn more_variables_than_a_program_can_have_are_refused_with_the_reason() {
    let scratch = Scratch::new(
        r#"let many = count: builtins.listToAttrs (builtins.genList (n: { name = "variable_${toString n}"; value = "value"; }) count);
        in { fits = mini "fits" "write $out x" (many 10000); burst = mini "burst" "write $out x" (many 100000); }"#,
    );
    scratch.larder("build --no-link .#fits").ok();
    scratch.larder("build --no-link .#burst").fails(1, &["Argument list too long", "put what is long into a file"]);
    scratch.assert_sound();
}

#[test]
fn trees_in_conflict_are_both_named() {
    let scratch = Scratch::new(
        r#"rec {
      a = write "a" { "share/file" = { text = "a"; }; };
      b = write "b" { "share/file" = { text = "b"; }; };
      c = mini "c" "write $out c" { root = [ seed a b ]; };
      d = derivation { name = "d"; inherit system; builder = "builtin:compose"; root = [ a b ]; };
      file = mini "file" "write $out file" { };
      e = mini "e" "write $out e" { root = [ seed file ]; };
    }"#,
    );
    let [a, b] = ["a", "b"].map(|name| scratch.line(&format!("build --no-link .#{name}")));
    for name in ["c", "d"] {
        scratch.larder(&format!("build .#{name}")).fails(1, &["/share/file is different in", &a, &b, "override"]);
    }
    scratch.larder("build .#e").fails(1, &["-file is not a directory"]);
}

#[test]
fn builders_inside_larder_say_what_they_want() {
    let of = |name: &str, attributes: &str| {
        format!(
            r#"{name} = derivation {{ name = "{name}"; inherit system; builder = "builtin:{name}"; {attributes} }};"#
        )
    };
    let entries = |name: &str, text: &str| {
        format!(
            r#"{name} = derivation {{ name = "{name}"; inherit system; builder = "builtin:write"; entries = ''{text}''; }};"#
        )
    };
    let recipes = [
        of("conjure", ""),
        of("fetch", r#"urls = "http://127.0.0.1:9/x";"#),
        of("unpack", ""),
        of("write", ""),
        of("compose", r#"outputs = [ "out" "dev" ]; root = [ seed ];"#),
        of("write", r#"entries = "{}"; entires = "{}";"#).replace("write =", "misspelt ="),
        of("write", r#"entries = "{}"; root = [ seed ];"#).replace("write =", "rooted ="),
        of("write", r#"entries = "{}"; args = [ "-c" ];"#).replace("write =", "called ="),
        entries("json", "not json"),
        entries("escape", r#"{ "../x": { "text": "" } }"#),
        entries("two", r#"{ "x": { "text": "", "symlink": "y" } }"#),
        entries("through", r#"{ "x": { "symlink": "/etc" }, "x/y": { "text": "" } }"#),
    ];
    let scratch = Scratch::new(&format!("{{ {} }}", recipes.join("\n")));
    for (name, words) in [
        ("conjure", &["builtin:conjure", "fetch, unpack, compose"][..]),
        ("fetch", &["builtin:fetch", "outputHash"]),
        ("unpack", &["builtin:unpack", "src"]),
        ("write", &["builtin:write", "entries"]),
        ("compose", &["builtin:compose", "one output"]),
        ("misspelt", &["builtin:write", "`entires`", "only `entries`"]),
        ("rooted", &["builtin:write", "`root`"]),
        ("called", &["builtin:write", "`args`"]),
        ("json", &["entries"]),
        ("escape", &[".."]),
        ("two", &["`x` must have one of"]),
        ("through", &["x/y"]),
    ] {
        scratch.larder(&format!("build .#{name}")).fails(1, words);
    }
}

#[test]
fn another_system_is_refused() {
    let scratch = Scratch::new(r#"{ x = mini "x" "write $out x" { system = "m68k-linux"; }; }"#);
    scratch.larder("build .#x").fails(1, &["it is for m68k-linux", "this machine is"]);
}

#[test]
fn unknown_names_are_told_apart() {
    let scratch = Scratch::new("{ }");
    scratch.larder("build abc").fails(2, &["abc does not exist", "8 or more characters", "PATH#ATTR"]);
    scratch.larder("build aaaaaaaa").fails(2, &["nothing in the store begins with `aaaaaaaa`"]);
    let absent = format!("/larder/store/{}-absent", "a".repeat(52));
    scratch.larder_with(&["build", &absent]).fails(1, &[&absent]);
    scratch.larder_with(&["realise", &absent]).fails(1, &[&absent, "no derivation is known"]);
    scratch.larder_with(&["show", "/larder/store/zzz"]).fails(2, &["/larder/store/zzz does not exist"]);
    scratch.larder_with(&["show", "/larder/store/zzzzzzzz"]).fails(2, &["/larder/store/zzzzzzzz does not exist"]);
    scratch.larder("frobnicate").fails(2, &["frobnicate"]);
    scratch.larder("biuld").fails(2, &["biuld", "build"]);
    scratch.larder("build --nonsense").fails(2, &["--nonsense"]);
    scratch.larder("").fails(2, &["Usage"]);
    scratch.larder("eval").fails(2, &["--expr"]);
}

#[test]
fn an_ambiguous_digest_names_what_it_may_mean() {
    // A tree and the same content under two names share their digest.
    let scratch = Scratch::new("{ }");
    scratch.write("one", "same");
    let [one, two] = ["one", "two"].map(|name| scratch.line(&format!("add one --name {name}")));
    let digest = &one.strip_prefix("/larder/store/").unwrap()[..10];
    scratch.larder_with(&["ls", digest]).fails(1, &[digest, &one, &two]);
}

#[test]
fn a_store_that_cannot_be_written_is_named() {
    let scratch = Scratch::new(r#"{ x = mini "x" "write $out x" { }; }"#);
    scratch.write("file", "");
    scratch.larder("--store file/below build .#x").fails(1, &["file/below", "Not a directory"]);
    scratch.larder("--store /proc/nothing build .#x").fails(1, &["/proc/nothing"]);
}

#[test]
fn where_no_variable_says_where_the_store_is_the_remedy_is_named() {
    let scratch = Scratch::new(r#"{ x = mini "x" "write $out x" { }; }"#);
    let homeless = |words: &str| {
        let mut command = scratch.command(words.split(' '));
        Ran::of(command.env_remove("LARDER_HOME").env_remove("XDG_DATA_HOME").env_remove("HOME"))
    };
    for words in ["build .#x", "gc", "eval .#x.name", "add default.nix", "verify", "ps", "repl"] {
        homeless(words)
            .fails(2, &["none of LARDER_HOME, XDG_DATA_HOME and HOME is set", "`--store DIR`", "set LARDER_HOME"]);
    }
    homeless("--store home build .#x").ok();
}

#[test]
fn help_needs_no_store() {
    let scratch = Scratch::new("{ }");
    for words in ["help", "help build", "help exit-codes", "--help", "--version", "completions bash"] {
        let mut command = scratch.command(words.split(' '));
        let ran = Ran::of(command.env_remove("LARDER_HOME").env_remove("XDG_DATA_HOME").env_remove("HOME")).ok();
        assert!(!ran.stdout.is_empty(), "{words}");
    }
    assert!(!scratch.home().exists());
}

#[test]
fn nobody_reading_is_no_error_and_a_full_disk_is() {
    let scratch = Scratch::new(r#"{ x = mini "x" "write $out x" { }; }"#);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = scratch.command(["help"]).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for words in [&["help"][..], &["--help"], &["--version"], &["eval", "--expr", "1"], &["build", ".#x"]] {
        let output = scratch.command(words).stdout(full()).output().unwrap();
        Ran::from(output).fails(1, &["cannot write to standard output", "No space left"]);
    }
    assert!(scratch.command(["build", ".#x"]).stderr(full()).output().unwrap().status.success());
}

/// A builder inside larder runs outside of any sandbox: nothing it is told to write may lead out of its output.
#[test]
fn entries_that_are_written_lead_nowhere_else() {
    let scratch = Scratch::new(
        r#"let write = entries: derivation {
             name = "w"; inherit system; builder = "builtin:write"; entries = builtins.toJSON entries;
           }; in {
             twice = write { "/a".symlink = "@VICTIM@"; a.text = "overwritten"; };
             below = write { "a".symlink = "@DIRECTORY@"; "a/victim".text = "overwritten"; };
             out = write { "../victim".text = "overwritten"; };
           }"#,
    );
    scratch.write("victim", "untouched");
    let recipes = std::fs::read_to_string(scratch.path("default.nix")).unwrap();
    let directory = scratch.path("");
    let recipes = recipes.replace("@VICTIM@", scratch.path("victim").to_str().unwrap());
    scratch.write("default.nix", recipes.replace("@DIRECTORY@", directory.to_str().unwrap()));
    for (attribute, words) in [("twice", "`a` is there twice"), ("below", "below something"), ("out", "..")] {
        scratch.larder(&format!("build .#{attribute}")).fails(1, &[words]);
    }
    assert_eq!(std::fs::read_to_string(scratch.path("victim")).unwrap(), "untouched");
    assert!(scratch.entries("store").is_empty());
}

#[test]
fn outputs_that_no_derivation_has_are_not_waited_for() {
    let scratch = Scratch::new(
        r#"rec {
             a = mini "a" "write /larder/out/out a" { };
             b = mini "b" (builtins.appendContext "x" {
               ${builtins.unsafeDiscardStringContext a.drvPath} = { outputs = [ "nope" ]; };
             }) { };
           }"#,
    );
    scratch.larder("build .#b").fails(1, &["a.drv!nope", "no such output"]);
}

#[test]
fn an_archive_must_be_an_input() {
    let scratch = Scratch::new("{ }");
    scratch.write("archive", "no archive");
    let path = scratch.line("add archive");
    scratch.recipes(&format!(
        r#"{{ x = derivation {{ name = "x"; inherit system; builder = "builtin:unpack"; src = "{path}"; }}; }}"#
    ));
    scratch.larder("build .#x").fails(1, &["does not depend on it"]);
}
