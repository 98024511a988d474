//! What decodes as a tree is encoded as the same bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(tree) = store::Tree::decode(data) {
        assert_eq!(tree.encode(), data);
    }
});
