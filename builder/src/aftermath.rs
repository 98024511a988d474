//! What a command that has ended leaves: outputs, which are sealed, and a site, which is kept if they are not what they must be, so that
//! somebody can look at it.
//!
//! Invariant: nothing that is sealed is ever again where a build can write, for its files may be objects.

use crate::builder::{Builder, Made};
use crate::error::BuildError;
use crate::resolve::Resolved;
use crate::sandbox::LEFT_INCOMPLETE;
use rustix::fs::Mode;
use std::path::{Path, PathBuf};
use store::OutputName;
use store::local::{At, IngestError, Sealed, Staging, StoreError};

/// What a command that succeeded leaves beside its outputs, until these are known to be what they must be.
pub(crate) struct Aftermath {
    /// Where it could write.
    pub(crate) site: Staging,
    /// The last lines it printed.
    pub(crate) tail: Vec<String>,
    /// All that it printed.
    pub(crate) log: PathBuf,
}

impl Builder<'_> {
    /// Keeps the files of a failed build, in the place of those of its last failure.
    pub(crate) fn keep(&self, resolved: &Resolved, site: Staging) -> Option<PathBuf> {
        if !self.settings().keep_failed {
            return None;
        }
        let place = self.kept_place(resolved);
        LEFT_INCOMPLETE.iter().for_each(|name| self.abandon(&site.path().join(name)));
        if place.exists() {
            let old = self.store().stage().ok()?;
            std::fs::rename(&place, old.path().join("old")).ok()?;
        }
        let from = site.keep();
        std::fs::rename(&from, &place).ok()?;
        Some(place)
    }

    /// Leaves the site of a command to others if its outputs were found to be what they must be.
    pub(crate) fn conclude(
        &self,
        resolved: &Resolved,
        aftermath: Option<Aftermath>,
        verified: Result<Made, BuildError>,
    ) -> Result<Made, BuildError> {
        let made = match verified {
            Ok(made) => made,
            Err(error) => return Err(self.refuse(error, resolved, aftermath)),
        };
        aftermath.into_iter().for_each(|aftermath| self.leave_site(aftermath.site));
        Ok(made)
    }

    /// Why outputs are not what they must be, with what the command has left.
    pub(crate) fn refuse(&self, error: BuildError, resolved: &Resolved, aftermath: Option<Aftermath>) -> BuildError {
        if !error.is_of_outputs() || resolved.action.resolved().builtin().is_some() {
            return error;
        }
        let (kept, tail, log) = match aftermath {
            Some(Aftermath { site, tail, log }) => (self.keep(resolved, site), tail, log),
            // They were verified once more: it is where the build of this action has left it, if that was one of this action.
            None => {
                let kept = Some(self.kept_place(resolved)).filter(|kept| kept.exists());
                (kept, Vec::new(), self.store().layout().log(&resolved.digest))
            }
        };
        BuildError::Refused { error: Box::new(error), tail, log, kept }
    }

    /// Seals what a build left in the directory of outputs of its site. Every process of the build is dead.
    pub(crate) fn take_outputs(
        &self,
        resolved: &Resolved,
        site: &Path,
    ) -> Result<Vec<(OutputName, Sealed)>, BuildError> {
        let expected = &resolved.action.resolved().outputs;
        let directory = site.join("out");
        let mut created = Vec::new();
        for entry in std::fs::read_dir(&directory).at("read directory", &directory)? {
            created.push(entry.at("read directory", &directory)?.file_name().to_string_lossy().into_owned());
        }
        created.sort_unstable();
        if let Some(output) = expected.iter().find(|output| !created.iter().any(|name| name == output.as_str())) {
            return Err(BuildError::MissingOutput { output: output.clone(), created });
        }
        if let Some(extra) = created.iter().find(|name| !expected.iter().any(|output| output.as_str() == name.as_str()))
        {
            return Err(BuildError::ExtraOutput(extra.escape_debug().to_string()));
        }
        expected.iter().map(|output| Ok((output.clone(), self.take_output(&directory, output)?))).collect()
    }

    fn take_output(&self, directory: &Path, output: &OutputName) -> Result<Sealed, BuildError> {
        let from = directory.join(output.as_str());
        let staging = self.store().reserve()?;
        let place = staging.path().to_owned();
        if from.symlink_metadata().at("stat", &from)?.is_dir() {
            // A directory can only be moved by those who may write to it.
            rustix::fs::chmod(&from, Mode::RWXU).at("change the mode of", &from)?;
        }
        std::fs::rename(&from, &place).at("rename", &from)?;
        self.store().seal(staging, &place).map_err(|error| match error {
            StoreError::Ingest(source) => BuildError::Output { output: output.clone(), source },
            other => other.into(),
        })
    }
}

/// Whether a tree is none by itself, and not for what the disk did or somebody else.
pub(crate) const fn is_no_tree(error: &IngestError) -> bool {
    !matches!(error, IngestError::Io(_) | IngestError::Changed { .. })
}
