//! Realising one derivation: resolve, look whether it is done, else do it, check what came out, publish it.

use crate::action_lock::ActionLock;
use crate::aftermath::Aftermath;
use crate::archive;
use crate::began::Began;
use crate::builtin;
use crate::command::Occasion;
use crate::desk::Desk;
use crate::environment::{self, Variation};
use crate::error::BuildError;
use crate::event::{Event, How, Sink};
use crate::fetch::{FetchSettings, Fetcher};
use crate::groups::Groups;
use crate::input_use::{InputUse, input_use};
use crate::job_server::JobServer;
use crate::known_failure::KnownFailure;
use crate::leak;
use crate::limits::RunLimits;
use crate::passed::Passed;
use crate::permitted;
use crate::publisher::{Lent, Publisher};
use crate::resolve::{Resolved, Roots};
use crate::sandbox::{Bind, GuestPath, HostPath, LEFT_ROOT, Limits, MAX_LAYERS, SandboxSpec, Usage, WritableLayer};
use crate::site::{self, Left};
use crate::spawner::{CancelHandle, Running, Spawner};
use crate::trace::InputTrace;
use crate::world::World;
use dashmap::DashMap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::derivation::{FixedOutput, HashMode, OutputName, output_path_name};
use store::file_hash::HashAlgorithm;
use store::local::publish::{BuildResult, Published};
use store::local::{At, BuildCost, LocalStore, Sealed, Staging};
use store::{ActionDigest, Derivation, FileHash, Input, Node, StoreName, StorePath, TreeListing};

/// How this larder builds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program that [`crate::spawner::main`] runs in, with its arguments.
    pub spawner: (PathBuf, Vec<String>),
    /// The system that this machine can build for, as `x86_64-linux`.
    pub system: String,
    /// How many builds run at once.
    pub jobs: usize,
    /// How many processes one build may run at once. All together have a budget of as many, or of [`Self::jobs`] if that is more.
    pub cores: usize,
    /// Bytes of memory that builds may need together, by what they needed last time; as much as they want if not said.
    pub memory: Option<u64>,
    /// How long a build may take and how much it may print.
    pub limits: RunLimits,
    /// What the kernel limits of each build.
    pub sandbox: Limits,
    /// Whether actions that failed before are tried again.
    pub retry: bool,
    /// Whether the files of a failed build are kept.
    pub keep_failed: bool,
    /// Whether it is recorded which files each build uses and looks for in vain.
    pub trace_inputs: bool,
    /// How files are fetched.
    pub fetch: FetchSettings,
}

/// Realises derivations into a store.
#[derive(Debug)]
pub struct Builder<'s> {
    store: &'s LocalStore,
    settings: Settings,
    pub(crate) roots: Roots,
    pub(crate) groups: Groups,
    job_server: OnceLock<JobServer>,
    starting: Mutex<()>,
    fetcher: OnceLock<Fetcher>,
    running: DashMap<u64, CancelHandle>,
    next: AtomicU64,
    cancelled: AtomicBool,
    noted: AtomicBool,
    publisher: Publisher,
    /// Those that no build has.
    pub(crate) desks: Mutex<Vec<Desk>>,
    /// Those that no build has.
    pub(crate) sites: Mutex<Vec<Staging>>,
    /// What builds that have ended leave, cleared away while others run.
    pub(crate) left: Mutex<Left>,
    /// The last to go: what is left in `tmp/` should this process die is its affair.
    spawner: OnceLock<Spawner>,
}

/// So many entries a tree may have to be published in the background: until then it is there twice, as links.
const SMALL: usize = 256;

/// What a builder made, before it is published.
#[derive(Debug)]
pub struct Made {
    /// Every output.
    pub outputs: Vec<(OutputName, Sealed)>,
    /// What it cost.
    pub cost: BuildCost,
}

impl<'s> Builder<'s> {
    /// Prepares building; nothing is started yet.
    #[must_use]
    pub fn new(store: &'s LocalStore, settings: Settings) -> Self {
        Self {
            store,
            settings,
            roots: Roots::default(),
            groups: Groups::default(),
            job_server: OnceLock::new(),
            starting: Mutex::new(()),
            fetcher: OnceLock::new(),
            running: DashMap::new(),
            next: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            noted: AtomicBool::new(false),
            publisher: Publisher::default(),
            desks: Mutex::default(),
            sites: Mutex::default(),
            left: Mutex::default(),
            spawner: OnceLock::new(),
        }
    }

    /// The store it builds into.
    #[must_use]
    pub fn store(&self) -> &'s LocalStore {
        self.store
    }

    /// How it builds.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What fetches, made when first needed; what is wrong with the machine's settings is noted then.
    pub(crate) fn fetcher(&self, sink: Sink<'_>) -> Result<&Fetcher, BuildError> {
        if let Some(fetcher) = self.fetcher.get() {
            return Ok(fetcher);
        }
        let made = Fetcher::new(self.settings.fetch.clone())
            .map_err(|error| BuildError::Builtin { builder: "builtin:fetch".to_owned(), problem: error.to_string() })?;
        Ok(self.fetcher.get_or_init(|| {
            if let Some(message) = made.passed_over() {
                sink(Event::Noted { message });
            }
            made
        }))
    }

    pub(crate) fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// Whether a tree is made but not published yet.
    pub(crate) fn is_fresh(&self, path: &StorePath) -> bool {
        self.publisher.is_fresh(path)
    }

    /// Waits until all that was made is published, for what asks the store.
    pub(crate) fn settle(&self) -> Result<(), BuildError> {
        if self.publisher.settle() { Ok(()) } else { Err(BuildError::Cancelled) }
    }

    /// The process that starts sandboxes, started when first needed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawner(&self) -> Result<&Spawner, BuildError> {
        let _one = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spawner) = self.spawner.get() {
            return Ok(spawner);
        }
        let (program, arguments) = &self.settings.spawner;
        let started = Spawner::start(program, arguments)?;
        started.entrust(self.store.layout())?;
        Ok(self.spawner.get_or_init(|| started))
    }

    /// Tells once which limits of builds this machine cannot keep.
    pub(crate) fn note_lacking(&self, sink: Sink<'_>) -> Result<(), BuildError> {
        if !self.noted.swap(true, Ordering::SeqCst)
            && let Some(lacking) = self.spawner()?.lacking()
        {
            sink(Event::Noted { message: lacking.to_string() });
        }
        Ok(())
    }

    /// Who hands out the processor tokens of all builds, started when first needed.
    pub(crate) fn job_server(&self) -> Result<&JobServer, BuildError> {
        let _one = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = self.job_server.get() {
            return Ok(server);
        }
        let budget = self.settings.cores.max(self.settings.jobs);
        let started = JobServer::start(budget).at("share processors below", self.store.layout().tmp())?;
        Ok(self.job_server.get_or_init(|| started))
    }

    /// Ends every running build and lets none begin.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        for running in &self.running {
            // A run that has ended meanwhile needs no killing.
            running.value().kill();
        }
    }

    /// Lets a run be ended by [`Self::cancel`]. Gives the number to forget it by.
    pub(crate) fn register(&self, running: &Running) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.running.insert(number, running.cancel_handle());
        // A cancellation between the last look and the insertion has not seen this one.
        if self.is_cancelled() {
            running.cancel_handle().kill();
        }
        number
    }

    pub(crate) fn unregister(&self, number: u64) {
        self.running.remove(&number);
    }

    /// Whether [`Self::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Resolves a derivation whose inputs are all valid.
    ///
    /// # Errors
    /// When an input is not valid or the root cannot be composed.
    pub fn resolve(
        &self,
        path: &StorePath,
        derivation: &Derivation,
        known: &BTreeMap<Input, StorePath>,
    ) -> Result<Resolved, BuildError> {
        self.roots.resolve(self.store, &|path| self.publisher.is_fresh(path), path, derivation, known)
    }

    /// Realises a derivation whose inputs are all valid. With `again` it is built even if it is realised. Work begins, which is told, if that
    /// takes more than to find out that it was realised, or failed, before, also while another larder was waited for.
    pub(crate) fn realise(
        &self,
        path: &StorePath,
        derivation: &Derivation,
        known: &BTreeMap<Input, StorePath>,
        again: bool,
        sink: Sink<'_>,
        began: &Began<'_>,
    ) -> Result<(Vec<Published>, How), BuildError> {
        let resolved = self.resolve(path, derivation, known)?;
        if !again && let Some(found) = self.find(derivation, &resolved)? {
            return Ok((found, How::Reused));
        }
        let asked = SystemTime::now();
        if !again && !self.settings.retry {
            self.check_known(path, &resolved, UNIX_EPOCH)?;
        }
        let waited = AtomicBool::new(false);
        let waiting = || {
            waited.store(true, Ordering::SeqCst);
            sink(Event::Waiting { derivation: path.clone() });
        };
        let cancelled = || self.is_cancelled();
        let lock = ActionLock::take(&self.store.layout().actions_lock(), &resolved.digest, &waiting, &cancelled)?;
        let Some(lock) = lock else { return Err(BuildError::Cancelled) };
        began.reset();
        if !again && let Some(found) = self.find(derivation, &resolved)? {
            return Ok((found, How::Reused));
        }
        if waited.into_inner() {
            // Whom we waited for has just tried it.
            self.check_known(path, &resolved, asked)?;
        }
        began.tell();
        let refused = if self.takes_refused(again) { self.take_refused(&resolved) } else { None };
        let how = if refused.is_some() { How::Verified } else { How::Built };
        let made = match refused {
            Some(made) => Ok((made, None)),
            None => {
                let variation = Variation::default();
                self.run_builder(&resolved, Occasion { variation: &variation, compares: false }, sink)
            }
        };
        let verify = |made: &Made| self.verify(&resolved, made, sink);
        let made = made.and_then(|(made, aftermath)| {
            let verified = self.verify_or_keep(&resolved, made, aftermath.as_ref(), how, &verify);
            self.conclude(&resolved, aftermath, verified)
        });
        self.remember(&resolved, made.as_ref().err());
        Ok((self.publish(derivation, &resolved, made?, lock)?, how))
    }

    /// How an action failed, if it did the last time it was tried.
    #[must_use]
    pub fn known_failure(&self, action: &ActionDigest) -> Option<KnownFailure> {
        KnownFailure::read(&self.store.layout().logs(), action)
    }

    /// Which inputs a build used, by what was recorded of it.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn input_use(&self, resolved: &Resolved, trace: &InputTrace) -> Result<InputUse, BuildError> {
        let inputs: Vec<_> = resolved.action.inputs().iter().cloned().collect();
        let listings = |paths: &[StorePath]| {
            paths.iter().map(|path| self.roots.listing(self.store, path)).collect::<Result<Vec<_>, _>>()
        };
        let (layers, trees) = (listings(&resolved.layers)?, listings(&inputs)?);
        let world =
            World::new(TreeListing::clone(&resolved.root), inputs.into_iter().zip(trees.iter().map(AsRef::as_ref)));
        let layers: Vec<_> = resolved.layers.iter().zip(layers.iter().map(AsRef::as_ref)).collect();
        Ok(input_use(trace, &layers, &world))
    }

    /// Fails if the action is known to have failed after a moment.
    fn check_known(&self, path: &StorePath, resolved: &Resolved, after: SystemTime) -> Result<(), BuildError> {
        let layout = self.store.layout();
        match self.known_failure(&resolved.digest).filter(|failure| failure.is_after(after)) {
            Some(failure) => {
                let log = layout.log(&resolved.digest);
                Err(BuildError::FailedBefore { failure: Box::new(failure), derivation: path.clone(), log })
            }
            None => Ok(()),
        }
    }

    /// Remembers that a command failed of itself, or forgets that it did so before.
    fn remember(&self, resolved: &Resolved, error: Option<&BuildError>) {
        let logs = self.store.layout().logs();
        if resolved.action.resolved().builtin().is_some() {
            return;
        }
        match error.map(KnownFailure::of) {
            None => KnownFailure::forget(&logs, &resolved.digest),
            // What is not remembered is tried again: the build's own failure is what counts.
            Some(Some(failure)) => drop(failure.write(&logs, &resolved.digest)),
            Some(None) => {}
        }
    }

    /// The outputs of an action that is realised, noting that this derivation resolves to it.
    pub(crate) fn find(
        &self,
        derivation: &Derivation,
        resolved: &Resolved,
    ) -> Result<Option<Vec<Published>>, BuildError> {
        // A realisation counts only if all that it needs at run time is valid.
        if resolved.action.runtime().iter().any(|path| self.publisher.is_fresh(path)) {
            self.settle()?;
        }
        let mut found = Vec::new();
        for output in &derivation.outputs {
            let name = path_name(&derivation.name, output)?;
            let Some(path) = self.store.realised_path(&resolved.digest, output, &name)? else { return Ok(None) };
            found.push(Published { output: output.clone(), path, conflict: None });
        }
        self.store.add_resolution(derivation.digest(), resolved.digest)?;
        Ok(Some(found))
    }

    /// Publishes what was made: in the background if it is small, so that this costs less than waiting for the disk.
    fn publish(
        &self,
        derivation: &Derivation,
        resolved: &Resolved,
        made: Made,
        lock: ActionLock,
    ) -> Result<Vec<Published>, BuildError> {
        let small = made.outputs.iter().all(|(_, sealed)| sealed.listing().has_at_most(SMALL));
        let listing = |(_, sealed): &(OutputName, Sealed)| (sealed.digest(), sealed.listing().clone());
        let listings: Vec<_> = made.outputs.iter().filter(|_| small).map(listing).collect();
        let result = BuildResult {
            derivation: derivation.digest(),
            name: derivation.name.clone(),
            action: resolved.digest,
            outputs: made.outputs,
            runtime: resolved.action.runtime().clone(),
            cost: made.cost,
        };
        if !small {
            // What it mentions is there before it.
            self.settle()?;
            return Ok(self.store.publish_build(result)?);
        }
        let mut prepared = self.store.prepare_build(result)?;
        let published = prepared.outputs().to_vec();
        let lent = self.store.lend(&mut prepared)?;
        listings.into_iter().for_each(|(tree, listing)| self.roots.know(tree, listing));
        self.publisher.add(prepared, lent, lock);
        Ok(published)
    }

    fn place_of(&self, path: &StorePath, lent: &Lent) -> Result<HostPath, BuildError> {
        host_path(lent.get(path).map_or_else(|| self.store.host_path(path), |sealed| sealed.path().to_owned()))
    }

    /// Runs the builder of an action once more and checks what it made, to compare that with what there is. Nothing is published, and what is
    /// recorded of the action stays: the log, which has a place of its own, is left only by a failure.
    ///
    /// # Errors
    /// When the builder fails, or its outputs are not as they must be.
    pub fn make(&self, resolved: &Resolved, variation: &Variation, sink: Sink<'_>) -> Result<Made, BuildError> {
        let (made, aftermath) = self.run_builder(resolved, Occasion { variation, compares: true }, sink)?;
        let log = aftermath.as_ref().map(|aftermath| aftermath.log.clone());
        let verified = self.verify(resolved, &made, sink).map(|()| made);
        let made = self.conclude(resolved, aftermath, verified)?;
        // What is left goes when it is old.
        log.into_iter().for_each(|log| drop(std::fs::remove_file(log)));
        Ok(made)
    }

    /// Runs the builder of an action.
    fn run_builder(
        &self,
        resolved: &Resolved,
        occasion: Occasion<'_>,
        sink: Sink<'_>,
    ) -> Result<(Made, Option<Aftermath>), BuildError> {
        if self.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        let (started, outputs, usage, memory, aftermath) = match resolved.action.resolved().builtin() {
            Some(name) => {
                let started = Instant::now();
                let outputs = vec![(OutputName::out(), builtin::run(self, name, resolved, sink)?)];
                (started, outputs, Usage::default(), 0, None)
            }
            None => {
                permitted::check(resolved.action.resolved())?;
                crate::runtime::allowed(resolved.action.resolved())?;
                let ran = self.run(resolved, occasion, sink)?;
                (ran.started, ran.outputs, ran.usage, ran.memory, Some(ran.aftermath))
            }
        };
        let cost = BuildCost {
            finished: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            duration_ms: milliseconds(started.elapsed()),
            cpu_ms: milliseconds(usage.user_time + usage.system_time),
            memory,
        };
        Ok((Made { outputs, cost }, aftermath))
    }

    /// Checks what a builder made against what its action says of it.
    fn verify(&self, resolved: &Resolved, made: &Made, sink: Sink<'_>) -> Result<(), BuildError> {
        let drv = resolved.action.resolved();
        // Who uses what a graph makes knows what it declares, not what the derivations of the graph do.
        if matches!(drv.builtin(), None | Some("graph")) {
            self.verify_runtime(resolved, &made.outputs, sink)?;
        }
        if drv.builtin().is_none() {
            self.check_references(resolved, &made.outputs)?;
            leak::warn(resolved, &made.outputs, &|| self.is_cancelled(), sink)?;
        }
        match (&drv.fixed, made.outputs.first()) {
            (Some(fixed), Some((_, sealed))) => check_fixed(fixed, sealed),
            _ => Ok(()),
        }
    }

    /// Where the files of a failed build of this action are kept.
    #[must_use]
    pub fn kept_place(&self, resolved: &Resolved) -> PathBuf {
        self.store.layout().tmp().join(format!("failed-{}", resolved.digest))
    }

    /// The root of a failed build of this action as that left it, if it is kept: its changes are used again, with overlayfs' own
    /// directory at `work`, which [`unlock_work`](crate::sandbox::unlock_work) makes removable.
    ///
    /// # Errors
    /// When `work` cannot be made.
    pub fn kept_root(&self, resolved: &Resolved, work: &Path) -> Result<Option<WritableLayer>, BuildError> {
        let upper = self.kept_place(resolved).join(LEFT_ROOT);
        // A build may have put anything at other places, but not there.
        if !upper.is_dir() {
            return Ok(None);
        }
        site::make_directory(work)?;
        Ok(Some(WritableLayer::Directories { upper: host_path(upper)?, work: host_path(work.to_owned())? }))
    }

    /// What a build sees, with its directories made below `place`.
    ///
    /// # Errors
    /// When a directory cannot be made or the root has to be merged beforehand and cannot.
    pub fn sandbox(&self, resolved: &Resolved, place: &Path, variation: &Variation) -> Result<SandboxSpec, BuildError> {
        self.sandbox_with(resolved, &Lent::new(), place, variation)
    }

    /// The same, with trees that may not be published yet.
    pub(crate) fn sandbox_with(
        &self,
        resolved: &Resolved,
        lent: &Lent,
        place: &Path,
        variation: &Variation,
    ) -> Result<SandboxSpec, BuildError> {
        let drv = resolved.action.resolved();
        let directory = |name: &str| -> Result<HostPath, BuildError> {
            let path = place.join(name);
            site::make_directory(&path)?;
            host_path(path)
        };
        let bind = |path: &StorePath| -> Result<Bind, BuildError> {
            let target = GuestPath::parse(path.to_string()).expect("a store path is absolute");
            Ok(Bind { source: self.place_of(path, lent)?, target })
        };
        let build_dir = directory("build")?;
        for (name, text) in Passed::of(drv)?.files {
            site::make_file(&build_dir.as_path().join(name), &text)?;
        }
        Ok(SandboxSpec {
            layers: self.layers(resolved, lent, &directory)?,
            writable: WritableLayer::Memory,
            binds: resolved.action.inputs().iter().map(bind).collect::<Result<_, _>>()?,
            build_dir,
            out_dir: directory("out")?,
            command: drv.builder.clone(),
            args: drv.args.clone(),
            env: environment::of_build(&resolved.action, self.settings.cores, false, variation)?,
            limits: self.settings.sandbox,
            job_server: None,
            interactive: false,
            circumstances: variation.circumstances.clone(),
        })
    }

    fn layers(
        &self,
        resolved: &Resolved,
        lent: &Lent,
        directory: &dyn Fn(&str) -> Result<HostPath, BuildError>,
    ) -> Result<Vec<HostPath>, BuildError> {
        if resolved.layers.is_empty() {
            return Ok(vec![directory("empty")?]);
        }
        self.layers_with(&resolved.layers, lent)
    }

    /// Where the trees are that are composed to a root, the topmost first; of more than can be composed at once some are merged
    /// beforehand.
    ///
    /// # Errors
    /// When they have to be merged and cannot.
    pub fn layers_of(&self, trees: &[StorePath]) -> Result<Vec<HostPath>, BuildError> {
        self.layers_with(trees, &Lent::new())
    }

    fn layers_with(&self, trees: &[StorePath], lent: &Lent) -> Result<Vec<HostPath>, BuildError> {
        if trees.len() <= MAX_LAYERS {
            return trees.iter().map(|path| self.place_of(path, lent)).collect();
        }
        if trees.iter().any(|tree| self.is_fresh(tree)) {
            self.settle()?;
        }
        self.grouped(trees.to_vec())?.iter().map(|path| self.place_of(path, lent)).collect()
    }
}

fn path_name(name: &StoreName, output: &OutputName) -> Result<StoreName, BuildError> {
    Ok(output_path_name(name, output).map_err(store::local::StoreError::from)?)
}

pub(crate) fn host_path(path: PathBuf) -> Result<HostPath, BuildError> {
    HostPath::parse(path)
        .map_err(|error| BuildError::Builtin { builder: "sandbox".to_owned(), problem: error.to_string() })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Checks a fixed output against what was expected.
fn check_fixed(fixed: &FixedOutput, sealed: &Sealed) -> Result<(), BuildError> {
    let got = match (fixed.mode, sealed.listing().root()) {
        (HashMode::Tree, _) => {
            let digest = blake3::Hash::from_bytes(*sealed.digest().as_bytes());
            FileHash::parse(digest.to_hex().as_str(), Some(HashAlgorithm::Blake3)).expect("64 hexadecimal digits")
        }
        (HashMode::Archive, _) => archive::hash(fixed.hash.algorithm(), sealed.path())?,
        (HashMode::File, Node::File { executable: false, .. }) => {
            archive::hash_file(fixed.hash.algorithm(), sealed.path())?
        }
        (HashMode::File, _) => return Err(BuildError::FixedNotAFile),
    };
    if got == fixed.hash { Ok(()) } else { Err(BuildError::FixedHash { expected: fixed.hash.clone(), got }) }
}
