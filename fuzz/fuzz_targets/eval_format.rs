//! Whatever text there is, its tree is lossless, and what can be formatted stays formatted.
#![no_main]

use eval::syntax::{ParseOptions, parse_tree};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let parsed = parse_tree(data, ParseOptions { max_depth: 200, ..ParseOptions::default() });
    let tokens: Vec<u8> = parsed.tree().tokens().flat_map(|token| token.text().to_vec()).collect();
    assert_eq!(tokens, data);
    if let Ok(once) = eval::format::format("fuzzed", data) {
        let twice = eval::format::format("fuzzed", &once).expect("what is formatted has no errors");
        assert_eq!(once, twice);
    }
});
