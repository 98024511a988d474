//! Stopping a build's script where a phase begins.
//!
//! Nothing of the derivation is changed, so this works for every script of bash that keeps the name of its phase in the variable
//! `current_phase`, as those of the recipes do: bash sources the file that `BASH_ENV` names, which looks before every command
//! whether the phase has come.

use super::begin_with;
use crate::error::CliError;
use builder::sandbox::SandboxSpec;
use std::io::Read;
use std::path::{Path, PathBuf};
use store::local::LocalStore;
use store::store_path::STORE_DIR;
use store::{Derivation, StorePath, TreePath};

/// What the script sources.
const STOP: &str = include_str!("stop.bash");

/// What is longer is no script that somebody wrote.
const LONGEST: u64 = 1 << 20;

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

/// Refuses a phase that a derivation's script has not, as far as that can be told: not of one that has still to be built.
pub(super) fn must_have(store: &LocalStore, derivation: &Derivation, phase: &str) -> Result<(), CliError> {
    let read = |path: &str| read(store, path);
    let known = script_of(derivation, &read).and_then(|script| foreign::phases(&script, &derivation.env, &read));
    let Some(known) = known.filter(|known| known.iter().all(|name| name != phase)) else { return Ok(()) };
    let error = CliError::usage(format!("the build of {} has no phase `{phase}`", derivation.name));
    let near = eval::near::did_you_mean(phase.as_bytes(), known.iter().map(String::as_bytes));
    let error = near.into_iter().fold(error, CliError::hint);
    Err(error.hint(format!("its phases are: {}", known.join(", "))))
}

/// What bash runs: the text after `-c`, or the file that is its first argument.
fn script_of(derivation: &Derivation, read: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (options, rest) =
        derivation.args.split_at(derivation.args.iter().take_while(|word| word.starts_with('-')).count());
    let is_text = options.iter().any(|option| !option.starts_with("--") && option.contains('c'));
    let first = rest.first()?;
    if is_text { Some(first.clone()) } else { read(first) }
}

/// A text file of a tree that is in the store.
fn read(store: &LocalStore, path: &str) -> Option<String> {
    let inside = path.strip_prefix(STORE_DIR)?.strip_prefix('/')?;
    let (base, inside) = inside.split_once('/').unwrap_or((inside, ""));
    let path = StorePath::parse_base_name(base).ok()?;
    let file = store.open_file(&path, &TreePath::parse(inside.as_bytes()).ok()?).ok()?;
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).ok()?;
    (text.len() as u64 <= LONGEST).then_some(text)
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
