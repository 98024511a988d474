//! A store path or input has one spelling.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(path) = text.parse::<store::StorePath>() {
        assert_eq!(path.to_string(), text);
        assert_ne!(path.tree().is_some(), path.derivation().is_some());
    }
    if let Ok(input) = text.parse::<store::Input>() {
        assert_eq!(input.to_string(), text);
    }
});
