//! What stands in rows: digests, names, paths.

use super::PathInfo;
use crate::digest::TreeDigest;
use crate::local::record::BuildCost;
use crate::store_path::{ParseStorePathError, StoreName, StorePath};

pub(super) fn digest(row: &rusqlite::Row<'_>, column: usize) -> Result<[u8; 32], rusqlite::Error> {
    row.get(column)
}

fn name(row: &rusqlite::Row<'_>) -> Result<StoreName, rusqlite::Error> {
    StoreName::parse(row.get_ref(1)?.as_str()?).map_err(malformed)
}

pub(in crate::local) fn tree_path(row: &rusqlite::Row<'_>) -> Result<StorePath, rusqlite::Error> {
    StorePath::from_tree(TreeDigest::from_bytes(digest(row, 0)?), name(row)?).map_err(malformed)
}

pub(in crate::local) fn derivation_path(row: &rusqlite::Row<'_>) -> Result<StorePath, rusqlite::Error> {
    let name = name(row)?;
    if !name.is_derivation() {
        return Err(malformed(ParseStorePathError::Name { name: name.to_string() }));
    }
    Ok(StorePath::from_row(digest(row, 0)?, name))
}

/// A column that does not hold what it should.
pub(in crate::local) fn malformed(error: ParseStorePathError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
}

pub(super) fn path_info(row: &rusqlite::Row<'_>) -> Result<PathInfo, rusqlite::Error> {
    Ok(PathInfo {
        path: tree_path(row)?,
        files: row.get(2)?,
        bytes: row.get(3)?,
        added: row.get(4)?,
        used: row.get(5)?,
    })
}

pub(super) fn parsed_text(row: &rusqlite::Row<'_>) -> Result<StorePath, rusqlite::Error> {
    let text: String = row.get(0)?;
    text.parse().map_err(malformed)
}

/// A row of finish, duration, processor time and memory.
pub(super) fn cost(row: &rusqlite::Row<'_>) -> rusqlite::Result<BuildCost> {
    Ok(BuildCost { finished: row.get(0)?, duration_ms: row.get(1)?, cpu_ms: row.get(2)?, memory: row.get(3)? })
}
