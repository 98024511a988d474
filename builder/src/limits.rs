//! Limits of a run: how long a build may take and be silent, how much it may print and have on the disk. Pure. No part of a derivation:
//! they change nothing of what is built, only whether one waits for it.

use std::fmt;
use std::time::Duration;

/// The most that a build may take; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimits {
    /// Time from its start to its end.
    pub total: Option<Duration>,
    /// Time without a byte of output.
    pub silence: Option<Duration>,
    /// Bytes of output.
    pub log_bytes: Option<u64>,
    /// Bytes on the disk.
    pub disk_bytes: Allowance,
    /// Files on the disk, with directories and links.
    pub disk_files: Allowance,
}

/// A part of something that there is only so much of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Allowance {
    /// All but a tenth of what is left.
    #[default]
    Most,
    /// So much.
    Of(u64),
    /// As much as is wanted.
    Any,
}

impl Allowance {
    /// How much that is, of so much; `None` is no limit.
    #[must_use]
    pub const fn of(self, left: u64) -> Option<u64> {
        match self {
            Self::Most => Some(left - left / 10),
            Self::Of(most) => Some(most),
            Self::Any => None,
        }
    }
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            total: None,
            silence: None,
            log_bytes: Some(1 << 30),
            disk_bytes: Allowance::Most,
            disk_files: Allowance::Most,
        }
    }
}

/// The limit that a build has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overrun {
    /// It ran for so long.
    Total(Duration),
    /// It printed nothing for so long.
    Silence(Duration),
    /// It printed more than so many bytes.
    Log(u64),
    /// Its files take more than so many bytes on the disk.
    Disk(u64),
    /// It has more than so many files on the disk.
    Files(u64),
}

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total(limit) => write!(f, "was stopped by its time-out of {} s", limit.as_secs_f64()),
            Self::Silence(limit) => write!(f, "was stopped because it printed nothing for {} s", limit.as_secs_f64()),
            Self::Log(limit) => write!(f, "was stopped because it printed more than {limit} bytes"),
            Self::Disk(limit) => write!(f, "was stopped because its files take more than {limit} bytes"),
            Self::Files(limit) => write!(f, "was stopped because it has more than {limit} files"),
        }
    }
}

impl Overrun {
    /// What may help.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Total(_) => "if it only needs longer: --timeout DURATION, 0 for no limit",
            Self::Silence(_) => "if it only needs longer for a step: --max-silent-time DURATION, 0 for no limit",
            Self::Log(_) => "if it has so much to say: --max-log-size BYTES, 0 for no limit",
            Self::Disk(_) => "if it needs so much: --max-build-size BYTES, 0 for no limit",
            Self::Files(_) => "if it needs so many: --max-build-files COUNT, 0 for no limit",
        }
        .to_owned()
    }
}

impl RunLimits {
    /// The limit of time or output that is reached after running for `total`, of which `silence` without output, and `log_bytes` of output.
    #[must_use]
    pub fn reached(&self, total: Duration, silence: Duration, log_bytes: u64) -> Option<Overrun> {
        let log = self.log_bytes.filter(|&limit| log_bytes > limit).map(Overrun::Log);
        let total = self.total.filter(|&limit| total >= limit).map(Overrun::Total);
        let silence = self.silence.filter(|&limit| silence >= limit).map(Overrun::Silence);
        log.or(total).or(silence)
    }

    /// How long it takes until a limit of time can be reached next.
    #[must_use]
    pub fn until_next(&self, total: Duration, silence: Duration) -> Option<Duration> {
        let left = [
            self.total.map(|limit| limit.saturating_sub(total)),
            self.silence.map(|limit| limit.saturating_sub(silence)),
        ];
        left.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn each_limit_is_reached_by_itself() {
        let limits = RunLimits {
            total: Some(seconds(10)),
            silence: Some(seconds(3)),
            log_bytes: Some(100),
            ..RunLimits::default()
        };
        assert_eq!(limits.reached(seconds(9), seconds(2), 100), None);
        assert_eq!(limits.reached(seconds(10), seconds(2), 100), Some(Overrun::Total(seconds(10))));
        assert_eq!(limits.reached(seconds(9), seconds(3), 100), Some(Overrun::Silence(seconds(3))));
        assert_eq!(limits.reached(seconds(9), seconds(2), 101), Some(Overrun::Log(100)));
        assert_eq!(limits.until_next(seconds(9), seconds(1)), Some(seconds(1)));
        assert_eq!(limits.until_next(seconds(2), seconds(1)), Some(seconds(2)));
    }

    #[test]
    fn without_limits_none_is_reached() {
        let limits = RunLimits { log_bytes: None, ..RunLimits::default() };
        assert_eq!(limits.reached(seconds(1 << 40), seconds(1 << 40), u64::MAX), None);
        assert_eq!(limits.until_next(seconds(1), seconds(1)), None);
    }
}
