//! What a sandboxed process sees: pure data, complete, and serialisable, so that it can be sent to the process that enters
//! the sandbox and be compared in tests. Knows nothing of the store: only paths, texts and numbers.
//!
//! The values that [`Circumstances`] may vary have fixed defaults here; they are part of the sandbox ABI, version 1.

use super::path::{GuestPath, HostPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use store::shown;

/// Where a sandbox is prepared: a directory that every machine has, and that nobody shows to a guest.
pub(crate) const STAGE: &str = "/proc";

/// The most layers a root can be composed of; merge groups of layers beforehand beyond this. The kernel takes 500 in
/// one overlay, and one of them is the sandbox's own skeleton of mount points.
pub const MAX_LAYERS: usize = 499;

/// The descriptors at which a command has the FIFO of its job server open: for reading, and for writing. Small numbers are what
/// shell scripts use for files of their own.
pub const JOB_SERVER_DESCRIPTORS: [i32; 2] = [100, 101];

/// One sandboxed run of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Directories composed, read-only, to the guest's `/`: the topmost first. At most [`MAX_LAYERS`]. Neither they nor any
    /// other path of the host may lie beneath the writable layer or in `/proc`.
    pub layers: Vec<HostPath>,
    /// The throw-away layer above them that takes every change the guest makes to its root.
    pub writable: WritableLayer,
    /// Files and directories the guest sees read-only besides its root, such as store paths at `/larder/store/…`.
    /// A later one may lie beneath an earlier one only if the earlier one already has the mount point.
    pub binds: Vec<Bind>,
    /// Existing directory shown, writable, as `/build`: the working directory.
    pub build_dir: HostPath,
    /// Existing directory shown, writable, as `/larder/out`.
    pub out_dir: HostPath,
    /// The program: an absolute guest path, or a name looked up in the `PATH` of `env`.
    pub command: String,
    /// The arguments after the program's own name.
    pub args: Vec<String>,
    /// The whole environment; nothing is added to it and nothing of the host's is in it.
    pub env: BTreeMap<String, String>,
    /// Resource limits.
    pub limits: Limits,
    /// The FIFO of a job server, among `binds`, that the command has open as [`JOB_SERVER_DESCRIPTORS`].
    pub job_server: Option<GuestPath>,
    /// Whether the process keeps the session and the controlling terminal it was started from (for `shell`, `run` and
    /// `debug`). If not, it gets a session of its own and no terminal.
    pub interactive: bool,
    /// What is varied on purpose.
    pub circumstances: Circumstances,
}

/// The writable layer of the root, `/tmp` included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WritableLayer {
    /// Two existing, empty directories on one file system, which the caller throws away, having called
    /// [`unlock_work`](super::unlock_work). What the guest changed can be looked at, and be used again, until then.
    Directories {
        /// Takes the changed files, in overlayfs' format (with attributes in the `user.overlay.` name space).
        upper: HostPath,
        /// Overlayfs' own working directory. A second run over the same `upper` needs a fresh one.
        work: HostPath,
    },
    /// In memory, gone when the sandbox ends: for small builds, whose run it makes shorter by the milliseconds that an
    /// overlay on a disk file system takes to set up.
    Memory,
    /// In memory; if the command fails, and it is not large, left on the disk in an existing directory, as [`LEFT_ROOT`].
    LeftByFailure(HostPath),
}

/// The name under which a writable layer is left, in overlayfs' format.
pub const LEFT_ROOT: &str = "root";

/// What may lie there besides where leaving it was given up.
pub(crate) const LEFT_INCOMPLETE: [&str; 2] = ["root-partial", "root-moved"];

impl WritableLayer {
    /// The host directory that takes the changed files, if there is one.
    #[must_use]
    pub fn upper(&self) -> Option<&HostPath> {
        match self {
            Self::Directories { upper, .. } => Some(upper),
            Self::Memory | Self::LeftByFailure(_) => None,
        }
    }
}

/// A file or directory of the host shown read-only to the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// What is shown. A symbolic link is shown as one, which leads where it does within the sandbox.
    pub source: HostPath,
    /// Where it is shown. The mount point need not exist in any layer.
    pub target: GuestPath,
}

/// What of a specification is the same for most runs, so that it can be made before anybody asks for a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Groundwork {
    /// Resource limits.
    pub(crate) limits: Limits,
    /// What is varied on purpose.
    pub(crate) circumstances: Circumstances,
    /// Whether the process keeps its session.
    pub(crate) interactive: bool,
    /// Whether the files that it uses are noted.
    pub(crate) traced: bool,
}

impl Groundwork {
    /// Whether many runs can be expected that want the same.
    pub(crate) fn is_usual(&self) -> bool {
        let usual = Self { limits: self.limits, ..Self::default() };
        *self == usual
    }
}

/// Resource limits of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Open files a process may have before it raises its own limit.
    pub open_files: u64,
    /// Open files it may raise its limit to; the host's hard limit if that is lower.
    pub open_files_hard: u64,
    /// Bytes of stack. Core dumps are always off.
    pub stack: u64,
    /// Processes and threads that all of the guest may have at once; at least 301. Without a control group, Linux before 6.14 does not limit
    /// them for root.
    pub processes: u64,
    /// Bytes of memory that all of the guest may have at once, with files in memory; as many as there are if not said. Only where
    /// [control groups](crate::control_group) can be had.
    pub memory: Option<u64>,
    /// Its part of the processors when all are wanted: as much as each of the others has with 100. Only where control groups can be had.
    pub cpu_weight: u64,
    /// Bytes that each of its file systems in memory takes; half of the machine's memory if not said.
    pub tmpfs_bytes: Option<u64>,
    /// Files, with directories and links, that each of them takes.
    pub tmpfs_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open_files: 1024,
            open_files_hard: 65_536,
            stack: 8 << 20,
            processes: 8192,
            memory: None,
            cpu_weight: 100,
            tmpfs_bytes: None,
            tmpfs_files: 1 << 20,
        }
    }
}

/// The user a guest runs as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Login name, as in `/etc/passwd`, where the composed root has none of its own.
    pub name: String,
    /// User id and group id.
    pub id: u32,
}

impl Default for User {
    fn default() -> Self {
        Self { name: "build".to_owned(), id: 1000 }
    }
}

/// What `repro` varies between runs of one build. `None`, 0 and `false` mean the value of the sandbox ABI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circumstances {
    /// Host name; `larder` by default.
    pub host_name: Option<String>,
    /// NIS domain name; `(none)` by default, as on a machine that never set one.
    pub domain_name: Option<String>,
    /// User name and id; `build`, 1000 by default.
    pub user: Option<User>,
    /// Number of processors the guest may run on: that many of those allowed to larder, or all of them if there are
    /// fewer. `/proc/cpuinfo` still shows the machine's. All by default.
    pub processors: Option<usize>,
    /// File mode creation mask; 022 by default.
    pub umask: Option<u32>,
    /// Whether every directory is listed in the reverse of its usual order.
    ///
    /// The supervisor answers `getdents64` in the guest's stead from a listing it takes when a directory is read from
    /// its start. Limits: directories beyond 1,000,000 entries, and descriptors shared between processes that read in
    /// turns, may see the usual order or an entry twice; the pre-2.4 call `getdents` is not covered.
    pub reverse_directories: bool,
    /// Seconds added to the time of day. Statically linked programs, and those that call the kernel themselves, see the
    /// real time: it is a preloaded object, named in `/etc/ld.so.preload`, that adds them.
    pub clock_offset: i64,
    /// Whether the address space is laid out the same way every time.
    pub fixed_addresses: bool,
    /// Kernel release that `uname` and `/proc/sys/kernel/osrelease` tell; the machine's by default.
    pub kernel_release: Option<String>,
}

impl Circumstances {
    /// The host name in force.
    #[must_use]
    pub fn host_name(&self) -> &str {
        self.host_name.as_deref().unwrap_or("larder")
    }

    /// The domain name in force.
    #[must_use]
    pub fn domain_name(&self) -> &str {
        self.domain_name.as_deref().unwrap_or("(none)")
    }

    /// The user in force.
    #[must_use]
    pub fn user(&self) -> User {
        self.user.clone().unwrap_or_default()
    }

    /// The file mode creation mask in force.
    #[must_use]
    pub fn umask(&self) -> u32 {
        self.umask.unwrap_or(0o022)
    }
}

/// A specification that no sandbox can be made from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// There is no layer at all.
    #[error("a sandbox needs at least one layer")]
    NoLayers,
    /// There are more layers than one overlay takes.
    #[error("{0} layers: at most {MAX_LAYERS} can be composed at once")]
    TooManyLayers(usize),
    /// The path would be hidden by the mounts made while composing the root.
    #[error("`{path}` lies beneath `{}`, which the sandbox mounts over", shown(beneath))]
    Hidden {
        /// The layer or bind in question.
        path: HostPath,
        /// The writable layer, or where the sandbox is prepared.
        beneath: PathBuf,
    },
    /// A text that is handed to the kernel has a NUL byte or, in a variable's name, `=`.
    #[error("`{0}` cannot be passed to a process")]
    Text(String),
}

impl SandboxSpec {
    /// What of it is made beforehand, for a run of which the files that it uses are noted if it is `traced`.
    pub(crate) fn groundwork(&self, traced: bool) -> Groundwork {
        let Self { limits, circumstances, interactive, .. } = self;
        let (limits, interactive) = (*limits, *interactive);
        Groundwork { limits, circumstances: circumstances.clone(), interactive, traced }
    }

    /// Checks what can be checked without looking at the file system.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), SpecError> {
        match self.layers.len() {
            0 => return Err(SpecError::NoLayers),
            count if count > MAX_LAYERS => return Err(SpecError::TooManyLayers(count)),
            _ => {}
        }
        self.check_texts()?;
        self.check_hidden()
    }

    fn check_texts(&self) -> Result<(), SpecError> {
        let circumstances = &self.circumstances;
        let names = [circumstances.host_name(), circumstances.domain_name()];
        let plain = self.args.iter().chain(self.env.values()).map(String::as_str).chain(names);
        let broken = plain.chain([self.command.as_str()]).find(|text| text.contains('\0'));
        let broken = broken
            .or_else(|| self.env.keys().map(String::as_str).find(|name| name.is_empty() || name.contains(['\0', '='])));
        broken.map_or(Ok(()), |text| Err(SpecError::Text(text.to_owned())))
    }

    /// While the root is composed, the upper directory is mounted over, and so is [`STAGE`].
    fn check_hidden(&self) -> Result<(), SpecError> {
        let sources = self.layers.iter().chain(self.binds.iter().map(|bind| &bind.source));
        let sources = sources.chain([&self.build_dir, &self.out_dir]);
        let (upper, work, left) = match &self.writable {
            WritableLayer::Directories { upper, work } => (Some(upper), Some(work), None),
            WritableLayer::LeftByFailure(place) => (None, None, Some(place)),
            WritableLayer::Memory => (None, None, None),
        };
        let hidden = |path: &HostPath, beneath: &Path| match path.as_path().starts_with(beneath) {
            true => Err(SpecError::Hidden { path: path.clone(), beneath: beneath.to_owned() }),
            false => Ok(()),
        };
        for path in sources.clone().chain(upper).chain(work).chain(left) {
            hidden(path, Path::new(STAGE))?;
        }
        let Some(upper) = upper else { return Ok(()) };
        sources.chain(work).try_for_each(|path| hidden(path, upper.as_path()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(path: &str) -> HostPath {
        HostPath::parse(path).unwrap()
    }

    fn spec() -> SandboxSpec {
        SandboxSpec {
            layers: vec![host("/store/a")],
            writable: WritableLayer::Directories { upper: host("/tmp/upper"), work: host("/tmp/work") },
            binds: vec![Bind { source: host("/store/b"), target: GuestPath::parse("/larder/store/b").unwrap() }],
            build_dir: host("/tmp/build"),
            out_dir: host("/tmp/out"),
            command: "/bin/sh".to_owned(),
            args: vec!["-e".to_owned()],
            env: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            limits: Limits::default(),
            job_server: None,
            interactive: false,
            circumstances: Circumstances::default(),
        }
    }

    #[test]
    fn the_serialised_form_is_known_and_read_back() {
        let text = serde_json::to_string(&spec()).unwrap();
        let expected = concat!(
            r#"{"layers":["/store/a"],"writable":{"Directories":{"upper":"/tmp/upper","work":"/tmp/work"}},"#,
            r#""binds":[{"source":"/store/b","target":"/larder/store/b"}],"build_dir":"/tmp/build","out_dir":"/tmp/out","#,
            r#""command":"/bin/sh","args":["-e"],"env":{"A":"b"},"#,
            r#""limits":{"open_files":1024,"open_files_hard":65536,"stack":8388608,"processes":8192,"memory":null,"cpu_weight":100,"tmpfs_bytes":null,"tmpfs_files":1048576},"job_server":null,"interactive":false,"#,
            r#""circumstances":{"host_name":null,"domain_name":null,"user":null,"processors":null,"umask":null,"#,
            r#""reverse_directories":false,"clock_offset":0,"fixed_addresses":false,"kernel_release":null}}"#
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<SandboxSpec>(&text).unwrap(), spec());
    }

    #[test]
    fn the_defaults_are_those_of_the_sandbox_abi() {
        let abi = Circumstances::default();
        assert_eq!((abi.host_name(), abi.domain_name(), abi.umask()), ("larder", "(none)", 0o022));
        assert_eq!(abi.user(), User { name: "build".to_owned(), id: 1000 });
    }

    fn refusal(change: impl FnOnce(&mut SandboxSpec)) -> SpecError {
        let mut spec = spec();
        change(&mut spec);
        spec.check().unwrap_err()
    }

    #[test]
    fn impossible_specifications_are_refused() {
        assert_eq!(spec().check(), Ok(()));
        assert_eq!(refusal(|spec| spec.layers.clear()), SpecError::NoLayers);
        assert_eq!(refusal(|spec| spec.layers = vec![host("/l"); 500]), SpecError::TooManyLayers(500));
        assert!(matches!(refusal(|spec| spec.layers = vec![host("/proc/1/root")]), SpecError::Hidden { .. }));
        assert!(matches!(refusal(|spec| spec.out_dir = host("/tmp/upper")), SpecError::Hidden { .. }));
        let work = |path: &str| WritableLayer::Directories { upper: host("/tmp/upper"), work: host(path) };
        assert!(matches!(refusal(|spec| spec.writable = work("/tmp/upper/work")), SpecError::Hidden { .. }));
        assert!(matches!(refusal(|spec| spec.writable = work("/proc/work")), SpecError::Hidden { .. }));
        assert_eq!(refusal(|spec| spec.args.push("a\0".to_owned())), SpecError::Text("a\0".to_owned()));
        let equals = |spec: &mut SandboxSpec| drop(spec.env.insert("A=B".to_owned(), String::new()));
        assert_eq!(refusal(equals), SpecError::Text("A=B".to_owned()));
    }
}
