//! Interactive runs on a terminal, and runs that must not see it.

use crate::testutil::{Fixture, start_spawner};
use builder::sandbox::Status;
use builder::spawner::Terminal;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

/// Run by the tests below on a terminal of its own: runs the script given in the sandbox, on that terminal.
#[test]
#[ignore = "only run by other tests, in a process of its own"]
fn a_larder_on_a_terminal() {
    let mut fixture = Fixture::script(&std::env::var("LARDER_TEST_SCRIPT").unwrap());
    fixture.spec.interactive = std::env::var_os("LARDER_TEST_INTERACTIVE").is_some();
    let own = |fd| rustix::io::fcntl_dupfd_cloexec(fd, 3).unwrap();
    use std::os::fd::AsFd;
    let terminal = Terminal {
        stdin: own(io::stdin().as_fd()),
        stdout: own(io::stdout().as_fd()),
        stderr: own(io::stderr().as_fd()),
    };
    // As larder does: the interrupt is for the guest.
    // SAFETY: ignoring a signal installs no handler.
    unsafe {
        nix::sys::signal::signal(nix::sys::signal::Signal::SIGINT, nix::sys::signal::SigHandler::SigIgn).unwrap()
    };
    let outcome = start_spawner().start_on_terminal(&fixture.spec, terminal).unwrap().wait().unwrap();
    println!("outcome: {:?}", outcome.status);
    assert!(matches!(outcome.status, Status::Exited(_)));
}

/// What appears on a terminal on which the test above runs `script`.
fn on_terminal(script: &str, interactive: bool, typed: &str) -> String {
    let this = std::env::current_exe().unwrap();
    let command =
        format!("{} --ignored --exact --nocapture test_sandbox_terminal::a_larder_on_a_terminal", this.display());
    let mut process = Command::new("script");
    process.args(["-qec", &command, "/dev/null"]).env("LARDER_TEST_SCRIPT", script).env("SHELL", "/bin/sh");
    if interactive {
        process.env("LARDER_TEST_INTERACTIVE", "1");
    }
    let mut process = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keyboard, mut screen) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
    let (mut text, mut buffer, mut typed) = (String::new(), [0; 1024], Some(typed));
    loop {
        let length = screen.read(&mut buffer).unwrap();
        if length == 0 {
            break;
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        if text.contains("ready") {
            keyboard.write_all(typed.take().unwrap_or("").as_bytes()).unwrap();
        }
    }
    process.wait().unwrap();
    text.replace('\r', "")
}

#[test]
fn an_interactive_guest_has_the_terminal() {
    let text = on_terminal(
        "test -t 0 && test -t 1 && echo isatty; echo via tty > /dev/tty; stty size >/dev/null && echo stty",
        true,
        "",
    );
    assert!(text.contains("isatty\nvia tty\nstty\noutcome: Exited(0)"), "{text}");
}

#[test]
fn an_interactive_shell_has_job_control() {
    let script = "set -m; sleep 100 & kill %1; wait %1; echo waited $?; bash -i -c 'echo inner' 2>&1";
    let text = on_terminal(script, true, "");
    assert!(text.contains("waited 143") && text.contains("inner\n"), "{text}");
    assert!(!text.contains("no job control"), "{text}");
}

#[test]
fn the_terminals_interrupt_reaches_the_guest_and_not_the_spawner() {
    let script = "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.1; done";
    let text = on_terminal(script, true, "\u{3}");
    assert!(text.contains("interrupted\noutcome: Exited(9)"), "{text}");
}

#[test]
fn a_guest_that_is_not_interactive_has_no_controlling_terminal() {
    let text = on_terminal("(echo x > /dev/tty) 2>/dev/null && echo opened || echo none", false, "");
    assert!(text.contains("none\noutcome: Exited(0)"), "{text}");
}
