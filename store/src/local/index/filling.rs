//! Telling the index of records and paths, and making it anew.

use super::records::insert_segment;
use super::row::tree_path;
use super::{FILLED, PathInfo};
use crate::derivation::{EncodedDerivation, Input};
use crate::local::record::{Record, realisation_key};
use crate::local::segment::Location;
use crate::store_path::StorePath;
use rusqlite::{Transaction, params};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Remembers when everything was added and used, which nothing else tells, while the tables are made anew.
pub(in crate::local) fn keep_times(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(
        "CREATE TEMPORARY TABLE path_times (digest BLOB, name TEXT, added INTEGER, used INTEGER, PRIMARY KEY (digest, name)) WITHOUT ROWID;
         INSERT INTO path_times SELECT digest, name, added, used FROM path;
         CREATE TEMPORARY TABLE derivation_times (digest BLOB PRIMARY KEY, used INTEGER) WITHOUT ROWID;
         INSERT INTO derivation_times SELECT digest, used FROM derivation ORDER BY digest;",
    )
}

/// Puts back what [`keep_times`] remembered.
pub(in crate::local) fn restore_times(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(
        "UPDATE path SET added = known.added, used = known.used FROM path_times AS known
         WHERE known.digest = path.digest AND known.name = path.name;
         UPDATE derivation SET used = known.used FROM derivation_times AS known WHERE known.digest = derivation.digest;
         DROP TABLE path_times;
         DROP TABLE derivation_times;",
    )
}

/// Empties the tables that are made from `store/` and `records/`, and marks the index as filled: the same transaction does so.
pub(in crate::local) fn start_anew(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    let tables =
        ["segment", "record", "path", "reference", "runtime", "derivation", "realisation", "resolution", "build"];
    tables.iter().try_for_each(|table| transaction.execute(&format!("DELETE FROM {table}"), []).map(drop))?;
    transaction.pragma_update(None, "application_id", FILLED)
}

/// Writes the rows of records, but not how far their segment has been indexed, see [`insert_segment`].
pub(in crate::local) fn insert_records(
    transaction: &Transaction<'_>,
    records: &[Record],
    locations: &[Location],
) -> Result<(), rusqlite::Error> {
    let now = crate::local::now();
    records.iter().zip(locations).try_for_each(|(record, location)| insert_record(transaction, record, location, now))
}

/// Writes the rows of records that somebody appended to a segment who was killed before the index was told. What the index knows by now stays,
/// for nobody can tell which of the two came first; of several of them the last one counts.
pub(in crate::local) fn insert_recovered(
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
pub(in crate::local) fn insert_record(
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
pub(in crate::local) fn paths_realised(
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
pub(in crate::local) fn replace_realisation(
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

/// Writes the row of a valid path.
pub(in crate::local) fn insert_path(transaction: &Transaction<'_>, info: &PathInfo) -> Result<(), rusqlite::Error> {
    let tree = info.path.tree().expect("only trees are valid paths");
    transaction
        .prepare_cached(
            "INSERT INTO path VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (digest, name) DO UPDATE SET used = max(used, excluded.used)",
        )?
        .execute(params![tree.as_bytes(), info.path.name().as_str(), info.files, info.bytes, info.added, info.used])
        .map(drop)
}

/// Notes that something was added from this place.
pub(in crate::local) fn insert_source(transaction: &Transaction<'_>, place: &Path) -> Result<(), rusqlite::Error> {
    let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO source VALUES (?)")?;
    insert.execute([place.as_os_str().as_bytes()]).map(drop)
}

/// Notes that paths were used now; to the hour, so that most uses change nothing.
pub(in crate::local) fn touch(
    transaction: &Transaction<'_>,
    paths: &[StorePath],
    now: u64,
) -> Result<(), rusqlite::Error> {
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
