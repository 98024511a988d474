//! What is known of a run: its jobs, how far each is, and how long the rest may take. Pure: events change it, and it is given the time.

use crate::text;
use builder::{Event, How, Kind};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use store::StorePath;

/// Lines of a running build's log that are at hand.
const TAIL: usize = 3;

/// How far a job is.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// It waits for what it needs, or for a slot.
    Blocked,
    /// Another larder is at work on it, or was when this one last looked; since when this one waits.
    Elsewhere(Instant),
    Running(Running),
    Done,
    Failed,
    /// It was not tried, because what it needs failed.
    Skipped,
}

/// A job at work.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) since: Instant,
    /// Its last lines, or how far a fetch is.
    pub(super) last: VecDeque<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) derivation: StorePath,
    pub(super) kind: Kind,
    pub(super) expected: Option<Duration>,
    pub(super) needed_by: Vec<usize>,
    pub(super) stage: Stage,
}

/// How many jobs are how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) built: usize,
    pub(super) reused: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
    pub(super) running: usize,
    /// Another larder is waited for.
    pub(super) elsewhere: usize,
}

impl Sums {
    /// Those that are in such a stage for now.
    fn passing(&mut self, stage: &Stage) -> Option<&mut usize> {
        match stage {
            Stage::Running(_) => Some(&mut self.running),
            Stage::Elsewhere(_) => Some(&mut self.elsewhere),
            _ => None,
        }
    }
}

/// How long what is not done takes, as far as can be told.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// For each job, the time from now to the end of the longest chain that begins with it; zero if it has ended.
    chains: Vec<Duration>,
    /// The longest chain, in the order in which it will be done.
    pub(super) longest: Vec<usize>,
    /// Time to the end, if enough is known to tell.
    pub(super) left: Option<Duration>,
}

/// A run.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) jobs: Vec<Job>,
    numbers: HashMap<StorePath, usize>,
    pub(super) sums: Sums,
    /// The time that ended jobs of each kind took, and how many they were.
    spent: HashMap<Kind, (Duration, u32)>,
}

impl Run {
    pub(super) fn take(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Planned { jobs } => {
                let mut numbers = Vec::new();
                jobs.iter().for_each(|job| numbers.push(self.add(job, &numbers)));
            }
            Event::Started { derivation, .. } => {
                self.set(derivation, Stage::Running(Running { since: now, last: VecDeque::new() }));
            }
            Event::Waiting { derivation } => self.set(derivation, Stage::Elsewhere(now)),
            Event::Fetched { derivation, bytes, total } => {
                let of = total.map(|total| format!(" of {}", text::bytes(total))).unwrap_or_default();
                let how_far = format!("{}{of}", text::bytes(*bytes));
                self.change(derivation, |running| running.last = VecDeque::from([how_far]));
            }
            Event::Output { derivation, line } => self.change(derivation, |running| {
                running.last.truncate(TAIL - 1);
                running.last.push_front(line.clone());
            }),
            Event::Warned { .. } | Event::Noted { .. } => {}
            Event::Realised { derivation, how, duration } => self.realised(derivation, *how, *duration),
            Event::Failed { derivation, .. } => {
                self.sums.failed += 1;
                self.set(derivation, Stage::Failed);
            }
            Event::Postponed { derivation, .. } => self.set(derivation, Stage::Blocked),
            Event::Skipped { derivation, .. } => {
                self.sums.skipped += 1;
                self.set(derivation, Stage::Skipped);
            }
        }
    }

    /// Adds a job of a plan, of whose earlier jobs the numbers are given, unless it is known and has not ended.
    fn add(&mut self, planned: &builder::event::PlannedJob, numbers: &[usize]) -> usize {
        let builder::event::PlannedJob { derivation, kind, expected, needs } = planned.clone();
        if let Some(&known) = self.numbers.get(&derivation).filter(|&&known| self.jobs[known].is_open()) {
            return known;
        }
        let number = self.jobs.len();
        for need in needs {
            self.jobs[numbers[need]].needed_by.push(number);
        }
        self.numbers.insert(derivation.clone(), number);
        self.jobs.push(Job { derivation, kind, expected, needed_by: Vec::new(), stage: Stage::Blocked });
        number
    }

    fn set(&mut self, derivation: &StorePath, stage: Stage) {
        let Some(&number) = self.numbers.get(derivation) else { return };
        let before = std::mem::replace(&mut self.jobs[number].stage, stage);
        self.sums.passing(&before).into_iter().for_each(|count| *count -= 1);
        self.sums.passing(&self.jobs[number].stage).into_iter().for_each(|count| *count += 1);
    }

    pub(super) fn job(&self, derivation: &StorePath) -> Option<&Job> {
        self.numbers.get(derivation).map(|&number| &self.jobs[number])
    }

    fn running(&mut self, derivation: &StorePath) -> Option<&mut Running> {
        match &mut self.jobs[*self.numbers.get(derivation)?].stage {
            Stage::Running(running) => Some(running),
            _ => None,
        }
    }

    fn change(&mut self, derivation: &StorePath, change: impl FnOnce(&mut Running)) {
        if let Some(running) = self.running(derivation) {
            change(running);
        }
    }

    fn realised(&mut self, derivation: &StorePath, how: How, duration: Duration) {
        match how {
            How::Built => self.sums.built += 1,
            How::Reused | How::Verified => self.sums.reused += 1,
        }
        if let (How::Built, Some(job)) = (how, self.job(derivation)) {
            let (time, count) = self.spent.entry(job.kind).or_default();
            (*time, *count) = (*time + duration, *count + 1);
        }
        self.set(derivation, Stage::Done);
    }

    /// How long a job that has not ended still takes, if that can be told: from history, else as others of its kind took in this run.
    fn own_rest(&self, job: &Job, now: Instant) -> Option<Duration> {
        let like_others = || self.spent.get(&job.kind).map(|(time, count)| *time / *count);
        let whole = job.expected.or_else(like_others);
        match &job.stage {
            Stage::Blocked => whole,
            // It was begun before this larder waited for it.
            Stage::Elsewhere(since) | Stage::Running(Running { since, .. }) => {
                whole.map(|whole| whole.saturating_sub(now.saturating_duration_since(*since)))
            }
            Stage::Done | Stage::Failed | Stage::Skipped => Some(Duration::ZERO),
        }
    }

    /// How long what is not done takes with so many at a time.
    pub(super) fn rest(&self, slots: usize, now: Instant) -> Rest {
        let mut chains = vec![Duration::ZERO; self.jobs.len()];
        let mut next: Vec<Option<usize>> = vec![None; self.jobs.len()];
        let (mut work, mut open, mut unknown) = (Duration::ZERO, 0_usize, 0_usize);
        // Those that others need stand before them.
        for (number, job) in self.jobs.iter().enumerate().rev() {
            if !job.is_open() {
                continue;
            }
            let own = self.own_rest(job, now);
            open += 1;
            unknown += usize::from(own.is_none());
            work += own.unwrap_or_default();
            next[number] = job
                .needed_by
                .iter()
                .copied()
                .filter(|&later| self.jobs[later].is_open())
                .max_by_key(|&later| chains[later]);
            chains[number] = own.unwrap_or_default() + next[number].map_or(Duration::ZERO, |later| chains[later]);
        }
        let first =
            (0..self.jobs.len()).filter(|&number| self.jobs[number].is_open()).max_by_key(|&number| chains[number]);
        let longest: Vec<_> = std::iter::successors(first, |&number| next[number]).collect();
        let chain = first.map_or(Duration::ZERO, |number| chains[number]);
        let divisor = u32::try_from(slots.max(1)).unwrap_or(u32::MAX);
        let left = (open > 0 && unknown * 2 <= open).then(|| chain.max(work / divisor));
        Rest { chains, longest, left }
    }
}

impl Job {
    /// Since when something is done, here or elsewhere.
    pub(super) const fn since(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Running(Running { since, .. }) | Stage::Elsewhere(since) => Some(*since),
            _ => None,
        }
    }

    /// Whether another larder is waited for.
    pub(super) const fn is_elsewhere(&self) -> bool {
        matches!(self.stage, Stage::Elsewhere(_))
    }

    /// Whether something is still to come of it.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Blocked | Stage::Elsewhere(_) | Stage::Running(_))
    }
}

impl Rest {
    /// Which of these jobs the longest chain begins with.
    pub(super) fn most_urgent(&self, jobs: impl Iterator<Item = usize>) -> Option<usize> {
        jobs.max_by_key(|&number| self.chains[number])
    }

    pub(super) fn chain(&self, job: usize) -> Duration {
        self.chains[job]
    }
}
