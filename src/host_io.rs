//! What the evaluator asks of this machine: files of the user and of the store, and a place for what it makes.

use crate::adding::{AddError, Adding};
use crate::keeping::Keeping;
use crate::look::human;
use crate::output;
use crate::progress::failure::describe;
use crate::reading;
use builder::{Builder, Event, Kind, RunOptions};
use eval::io::Filter;
use eval::{EvalIo, FileType, GoesOn, IoError};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::local::LocalStore;
use store::{EncodedDerivation, Input, STORE_DIR, StoreName, StorePath, TreeListing, TreePath, shown};

/// Makes inputs valid for evaluation.
type Realise = dyn Fn(&[StorePath]) -> Result<Vec<(Input, StorePath)>, String> + Send + Sync;

/// The evaluator's outside on this machine.
pub(crate) struct HostIo {
    store: Arc<LocalStore>,
    keeping: Keeping,
    adding: Adding,
    realise: Box<Realise>,
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
    pub(crate) fn new(store: Arc<LocalStore>, realise: Box<Realise>, keeps: bool) -> Self {
        let keeping = Keeping::new(&store, keeps);
        Self { store, keeping, adding: Adding::new(keeps), realise, silent: AtomicBool::new(false) }
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
    pub(crate) fn host(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(STORE_DIR) {
            Ok(inside) => {
                if let Some(name) = inside.components().next() {
                    self.adding.need(&self.store, name.as_os_str());
                }
                self.store.layout().store().join(inside)
            }
            Err(_) => path.to_owned(),
        }
    }
}

/// Realises what evaluation asks for with a builder of its own.
pub(crate) fn realise_with(builder: &Builder<'_>, paths: &[StorePath]) -> Result<Vec<(Input, StorePath)>, String> {
    let is_watched = std::io::stderr().is_terminal();
    // The diagnostic has the place and the reason; what the build printed stands before it.
    let tell = |event: Event| match event {
        Event::Failed { derivation, error } => {
            describe(&derivation, &error).iter().for_each(|line| output::error(&format!("{line}\n")));
        }
        // Nothing else says what evaluation waits for.
        Event::Started { derivation, kind: Kind::Build, .. } if is_watched => {
            output::error(&format!("building {}, which evaluation needs\n", human(&derivation)));
        }
        _ => {}
    };
    let result =
        builder.realise_all(paths, RunOptions::default(), &tell).map_err(|error| crate::error::with_causes(&error))?;
    match result.failures.first() {
        Some(failure) => Err(format!("{}: {}", failure.derivation, crate::error::with_causes(&*failure.error))),
        None => Ok(result.outputs.into_iter().collect()),
    }
}

fn failed(path: &Path, error: std::io::Error) -> IoError {
    match error.kind() {
        ErrorKind::NotFound => IoError::NotFound { path: path.to_owned() },
        _ => IoError::Failed { path: path.to_owned(), problem: error.to_string() },
    }
}

fn kind(kind: std::fs::FileType) -> FileType {
    if kind.is_file() {
        FileType::Regular
    } else if kind.is_dir() {
        FileType::Directory
    } else if kind.is_symlink() {
        FileType::Symlink
    } else {
        FileType::Other
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

/// Names and types in a directory.
pub(crate) fn list(path: &Path) -> std::io::Result<Vec<(Vec<u8>, FileType)>> {
    let one = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name().as_bytes().to_vec(), kind(entry.file_type()?)))
    };
    std::fs::read_dir(path)?.map(one).collect()
}

impl EvalIo for HostIo {
    fn read_file(&self, path: &Path, goes_on: &GoesOn<'_>) -> Result<Vec<u8>, IoError> {
        match reading::read(&self.host(path), goes_on) {
            Ok(Some(content)) => Ok(content),
            Ok(None) => Err(IoError::Ended { path: path.to_owned() }),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<(Vec<u8>, FileType)>, IoError> {
        list(&self.host(path)).map_err(|error| self.failed(path, error))
    }

    fn file_type(&self, path: &Path) -> Result<Option<FileType>, IoError> {
        match self.host(path).symlink_metadata() {
            Ok(data) => Ok(Some(kind(data.file_type()))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(failed(path, error)),
        }
    }

    fn read_link(&self, path: &Path) -> Result<Vec<u8>, IoError> {
        let target = std::fs::read_link(self.host(path)).map_err(|error| self.failed(path, error))?;
        Ok(target.as_os_str().as_bytes().to_vec())
    }

    fn is_executable(&self, path: &Path) -> Result<bool, IoError> {
        use std::os::unix::fs::PermissionsExt;
        let data = std::fs::metadata(self.host(path)).map_err(|error| self.failed(path, error))?;
        Ok(data.permissions().mode() & 0o100 != 0)
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

    fn realise(&self, inputs: &[Input]) -> Result<Vec<(Input, StorePath)>, IoError> {
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
        let built = (self.realise)(&derivations).map_err(problem)?;
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

/// Asks the filter about everything below a path, not going into directories it leaves out. Each is opened name by name and no link is followed, for
/// what was a directory may have become one.
fn excluded_by(path: &Path, host: &Path, filter: &mut Filter<'_>) -> Result<HashSet<TreePath>, IoError> {
    let mut excluded = HashSet::new();
    if !host.symlink_metadata().map_err(|error| failed(path, error))?.is_dir() {
        return Ok(excluded);
    }
    let root = rustix::fs::open(host, DIRECTORY, Mode::empty()).map_err(|error| failed(path, error.into()))?;
    let mut pending = vec![(path.to_owned(), TreePath::default())];
    while let Some((path, inside)) = pending.pop() {
        for (name, found) in entries_below(&root, &inside).map_err(|error| failed(&path, error.into()))? {
            let problem =
                |error: store::tree::TreeError| IoError::Failed { path: path.clone(), problem: error.to_string() };
            let inside = inside.join(&store::EntryName::new(&name).map_err(problem)?);
            let path = path.join(OsStr::from_bytes(&name));
            if !filter(&path, found)? {
                excluded.insert(inside);
            } else if found == FileType::Directory {
                pending.push((path, inside));
            }
        }
    }
    Ok(excluded)
}

/// How a directory is opened that must not be a link.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Names and types in a directory some levels below another.
fn entries_below(root: &OwnedFd, inside: &TreePath) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
    let mut directory = rustix::fs::openat(root, ".", DIRECTORY, Mode::empty())?;
    for name in inside.components() {
        directory = rustix::fs::openat(&directory, OsStr::from_bytes(name.as_bytes()), DIRECTORY, Mode::empty())?;
    }
    let mut entries = Vec::new();
    for entry in rustix::fs::Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Not every file system says in a directory what is one.
            rustix::fs::FileType::Unknown => {
                let stat = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                rustix::fs::FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        entries.push((name.to_bytes().to_vec(), kind_of(kind)));
    }
    Ok(entries)
}

fn kind_of(kind: rustix::fs::FileType) -> FileType {
    match kind {
        rustix::fs::FileType::RegularFile => FileType::Regular,
        rustix::fs::FileType::Directory => FileType::Directory,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        _ => FileType::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Whoever changes a source while it is filtered has the filter asked of that source alone.
    #[test]
    fn a_directory_that_becomes_a_link_is_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        std::fs::create_dir_all(at("source/d/e")).unwrap();
        std::fs::create_dir_all(at("outside/e")).unwrap();
        std::fs::write(at("outside/e/secret"), "").unwrap();
        let mut asked = Vec::new();
        let mut filter = |path: &Path, _: FileType| -> Result<bool, eval::io::FilterError> {
            asked.push(path.to_owned());
            if path.ends_with("e") {
                std::fs::rename(at("source/d"), at("aside")).unwrap();
                symlink(at("outside"), at("source/d")).unwrap();
            }
            Ok(true)
        };
        let source = at("source");
        assert!(excluded_by(&source, &source, &mut filter).is_err());
        assert_eq!(asked, [source.join("d"), source.join("d/e")]);
    }
}
