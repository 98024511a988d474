//! Evaluates a file or expression and prints the result: for measurements without the command line around it.
//!
//! `evaluate [--strict | --json | --xml] FILE` or `… -E EXPRESSION`

#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr, reason = "a program, not the library")]

#[path = "../tests/host_io.rs"]
mod host_io;

use eval::{Failure, RenderOptions, Session, Settings, render};
use std::io::Write;
use std::sync::Arc;

/// As in larder itself, so that measurements here hold there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut settings = Settings::new("x86_64-linux");
    settings.pipe_operators = arguments.iter().any(|argument| argument == "--pipes");
    settings.threads = if arguments.iter().any(|argument| argument == "--two") { 2 } else { 1 };
    settings.ahead = arguments.iter().any(|argument| argument == "--strict" || argument == "--json");
    let session = Session::new(settings, Arc::new(host_io::HostIo::default()));
    match evaluate(&session, &arguments) {
        Ok(mut text) => {
            text.push(b'\n');
            let written = std::io::stdout().write_all(&text);
            if written.is_ok() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
        }
        Err(failure) => {
            for diagnostic in failure {
                eprint!("{}", render(&diagnostic, session.sources(), RenderOptions::default()));
            }
            std::process::ExitCode::from(3)
        }
    }
}

fn evaluate(session: &Session, arguments: &[String]) -> Result<Vec<u8>, Failure> {
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let subject = arguments.last().map_or("", String::as_str);
    let directory = std::env::current_dir().unwrap_or_default();
    let value = if has("-E") {
        session.eval_expr(subject.as_bytes(), &directory)?
    } else {
        session.eval_file(&directory.join(subject))?
    };
    let value = session.auto_call(value, &eval::Arguments::default())?;
    if has("--json") {
        return session.print_json(value);
    }
    if has("--xml") {
        return session.print_xml(value, has("--strict"));
    }
    session.print(value, has("--strict"))
}
