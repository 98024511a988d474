//! What a build used: which paths it opened, asked about, and looked for in vain, as its sandbox noted them.
//!
//! Kept beside the log, as `logs/<action>.inputs`, and collected with it: JSON compressed with zstd. Canonical JSON would gain
//! nothing: nobody compares it.
//!
//! ```text
//! { "version": 1, "finished": s since the epoch, "complete": bool, "opened": [path], "seen": [path], "missed": [path] }
//! ```
//!
//! *Invariant:* nothing of this is part of the action or of what is built.

use crate::sandbox::{MISSED, OPENED, SEEN, TRUNCATED};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use store::ActionDigest;
use store::local::{At, IoError};

const VERSION: u32 = 1;

/// The paths that one build used. What is not UTF-8 in them is replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputTrace {
    pub(crate) version: u32,
    /// When the build ended, in seconds since the epoch.
    pub finished: u64,
    /// Whether all was noted: builds that use a great many paths are noted up to a limit, and those that fail until then.
    pub complete: bool,
    /// Opened, executed or read as a link.
    pub opened: BTreeSet<String>,
    /// Asked about.
    pub seen: BTreeSet<String>,
    /// Not there.
    pub missed: BTreeSet<String>,
}

impl InputTrace {
    /// Reads what a sandbox noted, and removes the notes.
    pub(crate) fn take(notes: &Path) -> Result<Self, IoError> {
        let text = std::fs::read(notes).at("read", notes)?;
        std::fs::remove_file(notes).at("remove", notes)?;
        let mut trace = Self::of_notes(&text);
        trace.finished = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Ok(trace)
    }

    fn of_notes(text: &[u8]) -> Self {
        let mut trace = Self { version: VERSION, complete: true, ..Self::default() };
        for note in text.split(|byte| *byte == 0) {
            let Some((mark, path)) = note.split_first() else { continue };
            let paths = match *mark {
                OPENED => &mut trace.opened,
                SEEN => &mut trace.seen,
                MISSED => &mut trace.missed,
                TRUNCATED => {
                    trace.complete = false;
                    continue;
                }
                _ => continue,
            };
            paths.insert(String::from_utf8_lossy(path).into_owned());
        }
        trace
    }

    /// What was recorded of an action when it was last built with that; nothing if it never was.
    #[must_use]
    pub fn read(logs: &Path, action: &ActionDigest) -> Option<Self> {
        let file = std::fs::File::open(place(logs, action)).ok()?;
        let trace: Self = serde_json::from_reader(zstd::Decoder::new(file).ok()?).ok()?;
        Some(trace).filter(|trace| trace.version == VERSION)
    }

    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, logs: &Path, action: &ActionDigest) -> Result<(), IoError> {
        let place = place(logs, action);
        // Only who holds the action's lock writes.
        let partial = place.with_extension("inputs-partial");
        let text = serde_json::to_vec(self).unwrap_or_default();
        let packed = zstd::encode_all(text.as_slice(), 0).at("compress", &partial)?;
        std::fs::write(&partial, packed).at("write", &partial)?;
        std::fs::rename(&partial, &place).at("rename", &partial)
    }
}

fn place(logs: &Path, action: &ActionDigest) -> std::path::PathBuf {
    logs.join(format!("{action}.inputs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_told_apart_and_read_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let notes = directory.path().join("notes");
        std::fs::write(&notes, b"o/usr/bin/sh\0s/etc\0m/usr/bin/x\0m/usr/bin/x\0m/\xff\0").expect("written");
        let trace = InputTrace::take(&notes).expect("readable");
        assert!(!notes.exists() && trace.complete && trace.finished > 0);
        let set = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!((&trace.opened, &trace.seen), (&set(&["/usr/bin/sh"]), &set(&["/etc"])));
        assert_eq!(trace.missed, set(&["/usr/bin/x", "/\u{fffd}"]));
        let action = ActionDigest::from_bytes([1; 32]);
        assert_eq!(InputTrace::read(directory.path(), &action), None);
        trace.write(directory.path(), &action).expect("written");
        assert_eq!(InputTrace::read(directory.path(), &action), Some(trace));
        assert!(!InputTrace::of_notes(b"o/a\0t\0").complete);
    }
}
