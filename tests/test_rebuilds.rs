//! Why something is built anew, and what that did to a closure.

use crate::harness::Scratch;
use serde_json::Value;

const RECIPES: &str = r#"rec {
  base = mini "base-1" "mkdir $out\nwrite $out/file BASE" { src = ./source; flags = "FLAGS"; };
  quiet = mini "quiet-1" "write $out always the same" { note = "NOTE"; };
  user = mini "user-VERSION" "mkdir $out\nwrite $out/text ${base} ${quiet}" { };
  top = mini "top-1" "write $out ${user}" { };
}"#;

fn recipes(base: &str, flags: &str, note: &str, version: &str) -> String {
    RECIPES.replace("BASE", base).replace("FLAGS", flags).replace("NOTE", note).replace("VERSION", version)
}

fn built() -> Scratch {
    let scratch = Scratch::new(&recipes("base", "-O2", "first", "1"));
    std::fs::create_dir(scratch.path("source")).unwrap();
    scratch.write("source/code", "one\ntwo\nthree\n");
    scratch.larder("build --no-link .#top").ok();
    scratch
}

fn names(value: &Value) -> Vec<String> {
    let name = |path: &Value| path.as_str().unwrap()["/larder/store/".len() + 53..].to_owned();
    value.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn causes_are_told_down_to_lines_and_variables() {
    let scratch = built();
    scratch.recipes(&recipes("base", "-O3", "first", "1"));
    scratch.write("source/code", "one\n2\nthree\n");
    let told = scratch.larder("why-rebuild .#top").ok().stdout;
    for expected in [
        "\nbase-1  (top-1 → user-1 → base-1)\n  variable `flags`: -O2 → -O3\n",
        "\nsource  (top-1 → user-1 → base-1 → source)\n  code: content",
        "      -two\n      +2\n",
        "\n2 differ only because of this: top-1, user-1\n",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in:\n{told}");
    }
    assert!(!told.contains("identical"), "{told}");
    let json = scratch.larder("why-rebuild .#top --json").ok().json("why-rebuild");
    let causes = json["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 2);
    assert_eq!(names(&causes[1]["chain"]), ["top-1.drv", "user-1.drv", "base-1.drv", "source"]);
    assert_eq!(causes[1]["files"][0]["path"], "code");
    assert_eq!(
        causes[0]["changes"],
        serde_json::json!([{ "what": "variable", "name": "flags", "before": "-O2", "after": "-O3" }])
    );
    assert_eq!(json["after_action"], Value::Null, "it is not built yet");
    assert_eq!(names(&json["followers"]), ["top-1.drv", "user-1.drv"]);
}

#[test]
fn what_came_out_identical_is_no_cause() {
    let scratch = built();
    let old = scratch.line("instantiate .#top");
    scratch.recipes(&recipes("other", "-O2", "second", "1"));
    let json = scratch.larder_with(&["why-rebuild", ".#top", &old, "--json"]).ok().json("why-rebuild");
    assert_eq!(json["causes"].as_array().unwrap().len(), 2, "nobody knows yet how `quiet` comes out");
    scratch.larder("build --no-link .#top").ok();
    let json = scratch.larder_with(&["why-rebuild", ".#top", &old, "--json"]).ok().json("why-rebuild");
    let causes = json["causes"].as_array().unwrap();
    assert_eq!((causes.len(), &causes[0]["name"]), (1, &"base-1".into()));
    assert!(json["identical"][0]["after"].as_str().unwrap().ends_with("-quiet-1.drv"));
    let told = scratch.larder_with(&["why-rebuild", ".#top", &old]).ok().stdout;
    assert!(told.contains("came out identical") && told.contains("top-1 → user-1 → quiet-1"), "{told}");
    // Where only such things changed, it is the same action.
    let old = scratch.line("instantiate .#user");
    scratch.recipes(&recipes("other", "-O2", "third", "1"));
    scratch.larder("build --no-link .#user").ok();
    let json = scratch.larder_with(&["why-rebuild", ".#user", &old, "--json"]).ok().json("why-rebuild");
    assert_eq!((&json["same_action"], json["causes"].as_array().unwrap().len()), (&true.into(), 0));
}

#[test]
fn the_last_build_of_the_name_is_compared() {
    let scratch = built();
    scratch.larder("why-rebuild .#top").fails(1, &["no other build of top-1 is known", "AFTER BEFORE"]);
    let old = scratch.line("instantiate .#user");
    scratch.recipes(&recipes("base", "-O2", "first", "2"));
    let json = scratch.larder("why-rebuild .#user --json").ok().json("why-rebuild");
    assert_eq!(json["before"], old.as_str(), "another version, where there is no other build of the name");
    assert_eq!(json["causes"][0]["changes"][0]["what"], "name");
    let same = scratch.larder("why-rebuild .#user .#user").ok().stdout;
    assert!(same.contains("is the same derivation"), "{same}");
    // What is built already is compared with what was before it.
    scratch.larder("build --no-link .#top").ok();
    let told = scratch.larder("why-rebuild .#top").ok().stdout;
    assert!(told.contains("user-2  (top-1 → user-2)\n  name: user-1 → user-2\n"), "{told}");
}

#[test]
fn a_source_that_is_gone_is_told_by_its_name() {
    let scratch = built();
    let old = scratch.line("instantiate .#base");
    scratch.write("source/code", "changed\n");
    scratch.larder("build --no-link .#base").ok();
    let sources: Vec<_> = scratch.entries("store").into_iter().filter(|name| name.ends_with("-source")).collect();
    assert_eq!(sources.len(), 2);
    for name in sources {
        let kept = scratch.larder("query references .#base --derivations").ok().stdout.contains(&name);
        if !kept {
            std::fs::rename(scratch.home().join("store").join(&name), scratch.home().join("trash").join(&name))
                .unwrap();
        }
    }
    let told = scratch.larder_with(&["why-rebuild", ".#base", &old]).ok().stdout;
    assert!(told.contains("is not in the store any more"), "{told}");
}

#[test]
fn closures_are_compared_by_package_and_file() {
    let scratch = built();
    let old = scratch.line("build --no-link .#top");
    assert_eq!(
        scratch.larder_with(&["diff", "--closure", &old, ".#top"]).ok().lines().len(),
        2,
        "a heading and the sum"
    );
    scratch.recipes(&recipes("a longer base", "-O2", "first", "2"));
    let ran = scratch.larder_with(&["diff", "--closure", &old, ".#top", "--json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let json = ran.json("closure-diff");
    let told =
        |package: &Value| [&package["name"], &package["fate"]].map(|text| text.as_str().unwrap().to_owned()).join(" ");
    let packages: Vec<_> = json["packages"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(packages, ["base content", "top content", "user version"]);
    assert_eq!(json["unchanged"]["paths"], 1);
    // `base` became `a longer base`.
    assert_eq!(
        json["files"][0],
        serde_json::json!({ "package": "base", "path": "file", "before": 5, "after": 14, "growth": 9 })
    );
    assert_eq!(json["growth"], 9);
    let text = scratch.larder_with(&["diff", "--closure", &old, ".#top"]).stdout;
    assert!(text.contains("+9 B  base: file  (5 B → 14 B)"), "{text}");
}
