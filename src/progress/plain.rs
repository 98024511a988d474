//! Lines that scroll past: on a terminal above the region, elsewhere all there is. Pure.

use super::failure::describe;
use super::run::{Job, Run};
use super::{WORTH_SHOWING, human};
use crate::output;
use crate::text;
use builder::{Event, How, Kind};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};
use store::StorePath;

/// A run that says nothing for so long says what it is at, where there is no region.
const SILENCE: Duration = Duration::from_secs(60);

/// Lines of a log that wait for the end of their build at most: the last ones.
const MOST: usize = 20_000;

/// Which lines scroll past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// What begins, too: there is no region to show it.
    pub(super) beginnings: bool,
    /// The whole log of each build, in one piece at its end.
    pub(super) logs: bool,
}

/// A log that waits for the end of its build.
#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<String>,
    left_out: usize,
}

impl Waiting {
    fn push(&mut self, line: String) {
        if self.lines.len() == MOST {
            self.lines.pop_front();
            self.left_out += 1;
        }
        self.lines.push_back(line);
    }
}

/// What is remembered between events.
#[derive(Debug)]
pub(super) struct Plain {
    wanted: Wanted,
    logs: HashMap<StorePath, Waiting>,
    /// What another larder is waited for.
    elsewhere: HashSet<StorePath>,
    said: Instant,
}

impl Plain {
    pub(super) fn new(wanted: Wanted, now: Instant) -> Self {
        Self { wanted, logs: HashMap::new(), elsewhere: HashSet::new(), said: now }
    }

    /// The lines for an event that `run` has taken in.
    pub(super) fn lines(&mut self, event: &Event, run: &Run, now: Instant) -> Vec<String> {
        let lines = match event {
            Event::Started { derivation, kind: Kind::Build, .. } if self.wanted.beginnings => {
                vec![format!("building {}", human(derivation))]
            }
            Event::Waiting { derivation } if self.wanted.beginnings => {
                self.elsewhere.insert(derivation.clone());
                vec![format!("waiting for another larder to realise {}", human(derivation))]
            }
            Event::Output { derivation, line } if self.wanted.logs => {
                self.logs.entry(derivation.clone()).or_default().push(line.clone());
                Vec::new()
            }
            Event::Noted { message } => vec![format!("{} {}", output::styled("note:", "2"), text::harmless(message))],
            Event::Warned { derivation, message } => {
                vec![format!("{} {}: {}", output::styled("warning", "33"), human(derivation), text::harmless(message))]
            }
            Event::Realised { derivation, how: How::Built, duration } => {
                let verb = run.job(derivation).map_or("built", |job| done(job.kind));
                let time = if *duration >= WORTH_SHOWING {
                    format!(" ({})", text::duration(*duration))
                } else {
                    String::new()
                };
                let mut lines = self.log(derivation);
                lines.push(format!("{} {}{time}", output::styled(verb, "32"), human(derivation)));
                lines
            }
            Event::Realised { derivation, how: How::Reused, .. } if self.elsewhere.contains(derivation) => {
                vec![format!("{} was realised meanwhile", human(derivation))]
            }
            Event::Realised { derivation, how: How::Verified, .. } => {
                let verb = output::styled("verified", "32");
                vec![format!("{verb} {}, which was built before", human(derivation))]
            }
            Event::Failed { derivation, error } => {
                let mut lines = self.log(derivation);
                lines.extend(describe(derivation, error));
                lines
            }
            Event::Postponed { derivation, because } => {
                let name = human(derivation);
                let mut lines = self.log(derivation);
                lines.push(format!("{} {name} alone: {because}", output::styled("to be tried again:", "33")));
                lines
            }
            _ => Vec::new(),
        };
        if !lines.is_empty() {
            self.said = now;
        }
        lines
    }

    /// The log of a build that has ended, every line with its name.
    fn log(&mut self, derivation: &StorePath) -> Vec<String> {
        let name = human(derivation);
        let Waiting { lines, left_out } = self.logs.remove(derivation).unwrap_or_default();
        let before =
            (left_out > 0).then(|| format!("{left_out} lines are left out; the whole log: larder log {derivation}"));
        before.into_iter().chain(lines).map(|line| format!("{name}> {line}")).collect()
    }

    /// What to say if nothing was said for long: what runs.
    pub(super) fn still(&mut self, run: &Run, now: Instant) -> Option<String> {
        if now.saturating_duration_since(self.said) < SILENCE {
            return None;
        }
        self.said = now;
        let (elsewhere, running): (Vec<_>, Vec<_>) =
            run.jobs.iter().filter_map(|job| Some((job, job.since()?))).partition(|(job, _)| job.is_elsewhere());
        let told = [("still at work", running), ("waiting for another larder to realise", elsewhere)];
        let told = told.into_iter().filter(|(_, jobs)| !jobs.is_empty()).map(|(what, jobs)| {
            let job = |(job, since): &(&Job, Instant)| {
                format!("{} {}", human(&job.derivation), text::duration(now.saturating_duration_since(*since)))
            };
            format!("{what}: {}", jobs.iter().map(job).collect::<Vec<_>>().join(", "))
        });
        let told: Vec<_> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

const fn done(kind: Kind) -> &'static str {
    match kind {
        Kind::Fetch => "fetched",
        Kind::Builtin => "made",
        Kind::Build => "built",
    }
}
