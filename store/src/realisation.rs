//! Realisations: the record that an action's output became a tree.
//!
//! Encoding, version 1 (canonical JSON):
//!
//! ```text
//! { "action": digest, "output": name, "references": [tree digest…], "runtime": [store path…], "tree": digest, "version": 1 }
//! ```
//!
//! `references` and `runtime` are sorted and unique. These bytes are what a signature covers: they vouch for one step, never for
//! how its inputs came about.

use crate::canonical_json::{self, Fields, Json, JsonError};
use crate::derivation::OutputName;
use crate::digest::{ActionDigest, TreeDigest};
use crate::store_path::StorePath;
use std::collections::BTreeSet;

const VERSION: i64 = 1;

/// One step of building: (action, output) → tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realisation {
    /// What was done.
    pub action: ActionDigest,
    /// Which of its outputs this is.
    pub output: OutputName,
    /// What it became.
    pub tree: TreeDigest,
    /// The trees whose store paths occur in it.
    pub references: BTreeSet<TreeDigest>,
    /// The trees it needs when it is used, as declared.
    pub runtime: BTreeSet<StorePath>,
}

impl Realisation {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut references: Vec<_> = self.references.iter().map(TreeDigest::to_string).collect();
        references.sort_unstable();
        let mut runtime: Vec<_> = self.runtime.iter().map(StorePath::to_string).collect();
        runtime.sort_unstable();
        Json::object([
            ("action", Json::String(self.action.to_string())),
            ("output", Json::String(self.output.to_string())),
            ("references", Json::strings(references)),
            ("runtime", Json::strings(runtime)),
            ("tree", Json::String(self.tree.to_string())),
            ("version", Json::Integer(VERSION)),
        ])
        .encode()
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// When they are not exactly what [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, JsonError> {
        let mut fields = Fields::of(canonical_json::parse(bytes)?)?;
        fields.version(VERSION)?;
        let realisation = Self {
            action: fields.parsed("action")?,
            output: fields.parsed("output")?,
            tree: fields.parsed("tree")?,
            references: fields.parsed_list("references")?.into_iter().collect(),
            runtime: fields.parsed_list("runtime")?.into_iter().collect(),
        };
        fields.finish()?;
        if realisation.encode() == bytes { Ok(realisation) } else { Err(JsonError::NotCanonical) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store_path::StoreName;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(action: [u8; 32], tree: [u8; 32], references: Vec<[u8; 32]>) {
            let name = StoreName::parse("libc-2").expect("valid");
            let realisation = Realisation {
                action: ActionDigest::from_bytes(action),
                output: OutputName::out(),
                tree: TreeDigest::from_bytes(tree),
                references: references.iter().copied().map(TreeDigest::from_bytes).collect(),
                runtime: references.into_iter()
                    .map(|bytes| StorePath::from_tree(TreeDigest::from_bytes(bytes), name.clone()).expect("valid"))
                    .collect(),
            };
            prop_assert_eq!(Realisation::decode(&realisation.encode()).expect("own encoding"), realisation);
        }
    }

    #[test]
    fn repeated_and_unsorted_lists_are_refused() {
        let digest = TreeDigest::from_bytes([1; 32]);
        let realisation = Realisation {
            action: ActionDigest::from_bytes([0; 32]),
            output: OutputName::out(),
            tree: digest,
            references: BTreeSet::from([digest]),
            runtime: BTreeSet::new(),
        };
        let text = String::from_utf8(realisation.encode()).expect("JSON");
        let twice = text.replace(&format!("[\"{digest}\"]"), &format!("[\"{digest}\",\"{digest}\"]"));
        assert_ne!(text, twice);
        assert!(Realisation::decode(twice.as_bytes()).is_err());
    }
}
