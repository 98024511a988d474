//! Sources before they are needed: which cannot be had, and a bundle of them for building without a network.

use crate::harness::{Ran, Scratch};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;

/// What `printf 'one\n' | sha256sum` prints.
const ONE: &str = "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806";

/// A server that has `/one` and `/two`, says their sizes, and answers 404 to all else. It ends with the test.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head: Vec<String> =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
            let (status, body) = match path {
                "/one" => ("200 OK", "one\n"),
                "/two" => ("200 OK", "two\n"),
                _ => ("404 Not Found", ""),
            };
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(body.as_bytes());
        }
    });
    address
}

/// Recipes in which `both` needs two files that the server has, and `lost` one that it has not.
fn recipes(address: &str) -> String {
    format!(
        r#"let
      fetch = name: sha256: derivation {{ inherit name system; builder = "builtin:fetch"; urls = "http://{address}/${{name}}";
        outputHash = "sha256:${{sha256}}"; outputHashMode = "flat"; }};
      one = fetch "one" "{ONE}";
      two = fetch "two" (builtins.hashString "sha256" "two\n");
      lost = fetch "lost" (builtins.hashString "sha256" "lost");
    in {{
      both = mini "both" "copy ${{one}} $out" {{ inherit two; }};
      lost = mini "lost" "copy ${{lost}} $out" {{ inherit one; }};
    }}"#
    )
}

#[test]
fn a_bundle_is_all_that_a_build_fetches() {
    let scratch = Scratch::new(&recipes(&serve()));
    let ran = scratch.larder("bundle sources .#both -o bundle").ok();
    assert_eq!((ran.line().as_str(), ran.stderr.contains("2 files, 8 B")), ("bundle", true), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(scratch.path(&format!("bundle/sha256/{ONE}"))).unwrap(), "one\n");
    assert_eq!(std::fs::read_dir(scratch.path("bundle/sha256")).unwrap().count(), 2);

    // Elsewhere, where nothing answers any more.
    let offline = Scratch::new(&recipes("127.0.0.1:1"));
    let mirror = format!("hash=file://{}/{{algorithm}}/{{hash}}", scratch.path("bundle").display());
    let mut command = offline.command(["build", ".#both"]);
    Ran::of(command.env("LARDER_MIRRORS", mirror)).ok();
    assert_eq!(std::fs::read_to_string(offline.path("result")).unwrap(), "one\n");
}

#[test]
fn a_bundle_may_be_an_archive() {
    let scratch = Scratch::new(&recipes(&serve()));
    scratch.larder("bundle sources .#both -o one.tar").ok();
    let json = scratch.larder("bundle sources .#both --json -o two.tar").json("bundle");
    assert_eq!((json["files"].as_array().unwrap().len(), &json["bytes"]), (2, &8.into()));
    let [one, two] = ["one.tar", "two.tar"].map(|name| std::fs::read(scratch.path(name)).unwrap());
    assert_eq!(one, two, "the same files give the same archive");
    let listed = Command::new("tar").arg("-tf").arg(scratch.path("one.tar")).output().unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    assert!(names.contains(&format!("sha256/{ONE}\n")) && names.ends_with("sources.json\n"), "{names}");
}

#[test]
fn what_cannot_be_had_fails_the_bundle() {
    let scratch = Scratch::new(&recipes(&serve()));
    scratch.larder("bundle sources .#lost -o bundle").fails(1, &["lost", "404", "bundle has all others"]);
    let bundled = std::fs::read_dir(scratch.path("bundle/sha256")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(bundled.collect::<Vec<_>>(), [ONE], "what can be had is there all the same");
}

/// What was whole is not replaced by a part of something.
#[test]
fn a_bundle_that_fails_takes_nothing_from_the_one_before() {
    let scratch = Scratch::new(&recipes(&serve()));
    for output in ["bundle", "bundle.tar"] {
        scratch.larder(&format!("bundle sources .#both -o {output}")).ok();
    }
    let read = |name: &str| std::fs::read(scratch.path(name)).unwrap();
    let archive = read("bundle.tar");
    scratch.larder("bundle sources .#lost -o bundle.tar").fails(1, &["404", "bundle.tar is left as it was"]);
    assert!(read("bundle.tar") == archive);
    scratch.larder("bundle sources .#lost -o bundle").fails(1, &["bundle has all others"]);
    let list: serde_json::Value = serde_json::from_slice(&read("bundle/sources.json")).unwrap();
    let mut names: Vec<_> = list["files"].as_array().unwrap().iter().map(|file| file["name"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["one", "two"]);
    // What is no list of larder's is replaced.
    scratch.write("bundle/sources.json", "[]");
    scratch.larder("bundle sources .#lost -o bundle").fails(1, &["bundle has all others"]);
    let list: serde_json::Value = serde_json::from_slice(&read("bundle/sources.json")).unwrap();
    assert_eq!(list["schema"], "larder/sources/1");
    let left =
        std::fs::read_dir(scratch.path(".")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.ends_with('~')).count(), 0, "nothing is left beside them");
}

#[test]
fn sources_are_asked_for_before_a_build() {
    let address = serve();
    let scratch = Scratch::new(&recipes(&address));
    let ran = scratch.larder("lint --sources .#both").ok();
    assert!(ran.stdout.is_empty() && ran.stderr.contains(&format!("{address}  2 of 2 can be had\n")), "{}", ran.stderr);
    let ran = scratch.larder("lint --sources .#both .#lost").fails(1, &["1 finding in 4 sources", "3 of 4 can be had"]);
    assert!(ran.stdout.starts_with("error[R0026]: the source of lost cannot be had\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("404"), "{}", ran.stdout);
    assert!(scratch.entries("store").iter().all(|name| !name.ends_with("-one")), "nothing is fetched");
    scratch.larder("lint --sources -").fails(2, &["`--sources` needs"]);
}

#[test]
fn that_there_are_no_sources_is_said() {
    let scratch = Scratch::new(r#"{ x = mini "x" "write $out x" { }; }"#);
    std::fs::create_dir_all(scratch.path("tree/core/a")).unwrap();
    scratch.write("tree/core/a/package.yml", "name: a\nversion: \"1\"\ntier: core\n");
    for subject in ["tree", "tree/core/a", ".#x"] {
        let ran = scratch.larder(&format!("lint --sources {subject}")).ok();
        assert_eq!((&*ran.stdout, &*ran.stderr), ("", "there are no sources to ask for\n"), "{subject}");
    }
}

#[test]
fn sources_of_trees_are_asked_for() {
    let address = serve();
    let scratch = Scratch::new("{ }");
    std::fs::create_dir_all(scratch.path("tree/core/a")).unwrap();
    let source = |path: &str| format!("  - url: http://{address}/{path}\n    sha256: {ONE}\n");
    let text = format!("name: a\nversion: \"1\"\ntier: core\nsource:\n{}{}", source("one"), source("gone-${version}"));
    scratch.write("tree/core/a/package.yml", text);
    let ran = scratch.larder("lint --sources tree").fails(1, &["1 of 2 can be had"]);
    assert!(
        ran.stdout.contains(" --> tree/core/a/package.yml:7\n") && ran.stdout.contains("/gone-1"),
        "{}",
        ran.stdout
    );
    let json = scratch.larder("lint --sources --json tree").json("lint");
    assert_eq!((&json["findings"][0]["code"], &json["findings"][0]["start"]["line"]), (&"R0026".into(), &7.into()));

    // A hash is all that is needed of an artifact, and what has none cannot be asked for: neither is passed over in silence.
    for directory in ["unknown", "broken"] {
        std::fs::create_dir_all(scratch.path(&format!("more/core/{directory}"))).unwrap();
    }
    let head = "name: unknown\nversion: \"1\"\ntier: core\nsource:\n";
    let bare = format!("  - url: http://{address}/two\nbuild_artifacts:\n  - name: vendor.tar\n");
    let artifacts =
        format!("  - {{name: one, sha256: {ONE}, url: \"http://{address}/one\"}}\n  - {{name: lost, sha256: {ONE}}}\n");
    scratch.write("more/core/unknown/package.yml", format!("{head}{bare}{artifacts}"));
    scratch.write("more/core/broken/package.yml", "a: [\n");
    let ran = scratch.larder("lint --sources --json more");
    let json = ran.json("lint");
    let found = json["findings"].as_array().unwrap().iter();
    let found: Vec<_> = found.map(|at| (at["code"].as_str().unwrap(), at["start"]["line"].as_u64().unwrap())).collect();
    assert_eq!(found, [("R0001", 2), ("R0020", 5), ("R0024", 7), ("R0026", 9)]);
    scratch.larder("lint --sources more/core/broken").fails(1, &["1 finding in 0 sources"]);

    // A mirror by content will do as well.
    std::fs::create_dir(scratch.path("mirror")).unwrap();
    scratch.write(&format!("mirror/{ONE}"), "one\n");
    let mut command = scratch.command(["lint", "--sources", "tree"]);
    Ran::of(command.env("LARDER_MIRRORS", format!("hash=file://{}/{{hash}}", scratch.path("mirror").display()))).ok();
}
