//! Questions about one path, derivation or action, and short lists of them.

use super::row::{self, derivation_path, tree_path};
use super::{Index, IndexError, PathInfo};
use crate::derivation::OutputName;
use crate::digest::{ActionDigest, DerivationDigest, TreeDigest};
use crate::local::Built;
use crate::local::record::BuildCost;
use crate::store_path::{StoreName, StorePath};
use rusqlite::{OptionalExtension, params};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl Index {
    pub(in crate::local) fn path(&self, path: &StorePath) -> Result<Option<PathInfo>, IndexError> {
        let Some(tree) = path.tree() else { return Ok(None) };
        let connection = self.lock();
        let mut query = connection
            .prepare_cached("SELECT digest, name, files, bytes, added, used FROM path WHERE digest = ? AND name = ?")?;
        Ok(query.query_row(params![tree.as_bytes(), path.name().as_str()], row::path_info).optional()?)
    }

    pub(in crate::local) fn paths_of_tree(&self, tree: &TreeDigest) -> Result<Vec<StorePath>, IndexError> {
        self.path_list("SELECT digest, name FROM path WHERE digest = ?", params![tree.as_bytes()])
    }

    pub(in crate::local) fn all_paths(&self) -> Result<Vec<PathInfo>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT digest, name, files, bytes, added, used FROM path")?;
        let infos = query.query_map([], row::path_info)?.collect::<Result<_, _>>()?;
        Ok(infos)
    }

    /// Paths and derivations whose digest lies between two bounds.
    pub(in crate::local) fn between(&self, low: &[u8; 32], high: &[u8; 32]) -> Result<Vec<StorePath>, IndexError> {
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
    pub(in crate::local) fn references(&self, tree: &TreeDigest) -> Result<Vec<StorePath>, IndexError> {
        let query = "SELECT path.digest, path.name FROM reference JOIN path ON path.digest = reference.target
                     WHERE reference.tree = ?";
        self.path_list(query, params![tree.as_bytes()])
    }

    pub(in crate::local) fn referrers(&self, tree: &TreeDigest) -> Result<Vec<StorePath>, IndexError> {
        let query = "SELECT path.digest, path.name FROM reference JOIN path ON path.digest = reference.tree
                     WHERE reference.target = ?";
        self.path_list(query, params![tree.as_bytes()])
    }

    /// The declared run-time dependencies of a tree.
    pub(in crate::local) fn runtime(&self, tree: &TreeDigest) -> Result<Vec<StorePath>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT target FROM runtime WHERE tree = ?")?;
        let targets = query.query_map([tree.as_bytes()], row::parsed_text)?.collect::<Result<_, _>>()?;
        Ok(targets)
    }

    pub(in crate::local) fn runtime_referrers(&self, path: &StorePath) -> Result<Vec<StorePath>, IndexError> {
        let query = "SELECT path.digest, path.name FROM runtime JOIN path ON path.digest = runtime.tree
                     WHERE runtime.target = ?";
        self.path_list(query, params![path.to_string()])
    }

    pub(in crate::local) fn resolution(
        &self,
        derivation: &DerivationDigest,
    ) -> Result<Option<ActionDigest>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT action FROM resolution WHERE derivation = ?")?;
        Ok(query
            .query_row([derivation.as_bytes()], |row| row::digest(row, 0))
            .optional()?
            .map(ActionDigest::from_bytes))
    }

    pub(in crate::local) fn realised(
        &self,
        action: &ActionDigest,
        output: &OutputName,
    ) -> Result<Option<TreeDigest>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT tree FROM realisation WHERE action = ? AND output = ?")?;
        let tree =
            query.query_row(params![action.as_bytes(), output.as_str()], |row| row::digest(row, 0)).optional()?;
        Ok(tree.map(TreeDigest::from_bytes))
    }

    /// The derivations that made a tree, by what is recorded.
    pub(in crate::local) fn derivers(&self, tree: &TreeDigest) -> Result<Vec<StorePath>, IndexError> {
        let query = "SELECT derivation.digest, derivation.name FROM realisation
                     JOIN resolution ON resolution.action = realisation.action
                     JOIN derivation ON derivation.digest = resolution.derivation WHERE realisation.tree = ?";
        self.derivation_list(query, params![tree.as_bytes()])
    }

    pub(in crate::local) fn build_cost(&self, action: &ActionDigest) -> Result<Option<BuildCost>, IndexError> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached("SELECT finished, duration, cpu, memory FROM build WHERE action = ?")?;
        Ok(query.query_row([action.as_bytes()], row::cost).optional()?)
    }

    /// Whether something was ever added from this place.
    pub(in crate::local) fn is_source(&self, place: &Path) -> Result<bool, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT 1 FROM source WHERE place = ?")?;
        Ok(query.exists([place.as_os_str().as_bytes()])?)
    }

    pub(in crate::local) fn last_built(&self, name: &StoreName) -> Result<Option<DerivationDigest>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT derivation.digest FROM derivation JOIN resolution ON resolution.derivation = derivation.digest
             JOIN build ON build.action = resolution.action WHERE derivation.name = ?
             ORDER BY build.finished DESC, derivation.rowid DESC LIMIT 1",
        )?;
        let found = query.query_row([format!("{name}.drv")], |row| row::digest(row, 0)).optional()?;
        Ok(found.map(DerivationDigest::from_bytes))
    }

    pub(in crate::local) fn last_cost(&self, name: &StoreName) -> Result<Option<BuildCost>, IndexError> {
        let name = format!("{name}.drv");
        self.last_cost_between(&name, &format!("{name}\0"))
    }

    pub(in crate::local) fn last_cost_of_package(&self, package: &str) -> Result<Option<BuildCost>, IndexError> {
        // A version begins with a digit, which `:` follows.
        self.last_cost_between(&format!("{package}-0"), &format!("{package}-:"))
    }

    fn last_cost_between(&self, first: &str, end: &str) -> Result<Option<BuildCost>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT build.finished, build.duration, build.cpu, build.memory FROM derivation
             JOIN resolution ON resolution.derivation = derivation.digest JOIN build ON build.action = resolution.action
             WHERE derivation.name >= ? AND derivation.name < ? AND build.memory > 0 ORDER BY build.finished DESC LIMIT 1",
        )?;
        Ok(query.query_row([first, end], row::cost).optional()?)
    }

    /// The builds of derivations whose names begin so.
    pub(in crate::local) fn builds_of_names_from(&self, prefix: &str) -> Result<Vec<Built>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT derivation.digest, derivation.name, resolution.action, build.finished FROM derivation
             JOIN resolution ON resolution.derivation = derivation.digest JOIN build ON build.action = resolution.action
             WHERE derivation.name >= ?1 AND derivation.name < ?1 || '~'",
        )?;
        let built = |row: &rusqlite::Row<'_>| {
            let action = ActionDigest::from_bytes(row::digest(row, 2)?);
            Ok(Built { derivation: derivation_path(row)?, action, finished: row.get(3)? })
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
