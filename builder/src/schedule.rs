//! Scheduling: workers that take, one at a time, what may start next, and note what came of it. Who has finished a job goes on with
//! what that made possible: in a chain nobody waits for another thread.
//!
//! Of what is ready the most urgent starts first. Fetches have slots of their own, for they wait for the network and not for a
//! processor. Builds that together needed more memory last time than there is wait for each other; one that was killed for lack of it
//! is tried once more, alone.

mod state;

use crate::began::Began;
use crate::builder::Builder;
use crate::error::BuildError;
use crate::event::{Event, How, PlannedJob, Sink};
use crate::grow::Growth;
use crate::plan::{Expected, Job, Plan, PlanSource, plan};
use state::{End, FETCH, State, class, memory};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;
use std::time::Duration;
use store::derivation::{OutputName, output_path_name};
use store::local::publish::Published;
use store::local::{At, LocalStore, StoreError};
use store::{Derivation, DerivationDigest, Input, StorePath, TreeDigest};

/// Fetches at one time.
const FETCHES: usize = 6;

/// So many graphs may lead from one to the next.
const DEEPEST: usize = 16;

/// So many jobs a run may have with what graphs add to them.
const MOST_JOBS: usize = 1_000_000;

/// How often it is looked whether the run was cancelled.
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
        Ok(self.expected_cost(&derivation.name)?.map(Expected::from))
    }

    fn expected_of_package(&self, package: &str) -> Result<Option<Expected>, StoreError> {
        Ok(self.expected_cost_of_package(package)?.map(Expected::from))
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
    if inputs.is_empty() {
        return Ok(BTreeSet::new());
    }
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
    closure.append(&mut store.closure(&mentioned)?);
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
        let (run, state) = Run::new(self, plan, options, targets, sink);
        let state = Mutex::new(state);
        let serving = self.publisher().serving();
        let ended = serving.ended();
        std::thread::scope(|scope| -> Result<(), StoreError> {
            let started = start(scope, || self.publisher().serve(self.store(), &ended, &|| self.cancel()));
            started.at("start a thread that publishes into", self.store().layout().tmp())?;
            // Dropped also if something panics: then the thread ends.
            let _serving = serving;
            std::thread::scope(|scope| {
                let started = start(scope, || run.work(scope, &state));
                started.at("start a thread that builds in", self.store().layout().tmp())?;
                run.watch(&state);
                Ok::<_, StoreError>(())
            })?;
            self.clear_away();
            // What has been told to be realised is so when this returns.
            self.publisher().settle();
            Ok(())
        })?;
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.publisher().outcome().map(|()| state.result)
    }
}

/// Starts a thread of a scope; the system may have no more of them.
fn start<'s>(scope: &'s Scope<'s, '_>, work: impl FnOnce() + Send + 's) -> std::io::Result<()> {
    std::thread::Builder::new().spawn_scoped(scope, work).map(drop)
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

/// What a run is about.
struct Run<'r> {
    builder: &'r Builder<'r>,
    options: RunOptions,
    targets: &'r [StorePath],
    sink: Sink<'r>,
    /// Told when something may start, and at the end.
    changed: Condvar,
}

/// What a job came to.
enum Came {
    /// It is done.
    Realised(Vec<Published>, How),
    /// It waits for what its graph says.
    Grown(Growth),
}

type Realised = Result<(Vec<Published>, How), BuildError>;

impl<'r> Run<'r> {
    fn new(
        builder: &'r Builder<'r>,
        plan: Plan,
        options: RunOptions,
        targets: &'r [StorePath],
        sink: Sink<'r>,
    ) -> (Self, State) {
        let mut state = State::new(builder.settings().memory);
        // Nothing has failed yet.
        state.add(plan, 0);
        (Self { builder, options, targets, sink, changed: Condvar::new() }, state)
    }

    /// Works until the end of the run. Should that panic, the run ends, so that nobody waits for it.
    fn work<'s>(&'s self, scope: &'s Scope<'s, '_>, shared: &'s Mutex<State>) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.work_on(scope, shared)));
        if let Err(panic) = ended {
            lock(shared).over = true;
            self.changed.notify_all();
            resume_unwind(panic);
        }
    }

    /// Takes jobs while there are any, and has another worker do so if more than one may start.
    fn work_on<'s>(&'s self, scope: &'s Scope<'s, '_>, shared: &'s Mutex<State>) {
        let mut state = lock(shared);
        while !state.over {
            if let Some(number) = self.next(&mut state) {
                match self.may_start_any(&state) {
                    Some(_) if state.idle > 0 => self.changed.notify_all(),
                    // Where no more threads can be had, those that there are do it.
                    Some(_) => drop(start(scope, || self.work(scope, shared))),
                    None => {}
                }
                let (job, known) = (Arc::clone(state.job(number)), state.inputs(number));
                drop(state);
                let (came, duration) = self.advance(&job, &known);
                state = lock(shared);
                match came {
                    Ok(Came::Realised(outputs, how)) => self.take(&mut state, number, Ok((outputs, how)), duration),
                    Ok(Came::Grown(growth)) => self.extend(&mut state, number, growth),
                    Err(error) => self.take(&mut state, number, Err(error), duration),
                }
            } else if state.running == [0; 2] {
                state.over = true;
                self.changed.notify_all();
            } else {
                state.idle += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }

    /// Waits for the end, and sees to it that there is one when the run is cancelled.
    fn watch(&self, shared: &Mutex<State>) {
        let mut state = lock(shared);
        while !state.over {
            state.stopped |= self.builder.is_cancelled();
            (state, _) = self.changed.wait_timeout(state, INTERVAL).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Realises a job, or finds out what has to be done before; and how long that took.
    fn advance(&self, job: &Job, known: &BTreeMap<Input, StorePath>) -> (Result<Came, BuildError>, Duration) {
        let expected = job.expected.map(|expected| Duration::from_millis(expected.duration));
        let told = || (self.sink)(Event::Started { derivation: job.path.clone(), kind: job.kind(), expected });
        let began = Began::now(&told);
        let again = self.options.rebuild && self.targets.contains(&job.path);
        let advance = || match self.builder.grow(&job.path, &job.derivation, known, again)? {
            Some(growth) => Ok(Came::Grown(growth)),
            None => {
                let realised = self.builder.realise(&job.path, &job.derivation, known, again, self.sink, &began);
                realised.map(|(outputs, how)| Came::Realised(outputs, how))
            }
        };
        // A worker that does not answer would be waited for without end.
        let came = catch_unwind(AssertUnwindSafe(advance)).unwrap_or_else(|panic| Err(panicked(&*panic)));
        (came, began.elapsed())
    }

    /// Adds to the plan what the graph of a job says, which then waits for it.
    fn extend(&self, state: &mut State, number: usize, mut growth: Growth) {
        let depth = state.depths[number] + 1;
        if depth > DEEPEST || state.jobs.len() + growth.plan.jobs.len() > MOST_JOBS {
            let problem =
                format!("graphs make graphs more than {DEEPEST} deep, or {MOST_JOBS} jobs: that may have no end");
            let error = BuildError::Builtin { builder: "builtin:graph".to_owned(), problem };
            return self.take(state, number, Err(error), Duration::ZERO);
        }
        (self.sink)(Event::Planned { jobs: growth.plan.jobs.iter().map(planned).collect() });
        self.release(state, number);
        let urgency = state.job(number).priority;
        growth.plan.jobs.iter_mut().for_each(|job| job.priority += urgency);
        let mut doomed = state.add(growth.plan, depth);
        match state.numbers.get(&growth.result).map(|&result| (result, state.ends[result])) {
            Some((_, Some(End::Failed(because)))) => doomed.push((number, because)),
            Some((result, None)) => {
                state.needed_by[result].push(number);
                state.open[number] += 1;
            }
            _ => state.push(number),
        }
        doomed.into_iter().for_each(|(later, because)| self.skip(state, later, because));
    }

    /// Gives back what a job that runs has.
    fn release(&self, state: &mut State, number: usize) {
        let job = Arc::clone(state.job(number));
        state.running[class(job.kind())] -= 1;
        state.room.give_back(memory(&job));
    }

    /// The most urgent job that has a slot.
    fn next(&self, state: &mut State) -> Option<usize> {
        state.stopped |= self.builder.is_cancelled();
        let class = self.may_start_any(state)?;
        let (_, std::cmp::Reverse(number)) = state.ready[class].pop()?;
        state.running[class] += 1;
        let needed = memory(state.job(number));
        state.room.take(needed);
        state.exclusive |= state.alone.contains(&number);
        Some(number)
    }

    /// A class whose most urgent job may start.
    fn may_start_any(&self, state: &State) -> Option<usize> {
        let slots = [self.builder.settings().jobs.max(1), FETCHES];
        let may_start = |&class: &usize| state.running[class] < slots[class] && self.may_start(state, class);
        (0..2).find(may_start).filter(|_| !state.stopped)
    }

    /// Whether the most urgent job of a class may start beside what runs. Nothing less urgent overtakes it, so that it gets its turn.
    fn may_start(&self, state: &State, class: usize) -> bool {
        let Some((_, std::cmp::Reverse(number))) = state.ready[class].peek() else { return false };
        let nothing_runs = state.running[class] == 0;
        match class {
            FETCH => true,
            _ if state.alone.contains(number) => nothing_runs,
            _ => !state.exclusive && (nothing_runs || state.room.has(memory(state.job(*number)))),
        }
    }

    /// Notes what came of a job.
    fn take(&self, state: &mut State, number: usize, realised: Realised, duration: Duration) {
        self.release(state, number);
        let derivation = state.job(number).path.clone();
        if state.alone.contains(&number) {
            state.exclusive = false;
        } else if let Err(error) = &realised
            && error.is_lack_of_memory()
            && !state.stopped
        {
            state.alone.insert(number);
            (self.sink)(Event::Postponed { derivation, because: error.to_string() });
            state.push(number);
            return;
        }
        match realised {
            Ok((outputs, how)) => {
                state.done(number);
                state.result.add(&derivation, outputs, how);
                (self.sink)(Event::Realised { derivation, how, duration });
                for number in std::mem::take(&mut state.needed_by[number]) {
                    state.open[number] -= 1;
                    if state.open[number] == 0 {
                        state.push(number);
                    }
                }
            }
            Err(error) => self.fail(state, number, error),
        }
    }

    fn fail(&self, state: &mut State, number: usize, error: BuildError) {
        let error = Arc::new(error);
        state.ends[number] = Some(End::Failed(number));
        let derivation = state.job(number).path.clone();
        if !matches!(*error, BuildError::Cancelled) {
            (self.sink)(Event::Failed { derivation: derivation.clone(), error: Arc::clone(&error) });
        }
        state.result.failures.push(Failure { derivation, error });
        state.stopped |= !self.options.keep_going;
        for later in std::mem::take(&mut state.needed_by[number]) {
            self.skip(state, later, number);
        }
    }

    /// Does not try a job, and what needs it, because another one failed.
    fn skip(&self, state: &mut State, number: usize, because: usize) {
        let failed = state.job(because).path.clone();
        let mut pending = vec![number];
        while let Some(number) = pending.pop() {
            if state.ends[number].is_none() {
                state.ends[number] = Some(End::Failed(because));
                let skipped = state.job(number).path.clone();
                (self.sink)(Event::Skipped { derivation: skipped.clone(), because: failed.clone() });
                state.result.skipped.push((skipped, failed.clone()));
                pending.append(&mut state.needed_by[number]);
            }
        }
    }
}

impl RunResult {
    fn add(&mut self, derivation: &StorePath, outputs: Vec<Published>, how: How) {
        match how {
            How::Built => self.built += 1,
            How::Reused | How::Verified => self.reused += 1,
        }
        for published in outputs {
            let input = Input::Output { derivation: derivation.clone(), output: published.output };
            self.conflicts.extend(published.conflict.map(|tree| (published.path.clone(), tree)));
            self.outputs.insert(input, published.path);
        }
    }
}

fn lock(shared: &Mutex<State>) -> MutexGuard<'_, State> {
    // Who panics ends the run; all that is wanted of it then is that.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
