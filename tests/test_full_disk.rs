//! A full disk: larder answers, says what it cannot do, and `gc` makes room.

use crate::harness::{Ran, Scratch, like, skipped};
use std::process::Command;

/// Runs a script with larder on a small disk of its own, at `home`, with room for so many files; `None` where none can be mounted.
fn on_a_small_disk(scratch: &Scratch, files: usize, script: &str) -> Option<Ran> {
    std::fs::create_dir_all(scratch.home()).unwrap();
    let larder = scratch.command([""; 0]);
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]).arg(script).arg(larder.get_program());
        like(&mut command, &larder);
        Ran::of(&mut command)
    };
    let mount = format!("mount -t tmpfs -o size=16m,nr_inodes={files} none home");
    if unshare(&mount).code != Some(0) {
        skipped("no file system can be mounted here");
        return None;
    }
    Some(unshare(&format!("{mount} && {script}")))
}

const SCRIPT: &str = r#"
set -e
kept=$("$0" add kept); "$0" roots add kept "$kept"; "$0" add garbage >/dev/null
head -c 99999999 /dev/zero >home/filler 2>/dev/null || :
"$0" query closure "$kept"; "$0" ls "$kept"; "$0" cat "$kept"; "$0" roots list --no-sizes; "$0" verify --contents; "$0" gc --dry-run >/dev/null
if "$0" add more; then exit 9; fi
"$0" gc >/dev/null
"$0" add more >/dev/null; "$0" verify --contents
"#;

#[test]
fn on_a_full_disk_larder_answers_and_makes_room() {
    let scratch = Scratch::new("{ }");
    scratch.write("kept", "what is kept\n");
    scratch.write("garbage", vec![b'g'; 2 << 20]);
    scratch.write("more", vec![b'm'; 1 << 20]);
    let Some(ran) = on_a_small_disk(&scratch, 100_000, SCRIPT) else { return };
    let ran = ran.ok();
    assert!(ran.stdout.lines().any(|line| line == "what is kept"), "{}", ran.stdout);
    assert!(ran.stderr.contains("no room") || ran.stderr.contains("No space left"), "{}", ran.stderr);
    assert!(ran.stderr.contains("larder gc"), "{}", ran.stderr);
}

/// A name more for each of its files, which is what sealing takes, there is no room for.
#[test]
fn an_output_that_cannot_be_sealed_for_a_full_disk_fails_with_the_reason_and_leaves_nothing() {
    let files: String = (0..300).map(|number| format!("write $out/{number} {number}\\n")).collect();
    let scratch = Scratch::new(&format!(r#"{{ many = mini "many" "mkdir $out\n{files}" {{ }}; }}"#));
    let script =
        r#""$0" build --no-link --max-build-files 0 "$PWD#many"; code=$?; "$0" verify && ls home/tmp && exit $code"#;
    let Some(ran) = on_a_small_disk(&scratch, 600, script) else { return };
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("No space left") && ran.stderr.contains("larder gc"), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot link"), "it was not sealing that failed: {}", ran.stderr);
    assert!(ran.stderr.contains("1 path checked, 0 problems"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "", "nothing is in tmp/");
}
