//! Real packages: the seed is fetched from this machine's package mirror, so these tests run only when `LARDER_TEST_NETWORK` is set.
//!
//! One store serves all of them, so that the seed is fetched and unpacked once a run. It stays until the next run.

use crate::harness::{Ran, Scratch};
use crate::test_documents::is_in_the_readme;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The directory that all tests share, one at a time. Its `default.nix` gives `zlib` with the patches in `with`, and what is built
/// with it.
pub(crate) struct Shared(pub(crate) MutexGuard<'static, Scratch>);

/// `None`, told, when these tests are not to run here.
pub(crate) fn shared() -> Option<Shared> {
    if std::env::var_os("LARDER_TEST_NETWORK").is_none() {
        eprintln!("not run: LARDER_TEST_NETWORK is not set");
        return None;
    }
    static SCRATCH: OnceLock<Mutex<Scratch>> = OnceLock::new();
    let scratch =
        SCRATCH.get_or_init(|| Mutex::new(Scratch::at(Path::new(env!("CARGO_TARGET_TMPDIR")).join("network"))));
    Some(Shared(scratch.lock().unwrap_or_else(PoisonError::into_inner)))
}

impl Shared {
    /// Builds what is built with a `zlib` whose recipe has these further arguments.
    fn build(&self, name: &str, zlib: &str) -> Ran {
        let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        self.0.recipes(&format!(
            r#"let
          packages = import {recipes} {{ inherit system; }};
          inherit (packages.lib) mkPackage fetchSource;
          inherit (packages) libc;
        in rec {{
          inherit (packages) hello;
          zlib = import {recipes}/core/zlib/recipe.nix {{
            inherit fetchSource libc;
            mkPackage = arguments: mkPackage (arguments // {zlib});
          }};
          zpipe = import {recipes}/core/zpipe/recipe.nix {{ inherit libc mkPackage zlib; }};
        }}"#,
            recipes = recipes.display()
        ));
        self.0.larder(&format!("build .#{name}"))
    }

    /// Builds what must succeed and what must fail, in a file of `recipes/lib/tests`, and counts both.
    fn try_cases(&self, file: &str) -> (usize, usize) {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/lib/tests").join(file);
        let names = |set: &str| -> Vec<String> {
            let names =
                format!("builtins.attrNames (import {} {{ system = builtins.currentSystem; }}).{set}", cases.display());
            serde_json::from_str(&self.0.larder_with(&["eval", "--json", "--expr", &names]).ok().stdout).unwrap()
        };
        let (good, bad) = (names("good"), names("bad"));
        for name in &good {
            self.0.larder(&format!("build --no-link {}#good.{name}", cases.display())).ok();
        }
        for name in &bad {
            let says = self.0.larder(&format!("eval --raw {}#bad.{name}.says", cases.display())).ok().stdout;
            self.0.larder(&format!("build --no-link {}#bad.{name}.package", cases.display())).fails(1, &[&says]);
        }
        (good.len(), bad.len())
    }

    /// A patch that replaces one line, without which line numbers would change.
    fn patch(&self, file: &str, line: u32, before: &str, after: &str) -> String {
        self.0
            .write("change.patch", format!("--- a/{file}\n+++ b/{file}\n@@ -{line} +{line} @@\n-{before}\n+{after}\n"));
        "{ patches = [ ./change.patch ]; }".to_owned()
    }
}

/// What of a run's work was packages.
fn packages(ran: &Ran) -> Vec<String> {
    ran.done()
        .into_iter()
        .filter(|line| line.contains("zlib-1") || line.contains("zpipe-1"))
        .filter(|line| line.starts_with("built"))
        .collect()
}

#[test]
fn a_comment_in_zlib_rebuilds_zlib_only() {
    let Some(shared) = shared() else { return };
    let first = shared.build("zpipe", "{ }").ok();
    let change = shared.patch(
        "adler32.c",
        1,
        "/* adler32.c -- compute the Adler-32 checksum of a data stream",
        "/* adler32.c -- compute the Adler-32 checksum of a stream of data",
    );
    let second = shared.build("zpipe", &change).ok();
    assert_eq!(packages(&second), ["built zlib-1.3.1"]);
    assert!(second.stderr.contains("came out as before"), "{}", second.stderr);
    assert_eq!(second.line(), first.line());
}

#[test]
fn changed_bytes_in_zlib_rebuild_what_uses_it_once() {
    let Some(shared) = shared() else { return };
    shared.build("zpipe", "{ }").ok();
    let zlib = shared.0.line("build --no-link .#zlib");
    let change = shared.patch(
        "zutil.c",
        24,
        r#"    (z_const char *)"data error",          /* Z_DATA_ERROR    (-3) */"#,
        r#"    (z_const char *)"error in data",       /* Z_DATA_ERROR    (-3) */"#,
    );
    let second = shared.build("zpipe", &change).ok();
    assert_eq!(packages(&second), ["built zlib-1.3.1", "built zpipe-1.3.1"]);
    assert_eq!(shared.build("zpipe", &change).ok().stderr, "");
    let changed = shared.0.line("build --no-link .#zlib");
    assert_ne!(changed, zlib);
    let closure = shared.0.larder("query closure .#zpipe").ok();
    let closure = closure.lines();
    assert!(closure.contains(&changed.as_str()) && !closure.contains(&zlib.as_str()), "{closure:?}");
}

#[test]
fn hello_greets() {
    let Some(shared) = shared() else { return };
    shared.build("hello", "{ }").ok();
    shared.0.larder("query closure .#hello").ok().lines().into_iter().for_each(is_in_the_readme);
    assert_eq!(shared.0.larder("run .#hello").ok().stdout, "Hello, world!\n");
    assert_eq!(shared.0.larder("run .#hello -- hello --greeting=hi").ok().stdout, "hi\n");
    assert!(shared.0.larder("log .#hello").ok().stdout.contains("larder: phase build"));
    let repro = shared.0.larder("repro .#hello --axes time,host-name").code;
    assert_eq!(repro, Some(0), "hello is reproducible");
}

#[test]
fn zpipe_uses_the_library_of_its_closure() {
    let Some(shared) = shared() else { return };
    let zpipe = shared.build("zpipe", "{ }").ok().line();
    let zlib = shared.0.line("build --no-link .#zlib");
    let why = shared.0.larder_with(&["why", &zpipe, &zlib]).ok();
    assert_eq!(why.lines(), [zpipe.clone(), format!("  needs at run time, as declared: {zlib}")]);
    shared.0.larder("gc").ok();
    assert!(shared.0.physical(&zlib).exists());
    let missing = shared.0.larder_with(&["run", ".#zpipe", "--", "/usr/bin/absent"]);
    missing.fails(1, &["/usr/bin/absent"]);
    shared.0.assert_sound();
}

/// What the phases of `mkPackage` do, and how they fail: see `recipes/lib/tests/builds.nix`.
#[test]
fn phases_succeed_and_fail_as_they_say() {
    let Some(shared) = shared() else { return };
    let (good, bad) = shared.try_cases("builds.nix");
    assert!(good >= 13 && bad >= 11, "{good} and {bad}");
}

/// What the phases of another distribution's recipes do: see `recipes/lib/tests/intergenos-builds.nix`.
#[test]
fn phases_of_others_succeed_and_fail_as_they_say() {
    let Some(shared) = shared() else { return };
    let (good, bad) = shared.try_cases("intergenos-builds.nix");
    assert!(good >= 9 && bad >= 7, "{good} and {bad}");
}

/// A shell with a terminal library, and what both need at run time, from source.
#[test]
fn a_shell_runs_in_its_run_time_closure() {
    let Some(shared) = shared() else { return };
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let ran = shared.0.larder_with(&[
        "run",
        &format!("{}#bash", recipes.display()),
        "--",
        "/usr/bin/bash",
        "-c",
        "echo $((6 * 7))",
    ]);
    assert_eq!(ran.ok().stdout, "42\n");
}
