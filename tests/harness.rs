//! A directory with recipes and a store of its own, larder called in it, and what came of that.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What every recipe of these tests begins with: `mini NAME SCRIPT ATTRIBUTES` is a derivation that `mini.c` builds.
const PRELUDE: &str = r#"let
  system = "SYSTEM";
  seed = ./seed;
  mini = name: script: attributes: derivation ({
    inherit name system;
    builder = "/bin/mini";
    args = [ script ];
    root = [ seed ];
  } // attributes);
  write = name: entries: derivation {
    inherit name system;
    builder = "builtin:write";
    entries = builtins.toJSON entries;
  };
in
"#;

/// Says that a test cannot run here, and what was not tried for that. What a test prints is seen only if it fails; this is seen always.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// The static program of the tests' root, compiled once for a run.
fn mini() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let program = directory.join("mini");
        let partial = directory.join(format!("mini-{}", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mini.c");
        let compiled = Command::new("cc").args(["-static", "-O1", "-s", "-o"]).arg(&partial).arg(&source).status();
        assert!(compiled.expect("a C compiler is installed").success(), "{} does not compile", source.display());
        std::fs::rename(&partial, &program).expect("renamed");
        program
    })
}

/// The system that this machine builds for.
pub(crate) fn system() -> String {
    format!("{}-linux", std::env::consts::ARCH)
}

/// A directory with `default.nix`, `seed/` and a store, called `home`.
#[derive(Debug)]
pub(crate) struct Scratch {
    directory: PathBuf,
    /// Removes it in the end.
    _temporary: Option<tempfile::TempDir>,
}

impl Scratch {
    /// A directory whose `default.nix` is `recipes` after the prelude.
    pub(crate) fn new(recipes: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("larder-test-").tempdir().expect("a directory");
        let scratch = Self { directory: directory.path().to_owned(), _temporary: Some(directory) };
        scratch.fill();
        scratch.recipes(recipes);
        scratch
    }

    /// A directory at a place, without recipes, in place of what an earlier run left there. It is not removed.
    pub(crate) fn at(directory: PathBuf) -> Self {
        make_writable(&directory);
        let _ = std::fs::remove_dir_all(&directory);
        let scratch = Self { directory, _temporary: None };
        scratch.fill();
        scratch
    }

    fn fill(&self) {
        std::fs::create_dir_all(self.path("seed/bin")).expect("created");
        std::fs::copy(mini(), self.path("seed/bin/mini")).expect("copied");
    }

    /// Replaces the recipes.
    pub(crate) fn recipes(&self, recipes: &str) {
        self.write("default.nix", format!("{}{recipes}\n", PRELUDE.replace("SYSTEM", &system())));
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("written");
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The store's directory.
    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// larder, in this directory and with this store. Nothing is synced: that would wait for all that others write to this disk.
    /// Tests that call the program by themselves do sync.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
        command
            .arg("--no-sync")
            .args(arguments)
            .current_dir(&self.directory)
            .env("LARDER_HOME", self.home())
            .env_remove("LARDER_MIRRORS");
        for variable in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NIX_PATH"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Calls larder with words separated by blanks.
    pub(crate) fn larder(&self, words: &str) -> Ran {
        self.larder_with(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// Calls larder.
    pub(crate) fn larder_with(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// Calls larder, which must succeed, and returns its only line of standard output.
    pub(crate) fn line(&self, words: &str) -> String {
        self.larder(words).ok().line()
    }

    /// The directory or file that a store path stands for.
    pub(crate) fn physical(&self, store_path: &str) -> PathBuf {
        self.home().join("store").join(store_path.strip_prefix("/larder/store/").expect("a store path"))
    }

    /// Everything that is in a directory of the store, by name.
    pub(crate) fn entries(&self, directory: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.home().join(directory)) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Asserts that the store is whole.
    pub(crate) fn assert_sound(&self) {
        let ran = self.larder("verify --contents").ok();
        assert_eq!(ran.stdout, "", "a sound store has no problems");
    }
}

impl Drop for Scratch {
    /// What is sealed is read-only, so an ordinary user cannot remove it as it is.
    fn drop(&mut self) {
        make_writable(&self.directory);
    }
}

/// Runs a command where another one would run, and with its variables.
pub(crate) fn like(command: &mut Command, other: &Command) {
    if let Some(directory) = other.get_current_dir() {
        command.current_dir(directory);
    }
    for (name, value) in other.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

fn make_writable(directory: &Path) {
    let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755));
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

/// What a call of larder came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    /// The exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("the program starts"))
    }

    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts an exit code and that standard error has all these words.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in:\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// The only line of standard output.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        let lines: Vec<_> = self.stdout.lines().collect();
        assert_eq!(lines.len(), 1, "one line is expected: {}", self.stdout);
        lines[0].to_owned()
    }

    /// The lines of standard output.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// Standard output as JSON, with its schema; the versions of schemas are looked at by those tests that compare with the documents.
    #[track_caller]
    pub(crate) fn json(&self, schema: &str) -> serde_json::Value {
        let value: serde_json::Value = serde_json::from_str(&self.stdout).expect("standard output is JSON");
        let found = value["schema"].as_str().and_then(|found| found.rsplit_once('/')).map(|(name, _)| name);
        assert_eq!(found, Some(&*format!("larder/{schema}")));
        value
    }

    /// The derivations that the progress lines say were built, fetched or made: `built NAME` without its duration, sorted.
    pub(crate) fn done(&self) -> Vec<String> {
        let is_done = |line: &&str| ["built ", "made ", "fetched "].iter().any(|verb| line.starts_with(verb));
        let mut done: Vec<_> = self
            .stderr
            .lines()
            .filter(is_done)
            .map(|line| line.split(" (").next().unwrap_or(line).to_owned())
            .collect();
        done.sort_unstable();
        done
    }
}

impl From<std::process::Output> for Ran {
    fn from(output: std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// Waits until something is so; fails after a time that is enough for a loaded machine.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many live processes have a word among their arguments.
pub(crate) fn processes_with(word: &str) -> usize {
    let has = |entry: &std::fs::DirEntry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line.split(|&byte| byte == 0).any(|argument| argument == word.as_bytes()))
    };
    std::fs::read_dir("/proc").expect("/proc").flatten().filter(has).count()
}
