//! The region of a terminal that is redrawn: sums, and a tree of what is at work below what waits for it. Pure.

use super::run::{Job, Rest, Run, Running, Stage};
use super::{WORTH_SHOWING, cut, human};
use crate::output;
use crate::text;
use builder::Kind;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How large a region may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// The lines of the region; none when nothing runs.
pub(super) fn region(run: &Run, slots: usize, room: Room, now: Instant) -> Vec<String> {
    if run.sums.running + run.sums.elsewhere == 0 {
        return Vec::new();
    }
    let rest = run.rest(slots, now);
    let mut lines = vec![sums(run, &rest)];
    let below = room.height.saturating_sub(1).max(1);
    let tree = Tree::of(run, &rest).lines(run, now);
    lines.extend(if tree.len() <= below { tree } else { flat(run, below, now) });
    lines.extend(longest(run, &rest).filter(|_| lines.len() < room.height));
    lines.iter().map(|line| cut(line, room.width)).collect()
}

/// `12 of 340 done, 2 running, 1 elsewhere, 1 failed, about 4 min 10 s left`
fn sums(run: &Run, rest: &Rest) -> String {
    let sums = run.sums;
    let mut line = format!("{} of {} done, {} running", sums.built + sums.reused, run.jobs.len(), sums.running);
    for (count, what) in [(sums.elsewhere, "elsewhere"), (sums.failed, "failed"), (sums.skipped, "not tried")] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    if let Some(left) = rest.left.filter(|left| *left >= WORTH_SHOWING) {
        line.push_str(&format!(", about {} left", text::duration(left)));
    }
    line
}

/// What decides how long all takes: the longest chain, if it is one.
fn longest(run: &Run, rest: &Rest) -> Option<String> {
    let names: Vec<_> = rest.longest.iter().map(|&number| human(&run.jobs[number].derivation)).collect();
    let time = rest.longest.first().map(|&number| rest.chain(number)).filter(|time| *time >= WORTH_SHOWING)?;
    (names.len() > 1).then(|| format!("longest chain, {}: {}", text::duration(time), names.join(", ")))
}

/// What runs, those that run longest first, as far as there is room.
fn flat(run: &Run, room: usize, now: Instant) -> Vec<String> {
    let mut running: Vec<_> = run.jobs.iter().filter_map(|job| Some((job.since()?, job))).collect();
    running.sort_by_key(|(since, _)| *since);
    let shown = if running.len() > room { room.saturating_sub(1).max(1) } else { running.len() };
    let mut lines: Vec<_> = running.iter().take(shown).map(|(_, job)| format!("  {}", node(job, "", now))).collect();
    if running.len() > shown {
        lines.push(format!("  and {} more", running.len() - shown));
    }
    lines
}

/// `building gcc 1 min 3 s of about 5 min 0 s (then base): checking for stdio.h`
fn at_work(job: &Job, running: &Running, then: &str, now: Instant) -> String {
    let verb = match job.kind {
        Kind::Fetch => "fetching",
        Kind::Builtin => "making",
        Kind::Build => "building",
    };
    let time = elapsed(running.since, now);
    let mut line = format!("{verb} {}{time}", human(&job.derivation));
    if let Some(expected) = job.expected.filter(|_| !time.is_empty()) {
        line.push_str(&format!(" of about {}", text::duration(expected)));
    }
    line.push_str(then);
    if let Some(last) = running.last.front().filter(|last| !last.is_empty()) {
        line.push_str(&format!(": {last}"));
    }
    line
}

/// ` 1 min 3 s`, if it is worth showing.
fn elapsed(since: Instant, now: Instant) -> String {
    let elapsed = now.saturating_duration_since(since);
    if elapsed >= WORTH_SHOWING { format!(" {}", text::duration(elapsed)) } else { String::new() }
}

/// What runs or has failed, each below the most urgent of what waits for it.
struct Tree {
    below: BTreeMap<usize, BTreeSet<usize>>,
    tops: BTreeSet<usize>,
    /// The longest chain that begins at or below each.
    longest: BTreeMap<usize, Duration>,
}

impl Tree {
    fn of(run: &Run, rest: &Rest) -> Self {
        let mut tree = Self { below: BTreeMap::new(), tops: BTreeSet::new(), longest: BTreeMap::new() };
        let shown = |job: &Job| matches!(job.stage, Stage::Elsewhere(_) | Stage::Running(_) | Stage::Failed);
        for mut number in (0..run.jobs.len()).filter(|&number| shown(&run.jobs[number])) {
            let chain = rest.chain(number);
            loop {
                let longest = tree.longest.entry(number).or_default();
                *longest = (*longest).max(chain);
                let waiting = run.jobs[number].needed_by.iter().copied();
                let waiting = waiting.filter(|&later| matches!(run.jobs[later].stage, Stage::Blocked | Stage::Skipped));
                let Some(above) = rest.most_urgent(waiting) else {
                    tree.tops.insert(number);
                    break;
                };
                tree.below.entry(above).or_default().insert(number);
                number = above;
            }
        }
        tree
    }

    /// Jobs, that first which decides how long all takes.
    fn by_urgency(&self, jobs: &BTreeSet<usize>) -> Vec<usize> {
        let mut jobs: Vec<_> = jobs.iter().copied().collect();
        jobs.sort_by_key(|job| Reverse(self.longest[job]));
        jobs
    }

    fn lines(&self, run: &Run, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        // What is still to be drawn: the job, what stands before it, and what before all below it.
        let tops = self.by_urgency(&self.tops);
        let mut pending: Vec<(usize, String, String)> =
            tops.into_iter().rev().map(|top| (top, "  ".to_owned(), "  ".to_owned())).collect();
        while let Some((mut number, before, indent)) = pending.pop() {
            let mut names = Vec::new();
            // A chain without branches is one line.
            while let Some(&only) = self.below.get(&number).filter(|below| below.len() == 1).and_then(BTreeSet::first) {
                names.push(human(&run.jobs[number].derivation));
                number = only;
            }
            lines.push(format!("{before}{}", node(&run.jobs[number], &chain(&names), now)));
            let below = self.below.get(&number).map(|below| self.by_urgency(below)).unwrap_or_default();
            for (place, &child) in below.iter().enumerate().rev() {
                let last = place + 1 == below.len();
                let (branch, beside) = if last { ("└ ", "  ") } else { ("├ ", "│ ") };
                pending.push((child, format!("{indent}{branch}"), format!("{indent}{beside}")));
            }
        }
        lines
    }
}

fn node(job: &Job, then: &str, now: Instant) -> String {
    match &job.stage {
        Stage::Running(running) => at_work(job, running, then, now),
        Stage::Elsewhere(since) => {
            let (name, time) = (human(&job.derivation), elapsed(*since, now));
            format!("waiting for another larder to realise {name}{time}{then}")
        }
        Stage::Failed => format!("{} {}{then}", output::styled("failed", "31"), human(&job.derivation)),
        _ => format!("{}{then}", human(&job.derivation)),
    }
}

/// What waits for it in turn, the next first: ` (then gcc, 3 more, image)`. `names` begins with the last.
fn chain(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [next] => format!(" (then {next})"),
        [top, next] => format!(" (then {next}, {top})"),
        [top, between @ .., next] => format!(" (then {next}, {} more, {top})", between.len()),
    }
}
