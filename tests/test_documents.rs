//! Documents say what is so: every path they name exists, every crate, module and command is named.

use crate::harness::Scratch;
use std::path::Path;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(REPOSITORY).join(name)).unwrap()
}

/// What stands between backquotes and looks like a path of this repository.
fn named_paths(text: &str) -> Vec<&str> {
    let tops = [
        "store/src",
        "eval/src",
        "builder/src",
        "repro/src",
        "foreign/src",
        "src/",
        "recipes/",
        "testdata/",
        "benches/",
        "examples/",
    ];
    text.split('`').skip(1).step_by(2).filter(|quoted| tops.iter().any(|top| quoted.starts_with(top))).collect()
}

/// Asserts that the README shows a path of the store as it is: eight characters of its digest and its name.
pub(crate) fn is_in_the_readme(path: &str) {
    let (digest, name) = path.trim_start_matches("/larder/store/").split_once('-').unwrap();
    let shown = format!("/larder/store/{}…-{name}\n", &digest[..8]);
    assert!(read("README.md").contains(&shown), "README.md does not show {shown}");
}

#[test]
fn every_path_in_the_documents_exists() {
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "recipes/README.md", "docs/json.md"] {
        for path in named_paths(&read(document)) {
            let path = path.split(['#', ' ', '<', '*']).next().unwrap();
            assert!(Path::new(REPOSITORY).join(path).exists(), "{document} names {path}");
        }
    }
    assert!(named_paths(&read("ARCHITECTURE.md")).len() > 10, "the paths are found");
}

#[test]
fn every_module_of_the_libraries_is_in_the_architecture() {
    let architecture = read("ARCHITECTURE.md");
    for name in ["store", "builder", "repro", "foreign"] {
        assert!(architecture.contains(&format!("### `{name}`")), "{name}");
        for line in read(&format!("{name}/src/lib.rs")).lines() {
            let Some(module) = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod ")) else { continue };
            let module = module.trim_end_matches(';');
            assert!(architecture.contains(&format!("`{module}`")), "{name}::{module} is not in ARCHITECTURE.md");
        }
    }
}

#[test]
fn every_command_is_in_the_changelog() {
    let changelog = read("CHANGELOG.md");
    for entry in std::fs::read_dir(Path::new(REPOSITORY).join("src/commands")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().replace('_', "-");
        assert!(changelog.contains(&format!("`{}`", name.trim_end_matches(".rs"))), "{name} is not in CHANGELOG.md");
    }
}

#[test]
fn the_words_of_recipes_do_what_they_must() {
    let scratch = Scratch::new("{ }");
    for cases in ["vocabulary.nix", "intergenos.nix"] {
        let cases = Path::new(REPOSITORY).join("recipes/lib/tests").join(cases);
        assert_eq!(scratch.line(&format!("eval --strict --file {}", cases.display())), "[ ]");
    }
}
