//! The crate's integration tests, as one binary.
#![cfg(feature = "local")]
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]

mod damage_scene;
mod fault_scene;
mod support;
mod test_closure;
mod test_concurrency;
mod test_faults;
mod test_full_disk;
mod test_garbage;
mod test_golden;
mod test_hostile;
mod test_index;
mod test_lost_records;
mod test_missing;
mod test_model;
mod test_model_processes;
mod test_power;
mod test_records;
mod test_repair;
mod test_store;
mod test_unprivileged;
mod test_verify;

/// A file of tests that is not named above would never run.
#[test]
fn no_test_file_is_forgotten() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let this = std::fs::read_to_string(format!("{here}/runner.rs")).expect("readable");
    for name in support::names(std::path::Path::new(here)) {
        let module = name.trim_end_matches(".rs");
        assert!(!name.starts_with("test_") || this.contains(&format!("mod {module};")), "{name} is not in runner.rs");
    }
}
