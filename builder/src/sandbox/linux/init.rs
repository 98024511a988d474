//! The first process of a sandbox: sets it up, starts the command, and outlives it only to see to it that nothing else
//! does. Being pid 1 of its namespace, its own death kills every process in it.

use super::super::outcome::{SetupError, Status, Step, Transfer};
use super::super::spec::SandboxSpec;
use super::filter::{self, Filters, Supervision};
use super::trace::Trace;
use super::{AtStep, Forked, OuterIds, Stdio, guest, identity, mounts, supervise, sys};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;
use serde::Serialize;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the first process is born with.
#[derive(Debug)]
pub(crate) struct Birth {
    /// Where it will be told what to run.
    pub(crate) socket: OwnedFd,
    /// Where one serialised [`Status`] is written (if there are several, the first counts), and after it what was [`Transfer`]red.
    pub(crate) report: OwnedFd,
    /// Who we are outside.
    pub(crate) outer: OuterIds,
}

/// What the first process is told to do.
#[derive(Debug)]
pub(crate) struct Task {
    /// A file with the serialised [`SandboxSpec`].
    pub(crate) spec: OwnedFd,
    /// What the command starts with.
    pub(crate) stdio: Stdio,
    /// Where the files that it uses are noted, if that is wanted.
    pub(crate) trace: Option<OwnedFd>,
}

/// Waits for a task, which `receive` reads from the socket (`None`: there will be none), runs it to its end and exits.
/// To be called in a new child of [`clone_into_namespaces`](super::clone_into_namespaces).
pub(crate) fn run(
    birth: Birth,
    filters: &Filters,
    receive: impl FnOnce(OwnedFd) -> Result<Option<Task>, SetupError>,
) -> ! {
    let mut report = File::from(birth.report);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        prepare(&birth.socket, &report)?;
        match receive(birth.socket)? {
            Some(task) => run_to_end(task, &mut report, birth.outer, filters).map(Some),
            None => Ok(None),
        }
    }));
    let panicked = || SetupError::new(Step::Supervise, "", 0).with_detail("panic in the first process");
    match ended.unwrap_or_else(|_| Err(panicked())) {
        Ok(Some(status)) => {
            tell(&mut report, &status);
            tell(&mut report, &transferred());
        }
        Ok(None) => {}
        Err(error) => tell(&mut report, &Status::SetupFailed(error)),
    }
    sys::exit(0)
}

/// Does what needs no task, so that it is done when one comes.
fn prepare(socket: &OwnedFd, report: &File) -> Result<(), SetupError> {
    prctl::set_pdeathsig(Signal::SIGKILL).at(Step::Supervise, "parent-death signal")?;
    sys::close_all_but(&mut [socket.as_raw_fd(), report.as_raw_fd()]);
    if spawner_has_gone(report) {
        sys::exit(0);
    }
    identity::start_loopback()
}

/// Whether the spawner died before we asked to die with it: then nobody reads the report any more. Our own copy of the
/// reading end must have been closed.
fn spawner_has_gone(report: &File) -> bool {
    let mut polled = [PollFd::new(report.as_fd(), PollFlags::empty())];
    poll(&mut polled, PollTimeout::ZERO).is_ok()
        && polled[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
}

fn tell(report: &mut File, told: &impl Serialize) {
    let mut line = serde_json::to_vec(told).unwrap_or_default();
    line.push(b'\n');
    // If the spawner has gone nobody wants to know, and we are about to be killed.
    let _ = report.write_all(&line);
}

/// What this process and all that it has waited for have read and written. Nobody else is left, so it may be looked into again,
/// which the kernel demands of who wants to see its own counts.
fn transferred() -> Option<Transfer> {
    prctl::set_dumpable(true).ok()?;
    Transfer::parse(&std::fs::read_to_string("/proc/self/io").ok()?)
}

fn run_to_end(task: Task, report: &mut File, outer: OuterIds, filters: &Filters) -> Result<Status, SetupError> {
    let spec = read_spec(task.spec)?;
    spec.check().map_err(|error| SetupError::new(Step::Request, "", 0).with_detail(error))?;
    enter(&spec, outer)?;
    let status = run_command(&spec, task.stdio, task.trace, filters, report)?;
    kill_the_rest();
    Ok(status)
}

/// Makes the namespaces we are in the guest's world.
fn enter(spec: &SandboxSpec, outer: OuterIds) -> Result<(), SetupError> {
    identity::map_ids(spec.circumstances.user().id, outer)?;
    // From here on the guest, which has our user id, must not be able to look into us.
    prctl::set_dumpable(false).at(Step::Privileges, "dumpable")?;
    identity::set_names(&spec.circumstances)?;
    mounts::enter_root(spec)
}

fn read_spec(file: OwnedFd) -> Result<SandboxSpec, SetupError> {
    let mut bytes = Vec::new();
    let mut file = File::from(file);
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).at(Step::Request, "")?;
    serde_json::from_slice(&bytes).map_err(|error| SetupError::new(Step::Request, "", 0).with_detail(error))
}

/// Starts the command and waits for its end, answering those of its calls that are to be answered.
fn run_command(
    spec: &SandboxSpec,
    stdio: Stdio,
    trace: Option<OwnedFd>,
    filters: &Filters,
    report: &mut File,
) -> Result<Status, SetupError> {
    let calls = filter::supervised_calls(&spec.circumstances, trace.is_some());
    if calls.is_empty() {
        let (command, _) = start(spec, stdio, filters, report, None)?;
        return reap_until(command);
    }
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .at(Step::Supervise, "listener")?;
    let supervision = Supervision { program: filter::notify_program(&calls), socket: theirs };
    let mut trace = trace.map(Trace::new);
    trace.iter_mut().for_each(|trace| trace.note_command(&guest::candidates(spec)));
    let (command, ended) = start(spec, stdio, filters, report, Some(supervision))?;
    supervise::run(ours, command, &ended, spec.circumstances.kernel_release.clone(), trace)
}

/// Starts the command as a child; gives its pid in our namespace, and a descriptor that is readable when it has ended.
fn start(
    spec: &SandboxSpec,
    stdio: Stdio,
    filters: &Filters,
    report: &mut File,
    supervision: Option<Supervision>,
) -> Result<(libc::pid_t, OwnedFd), SetupError> {
    match sys::fork_into(0).at(Step::Exec, "fork")? {
        Forked::Parent { pid, pidfd } => Ok((pid, pidfd)),
        Forked::Child => {
            let Err(error) = guest::become_command(spec, stdio, filters, supervision);
            tell(report, &Status::SetupFailed(error));
            sys::exit(127)
        }
    }
}

/// Reaps whatever ends until the command does.
pub(super) fn reap_until(command: libc::pid_t) -> Result<Status, SetupError> {
    loop {
        match sys::wait_any(-1) {
            Ok((pid, status, _)) if pid == command => return Ok(status_of(status)),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).at(Step::Supervise, "wait"),
        }
    }
}

fn status_of(status: i32) -> Status {
    if libc::WIFSIGNALED(status) {
        Status::Signalled(libc::WTERMSIG(status))
    } else {
        Status::Exited(libc::WEXITSTATUS(status))
    }
}

/// Kills and reaps every other process of the namespace. Our own exit would kill them too; reaped here, what they used
/// is counted.
fn kill_the_rest() {
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    while sys::wait_any(-1).is_ok() {}
}
