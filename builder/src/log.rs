//! The log of a build: kept compressed, its last lines at hand, every line told as it comes. What was printed can be read from the file
//! soon afterwards, so that others can follow it. What is longer than allowed is read, so that the build does not wait for it, but not kept.

use crate::running::RunningBuild;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::local::{At, IoError};

/// Lines that are kept at hand.
const TAIL: usize = 40;

/// A line longer than this is told and kept at hand in parts.
const LONGEST_LINE: usize = 8 << 10;

const COMPRESSION: i32 = 3;

/// Who follows a log waits no longer than this for what was printed.
const DELAY: Duration = Duration::from_millis(250);

/// With more than this unwritten it is written before its time.
const UNWRITTEN: usize = 64 << 10;

/// A log being written, from a pipe whose other end the build has.
pub(crate) struct Log {
    place: PathBuf,
    reader: File,
    file: File,
    most: u64,
    /// What was printed and is not compressed yet, and since when.
    unwritten: Vec<u8>,
    since: Option<Instant>,
    /// Made when something has to be written before the end: most logs are short.
    compressed: Option<zstd::Encoder<'static, File>>,
    lines: Lines,
    bytes: u64,
    /// When something was printed last.
    last: Instant,
}

impl Log {
    /// Starts a log at `place` of at most `most` bytes. Returns with it the end of the pipe to give to the build; the log ends when all copies of it are closed.
    ///
    /// # Errors
    /// When the file or the pipe cannot be made.
    pub(crate) fn start(place: PathBuf, most: Option<u64>) -> Result<(Self, OwnedFd), IoError> {
        let (reader, writer) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at("make the log of", &place)?;
        let file = File::create(&place).at("create", &place)?;
        let log = Self {
            place,
            reader: reader.into(),
            file,
            most: most.unwrap_or(u64::MAX),
            unwritten: Vec::new(),
            since: None,
            compressed: None,
            lines: Lines { partial: Vec::new(), tail: VecDeque::new() },
            bytes: 0,
            last: Instant::now(),
        };
        Ok((log, writer))
    }

    /// Readable when there is something to [take](Self::take).
    pub(crate) fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Where it is written.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// How many bytes were printed.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// For how long nothing was printed.
    pub(crate) fn silence(&self) -> Duration {
        self.last.elapsed()
    }

    /// When what was printed should be written, for those who follow the log.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.since.map(|since| DELAY.saturating_sub(since.elapsed()))
    }

    /// Takes what was printed, telling its lines; waits until there is something. False at the end.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(crate) fn take(&mut self, told: &mut dyn FnMut(&str)) -> Result<bool, IoError> {
        let mut buffer = [0; 64 << 10];
        let length = loop {
            match self.reader.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read.at("read the log of", &self.place)?,
            }
        };
        if length == 0 {
            self.lines.end(told);
            return Ok(false);
        }
        let before = self.bytes;
        self.bytes += length as u64;
        let room = usize::try_from(self.most.saturating_sub(before)).unwrap_or(usize::MAX);
        let kept = &buffer[..room.min(length)];
        self.unwritten.extend_from_slice(kept);
        self.lines.take(kept, told);
        if before <= self.most && kept.len() < length {
            // Told at once: who listens may wait for a line, and no other comes.
            let end = format!("larder: the log ends here: it is longer than {} bytes", self.most);
            self.lines.end(told);
            self.unwritten.extend_from_slice(format!("\n{end}\n").as_bytes());
            self.lines.take(end.as_bytes(), told);
            self.lines.end(told);
        }
        // Whatever kept us from telling was not silence of the command.
        self.last = Instant::now();
        self.since.get_or_insert(self.last);
        if self.unwritten.len() > UNWRITTEN { self.write().map(|()| true) } else { Ok(true) }
    }

    /// Writes what was printed, so that it can be read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&mut self) -> Result<(), IoError> {
        let compressed = match &mut self.compressed {
            Some(compressed) => compressed,
            none => {
                let file = self.file.try_clone().at("write", &self.place)?;
                none.insert(zstd::Encoder::new(file, COMPRESSION).at("write", &self.place)?)
            }
        };
        compressed.write_all(&self.unwritten).and_then(|()| compressed.flush()).at("write", &self.place)?;
        self.unwritten.clear();
        self.since = None;
        Ok(())
    }

    /// Completes the log and gives it its final name. Returns the last lines.
    ///
    /// # Errors
    /// When it could not be written.
    pub(crate) fn finish(mut self, name: &Path) -> Result<Vec<String>, IoError> {
        match self.compressed.take() {
            Some(mut compressed) => {
                compressed.write_all(&self.unwritten).and_then(|()| compressed.finish()).at("write", &self.place)?;
            }
            None => {
                let whole = zstd::bulk::compress(&self.unwritten, COMPRESSION).at("write", &self.place)?;
                self.file.write_all(&whole).at("write", &self.place)?;
            }
        }
        std::fs::rename(&self.place, name).at("rename", &self.place)?;
        Ok(self.lines.tail.into())
    }
}

struct Lines {
    partial: Vec<u8>,
    tail: VecDeque<String>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], told: &mut dyn FnMut(&str)) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") || self.partial.len() >= LONGEST_LINE {
                self.end(told);
            }
        }
    }

    fn end(&mut self, told: &mut dyn FnMut(&str)) {
        if self.partial.is_empty() {
            return;
        }
        let line = printable(&self.partial);
        self.partial.clear();
        told(&line);
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }
}

/// A line without its end and without what would act on a terminal: escape sequences, control characters, bytes that are no UTF-8.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    // After a carriage return a program has overwritten its line: what it wrote last is what counts.
    let text = text.trim_end_matches(['\n', '\r']).rsplit('\r').next().unwrap_or_default();
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' => skip_escape(&mut characters),
            '\t' => clean.push(' '),
            character if character.is_control() => {}
            character => clean.push(character),
        }
    }
    clean
}

/// Skips the rest of an escape sequence: to the letter that ends a control sequence, to BEL or `ESC \` for a string.
fn skip_escape(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match characters.next() {
        Some('[') => while characters.next().is_some_and(|character| !('@'..='~').contains(&character)) {},
        Some(']' | 'P' | '_' | '^') => {
            while let Some(character) = characters.next() {
                if character == '\x07' || character == '\x1b' && characters.next_if_eq(&'\\').is_some() {
                    break;
                }
            }
        }
        _ => {}
    }
}

/// Why a log was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] IoError),
    /// It could not be written to where it was to go.
    #[error("cannot write the log")]
    Write(#[source] std::io::Error),
}

/// What the name of such a log ends with.
const OF_COMPARISON: &str = "compared.zst";

/// Where the log of a build goes that is compared with the one whose log has this place.
pub(crate) fn of_comparison(log: &Path) -> PathBuf {
    log.with_extension(OF_COMPARISON)
}

/// Whether a log is that of a build which was only to be compared with another one.
#[must_use]
pub fn is_of_comparison(log: &Path) -> bool {
    log.file_name().is_some_and(|name| name.to_string_lossy().ends_with(OF_COMPARISON))
}

/// Copies a log to `out`, as far as it is written.
///
/// # Errors
/// When there is none, it cannot be read, or `out` not written.
pub fn copy(place: &Path, out: &mut dyn Write) -> Result<(), CopyError> {
    copy_text(File::open(place).at("open", place)?, place, out)
}

/// Copies what a running build has printed so far. False if it has ended meanwhile.
///
/// # Errors
/// When the log cannot be read, or `out` not written.
pub fn copy_running(build: &RunningBuild, out: &mut dyn Write) -> Result<bool, CopyError> {
    let Some(file) = open_running(build)? else { return Ok(false) };
    copy_text(file, &build.log(), out).map(|()| true)
}

/// Copies the log of a running build to `out`, and what is added to it until the build ends. False if it has ended meanwhile.
///
/// # Errors
/// When it cannot be read or `out` not written.
pub fn follow(build: &RunningBuild, out: &mut dyn Write) -> Result<bool, CopyError> {
    let Some(file) = open_running(build)? else { return Ok(false) };
    copy_text(Growing { file, build }, &build.log(), out).map(|()| true)
}

/// The log of a running build, if it runs still: when it ends, another one's log has its place.
fn open_running(build: &RunningBuild) -> Result<Option<File>, IoError> {
    match File::open(build.log()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(|file| build.is_running().then_some(file)).at("open", build.log()),
    }
}

fn copy_text(log: impl Read, place: &Path, out: &mut dyn Write) -> Result<(), CopyError> {
    let mut text = zstd::Decoder::new(log).at("read", place)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = match text.read(&mut buffer) {
            // It is being written, or the larder that wrote it was killed.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            read => read.at("read", place)?,
        };
        if length == 0 {
            return Ok(());
        }
        out.write_all(&buffer[..length]).and_then(|()| out.flush()).map_err(CopyError::Write)?;
    }
}

/// Writes to a terminal, line by line and without what would act on it.
pub struct ForTerminal<W> {
    to: W,
    lines: Lines,
}

impl<W: Write> ForTerminal<W> {
    /// Nothing is written yet.
    pub fn new(to: W) -> Self {
        Self { to, lines: Lines { partial: Vec::new(), tail: VecDeque::new() } }
    }

    fn tell(&mut self, tell: impl FnOnce(&mut Lines, &mut dyn FnMut(&str))) -> std::io::Result<()> {
        let Self { to, lines } = self;
        let mut written = Ok(());
        tell(lines, &mut |line| {
            if written.is_ok() {
                written = writeln!(to, "{line}");
            }
        });
        written
    }

    /// Writes the last line, if it has no end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(mut self) -> std::io::Result<()> {
        self.tell(|lines, told| lines.end(told))?;
        self.to.flush()
    }
}

impl<W: Write> Write for ForTerminal<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.tell(|lines, told| lines.take(bytes, told)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// A file whose end is the end of a build.
struct Growing<'b> {
    file: File,
    build: &'b RunningBuild,
}

impl Read for Growing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            // In this order: what was written before the end is read.
            let running = self.build.is_running();
            let length = self.file.read(buffer)?;
            if length > 0 || !running {
                return Ok(length);
            }
            std::thread::sleep(DELAY / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log as far as it is written.
    fn read_log(place: &Path) -> Result<Vec<u8>, CopyError> {
        let mut text = Vec::new();
        copy(place, &mut text).map(|()| text)
    }

    #[test]
    fn nothing_of_a_log_acts_on_a_terminal() {
        let mut out = Vec::new();
        let mut terminal = ForTerminal::new(&mut out);
        for piece in [&b"\x1b]0;title\x07on"[..], b"e\ntwo\x1b[", b"2J\n", b"caf\xc3\xa9 \xc2\x9b31m", b"end"] {
            terminal.write_all(piece).expect("written");
        }
        terminal.end().expect("written");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), "one\ntwo\ncaf\u{e9} 31mend\n");
    }

    #[test]
    fn what_would_act_on_a_terminal_is_taken_out() {
        assert_eq!(printable(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07text\x08\n"), "red text");
        assert_eq!(printable(b" 10%\r 50%\r100%\n"), "100%");
        assert_eq!(printable(b"caf\xe9\tbar\x1b"), "caf\u{fffd} bar");
    }

    /// Takes all that was printed so far, or, if `writer` was dropped, all that there is.
    fn take_all(log: &mut Log, told: &mut dyn FnMut(&str)) {
        while is_readable(log) && log.take(told).expect("readable") {}
    }

    fn is_readable(log: &Log) -> bool {
        let mut polled = [rustix::event::PollFd::from_borrowed_fd(log.reader(), rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut polled, Some(&rustix::event::Timespec::default())).expect("polled") > 0
    }

    #[test]
    fn the_log_is_whole_and_its_end_at_hand() {
        let directory = tempfile::tempdir().expect("a directory");
        for early in [false, true] {
            let (mut log, writer) = Log::start(directory.path().join("partial"), None).expect("started");
            let mut writer = File::from(writer);
            let text: String = (0..100).map(|number| format!("line {number}\n")).collect();
            let (first, rest) = text.split_at(333);
            writer.write_all(first.as_bytes()).expect("written");
            take_all(&mut log, &mut |_| {});
            assert!(log.due().is_some());
            if early {
                log.write().expect("written");
                assert!(log.due().is_none());
                assert_eq!(read_log(&directory.path().join("partial")).expect("readable"), first.as_bytes());
            }
            writer.write_all(rest.as_bytes()).expect("written");
            drop(writer);
            take_all(&mut log, &mut |_| {});
            let name = directory.path().join("log.zst");
            let tail = log.finish(&name).expect("finished");
            assert_eq!((tail.len(), tail.last().map(String::as_str)), (TAIL, Some("line 99")));
            assert_eq!(read_log(&name).expect("readable"), text.as_bytes());
        }
    }

    #[test]
    fn much_is_written_before_its_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let partial = directory.path().join("partial");
        let (mut log, writer) = Log::start(partial.clone(), None).expect("started");
        let mut writer = File::from(writer);
        for _ in 0..3 {
            writer.write_all(&[b'x'; UNWRITTEN / 2]).expect("written");
            take_all(&mut log, &mut |_| {});
        }
        assert_eq!(read_log(&partial).expect("readable").len(), UNWRITTEN / 2 * 3);
    }

    #[test]
    fn a_log_that_is_too_long_is_cut_which_is_told_at_once_and_read_to_its_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut told = Vec::new();
        let (mut log, writer) = Log::start(directory.path().join("partial"), Some(10)).expect("started");
        let mut writer = File::from(writer);
        let end = "larder: the log ends here: it is longer than 10 bytes";
        for _ in 0..30 {
            writer.write_all(&[b'x'; 1 << 15]).expect("all of it is read");
            take_all(&mut log, &mut |line| told.push(line.to_owned()));
            assert_eq!(told, ["xxxxxxxxxx", end]);
        }
        drop(writer);
        take_all(&mut log, &mut |_| {});
        assert_eq!(log.bytes(), 30 << 15);
        let name = directory.path().join("log.zst");
        assert_eq!(log.finish(&name).expect("finished"), ["xxxxxxxxxx", end]);
        assert_eq!(read_log(&name).expect("readable"), format!("xxxxxxxxxx\n{end}\n").as_bytes());
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let mut lines = Lines { partial: Vec::new(), tail: VecDeque::new() };
        for _ in 0..1000 {
            lines.take(&[b'x'; 4096], &mut |_| {});
        }
        assert!(lines.partial.len() <= LONGEST_LINE && lines.tail.len() <= TAIL);
    }
}
