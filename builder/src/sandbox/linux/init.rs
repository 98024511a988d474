//! The first process of a sandbox: sets it up, starts the command, and outlives it only to see to it that nothing else
//! does. Being pid 1 of its namespace, its own death kills every process in it.

use super::super::outcome::{Outcome, SetupError, Status, Step, Transfer, Usage};
use super::super::spec::{Groundwork, SandboxSpec};
use super::filter::{self, Filters};
use super::mounts::Stage;
use super::trace::Trace;
use super::{AtStep, Forked, OuterIds, Task, guest, identity, supervise, sys};
use crate::spawner::protocol::{self, Told};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the first process is born with.
#[derive(Debug)]
pub(crate) struct Birth<'b> {
    /// Where larder will tell what to run, and is told how that ended; if it is told several times, the first counts.
    pub(crate) socket: &'b OwnedFd,
    /// A descriptor of the spawner's process.
    pub(crate) spawner: &'b OwnedFd,
    /// Who we are outside.
    pub(crate) outer: OuterIds,
    /// What to prepare.
    pub(crate) groundwork: Groundwork,
}

/// Prepares a sandbox, waits for its task, runs it to its end, tells, and exits.
/// To be called in a new child of [`clone_into_namespaces`](super::clone_into_namespaces).
pub(crate) fn run(birth: &Birth<'_>, filters: &Filters) -> ! {
    let panicked = || SetupError::new(Step::Supervise, "", 0).with_detail("panic in the first process");
    match catch_unwind(AssertUnwindSafe(|| live(birth, filters))).unwrap_or_else(|_| Err(panicked())) {
        Ok(Some(ended)) => tell(birth.socket, ended),
        Ok(None) => {}
        Err(error) => tell_failed(birth.socket, error),
    }
    sys::exit(0)
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    status: Status,
    /// Whether it was killed, or another process that we have waited for.
    killed: bool,
}

fn tell(socket: &OwnedFd, Ended { status, killed }: Ended) {
    let usage = Usage { transfer: transferred(), ..sys::used() };
    tell_outcome(socket, Outcome { status, usage, killed });
}

fn tell_failed(socket: &OwnedFd, error: SetupError) {
    tell_outcome(socket, Outcome { usage: sys::used(), ..Outcome::of(Status::SetupFailed(error)) });
}

fn tell_outcome(socket: &OwnedFd, outcome: Outcome) {
    // If larder has gone nobody wants to know, and we are about to be killed.
    let _ = protocol::send(socket.as_fd(), &Told::Ended(outcome), &[]);
}

/// What this process and all that it has waited for have read and written. Nobody else is left, so it may be looked into again,
/// which the kernel demands of who wants to see its own counts.
fn transferred() -> Option<Transfer> {
    prctl::set_dumpable(true).ok()?;
    Transfer::parse(&std::fs::read_to_string("/proc/self/io").ok()?)
}

/// How the command ended, whose processes are all dead then; `None` if there was no task.
fn live(birth: &Birth<'_>, filters: &Filters) -> Result<Option<Ended>, SetupError> {
    live_with_spawner(birth)?;
    let stage = prepare(birth)?;
    let guest = Guest::start(birth, filters)?;
    let Some(task) = protocol::receive_task(birth.socket)? else { return Ok(None) };
    let spec = task.read_spec()?;
    spec.check().map_err(|error| SetupError::new(Step::Request, "", 0).with_detail(error))?;
    if spec.groundwork(task.trace.is_some()) != birth.groundwork {
        return Err(SetupError::new(Step::Request, "", 0).with_detail("another sandbox was prepared"));
    }
    let leaving = stage.enter_root(&spec)?;
    let ended = guest.run(task, &spec)?;
    kill_the_rest();
    if let Some(leaving) = leaving.filter(|_| ended.status != Status::Exited(0)) {
        // Who enters a failed build does without it where it could not be left.
        let _ = leaving.leave();
    }
    Ok(Some(ended))
}

/// Sees to it that we die with the spawner, and have no descriptors but our own.
fn live_with_spawner(birth: &Birth<'_>) -> Result<(), SetupError> {
    prctl::set_pdeathsig(Signal::SIGKILL).at(Step::Supervise, "parent-death signal")?;
    // It may have died before we asked for that.
    let mut polled = [PollFd::new(birth.spawner.as_fd(), PollFlags::POLLIN)];
    if poll(&mut polled, PollTimeout::ZERO).at(Step::Supervise, "spawner")? > 0 {
        sys::exit(0);
    }
    sys::close_all_but(&mut [birth.socket.as_raw_fd()]);
    Ok(())
}

/// Makes the namespaces we are in the guest's world, as far as it is known.
fn prepare(birth: &Birth<'_>) -> Result<Stage, SetupError> {
    let circumstances = &birth.groundwork.circumstances;
    identity::map_ids(circumstances.user().id, birth.outer)?;
    // Of a process that may not be looked into these files are root's.
    identity::restart_clocks()?;
    be_killed_first()?;
    // From here on the guest, which has our user id, must not be able to look into us.
    prctl::set_dumpable(false).at(Step::Privileges, "dumpable")?;
    identity::set_names(circumstances)?;
    identity::start_loopback()?;
    Stage::make(&birth.groundwork)
}

/// Offers this process and all that it starts to the kernel when memory runs out: where nothing limits a build's memory, what else runs on the
/// machine shall not end for it. A guest cannot take that back, for its `/proc` is read-only.
fn be_killed_first() -> Result<(), SetupError> {
    const PLACE: &str = "/proc/self/oom_score_adj";
    std::fs::write(PLACE, "1000").at(Step::Circumstances, PLACE)
}

/// The process that will be the command.
struct Guest {
    process: libc::pid_t,
    /// Readable when it has ended.
    ended: OwnedFd,
    /// Where it waits for its task.
    socket: OwnedFd,
    /// What those of its calls arrive at that are to be answered.
    listener: Option<OwnedFd>,
    /// What `uname` is answered with.
    release: Option<String>,
}

impl Guest {
    fn start(birth: &Birth<'_>, filters: &Filters) -> Result<Self, SetupError> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .at(Step::Supervise, "socket")?;
        let circumstances = &birth.groundwork.circumstances;
        // The root of its cgroup namespace is the group that we were born in, whose number is nothing to it.
        match sys::fork_into(libc::CLONE_NEWCGROUP, None).at(Step::Namespaces, "cgroup")? {
            Forked::Child => {
                drop(ours);
                if let Err(error) = guest::become_command(&theirs, &birth.groundwork, filters) {
                    tell_failed(birth.socket, error);
                }
                sys::exit(127)
            }
            Forked::Parent { pid, pidfd } => {
                drop(theirs);
                let supervised = !filter::supervised_calls(&birth.groundwork).is_empty();
                // Without one it has failed, and told so.
                let listener = if supervised { supervise::receive_listener(&ours)? } else { None };
                let release = circumstances.kernel_release.clone();
                Ok(Self { process: pid, ended: pidfd, socket: ours, listener, release })
            }
        }
    }

    /// Lets it become the command and waits for its end, answering those of its calls that are to be answered.
    fn run(self, mut task: Task, spec: &SandboxSpec) -> Result<Ended, SetupError> {
        let mut trace = task.trace.take().map(Trace::new);
        trace.iter_mut().for_each(|trace| trace.note_command(&guest::candidates(spec)));
        // Who cannot take the task has failed, and told so.
        let _ = protocol::send_task(&self.socket, &task);
        // The log ends when the guest's copies of it are closed.
        drop(task);
        match self.listener {
            Some(listener) => supervise::run(listener, self.process, &self.ended, self.release, trace),
            None => reap_until(self.process, false),
        }
    }
}

/// Reaps whatever ends until the command does; `killed` is whether one that was reaped before had been killed.
pub(super) fn reap_until(command: libc::pid_t, mut killed: bool) -> Result<Ended, SetupError> {
    loop {
        match sys::wait_any(-1) {
            Ok((pid, status, _)) => {
                killed |= was_killed(status);
                if pid == command {
                    return Ok(Ended { status: status_of(status), killed });
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).at(Step::Supervise, "wait"),
        }
    }
}

/// Whether a process ended so because it was killed.
pub(super) const fn was_killed(status: i32) -> bool {
    libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL
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
    loop {
        // Again each time: who is killed may have been about to start another.
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        match sys::wait_any(-1) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // There is nobody left.
            Err(_) => return,
        }
    }
}
