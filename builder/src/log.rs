//! The log of a build: kept compressed, its last lines at hand, every line told as it comes. What was printed can be read from the file
//! soon afterwards, so that others can follow it. What is longer than allowed is read, so that the build does not wait for it, but not kept.

use crate::running::RunningBuild;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::local::{At, IoError};

/// Lines that are kept at hand.
const TAIL: usize = 40;

/// A line longer than this is told and kept at hand in parts.
const LONGEST_LINE: usize = 8 << 10;

const COMPRESSION: i32 = 3;

/// Who follows a log waits no longer than this for what was printed.
const DELAY: Duration = Duration::from_millis(250);

/// A log being written by a thread of its own, from a pipe whose other end the build has.
#[derive(Debug)]
pub(crate) struct Log {
    place: PathBuf,
    written: Arc<Written>,
    thread: JoinHandle<Result<VecDeque<String>, IoError>>,
}

/// How much was printed, and when last.
#[derive(Debug)]
pub(crate) struct Written {
    bytes: AtomicU64,
    started: Instant,
    /// Milliseconds after the start.
    last: AtomicU64,
}

impl Written {
    fn nothing() -> Self {
        Self { bytes: AtomicU64::new(0), started: Instant::now(), last: AtomicU64::new(0) }
    }

    /// Notes some bytes; gives how many there were before.
    fn add(&self, bytes: usize) -> u64 {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed)
    }

    /// How many bytes were printed.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// For how long nothing was printed.
    pub(crate) fn silence(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}

impl Log {
    /// Starts a log at `place` of at most `most` bytes. Returns with it the end of the pipe to give to the build; the log ends when all copies of it are closed.
    ///
    /// # Errors
    /// When the file or the pipe cannot be made.
    pub(crate) fn start(
        place: PathBuf,
        most: Option<u64>,
        mut told: impl FnMut(&str) + Send + 'static,
    ) -> Result<(Self, OwnedFd), IoError> {
        let (reader, writer) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at("make the log of", &place)?;
        let file = File::create(&place).at("create", &place)?;
        let path = place.clone();
        let written = Arc::new(Written::nothing());
        let counted = Arc::clone(&written);
        let write = move || Copying { file, path: &path, most, written: &counted }.copy(reader.into(), &mut told);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(write).at("write", &place)?;
        Ok((Self { place, written, thread }, writer))
    }

    /// What was printed so far.
    pub(crate) fn written(&self) -> &Written {
        &self.written
    }

    /// Waits for the end and gives the log its final name. Returns the last lines.
    ///
    /// # Errors
    /// When it could not be written.
    pub(crate) fn finish(self, name: &Path) -> Result<Vec<String>, IoError> {
        let tail = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        std::fs::rename(&self.place, name).at("rename", &self.place)?;
        Ok(tail.into())
    }
}

struct Copying<'c> {
    file: File,
    path: &'c Path,
    most: Option<u64>,
    written: &'c Written,
}

impl Copying<'_> {
    fn copy(self, mut reader: File, told: &mut dyn FnMut(&str)) -> Result<VecDeque<String>, IoError> {
        let Self { file, path, most, written } = self;
        let most = most.unwrap_or(u64::MAX);
        let mut compressed = zstd::Encoder::new(file, COMPRESSION).at("write", path)?;
        let mut lines = Lines { partial: Vec::new(), tail: VecDeque::new() };
        let mut buffer = vec![0; 64 << 10];
        let mut unread = Unread::default();
        loop {
            if unread.is_due(&reader) {
                compressed.flush().at("write", path)?;
                unread = Unread::default();
            }
            let length = match reader.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read.at("read the log of", path)?,
            };
            if length == 0 {
                break;
            }
            let before = written.add(length);
            let room = most.saturating_sub(before);
            let kept = &buffer[..usize::try_from(room).unwrap_or(usize::MAX).min(length)];
            compressed.write_all(kept).at("write", path)?;
            unread.since.get_or_insert_with(Instant::now);
            lines.take(kept, told);
            if before <= most && kept.len() < length {
                // Told at once: who listens may wait for a line, and no other comes.
                let end = format!("larder: the log ends here: it is longer than {most} bytes");
                lines.end(told);
                compressed.write_all(format!("\n{end}\n").as_bytes()).at("write", path)?;
                lines.take(end.as_bytes(), told);
                lines.end(told);
            }
        }
        lines.end(told);
        compressed.finish().at("write", path)?;
        Ok(lines.tail)
    }
}

/// What was printed and cannot be read from the file yet.
#[derive(Default)]
struct Unread {
    since: Option<Instant>,
}

impl Unread {
    /// Waits until there is more to read, or what there is has waited long enough: then it is true.
    fn is_due(&self, reader: &File) -> bool {
        let Some(since) = self.since else { return false };
        let left = DELAY.saturating_sub(since.elapsed());
        let timeout = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        let mut polled = [PollFd::new(reader, PollFlags::IN)];
        // An interrupted wait is a short one.
        left.is_zero() || rustix::event::poll(&mut polled, Some(&timeout)) == Ok(0)
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

/// Reads a log, as far as it is written.
///
/// # Errors
/// When there is none or it cannot be read.
pub fn read_log(place: &Path) -> Result<Vec<u8>, IoError> {
    let mut text = Vec::new();
    let mut decoder = zstd::Decoder::new(File::open(place).at("open", place)?).at("read", place)?;
    match decoder.read_to_end(&mut text) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        read => drop(read.at("read", place)?),
    }
    Ok(text)
}

/// Copies the log of a running build to `out`, and what is added to it until the build ends.
///
/// # Errors
/// When it cannot be read or `out` not written.
pub fn follow(build: &RunningBuild, out: &mut dyn Write) -> std::io::Result<()> {
    let growing = Growing { file: File::open(build.log())?, build };
    let mut text = zstd::Decoder::new(growing)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = match text.read(&mut buffer) {
            // The larder that wrote it was killed.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            read => read?,
        };
        if length == 0 {
            return Ok(());
        }
        out.write_all(&buffer[..length])?;
        out.flush()?;
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

    #[test]
    fn what_would_act_on_a_terminal_is_taken_out() {
        assert_eq!(printable(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07text\x08\n"), "red text");
        assert_eq!(printable(b" 10%\r 50%\r100%\n"), "100%");
        assert_eq!(printable(b"caf\xe9\tbar\x1b"), "caf\u{fffd} bar");
    }

    #[test]
    fn the_log_is_whole_and_its_end_at_hand() {
        let directory = tempfile::tempdir().expect("a directory");
        let (log, writer) = Log::start(directory.path().join("partial"), None, |_| {}).expect("started");
        let text: String = (0..100).map(|number| format!("line {number}\n")).collect();
        File::from(writer).write_all(text.as_bytes()).expect("written");
        let name = directory.path().join("log.zst");
        let tail = log.finish(&name).expect("finished");
        assert_eq!((tail.len(), tail.last().map(String::as_str)), (TAIL, Some("line 99")));
        assert_eq!(read_log(&name).expect("readable"), text.as_bytes());
    }

    #[test]
    fn what_was_printed_can_be_read_soon() {
        let directory = tempfile::tempdir().expect("a directory");
        let partial = directory.path().join("partial");
        let (log, writer) = Log::start(partial.clone(), None, |_| {}).expect("started");
        let mut writer = File::from(writer);
        for (line, text) in [("first\n", "first\n"), ("second\n", "first\nsecond\n")] {
            writer.write_all(line.as_bytes()).expect("written");
            let begun = Instant::now();
            loop {
                let read = read_log(&partial).expect("readable");
                if read == text.as_bytes() {
                    break;
                }
                assert!(begun.elapsed() < DELAY * 40, "{:?}", String::from_utf8_lossy(&read));
                std::thread::sleep(DELAY / 10);
            }
        }
        drop(writer);
        log.finish(&directory.path().join("log")).expect("finished");
    }

    #[test]
    fn a_log_that_is_too_long_is_cut_which_is_told_at_once_and_read_to_its_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let (sender, told) = std::sync::mpsc::channel();
        let tell = move |line: &str| drop(sender.send(line.to_owned()));
        let (log, writer) = Log::start(directory.path().join("partial"), Some(10), tell).expect("started");
        let mut writer = File::from(writer);
        writer.write_all(&[b'x'; 1 << 20]).expect("all of it is read");
        let end = "larder: the log ends here: it is longer than 10 bytes";
        assert_eq!([told.recv(), told.recv()], [Ok("xxxxxxxxxx".to_owned()), Ok(end.to_owned())]);
        writer.write_all(&[b'x'; 1 << 20]).expect("all of it is read");
        drop(writer);
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
