//! What is read as a hash reads back from what it displays as.
#![no_main]

use store::{FileHash, HashAlgorithm};

libfuzzer_sys::fuzz_target!(|text: &str| {
    for algorithm in [None, Some(HashAlgorithm::Sha256), Some(HashAlgorithm::Sha512), Some(HashAlgorithm::Blake3)] {
        if let Ok(hash) = FileHash::parse(text, algorithm) {
            assert_eq!(hash.bytes().len(), hash.algorithm().size());
            assert_eq!(hash.to_string().parse(), Ok(hash));
        }
    }
});
