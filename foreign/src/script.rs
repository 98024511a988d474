//! `build.sh`: its functions and commands, as far as they can be told without running it, and what should be otherwise.

mod conduct;
mod inputs;
mod lines;
mod phases;
mod read;

pub use phases::phases;
pub(crate) use read::{Script, Statement};

use crate::finding::Finding;
use crate::inspect::Recipe;
use crate::rule::Rule;

/// Functions that builders call.
const PHASES: [&str; 4] = ["configure", "build", "check", "do_install"];

/// Looks at the build.sh of a recipe.
pub(crate) fn inspect(recipe: &Recipe<'_>, findings: &mut Vec<Finding>) {
    let Some(script) = &recipe.script else { return };
    let mut found = Vec::new();
    inspect_functions(recipe, script, &mut found);
    conduct::inspect(recipe, script, &mut found);
    inputs::inspect(recipe, script, &mut found);
    findings.extend(found);
}

/// What installs: the function that `install_func` names.
fn installer<'a>(recipe: &Recipe<'a>, script: &Script) -> String {
    match &recipe.manifest.install_function {
        Some(name) => name.value.clone(),
        None if script.function("do_install").is_none() && script.function("install").is_some() => "install".to_owned(),
        None => "do_install".to_owned(),
    }
}

fn inspect_functions(recipe: &Recipe<'_>, script: &Script, findings: &mut Vec<Finding>) {
    let file = recipe.files.script_path();
    let installer = installer(recipe, script);
    let Some(install) = script.function(&installer) else {
        let message = format!("there is no function `{installer}`");
        let known = script.functions().map(|function| function.name.as_bytes());
        let near = eval::near::did_you_mean(installer.as_bytes(), known);
        findings.push(Finding::new(Rule::NoInstall, file, 1, message).maybe_hint(near));
        return;
    };
    let phases = PHASES.iter().take(3).filter_map(|phase| script.function(phase));
    if phases.chain([install]).all(|function| function.does_nothing()) {
        let message = "all phases do nothing";
        findings.push(Finding::new(Rule::Stub, &file, install.line, message));
    } else if install.does_nothing() {
        let message = format!("`{installer}` does nothing");
        findings.push(Finding::new(Rule::Stub, &file, install.line, message));
    }
    if !script.sets_errexit() {
        findings.push(Finding::new(Rule::NoErrexit, &file, 1, "`set -e` is missing"));
    }
}
