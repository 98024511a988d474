//! The small image from its sources to a login prompt: minutes of compiling, so it runs only when `LARDER_TEST_NETWORK` is set.

use crate::test_network::{Shared, shared};
use std::path::Path;

fn attribute(name: &str) -> String {
    format!("{}#{name}", Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes").display())
}

fn build(shared: &Shared, names: &[&str]) -> Vec<String> {
    let attributes: Vec<_> = names.iter().map(|name| attribute(name)).collect();
    let mut arguments = vec!["build", "--no-link"];
    arguments.extend(attributes.iter().map(String::as_str));
    shared.0.larder_with(&arguments).ok().lines().iter().map(ToString::to_string).collect()
}

/// The file `name` of the first output whose name ends so.
fn report(shared: &Shared, check: &str) -> String {
    let path = build(shared, &[check]).remove(0);
    std::fs::read_to_string(shared.0.physical(&path).join("report")).unwrap()
}

#[test]
fn the_small_image_boots_and_a_changed_one_does_not() {
    let Some(shared) = shared() else { return };
    assert!(report(&shared, "small.checks.boot").contains("said `BusyBox v`"), "somebody logged in");
    assert_eq!(report(&shared, "small.checks.tampered"), "said `init: refused`\nwent off\n");
    assert!(
        report(&shared, "small.checks.rescue").contains("said `the first process is 1`"),
        "a shell instead of init"
    );
    let needs = report(&shared, "small.checks.closure");
    assert!(needs.contains("/usr/bin/busybox: /lib/ld-musl-x86_64.so.1 libc.so"), "{needs}");
    assert!(report(&shared, "small.checks.seedFreedom").contains("no code among the seed's"));
}

/// What is in the file system has the owners and modes of the manifest, and nothing else has a say.
#[test]
fn the_manifest_says_owners_and_modes() {
    let Some(shared) = shared() else { return };
    let path = build(&shared, &["small.images.manifest"]).remove(0);
    let manifest = std::fs::read_to_string(shared.0.physical(&path).join("manifest")).unwrap();
    for line in ["/etc/shadow file 0600 0 0 ", "/tmp directory 1777 0 0 ", "/usr/bin/busybox file 0755 0 0 "] {
        assert!(manifest.lines().any(|found| found.starts_with(line)), "{line} is not in:\n{manifest}");
    }
}

/// Compiler, shell and C library of our own are enough to compile a program, and it runs.
#[test]
fn a_program_is_compiled_without_the_seed() {
    let Some(shared) = shared() else { return };
    assert_eq!(report(&shared, "small.checks.native"), "compiled and run: minigzip\n");
}

/// Every step is run twice, and the medium must be the same.
#[test]
fn an_image_packed_twice_is_the_same() {
    let Some(shared) = shared() else { return };
    build(&shared, &["small.checks.reproducible"]);
    build(&shared, &["small.checks.licences", "small.phases.publish"]);
}

/// What is wrong with an image is said by the step that sees it: see `recipes/lib/tests/images.nix`.
#[test]
fn steps_fail_as_they_say() {
    let Some(shared) = shared() else { return };
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/lib/tests/images.nix");
    let names = format!("builtins.attrNames (import {} {{ system = builtins.currentSystem; }}).bad", cases.display());
    let names = shared.0.larder_with(&["eval", "--json", "--expr", &names]).ok().stdout;
    let names: Vec<String> = serde_json::from_str(&names).unwrap();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let says = shared.0.larder(&format!("eval --raw {}#bad.{name}.says", cases.display())).ok().stdout;
        let ran = shared.0.larder(&format!("build --no-link {}#bad.{name}.step", cases.display()));
        assert_ne!(ran.code, Some(0), "{name}");
        assert!(ran.stderr.contains(&says), "{name}: `{says}` is not in:\n{}", ran.stderr);
    }
}
