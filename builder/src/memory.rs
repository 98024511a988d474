//! Memory: whether the builds that run leave enough for another, and whether the system has killed processes for lack of it.

use std::path::Path;

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

/// How many processes the system has killed for lack of memory since it started, in any of its groups; `None` if it does not tell.
pub(crate) fn killed_for_lack() -> Option<u64> {
    let text = std::fs::read_to_string(Path::new("/proc/vmstat")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
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
