//! What decodes as a realisation is encoded as the same bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(realisation) = store::Realisation::decode(data) {
        assert_eq!(realisation.encode(), data);
    }
});
