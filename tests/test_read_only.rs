//! Somebody else's store: what only reads works, what would change it says that it cannot.

use crate::harness::{Ran, Scratch, like, skipped};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

const RECIPES: &str = r#"rec {
  base = mini "base" "mkdir $out\nwrite $out/file base" { };
  top = mini "top" "write $out ${base}" { };
}"#;

struct Other {
    scratch: Scratch,
    larder: std::path::PathBuf,
}

impl Other {
    /// A copy of the program that anybody may run, on a store that anybody may read; `None` where no other user can be had.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skipped("only root can become another user");
            return None;
        }
        let scratch = Scratch::new(RECIPES);
        std::fs::set_permissions(scratch.path("."), std::fs::Permissions::from_mode(0o755)).unwrap();
        let larder = scratch.path("larder");
        std::fs::copy(env!("CARGO_BIN_EXE_larder"), &larder).unwrap();
        std::fs::set_permissions(&larder, std::fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { scratch, larder })
    }

    fn run(&self, words: &[&str]) -> Ran {
        let own = self.scratch.command([""; 0]);
        let mut command = Command::new(&self.larder);
        command.args(words);
        like(&mut command, &own);
        Ran::of(command.uid(65534).gid(65534).env("HOME", "/nonexistent"))
    }
}

#[test]
fn whoever_may_read_a_store_can_ask_it_everything() {
    let Some(other) = Other::new() else { return };
    let top = other.scratch.line("build .#top");
    let base = other.scratch.line("build .#base --no-link");
    assert_eq!(other.run(&["query", "references", &top]).ok().line(), base);
    assert_eq!(other.run(&["query", "closure", &top]).ok().lines().len(), 2);
    assert_eq!(other.run(&["ls", &base]).ok().line(), "file");
    assert_eq!(other.run(&["cat", &base, "file"]).ok().stdout, "base\n");
    assert_eq!(other.run(&["eval", ".#base.name"]).ok().line(), "\"base\"");
    assert!(other.run(&["why", &top, &base]).ok().stdout.contains(&base));
    assert_eq!(other.run(&["verify", "--contents"]).ok().stdout, "");
    assert!(other.run(&["gc", "--dry-run"]).ok().stdout.contains("0 paths"));
    assert!(other.run(&["log", &top]).ok().stdout.is_empty());
    let place = std::env::temp_dir().join(format!("larder-exported-{}", std::process::id()));
    other.run(&["export", &base, place.to_str().unwrap()]).ok();
    assert_eq!(std::fs::read_to_string(place.join("file")).unwrap(), "base\n");
    std::fs::remove_dir_all(&place).unwrap();
    // What is there need not be built.
    assert_eq!(other.run(&["build", ".#top", "--no-link"]).ok().line(), top);
}

#[test]
fn who_may_only_read_a_store_is_told_so() {
    let Some(other) = Other::new() else { return };
    other.scratch.larder("build .#base --no-link").ok();
    for words in [&["add", "default.nix"][..], &["gc"], &["rebuild-index"], &["build", ".#top", "--no-link"]] {
        other.run(words).fails(1, &["can only be read"]);
    }
    other.scratch.assert_sound();
}
