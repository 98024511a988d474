//! Fetching from a server on this machine: right and wrong content, and what is done with it.

use crate::harness::Scratch;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server that answers every request for `/file` with `body` and every other one with 404. Returns its address and how
/// often `/file` was asked for.
fn serve(body: &'static [u8]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head: Vec<String> =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let found = head.first().is_some_and(|line| line.starts_with("GET /file "));
            let (status, body) = if found { ("200 OK", body) } else { ("404 Not Found", &b""[..]) };
            count.fetch_add(usize::from(found), Ordering::SeqCst);
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(body);
        }
    });
    (address, asked)
}

fn fetching(urls: &str, sha256: &str) -> Scratch {
    Scratch::new(&format!(
        r#"rec {{
      file = derivation {{ name = "file"; inherit system; builder = "builtin:fetch"; urls = "{urls}";
        outputHash = "sha256:{sha256}"; outputHashMode = "flat"; }};
      user = mini "user" "copy ${{file}} $out" {{ }};
    }}"#
    ))
}

/// What `printf fetched | sha256sum` prints.
const SUM: &str = "0c7fcf412c36e9e1cfc3cca37cec9afedcfca86e1943f6827c36e88dfda41642";

#[test]
fn a_file_is_fetched_once() {
    let (address, asked) = serve(b"fetched");
    let scratch = fetching(&format!("http://{address}/missing http://{address}/file"), SUM);
    let ran = scratch.larder("build .#user").ok();
    assert_eq!(ran.done(), ["built user", "fetched file"]);
    assert_eq!(std::fs::read(scratch.path("result")).unwrap(), b"fetched");
    scratch.larder("build .#user").ok();
    // Another list of places is another action, but what depends on the file sees the same content.
    let other = scratch.path("default.nix");
    let text = std::fs::read_to_string(&other).unwrap().replace("/missing", "/elsewhere");
    std::fs::write(&other, text).unwrap();
    assert_eq!(scratch.larder("build .#user").ok().done(), ["fetched file"]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn wrong_content_is_named_and_not_kept() {
    let (address, _) = serve(b"something else");
    let zeros = "0".repeat(64);
    let scratch = fetching(&format!("http://{address}/file"), &zeros);
    // What `printf 'something else' | sha256sum` prints.
    let got = "f41f3fa625ff120ddca7ef456bf66371ecea23c129f4e4c32367101edb516cf8";
    let ran = scratch
        .larder("build .#user")
        .fails(1, &[&zeros, got, &format!("http://{address}/file"), "1 more was not tried"]);
    assert_eq!(ran.stdout, "");
    assert!(scratch.entries("store").iter().all(|name| name.ends_with("-seed")), "{:?}", scratch.entries("store"));
    assert_eq!(scratch.entries("tmp"), [""; 0]);
    scratch.assert_sound();
}

#[test]
fn what_no_place_has_is_told_of_every_place() {
    let (address, _) = serve(b"");
    let scratch = fetching(&format!("http://{address}/a http://{address}/b mirror://nowhere/c ftp://{address}/d"), SUM);
    let words =
        [format!("{address}/a"), format!("{address}/b"), "404".to_owned(), "nowhere".to_owned(), "ftp".to_owned()];
    scratch.larder("build .#file").fails(1, &words.each_ref().map(String::as_str));
    // Where the hash is that of a tree, none of the content itself is known.
    for more in ["executable = true", "unpack = true"] {
        let expression = format!(
            "derivation {{ name = \"x\"; system = \"any\"; builder = \"builtin:fetch\"; urls = \"http://{address}/a\";
               outputHash = \"sha256:{SUM}\"; outputHashMode = \"nar\"; {more}; }}"
        );
        let text = format!("builtins.readFile ({expression})");
        scratch.larder_with(&["eval", "-E", &text]).fails(3, &["cannot fetch the content:", "404"]);
    }
}

#[test]
fn mirrors_are_configured_by_name_and_by_content() {
    let (address, asked) = serve(b"fetched");
    let scratch = fetching("mirror://mine/file", SUM);
    let mut command = scratch.command(["build", ".#file"]);
    crate::harness::Ran::of(command.env("LARDER_MIRRORS", format!("mine=http://{address}"))).ok();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let scratch = fetching("mirror://absent/file", SUM);
    std::fs::create_dir_all(scratch.path("by-hash/sha256")).unwrap();
    std::fs::write(scratch.path("by-hash/sha256").join(SUM), "fetched").unwrap();
    let mirror = format!("hash=file://{}/{{algorithm}}/{{hash}}", scratch.path("by-hash").display());
    crate::harness::Ran::of(scratch.command(["build", ".#file"]).env("LARDER_MIRRORS", mirror)).ok();
}

/// An archive of a directory with a file, a program and a link.
fn archive() -> &'static [u8] {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source-1.0");
    std::fs::create_dir_all(source.join("sub")).unwrap();
    for (name, content, mode) in [("a", "hello\n", 0o644), ("run", "#!/bin/sh\n", 0o755)] {
        std::fs::write(source.join(name), content).unwrap();
        std::fs::set_permissions(source.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::symlink("../a", source.join("sub/link")).unwrap();
    pack(directory.path(), &["source-1.0"])
}

/// A tar archive of what lies in a directory.
fn pack(directory: &std::path::Path, names: &[&str]) -> &'static [u8] {
    let mut tar = std::process::Command::new("tar");
    let packed = tar.arg("-C").arg(directory).args(["-czf", "-"]).args(names).output().unwrap();
    assert!(packed.status.success());
    Vec::leak(packed.stdout)
}

/// What `nix-hash --type sha256 --base32` prints for that directory.
const TREE: &str = "13q3gp2gnmxac5gqy4g3b88sf33f8nd0r48zhl0jdqc4q8rdc7lx";

#[test]
fn the_hash_of_a_tarball_is_that_of_the_tree_in_it() {
    let (address, asked) = serve(archive());
    let fetch =
        |hash: &str| format!("builtins.fetchTarball {{ url = \"http://{address}/file\"; sha256 = \"{hash}\"; }}");
    let scratch = Scratch::new("{ }");
    let read = format!("let t = {}; in [ (builtins.readFile \"${{t}}/sub/link\") (builtins.readDir t) ]", fetch(TREE));
    let ran = scratch.larder_with(&["eval", "--strict", "-E", &read]).ok();
    assert_eq!(ran.stdout, "[ \"hello\\n\" { a = \"regular\"; run = \"regular\"; sub = \"directory\"; } ]\n");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // Nothing is fetched that nobody reads.
    let name = format!("builtins.substring 0 14 ({})", fetch(TREE));
    assert_eq!(scratch.larder_with(&["eval", "-E", &name]).ok().stdout, "\"/larder/store/\"\n");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let wrong = fetch(&TREE.replace('0', "1"));
    let expression = format!("builtins.readDir ({wrong})");
    scratch.larder_with(&["eval", "-E", &expression]).fails(3, &["the content has another hash"]);
}

#[test]
fn where_only_the_tree_has_a_hash_the_next_place_is_tried_too() {
    let (page, _) = serve(b"<html>please pay for the network</html>");
    let (other, _) = serve(pack(std::path::Path::new("/etc"), &["hostname"]));
    let (good, asked) = serve(archive());
    let urls = [page, other, good].map(|address| format!("http://{address}/file")).join(" ");
    let scratch = Scratch::new(&format!(
        r#"{{
          tree = derivation {{ name = "tree"; inherit system; builder = "builtin:fetch"; unpack = true; urls = "{urls}";
            outputHash = "sha256:{TREE}"; outputHashMode = "nar"; }};
        }}"#
    ));
    let path = scratch.line("build .#tree");
    assert_eq!(scratch.larder_with(&["cat", &path, "a"]).ok().stdout, "hello\n");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// Only a directory that all the rest lies in is left out. The hashes are what `nix-hash --type sha256 --base32` prints
/// of what `fetchTarball` of Nix 2.34 gives for the same archives.
#[test]
fn a_tarball_loses_its_top_directory_if_that_is_all() {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [("a", "hello\n"), ("sub/b", "in\n"), ("two/c", "in2\n")] {
        let file = directory.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    let scratch = Scratch::new("{ }");
    for (packed, hash, expected) in [
        (&["."][..], "0yp3gf1d12p2dnr0fp6n1q2a8q31z8kn1m7rvazxl1c3qvk5pivd", r#"[ "a" "sub" "two" ]"#),
        (&["a", "sub"], "0jwxvbxnjm5pz9rscvx0phimjb6ass5lj7k308ry6mmizcwkndb5", r#"[ "a" "sub" ]"#),
        (&["sub", "two"], "1lwsh99mbs7lja3nn3lr6zii7fsapa2cxm9x4jq13gcbrfdk16jb", r#"[ "sub" "two" ]"#),
        (&["a"], "18l2zj8v9v7ywhnxhbvn50dldj0h6nzfi1nii2xd79nkj6ivx2cm", r#"[ "a" ]"#),
        (&["sub"], "09zfn7vnd87ax19ckk1dsk6n34sf9dc43p7v33hmggnknxs2f8a9", r#"[ "b" ]"#),
    ] {
        let (address, _) = serve(pack(directory.path(), packed));
        let fetch = format!("fetchTarball {{ url = \"http://{address}/file\"; sha256 = \"{hash}\"; }}");
        let names = format!("builtins.attrNames (builtins.readDir ({fetch}))");
        assert_eq!(scratch.larder_with(&["eval", "--strict", "-E", &names]).ok().line(), expected, "{packed:?}");
    }
}

#[test]
fn fetchurl_of_nix_fetches() {
    let (address, _) = serve(b"fetched");
    let scratch = Scratch::new("{ }");
    // By `printf fetched | sha256sum`, and `nix-hash --type sha256 --base32` of an executable file with that.
    for (more, expected) in [
        (format!("sha256 = \"{SUM}\";"), "[ \"fetched\" \"regular\" ]\n"),
        (
            "sha256 = \"02pbxk6nzw1mbcykvhkyaz7f41q4m3yv3n60qnhig9gdk7ydqgx2\"; executable = true;".to_owned(),
            "[ \"fetched\" \"regular\" ]\n",
        ),
    ] {
        let expression = format!(
            "let f = import <nix/fetchurl.nix> {{ url = \"http://{address}/file\"; {more} }}; in [ (builtins.readFile f) (builtins.readFileType f) ]"
        );
        assert_eq!(scratch.larder_with(&["eval", "--strict", "-E", &expression]).ok().stdout, expected);
    }
    // Nix restores a NAR there: to take the content for anything else would be wrong.
    let expression =
        format!("import <nix/fetchurl.nix> {{ url = \"http://{address}/file\"; unpack = true; sha256 = \"{TREE}\"; }}");
    scratch.larder_with(&["eval", "-E", &expression]).fails(3, &["cannot `unpack`", "`builtins.fetchTarball`"]);
}
