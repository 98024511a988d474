//! Comparing rows with the records that they were made from. SQLite finds only damage to its own structure: a flipped bit in a digest is none.

use super::records::{segments, visit_record_places};
use super::{Index, IndexError};
use crate::derivation::Input;
use crate::digest::TreeDigest;
use crate::local::record::{BuildCost, Record};
use crate::{EncodedDerivation, Realisation};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Params, params};
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;

/// What the index says at one moment, whatever others write meanwhile.
pub(in crate::local) struct Rows<'c>(&'c Connection);

/// A record as the index has it: where it begins, and what stands for its kind and key.
type Place = (u64, u64);

/// Where the index says that records are, by segment.
#[derive(Debug, Default)]
pub(in crate::local) struct Places(FxHashMap<String, Vec<Place>>);

impl Places {
    /// The segments that are named.
    pub(in crate::local) fn segments(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Those in one segment, sorted; they are not told again.
    pub(in crate::local) fn take(&mut self, segment: &str) -> Vec<Place> {
        let mut places = self.0.remove(segment).unwrap_or_default();
        places.sort_unstable();
        places
    }
}

/// What stands for a record at a place.
pub(in crate::local) fn place_of(record: &Record, offset: u64, length: u64) -> Place {
    (offset, mark(record.kind(), &record.key(), length))
}

fn mark(kind: u8, key: &[u8], length: u64) -> u64 {
    FxBuildHasher.hash_one((kind, key, length))
}

impl Index {
    /// Lets `look` compare rows, all as of one moment. What cannot be read of the rows themselves is an error of which [`IndexError::is_false`]
    /// says so.
    pub(in crate::local) fn at_one_moment<T>(
        &self,
        look: impl FnOnce(&Rows<'_>) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let connection = self.lock();
        // It only reads, and is rolled back.
        let transaction = connection.unchecked_transaction()?;
        look(&Rows(&transaction))
    }

    /// Whether SQLite finds nothing wrong with the whole file, nor between a table and its indices.
    pub(in crate::local) fn is_consistent(&self) -> bool {
        let checked = self.lock().pragma_query_value(None, "integrity_check", |row| row.get::<_, String>(0));
        checked.is_ok_and(|text| text == "ok")
    }
}

impl IndexError {
    /// Whether it says that something stands in the index that cannot be true.
    pub(in crate::local) fn is_false(&self) -> bool {
        self.is_damage() || matches!(self, Self::Sqlite(error) if !matches!(error, rusqlite::Error::SqliteFailure(..)))
    }
}

impl Rows<'_> {
    /// The segments that are of use, and how far each is said to be indexed.
    pub(in crate::local) fn segments(&self) -> Result<HashMap<String, u64>, IndexError> {
        Ok(segments(self.0)?.into_iter().collect())
    }

    /// Where records are said to be.
    pub(in crate::local) fn places(&self) -> Result<Places, IndexError> {
        let mut places = Places::default();
        visit_record_places(self.0, |kind, key, segment, offset, length| {
            let place = (offset, mark(kind, key, length));
            match places.0.get_mut(segment) {
                Some(known) => known.push(place),
                None => drop(places.0.insert(segment.to_owned(), vec![place])),
            }
        })?;
        Ok(places)
    }

    /// Whether the rows say what a record says that is the current one of its key. Of what a tree needs they may say more, for several records
    /// may have said so.
    pub(in crate::local) fn agree_with(&self, record: &Record) -> Result<bool, IndexError> {
        match record {
            Record::Derivation(derivation) => self.agree_with_derivation(derivation),
            Record::Tree { listing, references } => self.agree_with_tree(listing, references),
            Record::Realisation(realisation) => self.agree_with_realisation(realisation),
            Record::Resolution { derivation, action } => {
                let statement = "SELECT action FROM resolution WHERE derivation = ?";
                Ok(self.one::<[u8; 32]>(statement, [derivation.as_bytes()])? == Some(*action.as_bytes()))
            }
            Record::Conflict(_) => Ok(true),
            Record::Build { action, cost } => {
                let statement = "SELECT finished, duration, cpu, memory FROM build WHERE action = ?";
                let mut query = self.0.prepare_cached(statement)?;
                let found: Option<BuildCost> = query.query_row([action.as_bytes()], super::row::cost).optional()?;
                Ok(found == Some(*cost))
            }
        }
    }

    /// The tree that an action's output became, by the rows.
    pub(in crate::local) fn realised(&self, realisation: &Realisation) -> Result<Option<TreeDigest>, IndexError> {
        let statement = "SELECT tree FROM realisation WHERE action = ? AND output = ?";
        let key = params![realisation.action.as_bytes(), realisation.output.as_str()];
        Ok(self.one::<[u8; 32]>(statement, key)?.map(TreeDigest::from_bytes))
    }

    fn agree_with_derivation(&self, encoded: &EncodedDerivation) -> Result<bool, IndexError> {
        let mut query = self.0.prepare_cached("SELECT name, inputs FROM derivation WHERE digest = ?")?;
        let inputs: Vec<_> = encoded.derivation().all_inputs().into_iter().map(Input::to_string).collect();
        let agrees = |row: &rusqlite::Row<'_>| -> rusqlite::Result<bool> {
            let is_named_so = row.get_ref(0)?.as_str()? == encoded.path().name().as_str();
            Ok(is_named_so && row.get_ref(1)?.as_str()? == inputs.join("\n"))
        };
        Ok(query.query_row([encoded.digest().as_bytes()], agrees).optional()? == Some(true))
    }

    fn agree_with_tree(
        &self,
        listing: &crate::TreeListing,
        references: &BTreeSet<TreeDigest>,
    ) -> Result<bool, IndexError> {
        let tree = listing.digest();
        let mut query = self.0.prepare_cached("SELECT target FROM reference WHERE tree = ?")?;
        let targets =
            query.query_map([tree.as_bytes()], |row| super::row::digest(row, 0).map(TreeDigest::from_bytes))?;
        let targets: BTreeSet<_> = targets.collect::<Result<_, _>>()?;
        if !references.is_subset(&targets) {
            return Ok(false);
        }
        let totals = listing.totals();
        let mut query = self.0.prepare_cached("SELECT files, bytes FROM path WHERE digest = ?")?;
        let mut rows = query.query([tree.as_bytes()])?;
        while let Some(row) = rows.next()? {
            if (row.get::<_, u64>(0)?, row.get::<_, u64>(1)?) != (totals.files, totals.bytes) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn agree_with_realisation(&self, realisation: &Realisation) -> Result<bool, IndexError> {
        let mut query = self.0.prepare_cached("SELECT target FROM runtime WHERE tree = ?")?;
        let targets = query.query_map([realisation.tree.as_bytes()], |row| row.get::<_, String>(0))?;
        let targets: BTreeSet<_> = targets.collect::<Result<_, _>>()?;
        let all_are_there = realisation.runtime.iter().all(|target| targets.contains(&target.to_string()));
        Ok(all_are_there && self.realised(realisation)?.is_some())
    }

    fn one<T: FromSql>(&self, statement: &str, arguments: impl Params) -> Result<Option<T>, IndexError> {
        let mut query = self.0.prepare_cached(statement)?;
        Ok(query.query_row(arguments, |row| row.get(0)).optional()?)
    }
}
