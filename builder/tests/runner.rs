//! The one test binary of this crate.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test that cannot run here says so")]

mod archives;
mod http_server;
mod realising;
mod test_build;
mod test_fetch;
mod test_graphs;
mod test_hostile_builds;
mod test_known_failures;
mod test_limits;
mod test_refused;
mod test_sandbox_as_user;
mod test_sandbox_basics;
mod test_sandbox_builds;
mod test_sandbox_circumstances;
mod test_sandbox_hostile;
mod test_sandbox_terminal;
mod test_sandbox_trace;
mod test_sandbox_unavailable;
mod test_sealed;
mod test_unpack;
mod testutil;
mod tls_server;

use std::io::Write;

/// Says that a test cannot run here, and what was not tried for that. What a test prints is seen only if it fails; this is seen always.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A file of tests that is not named above would never run.
#[test]
fn no_test_file_is_forgotten() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let this = std::fs::read_to_string(format!("{here}/runner.rs")).unwrap();
    for entry in std::fs::read_dir(here).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs").to_owned();
        assert!(!name.starts_with("test_") || this.contains(&format!("mod {module};")), "{name} is not in runner.rs");
    }
}
