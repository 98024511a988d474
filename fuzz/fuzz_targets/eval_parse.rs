//! Whatever text there is, it is parsed or refused.
#![no_main]

use eval::{MemoryIo, Origin, Session, Settings};
use std::sync::Arc;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let session = Session::new(Settings::new("x86_64-linux"), Arc::new(MemoryIo::default()));
    let _ = session.check_syntax(Origin::Text("fuzzed".to_owned()), data);
});
