//! The index: SQLite over what `store/` and `records/` say. It is never the truth; deleting it loses nothing.
//!
//! Several processes use it at once (WAL). Every change is one transaction, and nothing is waited for while one is open.

use super::effect;
use super::fsutil::IoError;
use super::record::{BuildCost, Record, realisation_key};
use super::segment::Location;
use crate::derivation::{EncodedDerivation, Input, OutputName};
use crate::digest::{ActionDigest, DerivationDigest, TreeDigest};
use crate::gc::GcNode;
use crate::store_path::{ParseStorePathError, StoreName, StorePath};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

    /// All segments that are of use, and how far each has been indexed.
    pub(super) fn segments(&self) -> Result<Vec<(String, u64)>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT name, indexed_to FROM segment WHERE indexed_to < ?")?;
        let segments = query.query_map([COMPACTED], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(segments)
    }

    /// The segments that have been compacted and may not be removed yet.
    pub(super) fn compacted_segments(&self) -> Result<Vec<String>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT name FROM segment WHERE indexed_to = ?")?;
        let names = query.query_map([COMPACTED], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(names)
    }

    /// How many records are known to be in a segment.
    pub(super) fn records_in(&self, segment: &str) -> Result<usize, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT count(*) FROM record WHERE segment = ?")?;
        Ok(query.query_row([segment], |row| row.get(0))?)
    }

    /// All records that are known: kind, key, segment, offset and length of the frame.
    pub(super) fn record_places(&self, mut visit: impl FnMut(u8, &[u8], &str, u64, u64)) -> Result<(), IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT kind, key, segment, offset, length FROM record")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let key = row.get_ref(1)?.as_blob().unwrap_or_default();
            visit(row.get(0)?, key, row.get_ref(2)?.as_str().unwrap_or_default(), row.get(3)?, row.get(4)?);
        }
        Ok(())
    }

    /// How far a segment has been indexed; [`COMPACTED`] if nothing of it is needed.
    pub(super) fn indexed_to(&self, segment: &str) -> Result<u64, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT indexed_to FROM segment WHERE name = ?")?;
        Ok(query.query_row([segment], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    pub(super) fn record(&self, kind: u8, key: &[u8]) -> Result<Option<Location>, IndexError> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached("SELECT segment, offset, length FROM record WHERE kind = ? AND key = ?")?;
        let location =
            |row: &rusqlite::Row<'_>| Ok(Location { segment: row.get(0)?, offset: row.get(1)?, length: row.get(2)? });
        Ok(query.query_row(params![kind, key], location).optional()?)
    }

    /// Calls `visit` for every tree with a record, sorted by digest, with the place of the record.
    pub(super) fn tree_records(&self, mut visit: impl FnMut(TreeDigest, Location)) -> Result<(), IndexError> {
        let connection = self.lock();
        let statement = "SELECT key, segment, offset, length FROM record WHERE kind = 2 ORDER BY key";
        let mut query = connection.prepare_cached(statement)?;
        let mut rows = query.query([])?;
        // There are few segments, with many records each.
        let mut segments: HashSet<Arc<str>> = HashSet::new();
        while let Some(row) = rows.next()? {
            let name = row.get_ref(1)?.as_str().unwrap_or_default();
            let segment = segments.get(name).cloned().unwrap_or_else(|| {
                let segment: Arc<str> = name.into();
                segments.insert(Arc::clone(&segment));
                segment
            });
            let location = Location { segment, offset: row.get(2)?, length: row.get(3)? };
            visit(TreeDigest::from_bytes(digest(row, 0)?), location);
        }
        Ok(())
    }

    pub(super) fn path(&self, path: &StorePath) -> Result<Option<PathInfo>, IndexError> {
        let Some(tree) = path.tree() else { return Ok(None) };
        let connection = self.lock();
        let mut query = connection
            .prepare_cached("SELECT digest, name, files, bytes, added, used FROM path WHERE digest = ? AND name = ?")?;
        Ok(query.query_row(params![tree.as_bytes(), path.name().as_str()], path_info).optional()?)
    }

    pub(super) fn paths_of_tree(&self, tree: &TreeDigest) -> Result<Vec<StorePath>, IndexError> {
        self.path_list("SELECT digest, name FROM path WHERE digest = ?", params![tree.as_bytes()])
    }

    pub(super) fn all_paths(&self) -> Result<Vec<PathInfo>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT digest, name, files, bytes, added, used FROM path")?;
        let infos = query.query_map([], path_info)?.collect::<Result<_, _>>()?;
        Ok(infos)
    }

    /// Paths and derivations whose digest lies between two bounds.
    pub(super) fn between(&self, low: &[u8; 32], high: &[u8; 32]) -> Result<Vec<StorePath>, IndexError> {
        let mut found =
            self.path_list("SELECT digest, name FROM path WHERE digest BETWEEN ? AND ?", params![low, high])?;
        found.extend(
            self.derivation_list(
                "SELECT digest, name FROM derivation WHERE digest BETWEEN ? AND ?",
                params![low, high],
            )?,
        );
        Ok(found)
    }

    /// The valid paths that the text of `path` mentions.
    pub(super) fn references(&self, tree: &TreeDigest) -> Result<Vec<StorePath>, IndexError> {
        let query = "SELECT path.digest, path.name FROM reference JOIN path ON path.digest = reference.target
                     WHERE reference.tree = ?";
        self.path_list(query, params![tree.as_bytes()])
    }

    pub(super) fn referrers(&self, tree: &TreeDigest) -> Result<Vec<StorePath>, IndexError> {
        let query = "SELECT path.digest, path.name FROM reference JOIN path ON path.digest = reference.tree
                     WHERE reference.target = ?";
        self.path_list(query, params![tree.as_bytes()])
    }

    /// The declared run-time dependencies of a tree.
    pub(super) fn runtime(&self, tree: &TreeDigest) -> Result<Vec<StorePath>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT target FROM runtime WHERE tree = ?")?;
        let targets = query.query_map([tree.as_bytes()], parsed_text)?.collect::<Result<_, _>>()?;
        Ok(targets)
    }

    pub(super) fn runtime_referrers(&self, path: &StorePath) -> Result<Vec<StorePath>, IndexError> {
        let query = "SELECT path.digest, path.name FROM runtime JOIN path ON path.digest = runtime.tree
                     WHERE runtime.target = ?";
        self.path_list(query, params![path.to_string()])
    }

    pub(super) fn resolution(&self, derivation: &DerivationDigest) -> Result<Option<ActionDigest>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT action FROM resolution WHERE derivation = ?")?;
        Ok(query.query_row([derivation.as_bytes()], |row| digest(row, 0)).optional()?.map(ActionDigest::from_bytes))
    }

    pub(super) fn realised(
        &self,
        action: &ActionDigest,
        output: &OutputName,
    ) -> Result<Option<TreeDigest>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT tree FROM realisation WHERE action = ? AND output = ?")?;
        let tree = query.query_row(params![action.as_bytes(), output.as_str()], |row| digest(row, 0)).optional()?;
        Ok(tree.map(TreeDigest::from_bytes))
    }

    /// The derivations that made a tree, by what is recorded.
    pub(super) fn derivers(&self, tree: &TreeDigest) -> Result<Vec<StorePath>, IndexError> {
        let query = "SELECT derivation.digest, derivation.name FROM realisation
                     JOIN resolution ON resolution.action = realisation.action
                     JOIN derivation ON derivation.digest = resolution.derivation WHERE realisation.tree = ?";
        self.derivation_list(query, params![tree.as_bytes()])
    }

    /// All valid paths and derivations, as a collection sees them.
    pub(super) fn gc_nodes(&self) -> Result<Vec<GcNode>, IndexError> {
        let connection = self.lock();
        let count = "SELECT (SELECT count(*) FROM path) + (SELECT count(*) FROM derivation)";
        // They are many: room for them is taken once.
        let mut nodes = Vec::with_capacity(connection.query_row(count, [], |row| row.get(0))?);
        add_tree_nodes(&connection, &mut nodes)?;
        let mut query = connection.prepare_cached("SELECT digest, name, used FROM derivation")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let used = row.get(2)?;
            nodes.push(GcNode { path: derivation_path(row)?, bytes: 0, added: used, used });
        }
        Ok(nodes)
    }

    /// Every edge that keeps something alive: (digest of what holds, what is held). References, run-time dependencies, inputs.
    pub(super) fn edges(&self, mut visit: impl FnMut(Edge)) -> Result<(), IndexError> {
        let connection = self.lock();
        visit_needs_of_trees(&connection, &mut visit)?;
        let mut inputs = connection.prepare_cached("SELECT digest, inputs FROM derivation")?;
        let mut rows = inputs.query([])?;
        while let Some(row) = rows.next()? {
            let derivation = DerivationDigest::from_bytes(digest(row, 0)?);
            let inputs = row.get_ref(1)?.as_str().unwrap_or_default();
            inputs
                .lines()
                .filter_map(|input| input.parse().ok())
                .for_each(|input| visit(Edge::Input(derivation, input)));
        }
        let mut derivers = connection.prepare_cached(
            "SELECT resolution.derivation, realisation.tree FROM resolution
             JOIN realisation ON realisation.action = resolution.action",
        )?;
        let mut rows = derivers.query([])?;
        while let Some(row) = rows.next()? {
            visit(Edge::Output(DerivationDigest::from_bytes(digest(row, 0)?), TreeDigest::from_bytes(digest(row, 1)?)));
        }
        Ok(())
    }

    pub(super) fn build_cost(&self, action: &ActionDigest) -> Result<Option<BuildCost>, IndexError> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached("SELECT finished, duration, cpu, memory FROM build WHERE action = ?")?;
        Ok(query.query_row([action.as_bytes()], cost).optional()?)
    }

    /// Whether something was ever added from this place.
    pub(super) fn is_source(&self, place: &Path) -> Result<bool, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT 1 FROM source WHERE place = ?")?;
        Ok(query.exists([place.as_os_str().as_bytes()])?)
    }

    pub(super) fn last_built(&self, name: &StoreName) -> Result<Option<DerivationDigest>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT derivation.digest FROM derivation JOIN resolution ON resolution.derivation = derivation.digest
             JOIN build ON build.action = resolution.action WHERE derivation.name = ?
             ORDER BY build.finished DESC, derivation.rowid DESC LIMIT 1",
        )?;
        let found = query.query_row([format!("{name}.drv")], |row| digest(row, 0)).optional()?;
        Ok(found.map(DerivationDigest::from_bytes))
    }

    pub(super) fn last_cost(&self, name: &StoreName) -> Result<Option<BuildCost>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT build.finished, build.duration, build.cpu, build.memory FROM derivation JOIN resolution ON resolution.derivation = derivation.digest
             JOIN build ON build.action = resolution.action WHERE derivation.name = ? ORDER BY build.finished DESC LIMIT 1",
        )?;
        Ok(query.query_row([format!("{name}.drv")], cost).optional()?)
    }

    /// The builds of derivations whose names begin so.
    pub(super) fn builds_of_names_from(&self, prefix: &str) -> Result<Vec<super::Built>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT derivation.digest, derivation.name, resolution.action, build.finished FROM derivation
             JOIN resolution ON resolution.derivation = derivation.digest JOIN build ON build.action = resolution.action
             WHERE derivation.name >= ?1 AND derivation.name < ?1 || '~'",
        )?;
        let built = |row: &rusqlite::Row<'_>| {
            let action = ActionDigest::from_bytes(digest(row, 2)?);
            Ok(super::Built { derivation: derivation_path(row)?, action, finished: row.get(3)? })
        };
        let builds = query.query_map([prefix], built)?.collect::<Result<_, _>>()?;
        Ok(builds)
    }

    fn path_list(&self, query: &str, arguments: impl rusqlite::Params) -> Result<Vec<StorePath>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(query)?;
        let paths = query.query_map(arguments, tree_path)?.collect::<Result<_, _>>()?;
        Ok(paths)
    }

    fn derivation_list(&self, query: &str, arguments: impl rusqlite::Params) -> Result<Vec<StorePath>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(query)?;
        let paths = query.query_map(arguments, derivation_path)?.collect::<Result<_, _>>()?;
        Ok(paths)
    }
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
        Err(error) if matches!(error.sqlite_error_code(), Some(CannotOpen | ReadOnly)) => {}
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

/// An edge of the graph that a collection follows.
#[derive(Debug)]
pub(super) enum Edge {
    /// The first tree mentions the second.
    Reference(TreeDigest, TreeDigest),
    /// The tree needs the path when it is used.
    Runtime(TreeDigest, StorePath),
    /// The derivation names the input.
    Input(DerivationDigest, Input),
    /// The derivation made the tree.
    Output(DerivationDigest, TreeDigest),
}

/// Adds all valid paths, sorted, as a collection sees them.
pub(super) fn add_tree_nodes(connection: &Connection, nodes: &mut Vec<GcNode>) -> Result<(), rusqlite::Error> {
    let mut query = connection.prepare_cached("SELECT digest, name, bytes, added, used FROM path")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        nodes.push(GcNode { path: tree_path(row)?, bytes: row.get(2)?, added: row.get(3)?, used: row.get(4)? });
    }
    Ok(())
}

/// Every edge from a tree to what it needs: references, then run-time dependencies.
pub(super) fn visit_needs_of_trees(
    connection: &Connection,
    visit: &mut impl FnMut(Edge),
) -> Result<(), rusqlite::Error> {
    let mut references = connection.prepare_cached("SELECT tree, target FROM reference")?;
    let mut rows = references.query([])?;
    while let Some(row) = rows.next()? {
        visit(Edge::Reference(TreeDigest::from_bytes(digest(row, 0)?), TreeDigest::from_bytes(digest(row, 1)?)));
    }
    let mut runtime = connection.prepare_cached("SELECT tree, target FROM runtime")?;
    let mut rows = runtime.query([])?;
    while let Some(row) = rows.next()? {
        if let Ok(target) = row.get_ref(1)?.as_str()?.parse() {
            visit(Edge::Runtime(TreeDigest::from_bytes(digest(row, 0)?), target));
        }
    }
    Ok(())
}

/// Remembers when everything was added and used, which nothing else tells, while the tables are made anew.
pub(super) fn keep_times(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(
        "CREATE TEMPORARY TABLE path_times (digest BLOB, name TEXT, added INTEGER, used INTEGER, PRIMARY KEY (digest, name)) WITHOUT ROWID;
         INSERT INTO path_times SELECT digest, name, added, used FROM path;
         CREATE TEMPORARY TABLE derivation_times (digest BLOB PRIMARY KEY, used INTEGER) WITHOUT ROWID;
         INSERT INTO derivation_times SELECT digest, used FROM derivation ORDER BY digest;",
    )
}

/// Puts back what [`keep_times`] remembered.
pub(super) fn restore_times(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(
        "UPDATE path SET added = known.added, used = known.used FROM path_times AS known
         WHERE known.digest = path.digest AND known.name = path.name;
         UPDATE derivation SET used = known.used FROM derivation_times AS known WHERE known.digest = derivation.digest;
         DROP TABLE path_times;
         DROP TABLE derivation_times;",
    )
}

/// Empties the tables that are made from `store/` and `records/`, and marks the index as filled: the same transaction does so.
pub(super) fn start_anew(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    let tables =
        ["segment", "record", "path", "reference", "runtime", "derivation", "realisation", "resolution", "build"];
    tables.iter().try_for_each(|table| transaction.execute(&format!("DELETE FROM {table}"), []).map(drop))?;
    transaction.pragma_update(None, "application_id", FILLED)
}

/// Writes the rows of records, but not how far their segment has been indexed, see [`insert_segment`].
pub(super) fn insert_records(
    transaction: &Transaction<'_>,
    records: &[Record],
    locations: &[Location],
) -> Result<(), rusqlite::Error> {
    let now = super::now();
    records.iter().zip(locations).try_for_each(|(record, location)| insert_record(transaction, record, location, now))
}

/// Writes the rows of records that somebody appended to a segment who was killed before the index was told. What the index knows by now stays,
/// for nobody can tell which of the two came first; of several of them the last one counts.
pub(super) fn insert_recovered(
    transaction: &Transaction<'_>,
    records: &[(Record, Location)],
    now: u64,
) -> Result<(), rusqlite::Error> {
    let mut known = transaction.prepare_cached("SELECT 1 FROM record WHERE kind = ? AND key = ?")?;
    for (record, location) in records.iter().rev() {
        if !known.exists(params![record.kind(), record.key()])? {
            insert_record(transaction, record, location, now)?;
        }
    }
    records.last().map_or(Ok(()), |(_, last)| insert_segment(transaction, &last.segment, last.end()))
}

/// Writes the rows of one record, but not how far its segment has been indexed, see [`insert_segment`].
pub(super) fn insert_record(
    transaction: &Transaction<'_>,
    record: &Record,
    location: &Location,
    now: u64,
) -> Result<(), rusqlite::Error> {
    if record.is_mark_of_time() {
        return Ok(());
    }
    let key = record.key();
    transaction.prepare_cached("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)")?.execute(params![
        record.kind(),
        key,
        location.segment,
        location.offset,
        location.length
    ])?;
    match record {
        Record::Derivation(derivation) => insert_derivation(transaction, derivation, now),
        Record::Tree { listing, references } => {
            let tree = listing.digest();
            let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO reference VALUES (?, ?)")?;
            references
                .iter()
                .try_for_each(|target| insert.execute(params![tree.as_bytes(), target.as_bytes()]).map(drop))
        }
        Record::Realisation(realisation) => {
            debug_assert_eq!(key, realisation_key(realisation), "a realisation is found by action and output");
            // The first is kept, unless its tree is gone.
            let statement = "INSERT INTO realisation VALUES (?, ?, ?) ON CONFLICT (action, output) DO UPDATE
                SET tree = excluded.tree WHERE NOT EXISTS (SELECT 1 FROM path WHERE digest = realisation.tree)";
            transaction.prepare_cached(statement)?.execute(params![
                realisation.action.as_bytes(),
                realisation.output.as_str(),
                realisation.tree.as_bytes()
            ])?;
            let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO runtime VALUES (?, ?)")?;
            realisation.runtime.iter().try_for_each(|target| {
                insert.execute(params![realisation.tree.as_bytes(), target.to_string()]).map(drop)
            })
        }
        Record::Resolution { derivation, action } => transaction
            .prepare_cached("INSERT OR REPLACE INTO resolution VALUES (?, ?)")?
            .execute(params![derivation.as_bytes(), action.as_bytes()])
            .map(drop),
        Record::Conflict(_) => Ok(()),
        Record::Build { action, cost } => transaction
            .prepare_cached("INSERT OR REPLACE INTO build VALUES (?, ?, ?, ?, ?)")?
            .execute(params![action.as_bytes(), cost.finished, cost.duration_ms, cost.cpu_ms, cost.memory])
            .map(drop),
    }
}

/// The paths that the index knows of the tree that an action's output is known to have become.
pub(super) fn paths_realised(
    transaction: &Transaction<'_>,
    realisation: &crate::Realisation,
) -> Result<Vec<StorePath>, rusqlite::Error> {
    let statement = "SELECT path.digest, path.name FROM realisation JOIN path ON path.digest = realisation.tree
                     WHERE realisation.action = ? AND realisation.output = ?";
    let mut query = transaction.prepare_cached(statement)?;
    query.query_map(params![realisation.action.as_bytes(), realisation.output.as_str()], tree_path)?.collect()
}

/// Lets a later realisation take the place of an earlier one: when it was recorded, the earlier one's tree was gone, though it may have
/// come back since, as the loser of a conflict or by another way.
pub(super) fn replace_realisation(
    transaction: &Transaction<'_>,
    realisation: &crate::Realisation,
) -> Result<(), rusqlite::Error> {
    let statement = "UPDATE realisation SET tree = ?3 WHERE action = ?1 AND output = ?2";
    let (action, output, tree) = (realisation.action, &realisation.output, realisation.tree);
    transaction
        .prepare_cached(statement)?
        .execute(params![action.as_bytes(), output.as_str(), tree.as_bytes()])
        .map(drop)
}

fn insert_derivation(
    transaction: &Transaction<'_>,
    encoded: &EncodedDerivation,
    now: u64,
) -> Result<(), rusqlite::Error> {
    let inputs: Vec<_> = encoded.derivation().all_inputs().into_iter().map(Input::to_string).collect();
    transaction
        .prepare_cached("INSERT OR REPLACE INTO derivation VALUES (?, ?, ?, ?)")?
        .execute(params![encoded.digest().as_bytes(), encoded.path().name().as_str(), now, inputs.join("\n")])
        .map(drop)
}

/// Notes how far a segment has been indexed without a gap.
pub(super) fn insert_segment(transaction: &Transaction<'_>, segment: &str, end: u64) -> Result<(), rusqlite::Error> {
    let statement =
        "INSERT INTO segment VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET indexed_to = max(indexed_to, ?2)";
    transaction.prepare_cached(statement)?.execute(params![segment, end]).map(drop)
}

/// Writes the row of a valid path.
pub(super) fn insert_path(transaction: &Transaction<'_>, info: &PathInfo) -> Result<(), rusqlite::Error> {
    let tree = info.path.tree().expect("only trees are valid paths");
    transaction
        .prepare_cached(
            "INSERT INTO path VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (digest, name) DO UPDATE SET used = max(used, excluded.used)",
        )?
        .execute(params![tree.as_bytes(), info.path.name().as_str(), info.files, info.bytes, info.added, info.used])
        .map(drop)
}

/// Notes that something was added from this place.
pub(super) fn insert_source(transaction: &Transaction<'_>, place: &Path) -> Result<(), rusqlite::Error> {
    let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO source VALUES (?)")?;
    insert.execute([place.as_os_str().as_bytes()]).map(drop)
}

/// Forgets paths. Sorted, it goes through the table once.
pub(super) fn delete_paths<'p>(
    transaction: &Transaction<'_>,
    paths: impl IntoIterator<Item = &'p StorePath>,
) -> Result<(), rusqlite::Error> {
    let mut delete = transaction.prepare_cached("DELETE FROM path WHERE digest = ? AND name = ?")?;
    let trees = paths.into_iter().filter_map(|path| Some((path.tree()?, path.name())));
    trees.into_iter().try_for_each(|(tree, name)| delete.execute(params![tree.as_bytes(), name.as_str()]).map(drop))
}

/// Forgets the listings of all trees of which there is no path, but for those that are wanted.
pub(super) fn delete_listings(
    transaction: &Transaction<'_>,
    wanted: &HashSet<TreeDigest>,
) -> Result<(), rusqlite::Error> {
    let statement = "SELECT key FROM record WHERE kind = 2 AND NOT EXISTS (SELECT 1 FROM path WHERE digest = key)";
    let mut query = transaction.prepare_cached(statement)?;
    let gone = query.query_map([], |row| digest(row, 0).map(TreeDigest::from_bytes))?;
    let gone: Vec<_> = gone.collect::<Result<_, _>>()?;
    let mut listing = transaction.prepare_cached("DELETE FROM record WHERE kind = 2 AND key = ?")?;
    let mut references = transaction.prepare_cached("DELETE FROM reference WHERE tree = ?")?;
    for tree in gone.iter().filter(|tree| !wanted.contains(tree)) {
        listing.execute([tree.as_bytes()])?;
        references.execute([tree.as_bytes()])?;
    }
    Ok(())
}

/// Notes that a record is elsewhere now, if this is where it was found.
pub(super) fn move_record(
    transaction: &Transaction<'_>,
    record: &Record,
    from: &Location,
    to: &Location,
) -> Result<(), rusqlite::Error> {
    let statement = "UPDATE record SET segment = ?5, offset = ?6, length = ?7
                     WHERE kind = ?1 AND key = ?2 AND segment = ?3 AND offset = ?4";
    transaction
        .prepare_cached(statement)?
        .execute(params![record.kind(), record.key(), from.segment, from.offset, to.segment, to.offset, to.length])
        .map(drop)
}

/// Notes that nothing of a segment is needed any more.
pub(super) fn mark_compacted(transaction: &Transaction<'_>, name: &str) -> Result<(), rusqlite::Error> {
    let statement = "INSERT OR REPLACE INTO segment VALUES (?, ?)";
    transaction.prepare_cached(statement)?.execute(params![name, COMPACTED]).map(drop)
}

/// Forgets a segment.
pub(super) fn delete_segment(transaction: &Transaction<'_>, name: &str) -> Result<(), rusqlite::Error> {
    transaction.prepare_cached("DELETE FROM segment WHERE name = ?")?.execute([name]).map(drop)
}

/// Forgets derivations, and what they resolved to.
pub(super) fn delete_derivations(
    transaction: &Transaction<'_>,
    derivations: impl Iterator<Item = DerivationDigest>,
) -> Result<(), rusqlite::Error> {
    transaction.execute_batch("CREATE TEMPORARY TABLE dead (digest BLOB PRIMARY KEY) WITHOUT ROWID")?;
    {
        let mut insert = transaction.prepare("INSERT OR IGNORE INTO dead VALUES (?)")?;
        for derivation in derivations {
            insert.execute([derivation.as_bytes()])?;
        }
    }
    for statement in [
        "DELETE FROM derivation WHERE digest IN (SELECT digest FROM dead)",
        "DELETE FROM resolution WHERE derivation IN (SELECT digest FROM dead)",
        "DELETE FROM record WHERE kind = 1 AND key IN (SELECT digest FROM dead)",
        "DELETE FROM record WHERE kind = 4 AND key IN (SELECT digest FROM dead)",
    ] {
        transaction.execute(statement, [])?;
    }
    transaction.execute_batch("DROP TABLE dead")
}

/// Notes that paths were used now; to the hour, so that most uses change nothing.
pub(super) fn touch(transaction: &Transaction<'_>, paths: &[StorePath], now: u64) -> Result<(), rusqlite::Error> {
    let recently = now.saturating_sub(3600);
    for path in paths {
        if let Some(tree) = path.tree() {
            transaction
                .prepare_cached("UPDATE path SET used = ? WHERE digest = ? AND name = ? AND used < ?")?
                .execute(params![now, tree.as_bytes(), path.name().as_str(), recently])?;
        } else if let Some(derivation) = path.derivation() {
            transaction
                .prepare_cached("UPDATE derivation SET used = ? WHERE digest = ? AND used < ?")?
                .execute(params![now, derivation.as_bytes(), recently])?;
        }
    }
    Ok(())
}

fn digest(row: &rusqlite::Row<'_>, column: usize) -> Result<[u8; 32], rusqlite::Error> {
    row.get(column)
}

fn name(row: &rusqlite::Row<'_>) -> Result<StoreName, rusqlite::Error> {
    StoreName::parse(row.get_ref(1)?.as_str()?).map_err(malformed)
}

pub(super) fn tree_path(row: &rusqlite::Row<'_>) -> Result<StorePath, rusqlite::Error> {
    StorePath::from_tree(TreeDigest::from_bytes(digest(row, 0)?), name(row)?).map_err(malformed)
}

pub(super) fn derivation_path(row: &rusqlite::Row<'_>) -> Result<StorePath, rusqlite::Error> {
    let name = name(row)?;
    if !name.is_derivation() {
        return Err(malformed(ParseStorePathError::Name { name: name.to_string() }));
    }
    Ok(StorePath::from_row(digest(row, 0)?, name))
}

/// A column that does not hold what it should.
pub(super) fn malformed(error: ParseStorePathError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
}

fn path_info(row: &rusqlite::Row<'_>) -> Result<PathInfo, rusqlite::Error> {
    Ok(PathInfo {
        path: tree_path(row)?,
        files: row.get(2)?,
        bytes: row.get(3)?,
        added: row.get(4)?,
        used: row.get(5)?,
    })
}

fn parsed_text(row: &rusqlite::Row<'_>) -> Result<StorePath, rusqlite::Error> {
    let text: String = row.get(0)?;
    text.parse().map_err(malformed)
}

/// A row of finish, duration, processor time and memory.
fn cost(row: &rusqlite::Row<'_>) -> rusqlite::Result<BuildCost> {
    Ok(BuildCost { finished: row.get(0)?, duration_ms: row.get(1)?, cpu_ms: row.get(2)?, memory: row.get(3)? })
}
