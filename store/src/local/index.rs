//! The index: SQLite over what `store/` and `records/` say. It is never the truth; deleting it loses nothing.
//!
//! Several processes use it at once (WAL). Every change is one transaction, and nothing is waited for while one is open.

mod agreement;
mod filling;
mod forgetting;
mod questions;
mod records;
mod row;
mod tables;

pub(super) use agreement::{Rows, place_of};
pub(super) use filling::{
    insert_path, insert_record, insert_records, insert_recovered, insert_source, keep_times, paths_realised,
    replace_realisation, restore_times, start_anew, touch,
};
pub(super) use forgetting::{delete_derivations, delete_listings, delete_paths};
pub(super) use records::{delete_segment, insert_segment, mark_compacted, move_record};
pub(super) use row::{derivation_path, malformed};
pub(super) use tables::{Edge, add_tree_nodes, visit_needs_of_trees};

use super::effect;
use super::fsutil::IoError;
use crate::store_path::StorePath;
use rusqlite::{Connection, Transaction};
use std::cmp::Ordering;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

const SCHEMA_VERSION: i64 = 2;

/// What the header's `application_id` says once the index has been filled.
const FILLED: i64 = 0x6c61_7264;

/// What stands for the end of a segment that has been compacted: it is of no more use, but may not be removed yet.
pub(super) const COMPACTED: u64 = i64::MAX as u64;

/// How long another process's transaction is waited for.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(120);

const SCHEMA: &str = "
    CREATE TABLE segment (name TEXT PRIMARY KEY, indexed_to INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE record (kind INTEGER NOT NULL, key BLOB NOT NULL, segment TEXT NOT NULL, offset INTEGER NOT NULL,
                         length INTEGER NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
    CREATE TABLE path (digest BLOB NOT NULL, name TEXT NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL,
                       added INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (digest, name)) WITHOUT ROWID;
    CREATE TABLE reference (tree BLOB NOT NULL, target BLOB NOT NULL, PRIMARY KEY (tree, target)) WITHOUT ROWID;
    CREATE INDEX referrer ON reference (target);
    CREATE TABLE runtime (tree BLOB NOT NULL, target TEXT NOT NULL, PRIMARY KEY (tree, target)) WITHOUT ROWID;
    CREATE INDEX runtime_referrer ON runtime (target);
    CREATE TABLE derivation (digest BLOB PRIMARY KEY, name TEXT NOT NULL, used INTEGER NOT NULL, inputs TEXT NOT NULL);
    CREATE INDEX derivation_name ON derivation (name);
    CREATE TABLE realisation (action BLOB NOT NULL, output TEXT NOT NULL, tree BLOB NOT NULL,
                              PRIMARY KEY (action, output)) WITHOUT ROWID;
    CREATE INDEX realisation_tree ON realisation (tree);
    CREATE TABLE resolution (derivation BLOB PRIMARY KEY, action BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX resolution_action ON resolution (action);
    CREATE TABLE source (place BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE build (action BLOB PRIMARY KEY, finished INTEGER NOT NULL, duration INTEGER NOT NULL, cpu INTEGER NOT NULL,
                        memory INTEGER NOT NULL) WITHOUT ROWID;
";

/// An index that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It was written by a newer larder.
    #[error(
        "the index has schema {found}, this larder knows {SCHEMA_VERSION}; use a newer larder, or remove index.db to have it rebuilt"
    )]
    Newer {
        /// Its schema.
        found: i64,
    },
    /// It was written by an older larder.
    #[error("the index has schema {found}, of an older larder")]
    Older {
        /// Its schema.
        found: i64,
    },
    /// It is not complete, and may not be completed.
    #[error(
        "the index is not complete and cannot be written; whoever may write to the store opens it once, and all is well"
    )]
    Unfinished,
    /// SQLite said no.
    #[error("the index failed")]
    Sqlite(#[from] rusqlite::Error),
    /// What it is an index of cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl IndexError {
    /// Whether the file is damaged or of an older form, so that only a rebuild helps.
    pub(super) fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        matches!(self, Self::Older { .. })
            || matches!(self, Self::Sqlite(error) if matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)))
    }

    /// Whether there is no room for what was to be written.
    pub(super) fn is_lack_of_space(&self) -> bool {
        match self {
            Self::Sqlite(error) => is_lack_of_space(error),
            Self::Io(error) => error.is_lack_of_space(),
            Self::Newer { .. } | Self::Older { .. } | Self::Unfinished => false,
        }
    }
}

/// What the index knows of a valid path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathInfo {
    /// The path.
    pub path: StorePath,
    /// Number of regular files.
    pub files: u64,
    /// Bytes of their content.
    pub bytes: u64,
    /// When it was added, in seconds since the epoch.
    pub added: u64,
    /// When it was last built, named or run, in seconds since the epoch.
    pub used: u64,
}

/// The open index.
#[derive(Debug)]
pub(super) struct Index {
    connection: Mutex<Connection>,
    /// Which file it is: the one of this name may become another one.
    file: Mutex<Option<(u64, u64)>>,
}

impl Index {
    /// Opens or makes the index. The flag tells whether it must yet be filled: it is new, or who made it was killed before it was full.
    pub(super) fn open(path: &Path) -> Result<(Self, bool), IndexError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        use_write_ahead_log(&connection)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.pragma_update(None, "mmap_size", 268_435_456)?;
        connection.set_prepared_statement_cache_capacity(64);
        let version = |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
        let mut found: i64 = version(&connection)?;
        if found == 0 {
            let transaction = effect::begin(&mut connection)?;
            // Another process may have made the tables while this one waited.
            if version(&transaction)? == 0 {
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            effect::commit(transaction)?;
            found = SCHEMA_VERSION;
        }
        let mark: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        match found.cmp(&SCHEMA_VERSION) {
            Ordering::Less => Err(IndexError::Older { found }),
            Ordering::Equal => Ok((Self::of(connection, path), mark != FILLED)),
            Ordering::Greater => Err(IndexError::Newer { found }),
        }
    }

    /// Whether SQLite finds nothing wrong with the whole file.
    pub(super) fn is_sound(&self) -> bool {
        let checked = self.lock().pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
        checked.is_ok_and(|text| text == "ok")
    }

    /// Whether it was filled once; else it is new, or who made it was killed before that.
    pub(super) fn is_filled(&self) -> Result<bool, IndexError> {
        let mark: i64 = self.lock().pragma_query_value(None, "application_id", |row| row.get(0))?;
        Ok(mark == FILLED)
    }

    /// Goes on with the file that is at `path` now. The flag tells whether it must yet be filled.
    pub(super) fn reopen(&self, path: &Path) -> Result<bool, IndexError> {
        let (fresh, is_empty) = Self::open(path)?;
        *self.lock() = fresh.connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = number(path);
        Ok(is_empty)
    }

    /// Whether the file at `path` is the one that is open: it may have been deleted, or set aside and made anew by somebody else.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) == number(path)
    }

    fn of(connection: Connection, path: &Path) -> Self {
        Self { connection: Mutex::new(connection), file: Mutex::new(number(path)) }
    }

    /// Opens an index that may only be read.
    pub(super) fn open_read_only(path: &Path) -> Result<Self, IndexError> {
        let connection = open_for_reading(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let mark: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        match found {
            SCHEMA_VERSION if mark == FILLED => Ok(Self::of(connection, path)),
            newer if newer > SCHEMA_VERSION => Err(IndexError::Newer { found }),
            _ => Err(IndexError::Unfinished),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves no transaction open: its guard has rolled it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one transaction.
    pub(super) fn change<T, E: From<rusqlite::Error>>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.lock();
        let transaction = effect::begin(&mut connection)?;
        let result = change(&transaction)?;
        effect::commit(transaction)?;
        Ok(result)
    }

    /// Moves what the log has into the database, so that the next change begins it anew, as far as nobody reads it. It is no error if it
    /// cannot be done.
    pub(super) fn empty_log(&self) {
        let _ = self.lock().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}

/// Whether SQLite had no room for what it was to write. It does not tell a quota from other reasons why nothing can be written, nor of the memory
/// that connections share, which is a file as well, why it cannot grow.
fn is_lack_of_space(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_FULL | SQLITE_IOERR_SHMSIZE | SQLITE_IOERR_WRITE))
}

/// Device and number of a file.
fn number(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|data| (data.dev(), data.ino()))
}

/// SQLite wants to write beside a database even to read it, unless its log is there, or it is told that nobody else writes: so it is when
/// whoever used it last has closed it.
fn open_for_reading(path: &Path) -> Result<Connection, IndexError> {
    use rusqlite::ErrorCode::{CannotOpen, ReadOnly};
    use rusqlite::OpenFlags;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    let works = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match works {
        Err(error) if matches!(error.sqlite_error_code(), Some(CannotOpen | ReadOnly)) || is_lack_of_space(&error) => {}
        works => return works.map(|()| connection).map_err(IndexError::from),
    }
    let log = path.with_file_name("index.db-wal");
    if log.metadata().is_ok_and(|data| data.len() > 0) {
        return Err(IndexError::Unfinished);
    }
    let path = percent_encoded(path);
    Ok(Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)?)
}

/// A path as it stands in a URI.
fn percent_encoded(path: &Path) -> String {
    let one = |&byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        byte => format!("%{byte:02x}"),
    };
    path.as_os_str().as_bytes().iter().map(one).collect()
}

/// Turns the write-ahead log on. SQLite does not wait for others when it changes the mode, whatever it was told about waiting: of several
/// processes that open a new index at once, all but one are turned away and must try again.
fn use_write_ahead_log(connection: &Connection) -> Result<(), rusqlite::Error> {
    const INTERVAL: std::time::Duration = std::time::Duration::from_millis(10);
    for _ in 0..BUSY_TIMEOUT.as_millis() / INTERVAL.as_millis() {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {}
            done => return done,
        }
        std::thread::sleep(INTERVAL);
    }
    connection.pragma_update(None, "journal_mode", "WAL")
}
