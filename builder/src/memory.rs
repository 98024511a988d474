//! Memory: whether the builds that run leave enough for another, and whether the system has killed processes for lack of it.

use std::fs::File;
use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So old may be what is known of kills when a build begins.
const FRESH: Duration = Duration::from_millis(100);

/// Room for builds by what they needed last time. Pure. What is not known needs nothing: it will be known next time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    bytes: Option<u64>,
    taken: u64,
}

impl Room {
    /// Room of so many bytes, or as much as is wanted.
    pub(crate) const fn new(bytes: Option<u64>) -> Self {
        Self { bytes, taken: 0 }
    }

    /// Whether there is room for so many bytes more.
    pub(crate) fn has(&self, bytes: u64) -> bool {
        self.bytes.is_none_or(|all| self.taken.saturating_add(bytes) <= all)
    }

    /// Takes some, whether there are or not.
    pub(crate) fn take(&mut self, bytes: u64) {
        self.taken = self.taken.saturating_add(bytes);
    }

    /// Gives back what was taken.
    pub(crate) fn give_back(&mut self, bytes: u64) {
        self.taken = self.taken.saturating_sub(bytes);
    }
}

/// What was counted last, and when.
static COUNTED: Mutex<Option<(Instant, Option<u64>)>> = Mutex::new(None);

/// How many processes the system has killed for lack of memory since it started, in any of its groups; `None` if it does not tell.
pub(crate) fn killed_for_lack() -> Option<u64> {
    let killed = count_killed();
    *COUNTED.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), killed));
    killed
}

/// The same as it was a moment ago, but not before the last count: small builds begin in thousands, and counting takes longer than many of
/// their steps.
pub(crate) fn killed_for_lack_lately() -> Option<u64> {
    let counted = *COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
    match counted {
        Some((when, killed)) if when.elapsed() < FRESH => killed,
        _ => killed_for_lack(),
    }
}

fn count_killed() -> Option<u64> {
    let mut text = Vec::with_capacity(16 << 10);
    File::open("/proc/vmstat").ok()?.read_to_end(&mut text).ok()?;
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"oom_kill "))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_and_given_back() {
        let mut room = Room::new(Some(10));
        room.take(7);
        assert!(room.has(3) && !room.has(4) && !room.has(u64::MAX));
        room.give_back(7);
        assert!(room.has(10) && !room.has(11));
        assert!(Room::new(None).has(u64::MAX));
    }
}
