//! Outputs that were refused after their command had succeeded: kept, to be verified again instead of made again when what they are
//! verified against (`runtime`, what that needs, a fixed hash) is another.
//!
//! Below `tmp/`, by the digest of the command (see [`store::Action::command_digest`]), and collected like the files of failed builds:
//!
//! ```text
//! refused-<command>/made             { "version": 1, "action": …, "outputs": {name: tree digest}, "finished": …, … }
//! refused-<command>/outputs/<name>   each output, sealed
//! failed-<action>/made               the same note beside the other files of that build: these outputs are its own
//! ```
//!
//! *Invariants:* what is kept is not in `store/`, and nobody uses it but who verifies it; who enters the failed build gets copies. It counts
//! only if every tree still has its digest: who takes it hashes it. Whoever takes it moves it away first, so that one does.

use crate::aftermath::Aftermath;
use crate::builder::{Builder, Made};
use crate::error::BuildError;
use crate::event::How;
use crate::passed::STRUCTURED;
use crate::resolve::Resolved;
use crate::site;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use store::local::{At, BuildCost, IoError, Sealed, Staging, StoreError};
use store::{ActionDigest, OutputName, TreeDigest};

const VERSION: u32 = 1;

/// What is known of outputs that are kept.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    version: u32,
    /// Whose command it was that ran, and whose logs there are.
    action: ActionDigest,
    outputs: BTreeMap<String, TreeDigest>,
    finished: u64,
    duration_ms: u64,
    cpu_ms: u64,
    memory: u64,
}

impl Note {
    fn of(action: ActionDigest, made: &Made) -> Self {
        let BuildCost { finished, duration_ms, cpu_ms, memory } = made.cost;
        let outputs = made.outputs.iter().map(|(output, sealed)| (output.to_string(), sealed.digest())).collect();
        Self { version: VERSION, action, outputs, finished, duration_ms, cpu_ms, memory }
    }

    fn read(directory: &Path) -> Option<Self> {
        let text = std::fs::read(note_place(directory)).ok()?;
        serde_json::from_slice(&text).ok().filter(|note: &Self| note.version == VERSION)
    }

    const fn cost(&self) -> BuildCost {
        let Self { finished, duration_ms, cpu_ms, memory, .. } = *self;
        BuildCost { finished, duration_ms, cpu_ms, memory }
    }
}

fn note_place(directory: &Path) -> PathBuf {
    directory.join("made")
}

fn write_note(directory: &Path, text: &[u8]) -> Result<(), IoError> {
    let place = note_place(directory);
    std::fs::write(&place, text).at("write", &place)
}

/// Copies what is sealed, with ordinary modes.
fn copy(from: &Path, to: &Path) -> Result<(), IoError> {
    let data = from.symlink_metadata().at("stat", from)?;
    if data.is_symlink() {
        let target = std::fs::read_link(from).at("read link", from)?;
        return symlink(target, to).at("create link", to);
    }
    if !data.is_dir() {
        std::fs::copy(from, to).at("copy", from)?;
        let mode = if data.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
        return std::fs::set_permissions(to, Permissions::from_mode(mode)).at("change the mode of", to);
    }
    site::make_directory(to)?;
    for entry in std::fs::read_dir(from).at("read directory", from)? {
        let name = entry.at("read directory", from)?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

fn output_place(directory: &Path, output: &OutputName) -> PathBuf {
    directory.join("outputs").join(output.as_str())
}

impl Builder<'_> {
    fn refused_place(&self, resolved: &Resolved) -> PathBuf {
        self.store().layout().tmp().join(format!("refused-{}", resolved.action.command_digest()))
    }

    /// Verifies what a command made. What is refused, or could not be looked at, is kept. `aftermath` is what else the command left, if it
    /// has just run.
    pub(crate) fn verify_or_keep(
        &self,
        resolved: &Resolved,
        made: Made,
        aftermath: Option<&Aftermath>,
        how: How,
        verify: &dyn Fn(&Made) -> Result<(), BuildError>,
    ) -> Result<Made, BuildError> {
        let Err(mut error) = verify(&made) else { return Ok(made) };
        if !self.settings().keep_failed && how == How::Verified {
            made.outputs.iter().for_each(|(_, sealed)| self.abandon(sealed.path()));
        }
        if self.settings().keep_failed && resolved.action.resolved().builtin().is_none() {
            // Where there is no room for it, it is made again.
            let is_kept = self.keep_refused(resolved, made, aftermath).is_ok();
            // Structured attributes are in a file that the command reads: with any change of them it is another command.
            let is_structured = resolved.action.resolved().env.contains_key(STRUCTURED);
            if let BuildError::Runtime { kept, .. } = &mut error {
                *kept = is_kept && !is_structured;
            }
        }
        Err(error)
    }

    /// Keeps outputs in the place of those that were refused before.
    fn keep_refused(&self, resolved: &Resolved, made: Made, aftermath: Option<&Aftermath>) -> Result<(), StoreError> {
        let staging = self.store().stage()?;
        let note = Note::of(resolved.digest, &made);
        let outputs = staging.path().join("outputs");
        std::fs::create_dir(&outputs).at("create directory", &outputs)?;
        for (output, sealed) in made.outputs {
            std::fs::rename(sealed.path(), output_place(staging.path(), &output)).at("rename", sealed.path())?;
        }
        let note = serde_json::to_vec(&note).expect("plain data");
        write_note(staging.path(), &note)?;
        let place = self.refused_place(resolved);
        self.abandon(&place);
        let from = staging.path().to_owned();
        std::fs::rename(&from, &place).at("rename", &from)?;
        drop(staging.keep());
        // Without it they are not shown with the other files, and that is all.
        aftermath.into_iter().for_each(|aftermath| drop(write_note(aftermath.site.path(), &note)));
        Ok(())
    }

    /// Puts copies of the outputs of a failed build where its command had made them, if that succeeded and they were refused and are kept.
    /// What is there already stays.
    ///
    /// # Errors
    /// When they cannot be copied.
    pub fn show_refused(&self, resolved: &Resolved) -> Result<(), BuildError> {
        let (failed, refused) = (self.kept_place(resolved), self.refused_place(resolved));
        let note = |directory: &Path| std::fs::read(note_place(directory)).ok();
        // What is kept may be of another time, or of another action with the same command.
        if note(&failed).is_none_or(|text| note(&refused) != Some(text)) {
            return Ok(());
        }
        for output in &resolved.action.resolved().outputs {
            let place = failed.join("out").join(output.as_str());
            if place.symlink_metadata().is_err() {
                let staging = self.store().stage()?;
                let copied = staging.path().join("copy");
                copy(&output_place(&refused, output), &copied)?;
                std::fs::rename(&copied, &place).at("rename", &copied)?;
            }
        }
        Ok(())
    }

    /// Whether what was refused is verified before anything is built: who asks for a build, or for what can be seen of one, gets one.
    pub(crate) fn takes_refused(&self, again: bool) -> bool {
        !again && !self.settings().retry && !self.settings().trace_inputs
    }

    /// Whether something that this command made is kept.
    pub(crate) fn has_refused(&self, resolved: &Resolved) -> bool {
        resolved.action.resolved().builtin().is_none() && self.refused_place(resolved).exists()
    }

    /// What a command made that was refused, as it was made, for who can verify it against something else.
    pub(crate) fn take_refused(&self, resolved: &Resolved) -> Option<Made> {
        if !self.has_refused(resolved) {
            return None;
        }
        let place = self.refused_place(resolved);
        // Whatever is wrong with it, it can be made again.
        let directory = self.move_away(&place).ok()??;
        let taken = self.take_from(directory.path(), resolved);
        if taken.is_none() {
            self.abandon(directory.path());
        }
        taken
    }

    fn take_from(&self, directory: &Path, resolved: &Resolved) -> Option<Made> {
        let note = Note::read(directory)?;
        let expected = &resolved.action.resolved().outputs;
        let taken = expected.iter().map(|output| {
            let sealed = self.seal_again(&output_place(directory, output)).ok()?;
            if note.outputs.get(output.as_str()) == Some(&sealed.digest()) {
                return Some((output.clone(), sealed));
            }
            self.abandon(sealed.path());
            None
        });
        let outputs = taken.collect::<Option<Vec<_>>>()?;
        self.share_logs(&note.action, &resolved.digest);
        Some(Made { outputs, cost: note.cost() })
    }

    /// Gives what nobody will take any more to the next collection, for it may have the last links to objects.
    pub(crate) fn abandon(&self, place: &Path) {
        // What cannot be moved is removed, by who has it or by age.
        let _ = self.store().abandon(place);
    }

    /// Moves what is kept to where only this process looks; nothing if nothing is kept.
    fn move_away(&self, place: &Path) -> Result<Option<Staging>, StoreError> {
        let staging = self.store().reserve()?;
        match std::fs::rename(place, staging.path()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            moved => Ok(moved.at("rename", place).map(|()| Some(staging))?),
        }
    }

    fn seal_again(&self, from: &Path) -> Result<Sealed, StoreError> {
        let staging = self.store().reserve()?;
        let place = staging.path().to_owned();
        std::fs::rename(from, &place).at("rename", from)?;
        self.store().seal(staging, &place)
    }

    /// What was told and used by the command is that of every action of it.
    fn share_logs(&self, from: &ActionDigest, to: &ActionDigest) {
        let logs = self.store().layout().logs();
        for kind in ["zst", "usage", "inputs"].iter().filter(|_| from != to) {
            // To be looked at by people: the outputs are what counts.
            let _ = std::fs::copy(logs.join(format!("{from}.{kind}")), logs.join(format!("{to}.{kind}")));
        }
    }
}
