//! What commands print as JSON is what `docs/json.md` says: every key of its examples occurs in real output, and no other one does.

use crate::harness::{Ran, Scratch, wait_until};
use crate::test_queries::lost_letter;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

const RECIPES: &str = r#"rec {
  base = mini "base-1" "mkdir $out\nwrite $out/file base\nwrite $out/more FLAGS" { flags = "FLAGS"; };
  other = mini "other-1" "write $out NUMBER" { };
  middle = mini "middle-1" "mkdir $out\nwrite $out/where ${base}\nlink where $out/link" { src = ./source; };
  top = mini "top-1" "mkdir $out\nwrite $out/number NUMBER\nwrite $out/other ${other}" { runtime = [ middle RUNTIME ]; };
  bad = mini "bad" "say trying\nexit 3" { };
  looks = mini "looks" "copy /more $out" { root = [ seed middle ]; };
  leaky = mini "leaky" "mkdir $out\nwrite $out/f made in /build/x/y.c by cc" { };
  slow = mini "slow" "say ${base}\nsleep 60" { };
  host = mini "host" "copy /proc/sys/kernel/hostname $out" { };
  fetched = derivation { name = "fetched"; inherit system; builder = "builtin:fetch"; urls = "https://a.example/one";
    outputHash = "sha256:2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"; outputHashMode = "flat"; };
}"#;

/// Where an example shows one of many forms, which are defined elsewhere.
const OPEN: &[&str] = &["differences[]", "causes[].files[]", "reports[].differences[]"];

fn recipes(flags: &str, number: &str, runtime: &str) -> String {
    RECIPES.replace("FLAGS", flags).replace("NUMBER", number).replace("RUNTIME", runtime)
}

/// The keys of all objects in a value, each with the way to it.
fn keys(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    if OPEN.contains(&at) {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                found.insert(at.clone());
                keys(value, &at, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, &format!("{at}[]"), found)),
        _ => {}
    }
}

/// The keys of the document's examples by schema.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(Path::new(REPOSITORY).join("docs/json.md")).unwrap();
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut documented: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for block in blocks {
        let value: Value = serde_json::from_str(block).unwrap_or_else(|error| panic!("{error} in:\n{block}"));
        keys(&value, "", documented.entry(value["schema"].as_str().unwrap().to_owned()).or_default());
    }
    documented
}

/// Runs commands whose output the examples must be like, and gathers the keys by schema.
struct Seen {
    scratch: Scratch,
    keys: BTreeMap<String, BTreeSet<String>>,
}

impl Seen {
    fn take(&mut self, words: &str) {
        let ran = self.scratch.larder(words);
        self.note(&ran, words);
    }

    fn note(&mut self, ran: &Ran, words: &str) {
        let value: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{words}: {error}: {} {}", ran.stdout, ran.stderr));
        let schema = value["schema"].as_str().unwrap().to_owned();
        keys(&value, "", self.keys.entry(schema).or_default());
    }
}

fn seen() -> BTreeMap<String, BTreeSet<String>> {
    let scratch = Scratch::new(&recipes("old", "1", ""));
    std::fs::create_dir(scratch.path("source")).unwrap();
    scratch.write("source/f", "one\n");
    let mut seen = Seen { scratch, keys: BTreeMap::new() };
    take_builds(&mut seen);
    take_bundle(&mut seen);
    take_questions(&mut seen);
    take_roots(&mut seen);
    take_running(&mut seen);
    let old = seen.scratch.line("instantiate .#top");
    take_rebuilds(&mut seen, &old);
    take_damage(&mut seen, &old);
    seen.keys
}

fn take_builds(seen: &mut Seen) {
    seen.take("build .#top --dry-run --json");
    seen.take("build .#top --json");
    seen.take("instantiate .#top --json");
    seen.take("build .#top --dry-run --json");
    seen.take("log .#top --json");
    seen.scratch.larder("build .#bad").fails(1, &["trying"]);
    seen.take("log .#bad --json");
    seen.scratch.larder("build --trace-inputs .#looks").fails(1, &["looks"]);
    seen.take("lint .#looks --json");
    seen.take("repro .#host --axes host-name --bisect --json");
}

/// The only file is found by its hash, in a directory.
fn take_bundle(seen: &mut Seen) {
    std::fs::create_dir_all(seen.scratch.path("mirror/sha256")).unwrap();
    seen.scratch.write("mirror/sha256/2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806", "one\n");
    let mirror = format!("hash=file://{}/{{algorithm}}/{{hash}}", seen.scratch.path("mirror").display());
    let mut command = seen.scratch.command(["bundle", "sources", ".#fetched", "-o", "bundle", "--json"]);
    let ran = Ran::of(command.env("LARDER_MIRRORS", mirror));
    seen.note(&ran, "bundle sources");
}

fn take_questions(seen: &mut Seen) {
    for question in ["references", "roots", "size --recursive", "tree", "graph --derivations"] {
        seen.take(&format!("query {question} .#top --json"));
    }
    seen.scratch.larder("build .#leaky --no-link").ok();
    seen.take("query leaks .#leaky --json");
    seen.take("why .#top .#base --json");
    seen.take("why --build .#top .#middle --json");
    seen.take("why --build .#top .#other --json");
    seen.take("ls -R .#middle --json");
    seen.take("lint --json default.nix");
    seen.take("fmt --check --json default.nix");
}

fn take_roots(seen: &mut Seen) {
    let added = seen.scratch.line("add default.nix");
    seen.take("gc --dry-run --json");
    seen.take("gc --dry-run --unused-for 1h --json");
    seen.take(&format!("gc --explain {added} --unused-for 1h --json"));
    seen.take("roots add web .#base --generation --json");
    seen.take("roots generations web --json");
}

/// A process that builds is listed, and holds what it needs.
fn take_running(seen: &mut Seen) {
    let mut larder = seen.scratch.command(["build", ".#slow", "--no-link"]);
    let mut larder = larder.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the build runs", || {
        seen.scratch.larder("ps --json").ok().json("ps")["builds"][0]["processes"][0].is_object()
    });
    seen.take("ps --json");
    seen.take("roots --leases --json");
    seen.take("gc --explain .#base --json");
    larder.kill().unwrap();
    larder.wait().unwrap();
}

fn take_rebuilds(seen: &mut Seen, old: &str) {
    // A changed variable that changes nothing, a changed script, a changed source, and a new input.
    seen.scratch.recipes(&recipes("new", "222", "other"));
    seen.scratch.write("source/f", "two\n");
    seen.take(&format!("why-rebuild .#top {old} --json"));
    seen.scratch.recipes(&recipes("old", "1", "").replace("src = ./source;", "src = ./source; nothing = 1;"));
    seen.scratch.larder("build --no-link .#top").ok();
    seen.take(&format!("why-rebuild .#top {old} --json"));
    seen.scratch.recipes(&recipes("new", "222", "other"));
    let output = seen.scratch.line(&format!("query outputs {old}"));
    seen.take(&format!("diff {output} .#top --json"));
    seen.take(&format!("diff --closure {output} .#top --json"));
}

fn take_damage(seen: &mut Seen, old: &str) {
    let output = seen.scratch.line(&format!("query outputs {old}"));
    let file = seen.scratch.physical(&output).join("number");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&file, "9\n").unwrap();
    seen.take("verify --contents --json");
    let (other, ..) = lost_letter();
    let words = "verify --repair --json";
    seen.note(&other.larder(words), words);
}

/// The words of a line of results are the values of the document.
#[test]
fn what_is_instantiated_and_realised_is_told_as_json_too() {
    let scratch = Scratch::new(r#"{ two = mini "two" "write $out a\nwrite $dev b" { outputs = [ "out" "dev" ]; }; }"#);
    let told = scratch.larder("instantiate .#two.dev --json").ok().json("instantiate");
    let derivation = scratch.line("instantiate .#two");
    assert_eq!(told["paths"], json!([{ "path": derivation, "output": "dev" }]));
    let told = scratch.larder(&format!("instantiate {derivation} --json")).ok().json("instantiate");
    assert_eq!(told["paths"], json!([{ "path": derivation, "output": null }]));
    let realised = scratch.larder(&format!("realise {derivation} --json")).ok().json("build");
    let paths = scratch.larder(&format!("realise {derivation}")).ok();
    let [dev, out] = paths.lines()[..] else { panic!("{paths:?}") };
    assert_eq!(realised["outputs"], json!([{ "output": "dev", "path": dev }, { "output": "out", "path": out }]));
    let realised = scratch.larder(&format!("realise {out} --json")).ok().json("build");
    assert_eq!(realised["outputs"], json!([{ "output": null, "path": out }]));
}

#[test]
fn examples_have_the_keys_of_real_output() {
    let seen = seen();
    let documented = documented();
    let names = |schemas: &BTreeMap<String, _>| schemas.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&documented), names(&seen), "examples and what was tried");
    let mut wrong = Vec::new();
    for (schema, told) in &documented {
        let difference: Vec<_> = told.symmetric_difference(&seen[schema]).collect();
        wrong.extend((!difference.is_empty()).then(|| format!("{schema}: {difference:?}")));
    }
    assert_eq!(wrong, [""; 0], "keys that only the example or only the output has");
}

/// `testdata/json/keys.txt` has a line for every key that a version of a schema was ever documented with. Who takes one away makes another
/// version; then the lines of the old one go.
#[test]
fn no_key_goes_without_another_version() {
    let pinned = std::fs::read_to_string(Path::new(REPOSITORY).join("testdata/json/keys.txt")).unwrap();
    let pinned: BTreeSet<_> = pinned.lines().map(str::to_owned).collect();
    let line = |(schema, keys): (String, BTreeSet<String>)| keys.into_iter().map(move |key| format!("{schema} {key}"));
    let documented: BTreeSet<_> = documented().into_iter().flat_map(line).collect();
    let gone: Vec<_> = pinned.difference(&documented).collect();
    assert!(gone.is_empty(), "these keys are gone, which takes another version of their schema: {gone:#?}");
    let new: Vec<_> = documented.difference(&pinned).map(String::as_str).collect();
    assert!(new.is_empty(), "these keys are to be added to testdata/json/keys.txt:\n{}", new.join("\n"));
}

/// No schema is printed that the document does not have.
#[test]
fn every_schema_is_documented() {
    let documented = documented();
    let mut pending = vec![Path::new(REPOSITORY).join("src")];
    let mut found = 0;
    while let Some(place) = pending.pop() {
        if place.is_dir() {
            pending.extend(std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&place).unwrap();
        for call in text.split("output::json(").skip(1) {
            let Some(name) = call.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            found += 1;
            assert!(documented.contains_key(&format!("larder/{name}")), "{}: {name}", place.display());
        }
    }
    assert!(found > 15, "the calls are found");
}
