//! Failures that are remembered: an action that failed of itself fails again, so it is not tried until somebody asks for it.
//!
//! Kept beside the log, as `logs/<action>.failed`, and collected with it. Canonical JSON would gain nothing: nobody compares it.
//!
//! ```text
//! { "version": 1, "finished": ms since the epoch, "message": text, "tail": [last lines], "kept": path or null }
//! ```
//!
//! *Invariant:* only what the action itself came to is remembered, never what came of this machine: see
//! [`BuildError::is_lasting`]. What cannot be read is forgotten.

use crate::error::BuildError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::ActionDigest;
use store::local::{At, IoError};

const VERSION: u32 = 1;

/// An action that failed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFailure {
    version: u32,
    /// When, in milliseconds since the epoch.
    finished: u64,
    /// Why.
    pub message: String,
    /// The last lines it printed.
    pub tail: Vec<String>,
    /// Where its files were kept.
    pub kept: Option<PathBuf>,
}

impl KnownFailure {
    /// What is to be remembered of an error, if it is one that lasts.
    pub(crate) fn of(error: &BuildError) -> Option<Self> {
        let left = error.left();
        error.is_lasting().then(|| Self {
            version: VERSION,
            finished: milliseconds(SystemTime::now()),
            message: error.to_string(),
            tail: left.tail.to_vec(),
            kept: left.kept.map(Path::to_owned),
        })
    }

    /// When, in seconds since the epoch.
    #[must_use]
    pub const fn finished(&self) -> u64 {
        self.finished / 1000
    }

    /// How long ago it was.
    #[must_use]
    pub fn age(&self) -> Duration {
        Duration::from_millis(milliseconds(SystemTime::now()).saturating_sub(self.finished))
    }

    /// Whether it was after a moment.
    pub(crate) fn is_after(&self, moment: SystemTime) -> bool {
        self.finished > milliseconds(moment)
    }

    pub(crate) fn read(logs: &Path, action: &ActionDigest) -> Option<Self> {
        let text = std::fs::read(place(logs, action)).ok()?;
        serde_json::from_slice(&text).ok().filter(|known: &Self| known.version == VERSION)
    }

    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, logs: &Path, action: &ActionDigest) -> Result<(), IoError> {
        let place = place(logs, action);
        // Only who holds the action's lock writes.
        let partial = place.with_extension("failed-partial");
        std::fs::write(&partial, serde_json::to_vec(self).unwrap_or_default()).at("write", &partial)?;
        std::fs::rename(&partial, &place).at("rename", &partial)
    }

    /// Forgets what is remembered, if anything is.
    pub(crate) fn forget(logs: &Path, action: &ActionDigest) {
        // What is left is overwritten, or found wrong by who builds all the same.
        let _ = std::fs::remove_file(place(logs, action));
    }
}

fn place(logs: &Path, action: &ActionDigest) -> PathBuf {
    logs.join(format!("{action}.failed"))
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A time as `5 s`, `3 min`, `2 h` or `4 days`.
pub(crate) fn roughly(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::Ending;
    use crate::limits::Overrun;

    fn failed(ending: Ending) -> BuildError {
        let (tail, log) = (vec!["last".to_owned()], PathBuf::new());
        BuildError::Builder { ending, duration: Duration::from_secs(1), tail, log, kept: None, lack: None }
    }

    #[test]
    fn what_is_remembered_is_read_back_and_forgotten() {
        let directory = tempfile::tempdir().expect("a directory");
        let action = ActionDigest::from_bytes([1; 32]);
        assert_eq!(KnownFailure::read(directory.path(), &action), None);
        let before = SystemTime::now() - Duration::from_secs(1);
        let known = KnownFailure::of(&failed(Ending::Exited(3))).expect("it lasts");
        assert_eq!(
            (known.message.as_str(), &known.tail[..]),
            ("the builder failed with exit status 3 after 1.0 s", &["last".to_owned()][..])
        );
        assert!(known.is_after(before) && !known.is_after(SystemTime::now() + Duration::from_secs(1)));
        known.write(directory.path(), &action).expect("written");
        assert_eq!(KnownFailure::read(directory.path(), &action), Some(known));
        std::fs::write(place(directory.path(), &action), r#"{"version":2}"#).expect("written");
        assert_eq!(KnownFailure::read(directory.path(), &action), None, "of a version that is not known");
        KnownFailure::forget(directory.path(), &action);
        assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0);
    }

    #[test]
    fn what_came_of_this_machine_is_not_remembered() {
        let passing = [
            Ending::Signalled(9),
            // What a shell says of a program that was killed.
            Ending::Exited(137),
            Ending::OutOfMemory { limit: None },
            Ending::OutOfMemory { limit: Some(1) },
            Ending::Stopped(Overrun::Total(Duration::from_secs(1))),
        ];
        for ending in passing {
            assert_eq!(KnownFailure::of(&failed(ending)), None, "{ending:?}");
        }
        assert_eq!(KnownFailure::of(&BuildError::Cancelled), None);
    }
}
