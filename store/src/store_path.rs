//! Store paths: `/larder/store/<digest>-<name>`, the identity of a store object.
//!
//! A store path is logical: the same on every machine and inside every sandbox, wherever the store physically is. Its
//! digest is that of a tree, or, if the name ends in `.drv`, that of a derivation; no tree may have such a name.

use crate::base32::{self, DIGEST_CHARS};
use crate::digest::{DerivationDigest, TreeDigest};
use std::fmt;
use std::str::FromStr;

/// The directory that all store paths are in.
pub const STORE_DIR: &str = "/larder/store";

/// The longest name, in bytes: digest, dash and name together fit one directory entry of 255.
pub const MAX_NAME: usize = 200;

/// The ending of a derivation's name.
const DERIVATION_SUFFIX: &str = ".drv";

/// A name or store path that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseStorePathError {
    /// The name is empty, too long, starts with a dot, or has a character outside `[0-9a-zA-Z+-._?=]`.
    #[error("`{name}` is not a valid store path name: 1 to 200 letters, digits or `+-._?=`, not starting with a dot")]
    Name {
        /// The name as it was given, with unprintable characters escaped.
        name: String,
    },
    /// The text is not `/larder/store/<digest>-<name>`.
    #[error("`{text}` is not a store path: expected /larder/store/<52 characters of base32>-<name>")]
    Form {
        /// The text as it was given, with unprintable characters escaped.
        text: String,
    },
}

/// The human part of a store path: 1 to 200 characters of `[0-9a-zA-Z+-._?=]`, not starting with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName(String);

impl StoreName {
    /// Checks a name.
    ///
    /// # Errors
    /// When the name is empty, too long, starts with a dot or has a forbidden character.
    pub fn parse(name: &str) -> Result<Self, ParseStorePathError> {
        let fits = (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('.');
        if fits && name.bytes().all(is_name_byte) {
            Ok(Self(name.to_owned()))
        } else {
            Err(ParseStorePathError::Name { name: name.escape_debug().to_string() })
        }
    }

    /// Name and version, as Nix takes them apart: the version begins after the first dash that no letter follows. Without one it is empty.
    #[must_use]
    pub fn name_and_version(&self) -> (&str, &str) {
        let stem = self.0.strip_suffix(DERIVATION_SUFFIX).unwrap_or(&self.0);
        split_version(stem.as_bytes()).map_or((stem, ""), |dash| (&stem[..dash], &stem[dash + 1..]))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the name of a derivation.
    #[must_use]
    pub fn is_derivation(&self) -> bool {
        self.0.ends_with(DERIVATION_SUFFIX)
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `byte` may stand in the name of a store path.
#[must_use]
pub const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_' | b'?' | b'=')
}

/// Where the dash stands that separates a name from its version: the first one that something other than a letter follows.
#[must_use]
pub fn split_version(name: &[u8]) -> Option<usize> {
    (0..name.len()).find(|&at| name[at] == b'-' && name.get(at + 1).is_some_and(|byte| !byte.is_ascii_alphabetic()))
}

/// A store path: digest and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath {
    digest: [u8; 32],
    name: StoreName,
}

impl StorePath {
    /// The store path of a tree.
    ///
    /// # Errors
    /// When the name ends in `.drv`, which is reserved for derivations.
    pub fn from_tree(tree: TreeDigest, name: StoreName) -> Result<Self, ParseStorePathError> {
        if name.is_derivation() {
            return Err(ParseStorePathError::Name { name: name.0 });
        }
        Ok(Self { digest: *tree.as_bytes(), name })
    }

    /// The store path of a derivation called `name`, which gets the ending `.drv`.
    ///
    /// # Errors
    /// When the name with its ending is too long.
    pub fn from_derivation(digest: DerivationDigest, name: &StoreName) -> Result<Self, ParseStorePathError> {
        let name = StoreName::parse(&format!("{name}{DERIVATION_SUFFIX}"))?;
        Ok(Self { digest: *digest.as_bytes(), name })
    }

    /// The store path of this digest and name, as an index keeps them: the name tells what the digest is of.
    #[cfg(feature = "local")]
    pub(crate) fn from_row(digest: [u8; 32], name: StoreName) -> Self {
        Self { digest, name }
    }

    /// The text that stands for a path of this name until it is known; see [`crate::derivation::placeholder`].
    pub(crate) fn from_placeholder(digest: [u8; 32], name: StoreName) -> Self {
        Self { digest, name }
    }

    /// The tree it names, or `None` for a derivation.
    #[must_use]
    pub fn tree(&self) -> Option<TreeDigest> {
        (!self.name.is_derivation()).then_some(TreeDigest::from_bytes(self.digest))
    }

    /// The derivation it names, or `None` for a tree.
    #[must_use]
    pub fn derivation(&self) -> Option<DerivationDigest> {
        self.name.is_derivation().then_some(DerivationDigest::from_bytes(self.digest))
    }

    /// Its digest, whatever it is of.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The human part.
    #[must_use]
    pub fn name(&self) -> &StoreName {
        &self.name
    }

    /// The characters of the digest.
    #[must_use]
    pub fn digest_text(&self) -> [u8; DIGEST_CHARS] {
        base32::encode_bytes(&self.digest)
    }

    /// `<digest>-<name>`: the last component, and the entry's name in the physical store directory.
    #[must_use]
    pub fn base_name(&self) -> String {
        // Stores ask for a million of them, so no formatter is asked.
        let digest = self.digest_text();
        [std::str::from_utf8(&digest).expect("base32 is ASCII"), "-", &self.name.0].concat()
    }

    /// Reads `<digest>-<name>`.
    ///
    /// # Errors
    /// When the text has not that form.
    pub fn parse_base_name(text: &str) -> Result<Self, ParseStorePathError> {
        let form = || ParseStorePathError::Form { text: text.escape_debug().to_string() };
        let (digest, rest) = text.as_bytes().split_at_checked(DIGEST_CHARS).ok_or_else(form)?;
        let digest = base32::decode(digest).ok_or_else(form)?;
        let name = rest.strip_prefix(b"-").ok_or_else(form)?;
        let name = StoreName::parse(std::str::from_utf8(name).map_err(|_| form())?)?;
        Ok(Self { digest, name })
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest_text();
        let digest = std::str::from_utf8(&digest).map_err(|_| fmt::Error)?;
        [STORE_DIR, "/", digest, "-", &self.name.0].iter().try_for_each(|part| f.write_str(part))
    }
}

impl FromStr for StorePath {
    type Err = ParseStorePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let base = text
            .strip_prefix(STORE_DIR)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| ParseStorePathError::Form { text: text.escape_debug().to_string() })?;
        Self::parse_base_name(base)
    }
}

impl serde::Serialize for StorePath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for StorePath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_name_tells_a_derivation_from_a_tree() {
        let name = StoreName::parse("hello-2.12").expect("valid");
        let tree = StorePath::from_tree(TreeDigest::from_bytes([1; 32]), name.clone()).expect("valid");
        assert!(tree.tree().is_some() && tree.derivation().is_none());
        let drv = StorePath::from_derivation(DerivationDigest::from_bytes([1; 32]), &name).expect("valid");
        assert!(drv.tree().is_none() && drv.derivation().is_some());
        assert!(drv.to_string().ends_with("-hello-2.12.drv"));
        let reserved = StoreName::parse("x.drv").expect("a name");
        assert!(StorePath::from_tree(TreeDigest::from_bytes([1; 32]), reserved).is_err());
    }

    #[test]
    fn names_are_checked() {
        for bad in ["", ".", "..", ".hidden", "a/b", "a b", "ä", "a\0", &"x".repeat(201)] {
            assert!(StoreName::parse(bad).is_err(), "{bad:?} was taken");
        }
        assert!(StoreName::parse(&"x".repeat(200)).is_ok());
    }

    #[test]
    fn malformed_paths_are_refused() {
        let digest = "a".repeat(52);
        for bad in [
            format!("/nix/store/{digest}-x"),
            format!("/larder/store/{digest}"),
            format!("/larder/store/{digest}-"),
            format!("/larder/store/{digest}_x"),
            format!("/larder/store/{digest}-x/y"),
            format!("/larder/store//{digest}-x"),
            format!("/larder/store/{}ä-x", "a".repeat(50)),
        ] {
            assert!(bad.parse::<StorePath>().is_err(), "{bad} was taken");
        }
    }

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(digest: [u8; 32], name in "[0-9a-zA-Z+_?=-][0-9a-zA-Z+._?=-]{0,40}") {
            let path = StorePath { digest, name: StoreName::parse(&name).expect("valid") };
            prop_assert_eq!(path.to_string().parse::<StorePath>(), Ok(path));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC*") {
            let _ = text.parse::<StorePath>();
            let _ = StorePath::parse_base_name(&text);
        }
    }
}
