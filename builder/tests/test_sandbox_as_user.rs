//! All of these tests once more without root's privileges: the sandbox is meant for ordinary users.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The user and group `nobody`.
const NOBODY: u32 = 65_534;

#[test]
fn everything_holds_for_an_ordinary_user() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["test_sandbox", "--skip", "test_sandbox_as_user"])
        .current_dir("/tmp")
        .env("HOME", "/tmp")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap_or_else(|error| {
            panic!("the test program cannot be run by another user, so this is not tested: {error}")
        });
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("test_sandbox_hostile"), "{text}");
}
