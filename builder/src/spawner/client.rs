//! larder's side: many threads hand in runs, one thread distributes the answers.

use super::protocol::{self, Reply, Request};
use crate::sandbox::{HostFacts, Outcome, SandboxSpec, SpecError, Status, with_remedy};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

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
    shared: Arc<Shared>,
    process: Child,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    socket: OwnedFd,
    next: AtomicU64,
    /// Who waits for which run; `None` when the spawner has gone.
    waiting: Mutex<Option<HashMap<u64, Sender<Outcome>>>>,
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

/// A run that has been handed in.
#[derive(Debug)]
pub struct Running {
    cancel: CancelHandle,
    outcome: Receiver<Outcome>,
}

/// Kills one run, from any thread, at any time; after its end it does nothing.
#[derive(Debug, Clone)]
pub struct CancelHandle {
    shared: Arc<Shared>,
    id: u64,
}

impl Spawner {
    /// Starts `program args…`, which must call [`spawner::main`](super::main), as the spawner.
    ///
    /// # Errors
    /// The program cannot be executed.
    pub fn start(program: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Self, SpawnError> {
        let failed = |source: std::io::Error| SpawnError::Start { program: program.to_owned(), source };
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|errno| failed(errno.into()))?;
        let process = Command::new(program).args(args).stdin(Stdio::from(theirs)).spawn().map_err(failed)?;
        let waiting = Mutex::new(Some(HashMap::new()));
        let shared = Arc::new(Shared { socket: ours, next: AtomicU64::new(0), waiting });
        let for_reader = Arc::clone(&shared);
        let reader = std::thread::Builder::new().name("spawner".to_owned());
        let reader = reader.spawn(move || for_reader.distribute()).map_err(failed)?;
        Ok(Self { shared, process, reader: Some(reader) })
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
        self.hand_in(spec, &[log.as_raw_fd()])
    }

    /// As [`start_run`](Self::start_run), noting in a file which paths the run uses and looks for in vain: see
    /// [`InputTrace`](crate::trace::InputTrace).
    ///
    /// # Errors
    /// The run could not be handed to the spawner.
    pub fn start_traced_run(&self, spec: &SandboxSpec, log: OwnedFd, trace: File) -> Result<Running, SpawnError> {
        self.hand_in(spec, &[log.as_raw_fd(), trace.as_raw_fd()])
    }

    /// Starts a run whose standard input, output and error are a terminal's, usually with `interactive` in `spec`.
    ///
    /// # Errors
    /// The run could not be handed to the spawner.
    pub fn start_on_terminal(&self, spec: &SandboxSpec, terminal: Terminal) -> Result<Running, SpawnError> {
        let Terminal { stdin, stdout, stderr } = &terminal;
        self.hand_in(spec, &[stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()])
    }

    fn hand_in(&self, spec: &SandboxSpec, stdio: &[RawFd]) -> Result<Running, SpawnError> {
        spec.check()?;
        let file = write_spec(spec).map_err(SpawnError::Send)?;
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let (sender, outcome) = channel();
        self.shared
            .lock(|waiting| waiting.as_mut().map(|waiting| waiting.insert(id, sender)))
            .ok_or(SpawnError::Gone)?;
        let fds: Vec<RawFd> = [file.as_raw_fd()].into_iter().chain(stdio.iter().copied()).collect();
        protocol::send(self.shared.socket.as_fd(), &Request::Run { id }, &fds).map_err(|error| {
            self.shared.lock(|waiting| waiting.as_mut().map(|waiting| waiting.remove(&id)));
            if error.kind() == std::io::ErrorKind::BrokenPipe { SpawnError::Gone } else { SpawnError::Send(error) }
        })?;
        Ok(Running { cancel: CancelHandle { shared: Arc::clone(&self.shared), id }, outcome })
    }

    /// The spawner's process id, for messages.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        let _ = shutdown(self.shared.socket.as_raw_fd(), Shutdown::Both);
        let _ = self.process.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn write_spec(spec: &SandboxSpec) -> std::io::Result<OwnedFd> {
    let file = memfd_create(c"sandbox", MFdFlags::MFD_CLOEXEC)?;
    let mut file = File::from(file);
    file.write_all(&serde_json::to_vec(spec)?)?;
    Ok(file.into())
}

impl Shared {
    fn lock<T>(&self, act: impl FnOnce(&mut Option<HashMap<u64, Sender<Outcome>>>) -> T) -> T {
        // The map is whole between any two statements, so a panic elsewhere does not spoil it.
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hands each answer to who waits for it, until the spawner closes the socket.
    fn distribute(&self) {
        while let Ok(Some((Reply { id, mut outcome }, _))) = protocol::receive(self.socket.as_fd()) {
            if let Status::SetupFailed(error) = outcome.status {
                outcome.status = Status::SetupFailed(with_remedy(error, &HostFacts::read()));
            }
            if let Some(sender) = self.lock(|waiting| waiting.as_mut().and_then(|waiting| waiting.remove(&id))) {
                let _ = sender.send(outcome);
            }
        }
        self.lock(|waiting| *waiting = None);
    }
}

impl Running {
    /// Waits for the end, after which every process of the sandbox is dead.
    ///
    /// # Errors
    /// The spawner died.
    pub fn wait(self) -> Result<Outcome, SpawnError> {
        self.outcome.recv().map_err(|_| SpawnError::Gone)
    }

    /// Waits for the end, but no longer than `most`; then there is `None`.
    ///
    /// # Errors
    /// The spawner died.
    pub fn wait_for(&self, most: Duration) -> Result<Option<Outcome>, SpawnError> {
        match self.outcome.recv_timeout(most) {
            Ok(outcome) => Ok(Some(outcome)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(SpawnError::Gone),
        }
    }

    /// A handle to kill the run with.
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }
}

impl CancelHandle {
    /// Kills every process of the run; its outcome will be [`Status::Killed`] unless it has ended already.
    ///
    /// # Errors
    /// The spawner has gone, and all runs with it.
    pub fn kill(&self) -> Result<(), SpawnError> {
        protocol::send(self.shared.socket.as_fd(), &Request::Kill { id: self.id }, &[]).map_err(|_| SpawnError::Gone)
    }
}
