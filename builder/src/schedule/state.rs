//! How far a run is: its jobs, what each waits for, and what became of it.
//!
//! Invariants: a job is ready when all that it needs is done, and once; who needs what has failed has an end itself.

use super::RunResult;
use crate::event::Kind;
use crate::memory::Room;
use crate::plan::{Job, Plan};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;
use store::{Input, StorePath};

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its outputs are there.
    Done,
    /// It has none because this job failed, itself or one that it needs.
    Failed(usize),
}

/// How far a run is.
pub(super) struct State {
    /// All jobs, and at the end what those that have ended added to the plan. Those that are done are forgotten: a derivation takes much more
    /// memory than its outputs.
    pub(super) jobs: Vec<Option<Arc<Job>>>,
    /// Which job a derivation is.
    pub(super) numbers: HashMap<StorePath, usize>,
    /// The jobs that wait for each.
    pub(super) needed_by: Vec<Vec<usize>>,
    /// How many graphs that builds made lie between the targets and each job.
    pub(super) depths: Vec<usize>,
    /// How many needs of each job are not done.
    pub(super) open: Vec<usize>,
    /// Urgency and number, by whether it is a fetch.
    pub(super) ready: [BinaryHeap<(u64, std::cmp::Reverse<usize>)>; 2],
    pub(super) running: [usize; 2],
    /// Workers that wait for a job.
    pub(super) idle: usize,
    pub(super) room: Room,
    /// Jobs that were short of memory and run, if they run again, with no other build beside them.
    pub(super) alone: BTreeSet<usize>,
    /// Whether one of these runs.
    pub(super) exclusive: bool,
    pub(super) stopped: bool,
    /// Whether nothing runs and nothing will.
    pub(super) over: bool,
    /// How those of the jobs ended that have.
    pub(super) ends: Vec<Option<End>>,
    pub(super) result: RunResult,
}

impl State {
    /// That of a run without jobs, whose builds may need so much memory together.
    pub(super) fn new(memory: Option<u64>) -> Self {
        Self {
            jobs: Vec::new(),
            numbers: HashMap::new(),
            needed_by: Vec::new(),
            depths: Vec::new(),
            open: Vec::new(),
            ready: Default::default(),
            running: [0; 2],
            idle: 0,
            room: Room::new(memory),
            alone: BTreeSet::new(),
            exclusive: false,
            stopped: false,
            over: false,
            ends: Vec::new(),
            result: RunResult::default(),
        }
    }

    /// Adds a plan's jobs but for those that there are, `depth` graphs away from the targets, and has begin what may. Gives those that need
    /// what has failed, with the job that did.
    pub(super) fn add(&mut self, plan: Plan, depth: usize) -> Vec<(usize, usize)> {
        self.result.outputs.extend(plan.known);
        let (mut numbers, mut doomed) = (Vec::new(), Vec::new());
        for job in plan.jobs {
            if let Some(&known) = self.numbers.get(&job.path) {
                numbers.push(known);
                continue;
            }
            let number = self.jobs.len();
            numbers.push(number);
            let mut open = 0;
            for need in job.needs.iter().map(|&need| numbers[need]) {
                match self.ends[need] {
                    Some(End::Done) => continue,
                    Some(End::Failed(because)) => doomed.push((number, because)),
                    None => self.needed_by[need].push(number),
                }
                open += 1;
            }
            self.numbers.insert(job.path.clone(), number);
            self.jobs.push(Some(Arc::new(job)));
            self.needed_by.push(Vec::new());
            self.depths.push(depth);
            self.open.push(open);
            self.ends.push(None);
            if open == 0 {
                self.push(number);
            }
        }
        doomed
    }

    /// A job that is not done.
    pub(super) fn job(&self, number: usize) -> &Arc<Job> {
        self.jobs[number].as_ref().expect("nobody asks what a job was that is done")
    }

    /// Notes that a job is done.
    pub(super) fn done(&mut self, number: usize) {
        self.ends[number] = Some(End::Done);
        self.jobs[number] = None;
    }

    /// Notes that a job may begin.
    pub(super) fn push(&mut self, number: usize) {
        let job = self.job(number);
        self.ready[class(job.kind())].push((job.priority, std::cmp::Reverse(number)));
    }

    /// The paths of what a job needs.
    pub(super) fn inputs(&self, number: usize) -> BTreeMap<Input, StorePath> {
        let known = |input: &Input| Some((input.clone(), self.result.outputs.get(input)?.clone()));
        self.job(number).derivation.all_inputs().into_iter().filter_map(known).collect()
    }
}

/// Bytes that a job is expected to need.
pub(super) fn memory(job: &Job) -> u64 {
    job.expected.map_or(0, |expected| expected.memory)
}

/// The class of fetches.
pub(super) const FETCH: usize = 1;

/// Which slots a kind of work takes.
pub(super) const fn class(kind: Kind) -> usize {
    match kind {
        Kind::Fetch => FETCH,
        Kind::Builtin | Kind::Build => 0,
    }
}
