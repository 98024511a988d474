//! How a sandboxed run ended: with a status, or before it began, with the step that failed and the remedy.

use super::remedy::Remedy;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The end of a sandboxed run. When it is reported, every process of the sandbox is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What it used.
    pub usage: Usage,
    /// Whether a process of it was killed with `SIGKILL`, the command or one that had lost its parent: of others only their parents know.
    pub killed: bool,
}

impl Outcome {
    /// That of a run of which nothing else is known.
    pub(crate) fn of(status: Status) -> Self {
        Self { status, usage: Usage::default(), killed: false }
    }

    /// Whether a process of it was killed, by what the sandbox's first process knows, which may be the one itself, and by how shells tell of
    /// processes that were.
    pub(crate) fn shows_a_kill(&self) -> bool {
        const KILLED: i32 = 128 + libc::SIGKILL;
        self.killed || matches!(self.status, Status::Exited(KILLED) | Status::SetupFailed(_))
    }
}

/// How a sandboxed run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// The command ended by itself with this exit code.
    Exited(i32),
    /// The command was ended by this signal.
    Signalled(i32),
    /// The sandbox was killed from outside, with all that was in it.
    Killed,
    /// The sandbox could not be set up, or the command not be started in it.
    SetupFailed(SetupError),
}

/// What a sandboxed run used, all processes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time in user mode.
    pub user_time: Duration,
    /// Processor time in the kernel, setting up the sandbox included.
    pub system_time: Duration,
    /// Largest resident set, in bytes, that any single process had.
    pub peak_memory: u64,
    /// What it read and wrote; nothing if it was killed from outside, or the kernel does not count.
    pub transfer: Option<Transfer>,
}

/// Bytes that were read and written by processes that somebody waited for, as `/proc/PID/io` counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Read by system calls, from wherever it came.
    pub read: u64,
    /// Written by system calls, to wherever it went.
    pub written: u64,
    /// Read from disks.
    pub disk_read: u64,
    /// Written to disks, or yet to be.
    pub disk_written: u64,
}

impl Transfer {
    /// Reads the kernel's counts.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let count = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let cancelled = count("cancelled_write_bytes:")?;
        Some(Self {
            read: count("rchar:")?,
            written: count("wchar:")?,
            disk_read: count("read_bytes:")?,
            disk_written: count("write_bytes:")?.saturating_sub(cancelled),
        })
    }
}

/// A step of setting up a sandbox; its text completes "cannot …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Reading and checking the request.
    Request,
    /// Making the namespaces.
    Namespaces,
    /// Mapping the user and group id.
    IdMap,
    /// Host name, loopback interface.
    Identity,
    /// Making the skeleton of mount points.
    Skeleton,
    /// Composing the layers.
    Overlay,
    /// Showing a host path to the guest.
    Bind,
    /// Mounting a private `/proc`.
    Proc,
    /// Making `/dev`.
    Dev,
    /// Making the composed root the root.
    Root,
    /// Limits, umask, processors and the like.
    Circumstances,
    /// Giving up privileges.
    Privileges,
    /// Installing the system-call filter.
    Filter,
    /// Starting the command.
    Exec,
    /// Watching over the command.
    Supervise,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "read the sandbox's specification",
            Self::Namespaces => "make the sandbox's namespaces",
            Self::IdMap => "map the user id into the sandbox",
            Self::Identity => "set the sandbox's host name and loopback interface",
            Self::Skeleton => "make the sandbox's mount points",
            Self::Overlay => "compose the sandbox's root",
            Self::Bind => "show a host path in the sandbox",
            Self::Proc => "mount the sandbox's /proc",
            Self::Dev => "make the sandbox's /dev",
            Self::Root => "enter the composed root",
            Self::Circumstances => "set the sandbox's limits",
            Self::Privileges => "give up privileges",
            Self::Filter => "install the system-call filter",
            Self::Exec => "start the command",
            Self::Supervise => "watch over the command",
        })
    }
}

/// A sandbox that could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupError {
    /// What was being done.
    pub step: Step,
    /// The path or thing it was being done to; empty where the step says it all.
    pub subject: String,
    /// The system's error number; 0 if it was not the system that refused.
    pub errno: i32,
    /// What else is known: the kernel's own words, or the reason where there is no error number.
    pub detail: String,
    /// What to do about it, where that is known.
    pub remedy: Option<Remedy>,
}

impl SetupError {
    /// A step that the system refused.
    pub(crate) fn new(step: Step, subject: impl fmt::Display, errno: i32) -> Self {
        Self { step, subject: subject.to_string(), errno, detail: String::new(), remedy: None }
    }

    /// Adds what else is known.
    #[must_use]
    pub(crate) fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = detail.to_string();
        self
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.step)?;
        if !self.subject.is_empty() {
            write!(f, " (`{}`)", self.subject)?;
        }
        if self.errno != 0 {
            write!(f, ": {}", std::io::Error::from_raw_os_error(self.errno))?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for SetupError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_and_removed_before_it_reached_the_disk_does_not_count() {
        let text = "rchar: 100\nwchar: 90\nsyscr: 5\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 12288\ncancelled_write_bytes: 8192\n";
        let expected = Transfer { read: 100, written: 90, disk_read: 4096, disk_written: 4096 };
        assert_eq!(Transfer::parse(text), Some(expected));
        assert_eq!(Transfer::parse("rchar: 100\n"), None);
    }
}
