//! Exit codes follow one rule: 0 done, 1 a build or check failed, 2 the command line is wrong or names a file that is not there, 3 an
//! evaluation error.

use crate::harness::Scratch;

/// Every command that can be given the name of a file or an installable.
const NAMING: &[&str] = &[
    "add nope",
    "build nope",
    "build nope#a",
    "bundle sources nope -o out",
    "bundle sources nope#a -o out",
    "cat nope",
    "cat nope file",
    "debug nope",
    "diff nope default.nix",
    "diff default.nix nope",
    "diff --closure nope nope",
    "eval nope",
    "eval nope#a",
    "eval --file nope",
    "export nope out",
    "fmt nope",
    "fmt --check default.nix nope",
    "gc --explain nope",
    "instantiate nope",
    "lint nope",
    "lint --sources nope",
    "lint nope#a",
    "log nope",
    "ls nope",
    "parse nope",
    "query references nope",
    "query closure nope",
    "query size nope",
    "query tree nope#a",
    "realise nope",
    "repro nope",
    "roots add name nope",
    "run nope",
    "shell nope",
    "show nope",
    "verify nope",
    "why nope nope",
    "why-rebuild nope",
];

#[test]
fn a_file_that_is_not_there_is_code_2_and_said_so_everywhere() {
    let scratch = Scratch::new("{ }");
    scratch.larder("add default.nix --name a").ok();
    let mut wrong = Vec::new();
    // A word of eight letters could be the beginning of a digest.
    for word in ["nope", "packages", &"packages".repeat(6)] {
        for line in NAMING.iter().map(|line| line.replace("nope", word)) {
            let ran = scratch.larder(&line);
            if ran.code != Some(2) || !ran.stderr.contains(&format!("{word} does not exist")) || !ran.stdout.is_empty()
            {
                wrong.push(format!("{line}: {:?}\n{}{}", ran.code, ran.stdout, ran.stderr));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_would_lie_below_a_file_is_not_there() {
    let scratch = Scratch::new("{ }");
    for command in ["add", "build", "eval --file", "fmt", "lint", "parse"] {
        scratch.larder(&format!("{command} default.nix/x")).fails(2, &["default.nix/x does not exist"]);
    }
    scratch.larder("--store default.nix verify").fails(2, &["there is no store in "]);
}

/// Root may read everything, but a link that leads to itself says as little of where it leads.
#[test]
fn a_store_that_cannot_be_looked_for_is_not_said_to_be_missing() {
    let scratch = Scratch::new("{ }");
    std::os::unix::fs::symlink("loop", scratch.path("loop")).unwrap();
    for line in ["verify", "ps", "gc"] {
        let ran = scratch.larder(&format!("--store loop {line}")).fails(1, &["cannot read ", "loop/format"]);
        assert!(!ran.stderr.contains("there is no store"), "{}", ran.stderr);
    }
    scratch.larder("add default.nix --name a").ok();
    scratch.larder("verify --repair --from loop").fails(1, &["cannot read ", "loop/format"]);
}

/// A word that could be a digest may have been meant for a file, or the other way round.
#[test]
fn what_could_be_a_digest_is_looked_for_as_both() {
    let scratch = Scratch::new("{ }");
    for command in ["cat", "build", "query closure", "bundle sources -o out"] {
        let words = ["packages does not exist, and nothing in the store begins with `packages`", "PATH#ATTR"];
        scratch.larder(&format!("{command} packages")).fails(2, &words);
    }
}

#[test]
fn questions_make_no_store() {
    let scratch = Scratch::new("{ }");
    for line in [
        "query roots nope",
        "query references aaaaaaaa",
        "roots",
        "roots list --json",
        "roots remove x",
        "roots generations",
        "gc",
        "gc --dry-run",
        "verify",
        "verify --repair",
        "rebuild-index",
    ] {
        for place in ["new", "new/below"] {
            let ran = scratch.larder(&format!("--store {place} {line}")).fails(2, &["there is no store in ", place]);
            assert_eq!(ran.stdout, "", "{line}");
            assert!(!scratch.path("new").exists(), "{line} has made something");
        }
    }
    // One that is not there has no builds: the first one may have been started and not have made it yet.
    let ran = scratch.larder("--store new ps").ok();
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.starts_with("note: there is no store in ") && ran.stderr.ends_with("new\n"), "{}", ran.stderr);
    let listed = scratch.larder("--store new ps --json").ok().json("ps");
    assert_eq!(listed["builds"], serde_json::json!([]));
    assert!(!scratch.path("new").exists(), "ps has made something");
    // An empty directory is none either, and stays empty.
    std::fs::create_dir(scratch.path("new")).unwrap();
    scratch.larder("--store new verify").fails(2, &["there is no store in "]);
    assert_eq!(std::fs::read_dir(scratch.path("new")).unwrap().count(), 0);
    scratch.larder("--store new add default.nix --name a").ok();
    scratch.larder("--store new verify").ok();
}

#[test]
fn a_bundle_is_no_archive_of_another_kind() {
    let scratch = Scratch::new(r#"{ x = mini "x" "write $out x" { }; }"#);
    for output in ["x.zip", "x.tar.gz", "x.tgz"] {
        scratch.larder(&format!("bundle sources .#x -o {output}")).fails(2, &[output, "`.tar`"]);
        assert!(!scratch.path(output).exists());
    }
    scratch.larder("bundle sources .#x -o x.tar").ok();
    assert!(scratch.path("x.tar").is_file());
    scratch.larder("bundle sources .#x -o v1.2").ok();
    assert!(scratch.path("v1.2").is_dir());
}

/// Building the same thing again does not change since when it is held.
#[test]
fn roots_tell_since_when_they_hold_the_same() {
    let scratch = Scratch::new(r#"{ x = mini "x" "write $out x" { }; y = mini "y" "write $out y" { }; }"#);
    let x = scratch.line("build .#x");
    scratch.larder_with(&["roots", "add", "mine", &x]).ok();
    let age = |link: std::path::PathBuf| {
        let status = std::process::Command::new("touch").args(["-h", "-d", "@1000"]).arg(link).status().unwrap();
        assert!(status.success());
    };
    age(scratch.path("result"));
    age(scratch.home().join("roots/mine"));
    let since = || -> Vec<u64> {
        let json = scratch.larder("roots --json --no-sizes").ok().json("roots");
        json["roots"].as_array().unwrap().iter().map(|root| root["since"].as_u64().unwrap()).collect()
    };
    assert_eq!(since(), [1000, 1000]);
    scratch.larder("build .#x").ok();
    scratch.larder_with(&["roots", "add", "mine", &x]).ok();
    assert_eq!(since(), [1000, 1000]);
    let y = scratch.line("build .#y");
    scratch.larder_with(&["roots", "add", "mine", &y]).ok();
    assert!(since().iter().all(|since| *since > 1000));
}
