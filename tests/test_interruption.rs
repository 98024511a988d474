//! Ending larder in the middle of a build, and several larders at once.

use crate::harness::{Ran, Scratch, like, processes_with, wait_until};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A build that does not end, with a process that has left it, both marked by an argument nobody else has.
struct Endless {
    scratch: Scratch,
    marker: String,
}

impl Endless {
    fn new(name: &str) -> Self {
        let marker = format!("larder-test-{name}-{}", std::process::id());
        let scratch = Scratch::new(&format!(
            r#"rec {{
          first = mini "first" "write $out first" {{ }};
          endless = mini "endless" "x" {{ args = [ "copy ${{first}} /build/copy\nbackground\nsay started\nsleep 600" "{marker}" ]; }};
        }}"#
        ));
        Self { scratch, marker }
    }

    fn start(&self) -> Child {
        let child = self.start_with(&["build", ".#endless"]);
        wait_until("the build and its background process run", || processes_with(&self.marker) == 2);
        child
    }

    fn start_with(&self, arguments: &[&str]) -> Child {
        start(&self.scratch, arguments)
    }

    fn signal(child: &Child, signal: &str) {
        let killed = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    fn assert_clean(&self) {
        wait_until("every process of the build is gone", || processes_with(&self.marker) == 0);
        self.assert_nothing_staged();
        self.scratch.assert_sound();
        let next = self.scratch.larder("build .#first").ok();
        assert_eq!(next.stderr, "", "what was finished is kept");
    }

    /// No collection has been there.
    fn assert_nothing_staged(&self) {
        wait_until("what was staged is removed", || self.scratch.entries("tmp").is_empty());
        wait_until("no lease is left", || self.scratch.entries("leases").is_empty());
    }
}

#[test]
fn a_signal_ends_the_build_and_all_its_processes() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let endless = Endless::new(signal);
        let child = endless.start();
        let asked = Instant::now();
        Endless::signal(&child, signal);
        let ran = Ran::from(child.wait_with_output().unwrap()).fails(code, &["interrupted"]);
        assert!(asked.elapsed() < Duration::from_secs(5), "{signal} took {:?}", asked.elapsed());
        assert!(!ran.stderr.contains("failed"), "an interruption is no failure:\n{}", ran.stderr);
        assert_eq!(processes_with(&endless.marker), 0, "nothing is left when larder is gone");
        endless.assert_clean();
    }
}

/// Starts larder as one that can be interrupted: whoever runs the tests may ignore signals, and what is ignored stays so in children.
fn start(scratch: &Scratch, arguments: &[&str]) -> Child {
    let larder = scratch.command(arguments);
    let mut command = std::process::Command::new("env");
    command.arg("--default-signal=INT,TERM,HUP").arg(larder.get_program()).args(larder.get_args());
    like(&mut command, &larder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_fetch_is_interrupted_at_once_or_killed_and_leaves_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().map(Result::unwrap) {
            // A part of what is promised, and then nothing.
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun").unwrap();
            held.push(stream);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let scratch = Scratch::new(&format!(
        r#"{{
          file = derivation {{ name = "file"; inherit system; builder = "builtin:fetch"; urls = "http://{address}/x";
            outputHash = "sha256:{}"; outputHashMode = "flat"; }};
        }}"#,
        "0".repeat(64)
    ));
    for (round, signal) in ["-INT", "-KILL"].into_iter().enumerate() {
        let child = start(&scratch, &["build", "--log-format", "json", "--trace-out", "trace", ".#file"]);
        wait_until("the server is asked", || asked.load(Ordering::SeqCst) > round);
        wait_until("something is fetched into", || !scratch.entries("tmp").is_empty());
        let told = Instant::now();
        Endless::signal(&child, signal);
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert!(told.elapsed() < Duration::from_secs(4), "{signal} took {:?}", told.elapsed());
        if signal == "-INT" {
            assert_eq!(ran.code, Some(130));
            let last = ran.stderr.lines().last().unwrap_or_default();
            assert!(last.contains(r#""event":"end""#) && last.contains(r#""interrupted":true"#), "{}", ran.stderr);
            assert!(std::fs::metadata(scratch.path("trace")).unwrap().len() > 0, "the timeline is written");
        }
        wait_until("what was staged is removed", || scratch.entries("tmp").is_empty());
    }
}

#[test]
fn a_large_fetch_that_is_interrupted_or_killed_goes_on_in_the_next_run() {
    let content: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    let hash = store::FileHash::of(store::HashAlgorithm::Sha256, &content);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // From where each request wants it; each is given 70000 bytes, but the third the rest.
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let starts = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().map(Result::unwrap) {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let range = lines.filter_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
            let start: usize = range.last().map_or(0, |range| range.trim_end_matches('-').parse().unwrap());
            starts.lock().unwrap().push(start);
            let (count, length) = (starts.lock().unwrap().len(), content.len());
            let status = if start == 0 {
                "200 OK".to_owned()
            } else {
                format!("206 Partial Content\r\nContent-Range: bytes {start}-{}/{length}", length - 1)
            };
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", length - start).unwrap();
            let end = if count < 3 { start + 70_000 } else { length };
            stream.write_all(&content[start..end]).unwrap();
            held.push(stream);
        }
    });
    let scratch = Scratch::new(&format!(
        r#"{{
          file = derivation {{ name = "file"; inherit system; builder = "builtin:fetch"; urls = "http://{address}/x";
            outputHash = "{hash}"; outputHashMode = "flat"; }};
        }}"#
    ));
    let kept = scratch.home().join("tmp").join(format!("fetch-{}", hash.to_string().replace(':', "-")));
    for (round, signal) in [(1, "-INT"), (2, "-KILL")] {
        let child = start(&scratch, &["build", ".#file"]);
        wait_until("much has arrived", || kept.metadata().is_ok_and(|kept| kept.len() == round * 70_000));
        Endless::signal(&child, signal);
        child.wait_with_output().unwrap();
    }
    scratch.larder("build .#file").ok();
    assert_eq!(*asked.lock().unwrap(), [0, 70_000, 140_000]);
    assert_eq!(
        store::FileHash::of(store::HashAlgorithm::Sha256, &std::fs::read(scratch.path("result")).unwrap()),
        hash
    );
    assert_eq!(scratch.entries("tmp"), [""; 0]);
    scratch.assert_sound();
}

/// Expressions that take long in one builtin, or never end. FIFO is a pipe that nobody writes to.
const LONG: &[&str] = &[
    "builtins.stringLength (builtins.readFile /dev/zero)",
    "builtins.readFile FIFO",
    "import FIFO",
    "builtins.hashFile \"sha256\" /dev/zero",
    "let l = builtins.genList (x: x) 3000000; f = n: builtins.length (builtins.sort builtins.lessThan l) + f (n + 1); in f 0",
    "let f = n: builtins.length (builtins.sort (a: b: a > b) (builtins.genList (x: x) 100000)) + f (n + 1); in f 0",
    "let s = builtins.concatStringsSep \"\" (builtins.genList (x: \"aaaaaaaaaa\") 1000000); in builtins.length (builtins.split \"(a)\" (s + s))",
    "let s = builtins.concatStringsSep \",\" (builtins.genList (x: \"[1]\") 3000000); in builtins.fromJSON \"[${s},${s},${s}]\"",
    "let s = builtins.concatStringsSep \"\" (builtins.genList (x: \"ab\") 1000000); f = n: builtins.stringLength (builtins.replaceStrings [ \"x\" \"b\" ] [ \"y\" \"c\" ] s) + f (n + 1); in f 0",
];

#[test]
fn a_long_builtin_is_interrupted() {
    let scratch = Scratch::new("{ }");
    let fifo = scratch.path("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for expression in LONG {
        let mut command = std::process::Command::new("env");
        let larder = scratch.command(["repl", "--max-memory", "4G"]);
        command.arg("--default-signal=INT").arg(larder.get_program()).args(larder.get_args());
        like(&mut command, &larder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let input = format!("1\n{}\n", expression.replace("FIFO", fifo.to_str().unwrap()));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        // On a machine that has much else to do it takes long to begin.
        let mut answer = [0; 2];
        child.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"1\n");
        std::thread::sleep(Duration::from_millis(700));
        assert!(child.try_wait().unwrap().is_none(), "{expression} takes long");
        let asked = Instant::now();
        Endless::signal(&child, "-INT");
        Ran::from(child.wait_with_output().unwrap()).fails(3, &["error[E0902]: evaluation was interrupted"]);
        // A second on a machine that has nothing else to do.
        assert!(asked.elapsed() < Duration::from_secs(8), "{expression} took {:?}", asked.elapsed());
    }
}

#[test]
fn a_file_without_end_ends_at_the_limit_of_memory() {
    let scratch = Scratch::new("{ }");
    for expression in ["builtins.readFile /dev/zero", "import /dev/zero", "builtins.hashFile \"sha256\" /dev/zero"] {
        let ran = scratch.larder_with(&["eval", "--max-memory", "64M", "-E", expression]);
        ran.fails(3, &["error[E0117]: evaluation takes more than 64 MiB of memory"]);
    }
}

#[test]
fn who_started_larder_may_have_it_ignore_signals() {
    let scratch = Scratch::new(r#"{ slow = mini "slow" "sleep 2\nwrite $out slow" { }; }"#);
    let mut command = std::process::Command::new("nohup");
    let larder = scratch.command([""; 0]);
    command
        .arg(larder.get_program())
        .args(["build", ".#slow"])
        .env("LARDER_HOME", scratch.home())
        .current_dir(scratch.path("."));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("larder builds", || scratch.entries("tmp").len() >= 2);
    Endless::signal(&child, "-HUP");
    assert!(Ran::from(child.wait_with_output().unwrap()).ok().line().ends_with("-slow"));
}

#[test]
fn no_process_outlives_a_killed_larder() {
    let endless = Endless::new("KILL");
    let mut child = endless.start();
    // Publishing is put off a little, and what is killed before it cannot make up for it.
    wait_until("what was finished is published", || endless.scratch.larder("query size .#first").code == Some(0));
    child.kill().unwrap();
    child.wait().unwrap();
    endless.assert_clean();
}

#[test]
fn who_is_killed_in_a_shell_leaves_nothing() {
    let endless = Endless::new("shell");
    let marker = endless.marker.as_str();
    for signal in ["-TERM", "-HUP", "-KILL"] {
        // Its own arguments, those of the mini program, and those of its background process.
        let mut child = endless.start_with(&["shell", ".#endless", "--", "/bin/mini", "background\nsleep 600", marker]);
        wait_until("the program runs", || processes_with(marker) == 3);
        assert!(!endless.scratch.entries("tmp").is_empty());
        Endless::signal(&child, signal);
        child.wait().unwrap();
        wait_until("every process is gone", || processes_with(marker) == 0);
        endless.assert_nothing_staged();
    }
}

#[test]
fn a_second_request_to_end_leaves_nothing() {
    // Both at once, so that it has no time to end in order.
    let endless = Endless::new("twice");
    let mut child = endless.start();
    Endless::signal(&child, "-STOP");
    Endless::signal(&child, "-INT");
    Endless::signal(&child, "-TERM");
    Endless::signal(&child, "-CONT");
    child.wait().unwrap();
    wait_until("every process is gone", || processes_with(&endless.marker) == 0);
    endless.assert_nothing_staged();
}

/// Wherever a repair is killed, nothing is lost by that: the next one, or the one after it, has all as it was.
#[test]
fn a_killed_repair_is_finished_by_the_next() {
    let scratch = Scratch::new("{ }");
    for tree in 0..12 {
        std::fs::create_dir(scratch.path(&format!("t{tree}"))).unwrap();
        for file in 0..12 {
            scratch.write(&format!("t{tree}/f{file}"), format!("{tree} {file}"));
        }
    }
    let paths: Vec<_> = (0..12).map(|tree| scratch.line(&format!("add t{tree}"))).collect();
    for delay in (0..20).map(|step| Duration::from_millis(6 * step)) {
        for path in &paths {
            damage(&scratch.physical(path));
        }
        let mut child =
            scratch.command(["verify", "--repair"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap();
        let ran = scratch.larder("verify --repair");
        assert_eq!(ran.code, Some(0), "{delay:?}: {} {}", ran.stdout, ran.stderr);
        scratch.assert_sound();
        for (tree, path) in paths.iter().enumerate() {
            for file in 0..12 {
                let content = std::fs::read_to_string(scratch.physical(path).join(format!("f{file}"))).unwrap();
                assert_eq!(content, format!("{tree} {file}"), "{delay:?}");
            }
        }
    }
}

/// One file of a tree is gone, another one is not its object any more, and a third, with its object, has another mode.
fn damage(tree: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(tree, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::remove_file(tree.join("f1")).unwrap();
    std::fs::remove_file(tree.join("f2")).unwrap();
    std::fs::write(tree.join("f2"), "nonsense").unwrap();
    std::fs::set_permissions(tree.join("f3"), std::fs::Permissions::from_mode(0o644)).unwrap();
}

#[test]
fn the_same_thing_is_built_once_by_several_larders() {
    let scratch = Scratch::new(
        r#"rec {
      slow = mini "slow" "sleep 2\ncopy /proc/sys/kernel/random/uuid $out" { };
      slower = mini "slower" "copy ${slow} $out" { };
    }"#,
    );
    let start = || {
        scratch
            .command(["build", "--no-link", ".#slower"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children = [start(), start(), start()];
    let ran = children.map(|child| Ran::from(child.wait_with_output().unwrap()).ok());
    let done: Vec<_> = ran.iter().flat_map(Ran::done).collect();
    for name in ["built slow", "built slower"] {
        assert_eq!(done.iter().filter(|line| *line == name).count(), 1, "{ran:?}");
    }
    assert!(ran.iter().all(|one| one.stdout == ran[0].stdout));
    scratch.assert_sound();
}

#[test]
fn who_waits_takes_over_when_the_builder_is_killed() {
    let scratch = Scratch::new(r#"{ slow = mini "slow" "x" { args = [ "sleep 3\nwrite $out slow" ]; }; }"#);
    let start = || {
        scratch.command(["build", "--no-link", ".#slow"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut first = start();
    wait_until("the first larder builds", || scratch.entries("tmp").len() >= 2);
    let second = start();
    std::thread::sleep(Duration::from_millis(500));
    first.kill().unwrap();
    first.wait().unwrap();
    let ran = Ran::from(second.wait_with_output().unwrap()).ok();
    assert_eq!(ran.done(), ["built slow"]);
}

#[test]
fn garbage_collection_beside_a_build_takes_nothing_it_needs() {
    let scratch = Scratch::new(
        r#"rec {
      dependency = mini "dependency" "write $out dependency" { };
      slow = mini "slow" "say begun\nsleep 2\ncopy ${dependency} $out" { };
      end = mini "end" "add ${dependency} $out\nadd ${slow} $out" { };
    }"#,
    );
    let build =
        scratch.command(["build", "--no-link", ".#end"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the dependency is built", || scratch.entries("store").iter().any(|name| name.ends_with("-dependency")));
    for _ in 0..5 {
        scratch.larder("gc").ok();
    }
    let path = Ran::from(build.wait_with_output().unwrap()).ok().line();
    assert_eq!(std::fs::read_to_string(scratch.physical(&path)).unwrap(), "dependency\ndependency\n");
}
