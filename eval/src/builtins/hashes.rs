//! Hashes: of strings and files, and their spellings.

use super::{Builtin, row};
use crate::diagnostic::{CallPart, Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::symbol::names;
use crate::value::Value;
use sha2::Digest as _;
use store::{FileHash, HashAlgorithm};

pub(super) const TABLE: &[Builtin] = &[
    row("convertHash", 1, "Another spelling of a hash: base16, nix32, base64 or sri.", convert_hash),
    row("hashFile", 2, "The hash of a file in hexadecimal.", hash_file),
    row("hashString", 2, "The hash of a string in hexadecimal.", hash_string),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha1,
    Strong(HashAlgorithm),
}

impl Algorithm {
    fn parse(name: &str, span: Span) -> Result<Self> {
        match name {
            "md5" => Ok(Self::Md5),
            "sha1" => Ok(Self::Sha1),
            _ => HashAlgorithm::from_name(name).map(Self::Strong).ok_or_else(|| {
                Diagnostic::new(Code::BadArgument, span, format!("unknown hash algorithm `{name}`"))
                    .hint("blake3, md5, sha1, sha256 and sha512 are known")
                    .part(CallPart::Argument(0))
            }),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Strong(algorithm) => algorithm.name(),
        }
    }

    const fn size(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Strong(algorithm) => algorithm.size(),
        }
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => md5::Md5::digest(bytes).to_vec(),
            Self::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
            Self::Strong(algorithm) => FileHash::of(algorithm, bytes).bytes().to_vec(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn algorithm(evaluator: &Evaluator<'_>, value: Value, span: Span) -> Result<Algorithm> {
    let name = evaluator.expect_plain_string(value, span, "as the name of a hash algorithm")?;
    Algorithm::parse(&String::from_utf8_lossy(name.bytes()), span)
}

fn hash_string(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let algorithm = algorithm(evaluator, args[0], span)?;
    let text = evaluator.expect_string(args[1], span, "as the string given to `hashString`")?;
    Ok(evaluator.string(hex(&algorithm.hash(text.bytes())).as_bytes()))
}

fn hash_file(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let algorithm = algorithm(evaluator, args[0], span)?;
    let path = evaluator.coerce_path(args[1], span)?;
    let content = evaluator.read_file(&path, span)?;
    Ok(evaluator.string(hex(&algorithm.hash(&content)).as_bytes()))
}

fn convert_hash(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let argument = evaluator.expect_attrs(args[0], span, "as the argument of `convertHash`")?;
    let text = |name, what| -> Result<String> {
        let value = evaluator.required(argument, name, span, what)?;
        let text = evaluator.expect_plain_string(value, span, what)?;
        Ok(String::from_utf8_lossy(text.bytes()).into_owned())
    };
    let hash = text(names::HASH, "`convertHash` needs a `hash`")?;
    let given = match argument.value(names::HASH_ALGO) {
        Some(value) => Some(self::algorithm(evaluator, value, span)?),
        None => None,
    };
    let format = text(names::TO_HASH_FORMAT, "`convertHash` needs a `toHashFormat`")?;
    let (algorithm, bytes) = parse_hash(&hash, given, span)?;
    let spelled = match format.as_str() {
        "base16" => hex(&bytes),
        "nix32" | "base32" => nix32(&bytes),
        "base64" => base64(&bytes),
        "sri" => format!("{}-{}", algorithm.name(), base64(&bytes)),
        _ => {
            return Err(Diagnostic::new(Code::BadArgument, span, format!("unknown hash format `{format}`"))
                .hint("base16, nix32, base64 and sri are known"));
        }
    };
    Ok(evaluator.string(spelled.as_bytes()))
}

/// What to say when a hash cannot pin a file.
pub(super) const FILE_HASHES: &str = "blake3, sha256 and sha512 pin a file";

/// A hash of a file in the form that derivations have.
pub(super) fn canonical(hash: &str, given: Option<&str>, span: Span) -> Result<String> {
    let given = given.map(|name| Algorithm::parse(name, span)).transpose()?;
    match parse_hash(hash, given, span)? {
        (Algorithm::Strong(algorithm), bytes) => Ok(format!("{}:{}", algorithm.name(), hex(&bytes))),
        (weak, _) => Err(Diagnostic::new(Code::BadArgument, span, format!("a {} hash is too weak", weak.name()))),
    }
}

fn parse_hash(hash: &str, given: Option<Algorithm>, span: Span) -> Result<(Algorithm, Vec<u8>)> {
    let bad = |problem: &str| Diagnostic::new(Code::BadArgument, span, format!("`{hash}` is not a hash: {problem}"));
    let (algorithm, digits) = match hash.split_once([':', '-']) {
        Some((name, digits)) => (Algorithm::parse(name, span)?, digits),
        None => (given.ok_or_else(|| bad("its algorithm is not named"))?, hash),
    };
    if given.is_some_and(|given| given != algorithm) {
        return Err(bad("it is of another algorithm"));
    }
    let size = algorithm.size();
    let bytes = match digits.len() {
        length if length == size * 2 => decode_hex(digits),
        length if length == nix32_length(size) => decode_nix32(digits, size),
        length if length == size.div_ceil(3) * 4 => decode_base64(digits),
        _ => None,
    };
    bytes
        .filter(|bytes| bytes.len() == size)
        .map(|bytes| (algorithm, bytes))
        .ok_or_else(|| bad("its digits do not fit its algorithm"))
}

fn decode_hex(digits: &str) -> Option<Vec<u8>> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

/// The alphabet of Nix's base32, which has no e, o, u, t.
const NIX32: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const fn nix32_length(size: usize) -> usize {
    (size * 8).div_ceil(5)
}

/// Nix's base32: groups of five bits from the last byte backwards.
fn nix32(bytes: &[u8]) -> String {
    let digit = |n: usize| {
        let (byte, shift) = (n * 5 / 8, n * 5 % 8);
        let low = u16::from(bytes[byte]) >> shift;
        let high = u16::from(bytes.get(byte + 1).copied().unwrap_or(0)) << (8 - shift);
        char::from(NIX32[usize::from((low | high) & 31)])
    };
    (0..nix32_length(bytes.len())).rev().map(digit).collect()
}

fn decode_nix32(digits: &str, size: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0u8; size];
    for (n, digit) in digits.bytes().rev().enumerate() {
        let value = NIX32.iter().position(|&known| known == digit)? as u16;
        let (byte, shift) = (n * 5 / 8, n * 5 % 8);
        let wide = value << shift;
        bytes[byte] |= (wide & 255) as u8;
        match bytes.get_mut(byte + 1) {
            Some(next) => *next |= (wide >> 8) as u8,
            None if wide >> 8 != 0 => return None,
            None => {}
        }
    }
    Some(bytes)
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, &byte| group << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = BASE64[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0u32, 0);
    for digit in digits.bytes() {
        buffer = buffer << 6 | BASE64.iter().position(|&known| known == digit)? as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 255) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_spellings() {
        let empty = Algorithm::Strong(HashAlgorithm::Sha256).hash(b"");
        assert_eq!(nix32(&empty), "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73");
        assert_eq!(base64(&empty), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(hex(&Algorithm::Md5.hash(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(&Algorithm::Sha1.hash(b"")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }

    proptest! {
        #[test]
        fn spellings_round_trip(bytes in prop::collection::vec(any::<u8>(), 1..70)) {
            prop_assert_eq!(decode_hex(&hex(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(decode_base64(&base64(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(decode_nix32(&nix32(&bytes), bytes.len()), Some(bytes));
        }
    }
}
