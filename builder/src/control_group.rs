//! Control groups (version 2): one for each sandbox, in which the kernel limits and counts all its processes together.
//!
//! A group may be divided by whom it is delegated to, and only while no process is in it itself. So larder makes a directory of its own in
//! the group it was started in, moves itself into a leaf of that if it has to, and gives each sandbox another leaf, in which its first
//! process is born. Where that cannot be, builds run without, and [`Undivided`] says why. Nothing of it is seen by a guest, whose own group
//! is the root of what it is told.
//!
//! Invariants: a group's limits are set before a process is in it; a directory here is locked by the larder that lives, so that what a dead
//! one left is known for that and removed by the next.
//!
//! ```text
//! <own group>/                     delegated, by `systemd-run --user --scope --property=Delegate=yes` for one
//!   larder-<process>-<number>/     locked while that larder lives
//!     self/                        larder and its spawner, if they had to leave their group
//!     <number>/                    a sandbox
//! ```

mod divided;
mod group;
mod hierarchy;
mod limit;

pub(crate) use divided::Divided;
pub(crate) use group::{Group, Spent};
pub use hierarchy::memory_limit;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use store::shown;

/// The controllers that are wanted: what they limit is what builds can take from each other.
pub(crate) const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// Why sandboxes have no control groups.
#[derive(Debug, thiserror::Error)]
pub enum Undivided {
    /// There is no hierarchy of version 2, or it is not shown to this process.
    #[error("this process is in no control group of version 2")]
    NoHierarchy,
    /// The group is somebody else's.
    #[error("the control group {} is not delegated to this user", shown(.0))]
    NotDelegated(PathBuf),
    /// Nothing can be limited in it.
    #[error("the control group {} has none of the controllers {}", shown(.0), CONTROLLERS.join(", "))]
    NoControllers(PathBuf),
    /// It cannot be divided while others are in it.
    #[error("other processes are in the control group {}, too", shown(.0))]
    Occupied(PathBuf),
    /// The system refused a step.
    #[error("the control group {} cannot be divided: {source}", shown(path))]
    Failed {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Undivided {
    /// What to do about it, where that is known.
    #[must_use]
    pub const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NotDelegated(_) | Self::Occupied(_) => {
                Some("start it as `systemd-run --user --scope --property=Delegate=yes larder …`")
            }
            Self::NoHierarchy | Self::NoControllers(_) | Self::Failed { .. } => None,
        }
    }
}

/// What of the limits of a build this machine cannot keep, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking(String);

impl Lacking {
    /// What is lacking where these controllers are there.
    fn of(group: &Path, have: &[&str]) -> Option<Self> {
        let lacking: Vec<_> = CONTROLLERS.into_iter().filter(|wanted| !have.contains(wanted)).collect();
        let group = group.display();
        let words = |lacking: String| Self(format!("the control group {group} cannot limit {lacking} of builds"));
        (!lacking.is_empty()).then(|| words(lacking.join(" and ")))
    }
}

impl From<&Undivided> for Lacking {
    fn from(undivided: &Undivided) -> Self {
        let remedy = undivided.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        Self(format!("the memory of builds is not limited: {undivided}{remedy}"))
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What of the limits of builds this machine cannot keep; nothing is changed to find out.
#[must_use]
pub fn lacking() -> Option<Lacking> {
    match divided::survey(hierarchy::own(), &CONTROLLERS) {
        Ok(survey) => Lacking::of(survey.group(), survey.controllers()),
        Err(undivided) => Some((&undivided).into()),
    }
}
