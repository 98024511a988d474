//! What happens during a run, as data: the progress tree, plain lines and JSON are made of these.

use crate::error::BuildError;
use std::sync::Arc;
use std::time::Duration;
use store::StorePath;

/// What kind of work a derivation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A file is fetched.
    Fetch,
    /// A builder inside larder that needs no network.
    Builtin,
    /// A command in a sandbox.
    Build,
}

/// A derivation that may have to be realised.
#[derive(Debug, Clone)]
pub struct PlannedJob {
    /// The derivation.
    pub derivation: StorePath,
    /// What kind of work.
    pub kind: Kind,
    /// How long it took before, if it was ever done.
    pub expected: Option<Duration>,
    /// What must be done before, by its place in the plan.
    pub needs: Vec<usize>,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// It is known what may have to be done.
    Planned {
        /// Everything that may have to be realised, inputs before what needs them.
        jobs: Vec<PlannedJob>,
    },
    /// Work on a derivation began. Not told of what comes out as before, or failed before, also while this larder waited for another.
    Started {
        /// The derivation.
        derivation: StorePath,
        /// What kind of work.
        kind: Kind,
        /// How long it took before, if it was ever done.
        expected: Option<Duration>,
    },
    /// A derivation's action is being realised by another larder, for which this one waits. Work on it may begin afterwards.
    Waiting {
        /// The derivation.
        derivation: StorePath,
    },
    /// A fetch got further.
    Fetched {
        /// The derivation.
        derivation: StorePath,
        /// Bytes so far.
        bytes: u64,
        /// Bytes altogether, if known.
        total: Option<u64>,
    },
    /// A build printed a line.
    Output {
        /// The derivation.
        derivation: StorePath,
        /// The line, without its end.
        line: String,
    },
    /// Something about this machine is worth knowing; once a run.
    Noted {
        /// What.
        message: String,
    },
    /// Something about a build is worth knowing, though it did not fail.
    Warned {
        /// The derivation.
        derivation: StorePath,
        /// What.
        message: String,
    },
    /// A derivation's outputs are there. They may be published a moment later, but before the run ends.
    Realised {
        /// The derivation.
        derivation: StorePath,
        /// How.
        how: How,
        /// How long it took, without waiting for another larder.
        duration: Duration,
    },
    /// A build failed, and will be tried once more when no other runs.
    Postponed {
        /// The derivation.
        derivation: StorePath,
        /// Why.
        because: String,
    },
    /// A derivation failed.
    Failed {
        /// The derivation.
        derivation: StorePath,
        /// Why.
        error: Arc<BuildError>,
    },
    /// A derivation was not tried, because an input failed.
    Skipped {
        /// The derivation.
        derivation: StorePath,
        /// The derivation that failed.
        because: StorePath,
    },
}

/// How outputs became valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The builder ran.
    Built,
    /// Its action had been realised before: its inputs came out identical.
    Reused,
    /// The builder had run before, and its outputs, which were refused then, are what they must be now.
    Verified,
}

/// Who is told.
pub type Sink<'a> = &'a (dyn Fn(Event) + Sync);
