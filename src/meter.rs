//! A line that tells how far something is, redrawn on a terminal while it lives and nowhere else.

use crate::output;
use crate::progress::{INTERVAL, cut, draws, terminal_size};
use crate::text;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Steps,
}

impl Unit {
    fn human(self, count: u64) -> String {
        match self {
            Self::Bytes => text::bytes(count),
            Self::Steps => count.to_string(),
        }
    }
}

/// Shows how much of how much is done.
pub(crate) struct Meter {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Meter {
    /// `counts` gives what is done and all.
    pub(crate) fn start(
        quiet: bool,
        verb: &'static str,
        unit: Unit,
        counts: impl Fn() -> (u64, u64) + Send + 'static,
    ) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&ended);
        let draw = move || {
            let began = Instant::now();
            while !watched.load(Ordering::SeqCst) {
                std::thread::park_timeout(INTERVAL);
                let line = cut(&line(verb, unit, counts(), began.elapsed()), terminal_size().0.saturating_sub(1));
                output::error(&format!("\r\x1b[K{line}"));
            }
            output::error("\r\x1b[K");
        };
        let thread = draws(quiet).then(|| std::thread::Builder::new().name("meter".to_owned()).spawn(draw).ok());
        Self { ended, thread: thread.flatten() }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// `verifying [####      ] 1.2 GiB of 3.0 GiB, 400 MiB/s, 5 s left`
fn line(verb: &str, unit: Unit, (done, total): (u64, u64), elapsed: Duration) -> String {
    const WIDTH: u64 = 20;
    let done = done.min(total);
    let filled = usize::try_from((done * WIDTH).checked_div(total).unwrap_or(0)).unwrap_or(0);
    let bar: String = (0..20).map(|place| if place < filled { '#' } else { ' ' }).collect();
    let mut line = format!("{verb} [{bar}] {} of {}", unit.human(done), unit.human(total));
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if let Some(rate) = done.saturating_mul(1000).checked_div(milliseconds).filter(|rate| *rate > 0) {
        let left = Duration::from_secs((total - done) / rate);
        line.push_str(&format!(", {}/s, {} left", unit.human(rate), text::duration(left)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_far_and_how_long() {
        let second = Duration::from_secs(1);
        assert_eq!(line("reading", Unit::Bytes, (0, 0), Duration::ZERO), "reading [                    ] 0 B of 0 B");
        let half = line("reading", Unit::Bytes, (1 << 30, 2 << 30), second);
        assert_eq!(half, "reading [##########          ] 1.0 GiB of 2.0 GiB, 1.0 GiB/s, 1.0 s left");
        let steps = line("deleting", Unit::Steps, (50, 200), second);
        assert_eq!(steps, "deleting [#####               ] 50 of 200, 50/s, 3.0 s left");
        // Two looks at what is wrong read more than was expected.
        assert!(line("reading", Unit::Bytes, (5, 4), second).contains("[####################] 4 B of 4 B"));
    }
}
