//! Showing what builds do: a region that is redrawn below scrolling lines on a terminal, plain lines elsewhere.
//!
//! What is shown is a pure function of [`State`], which events change.

use crate::output;
use crate::text;
use builder::{Event, How, Kind};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::StorePath;

/// How often the region is redrawn.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// Times shorter than this are not worth showing.
const WORTH_SHOWING: Duration = Duration::from_secs(1);

/// One piece of running work.
#[derive(Debug, Clone)]
struct Running {
    kind: Kind,
    since: Instant,
    expected: Option<Duration>,
    waiting: bool,
    /// Its last line, or how far a fetch is.
    last: String,
}

/// What is known of a run.
#[derive(Debug, Default)]
struct State {
    planned: usize,
    built: usize,
    reused: usize,
    failed: usize,
    skipped: usize,
    running: BTreeMap<StorePath, Running>,
    /// Lines that are to scroll past.
    lines: Vec<String>,
}

impl State {
    fn take(&mut self, event: Event, now: Instant) {
        match event {
            Event::Planned { jobs } => self.planned = jobs.len(),
            Event::Started { derivation, kind, expected } => {
                let running = Running { kind, since: now, expected, waiting: false, last: String::new() };
                self.running.insert(derivation, running);
            }
            Event::Waiting { derivation } => self.change(&derivation, |running| running.waiting = true),
            Event::Fetched { derivation, bytes, total } => {
                let of = total.map(|total| format!(" of {}", text::bytes(total))).unwrap_or_default();
                self.change(&derivation, |running| running.last = format!("{}{of}", text::bytes(bytes)));
            }
            Event::Output { derivation, line } => self.change(&derivation, |running| running.last = line),
            Event::Realised { derivation, how, duration } => self.realised(&derivation, how, duration),
            Event::Failed { derivation, error } => {
                self.running.remove(&derivation);
                self.failed += 1;
                let first = error.to_string();
                let first = first.lines().next().unwrap_or_default();
                self.lines.push(format!("{} {}: {first}", output::styled("failed", "31"), human(&derivation)));
            }
            Event::Postponed { derivation, because } => {
                self.running.remove(&derivation);
                let name = human(&derivation);
                self.lines.push(format!("{} {name} alone: {because}", output::styled("to be tried again:", "33")));
            }
            Event::Skipped { .. } => self.skipped += 1,
        }
    }

    fn change(&mut self, derivation: &StorePath, change: impl FnOnce(&mut Running)) {
        self.running.get_mut(derivation).into_iter().for_each(change_with(change));
    }

    fn realised(&mut self, derivation: &StorePath, how: How, duration: Duration) {
        let Some(running) = self.running.remove(derivation) else { return };
        match how {
            How::Reused => self.reused += 1,
            How::Built => {
                self.built += 1;
                let verb = match running.kind {
                    Kind::Fetch => "fetched",
                    Kind::Builtin => "made",
                    Kind::Build => "built",
                };
                let time =
                    if duration >= WORTH_SHOWING { format!(" ({})", text::duration(duration)) } else { String::new() };
                self.lines.push(format!("{} {}{time}", output::styled(verb, "32"), human(derivation)));
            }
        }
    }

    /// The region: a line of sums and one for each piece of running work, those that run longest first.
    fn region(&self, width: usize, height: usize, now: Instant) -> Vec<String> {
        if self.running.is_empty() {
            return Vec::new();
        }
        let mut running: Vec<_> = self.running.iter().collect();
        running.sort_by_key(|(_, running)| running.since);
        let done = self.built + self.reused;
        let mut sums = format!("{done} of {} done, {} running", self.planned, running.len());
        if self.failed > 0 {
            sums.push_str(&format!(", {} failed", self.failed));
        }
        let mut lines = vec![cut(&sums, width)];
        let room = height.saturating_sub(1).max(1);
        for (derivation, running) in running.iter().take(room) {
            lines.push(cut(&running.line(derivation, now), width));
        }
        if running.len() > room {
            lines.push(cut(&format!("  and {} more", running.len() - room), width));
        }
        lines
    }
}

fn change_with(change: impl FnOnce(&mut Running)) -> impl FnMut(&mut Running) {
    let mut change = Some(change);
    move |running| {
        if let Some(change) = change.take() {
            change(running);
        }
    }
}

impl Running {
    fn line(&self, derivation: &StorePath, now: Instant) -> String {
        let verb = match (self.waiting, self.kind) {
            (true, _) => "waiting for another larder to realise",
            (_, Kind::Fetch) => "fetching",
            (_, Kind::Builtin) => "making",
            (_, Kind::Build) => "building",
        };
        let elapsed = now.saturating_duration_since(self.since);
        let mut line = format!("  {verb} {}", human(derivation));
        if elapsed >= WORTH_SHOWING {
            line.push_str(&format!(" {}", text::duration(elapsed)));
            if let Some(expected) = self.expected {
                line.push_str(&format!(" of about {}", text::duration(expected)));
            }
        }
        if !self.last.is_empty() {
            line.push_str(&format!(": {}", self.last));
        }
        line
    }
}

/// Whether standard error can be drawn on, and should be.
pub(crate) fn draws(quiet: bool) -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !quiet && std::io::stderr().is_terminal() && !dumb
}

/// A derivation's name without its ending.
pub(crate) fn human(derivation: &StorePath) -> &str {
    let name = derivation.name().as_str();
    name.strip_suffix(".drv").unwrap_or(name)
}

/// At most `width` characters, cut where that is too few.
pub(crate) fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Shows a run while it lives.
pub(crate) struct Progress {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    ended: AtomicBool,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Quiet,
    Plain,
    Terminal,
}

impl Progress {
    pub(crate) fn start(quiet: bool) -> Self {
        let mode = match (quiet, draws(quiet)) {
            (true, _) => Mode::Quiet,
            (_, true) => Mode::Terminal,
            (_, false) => Mode::Plain,
        };
        let shared = Arc::new(Shared { state: Mutex::default(), ended: AtomicBool::new(false), mode });
        let thread = (mode == Mode::Terminal).then(|| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("progress".to_owned()).spawn(move || shared.draw_until_ended()).ok()
        });
        Self { shared, thread: thread.flatten() }
    }

    /// Takes an event in; may be called from any thread.
    pub(crate) fn take(&self, event: Event) {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.take(event, Instant::now());
        if self.shared.mode == Mode::Plain {
            let lines = std::mem::take(&mut state.lines);
            lines.iter().for_each(|line| output::error(&format!("{line}\n")));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn draw_until_ended(&self) {
        let mut drawn = 0;
        loop {
            let ended = self.ended.load(Ordering::SeqCst);
            drawn = self.draw(drawn, ended);
            if ended {
                return;
            }
            std::thread::sleep(INTERVAL);
        }
    }

    /// Takes the region away, lets new lines scroll past, and draws it again unless all has ended.
    fn draw(&self, drawn: usize, ended: bool) -> usize {
        let (width, height) = terminal_size();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut state.lines);
        let region = if ended { Vec::new() } else { state.region(width.saturating_sub(1), height / 3, Instant::now()) };
        drop(state);
        if drawn == 0 && lines.is_empty() && region.is_empty() {
            return 0;
        }
        let mut text = String::new();
        if drawn > 0 {
            text.push_str(&format!("\x1b[{drawn}A\r\x1b[J"));
        }
        for line in lines.iter().chain(&region) {
            text.push_str(line);
            text.push('\n');
        }
        output::error(&text);
        region.len()
    }
}

pub(crate) fn terminal_size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 => (size.ws_col.into(), usize::from(size.ws_row).max(6)),
        _ => (80, 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derivation(number: u8) -> StorePath {
        let name = store::StoreName::parse(&format!("package-{number}")).expect("valid");
        StorePath::from_derivation(store::DerivationDigest::from_bytes([number; 32]), &name).expect("valid")
    }

    fn started(count: u8, now: Instant) -> State {
        let mut state = State::default();
        state.take(Event::Planned { jobs: (0..count).map(|number| (derivation(number), Kind::Build)).collect() }, now);
        for number in 0..count {
            state.take(Event::Started { derivation: derivation(number), kind: Kind::Build, expected: None }, now);
        }
        state
    }

    #[test]
    fn the_region_fits_the_terminal() {
        let now = Instant::now();
        let state = started(20, now);
        for width in [20, 80, 300] {
            let region = state.region(width, 8, now + Duration::from_secs(5));
            assert!(region.iter().all(|line| line.chars().count() <= width), "{width}");
            assert!(region.len() <= 9);
        }
        assert_eq!(state.region(80, 8, now)[0], "0 of 20 done, 20 running");
    }

    #[test]
    fn what_is_done_leaves_the_region_and_scrolls_past() {
        let now = Instant::now();
        let mut state = started(2, now);
        state.take(Event::Output { derivation: derivation(1), line: "checking for gcc".to_owned() }, now);
        state.take(
            Event::Realised { derivation: derivation(0), how: How::Built, duration: Duration::from_secs(3) },
            now,
        );
        assert!(state.lines[0].ends_with("package-0 (3.0 s)"));
        assert_eq!(state.region(80, 8, now)[1], "  building package-1: checking for gcc");
    }
}
