//! Hashes that others give for a file: SHA-256, SHA-512 or BLAKE3 of its bytes, as fixed-output derivations state them.
//!
//! Canonical text: `<algorithm>:<lower-case hexadecimal>`. SRI (`sha256-<base64>`) and bare hexadecimal are read too.

use sha2::Digest as _;
use std::fmt;
use std::str::FromStr;

/// A hash function that may fix an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// BLAKE3, 32 bytes.
    Blake3,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl HashAlgorithm {
    /// Bytes of a hash.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Blake3 | Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The name as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Blake3, Self::Sha256, Self::Sha512].into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// A hasher for content that comes in pieces.
    #[must_use]
    pub fn hasher(self) -> FileHasher {
        match self {
            Self::Blake3 => FileHasher::Blake3(Box::default()),
            Self::Sha256 => FileHasher::Sha256(sha2::Sha256::new()),
            Self::Sha512 => FileHasher::Sha512(sha2::Sha512::new()),
        }
    }
}

/// Hashes content that comes in pieces.
#[derive(Debug)]
pub enum FileHasher {
    /// BLAKE3.
    Blake3(Box<blake3::Hasher>),
    /// SHA-256.
    Sha256(sha2::Sha256),
    /// SHA-512.
    Sha512(sha2::Sha512),
}

impl FileHasher {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The hash of all pieces.
    #[must_use]
    pub fn finish(self) -> FileHash {
        let (algorithm, bytes) = match self {
            Self::Blake3(hasher) => (HashAlgorithm::Blake3, hasher.finalize().as_bytes().to_vec()),
            Self::Sha256(hasher) => (HashAlgorithm::Sha256, hasher.finalize().to_vec()),
            Self::Sha512(hasher) => (HashAlgorithm::Sha512, hasher.finalize().to_vec()),
        };
        FileHash { algorithm, bytes }
    }
}

/// The hash of a file under one of the [`HashAlgorithm`]s.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileHash {
    algorithm: HashAlgorithm,
    bytes: Vec<u8>,
}

/// A hash that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseFileHashError {
    /// No algorithm is given, or one that is unknown or too weak.
    #[error("`{text}` names no usable hash algorithm: blake3, sha256 and sha512 are known")]
    Algorithm {
        /// The text as given.
        text: String,
    },
    /// The text after the algorithm is not a hash of its size.
    #[error("`{text}` is not a {algorithm} hash: expected {digits} hexadecimal digits or base64", digits = size * 2)]
    Digits {
        /// The text as given.
        text: String,
        /// The algorithm's name.
        algorithm: &'static str,
        /// Bytes of such a hash.
        size: usize,
    },
}

impl FileHash {
    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The hash's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Hashes content held in memory.
    #[must_use]
    pub fn of(algorithm: HashAlgorithm, content: &[u8]) -> Self {
        let mut hasher = algorithm.hasher();
        hasher.update(content);
        hasher.finish()
    }

    /// Reads `sha256:<hex>`, `sha256-<base64>`, or, when `algorithm` says which, bare hexadecimal or base64.
    ///
    /// # Errors
    /// When the algorithm is unknown or the digits do not fit it.
    pub fn parse(text: &str, algorithm: Option<HashAlgorithm>) -> Result<Self, ParseFileHashError> {
        let split = text.split_once([':', '-']).and_then(|(name, rest)| Some((HashAlgorithm::from_name(name)?, rest)));
        let (algorithm, digits) = match (split, algorithm) {
            (Some((found, digits)), None) => (found, digits),
            (Some((found, digits)), Some(wanted)) if found == wanted => (found, digits),
            (None, Some(wanted)) => (wanted, text),
            _ => return Err(ParseFileHashError::Algorithm { text: text.to_owned() }),
        };
        let size = algorithm.size();
        let bytes = if digits.len() == size * 2 { decode_hex(digits) } else { decode_base64(digits, size) };
        let bytes = bytes.ok_or_else(|| ParseFileHashError::Digits {
            text: text.to_owned(),
            algorithm: algorithm.name(),
            size,
        })?;
        Ok(Self { algorithm, bytes })
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm.name())?;
        self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileHash({self})")
    }
}

impl FromStr for FileHash {
    type Err = ParseFileHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, None)
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// Standard base64 with padding (RFC 4648, section 4) of exactly `size` bytes.
fn decode_base64(text: &str, size: usize) -> Option<Vec<u8>> {
    if text.len() != size.div_ceil(3) * 4 {
        return None;
    }
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() != (3 - size % 3) % 3 {
        return None;
    }
    let mut bytes = Vec::with_capacity(size);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for byte in digits.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        buffer = (buffer << 6 | u32::from(value)) & 0x3fff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 0xff) as u8);
        }
    }
    (bytes.len() == size && buffer & ((1 << bits) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-2, appendix B.1: SHA-256 of "abc".
    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn known_values_in_every_spelling() {
        let hash = FileHash::of(HashAlgorithm::Sha256, b"abc");
        assert_eq!(hash.to_string(), ABC);
        assert_eq!(ABC.parse(), Ok(hash.clone()));
        assert_eq!(FileHash::parse(&ABC[7..], Some(HashAlgorithm::Sha256)), Ok(hash.clone()));
        assert_eq!("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=".parse(), Ok(hash));
    }

    #[test]
    fn weak_wrong_or_ambiguous_hashes_are_refused() {
        for bad in ["md5:d41d8cd98f00b204e9800998ecf8427e", &ABC[7..], "sha256:", "sha256:zz", &ABC[..70]] {
            assert!(bad.parse::<FileHash>().is_err(), "{bad} was taken");
        }
        assert!(FileHash::parse(ABC, Some(HashAlgorithm::Sha512)).is_err());
        // The last digit of base64 carries four unused bits, which must be zero.
        assert!("sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa1=".parse::<FileHash>().is_err());
    }
}
