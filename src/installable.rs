//! Installables: what a command line names things by. `PATH#ATTR`, a store path, or the beginning of a digest.

use crate::context::{BuildLimits, Context, memory, system};
use crate::error::CliError;
use crate::evaluating::Evaluating;
use crate::evaluations::Recorder;
use crate::given::GivenArgs;
use crate::host_io::{HostIo, Silence};
use crate::needed::Needed;
use crate::output;
use crate::progress::WatchArgs;
use crate::sources::{Named, installable};
use eval::{
    Arguments, Code, DerivationRef, Failure, Impure, Read, Reads, RenderOptions, Session, Value, render, to_json,
};
use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use store::local::LookupError;
use store::shown;
use store::{Input, OutputName, STORE_DIR, StorePath};

/// More threads are used only when asked for.
const MOST_THREADS: usize = 8;

/// How expressions are evaluated.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct EvalArgs {
    /// Let the environment, the clock and NIX_PATH be seen
    #[arg(long)]
    pub(crate) impure: bool,
    /// Look for <NAME/…> in PATH, for any <…> below it if there is no NAME
    #[arg(short = 'I', long, value_name = "[NAME=]PATH")]
    include: Vec<OsString>,
    #[command(flatten)]
    pub(crate) given: GivenArgs,
    /// Evaluate, even what nothing has changed of since it was evaluated last
    #[arg(long)]
    pub(crate) no_eval_cache: bool,
    /// Show what `builtins.traceVerbose` is given
    #[arg(long)]
    trace_verbose: bool,
    /// How many threads evaluate; results are the same for any number [default: one for each processor, at most 8]
    #[arg(long, value_name = "N", value_parser = crate::text::parse_count)]
    threads: Option<NonZeroUsize>,
    /// End evaluation when its values take more memory than this, as 500M or 4G [default: three quarters of what there is]
    #[arg(long, value_name = "SIZE", value_parser = crate::text::parse_bytes)]
    max_memory: Option<u64>,
    /// Whether parts that are not evaluated will be shown as such.
    #[arg(skip)]
    shows_delayed: bool,
    /// Whether only values are looked at, so that derivations are not kept.
    #[arg(skip)]
    looks_only: bool,
    /// How that is built which evaluation needs.
    #[arg(skip)]
    limits: BuildLimits,
    /// How that is told of.
    #[arg(skip)]
    watch: WatchArgs,
    #[command(flatten)]
    errors: ErrorArgs,
}

/// How evaluation errors are shown.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct ErrorArgs {
    /// Show the whole trace of an evaluation error, with the lines it leads through
    #[arg(long, alias = "show-trace")]
    pub(crate) trace: bool,
    /// Show errors for people, or as one JSON object per line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    error_format: ErrorFormat,
}

/// The form in which errors are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum ErrorFormat {
    /// Text with excerpts
    #[default]
    Human,
    /// One JSON object per line
    Json,
}

impl EvalArgs {
    /// The same, where only values are looked at.
    pub(crate) fn looking_only(self) -> Self {
        Self { looks_only: true, ..self }
    }

    /// The same, where what evaluation needs is built within these limits.
    pub(crate) fn building(&self, limits: BuildLimits) -> Self {
        Self { limits, ..self.clone() }
    }

    /// The same, where what evaluation needs is told of as the rest of what is built.
    pub(crate) fn watched(self, watch: WatchArgs) -> Self {
        Self { watch, ..self }
    }

    /// The same, where parts that are not evaluated will be shown as such.
    pub(crate) fn showing_delayed(self) -> Self {
        Self { shows_delayed: true, ..self }
    }

    /// Whether results may be those of an earlier evaluation, which shows no trace.
    pub(crate) fn remembers(&self) -> bool {
        !self.no_eval_cache && !self.impure && !self.trace_verbose
    }

    pub(crate) fn settings(&self) -> eval::Settings {
        let mut settings = eval::Settings::new(system());
        settings.search_path = self.include.iter().map(|entry| search_entry(entry.as_bytes())).collect();
        if self.impure {
            settings.search_path.extend(nix_path());
            settings.impure = Some(impure());
        }
        settings.threads =
            self.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        if self.threads.is_none() {
            settings.threads = settings.threads.min(MOST_THREADS);
        }
        let max_memory = self.max_memory.or_else(|| memory().map(|bytes| bytes / 4 * 3));
        settings.max_memory = max_memory.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        settings.ahead = !self.shows_delayed;
        settings.trace_verbose = self.trace_verbose;
        settings
    }
}

/// A session of the evaluator on this machine.
pub(crate) struct Evaluation {
    pub(crate) session: Arc<Session>,
    io: Arc<HostIo>,
    /// Keeps the answers of the outside, when what comes of them is to be remembered.
    recorder: Option<Arc<Recorder>>,
    /// What `--arg` and `--argstr` give, by name.
    given: GivenArgs,
    arguments: OnceLock<Arguments>,
    /// How errors are shown.
    pub(crate) errors: ErrorArgs,
}

impl Evaluation {
    pub(crate) fn new(context: &Context, args: &EvalArgs) -> Result<Self, CliError> {
        Self::of(context, args, false)
    }

    /// The same, and it is recorded what results rest on, where they may be remembered.
    pub(crate) fn recording(context: &Context, args: &EvalArgs) -> Result<Self, CliError> {
        Self::of(context, args, args.remembers())
    }

    fn of(context: &Context, args: &EvalArgs, record: bool) -> Result<Self, CliError> {
        let store = Arc::clone(context.store()?);
        let needed = Needed::new(context, args.limits, args.watch.clone())?;
        let io = Arc::new(HostIo::new(store, needed, !args.looks_only));
        let mut settings = args.settings();
        settings.record_reads = record;
        let recorder = settings.record_reads.then(|| Arc::new(Recorder::new(Arc::clone(&io))));
        let outside: Arc<dyn eval::EvalIo> = match &recorder {
            Some(recorder) => Arc::clone(recorder) as _,
            None => Arc::clone(&io) as _,
        };
        let session = Arc::new(Session::new(settings, outside));
        Ok(Self { session, io, recorder, given: args.given.clone(), arguments: OnceLock::new(), errors: args.errors })
    }

    /// What was read, and the answers.
    pub(crate) fn recorded(&self) -> Option<(&Reads, &Recorder)> {
        Some((self.session.reads(), self.recorder.as_deref()?))
    }

    /// What was read since the last time, and something more.
    pub(crate) fn reads_with(&self, read: Read) -> Read {
        self.session.reads().set(vec![read, self.session.take_reads()])
    }

    /// Keeps what evaluation has made, so that it can be built.
    pub(crate) fn flush(&self) -> Result<(), CliError> {
        Ok(self.io.flush()?)
    }

    /// While the returned value lives, evaluation traces nothing and builds nothing.
    pub(crate) fn silence(&self) -> Silence {
        HostIo::silence(&self.io)
    }

    /// Lays out what the evaluator says is wrong.
    pub(crate) fn failure(&self, failure: Failure) -> CliError {
        rendered(&self.session, &failure, self.errors)
    }

    /// The value of a file, or of the `default.nix` in a directory.
    pub(crate) fn file(&self, path: &Path) -> Result<Value, CliError> {
        let absolute = std::path::absolute(path)
            .map_err(|error| CliError::failed(format!("cannot find {}: {error}", shown(&path))))?;
        if !absolute.exists() {
            let hint = "an installable is PATH#ATTR, where PATH is a directory with a `default.nix` or a file";
            return Err(CliError::missing(path).hint(hint));
        }
        if absolute.is_dir() && is_absent(&absolute.join("default.nix")) {
            let error = CliError::usage(format!("there is no default.nix in {}", shown(&absolute)));
            return Err(
                error.hint("`larder help first-recipe` shows one to begin with; another place is named as PATH#ATTR")
            );
        }
        self.session.eval_file(&absolute).map_err(|failure| self.failure(failure))
    }

    /// The value of an expression.
    pub(crate) fn expression(&self, text: &[u8]) -> Result<Value, CliError> {
        self.session.eval_expr(text, &current_directory()?).map_err(|failure| self.failure(failure))
    }

    /// What a function gives for the arguments of the command line, if it can be called with them; else the value.
    pub(crate) fn call(&self, value: Value) -> Result<Value, CliError> {
        self.session.auto_call(value, self.arguments()?).map_err(|failure| self.failure(failure))
    }

    /// What the attribute path of something named leads to, from the value of its source. That it leads nowhere is told with the name:
    /// there is no place to show.
    pub(crate) fn select(&self, value: Value, named: &Named) -> Result<Value, CliError> {
        self.session.select(value, &named.attribute, self.arguments()?).map_err(|mut failure| {
            for diagnostic in failure.iter_mut().filter(|diagnostic| diagnostic.code == Code::Selection) {
                diagnostic.message = format!("`{}`: {}", named.text.to_string_lossy(), diagnostic.message);
            }
            self.failure(failure)
        })
    }

    /// Whether functions are called in any case.
    pub(crate) fn has_arguments(&self) -> bool {
        !self.given.all().is_empty()
    }

    fn arguments(&self) -> Result<&Arguments, CliError> {
        if let Some(arguments) = self.arguments.get() {
            return Ok(arguments);
        }
        let arguments = self.session.arguments(self.given.all(), &current_directory()?);
        let arguments = arguments.map_err(|failure| self.failure(failure))?;
        Ok(self.arguments.get_or_init(|| arguments))
    }

    /// The derivation that a value is; the error says what it is instead.
    pub(crate) fn derivation(&self, value: Value, named: &str) -> Result<DerivationRef, CliError> {
        let derivation = self.session.as_derivation(value).map_err(|failure| self.failure(failure))?;
        if let Some(derivation) = derivation {
            return Ok(derivation);
        }
        let names = self.session.attribute_names(value).map_err(|failure| self.failure(failure))?;
        let Some(names) = names else {
            let error = CliError::evaluation_message(format!("`{named}` is not a derivation"));
            return Err(error.hint("a derivation is what `derivation { … }` or `mkPackage { … }` returns"));
        };
        let shown: Vec<_> = names.iter().take(20).map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let more = if names.len() > shown.len() { ", …" } else { "" };
        let error = CliError::evaluation_message(format!("`{named}` is a set of things, not a derivation"));
        Err(error.hint(format!("it has: {}{more}", shown.join(", "))))
    }
}

/// Diagnostics, laid out.
pub(crate) fn rendered(session: &Session, failure: &Failure, errors: ErrorArgs) -> CliError {
    if errors.error_format == ErrorFormat::Json {
        let lines = failure.iter().map(|diagnostic| format!("{}\n", to_json(diagnostic, session.sources())));
        return CliError::evaluation(lines.collect());
    }
    let options = RenderOptions { colour: output::colours(), trace: errors.trace };
    let shown: Vec<_> = failure.iter().map(|diagnostic| render(diagnostic, session.sources(), options)).collect();
    CliError::evaluation(shown.join("\n"))
}

/// Whether nothing is at a place, not even a link that leads nowhere.
fn is_absent(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

pub(crate) fn current_directory() -> Result<PathBuf, CliError> {
    std::env::current_dir().map_err(|error| CliError::failed(format!("cannot find the current directory: {error}")))
}

/// The entries of the search path that the environment gives.
fn nix_path() -> Vec<(Vec<u8>, Vec<u8>)> {
    let path = std::env::var_os("NIX_PATH").unwrap_or_default();
    path.as_bytes().split(|&byte| byte == b':').filter(|entry| !entry.is_empty()).map(search_entry).collect()
}

/// `name=path`, or a path. What is relative is so to the current directory.
fn search_entry(entry: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (name, path) =
        entry.iter().position(|&byte| byte == b'=').map_or((&b""[..], entry), |at| (&entry[..at], &entry[at + 1..]));
    let path = Path::new(OsStr::from_bytes(path));
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    (name.to_vec(), absolute.into_os_string().into_encoded_bytes())
}

fn impure() -> Impure {
    let environment: std::collections::BTreeMap<_, _> =
        std::env::vars_os().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let variable = |name: &[u8]| environment.get(name).cloned();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    Impure { current_time: i64::try_from(now).unwrap_or(0), home: variable(b"HOME"), environment }
}

/// What an installable names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// An output of a derivation that evaluation made, or all of them.
    Derivation {
        path: StorePath,
        /// `None` for all.
        output: Option<OutputName>,
    },
    /// A tree in the store.
    Tree(StorePath),
}

impl Target {
    /// The store path: of the derivation or of the tree.
    pub(crate) fn path(&self) -> &StorePath {
        match self {
            Self::Derivation { path, .. } | Self::Tree(path) => path,
        }
    }
}

/// Finds out what installables name. Evaluates what must be evaluated, in one session, and keeps the derivations.
pub(crate) fn resolve(context: &Context, installables: &[OsString], args: &EvalArgs) -> Result<Vec<Target>, CliError> {
    let mut evaluating = Evaluating::new(context, args);
    let mut targets = Vec::new();
    for text in installables {
        if let Some(target) = in_store(context, text)? {
            targets.push(target);
            continue;
        }
        let DerivationRef { path, output, .. } = evaluating.derivation(&installable(text)?)?;
        targets.push(Target::Derivation { path, output: Some(output) });
    }
    evaluating.finish()?;
    Ok(targets)
}

/// Finds out what is named, where a set of derivations names all of them.
pub(crate) fn resolve_sets(context: &Context, named: &[Named], args: &EvalArgs) -> Result<Vec<Target>, CliError> {
    let mut evaluating = Evaluating::new(context, args);
    let mut targets = Vec::new();
    let mut failed = None;
    for named in named {
        let target = if named.installable { in_store(context, &named.text)? } else { None };
        if let Some(target) = target {
            targets.push(target);
            continue;
        }
        match evaluating.derivations(named) {
            Ok(derivations) => targets.extend(
                derivations
                    .into_iter()
                    .map(|DerivationRef { path, output, .. }| Target::Derivation { path, output: Some(output) }),
            ),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    // What was evaluated before something failed is worth remembering.
    evaluating.finish()?;
    failed.map_or(Ok(targets), Err)
}

/// What a text names in the store, if it has the form of something there; `None` if it is to be evaluated.
fn in_store(context: &Context, text: &OsStr) -> Result<Option<Target>, CliError> {
    if text.as_bytes().contains(&b'#') {
        return Ok(None);
    }
    let path = Path::new(text);
    let name = text.to_str();
    let is_store_path =
        name.is_some_and(|name| name.starts_with("/larder/store/") || StorePath::parse_base_name(name).is_ok());
    if !is_store_path && path.symlink_metadata().is_ok() {
        return linked(context, path);
    }
    // All names of the store are UTF-8.
    let Some(name) = name else { return Ok(None) };
    let (name, output) = match name.split_once('!') {
        Some((path, output)) => {
            let output = output.parse().map_err(|error| CliError::usage(format!("{error}")))?;
            (path, Some(output))
        }
        None => (name, None),
    };
    let path = context.store()?.lookup(name).map_err(|error| unknown(path, error))?;
    check_output(context, &path, output.as_ref())?;
    Ok(Some(if path.derivation().is_some() { Target::Derivation { path, output } } else { Target::Tree(path) }))
}

/// A word that names nothing was meant for a file or for the beginning of a digest, unless it is all of a store path.
fn unknown(path: &Path, error: LookupError) -> CliError {
    let is_whole = |text: &str| text.parse::<StorePath>().is_ok() || StorePath::parse_base_name(text).is_ok();
    let missing = match &error {
        LookupError::Form(_) => CliError::missing(path),
        LookupError::Unknown(text) if !is_whole(text) => {
            CliError::usage(format!("{} does not exist, and nothing in the store begins with `{text}`", shown(&path)))
        }
        _ => return error.into(),
    };
    missing.hint("an installable is PATH#ATTR, as `recipes#hello`, a store path, or 8 or more characters of a digest")
}

fn check_output(context: &Context, path: &StorePath, output: Option<&OutputName>) -> Result<(), CliError> {
    let Some(output) = output else { return Ok(()) };
    let Some(digest) = path.derivation() else {
        return Err(CliError::failed(format!("{path} is a tree: it has no output `{output}`")));
    };
    let outputs = context.store()?.derivation(&digest)?.outputs;
    if outputs.contains(output) {
        return Ok(());
    }
    let has: Vec<_> = outputs.iter().map(OutputName::as_str).collect();
    Err(CliError::failed(format!("{path} has no output `{output}`")).hint(format!("it has: {}", has.join(", "))))
}

/// A `result` link names what it points to.
fn linked(context: &Context, path: &Path) -> Result<Option<Target>, CliError> {
    let Some(target) = link_target(context, path)? else { return foreign(path) };
    if context.store()?.is_valid(&target)? {
        return Ok(Some(Target::Tree(target)));
    }
    let error = CliError::failed(format!("{} leads to {target}, which is not in the store", shown(&path)));
    Err(error.hint(format!("`larder realise {}` builds it again, if its derivation is known", shown(&path))))
}

/// A link into another store is no recipe.
fn foreign(path: &Path) -> Result<Option<Target>, CliError> {
    let Ok(target) = std::fs::read_link(path) else { return Ok(None) };
    let name =
        target.file_name().and_then(|name| name.to_str()).is_some_and(|name| StorePath::parse_base_name(name).is_ok());
    let Some(store) = target.parent().filter(|parent| name && parent.ends_with("store")) else { return Ok(None) };
    let error = CliError::failed(format!("{} leads into another store: {}", shown(&path), shown(&store)));
    Err(error.hint("name that store: --store DIR"))
}

/// The store path that a link leads to, whether it is still there or not.
pub(crate) fn link_target(context: &Context, path: &Path) -> Result<Option<StorePath>, CliError> {
    let Ok(target) = std::fs::canonicalize(path).or_else(|_| std::fs::read_link(path)) else { return Ok(None) };
    Ok(context.store()?.path_at(&target)?)
}

/// Splits what names a file below a store path, as `/larder/store/…/usr/bin/tool` or `result/usr/bin/tool`, into the store path and the
/// path in it.
pub(crate) fn split_inside(context: &Context, text: &OsStr) -> Result<Option<(OsString, OsString)>, CliError> {
    let base_and_rest = |inside: &[u8]| {
        let at = inside.iter().position(|&byte| byte == b'/')?;
        let base = std::str::from_utf8(&inside[..at]).ok().filter(|base| StorePath::parse_base_name(base).is_ok())?;
        Some((format!("{STORE_DIR}/{base}").into(), OsStr::from_bytes(&inside[at + 1..]).to_owned()))
    };
    let in_store = text.as_bytes().strip_prefix(STORE_DIR.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
    if let Some(inside) = in_store {
        return Ok(base_and_rest(inside));
    }
    let Ok(target) = std::fs::canonicalize(text) else { return Ok(None) };
    let inside = target.strip_prefix(context.store()?.layout().store()).ok();
    Ok(inside.and_then(|inside| base_and_rest(inside.as_os_str().as_bytes())))
}

/// The outputs that were asked for, from what was realised.
pub(crate) fn outputs_of(
    target: &Target,
    known: &std::collections::BTreeMap<Input, StorePath>,
) -> Vec<(Option<OutputName>, StorePath)> {
    match target {
        Target::Tree(path) => vec![(None, path.clone())],
        Target::Derivation { path, output } => known
            .iter()
            .filter_map(|(input, tree)| match input {
                Input::Output { derivation, output: name } if derivation == path => {
                    let wanted = output.as_ref().is_none_or(|wanted| wanted == name);
                    wanted.then(|| (Some(name.clone()), tree.clone()))
                }
                _ => None,
            })
            .collect(),
    }
}
