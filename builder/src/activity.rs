//! How busy builds keep the processors that they have tokens for: readings of what was used, and what two of them say. A build that only
//! waits, as tests do that sleep, keeps its tokens, and a processor is idle; what is known here lets others have it meanwhile.

use crate::running;
use crate::spawner::CancelHandle;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// So often the builds are looked at while one of them may want more tokens than it has.
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);

/// Readings so many intervals apart are compared: what the kernel tells is rounded to hundredths of a second, for each process.
pub(crate) const APART: usize = 3;

/// So much of a processor may be in use, or missing, where one is taken for unused, or idle.
const SLACK: f64 = 0.25;

/// What was used up to one moment.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    at: Instant,
    /// Time that the machine's processors were idle, all together.
    idle: Duration,
    /// Processor time of each build.
    builds: BTreeMap<u64, Duration>,
}

/// How many processors were in use for a while.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Busy {
    /// How many of the machine's nobody used.
    pub(crate) idle: f64,
    /// How many each build used that ran all the time.
    pub(crate) builds: BTreeMap<u64, f64>,
}

/// The last readings.
#[derive(Debug, Default)]
pub(crate) struct Activity(VecDeque<Reading>);

/// How many whole processors there are, nearly.
pub(crate) fn whole(processors: f64) -> usize {
    (processors + SLACK).max(0.0) as usize
}

impl Reading {
    /// Reads how long processors were idle; `None` where the system does not tell.
    pub(crate) fn take() -> Option<Self> {
        Some(Self { at: Instant::now(), idle: idle_time()?, builds: BTreeMap::new() })
    }

    /// Reads how much the sandboxes of these builds have used as well. Of whom the system does not tell it counts for nothing.
    pub(crate) fn take_of_builds(&mut self, sandboxes: &[(u64, CancelHandle)]) {
        let used =
            |(build, sandbox): &(u64, CancelHandle)| Some((*build, running::processor_time(sandbox.first_process()?)?));
        self.builds = sandboxes.iter().filter_map(used).collect();
    }

    /// Of a machine that has always had one processor idle.
    #[cfg(test)]
    pub(crate) fn of_idle_processor() -> Self {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        let start = *START.get_or_init(Instant::now);
        let at = Instant::now();
        Self { at, idle: at - start, builds: BTreeMap::new() }
    }

    /// Sets how many processors each build has used since then.
    #[cfg(test)]
    pub(crate) fn set_used(&mut self, builds: impl Iterator<Item = (u64, f64)>) {
        self.builds = builds.map(|(build, used)| (build, self.idle.mul_f64(used))).collect();
    }

    /// What was in use since an earlier reading.
    fn since(&self, earlier: &Self) -> Busy {
        let wall = self.at.saturating_duration_since(earlier.at).as_secs_f64().max(f64::EPSILON);
        let rate = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64() / wall;
        let known =
            self.builds.iter().filter_map(|(build, now)| Some((*build, rate(*now, *earlier.builds.get(build)?))));
        Busy { idle: rate(self.idle, earlier.idle), builds: known.collect() }
    }
}

impl Activity {
    /// Whether the last reading is as old as the next may be.
    pub(crate) fn is_due(&self) -> bool {
        self.0.back().is_none_or(|last| last.at.elapsed() >= INTERVAL)
    }

    /// Whether a processor was idle since the last reading.
    pub(crate) fn saw_idle(&self, now: &Reading) -> bool {
        self.0.back().is_some_and(|last| whole(now.since(last).idle) > 0)
    }

    /// Adds a reading; says what was in use since one that is old enough.
    pub(crate) fn add(&mut self, reading: Reading) -> Option<Busy> {
        // What was seen long before says nothing of now.
        if self.0.back().is_some_and(|last| reading.at.saturating_duration_since(last.at) > 3 * INTERVAL) {
            self.0.clear();
        }
        self.0.push_back(reading);
        let last = self.0.back()?;
        let busy = (self.0.len() > APART).then(|| last.since(&self.0[0]));
        self.0.drain(..self.0.len().saturating_sub(APART));
        busy
    }
}

/// Time that the machine's processors were idle since it started, all together.
fn idle_time() -> Option<Duration> {
    parse_idle(&std::fs::read_to_string("/proc/uptime").ok()?)
}

fn parse_idle(uptime: &str) -> Option<Duration> {
    let seconds: f64 = uptime.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1000;

    fn reading(start: Instant, milliseconds: u64, idle: u64, builds: &[(u64, u64)]) -> Reading {
        let builds = builds.iter().map(|&(build, used)| (build, Duration::from_millis(used))).collect();
        Reading { at: start + Duration::from_millis(milliseconds), idle: Duration::from_millis(START + idle), builds }
    }

    #[test]
    fn what_is_used_is_compared_with_three_readings_before() {
        let (start, mut activity) = (Instant::now(), Activity::default());
        assert_eq!(activity.add(reading(start, 0, 0, &[(1, 50), (2, 0)])), None);
        assert_eq!(activity.add(reading(start, 60, 60, &[(1, 50), (2, 50)])), None);
        assert_eq!(activity.add(reading(start, 120, 120, &[(1, 50), (2, 110)])), None);
        let busy = activity.add(reading(start, 200, 150, &[(1, 50), (2, 190), (3, 40)])).expect("enough");
        assert!((busy.idle - 0.75).abs() < 1e-9);
        assert_eq!(busy.builds.keys().copied().collect::<Vec<_>>(), [1, 2], "the third came later");
        assert!(busy.builds[&1].abs() < 1e-9 && (busy.builds[&2] - 0.95).abs() < 1e-9);
        assert!(
            !activity.saw_idle(&reading(start, 300, 220, &[])) && activity.saw_idle(&reading(start, 300, 230, &[]))
        );
        assert!(activity.add(reading(start, 300, 150, &[(2, 290)])).is_some());
        assert_eq!(activity.add(reading(start, 5000, 150, &[(2, 290)])), None, "long after");
    }

    #[test]
    fn the_idle_time_is_the_second_number() {
        assert_eq!(parse_idle("40048.01 15650.50\n"), Some(Duration::from_millis(15_650_500)));
        assert_eq!(parse_idle("1 x"), None);
        assert!(idle_time().is_some());
    }
}
