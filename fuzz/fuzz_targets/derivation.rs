//! What decodes as a derivation is encoded as the same bytes, and makes sense.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(derivation) = store::Derivation::decode(data) {
        assert_eq!(derivation.encode(), data);
        derivation.check().expect("decoding checks");
        for input in derivation.all_inputs() {
            let _ = input.mention();
        }
    }
});
