//! What commands share: the store, opened when first needed, and the settings of this machine.

use crate::Cli;
use crate::commands::SPAWNER;
use crate::error::CliError;
use builder::fetch::{Authorities, FetchSettings, Mirrors, ProxySettings, read_apt_sources, read_cargo_registries};
use builder::sandbox::Limits;
use builder::{Builder, RunLimits, Settings, control_group};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use store::local::{LocalStore, OpenOptions};
use store::shown;

/// What commands share.
#[derive(Debug)]
pub(crate) struct Context {
    root: Option<PathBuf>,
    options: OpenOptions,
    store: OnceLock<Arc<LocalStore>>,
    /// Whether a store is made where there is none.
    makes_store: bool,
    /// Whether garbage is collected in it.
    collects: bool,
    /// Whether only results and errors are shown.
    pub(crate) quiet: bool,
}

/// What a user may want of building.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BuildLimits {
    /// How many builds run at once.
    pub(crate) jobs: Option<usize>,
    /// How many processes one of them may run at once.
    pub(crate) cores: Option<usize>,
    /// How long each may take and how much it may print.
    pub(crate) run: RunLimits,
    /// How much memory one of them may have.
    pub(crate) memory: Memory,
    /// How many bytes and files each file system in memory of one of them takes, if that is said.
    pub(crate) tmpfs: [Option<u64>; 2],
    /// Whether what failed before is tried again.
    pub(crate) retry: bool,
    /// Whether the files of a failed build are kept.
    pub(crate) keep_failed: bool,
    /// Whether it is recorded which files builds use.
    pub(crate) trace_inputs: bool,
}

/// How much memory a build may have.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Memory {
    /// Nine tenths of what there is, so that what lacks memory is the build and not the machine.
    #[default]
    Most,
    /// So many bytes.
    Bytes(u64),
    /// As much as it wants.
    All,
}

impl Memory {
    fn bytes(self) -> Option<u64> {
        match self {
            Self::Most => memory().map(|bytes| bytes / 10 * 9),
            Self::Bytes(bytes) => Some(bytes),
            Self::All => None,
        }
    }
}

impl Context {
    pub(crate) fn new(cli: &Cli) -> Result<Self, CliError> {
        let root = cli.store.clone().or_else(default_root);
        let options = OpenOptions { durable: !cli.no_sync };
        let makes_store = !cli.command.asks_only();
        let collects = cli.command.collects();
        Ok(Self { root, options, store: OnceLock::new(), makes_store, collects, quiet: cli.quiet })
    }

    /// The store.
    pub(crate) fn store(&self) -> Result<&Arc<LocalStore>, CliError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        if !self.makes_store && !self.has_store()? {
            let error = CliError::usage(self.lacks_store()?);
            return Err(error.hint("`larder build` or `larder add` makes one; --store DIR names another one"));
        }
        let open = if self.collects { LocalStore::open_to_collect } else { LocalStore::open };
        let opened = open(&canonical(self.root()?), self.options)?;
        Ok(self.store.get_or_init(|| Arc::new(opened)))
    }

    /// Whether there is a store already.
    pub(crate) fn has_store(&self) -> Result<bool, CliError> {
        Ok(LocalStore::is_in(self.root()?)?)
    }

    /// That there is no store, in words.
    pub(crate) fn lacks_store(&self) -> Result<String, CliError> {
        Ok(format!("there is no store in {}", shown(self.root()?)))
    }

    /// Where the store is, or will be.
    fn root(&self) -> Result<&Path, CliError> {
        self.root.as_deref().ok_or_else(|| {
            CliError::usage("cannot tell where the store is: none of LARDER_HOME, XDG_DATA_HOME and HOME is set")
                .hint("name its directory with `--store DIR`, or set LARDER_HOME to it; `larder help environment` tells of all variables")
        })
    }

    /// A builder for this machine, with the given limits.
    pub(crate) fn builder(&self, limits: BuildLimits) -> Result<Builder<'_>, CliError> {
        let store = self.store()?;
        let program = std::env::current_exe()
            .map_err(|error| CliError::internal(format!("cannot find the program itself: {error}")))?;
        let processors = processors();
        let settings = Settings {
            spawner: (program, vec![SPAWNER.to_owned()]),
            system: system(),
            jobs: limits.jobs.unwrap_or(processors),
            cores: limits.cores.unwrap_or(processors),
            memory: memory(),
            limits: limits.run,
            sandbox: sandbox_limits(&limits),
            retry: limits.retry,
            keep_failed: limits.keep_failed,
            trace_inputs: limits.trace_inputs,
            fetch: fetch_settings()?,
        };
        Ok(Builder::new(store, settings))
    }
}

/// What the kernel limits of each build.
fn sandbox_limits(limits: &BuildLimits) -> Limits {
    // Mount points of the sandbox's own are there, too.
    const LEAST_BYTES: u64 = 16 << 20;
    const LEAST_FILES: u64 = 1 << 16;
    // The kernel takes no number without end.
    const MOST_FILES: u64 = 1 << 40;
    let usual = Limits::default();
    let [bytes, files] = limits.tmpfs;
    let tmpfs_bytes = bytes.filter(|bytes| memory().is_none_or(|memory| *bytes < memory / 2));
    Limits {
        memory: limits.memory.bytes(),
        tmpfs_bytes: tmpfs_bytes.map(|bytes| bytes.max(LEAST_BYTES)),
        tmpfs_files: files.map_or(usual.tmpfs_files, |files| files.clamp(LEAST_FILES, MOST_FILES)),
        ..usual
    }
}

/// How many processors this process may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How many bytes of memory this process may use: those of the machine, or of the control groups it is in.
pub(crate) fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024;
    Some(control_group::memory_limit().map_or(machine, |limit| limit.min(machine)))
}

/// The system of this machine, as derivations name it.
pub(crate) fn system() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// The one name of the store's directory, made if need be: links of users are recognised as roots by it. Where that fails, opening
/// the store says why.
fn canonical(root: &Path) -> PathBuf {
    let _ = std::fs::create_dir_all(root);
    std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned())
}

fn default_root() -> Option<PathBuf> {
    set("LARDER_HOME")
        .or_else(|| set("XDG_DATA_HOME").map(|data| data.join("larder")))
        .or_else(|| set("HOME").map(|home| home.join(".local/share/larder")))
}

/// How this machine fetches: the mirrors `debian` from its own apt sources and `cargo` from where its cargo gets crates, further ones
/// from `LARDER_MIRRORS` (`name=url` or `hash=url`, separated by spaces), a proxy from the usual variables.
///
/// # Errors
/// When `LARDER_MIRRORS` has something else.
pub(crate) fn fetch_settings() -> Result<FetchSettings, CliError> {
    let mut mirrors = Mirrors::default();
    let texts = read_apt_sources(Path::new("/etc/apt")).unwrap_or_default();
    let debian = Mirrors::debian_from_sources(texts.iter().map(String::as_str));
    let cargo = cargo_home().map(|home| read_cargo_registries(&home)).unwrap_or_default();
    for (name, bases) in [("debian", debian), ("cargo", cargo)] {
        if !bases.is_empty() {
            mirrors.named.insert(name.to_owned(), bases);
        }
    }
    let given = std::env::var("LARDER_MIRRORS").unwrap_or_default();
    // Those given here come before the machine's own, in the order in which they stand.
    for mirror in given.split_whitespace().rev() {
        let malformed = || {
            let error = CliError::usage(format!("LARDER_MIRRORS has `{}`, which is no mirror", mirror.escape_debug()));
            error.hint("mirrors are `NAME=URL`, or `hash=URL` with {algorithm} and {hash}, separated by spaces")
        };
        let (name, url) = mirror.split_once('=').ok_or_else(malformed)?;
        match name {
            "hash" => mirrors.by_hash.insert(0, url.to_owned()),
            name => mirrors.named.entry(name.to_owned()).or_default().insert(0, url.to_owned()),
        }
    }
    Ok(FetchSettings { mirrors, proxy: proxy(), authorities: authorities(), ..FetchSettings::default() })
}

fn cargo_home() -> Option<PathBuf> {
    set("CARGO_HOME").or_else(|| set("HOME").map(|home| home.join(".cargo")))
}

/// What this machine believes, as other programs do: what `SSL_CERT_FILE` names, else the system's own bundle.
fn authorities() -> Authorities {
    let system = Path::new("/etc/ssl/certs/ca-certificates.crt");
    match set("SSL_CERT_FILE") {
        Some(file) => Authorities::File(file),
        None if system.exists() => Authorities::Machine(system.to_owned()),
        None => Authorities::Bundled,
    }
}

/// A variable that names a path; an empty one names none.
fn set(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn proxy() -> Option<ProxySettings> {
    let set = |names: [&str; 2]| {
        names.into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    };
    let url = set(["https_proxy", "HTTPS_PROXY"]).or_else(|| set(["http_proxy", "HTTP_PROXY"]))?;
    let except = set(["no_proxy", "NO_PROXY"]).unwrap_or_default();
    Some(ProxySettings { url, except: except.split(',').map(|host| host.trim().to_owned()).collect() })
}
