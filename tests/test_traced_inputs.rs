//! Which inputs builds use: recorded by `build --trace-inputs`, told by `lint INSTALLABLE`.

use crate::harness::Scratch;

const RECIPES: &str = r#"rec {
  greeting = write "greeting" { "share/greeting" = { text = "hello\n"; }; };
  link = write "link" { "share/link" = { symlink = "greeting"; }; };
  unused = write "unused" { "share/unused" = { text = "x"; }; };
  wanted = write "wanted" { "share/wanted" = { text = "x"; }; };
  mentioned = write "mentioned" { "data" = { text = "x"; }; };
  good = mini "good" "copy /share/link $out" { root = [ seed greeting link ]; };
  wasteful = mini "wasteful" "copy /share/greeting $out" { root = [ seed greeting unused ]; extra = "${mentioned}"; };
  failing = mini "failing" "copy /share/wanted $out" { root = [ seed greeting ]; };
}"#;

#[test]
fn what_was_used_and_missed_is_told() {
    let scratch = Scratch::new(RECIPES);
    scratch.larder("build --no-link .#wanted").ok();
    scratch
        .larder("lint .#good")
        .fails(1, &["has inputs that are not in the store", "hint: larder build --trace-inputs /larder/store/"]);
    let plain = scratch.line("build --no-link .#good");
    scratch.larder("lint .#good").fails(1, &["was not built with `--trace-inputs`"]);
    assert_eq!(scratch.line("build --no-link --trace-inputs .#good"), plain, "what is built is the same");
    let ran = scratch.larder("lint .#good").ok();
    assert_eq!(ran.stdout, "");
    assert_eq!(ran.stderr, "good: 0 findings; used 3 of 3 inputs, looked for 0 paths in vain\n");

    scratch.larder("build --no-link --trace-inputs .#wasteful").ok();
    let lines = scratch.larder("lint .#wasteful").fails(1, &["2 findings; used 2 of 4 inputs"]).stdout;
    assert!(lines.contains("wasteful: unused is an input and was never used: /larder/store/"), "{lines}");
    assert!(lines.contains("wasteful: mentioned is an input and was never used: /larder/store/"), "{lines}");

    scratch.larder("build --no-link --trace-inputs .#failing").fails(1, &["failed: failing"]);
    let ran = scratch.larder("lint .#failing .#good").fails(1, &["1 path in vain", "good: 0 findings"]);
    assert!(
        ran.stdout.contains("looked in vain for /share/wanted, which wanted has: /larder/store/"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("failing: greeting is an input and was never used"), "{}", ran.stdout);
}

#[test]
fn it_is_json() {
    let scratch = Scratch::new(RECIPES);
    let wanted = scratch.line("build --no-link .#wanted");
    scratch.larder("build --no-link --trace-inputs .#failing").fails(1, &[]);
    let json = scratch.larder("lint --json .#failing").json("lint-inputs");
    assert_eq!(json["missed"], serde_json::json!(["/share/wanted"]));
    assert_eq!(
        (&json["providers"][0]["path"], &json["providers"][0]["has"][0]),
        (&wanted.into(), &"/share/wanted".into())
    );
    assert_eq!(json["used"][0]["files"], serde_json::json!(["/bin/mini"]));
    assert_eq!(json["unused"][0]["needed_by_used"], false);
    assert_eq!(json["complete"], false, "what a build that failed did not come to may be used");
    scratch.larder("build --no-link --trace-inputs .#good").ok();
    assert_eq!(scratch.larder("lint --json .#good").json("lint-inputs")["complete"], true);
}

#[test]
fn what_cannot_be_linted_is_refused() {
    let scratch = Scratch::new(RECIPES);
    scratch.larder("lint .#good default.nix").fails(2, &["linted separately"]);
    scratch.larder("lint --fix .#good").fails(2, &["are for files"]);
    scratch.larder("lint .#greeting").fails(1, &["is made inside larder"]);
}
