//! Scheduling: one loop over a closed set of messages; workers get plain data and answer once.
//!
//! Of what is ready the most urgent starts first. Fetches have slots of their own, for they wait for the network and not for a
//! processor. Builds that together needed more memory last time than there is wait for each other; one that was killed for lack of it
//! is tried once more, alone.

use crate::builder::Builder;
use crate::error::BuildError;
use crate::event::{Event, How, Kind, PlannedJob, Sink};
use crate::memory::Room;
use crate::plan::{Expected, Job, Plan, PlanSource, plan};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use store::derivation::{OutputName, output_path_name};
use store::local::publish::Published;
use store::local::{LocalStore, StoreError};
use store::{Derivation, DerivationDigest, Input, StorePath, TreeDigest};

/// Fetches at one time.
const FETCHES: usize = 6;

/// How often the loop looks whether it was cancelled.
const INTERVAL: Duration = Duration::from_millis(100);

/// What is wanted of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Whether independent work goes on after a failure.
    pub keep_going: bool,
    /// Whether the targets are built even if they are realised.
    pub rebuild: bool,
}

/// A derivation that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The derivation.
    pub derivation: StorePath,
    /// Why.
    pub error: Arc<BuildError>,
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct RunResult {
    /// The valid paths of all outputs that are known now.
    pub outputs: BTreeMap<Input, StorePath>,
    /// What failed of itself, in the order in which it did.
    pub failures: Vec<Failure>,
    /// What was not tried, with the failure it waits for.
    pub skipped: Vec<(StorePath, StorePath)>,
    /// Trees that differ from an earlier realisation of the same action, which was kept.
    pub conflicts: Vec<(StorePath, TreeDigest)>,
    /// How many builders ran.
    pub built: usize,
    /// How many derivations turned out to be realised once their inputs were known.
    pub reused: usize,
}

struct Done {
    job: usize,
    result: Result<(Vec<Published>, How), BuildError>,
    duration: Duration,
}

/// What a plan needs of a store, holding whatever it is told to be there.
impl PlanSource for LocalStore {
    type Error = StoreError;

    fn derivation(&self, digest: &DerivationDigest) -> Result<Derivation, StoreError> {
        Self::derivation(self, digest)
    }

    fn outputs(
        &self,
        _: &StorePath,
        derivation: &Derivation,
    ) -> Result<Option<BTreeMap<OutputName, StorePath>>, StoreError> {
        let Some(action) = self.resolution(&derivation.digest())? else { return Ok(None) };
        let mut outputs = BTreeMap::new();
        for output in &derivation.outputs {
            let name = output_path_name(&derivation.name, output)?;
            let Some(path) = self.realised_path(&action, output, &name)? else { return Ok(None) };
            outputs.insert(output.clone(), path);
        }
        Ok(Some(outputs))
    }

    fn expected(&self, derivation: &Derivation) -> Result<Option<Expected>, StoreError> {
        let cost = self.expected_cost(&derivation.name)?;
        Ok(cost.map(|cost| Expected { duration: cost.duration_ms, memory: cost.memory }))
    }
}

/// What realised inputs need at run time, themselves included.
///
/// One tree may come from several derivations that declare different dependencies, so these are followed from derivation to
/// derivation, each to what it became, and not from tree to tree. What is only mentioned has no derivation to follow.
///
/// # Errors
/// When an input is not realised or the store cannot be asked.
pub fn runtime_closure(store: &LocalStore, inputs: Vec<Input>) -> Result<BTreeSet<StorePath>, StoreError> {
    let mut closure = BTreeSet::new();
    let mut mentioned = Vec::new();
    let mut seen = BTreeSet::new();
    let mut pending = inputs;
    while let Some(input) = pending.pop() {
        if !seen.insert(input.clone()) {
            continue;
        }
        let (derivation, output) = match input {
            Input::Tree(path) => {
                mentioned.push(path);
                continue;
            }
            Input::Output { derivation, output } => (derivation, output),
        };
        let digest = derivation.derivation().expect("an output is one of a derivation");
        let declared = PlanSource::derivation(store, &digest)?;
        let outputs = PlanSource::outputs(store, &derivation, &declared)?.unwrap_or_default();
        let tree = outputs.get(&output).ok_or(StoreError::NotValid(derivation))?;
        mentioned.extend(store.references(tree)?);
        closure.insert(tree.clone());
        pending.extend(declared.runtime);
    }
    // One walk for all: what they need they mostly share.
    closure.extend(store.closure(&mentioned)?);
    Ok(closure)
}

impl Builder<'_> {
    /// What realising these derivations may take.
    ///
    /// # Errors
    /// When a derivation is missing or the store cannot be asked.
    pub fn plan(&self, targets: &[StorePath], options: RunOptions) -> Result<Plan, StoreError> {
        self.store().hold(targets)?;
        plan(self.store(), targets, &|path| options.rebuild && targets.contains(path))
    }

    /// Realises derivations with all they need.
    ///
    /// # Errors
    /// When the store cannot be asked. That builds fail is part of the result.
    pub fn realise_all(
        &self,
        targets: &[StorePath],
        options: RunOptions,
        sink: Sink<'_>,
    ) -> Result<RunResult, StoreError> {
        let plan = self.plan(targets, options)?;
        if plan.jobs.is_empty() {
            return Ok(RunResult { outputs: plan.known, ..RunResult::default() });
        }
        sink(Event::Planned { jobs: plan.jobs.iter().map(planned).collect() });
        let (sender, receiver) = channel();
        let mut run = Run::new(self, plan, options, sink);
        let again = |job: &Job| options.rebuild && targets.contains(&job.path);
        let serving = self.publisher().serving();
        let ended = serving.ended();
        std::thread::scope(|scope| {
            scope.spawn(|| self.publisher().serve(self.store(), &ended, &|| self.cancel()));
            // Dropped also if something panics: then the thread ends.
            let _serving = serving;
            run.go(&receiver, |number, job, known| {
                let (sender, again): (Sender<Done>, bool) = (sender.clone(), again(job));
                let job = job.clone();
                scope.spawn(move || {
                    let started = Instant::now();
                    // A worker that does not answer would be waited for without end.
                    let realise = || self.realise(&job.path, &job.derivation, &known, again, sink);
                    let result = catch_unwind(AssertUnwindSafe(realise)).unwrap_or_else(|panic| Err(panicked(&*panic)));
                    // The loop ends only after every answer.
                    let _ = sender.send(Done { job: number, result, duration: started.elapsed() });
                });
            });
            // What has been told to be realised is so when this returns.
            self.publisher().settle();
        });
        self.publisher().outcome().map(|()| run.finish())
    }
}

fn planned(job: &Job) -> PlannedJob {
    let expected = job.expected.map(|expected| Duration::from_millis(expected.duration));
    PlannedJob { derivation: job.path.clone(), kind: job.kind(), expected, needs: job.needs.clone() }
}

/// What a panic said.
fn panicked(panic: &(dyn std::any::Any + Send)) -> BuildError {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    BuildError::Panic(text.unwrap_or_else(|| "a panic without a message".to_owned()))
}

struct Run<'r> {
    builder: &'r Builder<'r>,
    plan: Plan,
    options: RunOptions,
    sink: Sink<'r>,
    /// How many needs of each job are not done.
    open: Vec<usize>,
    /// Urgency and number, by whether it is a fetch.
    ready: [BinaryHeap<(u64, std::cmp::Reverse<usize>)>; 2],
    running: [usize; 2],
    room: Room,
    /// Jobs that were short of memory and run, if they run again, with no other build beside them.
    alone: BTreeSet<usize>,
    /// Whether one of these runs.
    exclusive: bool,
    stopped: bool,
    /// Jobs that have an end: done, failed or skipped.
    ended: Vec<bool>,
    result: RunResult,
}

impl<'r> Run<'r> {
    fn new(builder: &'r Builder<'r>, mut plan: Plan, options: RunOptions, sink: Sink<'r>) -> Self {
        let open: Vec<_> = plan.jobs.iter().map(|job| job.needs.len()).collect();
        let outputs = std::mem::take(&mut plan.known);
        let count = plan.jobs.len();
        let mut run = Self {
            builder,
            plan,
            options,
            sink,
            open,
            ready: Default::default(),
            running: [0; 2],
            room: Room::new(builder.settings().memory),
            alone: BTreeSet::new(),
            exclusive: false,
            stopped: false,
            ended: vec![false; count],
            result: RunResult { outputs, ..RunResult::default() },
        };
        (0..count)
            .filter(|&number| run.open[number] == 0)
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|number| run.push(number));
        run
    }

    fn push(&mut self, number: usize) {
        let job = &self.plan.jobs[number];
        self.ready[class(job.kind())].push((job.priority, std::cmp::Reverse(number)));
    }

    fn go(&mut self, done: &Receiver<Done>, mut start: impl FnMut(usize, &Job, BTreeMap<Input, StorePath>)) {
        loop {
            self.stopped |= self.builder.is_cancelled();
            while let Some(number) = self.next() {
                let job = &self.plan.jobs[number];
                let expected = job.expected.map(|expected| Duration::from_millis(expected.duration));
                (self.sink)(Event::Started { derivation: job.path.clone(), kind: job.kind(), expected });
                start(number, job, self.inputs(job));
            }
            if self.running == [0; 2] {
                return;
            }
            match done.recv_timeout(INTERVAL) {
                Ok(done) => self.take(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The most urgent job that has a slot.
    fn next(&mut self) -> Option<usize> {
        if self.stopped {
            return None;
        }
        let slots = [self.builder.settings().jobs.max(1), FETCHES];
        let class = (0..2).find(|&class| self.running[class] < slots[class] && self.may_start(class))?;
        let (_, std::cmp::Reverse(number)) = self.ready[class].pop()?;
        self.running[class] += 1;
        self.room.take(self.memory(number));
        self.exclusive |= self.alone.contains(&number);
        Some(number)
    }

    /// Whether the most urgent job of a class may start beside what runs. Nothing less urgent overtakes it, so that it gets its turn.
    fn may_start(&self, class: usize) -> bool {
        let Some((_, std::cmp::Reverse(number))) = self.ready[class].peek() else { return false };
        let nothing_runs = self.running[class] == 0;
        match class {
            FETCH => true,
            _ if self.alone.contains(number) => nothing_runs,
            _ => !self.exclusive && (nothing_runs || self.room.has(self.memory(*number))),
        }
    }

    /// Bytes that a job is expected to need.
    fn memory(&self, number: usize) -> u64 {
        self.plan.jobs[number].expected.map_or(0, |expected| expected.memory)
    }

    fn inputs(&self, job: &Job) -> BTreeMap<Input, StorePath> {
        let known = |input: &Input| Some((input.clone(), self.result.outputs.get(input)?.clone()));
        job.derivation.all_inputs().into_iter().filter_map(known).collect()
    }

    fn take(&mut self, done: Done) {
        let job = &self.plan.jobs[done.job];
        let derivation = job.path.clone();
        self.running[class(job.kind())] -= 1;
        self.room.give_back(self.memory(done.job));
        if self.alone.contains(&done.job) {
            self.exclusive = false;
        } else if let Err(error) = &done.result
            && error.is_lack_of_memory()
            && !self.stopped
        {
            self.alone.insert(done.job);
            (self.sink)(Event::Postponed { derivation, because: error.to_string() });
            self.push(done.job);
            return;
        }
        self.ended[done.job] = true;
        match done.result {
            Ok((outputs, how)) => {
                match how {
                    How::Built => self.result.built += 1,
                    How::Reused => self.result.reused += 1,
                }
                for published in outputs {
                    let input = Input::Output { derivation: derivation.clone(), output: published.output };
                    self.result.conflicts.extend(published.conflict.map(|tree| (published.path.clone(), tree)));
                    self.result.outputs.insert(input, published.path);
                }
                (self.sink)(Event::Realised { derivation, how, duration: done.duration });
                for number in self.plan.jobs[done.job].needed_by.clone() {
                    self.open[number] -= 1;
                    if self.open[number] == 0 {
                        self.push(number);
                    }
                }
            }
            Err(error) => self.fail(done.job, derivation, error),
        }
    }

    fn fail(&mut self, number: usize, derivation: StorePath, error: BuildError) {
        let error = Arc::new(error);
        if !matches!(*error, BuildError::Cancelled) {
            (self.sink)(Event::Failed { derivation: derivation.clone(), error: Arc::clone(&error) });
        }
        self.result.failures.push(Failure { derivation: derivation.clone(), error });
        self.stopped |= !self.options.keep_going;
        let mut pending = self.plan.jobs[number].needed_by.clone();
        while let Some(later) = pending.pop() {
            if !std::mem::replace(&mut self.ended[later], true) {
                let skipped = self.plan.jobs[later].path.clone();
                (self.sink)(Event::Skipped { derivation: skipped.clone(), because: derivation.clone() });
                self.result.skipped.push((skipped, derivation.clone()));
                pending.extend(&self.plan.jobs[later].needed_by);
            }
        }
    }

    fn finish(self) -> RunResult {
        self.result
    }
}

/// The class of fetches.
const FETCH: usize = 1;

const fn class(kind: Kind) -> usize {
    match kind {
        Kind::Fetch => FETCH,
        Kind::Builtin | Kind::Build => 0,
    }
}
