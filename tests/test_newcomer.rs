//! What somebody types who has not read anything.

use crate::harness::{Ran, Scratch};
use crate::test_documents::is_in_the_readme;

const RECIPES: &str =
    r#"rec { hi = mini "hi" "mkdir $out\nwrite $out/hi hi" { }; two = mini "two" "say a\nwrite $out ${hi}" { }; }"#;

#[test]
fn every_command_has_help_that_names_it() {
    let scratch = Scratch::new(RECIPES);
    let help = scratch.larder("help").ok().stdout;
    let commands: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() > 15, "{help}");
    for command in commands {
        let told = scratch.larder_with(&["help", command]).ok().stdout;
        assert!(told.contains(&format!("Usage: larder {command}")), "{told}");
        assert_eq!(told, scratch.larder_with(&[command, "--help"]).ok().stdout, "{command}");
        assert!(told.matches("[default: .]").count() + told.matches("[default: `.`]").count() <= 1, "{told}");
    }
    scratch.larder("help nonsense").fails(2, &["nonsense", "installable"]);
    assert!(scratch.larder("help e0001").ok().stdout.starts_with("E0001: "));
}

#[test]
fn a_forgotten_attribute_lists_what_there_is() {
    let scratch = Scratch::new(RECIPES);
    for words in ["build", "build .", "build .#", "show", "log ."] {
        let ran = scratch.larder(words);
        if words == "show" {
            ran.fails(2, &["INSTALLABLE"]);
        } else {
            ran.fails(3, &["hi, two"]);
        }
    }
    scratch.larder("build hi").fails(2, &["hi does not exist", "PATH#ATTR"]);
}

#[test]
fn a_directory_without_recipes_tells_how_to_begin() {
    let scratch = Scratch::new("{ }");
    std::fs::remove_file(scratch.path("default.nix")).unwrap();
    std::fs::create_dir(scratch.path("below")).unwrap();
    for words in
        ["build", "show .#a", "eval .", "eval --file .", "instantiate", "lint .#a", "build below#a", "ls below"]
    {
        let place = if words.contains("below") { "/below\n" } else { "\n" };
        let ran =
            scratch.larder(words).fails(2, &["there is no default.nix in /", place, "`larder help first-recipe`"]);
        assert!(!ran.stderr.contains("E0201"), "{}", ran.stderr);
    }
    let topic = scratch.larder("help first-recipe").ok().stdout;
    let is_shown = |line: &&str| line.starts_with("    ");
    let shown: Vec<_> = topic.lines().filter(is_shown).map(str::trim).collect();
    let (commands, recipe): (Vec<_>, Vec<_>) = shown.into_iter().partition(|line| line.starts_with("larder "));
    scratch.write("default.nix", recipe.join("\n"));
    let run = |line: &&str| scratch.larder(line.strip_prefix("larder ").unwrap()).ok();
    let ran: Vec<_> = commands.iter().map(run).collect();
    assert_eq!(ran.last().unwrap().stdout, "Hello, world!\n");
}

#[test]
fn an_attribute_that_is_not_there_is_told_with_what_was_asked_for() {
    let scratch = Scratch::new(RECIPES);
    for (words, message) in [
        ("build .#two .#three", "error[E0301]: `.#three`: there is no attribute `three`\n"),
        ("eval default.nix#hi.nam", "error[E0301]: `default.nix#hi.nam`: there is no attribute `nam` in `hi`\n"),
        ("instantiate --file default.nix -A thre", "error[E0301]: `default.nix#thre`: there is no attribute `thre`\n"),
        ("eval --expr {} -A a", "error[E0301]: `(expression)#a`: there is no attribute `a`\n"),
        ("repl .#a..b", "error[E0301]: `.#a..b`: the attribute path `a..b` has an empty name\n"),
    ] {
        let ran = scratch.larder(words).fails(3, &[]);
        assert!(ran.stderr.starts_with(message), "{words}: {}", ran.stderr);
    }
}

#[test]
fn scripts_of_several_lines_are_shown_readably() {
    let scratch = Scratch::new(RECIPES);
    let shown = scratch.larder("show .#hi").ok().stdout;
    assert!(shown.contains("\nargs        mkdir $out\n            write $out/hi hi\n"), "{shown}");
}

#[test]
fn a_printed_path_may_be_followed_into() {
    let scratch = Scratch::new(RECIPES);
    let path = scratch.line("build .#hi");
    assert_eq!(scratch.larder_with(&["cat", &format!("{path}/hi")]).ok().stdout, "hi\n");
    assert_eq!(scratch.larder_with(&["ls", &format!("{path}/")]).ok().stdout, "hi\n");
    assert_eq!(scratch.larder("cat result hi").ok().stdout, "hi\n");
    assert_eq!(scratch.larder("cat result/hi").ok().stdout, "hi\n");
    scratch.larder_with(&["cat", &format!("{path}/ho")]).fails(1, &["ho"]);
}

#[test]
fn a_result_that_was_collected_is_realised_again() {
    let scratch = Scratch::new(RECIPES);
    let path = scratch.line("build .#hi --no-link");
    std::os::unix::fs::symlink(scratch.physical(&path), scratch.path("result")).unwrap();
    scratch.larder("gc").ok();
    scratch.larder("ls result").fails(1, &[&path]);
    assert_eq!(scratch.larder("realise result").ok().line(), path);
}

#[test]
fn unbuilt_things_are_not_queried_in_silence() {
    let scratch = Scratch::new(RECIPES);
    scratch.larder("query size .#hi").fails(2, &["there is no store in ", "larder build"]);
    scratch.larder("instantiate .#two").ok();
    for words in ["query size .#hi", "query closure .#hi", "query deriver .#hi"] {
        scratch.larder(words).fails(1, &["is not realised", "larder realise"]);
    }
    scratch.larder("log .#two").fails(1, &["there is no log of"]);
    scratch.larder("debug .#hi").fails(1, &["no failed build of", "larder shell"]);
    scratch.larder("query nonsense .#hi").fails(2, &["nonsense", "references"]);
}

#[test]
fn a_build_can_be_entered_before_it_starts() {
    let scratch = Scratch::new(RECIPES);
    let ran = scratch.larder_with(&["shell", ".#two", "--", "/bin/mini", "say $name\nsay $out"]).ok();
    assert_eq!(ran.stdout, "two\n/larder/out/out\n");
    assert_eq!(ran.done(), ["built hi"], "what it needs is built first");
    scratch.recipes(
        r#"rec {
          src = mini "src" "exit 3" { };
          x = derivation { name = "x"; inherit system; builder = "builtin:unpack"; inherit src; };
        }"#,
    );
    for words in ["shell .#x", "show --sandbox .#x"] {
        let ran = scratch.larder(words).fails(1, &["builtin:unpack is done by larder itself", "larder show"]);
        assert_eq!(ran.done(), [""; 0], "nothing is built before that is told");
    }
}

#[test]
fn what_a_sandbox_shows_can_be_seen() {
    let scratch = Scratch::new(RECIPES);
    scratch.larder("show --sandbox .#two").fails(1, &["inputs of", "not realised"]);
    scratch.larder("build .#two --no-link").ok();
    let shown: serde_json::Value = serde_json::from_str(&scratch.larder("show --sandbox .#two").ok().stdout).unwrap();
    assert_eq!(
        (&shown["command"], &shown["env"]["name"], &shown["env"]["TZ"]),
        (&"/bin/mini".into(), &"two".into(), &"UTC".into())
    );
    assert_eq!(shown["limits"]["processes"], 8192);
    assert!(shown["layers"][0].as_str().unwrap().ends_with("-seed"), "{shown}");
    let jobs = shown["binds"].as_array().unwrap().iter().find(|bind| bind["target"] == "/larder/jobs").expect("a FIFO");
    assert!(jobs["source"].as_str().unwrap().ends_with("/jobs"), "{jobs}");
    assert_eq!(shown["job_server"], "/larder/jobs");
    assert!(shown["env"]["MAKEFLAGS"].as_str().unwrap().contains("fifo:/larder/jobs"), "{shown}");
    assert_eq!(scratch.entries("tmp"), [""; 0]);
}

#[test]
fn completions_are_known_for_the_usual_shells() {
    let scratch = Scratch::new(RECIPES);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(scratch.larder_with(&["completions", shell]).ok().stdout.contains("larder"), "{shell}");
    }
    scratch.larder("completions tcl").fails(2, &["tcl", "bash"]);
    // As the script for bash asks: the words, and which of them is completed.
    for words in [&["build", "defa"][..], &["query", "closure", "defa"]] {
        let index = words.len().to_string();
        let mut command = scratch.command(["--", "larder"].iter().chain(words));
        command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n");
        assert!(Ran::of(&mut command).stdout.lines().any(|line| line == "default.nix"), "{words:?}");
    }
}

#[test]
fn a_directory_that_has_the_store_in_it_is_not_added() {
    let scratch = Scratch::new(
        r#"rec {
      all = mini "all" "write $out all" { source = ./.; };
      some = mini "some" "copy $source/note $out" {
        source = builtins.filterSource (path: _: baseNameOf path != "home" && baseNameOf path != "result") ./.;
      };
    }"#,
    );
    scratch.write("note", "text");
    let words =
        ["the store itself", &scratch.home().canonicalize().unwrap_or_else(|_| scratch.home()).display().to_string()];
    let words = words.each_ref().map(|word| &**word);
    scratch.larder("build .#some").ok();
    scratch.larder("add .").fails(1, &words);
    scratch.larder("build .#all").fails(3, &words);
    scratch.larder("add home/format").ok();
    scratch.assert_sound();
    assert_eq!(scratch.entries("tmp"), [""; 0]);
}

#[test]
fn a_link_into_another_store_is_told_apart_from_a_recipe() {
    let scratch = Scratch::new(RECIPES);
    scratch.larder("--store other build .#hi").ok();
    scratch.larder("ls result").fails(1, &["result", "other/store", "--store"]);
    assert_eq!(scratch.larder("--store other ls result").ok().stdout, "hi\n");
}

#[test]
fn an_output_that_does_not_exist_is_an_error() {
    let scratch = Scratch::new(RECIPES);
    let drv = scratch.line("instantiate .#hi");
    for verb in ["build", "realise", "query outputs"] {
        scratch.larder(&format!("{verb} {drv}!dev")).fails(1, &["dev", &drv, "it has: out"]);
    }
    scratch.larder("build .#hi.dev").fails(3, &["dev"]);
}

#[test]
fn a_root_keeps_what_an_installable_becomes() {
    let scratch = Scratch::new(RECIPES);
    scratch.larder("instantiate .#hi").ok();
    scratch.larder("roots add mine .#hi").fails(1, &["is not realised"]);
    let path = scratch.line("build --no-link .#hi");
    scratch.larder("roots add mine .#hi").ok();
    let listed = scratch.line("roots");
    assert_eq!(listed.split("  ").take(2).collect::<Vec<_>>(), ["mine", &path], "{listed}");
    scratch.larder("gc").ok();
    assert!(scratch.physical(&path).exists());
}

#[test]
fn the_recipe_tree_is_sound_to_evaluate() {
    let scratch = Scratch::new(RECIPES);
    let recipes = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let hello = format!("{}#hello", recipes.display());
    is_in_the_readme(&scratch.larder_with(&["instantiate", &hello]).ok().line());
    assert_eq!(
        scratch.larder_with(&["eval", "--raw", &format!("{hello}.meta.licence")]).ok().stdout,
        "GPL-3.0-or-later"
    );
    scratch.larder_with(&["build", &format!("{}#helo", recipes.display())]).fails(3, &["did you mean `hello`"]);
    scratch.larder_with(&["build", recipes.to_str().unwrap()]).fails(3, &["not a derivation", "bash"]);
    let plan = scratch.larder_with(&["build", "--dry-run", &hello]).ok().stdout;
    assert!(plan.contains("to fetch: ") && plan.contains("to build: 1\n"), "{plan}");
    let vocabulary = recipes.join("lib/tests/vocabulary.nix");
    assert_eq!(scratch.larder_with(&["eval", "--strict", "--file", vocabulary.to_str().unwrap()]).ok().stdout, "[ ]\n");
}
