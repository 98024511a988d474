//! What the last run of an action's command used that came to an end of its own, whether it succeeded or not.
//!
//! Kept beside the log, as `logs/<action>.usage`, and collected with it. Canonical JSON would gain nothing: nobody compares it.
//!
//! ```text
//! { "version": 1, "finished": s since the epoch, "user_ms", "system_ms", "largest_process": bytes, "peak": bytes or null,
//!   "transfer": { "read", "written", "disk_read", "disk_written" } or null }
//! ```

use crate::sandbox::{Transfer, Usage};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::ActionDigest;
use store::local::{At, IoError};

const VERSION: u32 = 1;

/// What a run used, all processes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionUsage {
    version: u32,
    /// When it ended, in seconds since the epoch.
    pub finished: u64,
    /// Processor time in user mode, in milliseconds.
    pub user_ms: u64,
    /// Processor time in the kernel, in milliseconds.
    pub system_ms: u64,
    /// Memory of the process that needed most, in bytes.
    pub largest_process: u64,
    /// Memory of all processes together, in bytes, if that was counted.
    pub peak: Option<u64>,
    /// What was read and written, if that was counted.
    pub transfer: Option<Transfer>,
}

impl ActionUsage {
    /// What a run that has just ended used.
    pub(crate) fn of(usage: &Usage, peak: Option<u64>) -> Self {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            version: VERSION,
            finished: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            user_ms: milliseconds(usage.user_time),
            system_ms: milliseconds(usage.system_time),
            largest_process: usage.peak_memory,
            peak,
            transfer: usage.transfer,
        }
    }

    /// What is kept of an action's last run, if anything is.
    #[must_use]
    pub fn read(logs: &Path, action: &ActionDigest) -> Option<Self> {
        let text = std::fs::read(place(logs, action)).ok()?;
        serde_json::from_slice(&text).ok().filter(|usage: &Self| usage.version == VERSION)
    }

    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, logs: &Path, action: &ActionDigest) -> Result<(), IoError> {
        let place = place(logs, action);
        // Only who holds the action's lock writes, and what is torn is not read.
        std::fs::write(&place, serde_json::to_vec(self).unwrap_or_default()).at("write", &place)
    }
}

fn place(logs: &Path, action: &ActionDigest) -> PathBuf {
    logs.join(format!("{action}.usage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let action = ActionDigest::from_bytes([1; 32]);
        assert_eq!(ActionUsage::read(directory.path(), &action), None);
        let transfer = Some(Transfer { read: 1, written: 2, disk_read: 3, disk_written: 4 });
        let (user_time, system_time) = (Duration::from_millis(1500), Duration::from_micros(2999));
        let usage = ActionUsage::of(&Usage { user_time, system_time, peak_memory: 5, transfer }, Some(6));
        assert_eq!((usage.user_ms, usage.system_ms, usage.largest_process, usage.peak), (1500, 2, 5, Some(6)));
        usage.write(directory.path(), &action).expect("written");
        assert_eq!(ActionUsage::read(directory.path(), &action), Some(usage));
    }
}
