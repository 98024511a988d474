//! Parses a file many times and prints the best time: for measurements.
//!
//! `parse FILE`

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a program, not the library")]

use eval::{MemoryIo, Origin, Session, Settings};
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let path = std::env::args().nth(1).unwrap_or_default();
    let text = std::fs::read(&path).unwrap_or_default();
    let session = Session::new(Settings::new("x86_64-linux"), Arc::new(MemoryIo::default()));
    let times = (0..20).map(|_| {
        let start = Instant::now();
        let wrong = session.check_syntax(Origin::Text(path.clone()), &text).err().map_or(0, |errors| errors.len());
        (start.elapsed(), wrong)
    });
    let (best, wrong) = times.min().unwrap_or_default();
    println!("{} bytes, {wrong} errors, {:.2} ms", text.len(), best.as_secs_f64() * 1000.0);
}
