//! Asking the store, and getting things out of it.

use crate::harness::Scratch;
use std::os::unix::fs::PermissionsExt;

const RECIPES: &str = r#"rec {
  base = mini "base" "mkdir $out\nwrite $out/file base\nsay building base" { };
  middle = mini "middle" "mkdir $out\nwrite $out/where ${base}\nexecutable $out/where\nlink where $out/link" { };
  top = mini "top" "write $out nothing" { runtime = [ middle ]; };
}"#;

fn built() -> (Scratch, [String; 3]) {
    let scratch = Scratch::new(RECIPES);
    scratch.larder("build .#top").ok();
    let paths = ["base", "middle", "top"].map(|name| scratch.line(&format!("build --no-link .#{name}")));
    (scratch, paths)
}

#[test]
fn every_question_has_its_answer() {
    let (scratch, [base, middle, top]) = built();
    let ask = |question: &str, path: &str| {
        let ran = scratch.larder_with(&["query", question, path]).ok();
        let json = scratch.larder_with(&["query", question, path, "--json"]).ok();
        let json = json.json(if question == "roots" { "query-roots" } else { "query" });
        let listed = json[if question == "roots" { "roots" } else { "paths" }].as_array().unwrap();
        assert_eq!(listed.iter().map(|one| one.as_str().unwrap()).collect::<Vec<_>>(), ran.lines());
        ran.lines().iter().map(|&line| line.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ask("references", &middle), [base.as_str()]);
    assert_eq!(ask("references", &top), [middle.as_str()]);
    assert_eq!(ask("references", &base), [""; 0]);
    assert_eq!(ask("referrers", &base), [middle.as_str()]);
    assert_eq!(ask("referrers", &middle), [top.as_str()]);
    let mut closure = ask("closure", &top);
    closure.sort_unstable();
    let mut expected = [base.as_str(), &middle, &top];
    expected.sort_unstable();
    assert_eq!(closure, expected);
    assert_eq!(ask("deriver", &base), [scratch.line("instantiate .#base")]);
    assert_eq!(ask("outputs", ".#base"), [base.as_str()]);
    assert_eq!(ask("roots", &base), [scratch.path("result").display().to_string()]);
}

#[test]
fn why_shows_the_chain() {
    let (scratch, [base, middle, top]) = built();
    let why = scratch.larder("why .#top .#base").ok();
    let steps =
        [top.clone(), format!("  needs at run time, as declared: {middle}"), format!("    mentions, in where: {base}")];
    assert_eq!(why.lines(), steps);
    let json = scratch.larder("why .#top .#base --json").ok().json("why");
    assert_eq!(json["chain"], serde_json::json!([top, middle, base]));
    let place = &json["edges"][1]["reasons"][0]["places"][0];
    assert_eq!(
        (&place["path"], &place["offset"], &place["excerpt"]),
        (&"where".into(), &0.into(), &base.as_str().into())
    );
    scratch.larder("why .#base .#top").fails(1, &[&base, &top, "does not need"]);
}

#[test]
fn logs_and_files_can_be_read() {
    let (scratch, [base, middle, _]) = built();
    assert_eq!(scratch.larder("log .#base").ok().stdout, "building base\n");
    assert_eq!(scratch.larder_with(&["log", &base]).ok().stdout, "building base\n");
    assert_eq!(scratch.larder("log .#middle").ok().stdout, "");
    assert_eq!(scratch.larder("ls .#middle").ok().lines(), ["link -> where", "where"]);
    assert_eq!(scratch.larder("cat .#middle where").ok().stdout, format!("{base}\n"));
    assert_eq!(scratch.larder("cat .#middle /where").ok().stdout, format!("{base}\n"), "as a guest would say it");
    assert_eq!(scratch.larder_with(&["cat", &format!("{middle}/where")]).ok().stdout, format!("{base}\n"));
    scratch.larder("cat .#middle nothing").fails(1, &["nothing"]);
    assert_eq!(scratch.larder("cat .#middle link").ok().stdout, format!("{base}\n"), "links are followed");
    scratch.larder("cat .#middle").fails(1, &["directory", "larder ls"]);
}

#[test]
fn an_export_is_an_ordinary_copy() {
    let (scratch, [base, ..]) = built();
    assert_eq!(scratch.larder("export .#middle copy").ok().stdout, "");
    let mode = |name: &str| scratch.path(name).symlink_metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("copy") & 0o700, mode("copy/where")), (0o700, 0o755));
    assert_eq!(std::fs::read_to_string(scratch.path("copy/link")).unwrap(), format!("{base}\n"));
    std::fs::write(scratch.path("copy/where"), "changed").unwrap();
    scratch.assert_sound();
    scratch.larder("export .#middle copy").fails(2, &["copy", "exists already"]);
}

#[test]
fn files_of_the_user_can_be_added() {
    let (scratch, _) = built();
    scratch.write("note", "text");
    let path = scratch.line("add note");
    assert!(path.ends_with("-note"));
    assert_eq!(scratch.larder_with(&["cat", &path]).ok().stdout, "text");
    assert_ne!(scratch.line("add note --name other"), path);
    scratch.larder("add missing").fails(2, &["missing does not exist"]);
}

/// A damaged tree may have one to anywhere.
#[test]
fn a_link_in_the_place_of_a_directory_is_not_exported() {
    let scratch = Scratch::new("{ }");
    for (place, text) in [("tree/d", "inside"), ("outside", "not of the tree")] {
        std::fs::create_dir_all(scratch.path(place)).unwrap();
        std::fs::write(scratch.path(place).join("file"), text).unwrap();
    }
    let path = scratch.line("add tree");
    let tree = scratch.physical(&path);
    for place in [tree.clone(), tree.join("d")] {
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::rename(tree.join("d"), scratch.path("aside")).unwrap();
    std::os::unix::fs::symlink(scratch.path("outside"), tree.join("d")).unwrap();
    let ran = scratch.larder_with(&["export", &path, "copy"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(!scratch.path("copy/d/file").exists());
}

#[test]
fn the_index_can_be_lost() {
    let (scratch, paths) = built();
    for entry in scratch.entries(".").iter().filter(|name| name.starts_with("index.db")) {
        std::fs::remove_file(scratch.home().join(entry)).unwrap();
    }
    scratch.larder("rebuild-index").ok();
    scratch.assert_sound();
    assert_eq!(scratch.larder("build .#top").ok().stderr, "", "everything is known again");
    assert_eq!(scratch.line("query deriver .#base"), scratch.line("instantiate .#base"));
    assert_eq!(scratch.larder_with(&["query", "referrers", &paths[1]]).ok().line(), paths[2]);
}

#[test]
fn a_changed_file_is_found_put_aside_and_restored() {
    let (scratch, [base, middle, top]) = built();
    let file = scratch.physical(&base).join("file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&file, "bose\n").unwrap();
    let json = scratch.larder("verify --contents --json");
    assert_eq!(json.code, Some(1));
    let report = json.json("verify");
    let problems = report["problems"].as_array().unwrap();
    let content = problems.iter().find(|problem| problem["what"] == "has other content" && problem["kind"] == "tree");
    assert_eq!(content.unwrap()["inside"], "file");
    assert_eq!(content.unwrap()["path"], base.as_str());
    assert_eq!(report["quarantined"], serde_json::json!([base]));
    let ran = scratch.larder_with(&["cat", &base, "file"]);
    assert_eq!(ran.code, Some(1), "it is not handed out: {}", ran.stdout);
    let ran = scratch.larder("verify");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains(&format!("{base} failed verification before")), "{}", ran.stdout);
    // Its object was the same file, so that it has to be built again.
    let ran = scratch.larder("verify --repair").ok();
    assert!(ran.stdout.contains(&format!("restored {base}")), "{}", ran.stdout);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "base\n");
    scratch.assert_sound();
    assert_eq!(scratch.line("build .#top"), top);
    assert!(scratch.physical(&middle).exists());
}

/// What nobody can make again is said to be lost, and is taken from a store that has it.
#[test]
fn what_is_lost_comes_from_another_store() {
    let scratch = Scratch::new("{ }");
    std::fs::write(scratch.path("letter"), "dear friend").unwrap();
    let path = scratch.line("add letter");
    scratch.larder_with(&["--store", scratch.path("other").to_str().unwrap(), "add", "letter"]).ok();
    std::fs::set_permissions(scratch.physical(&path), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(scratch.physical(&path), "Dear friend").unwrap();
    let ran = scratch.larder("verify --repair");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains(&format!("cannot restore {path}: its content is nowhere")), "{}", ran.stdout);
    scratch.larder("verify --max-rate 0").fails(2, &["--max-rate", "it must be more than 0"]);
    let ran = scratch.larder("verify --repair --from nowhere");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    scratch.larder("verify --repair --from other").ok();
    assert_eq!(std::fs::read_to_string(scratch.physical(&path)).unwrap(), "dear friend");
    scratch.assert_sound();
}

/// A store with a letter of which nothing is left, and a damaged segment.
pub(crate) fn lost_letter() -> (Scratch, String, std::path::PathBuf) {
    let scratch = Scratch::new("{ }");
    std::fs::write(scratch.path("letter"), "dear friend").unwrap();
    std::fs::write(scratch.path("note"), "text").unwrap();
    let path = scratch.line("add letter");
    scratch.line("add note");
    let object = scratch.home().join("objects").join(object_of("dear friend"));
    for file in [scratch.physical(&path), object] {
        std::fs::remove_file(file).unwrap();
    }
    let segment = scratch.home().join("records").join(&scratch.entries("records")[0]);
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    (scratch, path, segment)
}

fn object_of(content: &str) -> String {
    let digest = store::BlobDigest::of(content.as_bytes()).to_string();
    format!("{}/{digest}", &digest[..2])
}

/// The index is made anew without what is lost; it is not all well for that.
#[test]
fn a_repair_that_lost_something_fails() {
    let (scratch, path, _) = lost_letter();
    let ran = scratch.larder("verify --repair");
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("cannot restore {path}")), "{}", ran.stdout);
    assert!(ran.stdout.contains("written anew, 1 lost"), "{}", ran.stdout);
    scratch.assert_sound();
}

/// What another process writes to is left to a later repair, and that is told.
#[test]
fn a_segment_that_is_written_to_is_told() {
    let (scratch, _, segment) = lost_letter();
    let writer = std::fs::File::open(&segment).unwrap();
    writer.lock().unwrap();
    let ran = scratch.larder("verify --repair --json");
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert_eq!(ran.json("verify")["busy"], serde_json::json!([segment]));
    drop(writer);
    let ran = scratch.larder("verify --repair --json");
    let report = ran.json("verify");
    assert_eq!(
        (&report["busy"], &report["segments"][0]["file"]),
        (&serde_json::json!([]), &serde_json::json!(segment))
    );
    scratch.assert_sound();
}

#[test]
fn what_is_named_to_be_verified_must_be_there() {
    let (scratch, [base, ..]) = built();
    scratch.larder(&format!("verify /larder/store/{}-nothing", "a".repeat(52))).fails(1, &["nothing in the store"]);
    assert!(scratch.larder_with(&["verify", &base]).ok().stderr.contains("1 path checked, 0 problems"));
    std::fs::set_permissions(scratch.physical(&base).join("file"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let ran = scratch.larder_with(&["verify", &base]);
    assert!(ran.stderr.contains("1 path checked, 2 problems\n1 path is in quarantine"), "{}", ran.stderr);
    let ran = scratch.larder_with(&["verify", base.strip_prefix("/larder/store/").unwrap()]);
    assert!(ran.stdout.contains("is in quarantine"), "{} {}", ran.stdout, ran.stderr);
    // One that is gone from the disk is known, too.
    scratch.larder_with(&["verify", &base, "--repair"]).ok();
    std::fs::set_permissions(scratch.physical(&base), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(scratch.physical(&base), scratch.path("away")).unwrap();
    let ran = scratch.larder_with(&["verify", &base]);
    assert!(ran.stdout.contains("is missing"), "{} {}", ran.stdout, ran.stderr);
}

#[test]
fn a_command_runs_in_the_closure() {
    let scratch = Scratch::new(
        r#"rec {
      tool = mini "tool" "mkdir $out\nmkdir $out/usr\nmkdir $out/usr/bin\ncopy /bin/mini $out/usr/bin/tool\nexecutable $out/usr/bin/tool" { };
      data = write "data" { "share/data" = { text = "found\n"; }; };
      both = mini "both" "mkdir $out\nwrite $out/mark x" { runtime = [ tool data ]; };
      plain = mini "plain" "write $out x" { };
      noted = mini "noted" "mkdir $out\nwrite $out/mark ${./default.nix}" { runtime = [ tool ]; };
    }"#,
    );
    let ran = scratch.larder_with(&["run", ".#noted", "--", "/usr/bin/tool", "say $HOME"]).ok();
    assert_eq!(ran.stdout, "/build\n", "a closure may have trees that are files");
    scratch.larder("run .#plain -- x").fails(1, &["-plain is not a directory"]);
    let ran = scratch.larder_with(&["run", ".#both", "--", "/usr/bin/tool", "cat /share/data\nsay $HOME"]).ok();
    assert_eq!(ran.stdout, "found\n/build\n");
    let ran = scratch.larder_with(&["run", ".#tool", "--", "tool", "exit 5"]);
    assert_eq!(ran.code, Some(5), "a name is looked for in PATH: {}", ran.stderr);
    assert_eq!(scratch.larder("run .#tool").ok().stdout, "", "the only program is what is run");
}
