//! Running an action's command in its sandbox: with a processor, a log, and limits. Its outputs are looked at only after every process
//! of it is dead.

use crate::aftermath::Aftermath;
use crate::builder::{Builder, host_path};
use crate::control_group::Spent;
use crate::desk::{self, Desk};
use crate::disk_use::DiskWatch;
use crate::ending::Ending;
use crate::environment::{self, Variation};
use crate::error::BuildError;
use crate::event::{Event, Sink};
use crate::job_server::Seat;
use crate::lack::{self, Lack};
use crate::limits::{Overrun, RunLimits};
use crate::log::{self, Log};
use crate::memory;
use crate::resolve::Resolved;
use crate::running;
use crate::sandbox::{Bind, GuestPath, Outcome, SandboxSpec, Status, Step, Usage, WritableLayer};
use crate::spawner::Running;
use crate::trace::InputTrace;
use crate::usage::ActionUsage;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::OutputName;
use store::local::{At, Sealed, Staging};

/// What a command is run for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'v> {
    /// What is different from the sandbox ABI.
    pub(crate) variation: &'v Variation,
    /// Whether its outputs are only compared with those that there are: then what is recorded of the action stays that of the build which
    /// made them.
    pub(crate) compares: bool,
}

/// A command that succeeded.
pub(crate) struct Ran {
    /// When it began.
    pub(crate) started: Instant,
    /// What it made.
    pub(crate) outputs: Vec<(OutputName, Sealed)>,
    /// What it used.
    pub(crate) usage: Usage,
    /// Bytes of memory that it needed: of all its processes together where they were counted so, else of the largest one.
    pub(crate) memory: u64,
    /// What it left besides.
    pub(crate) aftermath: Aftermath,
}

/// Where a command runs.
struct Workplace<'w> {
    desk: &'w Desk,
    seat: &'w Seat,
    staging: &'w Path,
}

/// A command that has ended.
struct Ended {
    started: Instant,
    outcome: Outcome,
    overrun: Option<Overrun>,
    /// What its control group counted, if it had one.
    spent: Option<Spent>,
    /// How many processes had been killed for lack of memory when it began.
    killed_before: Option<u64>,
    /// The last lines it printed.
    tail: Vec<String>,
    /// All that it printed.
    log: PathBuf,
    duration: Duration,
}

impl Ended {
    /// Whether processes of it were killed for lack of memory, as far as one can tell.
    fn lacked_memory(&self) -> bool {
        match self.spent.and_then(|spent| spent.killed) {
            Some(killed) => killed > 0,
            // Somebody's were; so it must look as if some of its own had been.
            None => self.amid_kills() && (self.outcome.shows_a_kill() || lack::tells_of_a_kill(&self.tail)),
        }
    }

    /// Whether anybody's processes were killed for lack of memory while it ran and had no control group.
    fn amid_kills(&self) -> bool {
        self.spent.and_then(|spent| spent.killed).is_none() && memory::killed_for_lack() > self.killed_before
    }

    /// How it ended that lacked memory.
    fn out_of_memory(&self, limit: Option<u64>) -> Ending {
        Ending::OutOfMemory { limit: limit.filter(|_| self.spent.is_some_and(|spent| spent.at_limit)) }
    }

    /// Bytes of memory that it needed.
    fn memory(&self) -> u64 {
        let together = self.spent.and_then(|spent| spent.peak).unwrap_or(0);
        together.max(self.outcome.usage.peak_memory)
    }
}

impl Builder<'_> {
    /// Runs the command of an action and takes its outputs.
    pub(crate) fn run(&self, resolved: &Resolved, occasion: Occasion<'_>, sink: Sink<'_>) -> Result<Ran, BuildError> {
        let variation = occasion.variation;
        let drv = resolved.action.resolved();
        if drv.system != self.settings().system {
            return Err(BuildError::System { wanted: drv.system.clone(), have: self.settings().system.clone() });
        }
        self.note_lacking(sink)?;
        let staging = self.take_site()?;
        let borrowed = self.publisher().borrow(resolved.action.inputs().iter().chain(&resolved.layers));
        let mut spec = self.sandbox_with(resolved, &borrowed, staging.path(), variation)?;
        if self.settings().keep_failed {
            spec.writable = WritableLayer::LeftByFailure(host_path(staging.path().to_owned())?);
        }
        let desk = self.take_desk()?;
        let seat = self.take_seat(resolved, &desk, variation, &mut spec)?;
        let workplace = Workplace { desk: &desk, seat: &seat, staging: staging.path() };
        let ended = self.run_logged(&spec, resolved, &workplace, occasion, sink)?;
        drop(seat);
        self.leave_desk(desk);
        self.give_back(borrowed);
        let ending = match (&ended.outcome.status, ended.overrun) {
            // Its first process may be the one that was killed.
            (Status::SetupFailed(error), _) if error.step != Step::Supervise || !ended.lacked_memory() => {
                return Err(error.clone().into());
            }
            (
                Status::Exited(_) | Status::Signalled(_),
                Some(overrun @ (Overrun::Log(_) | Overrun::Disk(_) | Overrun::Files(_))),
            ) => Ending::Stopped(overrun),
            (Status::Exited(0), _) => {
                let (started, usage, memory) = (ended.started, ended.outcome.usage, ended.memory());
                let taken = self.take_outputs(resolved, staging.path());
                let aftermath = Aftermath { site: staging, tail: ended.tail, log: ended.log };
                return match taken {
                    Ok(outputs) => Ok(Ran { started, outputs, usage, memory, aftermath }),
                    Err(error) => Err(self.refuse(error, resolved, Some(aftermath))),
                };
            }
            (Status::Killed, Some(overrun)) if !self.is_cancelled() => Ending::Stopped(overrun),
            (Status::Killed, _) => return Err(BuildError::Cancelled),
            _ if ended.lacked_memory() => ended.out_of_memory(spec.limits.memory),
            (Status::Exited(code), _) => Ending::Exited(*code),
            (Status::Signalled(signal), _) => Ending::Signalled(*signal),
            (Status::SetupFailed(_), _) => ended.out_of_memory(spec.limits.memory),
        };
        Err(self.failed(ending, ended, resolved, staging))
    }

    /// Waits for a processor and lets the build ask for more of them.
    fn take_seat(
        &self,
        resolved: &Resolved,
        desk: &Desk,
        variation: &Variation,
        spec: &mut SandboxSpec,
    ) -> Result<Seat, BuildError> {
        let fifo = desk.fifo();
        let most = variation.jobs.unwrap_or(self.settings().cores);
        let seat = self.job_server()?.join(&fifo, most, &|| self.is_cancelled())?.ok_or(BuildError::Cancelled)?;
        self.show_job_server(resolved, fifo, variation, spec)?;
        Ok(seat)
    }

    /// Lets the build of a specification find its job server.
    fn show_job_server(
        &self,
        resolved: &Resolved,
        fifo: PathBuf,
        variation: &Variation,
        spec: &mut SandboxSpec,
    ) -> Result<(), BuildError> {
        let target = GuestPath::parse(environment::JOB_SERVER).expect("an absolute path");
        spec.binds.push(Bind { source: host_path(fifo)?, target: target.clone() });
        spec.job_server = Some(target);
        spec.env = environment::of_build(&resolved.action, self.settings().cores, true, variation)?;
        Ok(())
    }

    /// What a build sees when it is run: as [`sandbox`](Self::sandbox), and a job server, whose FIFO is not made: its place below
    /// `place` only stands for one.
    ///
    /// # Errors
    /// As those of `sandbox`.
    pub fn sandbox_of_run(
        &self,
        resolved: &Resolved,
        place: &Path,
        variation: &Variation,
    ) -> Result<SandboxSpec, BuildError> {
        let mut spec = self.sandbox(resolved, place, variation)?;
        self.show_job_server(resolved, place.join(desk::FIFO), variation, &mut spec)?;
        Ok(spec)
    }

    fn run_logged(
        &self,
        spec: &SandboxSpec,
        resolved: &Resolved,
        workplace: &Workplace<'_>,
        occasion: Occasion<'_>,
        sink: Sink<'_>,
    ) -> Result<Ended, BuildError> {
        let Workplace { desk, seat, staging } = *workplace;
        let started = Instant::now();
        running::tell(desk.place(), staging, &resolved.derivation, &resolved.digest)?;
        let (log, writer) = Log::start(desk.place().join(running::LOG), self.settings().limits.log_bytes)?;
        let killed_before = memory::killed_for_lack_lately();
        let noted = desk.place().join("trace");
        let running = if self.settings().trace_inputs {
            let trace = File::create(&noted).at("create", &noted)?;
            self.spawner()?.start_traced_run(spec, writer, trace)?
        } else {
            self.spawner()?.start_run(spec, writer)?
        };
        let number = self.register(&running);
        seat.is_in(running.cancel_handle());
        self.clear_away();
        let tell = |line: &str| sink(Event::Output { derivation: resolved.derivation.clone(), line: line.to_owned() });
        let limits = &self.settings().limits;
        let disk = DiskWatch::start(limits, staging);
        let mut watched = Watched { limits, log, disk, running: &running, started, overrun: None };
        let outcome = watched.until_end(&tell);
        let spent = running.spent();
        self.unregister(number);
        let Watched { log, overrun, .. } = watched;
        let outcome = outcome?;
        let place = self.store().layout().log(&resolved.digest);
        let place = if occasion.compares { log::of_comparison(&place) } else { place };
        let tail = log.finish(&place)?;
        let logs = self.store().layout().logs();
        // Of what is killed from outside neither what it used nor which files is known whole; what never began used nothing.
        let ended = matches!(outcome.status, Status::Exited(_) | Status::Signalled(_));
        if self.settings().trace_inputs && ended && !occasion.compares {
            // As with what it used: where there is no room for it, the build itself is what counts.
            let _ = InputTrace::take(&noted).and_then(|mut trace| {
                // What a build that failed did not come to may be used all the same.
                trace.complete &= outcome.status == Status::Exited(0);
                trace.write(&logs, &resolved.digest)
            });
        }
        if ended && !occasion.compares {
            let peak = spent.and_then(|spent| spent.peak);
            let _ = ActionUsage::of(&outcome.usage, peak).write(&logs, &resolved.digest);
        }
        Ok(Ended { started, outcome, overrun, spent, killed_before, tail, log: place, duration: started.elapsed() })
    }

    fn failed(&self, ending: Ending, ended: Ended, resolved: &Resolved, staging: Staging) -> BuildError {
        let amid_kills = ended.amid_kills();
        let Ended { tail, log, duration, .. } = ended;
        // What takes too much is not kept, and lacks nothing.
        let too_much = matches!(ending, Ending::Stopped(Overrun::Disk(_) | Overrun::Files(_)));
        let found = || Lack::find(staging.path(), &tail).or_else(|| amid_kills.then_some(Lack::MemoryOfOthers));
        let lack = if too_much { None } else { found() };
        let kept = if too_much { None } else { self.keep(resolved, staging) };
        BuildError::Builder { ending, duration, tail, log, kept, lack }
    }
}

/// A command that runs, and what it may take.
struct Watched<'w> {
    limits: &'w RunLimits,
    log: Log,
    disk: DiskWatch,
    running: &'w Running,
    started: Instant,
    overrun: Option<Overrun>,
}

impl Watched<'_> {
    /// Tells every line until the log's end, waits for the end of every process, and stops a command that reaches a limit. While lines
    /// cannot be told the build waits.
    fn until_end(&mut self, tell: &dyn Fn(&str)) -> Result<Outcome, BuildError> {
        let (mut outcome, mut more) = (None, true);
        loop {
            let (printed, told) = self.wait(more, outcome.is_none())?;
            if printed {
                more = self.log.take(&mut |line| tell(line))?;
            }
            if told {
                outcome = self.running.receive()?;
            }
            if self.log.due().is_some_and(|left| left.is_zero()) {
                self.log.write()?;
            }
            // However fast it ended: what printed too much has not succeeded.
            self.stop_at_limit(outcome.is_none());
            match outcome {
                Some(outcome) if !more => return Ok(outcome),
                _ => {}
            }
        }
    }

    /// Waits until the log or the sandbox has something to take, as far as these are wanted, or there is something else to do.
    fn wait(&self, log: bool, running: bool) -> Result<(bool, bool), BuildError> {
        let disk = self.disk.due().filter(|_| running && self.overrun.is_none());
        let next = [self.left(), self.log.due(), disk].into_iter().flatten().min();
        let timeout = next.and_then(|left| Timespec::try_from(left).ok());
        let fds = [(log, self.log.reader()), (running, self.running.socket())];
        let mut polled: Vec<_> = fds
            .into_iter()
            .filter(|(wanted, _)| *wanted)
            .map(|(_, fd)| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match poll(&mut polled, timeout.as_ref()) {
            // An interruption is a look too many.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno).at("wait for the end of", self.log.place()).map_err(Into::into),
        }
        let mut ready = polled.iter().map(|polled| !polled.revents().is_empty());
        let mut next = |wanted: bool| wanted && ready.next().unwrap_or(false);
        Ok((next(log), next(running)))
    }

    /// Time until a limit may be reached.
    fn left(&self) -> Option<Duration> {
        let left = self.limits.until_next(self.started.elapsed(), self.log.silence());
        left.filter(|_| self.overrun.is_none())
    }

    /// Notes whether a limit was reached; then a command that runs is stopped.
    fn stop_at_limit(&mut self, runs: bool) {
        let (elapsed, silence) = if runs { (self.started.elapsed(), self.log.silence()) } else { Default::default() };
        if self.overrun.is_none() {
            let reached = self.limits.reached(elapsed, silence, self.log.bytes());
            let processes = || self.running.processes();
            self.overrun = reached.or_else(|| self.disk.reached(runs.then_some(&processes)));
            if self.overrun.is_some() {
                // If it has ended meanwhile, its own end is what counts.
                self.running.cancel_handle().kill();
            }
        }
    }
}
