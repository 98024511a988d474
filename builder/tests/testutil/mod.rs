//! A sandbox for tests, made of this machine's own tools: `/usr` and what belongs to it, bound into an empty root.

use crate::realising::make_writable;
use builder::sandbox::{
    Bind, Circumstances, GuestPath, HostPath, Limits, Outcome, SandboxSpec, Status, WritableLayer, unlock_work,
};
use builder::spawner::Spawner;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use store::StoreName;
use store::local::{LocalStore, OpenOptions};

/// The spawner all tests share, so that they run at the same time in one of them, as builds do.
pub(crate) fn spawner() -> &'static Spawner {
    static SPAWNER: OnceLock<Spawner> = OnceLock::new();
    SPAWNER.get_or_init(start_spawner)
}

/// A spawner of one's own.
pub(crate) fn start_spawner() -> Spawner {
    Spawner::start(Path::new(env!("CARGO_BIN_EXE_larder-spawner")), [""; 0]).unwrap()
}

/// The directories of one sandbox, and the specification that names them.
pub(crate) struct Fixture {
    pub(crate) spec: SandboxSpec,
    pub(crate) top: tempfile::TempDir,
    guarded: Option<Guarded>,
}

/// What a hostile guest sees and must not change.
struct Guarded {
    store: LocalStore,
    layer: PathBuf,
    /// What the layer has when the guest begins.
    before: OnceLock<Vec<String>>,
}

impl Guarded {
    fn assert_intact(&self) {
        assert_eq!(self.store.verify(None, true).unwrap(), []);
        if let Some(before) = self.before.get() {
            assert_eq!(&snapshot(&self.layer), before);
        }
    }
}

/// Every path below `top` with its mode, time and content.
pub(crate) fn snapshot(top: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(top).unwrap().map(Result::unwrap) {
        let data = entry.metadata().unwrap();
        let content = if data.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        found.push(format!("{:?} {:?} {:?} {content:?}", entry.path(), data.permissions(), data.modified().unwrap()));
        if data.is_dir() {
            found.extend(snapshot(&entry.path()));
        }
    }
    found.sort();
    found
}

pub(crate) fn host(path: impl Into<PathBuf>) -> HostPath {
    HostPath::parse(path).unwrap()
}

pub(crate) fn guest(path: impl Into<PathBuf>) -> GuestPath {
    GuestPath::parse(path).unwrap()
}

impl Fixture {
    /// A sandbox that runs this shell script.
    pub(crate) fn script(script: &str) -> Self {
        let top = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = top.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let layer = make("layer");
        for name in ["bin", "lib", "lib64", "sbin"] {
            if Path::new("/usr").join(name).exists() {
                symlink(format!("usr/{name}"), layer.join(name)).unwrap();
            }
        }
        fs::create_dir(layer.join("data")).unwrap();
        fs::write(layer.join("data/file"), "layer\n").unwrap();
        let bind = |path: &str| Bind { source: host(path), target: guest(path) };
        let mut binds = vec![bind("/usr")];
        binds.extend(
            ["/etc/alternatives", "/etc/ld.so.cache"].into_iter().filter(|path| Path::new(path).exists()).map(bind),
        );
        let spec = SandboxSpec {
            layers: vec![host(layer)],
            writable: WritableLayer::Directories { upper: host(make("upper")), work: host(make("work")) },
            binds,
            build_dir: host(make("build")),
            out_dir: host(make("out")),
            command: "/bin/bash".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/usr/sbin".to_owned())]),
            limits: Limits::default(),
            job_server: None,
            interactive: false,
            circumstances: Circumstances::default(),
        };
        Self { spec, top, guarded: None }
    }

    /// A sandbox that runs a hostile script, which sees a path of a store, too: that store and the layers are intact when the fixture goes.
    pub(crate) fn hostile(script: &str) -> Self {
        let fixture = Self::script(script);
        let store = LocalStore::open(&fixture.path("guarded"), OpenOptions { durable: false }).unwrap();
        let layer = fixture.path("layer");
        let tree = store.add_path(&layer, StoreName::parse("layer").unwrap(), None).unwrap();
        let mut fixture = fixture.bind(store.host_path(&tree), &tree.to_string());
        fixture.guarded = Some(Guarded { store, layer, before: OnceLock::new() });
        fixture
    }

    /// A path in the fixture's own directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    /// Shows a file or directory of the host to the guest.
    pub(crate) fn bind(mut self, source: impl Into<PathBuf>, target: &str) -> Self {
        self.spec.binds.push(Bind { source: host(source), target: guest(target) });
        self
    }

    /// Changes over to a writable layer in memory.
    pub(crate) fn use_memory(&mut self) {
        unlock_work(&self.spec.writable).unwrap();
        self.spec.writable = WritableLayer::Memory;
    }

    /// Runs it; gives how it ended and what it printed.
    pub(crate) fn run(&self) -> (Outcome, String) {
        self.run_in(spawner())
    }

    pub(crate) fn run_in(&self, spawner: &Spawner) -> (Outcome, String) {
        if let Some(guarded) = &self.guarded {
            guarded.before.get_or_init(|| snapshot(&guarded.layer));
        }
        let path = self.path("log");
        let log = fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let outcome = spawner.run(&self.spec, log.into()).unwrap();
        let text = fs::read(&path).unwrap();
        fs::remove_file(path).unwrap();
        (outcome, String::from_utf8_lossy(&text).into_owned())
    }

    /// Runs it, expects success, and gives what it printed.
    pub(crate) fn output(&self) -> String {
        let (outcome, log) = self.run();
        assert_eq!(outcome.status, Status::Exited(0), "{log}");
        log
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        unlock_work(&self.spec.writable).unwrap();
        // Of two panics the first says more.
        if let Some(guarded) = self.guarded.as_ref().filter(|_| !std::thread::panicking()) {
            guarded.assert_intact();
        }
        make_writable(&self.path("guarded"));
    }
}
