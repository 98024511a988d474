//! The one test binary of this crate.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod artifacts;
mod memory_tree;
mod test_decode;
mod test_diff;
mod test_hostile;
mod test_render;

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
