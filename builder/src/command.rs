//! Running an action's command in its sandbox: with a processor, a log, and limits. Its outputs are looked at only after every process
//! of it is dead.

use crate::builder::{Builder, host_path};
use crate::ending::Ending;
use crate::environment::{self, Variation};
use crate::error::BuildError;
use crate::event::{Event, Sink};
use crate::job_server::Seat;
use crate::limits::Overrun;
use crate::log::{Log, Written};
use crate::memory;
use crate::resolve::Resolved;
use crate::running;
use crate::sandbox::{Bind, GuestPath, Outcome, SandboxSpec, Status, Step, Usage};
use crate::spawner::Running;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use store::OutputName;
use store::local::{Sealed, Staging};

/// So many lines may wait to be told; then the build waits.
const UNTOLD: usize = 256;

/// With less room than this on the disk, that a command failed says nothing of the command.
const LEAST_ROOM: u64 = 32 << 20;

/// A command that succeeded.
pub(crate) struct Ran {
    /// When it began.
    pub(crate) started: Instant,
    /// What it made.
    pub(crate) outputs: Vec<(OutputName, Sealed)>,
    /// What it used.
    pub(crate) usage: Usage,
}

/// A command that has ended.
struct Ended {
    outcome: Outcome,
    overrun: Option<Overrun>,
    /// Whether processes were killed for lack of memory while it ran; perhaps others.
    lacked_memory: bool,
    /// The last lines it printed.
    tail: Vec<String>,
    duration: Duration,
}

impl Builder<'_> {
    /// Runs the command of an action and takes its outputs.
    pub(crate) fn run(&self, resolved: &Resolved, variation: &Variation, sink: Sink<'_>) -> Result<Ran, BuildError> {
        let drv = resolved.action.resolved();
        if drv.system != self.settings().system {
            return Err(BuildError::System { wanted: drv.system.clone(), have: self.settings().system.clone() });
        }
        let staging = self.store().stage()?;
        let inputs = resolved.action.inputs().iter().chain(&resolved.layers);
        let borrowed = self.publisher().borrow(inputs);
        let mut spec = self.sandbox(resolved, staging.path(), variation)?;
        let seat = self.take_seat(resolved, staging.path(), variation, &mut spec)?;
        let started = Instant::now();
        let ended = self.run_logged(&spec, resolved, staging.path(), started, sink)?;
        drop(seat);
        drop(borrowed);
        let ending = match (&ended.outcome.status, ended.overrun) {
            // Its first process may be the one that was killed.
            (Status::SetupFailed(error), _) if error.step != Step::Supervise || !ended.lacked_memory => {
                return Err(error.clone().into());
            }
            (Status::Exited(_) | Status::Signalled(_), Some(overrun @ Overrun::Log(_))) => Ending::Stopped(overrun),
            (Status::Exited(0), _) => {
                let outputs = self.take_outputs(resolved, staging)?;
                return Ok(Ran { started, outputs, usage: ended.outcome.usage });
            }
            (Status::Killed, Some(overrun)) if !self.is_cancelled() => Ending::Stopped(overrun),
            (Status::Killed, _) => return Err(BuildError::Cancelled),
            _ if ended.lacked_memory => Ending::OutOfMemory,
            (Status::Exited(code), _) => Ending::Exited(*code),
            (Status::Signalled(signal), _) => Ending::Signalled(*signal),
            (Status::SetupFailed(_), _) => Ending::OutOfMemory,
        };
        Err(self.failed(ending, ended, resolved, staging))
    }

    /// Waits for a processor and lets the build ask for more of them.
    fn take_seat(
        &self,
        resolved: &Resolved,
        place: &Path,
        variation: &Variation,
        spec: &mut SandboxSpec,
    ) -> Result<Seat, BuildError> {
        let fifo = place.join("jobs");
        let most = variation.jobs.unwrap_or(self.settings().cores);
        let seat = self.job_server()?.join(&fifo, most, &|| self.is_cancelled())?.ok_or(BuildError::Cancelled)?;
        let target = GuestPath::parse(environment::JOB_SERVER).expect("an absolute path");
        spec.binds.push(Bind { source: host_path(fifo)?, target: target.clone() });
        spec.job_server = Some(target);
        spec.env = environment::of_build(&resolved.action, self.settings().cores, true, variation);
        Ok(seat)
    }

    fn run_logged(
        &self,
        spec: &SandboxSpec,
        resolved: &Resolved,
        staging: &Path,
        started: Instant,
        sink: Sink<'_>,
    ) -> Result<Ended, BuildError> {
        // The thread that reads the log hands its lines over, so that the sink need not outlive this call.
        let (lines, told) = sync_channel::<String>(UNTOLD);
        let most = self.settings().limits.log_bytes;
        let tell = move |line: &str| drop(lines.send(line.to_owned()));
        running::tell(staging, &resolved.derivation, &resolved.digest)?;
        let (log, writer) = Log::start(staging.join(running::LOG), most, tell)?;
        let killed_before = memory::killed_for_lack();
        let running = self.spawner()?.start_run(spec, writer)?;
        let number = self.register(&running);
        let tell = |line| sink(Event::Output { derivation: resolved.derivation.clone(), line });
        let overrun = self.watch(&told, log.written(), &running, started, &tell);
        let outcome = running.wait();
        self.unregister(number);
        let tail = log.finish(&self.store().layout().log(&resolved.digest))?;
        let lacked_memory = memory::killed_for_lack() > killed_before;
        Ok(Ended { outcome: outcome?, overrun, lacked_memory, tail, duration: started.elapsed() })
    }

    /// Tells every line until the log's end, and stops a command that reaches a limit.
    fn watch(
        &self,
        told: &Receiver<String>,
        written: &Written,
        running: &Running,
        started: Instant,
        tell: &dyn Fn(String),
    ) -> Option<Overrun> {
        let limits = &self.settings().limits;
        let mut overrun = None;
        loop {
            let left = limits.until_next(started.elapsed(), written.silence()).filter(|_| overrun.is_none());
            // While lines wait, whatever kept us from telling them was not silence of the command.
            let silence = match told.recv_timeout(left.unwrap_or(Duration::MAX)) {
                Ok(line) => {
                    tell(line);
                    Duration::ZERO
                }
                Err(RecvTimeoutError::Timeout) => written.silence(),
                // However fast it ended: what printed too much has not succeeded.
                Err(RecvTimeoutError::Disconnected) => {
                    return overrun.or_else(|| limits.reached(Duration::ZERO, Duration::ZERO, written.bytes()));
                }
            };
            if overrun.is_none() {
                overrun = limits.reached(started.elapsed(), silence, written.bytes());
                if overrun.is_some() {
                    // If it has ended meanwhile, its own end is what counts.
                    let _ = running.cancel_handle().kill();
                }
            }
        }
    }

    fn failed(&self, ending: Ending, ended: Ended, resolved: &Resolved, staging: Staging) -> BuildError {
        let log = self.store().layout().log(&resolved.digest);
        let Ended { tail, duration, .. } = ended;
        let disk_full = is_full(staging.path());
        BuildError::Builder { ending, duration, tail, log, kept: self.keep(resolved, staging), disk_full }
    }

    /// Keeps the files of a failed build, in the place of those of its last failure.
    pub(crate) fn keep(&self, resolved: &Resolved, staging: Staging) -> Option<PathBuf> {
        if !self.settings().keep_failed {
            return None;
        }
        let place = self.kept_place(resolved);
        if place.exists() {
            let old = self.store().stage().ok()?;
            std::fs::rename(&place, old.path().join("old")).ok()?;
        }
        let from = staging.keep();
        std::fs::rename(&from, &place).ok()?;
        Some(place)
    }
}

/// Whether a disk is as good as full, in bytes or in files.
fn is_full(place: &Path) -> bool {
    rustix::fs::statvfs(place).is_ok_and(|disk| {
        disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_ROOM || disk.f_files > 0 && disk.f_favail == 0
    })
}
