//! Lower-case base32 without padding (RFC 4648, section 6, in lower case): how 256-bit digests are written in store paths.
//!
//! 32 bytes give 52 characters; the last character carries one bit of data and four bits that must be zero, so every
//! digest has exactly one spelling.

/// Characters of an encoded 256-bit digest.
pub const DIGEST_CHARS: usize = 52;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Encodes 32 bytes as 52 characters.
#[must_use]
pub fn encode(bytes: &[u8; 32]) -> String {
    String::from_utf8(encode_bytes(bytes).to_vec()).expect("the alphabet is ASCII")
}

/// The same as bytes, all of which are ASCII.
#[must_use]
pub fn encode_bytes(bytes: &[u8; 32]) -> [u8; DIGEST_CHARS] {
    let mut text = [0; DIGEST_CHARS];
    for (group, characters) in bytes.chunks(5).zip(text.chunks_mut(8)) {
        // Five bytes are eight characters; the last two bytes are followed by zeros.
        let mut padded = [0; 8];
        padded[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(padded);
        for (character, shift) in characters.iter_mut().zip([35, 30, 25, 20, 15, 10, 5, 0]) {
            *character = ALPHABET[(bits >> shift & 31) as usize];
        }
    }
    text
}

/// The value of one character of the alphabet, or `None`.
#[must_use]
pub const fn value(character: u8) -> Option<u8> {
    match character {
        b'a'..=b'z' => Some(character - b'a'),
        b'2'..=b'7' => Some(character - b'2' + 26),
        _ => None,
    }
}

/// Decodes 52 characters; `None` unless the text is exactly what [`encode`] writes.
#[must_use]
pub fn decode(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != DIGEST_CHARS {
        return None;
    }
    let mut bytes = [0; 32];
    for (characters, group) in text.chunks(8).zip(bytes.chunks_mut(5)) {
        let mut bits = 0u64;
        for &character in characters {
            bits = bits << 5 | u64::from(value(character)?);
        }
        let spare = 5 * characters.len() - 8 * group.len();
        if bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        group.copy_from_slice(&(bits >> spare).to_be_bytes()[8 - group.len()..]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        assert_eq!(encode(&[0; 32]), "a".repeat(52));
        // RFC 4648: "foobar" is MZXW6YTBOI======; the first bytes of a digest give the same characters.
        let mut bytes = [0; 32];
        bytes[..5].copy_from_slice(b"fooba");
        assert!(encode(&bytes).starts_with("mzxw6ytb"));
        assert_eq!(encode(&[0xff; 32]), format!("{}q", "7".repeat(51)));
    }

    #[test]
    fn padding_bits_must_be_zero() {
        let mut text = "a".repeat(51);
        text.push('b');
        assert_eq!(decode(text.as_bytes()), None);
        assert_eq!(decode("A".repeat(52).as_bytes()), None);
        assert_eq!(decode("a".repeat(51).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn round_trip(bytes: [u8; 32]) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn decoded_text_is_canonical(text in "[a-z2-7]{52}") {
            if let Some(bytes) = decode(text.as_bytes()) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
