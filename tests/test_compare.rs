//! Comparing: two trees, and builds with themselves in other circumstances.

use crate::harness::Scratch;

const RECIPES: &str = r#"rec {
  same = mini "same" "mkdir $out\nwrite $out/file text" { };
  other = mini "other" "mkdir $out\nwrite $out/file changed\nwrite $out/more x" { };
  host = mini "host" "mkdir $out\ncopy /proc/sys/kernel/hostname $out/name\nwrite $out/user $USER" { };
  random = mini "random" "copy /proc/sys/kernel/random/uuid $out" { };
}"#;

#[test]
fn differences_are_shown_where_they_are() {
    let scratch = Scratch::new(RECIPES);
    let same = scratch.larder("diff .#same .#same").ok();
    assert!(same.stdout.contains("identical"), "{}", same.stdout);
    let ran = scratch.larder("diff .#same .#other");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    for expected in ["file: content", "-text", "+changed", "more: added"] {
        assert!(ran.stdout.contains(expected), "`{expected}` is not in:\n{}", ran.stdout);
    }
    let json = scratch.larder("diff .#same .#other --json").json("diff");
    let mut paths: Vec<_> = json["differences"].as_array().unwrap().iter().map(|one| one["path"].clone()).collect();
    paths.sort_by_key(ToString::to_string);
    assert_eq!(paths, ["file", "more"]);
}

#[test]
fn anything_that_is_a_tree_can_be_compared() {
    let scratch = Scratch::new(RECIPES);
    let path = scratch.line("build .#same");
    scratch.larder("export .#same copy").ok();
    for other in ["copy", "result", &path, &path["/larder/store/".len()..][..8]] {
        scratch.larder_with(&["diff", ".#same", other]).ok();
    }
    scratch.write("copy/file", "changed");
    assert_eq!(scratch.larder("diff copy result").code, Some(1));
    scratch.larder("diff copy missing").fails(2, &["missing"]);
    scratch.larder("diff copy result --html page.html");
    let page = std::fs::read_to_string(scratch.path("page.html")).unwrap();
    assert!(page.contains("changed") && page.trim_end().ends_with("</html>"), "{page}");
}

#[test]
fn what_a_build_depends_on_is_found_out() {
    let scratch = Scratch::new(RECIPES);
    let ran = scratch.larder("repro .#same").ok();
    assert!(ran.stderr.contains("same came out identical"), "{}", ran.stderr);
    let ran = scratch.larder("repro .#host");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    for expected in ["name: content", "host name (proved)", "user: content", "user (proved)"] {
        assert!(ran.stdout.contains(expected), "`{expected}` is not in:\n{}", ran.stdout);
    }
    scratch.larder("repro .#host --axes time,locale").ok();
    let json = scratch.larder("repro .#host --axes host-name --json").json("repro");
    assert_eq!(json["identical"], false);
    assert_eq!(json["reports"][0]["differences"].as_array().unwrap().len(), 1);
    scratch.assert_sound();
    let first = scratch.line("build .#host");
    assert_eq!(scratch.larder("cat .#host name").ok().stdout, "larder\n", "{first} is what it was");
}

#[test]
fn circumstances_that_do_not_exist_are_named() {
    let scratch = Scratch::new(RECIPES);
    scratch.larder("repro .#same --axes weather").fails(2, &["`weather`", "host-name"]);
    scratch.larder("repro .#same --axes all,weather").fails(2, &["`weather`"]);
    let random = scratch.larder("repro .#random --axes time --bisect");
    assert_eq!(random.code, Some(1));
    assert!(random.stdout.contains("in the same circumstances") || random.stderr.contains("in the same circumstances"));
}

#[test]
fn each_run_of_repro_is_told_to_its_end() {
    let scratch = Scratch::new(RECIPES);
    let ran = scratch.larder("repro .#same --axes time --log-format json").ok();
    let events = ran.stderr.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let events: Vec<_> = events.map(|event| event["event"].as_str().unwrap().to_owned()).collect();
    let count = |name: &str| events.iter().filter(|event| *event == name).count();
    assert!(count("begin") > 1 && count("begin") == count("end"), "{events:?}");
    assert_eq!((count("started"), count("realised")), (2, 2), "{events:?}");
}

#[test]
fn the_log_stays_that_of_the_first_build() {
    let scratch = Scratch::new(
        r#"rec {
          zones = write "zones" { "zones/UTC".text = "UTC"; };
          told = mini "told" "cat /proc/sys/kernel/hostname\nwrite $out x" { };
          failing = mini "failing" "say $TZ\ncopy /zones/$TZ $out" { root = [ seed zones ]; };
        }"#,
    );
    scratch.larder("build .#told .#failing --no-link").ok();
    let known = |name: &str| scratch.larder(&format!("log .#{name} --json")).json("log");
    let (told, failing) = (known("told"), known("failing"));
    scratch.larder("repro .#told --axes host-name").ok();
    assert_eq!(scratch.larder("log .#told").ok().stdout, "larder\n");
    assert_eq!(known("told"), told);
    let ran = scratch.larder("repro .#failing --axes time-zone").fails(1, &["<+14>-14", "the log's file: "]);
    assert!(!ran.stderr.contains("larder log"), "{}", ran.stderr);
    let file = ran.stderr.lines().find_map(|line| Some(line.split_once("the log's file: ")?.1)).unwrap();
    assert!(std::path::Path::new(file).is_file(), "{file}");
    assert_eq!(scratch.larder("log .#failing").ok().stdout, "UTC\n");
    assert_eq!(known("failing"), failing);
    assert_eq!(scratch.entries("logs").iter().filter(|name| name.contains("compared")).count(), 1, "of the failure");
}
