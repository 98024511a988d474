//! The store on disk: realised trees, the files they share, and the records that say what is known of them.
//!
//! Files are the truth, the index is made from them. Nothing becomes visible before it is complete and durable: see
//! [`publish`]. A path is handed out only if it is on the disk, not merely in the index.

mod absent;
mod closure;
mod compact;
mod dry_run;
mod effect;
#[cfg(feature = "faults")]
pub mod fault;
mod fsutil;
mod generations;
mod graph;
mod holding;
mod index;
mod ingest;
mod layout;
mod lease;
mod lost_records;
mod materialise;
mod mention;
mod new_objects;
mod object_directories;
mod pieces;
mod present;
pub mod publish;
mod quarantine;
mod query;
mod rebuild;
mod reclaim;
mod record;
mod remains;
mod repair;
mod reserve;
mod restart;
mod roots;
mod segment;
mod state;
mod sweep;
mod take_out;
mod tree_files;
mod unindexed;
mod usage;
mod verify;

pub use effect::Effect;
pub use fsutil::{At, IoError};
pub use generations::{Generation, KeptGenerations};
pub use holding::RootSize;
pub use index::{IndexError, PathInfo};
pub use ingest::{Excluded, IngestError};
pub use layout::Layout;
pub use lease::LivingLease;
pub use mention::Mention;
pub use publish::{Sealed, Staging};
pub use query::{Built, LookupError};
pub use record::BuildCost;
pub use remains::Freed;
pub use repair::{RepairOptions, Repaired};
pub use roots::{Root, RootError};
pub use sweep::{GcProgress, GcReport};
pub use usage::Usage;
pub use verify::{Flaw, Problem, VerifyOptions, VerifyProgress};

use crate::shown::shown;
use crate::store_path::{ParseStorePathError, StorePath};
use index::Index;
use lease::Lease;
use record::Record;
use segment::{Location, SegmentWriter};
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use unindexed::Unindexed;

/// A store that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The index failed.
    #[error("{}: {source}", shown(path))]
    Index {
        /// The index's file.
        path: PathBuf,
        /// What is wrong.
        source: IndexError,
    },
    /// A tree cannot be taken in.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The directory is a store of another version, or not one.
    #[error("{} is not a store that this larder knows: its format is `{found}`", shown(path))]
    Format {
        /// The store directory.
        path: PathBuf,
        /// What its file `format` says.
        found: String,
    },
    /// The store may only be read.
    #[error("the store in {} can only be read: it is read-only, or somebody else's", shown(path))]
    ReadOnly {
        /// The store directory.
        path: PathBuf,
    },
    /// The store was opened for reading, because the disk is full.
    #[error("nothing can be added to the store in {}, for there is no room on its disk", shown(path))]
    Full {
        /// The store directory.
        path: PathBuf,
        /// What could not be written.
        source: Arc<StoreError>,
    },
    /// Nobody can tell what a root holds.
    #[error("cannot tell what the root `{name}` holds: cannot look at {}", shown(link))]
    UnseenRoot {
        /// Its name.
        name: String,
        /// The link through which it holds.
        link: PathBuf,
        /// What the system said.
        source: rustix::io::Errno,
    },
    /// Nobody can tell what the records in a segment need.
    #[error("cannot tell what is needed: cannot read the records in {}", shown(path))]
    UnreadSegment {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: rustix::io::Errno,
    },
    /// A path is not valid.
    #[error("{0} is not in the store")]
    NotValid(StorePath),
    /// A record is missing or damaged.
    #[error(
        "the record of {0} is missing or damaged; `larder verify --repair` restores it, or building or adding it again"
    )]
    Record(String),
    /// An earlier publication failed, and this one comes after it.
    #[error("nothing more is published, because an earlier publication failed")]
    Unpublished,
    /// A name cannot be that of a store path.
    #[error(transparent)]
    Name(#[from] ParseStorePathError),
}

impl StoreError {
    /// Whether the disk, or what this user may have of it, is full.
    #[must_use]
    pub fn is_lack_of_space(&self) -> bool {
        match self {
            Self::Io(error) | Self::Ingest(IngestError::Io(error)) => error.is_lack_of_space(),
            Self::Index { source, .. } => source.is_lack_of_space(),
            Self::Full { .. } => true,
            _ => false,
        }
    }

    /// Whether a tree could not be read, so that nothing is known of what it is.
    const fn is_unread_tree(&self) -> bool {
        matches!(self, Self::Ingest(error) if error.is_of_the_moment())
    }
}

/// How a store is opened.
#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    /// Whether what is published survives a power cut. Off, only the death of a process is survived.
    pub durable: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { durable: true }
    }
}

/// An open store.
#[derive(Debug)]
pub struct LocalStore {
    layout: Layout,
    index: Index,
    /// `None` in a store that may only be read: there nothing can be held.
    lease: Option<Lease>,
    /// Why nothing can be written, if the disk was full when it was opened: then it may only be read, too.
    full: Option<Arc<StoreError>>,
    writer: Mutex<Option<SegmentWriter>>,
    /// Those before it, which stay locked: what was appended to one may not be indexed yet, and a compaction would leave it behind.
    full_segments: Mutex<Vec<SegmentWriter>>,
    unindexed: Mutex<Unindexed>,
    objects: OwnedFd,
    store: OwnedFd,
    tmp: OwnedFd,
    options: OpenOptions,
    /// Whether the reserve was given up to open it.
    is_without_reserve: bool,
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        // Nobody may have collected after all.
        if self.is_without_reserve {
            reserve::keep(&self.layout);
        }
    }
}

impl LocalStore {
    /// Opens the store in `root`, making it if the directory is missing or empty. One that may not be written to, or whose disk is full, is
    /// opened for reading; then nothing is held, and what would change it fails.
    ///
    /// # Errors
    /// When the directory cannot be written, is a store of another version, or has an index that cannot be used.
    pub fn open(root: &Path, options: OpenOptions) -> Result<Self, StoreError> {
        allow_many_open_files();
        let root = std::path::absolute(root).at("find", root)?;
        let layout = Layout::new(root);
        match Self::open_to_write(layout.clone(), options) {
            Err(error) if error.is_lack_of_space() => Self::open_full(layout, options, error),
            opened => opened,
        }
    }

    /// Opens the store for a collection, which gives up the reserve if the disk is full.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_to_collect(root: &Path, options: OpenOptions) -> Result<Self, StoreError> {
        let opened = Self::open(root, options);
        // What was left by a process that was killed may keep it from being opened even for reading.
        let is_full = opened.as_ref().map_or_else(StoreError::is_lack_of_space, |store| store.full.is_some());
        let layout = Layout::new(std::path::absolute(root).at("find", root)?);
        if !is_full || !reserve::give_up(&layout)? {
            return opened;
        }
        drop(opened);
        let opened = Self::open(root, options);
        if opened.is_err() {
            reserve::keep(&layout);
        }
        opened.map(|mut store| {
            store.is_without_reserve = true;
            store
        })
    }

    fn open_to_write(layout: Layout, options: OpenOptions) -> Result<Self, StoreError> {
        make_directories(&layout, options)?;
        let lease = match Lease::take(&layout) {
            Err(error) if error.is_forbidden() => None,
            taken => Some(taken?),
        };
        let (index, is_empty) = if lease.is_some() { open_index(&layout)? } else { (read_index(&layout)?, false) };
        let store = Self::of(layout, options, index, lease, None)?;
        if store.is_read_only() {
            return Ok(store);
        }
        if is_empty {
            store.fill_new_index()?;
        }
        store.make_good_lost_records()?;
        store.catch_up_after_restart()?;
        Ok(store)
    }

    /// Opens for reading what cannot be opened for writing because the disk is full.
    fn open_full(layout: Layout, options: OpenOptions, error: StoreError) -> Result<Self, StoreError> {
        // A store that cannot even be read says what was wrong at first.
        let Ok(index) = read_index(&layout) else { return Err(error) };
        let lease = Lease::take(&layout).ok();
        Self::of(layout, options, index, lease, Some(Arc::new(error)))
    }

    fn of(
        layout: Layout,
        options: OpenOptions,
        index: Index,
        lease: Option<Lease>,
        full: Option<Arc<StoreError>>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            objects: fsutil::open_directory(&layout.objects())?,
            store: fsutil::open_directory(&layout.store())?,
            tmp: fsutil::open_directory(&layout.tmp())?,
            writer: Mutex::new(None),
            full_segments: Mutex::new(Vec::new()),
            unindexed: Mutex::default(),
            layout,
            index,
            lease,
            full,
            options,
            is_without_reserve: false,
        })
    }

    /// Whether there is a store in `root`, of whatever version.
    ///
    /// # Errors
    /// When that cannot be told, as where this user may not look into `root`.
    pub fn is_in(root: &Path) -> Result<bool, IoError> {
        let format = Layout::new(root.to_owned()).format();
        match std::fs::metadata(&format) {
            Ok(data) => Ok(data.is_file()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(error).at("read", &format),
        }
    }

    /// Whether the store may only be read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.lease.is_none() || self.full.is_some()
    }

    /// Whether that is so whatever room there is on its disk.
    pub(super) fn is_only_read(&self) -> bool {
        self.lease.is_none() && self.full.is_none()
    }

    /// Refuses to go on in a store that may only be read.
    pub(super) fn must_be_writable(&self) -> Result<(), StoreError> {
        let path = || self.layout.root().to_owned();
        match &self.full {
            Some(source) => Err(StoreError::Full { path: path(), source: Arc::clone(source) }),
            None if self.is_read_only() => Err(StoreError::ReadOnly { path: path() }),
            None => Ok(()),
        }
    }

    /// Goes on with another index if the one that is open has been deleted or set aside since; one that is missing is made.
    pub(super) fn follow_index(&self) -> Result<(), StoreError> {
        let place = self.layout.index();
        if self.index.is_at(&place) {
            return Ok(());
        }
        let _no_collection = self.lock_trash()?;
        self.follow_index_locked()
    }

    /// The same, for who keeps collections away already.
    pub(super) fn follow_index_locked(&self) -> Result<(), StoreError> {
        let place = self.layout.index();
        if self.index.is_at(&place) {
            return Ok(());
        }
        let is_empty = self.index.reopen(&place).map_err(|error| self.index_error(error))?;
        if is_empty { self.rebuild_locked().map(drop) } else { Ok(()) }
    }

    /// Where things are.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Keeps paths from being collected while this process lives. Whatever is valid when this returns stays.
    ///
    /// # Errors
    /// When the lease cannot be written.
    pub fn hold<'p>(&self, paths: impl IntoIterator<Item = &'p StorePath>) -> Result<(), StoreError> {
        match self.lease.as_ref().map_or(Ok(()), |lease| lease.hold(paths)) {
            // Nothing comes of it that would have to stay.
            Err(error) if self.full.is_some() && error.is_lack_of_space() => Ok(()),
            held => Ok(held?),
        }
    }

    /// The same for what is only looked at: it is not held if the disk is full, as in a store that may only be read.
    ///
    /// # Errors
    /// When the lease cannot be written for another reason.
    pub fn hold_to_look(&self, path: &StorePath) -> Result<(), StoreError> {
        match self.hold([path]) {
            Err(error) if error.is_lack_of_space() => Ok(()),
            held => held,
        }
    }

    fn index_error(&self, source: impl Into<IndexError>) -> StoreError {
        StoreError::Index { path: self.layout.index(), source: source.into() }
    }

    /// Appends records to a segment of this process. They are durable after the next sync of the file system.
    fn append(&self, records: &[Record]) -> Result<Vec<Location>, StoreError> {
        self.must_be_writable()?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.as_ref().is_none_or(SegmentWriter::is_full) {
            // One of which nobody can tell is left alone, like one that has been compacted.
            let known_end = |name: &str| self.index.indexed_to(name).unwrap_or(index::COMPACTED);
            let (opened, recovered) = SegmentWriter::open(&self.layout.records(), known_end)?;
            self.index_recovered(&recovered)?;
            let full = writer.replace(opened);
            reserve::keep(&self.layout);
            self.full_segments.lock().unwrap_or_else(PoisonError::into_inner).extend(full);
        }
        let locations = writer.as_mut().expect("opened above").append_now(records, now())?;
        self.unindexed().add(&locations);
        Ok(locations)
    }

    fn unindexed(&self) -> MutexGuard<'_, Unindexed> {
        self.unindexed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_recovered(&self, records: &[(Record, Location)]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let now = now();
        self.index
            .change(|transaction| index::insert_recovered(transaction, records, now))
            .map_err(|error| self.index_error(error))
    }

    /// Tells the index in one transaction of records that were appended at once.
    fn index_appended(
        &self,
        locations: &[Location],
        tell: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<(), rusqlite::Error>,
    ) -> Result<(), StoreError> {
        // Until it is done, for who tells of later records must know whether the index knows these.
        let mut unindexed = self.unindexed();
        let indexed_to = unindexed.indexed_to(locations);
        let change = |transaction: &rusqlite::Transaction<'_>| {
            tell(transaction)?;
            indexed_to.map_or(Ok(()), |(segment, end)| index::insert_segment(transaction, &segment, end))
        };
        self.index.change(change).map_err(|error| self.index_error(error))?;
        unindexed.remove(locations);
        Ok(())
    }

    /// Makes everything written so far survive a power cut.
    fn sync(&self) -> Result<(), IoError> {
        if self.options.durable { effect::syncfs(&self.tmp).at("sync", self.layout.tmp()) } else { Ok(()) }
    }

    /// Makes a file that has been copied survive a power cut, before it gets the name under which it is believed.
    fn sync_file(&self, file: &File) -> Result<(), rustix::io::Errno> {
        if self.options.durable { effect::sync(file) } else { Ok(()) }
    }

    /// Makes what was put into or taken out of a directory so far survive a power cut.
    fn sync_names_in(&self, directory: &Path) -> Result<(), IoError> {
        if !self.options.durable {
            return Ok(());
        }
        effect::sync(fsutil::open_directory(directory)?).at("sync", directory)
    }

    /// Makes what was put into or taken out of `store/` so far survive a power cut, and nothing else.
    fn sync_names(&self) -> Result<(), IoError> {
        if self.options.durable { effect::sync(&self.store).at("sync", self.layout.store()) } else { Ok(()) }
    }
}

/// Raises this process's limit of open files as far as it may: a walk has two of them open for every level of directories.
fn allow_many_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // If that is refused, the walk of a very deep tree says so.
        let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
    }
}

/// Seconds since the epoch.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn make_directories(layout: &Layout, options: OpenOptions) -> Result<(), StoreError> {
    let format = layout.format();
    match std::fs::read_to_string(&format) {
        Ok(text) if text == layout::FORMAT => return Ok(make_missing_directories(layout)?),
        Ok(found) => {
            let found = found.trim().escape_debug().to_string();
            return Err(StoreError::Format { path: layout.root().to_owned(), found });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Err::<(), _>(error).at("read", &format).expect_err("it is one").into()),
    }
    effect::mkdir_all(layout.root()).at("create directory", layout.root())?;
    for entry in std::fs::read_dir(layout.root()).at("read directory", layout.root())? {
        let name = entry.at("read directory", layout.root())?.file_name();
        let begun = layout::DIRECTORIES.iter().chain(&layout::FILES).any(|known| *known == name);
        if !begun && !name.as_encoded_bytes().starts_with(b".format-") && !layout.format().exists() {
            return Err(StoreError::Format { path: layout.root().to_owned(), found: String::new() });
        }
    }
    for name in layout::DIRECTORIES {
        make_directory(&layout.root().join(name))?;
    }
    for name in layout::object_directories() {
        make_directory(&layout.objects().join(name))?;
    }
    // Written last, so that a store that has a format is complete, also after a power cut.
    let temporary = layout.root().join(fsutil::unique_name(".format-"));
    effect::write_file(&temporary, layout::FORMAT.as_bytes()).at("write", &temporary)?;
    if options.durable {
        let root = fsutil::open_directory(layout.root())?;
        effect::syncfs(root).at("sync", layout.root())?;
    }
    Ok(effect::rename(&temporary, &format).at("create", &format)?)
}

/// Makes what is missing of a store's own directories: some tools that copy leave out what is empty. Those of objects are made where one is
/// missed, see [`object_directories`].
fn make_missing_directories(layout: &Layout) -> Result<(), IoError> {
    for name in layout::DIRECTORIES {
        let place = layout.root().join(name);
        if !place.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            continue;
        }
        match make_directory(&place) {
            // Who may only read will find out whether it is needed.
            Err(error) if error.is_forbidden() => {}
            made => made?,
        }
    }
    Ok(())
}

fn make_directory(path: &Path) -> Result<(), IoError> {
    match effect::mkdir(path, layout::DIRECTORY_MODE) {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        made => made.at("create directory", path),
    }
}

/// Opens the index of a store that may only be read.
fn read_index(layout: &Layout) -> Result<Index, StoreError> {
    Index::open_read_only(&layout.index()).map_err(|source| StoreError::Index { path: layout.index(), source })
}

/// Opens the index; one that is damaged is set aside and made anew, by one process at a time.
fn open_index(layout: &Layout) -> Result<(Index, bool), StoreError> {
    let path = layout.index();
    let open = || Index::open(&path).map_err(|source| StoreError::Index { path: path.clone(), source });
    let is_damaged =
        |opened: &Result<_, StoreError>| matches!(opened, Err(StoreError::Index { source, .. }) if source.is_damage());
    let opened = open();
    if !is_damaged(&opened) {
        return opened;
    }
    let _no_collection = sweep::lock_trash(layout)?;
    // Somebody else may have made it anew while this process waited.
    let opened = open();
    if !is_damaged(&opened) {
        return opened;
    }
    set_index_aside(layout)?;
    open()
}

/// Moves a damaged index out of the way, for whoever wants to look at it; nothing of one that cannot be moved. What belongs to it goes first: once
/// it has no name any more, somebody may make another one.
fn set_index_aside(layout: &Layout) -> Result<(), IoError> {
    for ending in ["-wal", "-shm", ""] {
        let damaged = layout.root().join(format!("index.db{ending}"));
        match effect::rename(&damaged, layout.root().join(format!("index.damaged.db{ending}"))) {
            Err(rustix::io::Errno::NOENT) => {}
            moved => moved.at("set aside", &damaged)?,
        }
    }
    Ok(())
}
