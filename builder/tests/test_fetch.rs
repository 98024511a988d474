//! Fetching from servers that behave well, badly and with intent. Letters and numbers are those of the catalogue of
//! hostile cases.

use crate::http_server::{Answer, Server, ok, promising, redirect, response};
use crate::tls_server;
use builder::fetch::{
    Authorities, FetchClient, FetchError, FetchLimits, FetchRequest, FetchSettings, Fetched, Fetcher, Mirrors,
    Progress, ProxySettings, Reason,
};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use store::{FileHash, HashAlgorithm};

const CONTENT: &[u8] = b"0123456789abcdefghij";

/// A directory to fetch into.
struct Place {
    directory: tempfile::TempDir,
    /// For what a fetch is given, so that nothing but its own is left in `directory`.
    given: tempfile::TempDir,
    settings: FetchSettings,
    limits: FetchLimits,
}

impl Place {
    fn new() -> Self {
        let settings = FetchSettings { back_off: Duration::from_millis(1), attempts: 3, ..FetchSettings::default() };
        let second = Duration::from_secs(1);
        let limits = FetchLimits { bytes: 1000, connect: second, idle: second / 2, total: 10 * second };
        Self { directory: tempfile::tempdir().unwrap(), given: tempfile::tempdir().unwrap(), settings, limits }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("file")
    }

    /// A file with this certificate authority.
    fn believing(&self, certificate: &str) -> Authorities {
        let file = self.given.path().join("authorities.pem");
        std::fs::write(&file, certificate).unwrap();
        Authorities::File(file)
    }

    fn fetch(&self, urls: &[String]) -> Result<Fetched, FetchError> {
        self.fetch_hash(urls, FileHash::of(HashAlgorithm::Sha256, CONTENT))
    }

    fn fetch_hash(&self, urls: &[String], hash: FileHash) -> Result<Fetched, FetchError> {
        self.fetch_unless(&|| false, urls, hash)
    }

    fn fetch_unless(
        &self,
        cancelled: &dyn Fn() -> bool,
        urls: &[String],
        hash: FileHash,
    ) -> Result<Fetched, FetchError> {
        let request = FetchRequest { urls: urls.to_vec(), hash: Some(hash), limits: self.limits, keeping: None };
        let mut client = FetchClient { progress: &mut |_| {}, cancelled, accept: &mut |_| Ok(()) };
        Fetcher::new(self.settings.clone()).unwrap().fetch(&request, &self.file(), &mut client)
    }

    /// Fetches, expecting the content.
    fn fetched(&self, urls: &[String]) -> Fetched {
        let fetched = self.fetch(urls).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(fs::read(self.file()).unwrap(), CONTENT);
        assert_eq!(fetched.bytes, CONTENT.len() as u64);
        fetched
    }

    /// Fetches, expecting a failure that leaves nothing behind; its text and the last reason.
    fn refused(&self, urls: &[String]) -> (String, Reason) {
        let error = self.fetch(urls).expect_err("it was fetched");
        assert_eq!(fs::read_dir(self.directory.path()).unwrap().count(), 0, "something is left: {error}");
        let text = error.to_string();
        let FetchError::Failed { mut failures, .. } = error else { panic!("{text}") };
        (text, failures.pop().expect("at least one place").reason)
    }
}

#[test]
fn content_is_fetched_with_any_hash() {
    let server = Server::with(vec![ok(CONTENT, "")]);
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha512, HashAlgorithm::Blake3] {
        let place = Place::new();
        place.fetch_hash(&[server.url("/a")], FileHash::of(algorithm, CONTENT)).unwrap();
        assert_eq!(fs::read(place.file()).unwrap(), CONTENT);
    }
    assert!(server.requests()[0].contains("accept-encoding: identity"));
}

#[test]
fn progress_is_reported_up_to_the_total() {
    let server = Server::with(vec![ok(CONTENT, "")]);
    let place = Place::new();
    let request = FetchRequest {
        urls: vec![server.url_as("user:secret", "/a")],
        hash: Some(FileHash::of(HashAlgorithm::Sha256, CONTENT)),
        limits: place.limits,
        keeping: None,
    };
    let mut seen = Vec::new();
    let mut note = |progress: Progress<'_>| seen.push((progress.url.to_owned(), progress.bytes, progress.total));
    let mut client = FetchClient { progress: &mut note, cancelled: &|| false, accept: &mut |_| Ok(()) };
    Fetcher::new(place.settings.clone()).unwrap().fetch(&request, &place.file(), &mut client).unwrap();
    assert_eq!(seen.first(), Some(&(server.url("/a"), 0, Some(20))));
    assert_eq!(seen.last(), Some(&(server.url("/a"), 20, Some(20))));
}

#[test]
fn d2_a_wrong_hash_names_both_and_the_url_and_says_what_to_do() {
    let server = Server::with(vec![ok(b"other", "")]);
    let (text, reason) = Place::new().refused(&[server.url("/a")]);
    let got = FileHash::of(HashAlgorithm::Sha256, b"other").to_string();
    let expected = FileHash::of(HashAlgorithm::Sha256, CONTENT).to_string();
    assert!(text.contains(&got) && text.contains(&expected) && text.contains(&server.url("/a")), "{text}");
    assert!(matches!(reason, Reason::WrongHash { .. }));
    assert_eq!(server.requests().len(), 1, "a wrong hash is not tried again");
    let hints = Place::new().fetch(&[server.url("/a")]).expect_err("wrong").hints();
    assert!(hints[0].contains(&format!("set the hash to `{got}`")), "{hints:?}");
}

#[test]
fn d5_short_bodies_are_tried_again_then_refused() {
    let server = Server::with(vec![promising(20, &CONTENT[..7], "")]);
    let (text, reason) = Place::new().refused(&[server.url("/a")]);
    assert!(matches!(reason, Reason::Short { got: 7, expected: 20 }), "{text}");
    assert_eq!(server.requests().len(), 3);
    let server = Server::with(vec![promising(20, &CONTENT[..7], ""), ok(CONTENT, "")]);
    Place::new().fetched(&[server.url("/a")]);
}

#[test]
fn d5_long_bodies_are_cut_off() {
    let endless = vec![b'x'; 5000];
    let promised = Server::with(vec![ok(&endless, "")]);
    let (text, reason) = Place::new().refused(&[promised.url("/a")]);
    assert!(matches!(reason, Reason::TooLarge { limit: 1000, size: Some(5000) }), "{text}");
    let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    let unpromised = Server::with(vec![Answer::Bytes([head, endless].concat())]);
    let (text, reason) = Place::new().refused(&[unpromised.url("/a")]);
    assert!(matches!(reason, Reason::TooLarge { limit: 1000, size: None }), "{text}");
}

#[test]
fn d5_an_encoded_content_is_taken_as_it_is() {
    let server = Server::with(vec![ok(CONTENT, "Content-Encoding: gzip\r\n")]);
    Place::new().fetched(&[server.url("/a")]);
}

#[test]
fn d1_redirects_lead_to_servers_only() {
    for location in
        ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x/", "http://h\\x/", "http:///", "http://h:99999/"]
    {
        let server = Server::with(vec![redirect(location)]);
        let (text, reason) = Place::new().refused(&[server.url("/a")]);
        assert!(matches!(reason, Reason::Redirect(_)), "{location}: {text}");
        assert_eq!(server.requests().len(), 1);
    }
    let server = Server::with(vec![response("302 Found", b"", "")]);
    assert!(matches!(Place::new().refused(&[server.url("/a")]).1, Reason::NoLocation));
}

#[test]
fn d1_redirects_to_private_addresses_are_refused() {
    let inner = Server::with(vec![ok(CONTENT, "")]);
    let port = inner.url("/").rsplit(':').next().unwrap().to_owned();
    let targets = [inner.url("/a"), format!("http://localhost:{port}a"), format!("http://[::ffff:127.0.0.1]:{port}a")];
    for target in
        targets.iter().map(String::as_str).chain(["http://169.254.169.254/latest/", "http://[::1]/", "http://0x7f.1/"])
    {
        let server = Server::with(vec![redirect(target)]);
        let (text, reason) = Place::new().refused(&[server.url("/a")]);
        assert!(matches!(reason, Reason::PrivateAddress { .. }), "{target}: {text}");
    }
    assert_eq!(inner.requests().len(), 0, "the private server was asked");
    let server = Server::with(vec![redirect(&inner.url("/a"))]);
    let mut place = Place::new();
    place.settings.private_redirects = true;
    place.fetched(&[server.url("/a")]);
}

#[test]
fn d1_redirects_to_private_addresses_are_refused_behind_a_proxy() {
    for host in ["127.0.0.1:1", "127.1:1", "2130706433", "0x7f.1", "localhost.", "127.0.0.1."] {
        // The proxy answers the tunnelled request itself.
        let proxy = Server::start(move |_, head| {
            assert!(head.to_lowercase().starts_with("connect"), "{head}");
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://{host}/\r\nContent-Length: 0\r\n\r\n");
            Answer::Bytes(format!("HTTP/1.1 200 OK\r\n\r\n{answer}").into_bytes())
        });
        let mut place = Place::new();
        place.settings.proxy = Some(ProxySettings { url: proxy.url(""), except: Vec::new() });
        let (text, reason) = place.refused(&["http://public.example/a".to_owned()]);
        assert!(matches!(reason, Reason::PrivateAddress { .. }), "{host}: {text}");
        assert_eq!(proxy.requests().len(), 1);
    }
}

#[test]
fn a_proxy_is_used_except_for_the_hosts_it_is_not_for() {
    let proxy = Server::with(vec![response("502 Bad Gateway", b"", "")]);
    let server = Server::with(vec![ok(CONTENT, "")]);
    let mut place = Place::new();
    place.settings.proxy = Some(ProxySettings { url: proxy.url(""), except: vec!["127.0.0.1".to_owned()] });
    place.fetched(&[server.url("/a")]);
    assert_eq!(proxy.requests().len(), 0);
    place.settings.proxy = Some(ProxySettings { url: proxy.url(""), except: Vec::new() });
    fs::remove_file(place.file()).unwrap();
    place.refused(&[server.url("/a")]);
    assert_eq!((proxy.requests().len(), server.requests().len()), (3, 1));
}

#[test]
fn redirects_within_a_server_are_followed_ten_times() {
    let server =
        Server::start(|index, _| if index < 10 { redirect(&format!("next/{index}")) } else { ok(CONTENT, "") });
    Place::new().fetched(&[server.url("/a")]);
    assert_eq!(server.requests().len(), 11);
    let endless = Server::with(vec![redirect("/again")]);
    let (text, reason) = Place::new().refused(&[endless.url("/a")]);
    assert!(matches!(reason, Reason::TooManyRedirects(10)), "{text}");
    assert!(text.contains(&format!("redirected to {}", endless.url("/again"))), "{text}");
}

#[test]
fn d7_credentials_stay_with_their_server_and_out_of_messages() {
    let other = Server::with(vec![response("404 Not Found", b"", "")]);
    let location = other.url("/b");
    let server = Server::start(move |index, _| if index == 0 { redirect("/same") } else { redirect(&location) });
    let mut place = Place::new();
    place.settings.private_redirects = true;
    let (text, _) = place.refused(&[server.url_as("us%40er:secret", "/a")]);
    assert!(!text.contains("secret"), "{text}");
    let authorization = format!("authorization: basic {}", "dXNAZXI6c2VjcmV0".to_lowercase());
    assert_eq!(server.requests().iter().filter(|head| head.contains(&authorization)).count(), 2);
    assert!(!other.requests()[0].contains("authorization"), "{:?}", other.requests());
}

/// Breaks off after 7 bytes at the first request; then answers as told.
fn breaking(first_headers: &str, then: Vec<Answer>) -> Server {
    Server::with([vec![promising(20, &CONTENT[..7], first_headers)], then].concat())
}

#[test]
fn broken_transfers_go_on_where_they_stopped() {
    let rest = response("206 Partial Content", &CONTENT[7..], "Content-Range: bytes 7-19/20\r\nETag: \"1\"\r\n");
    let server = breaking("ETag: \"1\"\r\n", vec![rest]);
    Place::new().fetched(&[server.url("/a")]);
    let second = &server.requests()[1];
    assert!(second.contains("range: bytes=7-\r\n") && second.contains("if-range: \"1\"\r\n"), "{second}");
}

#[test]
fn without_a_strong_tag_transfers_start_again() {
    for headers in ["", "ETag: W/\"1\"\r\n"] {
        let server = breaking(headers, vec![ok(CONTENT, "")]);
        Place::new().fetched(&[server.url("/a")]);
        assert!(!server.requests()[1].contains("range"));
    }
}

#[test]
fn without_a_tag_transfers_go_on_by_their_date() {
    let date = "Last-Modified: Tue, 01 Jul 2025 10:00:00 GMT\r\n";
    let part = |rest: &[u8]| response("206 Partial Content", rest, &format!("Content-Range: bytes 7-19/20\r\n{date}"));
    let server = breaking(date, vec![part(&CONTENT[7..])]);
    Place::new().fetched(&[server.url("/a")]);
    let second = &server.requests()[1];
    assert!(second.contains("range: bytes=7-\r\n"), "{second}");
    assert!(second.contains("if-range: tue, 01 jul 2025 10:00:00 gmt\r\n"), "{second}");
    // Within one second there may be two contents.
    let server = breaking(date, vec![part(b"XXXXXXXXXXXXX"), ok(CONTENT, date)]);
    Place::new().fetched(&[server.url("/a")]);
    assert!(!server.requests()[2].contains("range"), "{}", server.requests()[2]);
    // By another date it is another content.
    let other = response("206 Partial Content", &CONTENT[7..], "Content-Range: bytes 7-19/20\r\nLast-Modified: x\r\n");
    let server = breaking(date, vec![other, ok(CONTENT, date)]);
    Place::new().fetched(&[server.url("/a")]);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn d5_what_has_no_length_and_is_wrong_is_asked_for_once_more() {
    let closing = |body: &[u8]| Answer::Bytes([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body].concat());
    let server = Server::with(vec![closing(&CONTENT[..7]), closing(CONTENT)]);
    Place::new().fetched(&[server.url("/a")]);
    assert_eq!(server.requests().len(), 2);
    let server = Server::with(vec![closing(b"other")]);
    let (text, reason) = Place::new().refused(&[server.url("/a")]);
    assert!(matches!(reason, Reason::WrongHash { .. }), "{text}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn who_fetches_may_refuse_what_a_place_gives() {
    let (page, good) = (Server::with(vec![ok(b"a page", "")]), Server::with(vec![ok(CONTENT, "")]));
    let place = Place::new();
    let request =
        FetchRequest { urls: vec![page.url("/a"), good.url("/a")], hash: None, limits: place.limits, keeping: None };
    let mut seen = Vec::new();
    let mut accept = |arrived: &std::path::Path| {
        seen.push(fs::read(arrived).unwrap());
        if seen.len() == 1 { Err(Reason::NoLocation) } else { Ok(()) }
    };
    let mut client = FetchClient { progress: &mut |_| {}, cancelled: &|| false, accept: &mut accept };
    let fetched = Fetcher::new(place.settings.clone()).unwrap().fetch(&request, &place.file(), &mut client).unwrap();
    assert_eq!((fetched.url, fetched.failures.len()), (good.url("/a"), 1));
    assert_eq!(seen, [b"a page".to_vec(), CONTENT.to_vec()]);
}

#[test]
fn d11_an_ignored_range_starts_again() {
    let server = breaking("ETag: \"1\"\r\n", vec![ok(CONTENT, "ETag: \"1\"\r\n")]);
    Place::new().fetched(&[server.url("/a")]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn d10_changed_content_is_not_mixed_with_the_old() {
    let changed = response("206 Partial Content", b"XXXXXXXXXXXXX", "Content-Range: bytes 7-19/20\r\nETag: \"2\"\r\n");
    let wrong_range = response("206 Partial Content", &CONTENT[5..], "Content-Range: bytes 5-19/20\r\nETag: \"1\"\r\n");
    let gone = response("416 Range Not Satisfiable", b"", "");
    for answer in [changed, wrong_range, gone] {
        let server = breaking("ETag: \"1\"\r\n", vec![answer, ok(CONTENT, "ETag: \"2\"\r\n")]);
        Place::new().fetched(&[server.url("/a")]);
        assert!(!server.requests()[2].contains("range"), "{}", server.requests()[2]);
    }
}

#[test]
fn a_part_that_was_not_asked_for_is_refused() {
    let server = Server::with(vec![response("206 Partial Content", CONTENT, "Content-Range: bytes 0-19/20\r\n")]);
    assert!(matches!(Place::new().refused(&[server.url("/a")]).1, Reason::Status { status: 206 }));
}

#[test]
fn d5_slow_servers_are_given_up() {
    let stall = Duration::from_secs(8);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n012".to_vec();
    let mut place = Place::new();
    place.settings.attempts = 1;
    for answer in [Answer::Stall(head.clone(), stall), Answer::Stall(Vec::new(), stall)] {
        let start = Instant::now();
        let (text, reason) = place.refused(&[Server::with(vec![answer]).url("/a")]);
        assert!(matches!(reason, Reason::Receive(_) | Reason::Transport(_)), "{text}");
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}: {text}", start.elapsed());
    }
    place.limits.total = Duration::from_secs(1);
    let drip = Server::with(vec![Answer::Drip(head, Duration::from_millis(100))]);
    let start = Instant::now();
    let (text, reason) = place.refused(&[drip.url("/a")]);
    assert!(matches!(reason, Reason::Time(1)), "{text}");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[test]
fn who_is_cancelled_waits_for_no_server() {
    let long = Duration::from_secs(20);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n012".to_vec();
    let busy = response("503 Service Unavailable", b"", "Retry-After: 20\r\n");
    let mut place = Place::new();
    place.limits = FetchLimits { idle: long, total: 3 * long, ..place.limits };
    // Before the head of the answer, in its body, and between two attempts.
    for answer in [Answer::Stall(Vec::new(), long), Answer::Stall(head, long), busy] {
        let server = Server::with(vec![answer]);
        let began = Instant::now();
        let soon = || began.elapsed() > Duration::from_millis(300);
        let urls = [server.url("/a"), server.url("/b")];
        let error = place.fetch_unless(&soon, &urls, FileHash::of(HashAlgorithm::Sha256, CONTENT));
        assert!(matches!(error, Err(FetchError::Cancelled)), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(fs::read_dir(place.directory.path()).unwrap().count(), 0, "something is left");
        assert_eq!(server.requests().len(), 1, "no other place is asked");
    }
}

#[test]
fn passing_failures_are_tried_again_and_lasting_ones_not() {
    let unavailable = response("503 Service Unavailable", b"", "Retry-After: 0\r\n");
    let server = Server::with(vec![unavailable.clone(), unavailable, ok(CONTENT, "")]);
    Place::new().fetched(&[server.url("/a")]);
    assert_eq!(server.requests().len(), 3);
    let server = Server::with(vec![response("404 Not Found", b"", ""), ok(CONTENT, "")]);
    let (text, _) = Place::new().refused(&[server.url("/a")]);
    assert!(text.contains("404 (not found)") && server.requests().len() == 1, "{text}");
}

#[test]
fn the_next_place_is_tried_and_failures_are_told() {
    let missing = Server::with(vec![response("404 Not Found", b"", "")]);
    let wrong = Server::with(vec![ok(b"wrong", "")]);
    let good = Server::with(vec![ok(CONTENT, "")]);
    let mut place = Place::new();
    let bases = vec![missing.url("/debian/"), wrong.url("/x"), good.url("/y")];
    place.settings.mirrors = Mirrors { named: BTreeMap::from([("debian".to_owned(), bases)]), by_hash: Vec::new() };
    let fetched = place.fetched(&["mirror://debian/pool/a.deb".to_owned()]);
    assert_eq!(fetched.url, good.url("/y/pool/a.deb"));
    assert_eq!(fetched.failures.len(), 2);
    assert!(missing.requests()[0].starts_with("get /debian/pool/a.deb "));
}

#[test]
fn every_place_is_listed_when_all_fail() {
    let missing = Server::with(vec![response("404 Not Found", b"", "")]);
    let closed = "http://127.0.0.1:1/b".to_owned();
    let urls = [missing.url("/a"), closed.clone(), "mirror://nowhere/c".to_owned(), "file:///etc/passwd".to_owned()];
    let (text, _) = Place::new().refused(&urls);
    for part in [
        missing.url("/a"),
        closed,
        "no mirror called `nowhere`".to_owned(),
        "the scheme `file`".to_owned(),
        "3 attempts".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} is missing in {text}");
    }
    let nothing = Place::new().fetch(&[]).expect_err("there is no place");
    assert!(nothing.to_string().contains("no place"), "{nothing}");
}

#[test]
fn directories_and_servers_are_asked_by_hash() {
    let place = Place::new();
    let directory = tempfile::tempdir().unwrap();
    let hash = FileHash::of(HashAlgorithm::Sha256, CONTENT).to_string().replace(':', "/");
    fs::create_dir(directory.path().join("sha256")).unwrap();
    let base = format!("file://{}", directory.path().display());
    let server = Server::with(vec![ok(CONTENT, "")]);
    let by_hash = vec![format!("{base}/{{algorithm}}/{{hash}}"), server.url("/{algorithm}/{hash}")];
    let settings = FetchSettings { mirrors: Mirrors { by_hash, ..Mirrors::default() }, ..place.settings.clone() };
    let place = Place { settings, ..place };
    // Nothing in the directory: the server is asked.
    place.fetched(&[]);
    assert!(server.requests()[0].starts_with(&format!("get /{hash} ")));
    // A file with wrong content, then with the right one.
    for (content, requests) in [(&b"wrong"[..], 2), (CONTENT, 2)] {
        fs::remove_file(place.file()).unwrap();
        fs::write(directory.path().join(&hash), content).unwrap();
        place.fetched(&[]);
        assert_eq!(server.requests().len(), requests);
    }
    // What is no regular file is not waited for.
    fs::remove_file(place.file()).unwrap();
    fs::remove_file(directory.path().join(&hash)).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, directory.path().join(&hash), rustix::fs::Mode::from_raw_mode(0o644))
        .unwrap();
    place.fetched(&[]);
}

#[test]
fn an_existing_destination_is_left_alone() {
    let server = Server::with(vec![ok(CONTENT, "")]);
    let place = Place::new();
    let victim = place.directory.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, place.file()).unwrap();
    for _ in 0..2 {
        let error = place.fetch(&[server.url("/a")]).expect_err("it is there already");
        assert!(matches!(error, FetchError::Destination { .. }), "{error}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        fs::remove_file(place.file()).unwrap();
        symlink("dangling", place.file()).unwrap();
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn garbage_is_no_answer() {
    for bytes in [
        &b"not http at all\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 999999 ?\r\n\r\n",
        b"",
    ] {
        Place::new().refused(&[Server::with(vec![Answer::Bytes(bytes.to_vec())]).url("/a")]);
    }
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    Place::new().refused(&[Server::with(vec![Answer::Bytes(huge.into_bytes())]).url("/a")]);
}

#[test]
fn d6_a_certificate_must_be_vouched_for() {
    let address = tls_server::serve(CONTENT);
    let url = format!("https://localhost:{}/a", address.port());
    let mut place = Place::new();
    let (text, reason) = place.refused(std::slice::from_ref(&url));
    assert!(text.contains("certificate") && matches!(reason, Reason::Transport(_)), "{text}");
    assert!(!text.contains("attempts"), "a bad certificate is not tried again: {text}");
    place.settings.authorities = place.believing(tls_server::CERTIFICATE);
    place.fetched(&[url]);
}

#[test]
fn d6_a_certificate_must_be_for_the_host() {
    let address = tls_server::serve(CONTENT);
    let mut place = Place::new();
    place.settings.authorities = place.believing(tls_server::CERTIFICATE);
    let (text, _) = place.refused(&[format!("https://127.0.0.1:{}/a", address.port())]);
    assert!(text.contains("not valid for name"), "{text}");
}

#[test]
fn d6_a_server_without_tls_is_no_https_server() {
    let server = Server::with(vec![ok(CONTENT, "")]);
    let url = server.url("/a").replace("http://", "https://");
    let (text, _) = Place::new().refused(&[url]);
    assert!(text.contains("https://127.0.0.1"), "{text}");
}

/// Content that is worth keeping, and how much of it arrives at first.
fn large() -> (Vec<u8>, usize) {
    ((0..200_000_u32).map(|number| (number % 251) as u8).collect(), 100_000)
}

fn kept(place: &Place) -> PathBuf {
    place.given.path().join("fetch-it")
}

/// Fetches what may be kept, until so many bytes have arrived.
fn fetch_until(place: &Place, urls: &[String], content: &[u8], enough: u64) -> Result<Fetched, FetchError> {
    let request = FetchRequest {
        urls: urls.to_vec(),
        hash: Some(FileHash::of(HashAlgorithm::Sha256, content)),
        limits: FetchLimits { bytes: 1 << 20, ..place.limits },
        keeping: Some(kept(place)),
    };
    let bytes = std::cell::Cell::new(0);
    let mut client = FetchClient {
        progress: &mut |progress| bytes.set(progress.bytes),
        cancelled: &|| bytes.get() >= enough,
        accept: &mut |_| Ok(()),
    };
    let fetched = Fetcher::new(place.settings.clone()).unwrap().fetch(&request, &place.file(), &mut client);
    match &fetched {
        Ok(fetched) => {
            assert_eq!((fs::read(place.file()).unwrap(), fetched.bytes), (content.to_vec(), content.len() as u64));
        }
        Err(_) => assert!(!place.file().exists(), "something is left"),
    }
    fetched
}

fn rest_of(content: &[u8], start: usize) -> Answer {
    let range = format!("Content-Range: bytes {start}-{}/{}\r\n", content.len() - 1, content.len());
    response("206 Partial Content", &content[start..], &range)
}

#[test]
fn what_was_interrupted_goes_on_in_the_next_run() {
    let (content, begun) = large();
    let place = Place::new();
    let Answer::Bytes(first) = promising(content.len(), &content[..begun], "ETag: \"1\"\r\n") else { unreachable!() };
    let server = Server::with(vec![Answer::Stall(first, Duration::from_secs(8)), rest_of(&content, begun)]);
    let interrupted = fetch_until(&place, &[server.url("/a")], &content, begun as u64);
    assert!(matches!(interrupted, Err(FetchError::Cancelled)), "{interrupted:?}");
    assert_eq!(fs::read(kept(&place)).unwrap(), content[..begun]);
    // Any other place will do: its content has the same hash.
    fetch_until(&place, &[server.url("/b")], &content, u64::MAX).unwrap();
    let second = &server.requests()[1];
    assert!(second.contains(&format!("range: bytes={begun}-\r\n")) && !second.contains("if-range"), "{second}");
    assert_eq!(server.requests().len(), 2);
    assert!(!kept(&place).exists());
}

#[test]
fn what_a_place_breaks_off_another_goes_on_with() {
    let (content, begun) = large();
    let mut place = Place::new();
    place.settings.attempts = 1;
    let breaking = Server::with(vec![promising(content.len(), &content[..begun], "")]);
    let failed = fetch_until(&place, &[breaking.url("/a")], &content, u64::MAX);
    assert!(matches!(failed, Err(FetchError::Failed { .. })), "{failed:?}");
    let missing = Server::with(vec![response("404 Not Found", b"", "")]);
    let rest = Server::with(vec![rest_of(&content, begun)]);
    fetch_until(&place, &[missing.url("/a"), rest.url("/a")], &content, u64::MAX).unwrap();

    fs::remove_file(place.file()).unwrap();
    fetch_until(&place, &[breaking.url("/a"), rest.url("/a")], &content, u64::MAX).unwrap();
    assert!(rest.requests()[1].contains(&format!("range: bytes={begun}-\r\n")), "{:?}", rest.requests());
}

#[test]
fn what_was_kept_and_is_wrong_is_fetched_anew_once() {
    let (content, begun) = large();
    let whole = content.clone();
    let wrong_range = response("206 Partial Content", &content[5..], "Content-Range: bytes 5-199999/200000\r\n");
    let refusals =
        ["416 Range Not Satisfiable", "403 Forbidden", "400 Bad Request"].map(|line| response(line, b"", ""));
    for answer in [rest_of(&content, begun), wrong_range].into_iter().chain(refusals) {
        let mut place = Place::new();
        // It is no attempt that failed.
        place.settings.attempts = 1;
        fs::write(kept(&place), vec![b'x'; begun]).unwrap();
        let whole = whole.clone();
        let server =
            Server::start(
                move |_, head| {
                    if head.to_lowercase().contains("range:") { answer.clone() } else { ok(&whole, "") }
                },
            );
        fetch_until(&place, &[server.url("/a")], &content, u64::MAX).unwrap();
        assert_eq!(server.requests().iter().map(|head| head.contains("range:")).collect::<Vec<_>>(), [true, false]);
        assert!(!kept(&place).exists());
    }
    // What is wrong all the same is not kept.
    let place = Place::new();
    fs::write(kept(&place), vec![b'x'; begun]).unwrap();
    let server = Server::with(vec![ok(&vec![b'y'; 200_000], "")]);
    let failed = fetch_until(&place, &[server.url("/a")], &content, u64::MAX);
    assert!(matches!(failed, Err(FetchError::Failed { .. })), "{failed:?}");
    assert_eq!((server.requests().len(), kept(&place).exists()), (1, false));
}

#[test]
fn two_at_once_do_not_write_into_one_file() {
    let (content, begun) = large();
    let place = Place::new();
    fs::write(kept(&place), &content[..begun]).unwrap();
    let other = fs::File::open(kept(&place)).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let server = Server::with(vec![ok(&content, "")]);
    fetch_until(&place, &[server.url("/a")], &content, u64::MAX).unwrap();
    assert!(!server.requests()[0].contains("range:"), "{:?}", server.requests());
    assert_eq!(fs::read(kept(&place)).unwrap(), content[..begun], "it is the other one's");
}

#[test]
fn little_is_not_kept_and_what_is_no_file_is_left_alone() {
    let (content, _) = large();
    let place = Place::new();
    let Answer::Bytes(first) = promising(content.len(), &content[..1000], "") else { unreachable!() };
    let server = Server::with(vec![Answer::Stall(first, Duration::from_secs(8)), ok(&content, "")]);
    let interrupted = fetch_until(&place, &[server.url("/a")], &content, 1000);
    assert!(matches!(interrupted, Err(FetchError::Cancelled)), "{interrupted:?}");
    assert!(!kept(&place).exists());
    let victim = place.given.path().join("victim");
    fs::write(&victim, vec![b'x'; 100_000]).unwrap();
    symlink(&victim, kept(&place)).unwrap();
    fetch_until(&place, &[server.url("/a")], &content, u64::MAX).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), vec![b'x'; 100_000]);
}

#[test]
fn what_a_collection_takes_away_amid_a_fetch_arrives_all_the_same() {
    let (content, begun) = large();
    let place = Place::new();
    fs::write(kept(&place), &content[..begun]).unwrap();
    let old = rustix::fs::Timespec { tv_sec: 1, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: old, last_modification: old };
    rustix::fs::utimensat(rustix::fs::CWD, kept(&place), &times, rustix::fs::AtFlags::empty()).unwrap();
    let (rest, at) = (rest_of(&content, begun), kept(&place));
    let server = Server::start(move |_, _| {
        let touched = fs::metadata(&at).unwrap().modified().unwrap();
        assert!(touched.elapsed().unwrap() < Duration::from_secs(600), "a collection would take it");
        fs::remove_file(&at).unwrap();
        fs::write(&at, "another fetch's").unwrap();
        rest.clone()
    });
    fetch_until(&place, &[server.url("/a")], &content, u64::MAX).unwrap();
    assert_eq!(server.requests().len(), 1);
    assert_eq!(fs::read(kept(&place)).unwrap(), b"another fetch's");
}
