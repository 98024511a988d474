//! The tests of the crate from outside: one binary, one module per subject.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests read their data and run the real Nix; the library does neither"
)]

mod host_io;
mod programs;
mod rough;
mod test_analysis;
mod test_builtins;
mod test_deep;
mod test_derivation;
mod test_dialogue;
mod test_differential;
mod test_errors;
mod test_fixes;
mod test_format;
mod test_hostile;
mod test_interface;
mod test_language;
mod test_lint;
mod test_properties;
mod test_reads;
mod test_threads;
mod test_tree;

use std::io::Write;

/// Says that a test cannot run here, and what was not tried for that. What a test prints is seen only if it fails; this is seen always.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A test file that no module names would silently not run.
#[test]
fn no_file_is_forgotten() {
    let runner = include_str!("runner.rs");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).expect("the tests are here") {
        let name = entry.expect("readable").file_name().into_string().expect("plain names");
        let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "runner") else { continue };
        assert!(runner.contains(&format!("\nmod {module};\n")), "{name} is not run");
    }
}
