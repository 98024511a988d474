//! Fetching from a server on this machine: right and wrong content, and what is done with it.

use crate::harness::Scratch;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
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
