//! The digests that name things: one type per meaning, 32 bytes each, all BLAKE3.
//!
//! A blob's digest is plain BLAKE3 of its bytes, so that `b3sum` prints the same. Every other kind of digest is BLAKE3 in
//! key-derivation mode with a context string of its own, so that no two kinds can ever be confused.

use crate::base32;
use std::fmt;
use std::str::FromStr;

/// A digest that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind} digest: expected {expected}")]
pub struct ParseDigestError {
    /// The text as it was given.
    pub text: String,
    /// What it should have been a digest of.
    pub kind: &'static str,
    /// The form that was expected.
    pub expected: &'static str,
}

macro_rules! digest {
    ($name:ident, $kind:literal, $doc:literal, $encode:path, $decode:path, $expected:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes bytes that are already known to be such a digest, as read from a record or the index.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first 12 characters, for people. Never read back.
            #[must_use]
            pub fn short(&self) -> String {
                let mut text = self.to_string();
                text.truncate(12);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&$encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $decode(text.as_bytes()).map(Self).ok_or_else(|| ParseDigestError {
                    text: text.to_owned(),
                    kind: $kind,
                    expected: $expected,
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

digest!(
    BlobDigest,
    "blob",
    "Digest of the content of a file; shown in hexadecimal, as `b3sum` does.",
    encode_hex,
    decode_hex,
    "64 lower-case hexadecimal digits"
);
digest!(
    TreeDigest,
    "tree",
    "Digest of a tree: a file with its executable bit, a symbolic link, or a directory of trees.",
    base32::encode,
    base32::decode,
    "52 characters of lower-case base32"
);
digest!(
    DerivationDigest,
    "derivation",
    "Digest of a derivation's canonical bytes.",
    base32::encode,
    base32::decode,
    "52 characters of lower-case base32"
);
digest!(
    ActionDigest,
    "action",
    "Digest of an action's canonical bytes: the key of all build caching.",
    base32::encode,
    base32::decode,
    "52 characters of lower-case base32"
);

digest!(
    CommandDigest,
    "command",
    "Digest of what the command of an action sees: of all that can change what it makes.",
    base32::encode,
    base32::decode,
    "52 characters of lower-case base32"
);

impl BlobDigest {
    /// Hashes a blob held in memory.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }
}

/// Hashes `bytes` in the domain `context`. Contexts are fixed strings: `larder <thing> v<version>`.
pub(crate) fn derive(context: &'static str, bytes: &[u8]) -> [u8; 32] {
    blake3::derive_key(context, bytes)
}

fn encode_hex(bytes: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*bytes).to_hex().to_string()
}

fn decode_hex(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != 64 || text.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    blake3::Hash::from_hex(text).ok().map(|hash| *hash.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_digest_is_what_b3sum_prints() {
        // From the BLAKE3 test vectors: the hash of the empty input.
        assert_eq!(BlobDigest::of(b"").to_string(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    }

    #[test]
    fn display_and_parse_are_inverse() {
        let blob = BlobDigest::of(b"x");
        assert_eq!(blob.to_string().parse(), Ok(blob));
        assert!(blob.to_string().to_uppercase().parse::<BlobDigest>().is_err());
        let tree = TreeDigest::from_bytes([7; 32]);
        assert_eq!(tree.to_string().parse(), Ok(tree));
        assert_eq!(tree.short().len(), 12);
    }

    #[test]
    fn errors_name_the_text_and_the_form() {
        let error = "xyz".parse::<TreeDigest>().expect_err("too short");
        assert_eq!(error.to_string(), "`xyz` is not a tree digest: expected 52 characters of lower-case base32");
    }
}
