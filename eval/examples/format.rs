//! Formats standard input.

#![allow(clippy::print_stderr, reason = "a program, not the library")]

use std::io::{Read, Write};

fn main() -> std::process::ExitCode {
    let mut text = Vec::new();
    if std::io::stdin().read_to_end(&mut text).is_err() {
        return std::process::ExitCode::FAILURE;
    }
    match eval::format::format("standard input", &text) {
        Ok(formatted) if std::io::stdout().write_all(&formatted).is_ok() => std::process::ExitCode::SUCCESS,
        Ok(_) => std::process::ExitCode::FAILURE,
        Err(parsed) => {
            for diagnostic in parsed.diagnostics() {
                eprint!("{}", eval::render(diagnostic, parsed.sources(), eval::RenderOptions::default()));
            }
            std::process::ExitCode::FAILURE
        }
    }
}
