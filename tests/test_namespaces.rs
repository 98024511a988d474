//! Machines that do not let ordinary users make namespaces: an error with the remedy, never a build without a sandbox.

use crate::harness::{Ran, Scratch, like};
use std::process::Command;

const RECIPES: &str = r#"{ x = mini "x" "write $out built" { }; y = write "y" { a = { text = "a"; }; }; }"#;

/// Runs larder in a user namespace whose own limit of user namespaces is 0.
fn larder_without_namespaces(scratch: &Scratch, words: &str) -> Ran {
    let larder = scratch.command([""; 0]);
    let script = format!("echo 0 >/proc/sys/user/max_user_namespaces && exec \"$0\" {words}");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", &script]).arg(larder.get_program());
    like(&mut command, &larder);
    Ran::of(&mut command)
}

#[test]
fn without_user_namespaces_nothing_is_built() {
    let scratch = Scratch::new(RECIPES);
    let ran = larder_without_namespaces(&scratch, "build .#x").fails(1, &["namespace", "hint:", "max_user_namespaces"]);
    assert_eq!(ran.stdout, "");
    assert!(!scratch.path("result").exists());
    assert!(scratch.entries("store").iter().all(|name| !name.ends_with("-x")), "{:?}", scratch.entries("store"));
    // The same store goes on where namespaces are allowed.
    scratch.larder("build .#x").ok();
    scratch.assert_sound();
}

#[test]
fn what_needs_no_sandbox_works_without_namespaces() {
    let scratch = Scratch::new(RECIPES);
    for words in ["build .#y", "eval .#y.name", "gc", "verify", "ls result"] {
        larder_without_namespaces(&scratch, words).ok();
    }
}
