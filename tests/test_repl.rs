//! The dialogue: without a terminal, and on a real one.

use crate::harness::{Ran, Scratch, wait_until};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SET: &str = r#"{ lib.twice = n: 2 * n; hi = mini "hi" "write $out hi" { }; bad = throw "no"; }"#;

fn answers(scratch: &Scratch, arguments: &[&str], lines: &str) -> Ran {
    let mut command = scratch.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn standard_input_is_answered() {
    let scratch = Scratch::new(SET);
    let lines = "# nothing\n\nx = lib.twice (\n  4)\nx + 1\n[ x\n  { a = 1; } ]\n:t x\n:p { a.b = \"c\"; }\n:a { y = 3; }\ny\n\
         s = {\n  a.b = {\n    c = 4;\n  };\n}\ns.a.b.c\n";
    let ran = answers(&scratch, &["repl", "."], lines).ok();
    assert_eq!(ran.stdout, "9\n[\n  8\n  { ... }\n]\nan integer\n{\n  a = { b = \"c\"; };\n}\n3\n4\n");
    assert_eq!(ran.stderr, "added 3 variables: bad, hi, lib\nadded 1 variable: y\n");
    assert_eq!(
        answers(&scratch, &["-q", "repl", "--expr", "{ a ? 1 }: { inherit a; }", "--arg", "a", "5"], "a").ok().line(),
        "5"
    );
    assert_eq!(
        answers(&scratch, &["repl", "--file", "default.nix"], "lib.twice 2\n:q\nnot evaluated").ok().stdout,
        "4\n"
    );
}

#[test]
fn the_first_failure_ends_it_without_a_terminal() {
    let scratch = Scratch::new(SET);
    let ran = answers(&scratch, &["repl"], "1\nx = y\n2\n").fails(3, &["undefined variable `y`", "(input 2):1:"]);
    assert_eq!(ran.stdout, "1\n");
    answers(&scratch, &["repl"], "[ 1\n").fails(3, &["`[` is never closed"]);
    answers(&scratch, &["repl"], ":nope\n").fails(2, &["`:nope`", ":?"]);
    answers(&scratch, &["repl"], ":t\n").fails(2, &["`:t` needs an argument"]);
    answers(&scratch, &["repl", "missing.nix"], "").fails(2, &["missing.nix does not exist"]);
    answers(&scratch, &["repl", "--expr", "1"], "").fails(3, &["a set"]);
}

#[test]
fn long_inputs_are_read_once() {
    let scratch = Scratch::new(SET);
    let started = Instant::now();
    let list = format!("builtins.length [\n{}]\n", "  (1)\n".repeat(10_000));
    let bindings: String = (0..10_000).map(|number| format!("  x{number} = {number};\n")).collect();
    let lines = format!("{list}let\n{bindings}in x7\n:t [\n{list}]\n");
    assert_eq!(answers(&scratch, &["repl"], &lines).ok().stdout, "10000\n7\na list\n");
    // Parsing all of it again for each line takes minutes.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn derivations_are_built() {
    let scratch = Scratch::new(SET);
    let ran = answers(&scratch, &["repl", "."], "hi\n:b hi\n:b lib\n").fails(3, &["`lib` is a set of things"]);
    let lines = ran.lines();
    assert!(lines[0].starts_with("«derivation /larder/store/") && lines[0].ends_with("-hi.drv»"), "{lines:?}");
    assert_eq!(lines[1], format!("out: {}", scratch.line("build --no-link .#hi")));
    assert!(!scratch.path("repl-result-out").exists());
    scratch.write("repl-result-out", "mine");
    scratch.recipes(&SET.replace("write $out hi", "write $out ho"));
    answers(&scratch, &["repl", "."], ":bl hi\n").fails(1, &["repl-result-out exists and is not a link"]);
    assert_eq!(scratch.entries("store").iter().filter(|name| name.ends_with("-hi")).count(), 1, "nothing is built");
    scratch.recipes(SET);
    std::fs::remove_file(scratch.path("repl-result-out")).unwrap();
    assert_eq!(answers(&scratch, &["repl", "."], ":bl hi\n").ok().lines(), &lines[1..2]);
    assert_eq!(std::fs::read(scratch.path("repl-result-out")).unwrap(), b"hi\n");
    assert!(scratch.larder("roots").ok().stdout.contains("repl-result-out"));
}

#[test]
fn files_are_loaded_anew() {
    let scratch = Scratch::new(SET);
    scratch.write("one.nix", "{ /** The one. */ one = 1; }");
    scratch.write("editor", "#!/bin/sh\necho \"$1\" >&2\necho '{ one = 2; }' > \"$2\"\n");
    let mut chmod = Command::new("chmod");
    assert!(chmod.arg("+x").arg(scratch.path("editor")).status().unwrap().success());
    let mut command = scratch.command(["repl"]);
    command.env("VISUAL", scratch.path("editor"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = ":l one.nix\n:doc { inherit one; x = (import ./one.nix).one; }.x\n";
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    Ran::from(child.wait_with_output().unwrap()).fails(1, &["has no documentation", "/** … */"]);
    let mut child = command.spawn().unwrap();
    let lines = ":l one.nix\nkept = 1\n:doc (import ./one.nix).one\none\n:e ./one.nix\none\n:r\none\nkept\n";
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).fails(3, &["+1", "undefined variable `kept`"]);
    assert!(ran.stdout.contains("one.nix:1:19\n\nThe one.\n1\n2\n2\n"), "{}", ran.stdout);
}

/// larder on a terminal of its own.
struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn new(scratch: &Scratch, words: &[&str]) -> Self {
        let terminal = nix::pty::openpty(None, None).unwrap();
        // Who has this end keeps the terminal from hanging up.
        fcntl(&terminal.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        let end = || Stdio::from(terminal.slave.try_clone().unwrap());
        let larder = scratch.command(words);
        // Whoever runs the tests may ignore signals, and what is ignored stays so in children.
        let mut command = Command::new("env");
        command
            .args(["--default-signal=INT", "setsid", "--ctty", "--wait"])
            .arg(larder.get_program())
            .args(larder.get_args());
        command.current_dir(larder.get_current_dir().unwrap()).env("LARDER_HOME", scratch.home());
        command.env("XDG_STATE_HOME", scratch.path("state")).env("TERM", "xterm").env("NO_COLOR", "1");
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let keyboard = terminal.master.try_clone().unwrap();
        read_screen(terminal.master, Arc::clone(&screen));
        Self { child, keyboard: File::from(keyboard), screen }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen has shown a text since this was last called, and forgets what was shown.
    #[track_caller]
    fn expect(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let mut screen = self.screen.lock().unwrap();
            if let Some(at) = screen.find(text) {
                screen.drain(..at + text.len());
                return;
            }
            assert!(Instant::now() < end, "`{text}` is not shown, but:\n{screen}");
            drop(screen);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended, unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_screen(master: OwnedFd, screen: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut master = File::from(master);
        let mut buffer = [0; 4096];
        // The last one to have the other end closes it: that is an error here.
        while let Ok(length @ 1..) = master.read(&mut buffer) {
            screen.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    });
}

#[test]
fn a_terminal_has_completion_history_and_interruption() {
    let scratch = Scratch::new(SET);
    let mut terminal = Terminal::new(&scratch, &["repl", "."]);
    terminal.expect("added 3 variables");
    terminal.expect("larder> ");
    terminal.press("lib.tw\t 21\r");
    terminal.expect("42\r\n");
    terminal.expect("larder> ");
    terminal.press("[ 1\r2 ]\r");
    terminal.expect("[\r\n  1\r\n  2\r\n]\r\n");
    terminal.press("bad\r");
    terminal.expect("error[");
    terminal.expect("larder> ");
    terminal.press("let f = n: if n < 2 then n else f (n - 1) + f (n - 2); in f 60\r");
    terminal.expect("f 60");
    // Typed while the evaluation runs; at the prompt the key only clears the line.
    std::thread::sleep(Duration::from_millis(1000));
    terminal.press("\x03");
    terminal.expect("interrupted");
    terminal.expect("larder> ");
    terminal.press("cleared\x03");
    terminal.expect("larder> ");
    terminal.press("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\r");
    terminal.expect("42\r\n");
    terminal.expect("larder> ");
    terminal.press("\x04");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
    let history = std::fs::read_to_string(scratch.path("state/larder/repl-history")).unwrap();
    assert!(history.contains("lib.twice 21\n[ 1\\n2 ]\nbad\n"), "{history}");
}

#[test]
fn what_evaluation_waits_for_is_interrupted_with_it() {
    let scratch = Scratch::new(r#"{ slow = mini "slow" "sleep 600" { }; }"#);
    let mut terminal = Terminal::new(&scratch, &["repl", "."]);
    terminal.expect("larder> ");
    terminal.press("builtins.readFile slow\r");
    terminal.expect("building slow, which evaluation needs");
    terminal.press("\x03");
    terminal.expect("evaluation was interrupted");
    terminal.expect("larder> ");
    wait_until("what the build staged is gone", || scratch.entries("tmp").is_empty());
    terminal.press("6 * 7\r");
    terminal.expect("42\r\n");
    terminal.expect("larder> ");
    terminal.press("\x04");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
}
