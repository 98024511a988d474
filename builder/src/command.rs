//! Running an action's command in its sandbox: with a processor, a log, and limits. Its outputs are looked at only after every process
//! of it is dead.

use crate::builder::{Builder, host_path};
use crate::ending::Ending;
use crate::environment::{self, Variation};
use crate::error::BuildError;
use crate::event::{Event, Sink};
use crate::job_server::Seat;
use crate::limits::{Overrun, RunLimits};
use crate::log::{Log, Written};
use crate::memory;
use crate::resolve::Resolved;
use crate::running;
use crate::sandbox::{Bind, GuestPath, Outcome, SandboxSpec, Status, Step, Usage};
use crate::spawner::{Running, SpawnError};
use crate::trace::InputTrace;
use crate::usage::ActionUsage;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use store::OutputName;
use store::local::{At, Sealed, Staging};

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
        let borrowed = self.publisher().borrow(resolved.action.inputs().iter().chain(&resolved.layers));
        let mut spec = self.sandbox_with(resolved, &borrowed, staging.path(), variation)?;
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
        let noted = staging.join("trace");
        let running = if self.settings().trace_inputs {
            let trace = File::create(&noted).at("create", &noted)?;
            self.spawner()?.start_traced_run(spec, writer, trace)?
        } else {
            self.spawner()?.start_run(spec, writer)?
        };
        let number = self.register(&running);
        let tell = |line| sink(Event::Output { derivation: resolved.derivation.clone(), line });
        let watched = Watched { limits: &self.settings().limits, written: log.written(), running: &running, started };
        let overrun = watched.until_end_of_log(&told, &tell);
        // Who closes its output may run on for long.
        let outcome = watched.until_end(overrun);
        self.unregister(number);
        let tail = log.finish(&self.store().layout().log(&resolved.digest))?;
        let logs = self.store().layout().logs();
        if self.settings().trace_inputs {
            // As with what it used: where there is no room for it, the build itself is what counts.
            let _ = InputTrace::take(&noted).and_then(|trace| trace.write(&logs, &resolved.digest));
        }
        let lacked_memory = memory::killed_for_lack() > killed_before;
        let (outcome, overrun) = outcome?;
        let _ = ActionUsage::of(&outcome.usage).write(&logs, &resolved.digest);
        Ok(Ended { outcome, overrun, lacked_memory, tail, duration: started.elapsed() })
    }

    fn failed(&self, ending: Ending, ended: Ended, resolved: &Resolved, staging: Staging) -> BuildError {
        let log = self.store().layout().log(&resolved.digest);
        let Ended { tail, duration, .. } = ended;
        let disk_full = is_full(staging.path()) || tail.iter().any(|line| tells_of_want(line));
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

/// A command that runs, and what it may take.
struct Watched<'w> {
    limits: &'w RunLimits,
    written: &'w Written,
    running: &'w Running,
    started: Instant,
}

impl Watched<'_> {
    /// Tells every line until the log's end, and stops a command that reaches a limit.
    fn until_end_of_log(&self, told: &Receiver<String>, tell: &dyn Fn(String)) -> Option<Overrun> {
        let mut overrun = None;
        loop {
            // While lines wait, whatever kept us from telling them was not silence of the command.
            let silence = match told.recv_timeout(self.left(overrun)) {
                Ok(line) => {
                    tell(line);
                    Duration::ZERO
                }
                Err(RecvTimeoutError::Timeout) => self.written.silence(),
                // However fast it ended: what printed too much has not succeeded.
                Err(RecvTimeoutError::Disconnected) => {
                    let reached = || self.limits.reached(Duration::ZERO, Duration::ZERO, self.written.bytes());
                    return overrun.or_else(reached);
                }
            };
            overrun = overrun.or_else(|| self.stop_at_limit(silence));
        }
    }

    /// Waits for the end of every process, and stops a command that reaches a limit.
    fn until_end(&self, mut overrun: Option<Overrun>) -> Result<(Outcome, Option<Overrun>), SpawnError> {
        loop {
            if let Some(outcome) = self.running.wait_for(self.left(overrun))? {
                return Ok((outcome, overrun));
            }
            overrun = overrun.or_else(|| self.stop_at_limit(self.written.silence()));
        }
    }

    /// Time until a limit may be reached.
    fn left(&self, overrun: Option<Overrun>) -> Duration {
        const LONG: Duration = Duration::from_secs(86_400);
        let left = self.limits.until_next(self.started.elapsed(), self.written.silence());
        left.filter(|_| overrun.is_none()).unwrap_or(LONG)
    }

    fn stop_at_limit(&self, silence: Duration) -> Option<Overrun> {
        let overrun = self.limits.reached(self.started.elapsed(), silence, self.written.bytes())?;
        // If it has ended meanwhile, its own end is what counts.
        let _ = self.running.cancel_handle().kill();
        Some(overrun)
    }
}

/// Whether a disk is as good as full, in bytes or in files.
fn is_full(place: &Path) -> bool {
    rustix::fs::statvfs(place).is_ok_and(|disk| {
        disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_ROOM || disk.f_files > 0 && disk.f_favail == 0
    })
}

/// Whether a line tells that the machine lacked something, whatever there is of it now: then another try may succeed.
fn tells_of_want(line: &str) -> bool {
    const WORDS: [&str; 5] = [
        "No space left on device",
        "Disk quota exceeded",
        "Cannot allocate memory",
        "virtual memory exhausted",
        "Killed",
    ];
    WORDS.iter().any(|words| line.contains(words))
}
