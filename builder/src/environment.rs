//! What every build finds in its environment: part of the sandbox ABI, version 1. Pure.

use crate::error::BuildError;
use crate::passed::Passed;
use crate::sandbox::{Circumstances, JOB_SERVER_DESCRIPTORS};
use std::collections::BTreeMap;
use store::Action;
use store::derivation::output_guest_path;

/// 1980-01-02 00:00:00 UTC: the first whole day that every archive format can express.
pub const SOURCE_DATE_EPOCH: i64 = 315_619_200;

/// Where a build sees the FIFO of its job server.
pub const JOB_SERVER: &str = "/larder/jobs";

/// How a build's programs find the job server, whatever the budget is.
///
/// The FIFO is named and its open descriptors are, for no form is understood by all: GNU make before 4.4 stops at the first one, ninja
/// knows only that, and of a repeated option the last counts. So the second is shortened, which make expands and others, looking for the
/// option's full name, do not see. There is no `-j`: make takes tokens where it finds a server.
fn make_flags() -> String {
    let [reading, writing] = JOB_SERVER_DESCRIPTORS;
    format!("--jobserver-auth=fifo:{JOB_SERVER} --jobserver-aut={reading},{writing}")
}

/// What is different from the sandbox ABI in one build, so that what depends on it shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variation {
    /// What the sandbox itself varies.
    pub circumstances: Circumstances,
    /// Variables in place of the fixed ones; what the derivation says still comes first.
    pub variables: BTreeMap<String, String>,
    /// How many processes the build may run at once; as many as there are processors by default.
    pub jobs: Option<usize>,
}

/// The environment of a build: the fixed part, then what the derivation says, then the outputs.
///
/// `jobs` is how many processes the build may run at once. It is no part of the action: a build whose output depends on it is not
/// reproducible, which is what `larder repro` is for. With `job_server` it finds one: all builds together have one budget.
///
/// # Errors
/// When what the derivation says of its environment is malformed.
pub fn of_build(
    action: &Action,
    jobs: usize,
    job_server: bool,
    variation: &Variation,
) -> Result<BTreeMap<String, String>, BuildError> {
    let mut environment = fixed();
    environment.insert("LARDER_JOBS".to_owned(), variation.jobs.unwrap_or(jobs).to_string());
    if job_server {
        environment.insert("MAKEFLAGS".to_owned(), make_flags());
    }
    environment.extend(variation.variables.clone());
    environment.extend(Passed::of(action.resolved())?.variables);
    let outputs: Vec<_> = action.resolved().outputs.iter().map(store::OutputName::as_str).collect();
    environment.insert("outputs".to_owned(), outputs.join(" "));
    for output in &action.resolved().outputs {
        environment.insert(output.to_string(), output_guest_path(output));
    }
    Ok(environment)
}

/// The part that is the same for all.
#[must_use]
pub fn fixed() -> BTreeMap<String, String> {
    let fixed = [
        ("HOME", "/build".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("LOGNAME", "build".to_owned()),
        ("PATH", "/usr/bin:/usr/sbin:/bin:/sbin".to_owned()),
        ("SHELL", "/bin/sh".to_owned()),
        ("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH.to_string()),
        ("TERM", "dumb".to_owned()),
        ("TMPDIR", "/tmp".to_owned()),
        ("TZ", "UTC".to_owned()),
        ("USER", "build".to_owned()),
    ];
    fixed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
