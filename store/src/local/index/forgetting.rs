//! Forgetting what a collection has found dead.

use crate::digest::{DerivationDigest, TreeDigest};
use crate::store_path::StorePath;
use rusqlite::{Transaction, params};

/// Forgets paths. Sorted, it goes through the table once.
pub(in crate::local) fn delete_paths<'p>(
    transaction: &Transaction<'_>,
    paths: impl IntoIterator<Item = &'p StorePath>,
) -> Result<(), rusqlite::Error> {
    let mut delete = transaction.prepare_cached("DELETE FROM path WHERE digest = ? AND name = ?")?;
    let trees = paths.into_iter().filter_map(|path| Some((path.tree()?, path.name())));
    trees.into_iter().try_for_each(|(tree, name)| delete.execute(params![tree.as_bytes(), name.as_str()]).map(drop))
}

/// Forgets the listings of those of these trees of which there is no path.
pub(in crate::local) fn delete_listings(
    transaction: &Transaction<'_>,
    trees: impl Iterator<Item = TreeDigest>,
) -> Result<(), rusqlite::Error> {
    let statements = [
        "DELETE FROM dead WHERE digest IN (SELECT digest FROM path WHERE digest IN (SELECT digest FROM dead))",
        "DELETE FROM record WHERE kind = 2 AND key IN (SELECT digest FROM dead)",
        "DELETE FROM reference WHERE tree IN (SELECT digest FROM dead)",
    ];
    delete_with(transaction, trees.map(|tree| *tree.as_bytes()), &statements)
}

/// Forgets derivations, and what they resolved to.
pub(in crate::local) fn delete_derivations(
    transaction: &Transaction<'_>,
    derivations: impl Iterator<Item = DerivationDigest>,
) -> Result<(), rusqlite::Error> {
    let statements = [
        "DELETE FROM derivation WHERE digest IN (SELECT digest FROM dead)",
        "DELETE FROM resolution WHERE derivation IN (SELECT digest FROM dead)",
        "DELETE FROM record WHERE kind = 1 AND key IN (SELECT digest FROM dead)",
        "DELETE FROM record WHERE kind = 4 AND key IN (SELECT digest FROM dead)",
    ];
    delete_with(transaction, derivations.map(|derivation| *derivation.as_bytes()), &statements)
}

/// Carries out statements that delete what these digests say, which stand in the table `dead` meanwhile. A statement that goes through a table
/// by itself takes half the time of one that is asked for each digest.
fn delete_with(
    transaction: &Transaction<'_>,
    digests: impl Iterator<Item = [u8; 32]>,
    statements: &[&str],
) -> Result<(), rusqlite::Error> {
    let mut digests = digests.peekable();
    if digests.peek().is_none() {
        return Ok(());
    }
    transaction.execute_batch("CREATE TEMPORARY TABLE dead (digest BLOB PRIMARY KEY) WITHOUT ROWID")?;
    {
        let mut insert = transaction.prepare("INSERT OR IGNORE INTO dead VALUES (?)")?;
        digests.try_for_each(|digest| insert.execute([digest]).map(drop))?;
    }
    statements.iter().try_for_each(|statement| transaction.execute(statement, []).map(drop))?;
    transaction.execute_batch("DROP TABLE dead")
}
