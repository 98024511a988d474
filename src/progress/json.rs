//! Events as JSON, one object a line; `docs/events.md` says what they mean. Pure.

use super::human;
use crate::error::with_causes;
use builder::error::Left;
use builder::event::PlannedJob;
use builder::{BuildError, Event, How, Kind, RunResult};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use store::{StorePath, TreeDigest};

/// The first line.
pub(super) fn beginning() -> Value {
    json!({ "event": "begin", "schema": "larder/events/1" })
}

/// An event, and when it happened since the beginning.
pub(super) fn event(event: &Event, time: Duration) -> Value {
    let mut value = match event {
        Event::Planned { jobs } => planned(jobs),
        Event::Started { derivation, kind: of, expected } => {
            let mut value = about("started", derivation);
            value["kind"] = kind(*of).into();
            value["expected_ms"] = expected.map(milliseconds).into();
            value
        }
        Event::Waiting { derivation } => about("waiting", derivation),
        Event::Fetched { derivation, bytes, total } => {
            let mut value = about("fetched", derivation);
            value["bytes"] = (*bytes).into();
            value["total"] = (*total).into();
            value
        }
        Event::Output { derivation, line } => {
            let mut value = about("output", derivation);
            value["line"] = line.as_str().into();
            value
        }
        Event::Noted { message } => json!({ "event": "noted", "message": message }),
        Event::Warned { derivation, message } => {
            let mut value = about("warned", derivation);
            value["message"] = message.as_str().into();
            value
        }
        Event::Realised { derivation, how, duration } => {
            let mut value = about("realised", derivation);
            value["how"] = match how {
                How::Built => "built",
                How::Reused => "reused",
                How::Verified => "verified",
            }
            .into();
            value["duration_ms"] = milliseconds(*duration).into();
            value
        }
        Event::Failed { derivation, error } => failed(derivation, error),
        Event::Postponed { derivation, because } => {
            let mut value = about("postponed", derivation);
            value["because"] = because.as_str().into();
            value
        }
        Event::Skipped { derivation, because } => {
            let mut value = about("skipped", derivation);
            value["because"] = because.to_string().into();
            value
        }
    };
    value["time_ms"] = milliseconds(time).into();
    value
}

fn planned(jobs: &[PlannedJob]) -> Value {
    let derivation = |number: &usize| jobs[*number].derivation.to_string();
    let job = |job: &PlannedJob| {
        json!({
            "derivation": job.derivation.to_string(),
            "kind": kind(job.kind),
            "expected_ms": job.expected.map(milliseconds),
            "needs": job.needs.iter().map(derivation).collect::<Vec<_>>(),
        })
    };
    json!({ "event": "planned", "jobs": jobs.iter().map(job).collect::<Vec<_>>() })
}

fn failed(derivation: &StorePath, error: &BuildError) -> Value {
    let Left { tail, log, kept } = error.left();
    let mut value = about("failed", derivation);
    value["error"] = with_causes(error).into();
    value["hints"] = error.hints().into();
    value["log"] = log.map(Path::to_string_lossy).into();
    value["kept"] = kept.map(Path::to_string_lossy).into();
    value["tail"] = tail.into();
    value
}

/// The last line: what the run came to.
pub(crate) fn end(result: &RunResult, interrupted: bool) -> Value {
    let conflict =
        |(path, tree): &(StorePath, TreeDigest)| json!({ "path": path.to_string(), "tree": tree.to_string() });
    json!({
        "event": "end",
        "built": result.built,
        "reused": result.reused,
        "failed": result.failures.len(),
        "skipped": result.skipped.len(),
        "interrupted": interrupted,
        "conflicts": result.conflicts.iter().map(conflict).collect::<Vec<_>>(),
    })
}

fn about(event: &str, derivation: &StorePath) -> Value {
    json!({ "event": event, "derivation": derivation.to_string(), "name": human(derivation) })
}

/// A kind of work as programs read it.
pub(crate) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Fetch => "fetch",
        Kind::Builtin => "builtin",
        Kind::Build => "build",
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
