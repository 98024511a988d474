//! Formatting: `fmt`.

use crate::harness::{Ran, Scratch};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

const UNTIDY: &str = "{a=1; # one\nb=[ ];}";
const TIDY: &str = "{\n  a = 1; # one\n  b = [ ];\n}\n";

#[test]
fn files_are_formatted_in_place() {
    let scratch = Scratch::new(TIDY);
    scratch.write("one.nix", UNTIDY);
    std::fs::create_dir_all(scratch.path("deep/.hidden")).unwrap();
    scratch.write("deep/two.nix", UNTIDY);
    scratch.write("deep/.hidden/three.nix", UNTIDY);
    scratch.write("deep/four.txt", UNTIDY);
    std::fs::set_permissions(scratch.path("one.nix"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("one.nix", scratch.path("link.nix")).unwrap();
    let read = |name: &str| std::fs::read_to_string(scratch.path(name)).unwrap();

    // One file is one file, under its first name.
    let checked = scratch.larder("fmt --check deep one.nix link.nix").fails(1, &[]);
    assert_eq!(checked.stdout, "deep/two.nix\nlink.nix\n");
    assert_eq!(read("one.nix"), UNTIDY);
    let shown = scratch.larder("fmt --diff one.nix").ok();
    assert!(
        shown.stdout.contains("\n-{a=1; # one\n") && shown.stdout.contains("\n+  a = 1; # one\n"),
        "{}",
        shown.stdout
    );

    assert_eq!(scratch.larder("fmt deep link.nix").ok().stdout, "");
    assert_eq!((read("one.nix").as_str(), read("deep/two.nix").as_str()), (TIDY, TIDY));
    assert_eq!((read("deep/.hidden/three.nix").as_str(), read("deep/four.txt").as_str()), (UNTIDY, UNTIDY));
    assert_eq!(std::fs::metadata(scratch.path("one.nix")).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(scratch.path("link.nix").is_symlink());
    scratch.larder("fmt --check deep one.nix").ok();
    scratch.larder("fmt").ok();
    scratch.larder("fmt --check").ok();
}

#[test]
fn what_is_wrong_stays_as_it_is() {
    let scratch = Scratch::new(TIDY);
    scratch.write("wrong.nix", "{a=;}");
    scratch.write("right.nix", UNTIDY);
    scratch.larder("fmt wrong.nix right.nix").fails(3, &["wrong.nix:1:4", "expected an expression"]);
    assert_eq!(std::fs::read_to_string(scratch.path("wrong.nix")).unwrap(), "{a=;}");
    assert_eq!(std::fs::read_to_string(scratch.path("right.nix")).unwrap(), TIDY);
    scratch.larder("fmt missing.nix").fails(2, &["missing.nix does not exist"]);
    let told = scratch.larder("fmt --json right.nix").ok().json("fmt");
    assert_eq!(told["files"][0]["status"], "unchanged");
}

#[test]
fn standard_input_is_formatted_to_standard_output() {
    let scratch = Scratch::new(TIDY);
    let mut command = scratch.command(["fmt", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(UNTIDY.as_bytes()).unwrap();
    assert_eq!(Ran::from(child.wait_with_output().unwrap()).ok().stdout, TIDY);
}
