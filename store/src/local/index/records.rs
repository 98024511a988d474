//! Where records are: by kind and key, and by segment, and how far each segment is indexed.

use super::{COMPACTED, Index, IndexError, row};
use crate::digest::TreeDigest;
use crate::local::record::Record;
use crate::local::segment::Location;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::HashSet;
use std::sync::Arc;

impl Index {
    /// All segments that are of use, and how far each has been indexed.
    pub(in crate::local) fn segments(&self) -> Result<Vec<(String, u64)>, IndexError> {
        segments(&self.lock())
    }

    /// The segments that have been compacted and may not be removed yet.
    pub(in crate::local) fn compacted_segments(&self) -> Result<Vec<String>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT name FROM segment WHERE indexed_to = ?")?;
        let names = query.query_map([COMPACTED], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(names)
    }

    /// How many records are known to be in a segment.
    pub(in crate::local) fn records_in(&self, segment: &str) -> Result<usize, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT count(*) FROM record WHERE segment = ?")?;
        Ok(query.query_row([segment], |row| row.get(0))?)
    }

    /// All records that are known: kind, key, segment, offset and length of the frame.
    pub(in crate::local) fn record_places(
        &self,
        mut visit: impl FnMut(u8, &[u8], &str, u64, u64),
    ) -> Result<(), IndexError> {
        visit_record_places(&self.lock(), &mut visit)
    }

    /// How far a segment has been indexed; [`COMPACTED`] if nothing of it is needed.
    pub(in crate::local) fn indexed_to(&self, segment: &str) -> Result<u64, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT indexed_to FROM segment WHERE name = ?")?;
        Ok(query.query_row([segment], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    pub(in crate::local) fn record(&self, kind: u8, key: &[u8]) -> Result<Option<Location>, IndexError> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached("SELECT segment, offset, length FROM record WHERE kind = ? AND key = ?")?;
        let location =
            |row: &rusqlite::Row<'_>| Ok(Location { segment: row.get(0)?, offset: row.get(1)?, length: row.get(2)? });
        Ok(query.query_row(params![kind, key], location).optional()?)
    }

    /// Calls `visit` for every tree with a record, sorted by digest, with the place of the record.
    pub(in crate::local) fn tree_records(&self, mut visit: impl FnMut(TreeDigest, Location)) -> Result<(), IndexError> {
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
            visit(TreeDigest::from_bytes(row::digest(row, 0)?), location);
        }
        Ok(())
    }
}

/// All segments that are of use, and how far each has been indexed.
pub(super) fn segments(connection: &Connection) -> Result<Vec<(String, u64)>, IndexError> {
    let mut query = connection.prepare_cached("SELECT name, indexed_to FROM segment WHERE indexed_to < ?")?;
    let segments = query.query_map([COMPACTED], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(segments)
}

/// Calls `visit` with kind, key, segment, offset and length of every record that is known.
pub(super) fn visit_record_places(
    connection: &Connection,
    mut visit: impl FnMut(u8, &[u8], &str, u64, u64),
) -> Result<(), IndexError> {
    let mut query = connection.prepare_cached("SELECT kind, key, segment, offset, length FROM record")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let key = row.get_ref(1)?.as_blob().unwrap_or_default();
        visit(row.get(0)?, key, row.get_ref(2)?.as_str().unwrap_or_default(), row.get(3)?, row.get(4)?);
    }
    Ok(())
}

/// Notes how far a segment has been indexed without a gap.
pub(in crate::local) fn insert_segment(
    transaction: &Transaction<'_>,
    segment: &str,
    end: u64,
) -> Result<(), rusqlite::Error> {
    let statement =
        "INSERT INTO segment VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET indexed_to = max(indexed_to, ?2)";
    transaction.prepare_cached(statement)?.execute(params![segment, end]).map(drop)
}

/// Notes that a record is elsewhere now, if this is where it was found.
pub(in crate::local) fn move_record(
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
pub(in crate::local) fn mark_compacted(transaction: &Transaction<'_>, name: &str) -> Result<(), rusqlite::Error> {
    let statement = "INSERT OR REPLACE INTO segment VALUES (?, ?)";
    transaction.prepare_cached(statement)?.execute(params![name, COMPACTED]).map(drop)
}

/// Forgets a segment.
pub(in crate::local) fn delete_segment(transaction: &Transaction<'_>, name: &str) -> Result<(), rusqlite::Error> {
    transaction.prepare_cached("DELETE FROM segment WHERE name = ?")?.execute([name]).map(drop)
}
