//! Stopping a build's script where a phase begins.
//!
//! Nothing of the derivation is changed, so this works for every script of bash that keeps the name of its phase in the variable
//! `current_phase`, as those of the recipes do: bash sources the file that `BASH_ENV` names, which looks before every command
//! whether the phase has come.

use super::begin_with;
use crate::error::CliError;
use builder::sandbox::SandboxSpec;
use std::path::{Path, PathBuf};
use store::Derivation;

/// What the script sources.
const STOP: &str = include_str!("stop.bash");

/// Where the build sees it.
const STOP_AT: &str = "/larder/stop";

/// Refuses what has no phases: what is not built by a script of bash.
pub(super) fn must_have_phases(derivation: &Derivation) -> Result<(), CliError> {
    if let Some(name) = derivation.builtin() {
        return Err(CliError::failed(format!("builtin:{name} is done by larder itself, so it has no phases")));
    }
    let builder = &derivation.builder;
    if Path::new(builder).file_name().is_some_and(|name| name == "bash") {
        return Ok(());
    }
    let error = CliError::failed(format!("its builder `{builder}` is no script of bash, so it has no phases"));
    Err(error.hint("`larder shell` enters the sandbox before the build starts"))
}

/// A place where a build's script is to stop.
pub(super) struct Stop {
    /// Written when it stops.
    state: PathBuf,
}

impl Stop {
    /// Has the build of a specification stop before a phase and run a command, or a shell if that is empty.
    pub(super) fn put(spec: &mut SandboxSpec, place: &Path, phase: &str, command: &[String]) -> Result<Self, CliError> {
        begin_with(spec, &place.join("stop"), &script(phase, command), STOP_AT)?;
        Ok(Self { state: spec.build_dir.as_path().join(".larder-phase") })
    }

    /// Whether it did stop there.
    pub(super) fn was_reached(&self) -> bool {
        self.state.exists()
    }
}

fn script(phase: &str, command: &[String]) -> String {
    let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
    format!("larder_phase={}\nlarder_command=({})\n{STOP}", quoted(phase), words.join(" "))
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words() {
        let script = script("it's", &["a b".to_owned(), "$(c)".to_owned()]);
        assert!(script.starts_with("larder_phase='it'\\''s'\nlarder_command=('a b' '$(c)')\n"), "{script}");
    }
}
