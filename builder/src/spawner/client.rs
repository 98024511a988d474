//! larder's side: many threads hand in runs, each to a sandbox of its own, and hear from it how it ended.

use super::protocol::{self, Request, Told};
use crate::control_group::{Divided, Group, Lacking, Spent, Undivided};
use crate::running::{Process, below};
use crate::sandbox::linux::{Stdio, Task, kill_by_pidfd};
use crate::sandbox::{Groundwork, HostFacts, Outcome, SandboxSpec, SetupError, SpecError, Status, Step, with_remedy};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use store::local::Layout;

/// So many sandboxes are kept prepared.
const STOCK: usize = 2;

/// A run that could not be handed to the spawner. That a sandbox could not be set up is no such error but an [`Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The spawner could not be started.
    #[error("cannot start the sandbox spawner `{program}`")]
    Start {
        /// The program that was to be executed.
        program: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The specification is impossible.
    #[error("the sandbox cannot be made")]
    Spec(#[from] SpecError),
    /// The spawner could not be told what to remove, should this process die.
    #[error("cannot entrust `{}` to the sandbox spawner", store::shown(place))]
    Entrust {
        /// A directory of the store, or the spawner's program.
        place: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A sandbox's control group could not be made.
    #[error("the sandbox cannot be limited")]
    Group(#[from] Undivided),
    /// The specification could not be sent.
    #[error("cannot send a sandbox's specification to the spawner")]
    Send(#[source] std::io::Error),
    /// The spawner ended while the sandbox ran, or before; every sandbox has died with it.
    #[error("the sandbox spawner has ended unexpectedly")]
    Gone,
}

/// The spawner process, as its parent holds it. Dropping it kills every sandbox.
#[derive(Debug)]
pub struct Spawner {
    socket: Arc<OwnedFd>,
    process: Child,
    /// Sandboxes that were asked for ahead.
    stock: Mutex<VecDeque<Prepared>>,
    /// Whence sandboxes have their control groups; the last to go, for it is in a group itself.
    groups: Result<Arc<Divided>, Undivided>,
}

/// A sandbox that has no task yet.
#[derive(Debug)]
struct Prepared {
    groundwork: Groundwork,
    socket: OwnedFd,
    group: Option<Lodging>,
}

/// The control group of a sandbox, taken back when dropped.
#[derive(Debug)]
struct Lodging {
    group: Option<Group>,
    groups: Arc<Divided>,
}

impl Drop for Lodging {
    fn drop(&mut self) {
        self.group.take().into_iter().for_each(|group| self.groups.take_back(group));
    }
}

/// The descriptors of an interactive run: standard input, output and error.
#[derive(Debug)]
pub struct Terminal {
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

/// A run that has been handed in. Dropped before its end, it is killed and waited for: what it may use is given back then.
#[derive(Debug)]
pub struct Running {
    socket: OwnedFd,
    spawner: Arc<OwnedFd>,
    cancel: CancelHandle,
    group: Option<Lodging>,
    /// Whether its end has been told.
    over: AtomicBool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over.load(Ordering::SeqCst) {
            self.cancel.kill();
            while let Ok(None) = self.receive() {}
            self.wait_for_first();
        }
    }
}

/// Kills one run, from any thread, at any time; after its end it does nothing.
#[derive(Debug, Clone, Default)]
pub struct CancelHandle {
    first: Arc<First>,
}

/// The first process of a sandbox.
#[derive(Debug, Default)]
struct First {
    /// A descriptor of it, once we are told.
    process: OnceLock<OwnedFd>,
    /// Whether it is to be killed, then.
    killed: AtomicBool,
}

impl Spawner {
    /// Starts `program args…`, which must call [`spawner::main`](super::main), as the spawner.
    ///
    /// # Errors
    /// The program cannot be executed.
    pub fn start(program: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Self, SpawnError> {
        let failed = |source: std::io::Error| SpawnError::Start { program: program.to_owned(), source };
        let (ours, theirs) = pair().map_err(failed)?;
        // Before there is a child, which would have to leave the group, too.
        let groups = Divided::open().map(Arc::new);
        let process =
            Command::new(program).args(args).stdin(std::process::Stdio::from(theirs)).spawn().map_err(failed)?;
        Ok(Self { socket: Arc::new(ours), process, stock: Mutex::default(), groups })
    }

    /// Has the spawner remove what this process has staged in a store, should it die before it has dropped the spawner.
    ///
    /// # Errors
    /// When a directory of the store cannot be opened, or the spawner has ended.
    pub fn entrust(&self, store: &Layout) -> Result<(), SpawnError> {
        let places = [store.tmp(), store.leases(), store.trash()];
        let failed = |source: std::io::Error| SpawnError::Entrust { place: places[0].clone(), source };
        let process = pidfd_open(getpid(), PidfdFlags::empty()).map_err(|errno| failed(errno.into()))?;
        let open = |place: &PathBuf| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::open(place, flags, Mode::empty())
                .map_err(|errno| SpawnError::Entrust { place: place.clone(), source: errno.into() })
        };
        let directories = places.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let fds: Vec<_> = [&process].into_iter().chain(&directories).map(AsRawFd::as_raw_fd).collect();
        protocol::send(self.socket.as_fd(), &Request::Entrust(std::process::id()), &fds).map_err(|error| {
            if error.kind() == std::io::ErrorKind::BrokenPipe { SpawnError::Gone } else { failed(error) }
        })
    }

    /// What of the limits of sandboxes this machine cannot keep.
    #[must_use]
    pub fn lacking(&self) -> Option<Lacking> {
        match &self.groups {
            Ok(groups) => groups.lacking(),
            Err(undivided) => Some(undivided.into()),
        }
    }

    /// Runs one command in a sandbox and waits for its end; everything it prints goes to `log`: a pipe, or
    /// a file opened for appending (several descriptions of it may come to write). Any number of threads may be doing so.
    ///
    /// # Errors
    /// The run could not be handed to the spawner, or the spawner died.
    pub fn run(&self, spec: &SandboxSpec, log: OwnedFd) -> Result<Outcome, SpawnError> {
        self.start_run(spec, log)?.wait()
    }

    /// As [`run`](Self::run), without waiting.
    ///
    /// # Errors
    /// The run could not be handed to the spawner.
    pub fn start_run(&self, spec: &SandboxSpec, log: OwnedFd) -> Result<Running, SpawnError> {
        self.hand_in(spec, Stdio::Log(log), None)
    }

    /// As [`start_run`](Self::start_run), noting in a file which paths the run uses and looks for in vain: see
    /// [`InputTrace`](crate::trace::InputTrace).
    ///
    /// # Errors
    /// The run could not be handed to the spawner.
    pub fn start_traced_run(&self, spec: &SandboxSpec, log: OwnedFd, trace: File) -> Result<Running, SpawnError> {
        self.hand_in(spec, Stdio::Log(log), Some(trace.into()))
    }

    /// Starts a run whose standard input, output and error are a terminal's, usually with `interactive` in `spec`.
    ///
    /// # Errors
    /// The run could not be handed to the spawner.
    pub fn start_on_terminal(&self, spec: &SandboxSpec, terminal: Terminal) -> Result<Running, SpawnError> {
        let Terminal { stdin, stdout, stderr } = terminal;
        self.hand_in(spec, Stdio::Terminal([stdin, stdout, stderr]), None)
    }

    fn hand_in(&self, spec: &SandboxSpec, stdio: Stdio, trace: Option<OwnedFd>) -> Result<Running, SpawnError> {
        spec.check()?;
        let task = Task { spec: write_spec(spec).map_err(SpawnError::Send)?, stdio, trace };
        let groundwork = spec.groundwork(task.trace.is_some());
        let usual = groundwork.is_usual();
        let ready = if usual { self.hand_to_stock(&groundwork, &task)? } else { None };
        let prepared = match ready {
            Some(prepared) => prepared,
            None => {
                let prepared = self.ask(&groundwork)?;
                // If it has ended, it tells of what.
                hand_over(&prepared.socket, &task)?;
                prepared
            }
        };
        let Prepared { socket, group, .. } = prepared;
        let (cancel, over) = (CancelHandle { first: Arc::default() }, AtomicBool::new(false));
        let running = Running { socket, spawner: Arc::clone(&self.socket), cancel, group, over };
        match if usual { self.fill_stock(&groundwork) } else { Ok(()) } {
            // Without the spawner the run ends, too.
            Err(gone @ SpawnError::Gone) => Err(gone),
            // The run itself has begun: who lacks a spare sandbox next time asks for it then.
            _ => Ok(running),
        }
    }

    /// Gives a task to a sandbox that was prepared so, unless there is none that lives.
    fn hand_to_stock(&self, groundwork: &Groundwork, task: &Task) -> Result<Option<Prepared>, SpawnError> {
        loop {
            let Some(prepared) = self.lock_stock().pop_front() else { return Ok(None) };
            if prepared.groundwork == *groundwork && hand_over(&prepared.socket, task)? {
                return Ok(Some(prepared));
            }
        }
    }

    fn lock_stock(&self) -> std::sync::MutexGuard<'_, VecDeque<Prepared>> {
        // Each change is one call, so that a panic elsewhere leaves it whole.
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill_stock(&self, groundwork: &Groundwork) -> Result<(), SpawnError> {
        let mut stock = self.lock_stock();
        while stock.len() < STOCK {
            stock.push_back(self.ask(groundwork)?);
        }
        Ok(())
    }

    /// Asks for a sandbox, in a control group of its own if that can be had.
    fn ask(&self, groundwork: &Groundwork) -> Result<Prepared, SpawnError> {
        let (socket, theirs) = pair().map_err(SpawnError::Send)?;
        let group = match &self.groups {
            Ok(groups) => Some(Lodging::take(groups, groundwork)?),
            Err(_) => None,
        };
        let handle = group.as_ref().and_then(|lodging| lodging.group.as_ref()).map(|group| group.handle().as_raw_fd());
        let fds: Vec<_> = [theirs.as_raw_fd()].into_iter().chain(handle).collect();
        protocol::send(self.socket.as_fd(), &Request::Sandbox(Box::new(groundwork.clone())), &fds).map_err(
            |error| {
                if error.kind() == std::io::ErrorKind::BrokenPipe { SpawnError::Gone } else { SpawnError::Send(error) }
            },
        )?;
        Ok(Prepared { groundwork: groundwork.clone(), socket, group })
    }

    /// The spawner's process id, for messages.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

impl Lodging {
    fn take(groups: &Arc<Divided>, groundwork: &Groundwork) -> Result<Self, Undivided> {
        Ok(Self { group: Some(groups.make(&groundwork.limits)?), groups: Arc::clone(groups) })
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        let told = protocol::send(self.socket.as_fd(), &Request::Relieve, &[]);
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
        // Who was not told waits for this process to end before it does, or is dead.
        let _ = if told.is_ok() { self.process.wait().map(Some) } else { self.process.try_wait() };
    }
}

/// Gives a task to a sandbox; false if it has ended.
fn hand_over(socket: &OwnedFd, task: &Task) -> Result<bool, SpawnError> {
    match protocol::send_task(socket, task) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        sent => sent.map(|()| true).map_err(SpawnError::Send),
    }
}

fn pair() -> std::io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

fn write_spec(spec: &SandboxSpec) -> std::io::Result<OwnedFd> {
    let file = memfd_create(c"sandbox", MFdFlags::MFD_CLOEXEC)?;
    let mut file = File::from(file);
    file.write_all(&serde_json::to_vec(spec)?)?;
    Ok(file.into())
}

impl Running {
    /// Waits for the end, after which nothing of the sandbox is left: neither processes nor mounts.
    ///
    /// # Errors
    /// The spawner died.
    pub fn wait(self) -> Result<Outcome, SpawnError> {
        let outcome = loop {
            if let Some(outcome) = self.receive()? {
                break outcome;
            }
        };
        self.wait_for_first();
        Ok(outcome)
    }

    /// Waits for the end, after which every process that the command started is dead, but no longer than `most`; then there is `None`.
    ///
    /// # Errors
    /// The spawner died.
    pub fn wait_for(&self, most: Duration) -> Result<Option<Outcome>, SpawnError> {
        let started = Instant::now();
        loop {
            let left = most.saturating_sub(started.elapsed());
            if !is_ready(self.socket.as_fd(), PollFlags::IN, Some(left)) {
                return Ok(None);
            }
            if let Some(outcome) = self.receive()? {
                return Ok(Some(outcome));
            }
        }
    }

    /// The numbers of the processes in the sandbox, but for its first.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let all = self.cancel.first_process().map(|first| below(first, &Process::all())).unwrap_or_default();
        all.iter().map(|process| process.id).collect()
    }

    /// Readable when there is something to [receive](Self::receive).
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Receives what the sandbox tells, and waits until it tells something: its end, after which every process that the command started
    /// is dead, or `None`: anything else.
    pub(crate) fn receive(&self) -> Result<Option<Outcome>, SpawnError> {
        let told = self.receive_one();
        self.over.fetch_or(!matches!(told, Ok(None)), Ordering::SeqCst);
        told
    }

    fn receive_one(&self) -> Result<Option<Outcome>, SpawnError> {
        match protocol::receive(self.socket.as_fd()) {
            Ok(Some((Told::Born, fds))) => {
                fds.into_iter().for_each(|process| self.cancel.first.is(process));
                Ok(None)
            }
            Ok(Some((Told::Ended(Outcome { status: Status::SetupFailed(error), usage, killed }), _))) => {
                let status = Status::SetupFailed(with_remedy(error, &HostFacts::read()));
                Ok(Some(Outcome { status, usage, killed }))
            }
            Ok(Some((Told::Ended(outcome), _))) => Ok(Some(outcome)),
            Ok(None) | Err(_) => self.ended_untold().map(Some),
        }
    }

    /// What has come of it, if its first process cannot tell any more.
    fn ended_untold(&self) -> Result<Outcome, SpawnError> {
        // Only then are the others dead, too.
        self.wait_for_first();
        let status = if self.cancel.first.killed.load(Ordering::SeqCst) {
            Status::Killed
        } else if self.cancel.first.process.get().is_none()
            || is_ready(self.spawner.as_fd(), PollFlags::IN, Some(Duration::ZERO))
        {
            return Err(SpawnError::Gone);
        } else {
            let error = SetupError::new(Step::Supervise, "", 0);
            Status::SetupFailed(error.with_detail("the first process of the sandbox was killed"))
        };
        Ok(Outcome::of(status))
    }

    /// Waits for the end of the first process, which all others and the mounts do not outlive.
    fn wait_for_first(&self) {
        if let Some(process) = self.cancel.first.process.get() {
            is_ready(process.as_fd(), PollFlags::IN, None);
        }
    }

    /// What its control group counted, if it has one. To be asked when its end has been told.
    pub(crate) fn spent(&self) -> Option<Spent> {
        self.group.as_ref()?.group.as_ref().map(Group::spent)
    }

    /// A handle to kill the run with.
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }
}

/// The number of a process of which there is a descriptor; `None` once it is gone.
fn number_of(process: &OwnedFd) -> Option<u32> {
    let known = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd())).ok()?;
    known.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()
}

/// Waits until a descriptor is ready, but not longer than `most`.
fn is_ready(descriptor: BorrowedFd<'_>, flags: PollFlags, most: Option<Duration>) -> bool {
    let started = Instant::now();
    loop {
        let left = most.map(|most| most.saturating_sub(started.elapsed()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::from_borrowed_fd(descriptor, flags)], left.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            ready => return ready.is_ok_and(|ready| ready > 0),
        }
    }
}

impl First {
    fn is(&self, process: OwnedFd) {
        let process = self.process.get_or_init(|| process);
        if self.killed.load(Ordering::SeqCst) {
            kill_by_pidfd(process.as_fd());
        }
    }
}

impl CancelHandle {
    /// The number of the sandbox's first process while it lives; `None` before that, and after.
    pub(crate) fn first_process(&self) -> Option<u32> {
        self.first.process.get().and_then(number_of).filter(|&number| number > 0)
    }

    /// Kills every process of the run; its outcome will be [`Status::Killed`] unless it has ended already.
    pub fn kill(&self) {
        self.first.killed.store(true, Ordering::SeqCst);
        // If it is not known yet, whoever waits for the outcome will be told of it first, and kill it.
        if let Some(process) = self.first.process.get() {
            kill_by_pidfd(process.as_fd());
        }
    }
}
