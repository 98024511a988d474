//! The timeline of a run in the trace event format that browsers' and other trace viewers read: an array of complete events
//! (`"ph": "X"`), times in microseconds, one row for each slot. Pure. <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>

use super::human;
use super::json::kind;
use builder::{Event, How, Kind};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::time::Duration;
use store::StorePath;

/// What was seen of a run.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    running: HashMap<StorePath, (Duration, Kind, usize)>,
    /// Rows that are in use.
    rows: BTreeSet<usize>,
    seen: Vec<Seen>,
}

/// An event of the trace. It becomes JSON when that is written, for which it takes thirty times the room.
#[derive(Debug)]
enum Seen {
    /// A job that has ended.
    Job { derivation: StorePath, of: Kind, row: usize, began: Duration, ended: Duration, how: &'static str },
    /// How many jobs run from now on.
    Count { time: Duration, jobs: usize },
}

impl Timeline {
    pub(super) fn take(&mut self, event: &Event, time: Duration) {
        match event {
            Event::Started { derivation, kind, .. } => {
                let row = (1..).find(|row| !self.rows.contains(row)).expect("numbers do not end");
                self.rows.insert(row);
                self.running.insert(derivation.clone(), (time, *kind, row));
                self.count(time);
            }
            Event::Realised { derivation, how, .. } => {
                let how = match how {
                    How::Built => "built",
                    How::Reused => "reused",
                    How::Verified => "verified",
                };
                self.end(derivation, time, how);
            }
            Event::Failed { derivation, .. } => self.end(derivation, time, "failed"),
            Event::Postponed { derivation, .. } => self.end(derivation, time, "postponed"),
            _ => {}
        }
    }

    fn end(&mut self, derivation: &StorePath, ended: Duration, how: &'static str) {
        let Some((began, of, row)) = self.running.remove(derivation) else { return };
        self.rows.remove(&row);
        self.seen.push(Seen::Job { derivation: derivation.clone(), of, row, began, ended, how });
        self.count(ended);
    }

    fn count(&mut self, time: Duration) {
        self.seen.push(Seen::Count { time, jobs: self.running.len() });
    }

    /// Writes the whole trace; what has not ended ends now.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(mut self, time: Duration, to: &mut dyn Write) -> std::io::Result<()> {
        let open: Vec<_> = self.running.keys().cloned().collect();
        open.iter().for_each(|derivation| self.end(derivation, time, "interrupted"));
        let name = json!({ "name": "process_name", "ph": "M", "pid": 1, "args": { "name": "larder" } });
        write!(to, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[{name}")?;
        self.seen.iter().try_for_each(|seen| write!(to, ",{}", seen.json()))?;
        to.write_all(b"]}")
    }
}

impl Seen {
    fn json(&self) -> Value {
        match self {
            Self::Job { derivation, of, row, began, ended, how } => json!({
                "name": human(derivation), "cat": kind(*of), "ph": "X", "pid": 1, "tid": row,
                "ts": microseconds(*began), "dur": microseconds(ended.saturating_sub(*began)),
                "args": { "derivation": derivation.to_string(), "result": how },
            }),
            Self::Count { time, jobs } => {
                json!({ "name": "running", "ph": "C", "pid": 1, "ts": microseconds(*time), "args": { "jobs": jobs } })
            }
        }
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::tests::derivation;
    use super::*;

    #[test]
    fn work_at_the_same_time_has_rows_of_its_own() {
        let mut timeline = Timeline::default();
        let started = |number| Event::Started { derivation: derivation(number), kind: Kind::Build, expected: None };
        let realised =
            |number| Event::Realised { derivation: derivation(number), how: How::Built, duration: Duration::ZERO };
        let at = Duration::from_millis;
        timeline.take(&started(1), at(0));
        timeline.take(&started(2), at(5));
        timeline.take(&realised(1), at(10));
        timeline.take(&started(3), at(10));
        timeline.take(&realised(2), at(20));
        let mut text = Vec::new();
        timeline.finish(at(25), &mut text).expect("written");
        let trace: Value = serde_json::from_slice(&text).expect("JSON");
        let all = trace["traceEvents"].as_array().expect("an array");
        let rows: Vec<_> = all
            .iter()
            .filter(|event| event["ph"] == "X")
            .map(|event| {
                (
                    event["name"].as_str().expect("a name"),
                    event["tid"].as_u64(),
                    event["ts"].as_u64(),
                    event["dur"].as_u64(),
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("package-1", Some(1), Some(0), Some(10_000)),
                ("package-2", Some(2), Some(5_000), Some(15_000)),
                ("package-3", Some(1), Some(10_000), Some(15_000)),
            ]
        );
        let counts: Vec<_> =
            all.iter().filter(|event| event["ph"] == "C").map(|event| &event["args"]["jobs"]).collect();
        assert_eq!(counts, [1, 2, 1, 2, 1, 0]);
        assert_eq!(trace["displayTimeUnit"], "ms");
    }
}
