//! Whatever program there is, it is evaluated, printed, or refused with an error that can be shown; within small limits.
#![no_main]

use eval::{MemoryIo, RenderOptions, Session, Settings, render, to_json};
use std::path::Path;
use std::sync::Arc;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut settings = Settings::new("x86_64-linux");
    settings.max_call_depth = 200;
    settings.max_memory = Some(64 << 20);
    settings.stack_bytes = 32 << 20;
    settings.pipe_operators = true;
    let io = MemoryIo::default().with_file("/dir/default.nix", "{ a = 1; }").with_file("/dir/text", "text");
    let session = Session::new(settings, Arc::new(io));
    let value = session.eval_expr(data, Path::new("/dir"));
    let failures = [
        value.clone().and_then(|value| session.print(value, true)).err(),
        value.clone().and_then(|value| session.print_json(value)).err(),
        value.and_then(|value| session.print_xml(value, false)).err(),
    ];
    for diagnostic in failures.into_iter().flatten().flatten() {
        let shown = render(&diagnostic, session.sources(), RenderOptions { colour: true, trace: true });
        assert!(!shown.is_empty());
        assert!(to_json(&diagnostic, session.sources())["message"].is_string());
    }
});
