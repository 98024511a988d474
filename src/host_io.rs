//! What the evaluator asks of this machine: files of the user and of the store, and a place for what it makes.

use crate::adding::{AddError, Adding};
use crate::host_files::{Place, excluded_by};
use crate::keeping::Keeping;
use crate::needed::Needed;
use crate::output;
use eval::io::Filter;
use eval::{EvalIo, FileType, GoesOn, IoError, IsWanted};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::local::LocalStore;
use store::{EncodedDerivation, Input, STORE_DIR, StoreName, StorePath, TreeListing, TreePath, shown};

/// The evaluator's outside on this machine.
pub(crate) struct HostIo {
    store: Arc<LocalStore>,
    keeping: Keeping,
    adding: Adding,
    needed: Needed,
    /// Whether nobody wants to see traces, nor to wait for builds.
    silent: AtomicBool,
}

/// While it lives, evaluation traces nothing and builds nothing.
#[must_use]
pub(crate) struct Silence(Arc<HostIo>);

impl Drop for Silence {
    fn drop(&mut self) {
        self.0.silent.store(false, Ordering::SeqCst);
    }
}

impl HostIo {
    /// On a store; `keeps` says whether derivations will be kept in any case, not only when one of them is to be built.
    pub(crate) fn new(store: Arc<LocalStore>, needed: Needed, keeps: bool) -> Self {
        let keeping = Keeping::new(&store, keeps);
        Self { store, keeping, adding: Adding::new(keeps), needed, silent: AtomicBool::new(false) }
    }

    /// For evaluation that nobody asked for, as completion is.
    pub(crate) fn silence(this: &Arc<Self>) -> Silence {
        this.silent.store(true, Ordering::SeqCst);
        Silence(Arc::clone(this))
    }

    /// Keeps the sources and derivations that evaluation has made so far.
    pub(crate) fn flush(&self) -> Result<(), AddError> {
        self.keeping.flush(&self.store, &|| self.adding.flush(&self.store))
    }

    /// Why a path cannot be looked at. What is to be in the store may be missing for a reason of its own.
    fn failed(&self, path: &Path, error: std::io::Error) -> IoError {
        match self.adding.failed().filter(|_| path.starts_with(STORE_DIR)) {
            Some(reason) => IoError::Failed { path: path.to_owned(), problem: crate::error::with_causes(&reason) },
            None => failed(path, error),
        }
    }

    /// The files and directories of a source that was added.
    pub(crate) fn listing(&self, added: &StorePath) -> Option<TreeListing> {
        self.adding.listing(added).or_else(|| self.store.listing(&added.tree()?).ok())
    }

    /// Where a path is: those of the store are wherever the store is, and there when this returns if they will be.
    fn place(&self, path: &Path) -> Place {
        let Ok(inside) = path.strip_prefix(STORE_DIR) else { return Place::User(path.to_owned()) };
        if let Some(name) = inside.components().next() {
            self.adding.need(&self.store, name.as_os_str());
        }
        Place::Store { trees: self.store.layout().store(), inside: inside.to_owned() }
    }

    /// The same as a path on this machine.
    pub(crate) fn host(&self, path: &Path) -> PathBuf {
        self.place(path).path()
    }
}

/// What an error means to evaluation.
pub(crate) fn failed(path: &Path, error: std::io::Error) -> IoError {
    match error.kind() {
        ErrorKind::NotFound => IoError::NotFound { path: path.to_owned() },
        _ => IoError::Failed { path: path.to_owned(), problem: error.to_string() },
    }
}

/// A file that is gone when it is closed.
pub(crate) fn scratch_file(store: &LocalStore) -> Option<File> {
    use rustix::fs::open;
    let open = |directory: &Path| {
        open(directory, OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR).ok().map(File::from)
    };
    open(&store.layout().tmp()).or_else(|| open(&std::env::temp_dir()))
}

impl EvalIo for HostIo {
    fn read_file(&self, path: &Path, goes_on: &GoesOn<'_>) -> Result<Vec<u8>, IoError> {
        match self.place(path).read(goes_on) {
            Ok(Some(content)) => Ok(content),
            Ok(None) => Err(IoError::Ended { path: path.to_owned() }),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<(Vec<u8>, FileType)>, IoError> {
        self.place(path).list().map_err(|error| self.failed(path, error))
    }

    fn file_type(&self, path: &Path) -> Result<Option<FileType>, IoError> {
        self.place(path).file_type().map_err(|error| failed(path, error))
    }

    fn read_link(&self, path: &Path) -> Result<Vec<u8>, IoError> {
        self.place(path).read_link().map_err(|error| self.failed(path, error))
    }

    fn is_executable(&self, path: &Path) -> Result<bool, IoError> {
        self.place(path).is_executable().map_err(|error| self.failed(path, error))
    }

    fn add_path(&self, path: &Path, name: &StoreName, filter: Option<&mut Filter<'_>>) -> Result<StorePath, IoError> {
        let host = self.host(path);
        let excluded = match filter {
            Some(filter) => Some(excluded_by(path, &host, filter)?),
            None => None,
        };
        let left_out = |inside: &TreePath| excluded.as_ref().is_some_and(|excluded| excluded.contains(inside));
        refuse_store(&self.store, &host, left_out)
            .map_err(|problem| IoError::Failed { path: path.to_owned(), problem })?;
        let taken = self.store.take_path(&host, name.clone(), Some(&left_out));
        let added = taken.map_err(AddError::from).and_then(|taken| self.adding.add(&self.store, taken));
        added.map_err(|error| IoError::Failed { path: path.to_owned(), problem: crate::error::with_causes(&error) })
    }

    fn add_text(&self, name: &StoreName, text: &[u8]) -> Result<StorePath, IoError> {
        let taken = self.store.take_bytes(text, false, name.clone());
        let added = taken.map_err(AddError::from).and_then(|taken| self.adding.add(&self.store, taken));
        added.map_err(|error| IoError::Derivation { problem: crate::error::with_causes(&error) })
    }

    fn add_derivation(&self, derivation: EncodedDerivation) -> Result<(), IoError> {
        let kept = self.keeping.add(derivation, &|| self.adding.flush(&self.store));
        kept.map_err(|error| IoError::Derivation { problem: crate::error::with_causes(&error) })
    }

    fn scratch_file(&self) -> Option<File> {
        scratch_file(&self.store)
    }

    fn realise(&self, inputs: &[Input], is_wanted: &IsWanted<'_>) -> Result<Vec<(Input, StorePath)>, IoError> {
        let problem = |problem| IoError::Derivation { problem };
        if self.silent.load(Ordering::SeqCst) {
            return Err(problem("nothing is built now".to_owned()));
        }
        self.flush().map_err(|error| problem(crate::error::with_causes(&error)))?;
        let mut derivations = Vec::new();
        let mut realised = Vec::new();
        for input in inputs {
            match input {
                Input::Output { derivation, .. } => derivations.push(derivation.clone()),
                Input::Tree(path) => realised.push((input.clone(), path.clone())),
            }
        }
        let built = self.needed.realise(&derivations, is_wanted).map_err(problem)?;
        realised.extend(built.into_iter().filter(|(input, _)| inputs.contains(input)));
        Ok(realised)
    }

    fn trace(&self, line: &str) {
        if !self.silent.load(Ordering::SeqCst) {
            output::error(&format!("{line}\n"));
        }
    }
}

/// Says what is wrong if adding a directory would add the store to itself, which would not end.
pub(crate) fn refuse_store(
    store: &LocalStore,
    path: &Path,
    left_out: impl Fn(&TreePath) -> bool,
) -> Result<(), String> {
    // A link is added as a link.
    if path.is_symlink() {
        return Ok(());
    }
    let root = store.layout().root();
    let Some(inside) = path.canonicalize().ok().and_then(|path| root.strip_prefix(path).ok()) else { return Ok(()) };
    let mut at = TreePath::default();
    for component in inside.components() {
        let Ok(name) = store::EntryName::new(component.as_os_str().as_bytes()) else { return Ok(()) };
        at = at.join(&name);
        if left_out(&at) {
            return Ok(());
        }
    }
    Err(format!("{} has the store itself in it: {}", shown(&path), shown(&root)))
}
