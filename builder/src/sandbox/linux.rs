//! Entering the sandbox on Linux.
//!
//! The order is fixed by the kernel's rules. [`clone_into_namespaces`] makes a process that is pid 1 of new namespaces;
//! in it [`init::run`] maps the ids, prepares the root ([`mounts`]), and starts the process that will be the command ([`guest`]) without
//! privileges ([`privileges`]) and behind a system-call filter ([`filter`]). All that is done before there is a task; when one comes, the
//! root is composed and the command executed. Each sandbox is used once. Nothing here is fit for a process with more
//! than one thread: between fork and exec it allocates. The [spawner](crate::spawner) is single-threaded for that reason.

mod calls;
pub(crate) mod filter;
mod guest;
mod identity;
pub(crate) mod init;
pub(crate) mod landlock;
mod leave;
mod listing;
mod mounts;
mod privileges;
mod supervise;
#[allow(unsafe_code, reason = "system calls")]
mod sys;
mod trace;

use super::outcome::{SetupError, Step};
use super::spec::SandboxSpec;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{BorrowedFd, OwnedFd};

pub(crate) use identity::OuterIds;
pub(crate) use sys::{
    Forked, heed_requests_to_end, ignore_requests_to_end, kill_by_pidfd, received_descriptors, wait_for,
};
pub(crate) use trace::{MISSED, OPENED, SEEN, TRUNCATED};

const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS;

/// Forks a child that is the first process of new user, mount, pid, net, ipc and uts namespaces, and of a control group if one is given. The
/// guest has a cgroup namespace of its own, whose root is that group, and one of time.
///
/// # Errors
/// The machine forbids it, or has run out of something.
pub(crate) fn clone_into_namespaces(group: Option<BorrowedFd<'_>>) -> Result<Forked, SetupError> {
    sys::fork_into(NAMESPACES, group).at(Step::Namespaces, "")
}

/// Makes and leaves the namespaces in a child that does nothing else, to see whether the machine allows them. The child
/// only makes system calls, so this may be called with other threads running.
pub(crate) fn probe_namespaces() -> Result<(), SetupError> {
    let outer = OuterIds::current();
    match clone_into_namespaces(None)? {
        Forked::Child => sys::exit(i32::from(identity::map_ids(1000, outer).is_err())),
        Forked::Parent { pid, .. } => match wait_for(pid) {
            Ok((0, _)) => Ok(()),
            Ok(_) => Err(SetupError::new(Step::IdMap, "/proc/self/uid_map", libc::EPERM)),
            Err(error) => Err(error).at(Step::Namespaces, ""),
        },
    }
}

/// The descriptors a sandboxed command starts with.
#[derive(Debug)]
pub(crate) enum Stdio {
    /// Standard output and error go here, standard input is empty.
    Log(OwnedFd),
    /// Standard input, output and error, in this order.
    Terminal([OwnedFd; 3]),
}

/// What a sandbox is told to do.
#[derive(Debug)]
pub(crate) struct Task {
    /// A file with the serialised [`SandboxSpec`](super::SandboxSpec).
    pub(crate) spec: OwnedFd,
    /// What the command starts with.
    pub(crate) stdio: Stdio,
    /// Where the files that it uses are noted, if that is wanted.
    pub(crate) trace: Option<OwnedFd>,
}

impl Task {
    /// Reads the specification.
    fn read_spec(&self) -> Result<SandboxSpec, SetupError> {
        let mut bytes = Vec::new();
        let mut file = File::from(self.spec.try_clone().at(Step::Request, "")?);
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).at(Step::Request, "")?;
        serde_json::from_slice(&bytes).map_err(|error| SetupError::new(Step::Request, "", 0).with_detail(error))
    }
}

/// Turns the system's errors into errors of a step.
pub(crate) trait AtStep<T> {
    /// Says what was being done, and to what.
    fn at(self, step: Step, subject: impl std::fmt::Display) -> Result<T, SetupError>;
}

impl<T> AtStep<T> for io::Result<T> {
    fn at(self, step: Step, subject: impl std::fmt::Display) -> Result<T, SetupError> {
        self.map_err(|error| match error.raw_os_error() {
            Some(errno) => SetupError::new(step, subject, errno),
            None => SetupError::new(step, subject, 0).with_detail(error),
        })
    }
}

impl<T> AtStep<T> for rustix::io::Result<T> {
    fn at(self, step: Step, subject: impl std::fmt::Display) -> Result<T, SetupError> {
        self.map_err(|errno| SetupError::new(step, subject, errno.raw_os_error()))
    }
}

impl<T> AtStep<T> for nix::Result<T> {
    fn at(self, step: Step, subject: impl std::fmt::Display) -> Result<T, SetupError> {
        self.map_err(|errno| SetupError::new(step, subject, errno as i32))
    }
}
