//! Telling of builds that evaluation waits for: programs and the timeline get them as they get the rest of what a command builds, in
//! one stream. People are told otherwise.

use super::{LogFormat, Mode, Progress, WatchArgs, json};
use crate::error::CliError;
use crate::output;
use builder::Event;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What is told of before the run that a command is for, and is gone on with then.
#[derive(Clone, Default)]
pub(super) struct Early(Arc<Mutex<Option<Progress>>>);

impl fmt::Debug for Early {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Early").finish_non_exhaustive()
    }
}

impl Early {
    fn replace(&self, progress: Option<Progress>) -> Option<Progress> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), progress)
    }
}

impl WatchArgs {
    /// Begins to tell of a run of so many jobs at a time, or goes on with what is told of already.
    ///
    /// # Errors
    /// As [`Progress::start`].
    pub(crate) fn progress(&self, quiet: bool, slots: usize) -> Result<Progress, CliError> {
        self.early.replace(None).map_or_else(|| Progress::start(quiet, slots, self), Ok)
    }

    /// The same for what evaluation waits for; `None` if only people are told of it.
    ///
    /// # Errors
    /// As [`Progress::start`].
    pub(crate) fn early_progress(&self, quiet: bool, slots: usize) -> Result<Option<Progress>, CliError> {
        let is_told = self.log_format == LogFormat::Json || self.trace_out.is_some();
        is_told.then(|| self.progress(quiet, slots)).transpose()
    }

    /// Keeps what [`Self::early_progress`] gave, to be gone on with.
    pub(crate) fn keep(&self, progress: Option<Progress>) {
        self.early.replace(progress);
    }
}

impl Progress {
    /// Takes in an event of what evaluation waits for; may be called from any thread. Says whether it was told.
    pub(crate) fn take_early(&self, event: &Event) -> bool {
        let time = Instant::now().saturating_duration_since(self.shared.began);
        let mut told = self.shared.told();
        told.timeline.iter_mut().for_each(|timeline| timeline.take(event, time));
        let is_told = self.shared.mode == Mode::Json;
        if is_told {
            output::error(&format!("{}\n", json::event(event, time)));
        }
        is_told
    }
}
