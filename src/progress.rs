//! Showing what builds do: a region that is redrawn below scrolling lines on a terminal, plain lines elsewhere, JSON for programs.
//!
//! What is shown is a pure function of [`Run`], which events change.

mod early;
pub(crate) mod failure;
pub(crate) mod json;
mod plain;
mod region;
mod run;
mod timeline;

use crate::error::CliError;
use crate::look::human;
use crate::output;
use builder::Event;
use early::Early;
use failure::describe;
use plain::{Plain, Wanted};
use region::{Room, region};
use run::Run;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::shown;
use timeline::Timeline;
use unicode_width::UnicodeWidthChar;

/// How often the region is redrawn.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// How often it is looked whether nothing was said for long.
const LOOK: Duration = Duration::from_secs(1);

/// Times shorter than this are not worth showing.
const WORTH_SHOWING: Duration = Duration::from_secs(1);

/// Options of all commands that build: what is told of it, and how.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct WatchArgs {
    /// How to tell of what is going on
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    /// Show the log of each build when it ends
    #[arg(short = 'L', long)]
    print_build_logs: bool,
    /// Write a timeline of the builds to a file that trace viewers open
    #[arg(long, value_name = "FILE")]
    trace_out: Option<PathBuf>,
    /// What is told of already.
    #[arg(skip)]
    early: Early,
}

/// The form in which events are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// A tree that is redrawn on a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// Lines that scroll past
    Plain,
    /// One JSON object per line on standard error
    Json,
}

impl WatchArgs {
    /// The same, but no timeline is written.
    pub(crate) fn without_timeline(self) -> Self {
        Self { trace_out: None, early: Early::default(), ..self }
    }

    /// Whether events are told as JSON, so that nothing else should be.
    pub(crate) fn is_json(&self) -> bool {
        self.log_format == LogFormat::Json
    }
}

/// Shows a run while it lives.
pub(crate) struct Progress {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    trace: Option<(PathBuf, File)>,
}

struct Shared {
    told: Mutex<Told>,
    ended: AtomicBool,
    mode: Mode,
    slots: usize,
    began: Instant,
}

/// What was told and is known.
struct Told {
    run: Run,
    plain: Plain,
    /// Only if it is to be written.
    timeline: Option<Timeline>,
    /// Lines that are to scroll past the region.
    lines: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Quiet,
    Plain,
    Terminal,
    Json,
}

impl Progress {
    /// Begins to show a run of so many jobs at a time.
    ///
    /// # Errors
    /// When the file for the timeline cannot be made.
    pub(crate) fn start(quiet: bool, slots: usize, args: &WatchArgs) -> Result<Self, CliError> {
        let mode = match args.log_format {
            LogFormat::Json => Mode::Json,
            _ if quiet => Mode::Quiet,
            LogFormat::Auto if draws(quiet) => Mode::Terminal,
            _ => Mode::Plain,
        };
        let trace = args.trace_out.as_ref().map(|path| create(path)).transpose()?;
        let began = Instant::now();
        let wanted = Wanted { beginnings: mode == Mode::Plain, logs: args.print_build_logs };
        let told = Told {
            run: Run::default(),
            plain: Plain::new(wanted, began),
            timeline: trace.as_ref().map(|_| Timeline::default()),
            lines: Vec::new(),
        };
        let shared = Arc::new(Shared { told: Mutex::new(told), ended: AtomicBool::new(false), mode, slots, began });
        if mode == Mode::Json {
            output::error(&format!("{}\n", json::beginning()));
        }
        let thread = matches!(mode, Mode::Terminal | Mode::Plain).then(|| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("progress".to_owned()).spawn(move || shared.show_until_ended()).ok()
        });
        Ok(Self { shared, thread: thread.flatten(), trace })
    }

    /// Takes an event in; may be called from any thread.
    pub(crate) fn take(&self, event: &Event) {
        self.shared.take(event, Instant::now());
    }

    /// Ends the show, and writes the timeline if one is wanted.
    ///
    /// # Errors
    /// When the timeline cannot be written.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        self.write_timeline()
    }

    fn write_timeline(&mut self) -> Result<(), CliError> {
        let Some((path, mut file)) = self.trace.take() else { return Ok(()) };
        let timeline = self.shared.told().timeline.take().unwrap_or_default();
        let mut to = BufWriter::new(&mut file);
        let written = timeline.finish(self.shared.began.elapsed(), &mut to).and_then(|()| to.flush());
        written.map_err(|error| not_written(&path, &error))
    }
}

fn create(path: &Path) -> Result<(PathBuf, File), CliError> {
    let file = File::create(path).map_err(|error| not_written(path, &error))?;
    Ok((path.to_owned(), file))
}

fn not_written(path: &Path, error: &std::io::Error) -> CliError {
    CliError::failed(format!("cannot write the timeline `{}`: {error}", shown(&path)))
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
        // Something failed before the run could: that is told.
        let _ = self.write_timeline();
    }
}

impl Shared {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, event: &Event, now: Instant) {
        let time = now.saturating_duration_since(self.began);
        let mut told = self.told();
        let Told { run, plain, timeline, lines } = &mut *told;
        run.take(event, now);
        timeline.iter_mut().for_each(|timeline| timeline.take(event, time));
        match self.mode {
            Mode::Json => output::error(&format!("{}\n", json::event(event, time))),
            Mode::Plain => plain.lines(event, run, now).iter().for_each(|line| output::error(&format!("{line}\n"))),
            Mode::Terminal => lines.extend(plain.lines(event, run, now)),
            // What fails is told of in any case, and at once: what runs beside it may take long.
            Mode::Quiet => {
                if let Event::Failed { derivation, error } = event {
                    describe(derivation, error).iter().for_each(|line| output::error(&format!("{line}\n")));
                }
            }
        }
    }

    fn show_until_ended(&self) {
        let mut drawn = Vec::new();
        loop {
            let ended = self.ended.load(Ordering::SeqCst);
            match self.mode {
                Mode::Terminal => drawn = self.draw(&drawn, ended),
                _ if !ended => self.say_still(),
                _ => {}
            }
            if ended {
                return;
            }
            std::thread::park_timeout(if self.mode == Mode::Terminal { INTERVAL } else { LOOK });
        }
    }

    fn say_still(&self) {
        let mut told = self.told();
        let Told { run, plain, .. } = &mut *told;
        if let Some(line) = plain.still(run, Instant::now()) {
            output::error(&format!("{line}\n"));
        }
    }

    /// Takes the region away, lets new lines scroll past, and draws it again unless all has ended. Returns what is drawn now.
    fn draw(&self, drawn: &[String], ended: bool) -> Vec<String> {
        let (width, height) = terminal_size();
        let room = Room { width: width.saturating_sub(1), height: height / 2 };
        let mut told = self.told();
        let lines = std::mem::take(&mut told.lines);
        let region = if ended { Vec::new() } else { region(&told.run, self.slots, room, Instant::now()) };
        drop(told);
        if drawn.is_empty() && lines.is_empty() && region.is_empty() {
            return region;
        }
        let mut text = String::new();
        // A terminal that was made narrower has broken the lines.
        let rows: usize = drawn.iter().map(|line| columns(line).max(1).div_ceil(width.max(1))).sum();
        if rows > 0 {
            text.push_str(&format!("\x1b[{rows}A\r\x1b[J"));
        }
        for line in lines.iter().chain(&region) {
            text.push_str(line);
            text.push('\n');
        }
        output::error(&text);
        region
    }
}

/// Whether standard error can be drawn on, and should be.
pub(crate) fn draws(quiet: bool) -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !quiet && std::io::stderr().is_terminal() && !dumb
}

/// The characters of a line with the columns each takes; those of styles take none.
fn cells(line: &str) -> impl Iterator<Item = (char, usize)> {
    let mut styling = false;
    line.chars().map(move |character| {
        styling |= character == '\x1b';
        let width = if styling { 0 } else { character.width().unwrap_or(0) };
        styling &= character != 'm';
        (character, width)
    })
}

/// How many columns of a terminal a line takes.
fn columns(line: &str) -> usize {
    cells(line).map(|(_, width)| width).sum()
}

/// At most `width` columns, cut where that is too few.
pub(crate) fn cut(line: &str, width: usize) -> String {
    if columns(line) <= width {
        return line.to_owned();
    }
    let (mut short, mut taken, mut styled) = (String::new(), 0, false);
    for (character, wide) in cells(line) {
        if taken + wide + 1 > width {
            break;
        }
        styled |= character == '\x1b';
        taken += wide;
        short.push(character);
    }
    short.extend((width > 0).then_some('…'));
    if styled {
        short.push_str("\x1b[0m");
    }
    short
}

/// Columns and rows of the terminal that standard error is.
pub(crate) fn terminal_size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 => (size.ws_col.into(), usize::from(size.ws_row).max(6)),
        _ => (80, 24),
    }
}

#[cfg(test)]
mod tests {
    use super::run::Run;
    use super::*;
    use builder::event::PlannedJob;
    use builder::{BuildError, How, Kind};
    use store::StorePath;

    pub(super) fn derivation(number: usize) -> StorePath {
        let name = store::StoreName::parse(&format!("package-{number}")).expect("valid");
        let byte = u8::try_from(number).expect("small");
        StorePath::from_derivation(store::DerivationDigest::from_bytes([byte; 32]), &name).expect("valid")
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// Jobs that take the given seconds and need those with the given numbers.
    fn planned(now: Instant, jobs: &[(Option<u32>, &[usize])]) -> Run {
        let job = |(number, (seconds, needs)): (usize, &(Option<u32>, &[usize]))| PlannedJob {
            derivation: derivation(number),
            kind: Kind::Build,
            expected: seconds.map(|seconds| SECOND * seconds),
            needs: needs.to_vec(),
        };
        let mut run = Run::default();
        run.take(&Event::Planned { jobs: jobs.iter().enumerate().map(job).collect() }, now);
        run
    }

    fn start(run: &mut Run, number: usize, now: Instant) {
        run.take(&Event::Started { derivation: derivation(number), kind: Kind::Build, expected: None }, now);
    }

    fn shown(run: &Run, width: usize, height: usize, now: Instant) -> Vec<String> {
        region(run, 2, Room { width, height }, now)
    }

    #[test]
    fn the_region_fits_the_terminal() {
        let now = Instant::now();
        let mut run = planned(now, &[(Some(10), [].as_slice()); 20]);
        (0..20).for_each(|number| start(&mut run, number, now));
        let line = "漢字\u{301}".repeat(200);
        run.take(&Event::Output { derivation: derivation(3), line }, now);
        for width in [1, 2, 20, 80, 300] {
            for height in [3, 8, 40] {
                let region = shown(&run, width, height, now + SECOND * 5);
                assert!(region.iter().all(|line| columns(line) <= width), "{width}: {region:?}");
                assert!(region.len() <= height.max(2), "{height}: {region:?}");
            }
        }
        assert_eq!(shown(&run, 80, 8, now)[7], "  and 14 more");
    }

    #[test]
    fn what_waits_stands_above_what_it_waits_for() {
        let now = Instant::now();
        // 5 needs 4 and 3, 4 needs 2, which needs 0; 3 needs 1.
        let mut run = planned(
            now,
            &[(Some(60), &[]), (Some(5), &[]), (Some(5), &[0]), (Some(5), &[1]), (Some(5), &[2]), (Some(5), &[3, 4])],
        );
        start(&mut run, 0, now);
        start(&mut run, 1, now);
        run.take(&Event::Output { derivation: derivation(1), line: "checking for gcc".to_owned() }, now);
        assert_eq!(
            shown(&run, 200, 20, now),
            [
                "0 of 6 done, 2 running, about 1 min 15 s left",
                "  package-5",
                "  ├ building package-0 (then package-2, package-4)",
                "  └ building package-1 (then package-3): checking for gcc",
                "longest chain, 1 min 15 s: package-0, package-2, package-4, package-5",
            ]
        );
    }

    #[test]
    fn time_passes_and_what_fails_stays_in_sight() {
        let now = Instant::now();
        let mut run = planned(now, &[(Some(60), &[]), (Some(30), &[]), (Some(5), &[1])]);
        start(&mut run, 0, now);
        start(&mut run, 1, now);
        let error = std::sync::Arc::new(BuildError::Cancelled);
        run.take(&Event::Failed { derivation: derivation(1), error }, now);
        run.take(&Event::Skipped { derivation: derivation(2), because: derivation(1) }, now);
        let region = shown(&run, 200, 20, now + SECOND * 20);
        assert_eq!(
            region,
            [
                "0 of 3 done, 1 running, 1 failed, 1 not tried, about 40 s left",
                "  building package-0 20 s of about 1 min 0 s",
                "  failed package-1 (then package-2)",
            ]
        );
    }

    #[test]
    fn nothing_is_promised_that_is_not_known() {
        let now = Instant::now();
        let mut run = planned(now, &[(None, &[]), (None, &[]), (None, &[])]);
        start(&mut run, 0, now);
        assert_eq!(shown(&run, 200, 20, now)[0], "0 of 3 done, 1 running");
        // Once one has ended, others of its kind may take as long.
        run.take(&Event::Realised { derivation: derivation(0), how: How::Built, duration: SECOND * 8 }, now);
        start(&mut run, 1, now);
        assert_eq!(shown(&run, 200, 20, now)[0], "1 of 3 done, 1 running, about 8.0 s left");
    }

    #[test]
    fn the_log_of_a_build_comes_in_one_piece() {
        let now = Instant::now();
        let mut run = planned(now, &[(None, &[]), (None, &[])]);
        let mut plain = Plain::new(Wanted { beginnings: true, logs: true }, now);
        let output = |number, line: &str| Event::Output { derivation: derivation(number), line: line.to_owned() };
        let started = |number| Event::Started { derivation: derivation(number), kind: Kind::Build, expected: None };
        let realised =
            |number| Event::Realised { derivation: derivation(number), how: How::Built, duration: SECOND * 3 };
        let events = [started(0), started(1), output(0, "a"), output(1, "b"), output(0, "c"), realised(1), realised(0)];
        let mut lines = Vec::new();
        for event in events {
            run.take(&event, now);
            lines.extend(plain.lines(&event, &run, now));
        }
        let expected = [
            "building package-0",
            "building package-1",
            "package-1> b",
            "built package-1 (3.0 s)",
            "package-0> a",
            "package-0> c",
            "built package-0 (3.0 s)",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn waiting_for_another_larder_is_no_building() {
        let now = Instant::now();
        let mut run = planned(now, &[(Some(60), &[]), (None, &[]), (Some(5), &[0])]);
        let mut plain = Plain::new(Wanted { beginnings: true, logs: false }, now);
        let mut take = |run: &mut Run, event: Event, now: Instant| {
            run.take(&event, now);
            plain.lines(&event, run, now)
        };
        let waiting = |number| Event::Waiting { derivation: derivation(number) };
        let realised = |number, how, seconds: u32| Event::Realised {
            derivation: derivation(number),
            how,
            duration: SECOND * seconds,
        };
        assert_eq!(take(&mut run, waiting(0), now), ["waiting for another larder to realise package-0"]);
        let region = shown(&run, 200, 20, now + SECOND * 20);
        assert_eq!(
            region[..2],
            [
                "0 of 3 done, 0 running, 1 elsewhere, about 45 s left",
                "  waiting for another larder to realise package-0 20 s (then package-2)"
            ]
        );
        let lines = take(&mut run, realised(0, How::Reused, 0), now + SECOND * 30);
        assert_eq!(lines, ["package-0 was realised meanwhile"]);
        assert_eq!(shown(&run, 200, 20, now + SECOND * 30), [""; 0], "nothing is at work");

        // The other larder was killed.
        take(&mut run, waiting(1), now + SECOND * 30);
        start(&mut run, 1, now + SECOND * 50);
        let region = shown(&run, 200, 20, now + SECOND * 53);
        assert_eq!(region[..2], ["1 of 3 done, 1 running, about 5.0 s left", "  building package-1 3.0 s"]);
        let lines = take(&mut run, realised(1, How::Built, 4), now + SECOND * 54);
        assert_eq!(lines, ["built package-1 (4.0 s)"]);
        take(&mut run, waiting(2), now + SECOND * 60);
        let still = plain.still(&run, now + SECOND * 120);
        assert_eq!(still.as_deref(), Some("waiting for another larder to realise: package-2 1 min 0 s"));
    }

    #[test]
    fn a_long_silence_is_broken() {
        let now = Instant::now();
        let mut run = planned(now, &[(None, &[])]);
        let mut plain = Plain::new(Wanted { beginnings: true, logs: false }, now);
        start(&mut run, 0, now);
        assert_eq!(plain.still(&run, now + SECOND * 59), None);
        assert_eq!(plain.still(&run, now + SECOND * 60).as_deref(), Some("still at work: package-0 1 min 0 s"));
        assert_eq!(plain.still(&run, now + SECOND * 61), None);
    }

    #[test]
    fn lines_are_cut_by_columns() {
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("\x1b[31mfailed\x1b[0m x", 4), "\x1b[31mfai…\x1b[0m");
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("long", 0), "");
    }
}
