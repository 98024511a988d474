//! End-to-end tests of the command line: larder as its users call it, on stores and recipes of their own.
//!
//! Builds run in a root with one static program, `mini.c`, so that nothing is fetched. Only `test_network` and `test_system` fetch, the
//! seed of the recipe tree once for all their tests, and only when `LARDER_TEST_NETWORK` is set.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that cannot run says so"
)]

mod harness;
mod test_attributes;
mod test_bad_input;
mod test_bad_paths;
mod test_build;
mod test_command_lines;
mod test_compare;
mod test_documents;
mod test_early_cutoff;
mod test_evaluate;
mod test_exit_codes;
mod test_fetch;
mod test_format;
mod test_full_disk;
mod test_garbage;
mod test_incremental;
mod test_interruption;
mod test_json;
mod test_links;
mod test_lint;
mod test_lint_trees;
mod test_lsp;
mod test_measurements;
mod test_namespaces;
mod test_network;
mod test_newcomer;
mod test_phases;
mod test_queries;
mod test_questions;
mod test_read_only;
mod test_rebuilds;
mod test_repl;
mod test_sources;
mod test_system;
mod test_traced_inputs;
mod test_watching;

#[test]
fn no_file_is_forgotten() {
    let listed = include_str!("runner.rs");
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for entry in std::fs::read_dir(directory).expect("the directory of this file") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let module = name.strip_suffix(".rs").filter(|module| *module != "runner");
        assert!(
            module.is_none_or(|module| listed.contains(&format!("mod {module};"))),
            "{name} is no module of runner.rs"
        );
    }
}
