//! Garbage: what roots keep, what dies, and what comes back.

use crate::harness::{Ran, Scratch};

const RECIPES: &str = r#"rec {
  kept = mini "kept" "write $out kept" { };
  dead = mini "dead" "write $out dead" { };
}"#;

fn built() -> (Scratch, [String; 2]) {
    let scratch = Scratch::new(RECIPES);
    let paths = [scratch.line("build .#kept"), scratch.line("build .#dead --no-link")];
    (scratch, paths)
}

#[test]
fn a_dry_run_and_a_run_agree() {
    let (scratch, [kept, dead]) = built();
    let plan = scratch.larder("gc --dry-run").ok();
    assert!(plan.stdout.contains(&format!("would delete {dead}")) && !plan.stdout.contains(&kept), "{}", plan.stdout);
    assert!(scratch.physical(&dead).exists());
    let json = scratch.larder("gc --dry-run --json").ok().json("gc");
    let listed: Vec<_> = json["dead"].as_array().unwrap().iter().map(|node| node["path"].as_str().unwrap()).collect();
    assert!(listed.contains(&dead.as_str()));
    let ran = scratch.larder("gc").ok();
    assert_eq!(ran.stdout, plan.stdout.replace("would delete", "deleted").replace("would be freed", "freed"));
    assert!(scratch.physical(&kept).exists() && !scratch.physical(&dead).exists());
    assert_eq!(scratch.entries("trash"), [""; 0]);
    scratch.assert_sound();
}

#[test]
fn life_and_death_are_explained() {
    let (scratch, [kept, dead]) = built();
    let lives = scratch.larder_with(&["gc", "--explain", &kept]).ok().stdout;
    assert!(lives.contains("lives") && lives.contains("the root"), "{lives}");
    let dies = scratch.larder_with(&["gc", "--explain", &dead]).ok().stdout;
    assert!(dies.contains(&format!("{dead} dies")), "{dies}");
    assert!(scratch.physical(&dead).exists(), "explaining deletes nothing");
    let json = scratch.larder_with(&["gc", "--json", "--explain", &kept]).ok().json("gc-explain");
    assert_eq!(json["live"], true);
}

#[test]
fn what_was_collected_is_built_again_by_any_of_its_names() {
    let (scratch, [_, dead]) = built();
    let drv = scratch.line("instantiate .#dead");
    let drv_digest = drv.strip_prefix("/larder/store/").unwrap()[..8].to_owned();
    for name in [".#dead", &dead, &drv, &drv_digest] {
        scratch.larder("gc").ok();
        assert!(!scratch.physical(&dead).exists());
        let again = scratch.larder_with(&["realise", name]).ok();
        assert_eq!((again.line(), again.done()), (dead.clone(), vec!["built dead".to_owned()]), "{name}");
        assert!(scratch.physical(&dead).exists());
    }
    scratch.assert_sound();
}

#[test]
fn roots_can_be_named() {
    let (scratch, [kept, dead]) = built();
    assert!(scratch.larder("roots").ok().line().contains(&kept));
    scratch.larder_with(&["roots", "add", "mine", &dead]).ok();
    let json = scratch.larder("roots --json").ok().json("roots");
    assert_eq!(json["roots"].as_array().unwrap().len(), 2);
    scratch.larder("gc").ok();
    assert!(scratch.physical(&dead).exists());
    scratch.larder("roots remove mine").ok();
    scratch.larder("roots remove mine").fails(1, &["mine"]);
    scratch.larder("roots add ../outside result").ok();
    assert!(scratch.path("../outside").symlink_metadata().is_ok());
    std::fs::remove_file(scratch.path("../outside")).unwrap();
    scratch.larder("gc").ok();
    assert!(!scratch.physical(&dead).exists());
}

#[test]
fn recent_things_are_spared_when_asked() {
    let (scratch, [_, dead]) = built();
    scratch.larder("gc --older-than 1h").ok();
    scratch.larder("gc --unused-for 1h").ok();
    assert!(scratch.physical(&dead).exists());
    scratch.larder("gc --older-than soon").fails(2, &["soon"]);
    scratch.larder("gc --max-size 100G").ok();
    assert!(scratch.physical(&dead).exists(), "the store is small enough");
    scratch.larder("gc --max-size 0").ok();
    assert!(!scratch.physical(&dead).exists());
}

#[test]
fn a_store_may_be_anywhere() {
    let scratch = Scratch::new(RECIPES);
    let expected = scratch.line("build .#kept --no-link");
    let words = ["--store", "else where/store", "build", ".#kept", "-o", "elsewhere"];
    assert_eq!(scratch.larder_with(&words).ok().line(), expected, "the logical path does not depend on the place");
    assert_eq!(std::fs::read_to_string(scratch.path("elsewhere")).unwrap(), "kept\n");
    let data = scratch.path("data");
    let mut command = scratch.command(["build", ".#kept", "-o", "by-data"]);
    Ran::of(command.env_remove("LARDER_HOME").env("XDG_DATA_HOME", &data)).ok();
    assert!(data.join("larder/store").is_dir());
    let mut command = scratch.command(["build", ".#kept", "-o", "by-home"]);
    Ran::of(command.env_remove("LARDER_HOME").env_remove("XDG_DATA_HOME").env("HOME", scratch.path("me"))).ok();
    assert!(scratch.path("me/.local/share/larder/store").is_dir());
    // A store behind a link is the same store, and its links are known.
    std::os::unix::fs::symlink(scratch.home(), scratch.path("link")).unwrap();
    scratch.larder("build .#kept").ok();
    let through = ["--store", "link", "query", "deriver", "result"];
    assert_eq!(scratch.larder_with(&through).ok().line(), scratch.line("instantiate .#kept"));
}
