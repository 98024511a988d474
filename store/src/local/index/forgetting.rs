//! Forgetting what a collection has found dead.

use super::row::digest;
use crate::digest::{DerivationDigest, TreeDigest};
use crate::store_path::StorePath;
use rusqlite::{Transaction, params};
use std::collections::HashSet;

/// Forgets paths. Sorted, it goes through the table once.
pub(in crate::local) fn delete_paths<'p>(
    transaction: &Transaction<'_>,
    paths: impl IntoIterator<Item = &'p StorePath>,
) -> Result<(), rusqlite::Error> {
    let mut delete = transaction.prepare_cached("DELETE FROM path WHERE digest = ? AND name = ?")?;
    let trees = paths.into_iter().filter_map(|path| Some((path.tree()?, path.name())));
    trees.into_iter().try_for_each(|(tree, name)| delete.execute(params![tree.as_bytes(), name.as_str()]).map(drop))
}

/// Forgets the listings of all trees of which there is no path, but for those that are wanted.
pub(in crate::local) fn delete_listings(
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

/// Forgets derivations, and what they resolved to.
pub(in crate::local) fn delete_derivations(
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
