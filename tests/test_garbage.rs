//! Garbage: what roots keep, what dies, and what comes back.

use crate::harness::{Ran, Scratch, like, processes_with, wait_until};
use std::process::Stdio;
use std::time::Duration;

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
    let stays = scratch.larder_with(&["gc", "--explain", &kept]).ok().stdout;
    let link = scratch.path("result");
    assert_eq!(stays, format!("{kept} stays:\n  the root {}\n    {kept}\n", link.display()));
    let goes = scratch.larder_with(&["gc", "--explain", &dead]).ok().stdout;
    assert!(goes.contains(&format!("{dead} goes")), "{goes}");
    assert!(scratch.physical(&dead).exists(), "explaining deletes nothing");
    let spared = scratch.larder_with(&["gc", "--explain", &dead, "--unused-for", "1h"]).ok().stdout;
    assert!(spared.contains("no root") && spared.contains("--unused-for"), "{spared}");
    let json = scratch.larder_with(&["gc", "--json", "--explain", &kept]).ok().json("gc-explain");
    assert_eq!((&json["live"], &json["holders"][0]["chain"][0]), (&true.into(), &kept.as_str().into()));
    let json = scratch.larder_with(&["gc", "--json", "--explain", &dead]).ok().json("gc-explain");
    assert_eq!((&json["live"], json["holders"].as_array().unwrap().len()), (&false.into(), 0));
}

#[test]
fn a_store_that_was_moved_keeps_what_links_hold() {
    let (scratch, [kept, dead]) = built();
    std::fs::rename(scratch.home(), scratch.path("large")).unwrap();
    std::os::unix::fs::symlink("large", scratch.home()).unwrap();
    scratch.larder("gc").ok();
    assert!(scratch.physical(&kept).exists() && !scratch.physical(&dead).exists());
    assert_eq!(scratch.larder("cat result").ok().stdout, "kept\n");
}

#[test]
fn a_root_that_cannot_be_looked_at_is_named_and_can_be_removed() {
    let scratch = Scratch::new(RECIPES);
    std::fs::create_dir(scratch.path("d")).unwrap();
    let kept = scratch.line("build .#kept --out-link d/result");
    std::fs::rename(scratch.path("d"), scratch.path("moved")).unwrap();
    std::os::unix::fs::symlink("d", scratch.path("d")).unwrap();
    let listed = scratch.larder("roots list").ok();
    assert!(listed.stdout.contains("cannot be looked at"), "{}", listed.stdout);
    let name = listed.stdout.split(' ').next().unwrap().to_owned();
    let remove = format!("larder roots remove {name}");
    for words in ["gc", "gc --dry-run"] {
        scratch.larder(words).fails(1, &[&name, "d/result", &remove]);
    }
    assert!(scratch.physical(&kept).exists());
    scratch.larder(remove.strip_prefix("larder ").unwrap()).ok();
    scratch.larder("gc").ok();
    assert!(!scratch.physical(&kept).exists());
}

/// A derivation, what it was made from, and what it was made with but does not need.
const CHAIN: &str = r#"rec {
  tool = write "tool" { "tool".text = "a tool\n"; };
  library = write "library" { "library".text = "a library\n"; };
  app = mini "app" "write $out ${library}" { root = [ seed tool ]; };
}"#;

#[test]
fn a_chain_leads_from_each_holder() {
    let scratch = Scratch::new(CHAIN);
    let [app, library] = ["build .#app", "build .#library --no-link"].map(|words| scratch.line(words));
    scratch.larder("roots add mine .#library").ok();
    let stays = scratch.larder("gc --explain .#library").ok().stdout;
    let link = scratch.path("result");
    let expected = format!(
        "{library} stays:\n  the root mine\n    {library}\n  also the root {}, through {app}\n",
        link.display()
    );
    assert_eq!(stays, expected);
    scratch.larder("roots remove mine").ok();
    let stays = scratch.larder_with(&["gc", "--explain", &library]).ok().stdout;
    assert!(stays.contains(&format!("    {app}\n    needs {library}\n")), "{stays}");
    let drv = scratch.line("instantiate .#app");
    let stays = scratch.larder_with(&["gc", "--explain", &drv]).ok().stdout;
    assert!(stays.contains(&format!("was made by {drv}\n")), "{stays}");
}

#[test]
fn derivations_and_outputs_are_kept_as_asked() {
    let scratch = Scratch::new(CHAIN);
    let [app, tool] = ["build .#app", "build .#tool --no-link"].map(|words| scratch.line(words));
    let drv = scratch.line("instantiate .#app");
    let dies = |path: &str, options: &str| {
        let dead = scratch.larder(&format!("gc --dry-run --json --derivations {options}")).ok().json("gc");
        dead["dead"].as_array().unwrap().iter().any(|node| node["path"] == path)
    };
    assert!(dies(&tool, "") && dies(&tool, "--keep-outputs=no") && !dies(&tool, "--keep-outputs"));
    assert!(!dies(&drv, "") && dies(&drv, "--keep-derivations=no") && !dies(&drv, "--keep-derivations"));
    assert!(!dies(&app, "--keep-derivations=no --keep-outputs=no"));
    scratch.larder("gc --keep-outputs=perhaps").fails(2, &["perhaps"]);
    scratch.larder("gc --keep-outputs").ok();
    assert!(scratch.physical(&tool).exists());
    scratch.larder("gc --keep-derivations=no --derivations").ok();
    assert!(!scratch.physical(&tool).exists() && scratch.physical(&app).exists());
    scratch.larder_with(&["show", &drv]).fails(1, &["nothing in the store"]);
}

#[test]
fn profiles_have_generations() {
    let scratch = Scratch::new(r#"{ one = write "one" { "n".text = "1"; }; two = write "two" { "n".text = "2"; }; }"#);
    let current = || std::fs::read_to_string(scratch.home().join("profiles/web/n")).unwrap();
    let [one, two] = ["one", "two"].map(|name| scratch.line(&format!("build .#{name} --profile web")));
    assert!(scratch.path("result").symlink_metadata().is_err(), "a profile takes the place of the link");
    assert_eq!(current(), "2");
    assert!(scratch.larder("roots rollback web").ok().stderr.contains("is generation 1 of the profile web"));
    assert_eq!(current(), "1");
    scratch.larder("roots rollback web").fails(1, &["no generation before", "roots generations web"]);
    scratch.larder("roots rollback web --to 9").fails(1, &["no generation 9"]);
    scratch.larder("roots rollback wbe").fails(1, &["no profile called `wbe`", "roots generations"]);
    scratch.larder("roots remove web").fails(1, &["--all-generations"]);
    scratch.larder("roots remove web-1-link").fails(1, &["generation 1", "rollback"]);
    scratch.larder("roots add web-7-link .#one").fails(1, &["profile `web`"]);
    scratch.larder("roots add ../x .#one --generation").fails(1, &["cannot be the name"]);
    scratch.larder("build .#one .#two --profile web").fails(2, &["one path"]);
    let json = scratch.larder("roots generations web --json").ok().json("generations");
    let current: Vec<_> =
        json["generations"].as_array().unwrap().iter().map(|one| &one["generation"]["current"]).collect();
    assert_eq!(current, [true, false]);
    scratch.larder("gc").ok();
    assert!(scratch.physical(&one).exists() && scratch.physical(&two).exists(), "old generations are kept");
    scratch.larder("gc --delete-older-than 1h").ok();
    assert_eq!(scratch.larder("roots generations").ok().lines().len(), 2, "they are young");
    let plan = scratch.larder("gc --keep-generations 0 --dry-run").ok();
    assert!(
        plan.stdout.contains("would delete the generation web-2-link") && plan.stdout.contains(&two),
        "{}",
        plan.stdout
    );
    assert_eq!(scratch.larder("roots generations").ok().lines().len(), 2, "a dry run changes nothing");
    let ran = scratch.larder("gc --keep-generations 0").ok();
    assert_eq!(ran.stdout, plan.stdout.replace("would delete", "deleted").replace("would be freed", "freed"));
    assert!(scratch.physical(&one).exists() && !scratch.physical(&two).exists());
    scratch.larder("roots add web .#one --generation").ok();
    scratch.larder("roots remove web --all-generations").ok();
    scratch.larder("gc").ok();
    assert!(!scratch.physical(&one).exists());
    assert_eq!(scratch.entries("profiles"), [""; 0]);
}

#[test]
fn roots_tell_what_they_hold() {
    let (scratch, [kept, dead]) = built();
    scratch.larder_with(&["roots", "add", "mine", &dead]).ok();
    let json = scratch.larder("roots --json").ok().json("roots");
    let root = |path: &str| json["roots"].as_array().unwrap().iter().find(|root| root["path"] == path).unwrap().clone();
    assert_eq!(root(&kept)["link"], scratch.path("result").to_str().unwrap());
    let alone = root(&dead)["alone_bytes"].as_u64().unwrap();
    assert!(alone > 0 && root(&dead)["bytes"].as_u64().unwrap() >= alone);
    scratch.larder("roots remove mine").ok();
    let freed = scratch.larder("gc --json").ok().json("gc");
    assert_eq!(freed["freed"].as_u64(), Some(alone));
    // Not by its name, but by its place; the link itself stays.
    scratch.larder("roots remove ./result").ok();
    scratch.larder("roots remove ./result").fails(1, &["result"]);
    assert!(scratch.path("result").symlink_metadata().is_ok());
    assert_eq!(scratch.larder("roots --no-sizes").ok().stdout, "");
}

#[test]
fn running_processes_are_named() {
    let marker = format!("larder-test-lease-{}", std::process::id());
    let scratch = Scratch::new(&format!(
        r#"rec {{
          first = mini "first" "write $out first" {{ }};
          endless = mini "endless" "x" {{ args = [ "copy ${{first}} /build/copy\nsay started\nsleep 600" "{marker}" ]; }};
        }}"#
    ));
    let first = scratch.line("build .#first --no-link");
    let mut child =
        scratch.command(["build", ".#endless"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    wait_until("the build runs", || processes_with(&marker) == 1);
    let stays = scratch.larder_with(&["gc", "--explain", &first]).ok().stdout;
    assert!(stays.contains(&format!("process {} (", child.id())) && stays.contains("build .#endless"), "{stays}");
    let json = scratch.larder("roots list --leases --json").ok().json("roots");
    let lease = json["leases"].as_array().unwrap().iter().find(|lease| lease["process"] == child.id()).unwrap();
    assert!(lease["paths"].as_array().unwrap().contains(&first.as_str().into()), "{lease}");
    assert!(scratch.larder("gc").ok().stdout.contains("0 paths"), "it is held");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the build is gone", || processes_with(&marker) == 0);
    assert!(scratch.larder_with(&["gc", "--explain", &first]).ok().stdout.contains("goes"));
    scratch.larder("gc").ok();
    assert!(!scratch.physical(&first).exists());
    scratch.assert_sound();
}

/// Whenever it is interrupted, nothing is wrong, and the next collection does the rest.
#[test]
fn an_interrupted_collection_is_finished_by_the_next() {
    let scratch = Scratch::new("{ }");
    for number in 0..40 {
        std::fs::create_dir_all(scratch.path(&format!("many/{number}"))).unwrap();
        (0..50).for_each(|file| scratch.write(&format!("many/{number}/{file}"), format!("{number} {file}")));
    }
    let mut interrupted = 0;
    for milliseconds in [20, 35, 50, 80, 120] {
        let path = scratch.line("add many");
        let larder = scratch.command(["gc"]);
        let mut command = std::process::Command::new("env");
        command.arg("--default-signal=INT").arg(larder.get_program()).args(larder.get_args());
        like(&mut command, &larder);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let ran = Ran::from(child.wait_with_output().unwrap());
        if ran.code == Some(130) {
            interrupted += 1;
            ran.fails(130, &["interrupted", "goes on"]);
        }
        scratch.assert_sound();
        scratch.larder("gc").ok();
        assert!(!scratch.physical(&path).exists());
        assert_eq!((scratch.entries("trash"), scratch.entries("tmp")), (vec![], vec![]));
        let objects = |directory: String| scratch.entries(&format!("objects/{directory}"));
        assert_eq!(scratch.entries("objects").into_iter().flat_map(objects).count(), 0);
    }
    say(interrupted);
}

/// Says how often the moment was right, for those who run it with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the test harness decides who sees it")]
fn say(interrupted: usize) {
    println!("interrupted {interrupted} times");
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
    scratch.larder("gc --max-size 100%").ok();
    scratch.larder("gc --min-free 0").ok();
    scratch.larder("gc --max-freed 0").ok();
    assert!(scratch.physical(&dead).exists(), "the store is small enough, and enough is free");
    scratch.larder("gc --max-size 101%").fails(2, &["101"]);
    let spared = scratch.larder("gc --dry-run --json --max-size 100G").ok().json("gc");
    assert!(spared["spared"].as_array().unwrap().iter().any(|sum| sum["why"] == "enough"), "{spared}");
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

#[test]
fn objects_that_only_refused_outputs_had_are_collected() {
    let scratch = Scratch::new(
        r##"{ script = mini "script" "mkdir $out\nwrite $out/run #!/opt/interpreter\nexecutable $out/run" { }; }"##,
    );
    let objects = || {
        let directories = scratch.entries("objects");
        directories.iter().map(|name| scratch.entries(&format!("objects/{name}")).len()).sum::<usize>()
    };
    // The same file, for whose object that of the output is exchanged.
    scratch.write("run", "#!/opt/interpreter\n");
    std::fs::set_permissions(scratch.path("run"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let refuse = |options: &str| {
        scratch.larder("add run").ok();
        scratch.larder(&format!("build .#script {options}")).fails(1, &["/run needs the interpreter"]);
        scratch.larder("gc").ok();
        assert_eq!((objects(), scratch.entries("store").len()), (2, 1), "the output that is kept has it");
    };
    refuse("");
    // It is verified again, and let go.
    scratch.larder("build .#script --discard-failed").fails(1, &["/run needs the interpreter"]);
    scratch.larder("gc").ok();
    assert_eq!(objects(), 1, "that of the seed");

    refuse("--rebuild");
    let kept = scratch.entries("tmp").into_iter().find(|name| name.starts_with("refused-")).expect("kept");
    std::fs::write(scratch.home().join("tmp").join(kept).join("made"), "damaged").unwrap();
    scratch.larder("build .#script --discard-failed").fails(1, &["/run needs the interpreter"]);
    scratch.larder("gc").ok();
    assert_eq!(objects(), 1, "that of the seed");
    assert_eq!(scratch.entries("trash"), [""; 0]);
}
