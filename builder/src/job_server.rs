//! The job server: one budget of processor tokens for all builds of a larder, by the protocol of GNU make.
//!
//! Every build has a FIFO of its own, which it sees as a file and has open (see [`crate::environment`]). One thread looks after all
//! of them, beside whoever begins; who gets how many the [ledger](crate::tokens) decides. So a build that is killed with tokens, drains its FIFO or fills it
//! harms only itself.

use crate::activity::{self, Activity, Reading};
use crate::spawner::CancelHandle;
use crate::tokens::{Ledger, Pipes, Settled};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{Mode, OFlags};
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use store::local::{At, IoError};

/// How often FIFOs are looked into while tokens could move between builds: at first, and after nothing has moved for long.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(64));

/// How often who waits to begin looks whether it was cancelled.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a token looks like: any byte is one.
const TOKEN: &[u8] = b"+";

/// Hands out tokens while it lives.
#[derive(Debug)]
pub(crate) struct JobServer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// One token, and the right of a build to more of them: until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    shared: Arc<Shared>,
    build: u64,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when who takes part has changed.
    changed: OwnedFd,
    source: Source,
}

/// How it is read what has been used.
#[derive(Debug, Clone, Copy)]
struct Source {
    idle: fn() -> Option<Reading>,
    builds: fn(&mut Reading, &[(u64, CancelHandle)]),
}

#[derive(Debug)]
struct State {
    ledger: Ledger,
    fifos: Fifos,
    /// Who waits to begin.
    waiting: HashMap<u64, Sender<()>>,
    /// Where those are that have begun.
    sandboxes: HashMap<u64, CancelHandle>,
    next: u64,
    /// Whether the thread looks again by itself.
    attentive: bool,
    ended: bool,
}

#[derive(Debug, Default)]
struct Fifos(HashMap<u64, Arc<OwnedFd>>);

impl JobServer {
    /// A server of `budget` tokens.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub(crate) fn start(budget: usize) -> std::io::Result<Self> {
        Self::start_with(budget, Source { idle: Reading::take, builds: Reading::take_of_builds })
    }

    fn start_with(budget: usize, source: Source) -> std::io::Result<Self> {
        let changed = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let state = State {
            ledger: Ledger::new(budget),
            fifos: Fifos::default(),
            waiting: HashMap::new(),
            sandboxes: HashMap::new(),
            next: 0,
            attentive: false,
            ended: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed, source });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("tokens".to_owned()).spawn(move || for_thread.serve())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Lets a build have tokens by the FIFO at `place` and waits for its first one. It never gets more than `most`. `None` if `cancelled`
    /// says so.
    ///
    /// # Errors
    /// When the FIFO cannot be opened.
    pub(crate) fn join(
        &self,
        place: &Path,
        most: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Seat>, IoError> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fifo = rustix::fs::open(place, flags, Mode::empty()).at("open", place)?;
        // Descriptors that a build before has left on their way to somebody keep what it wrote.
        while rustix::io::read(&fifo, &mut [0; 4096]).is_ok_and(|length| length > 0) {}
        let (sender, admitted) = channel();
        let build = self.shared.add(fifo, most, sender);
        let seat = Seat { shared: Arc::clone(&self.shared), build };
        loop {
            match admitted.recv_timeout(PATIENCE) {
                Ok(()) => return Ok(Some(seat)),
                Err(RecvTimeoutError::Timeout) if !cancelled() => {}
                Err(_) => return Ok(None),
            }
        }
    }
}

impl Drop for JobServer {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.tell();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Seat {
    /// Tells where the build runs, so that others have the processors that it does not use.
    pub(crate) fn is_in(&self, sandbox: CancelHandle) {
        self.shared.lock().sandboxes.insert(self.build, sandbox);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ledger.leave(self.build);
        state.sandboxes.remove(&self.build);
        state.waiting.remove(&self.build);
        state.fifos.0.remove(&self.build);
        let others = !state.fifos.0.is_empty();
        drop(state);
        if others {
            self.shared.tell();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        // It can only be full, and then it has been told.
        let _ = rustix::io::write(&self.changed, &1_u64.to_ne_bytes());
    }

    fn add(&self, fifo: OwnedFd, most: usize, admitted: Sender<()>) -> u64 {
        let mut state = self.lock();
        let build = state.next;
        state.next += 1;
        state.ledger.ask(build, most);
        state.fifos.0.insert(build, Arc::new(fifo));
        state.waiting.insert(build, admitted);
        // Mostly it is let in at once, and the thread need not wake for it.
        let settled = state.settle();
        let watched = settled.contested || !settled.pressed.is_empty() || !settled.admitted.contains(&build);
        let watched = watched || settled.wanting && !state.attentive;
        drop(state);
        if watched {
            self.tell();
        }
        build
    }

    fn serve(&self) {
        let mut interval = INTERVALS.0;
        let mut activity = Activity::default();
        loop {
            let mut state = self.lock();
            if state.ended {
                return;
            }
            let settled = state.settle();
            if !settled.wanting {
                // Nobody looks, so what was known of sleepers grows old.
                state.ledger.note(None);
            }
            let pressed: Vec<_> =
                settled.pressed.iter().filter_map(|build| state.fifos.0.get(build).cloned()).collect();
            state.attentive = settled.wanting;
            drop(state);
            interval = if settled.moved { INTERVALS.0 } else { (interval * 2).min(INTERVALS.1) };
            let longest =
                if settled.contested { Some(interval) } else { settled.wanting.then_some(activity::INTERVAL) };
            if self.wait(&pressed, longest) {
                interval = INTERVALS.0;
            }
            if settled.wanting && activity.is_due() {
                self.look(&mut activity);
            }
        }
    }

    /// Looks how busy the builds are, where that may change something.
    fn look(&self, activity: &mut Activity) {
        let state = self.lock();
        let lends = state.ledger.lends();
        let sandboxes: Vec<_> = state.sandboxes.iter().map(|(build, at)| (*build, at.clone())).collect();
        drop(state);
        // Not under the lock: it takes a while, and builds begin and end.
        let busy = (self.source.idle)().and_then(|mut reading| {
            if lends || activity.saw_idle(&reading) {
                (self.source.builds)(&mut reading, &sandboxes);
            }
            activity.add(reading)
        });
        self.lock().ledger.note(busy.as_ref());
    }

    /// Waits until who takes part changes (then it is true), one of these FIFOs has a token, or the time is over.
    fn wait(&self, pressed: &[Arc<OwnedFd>], longest: Option<Duration>) -> bool {
        let fds = std::iter::once(&self.changed).chain(pressed.iter().map(AsRef::as_ref));
        let mut polled: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
        let longest = longest.map(|time| Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) });
        // An interruption is a look too many.
        let _ = poll(&mut polled, longest.as_ref());
        let changed = polled[0].revents().contains(PollFlags::IN);
        if changed {
            let _ = rustix::io::read(&self.changed, &mut [0; 8]);
        }
        changed
    }
}

impl State {
    fn settle(&mut self) -> Settled {
        let settled = self.ledger.settle(&self.fifos);
        for sender in settled.admitted.iter().filter_map(|build| self.waiting.remove(build)) {
            // Who does not wait any more leaves.
            let _ = sender.send(());
        }
        settled
    }
}

impl Pipes for Fifos {
    fn available(&self, build: u64) -> usize {
        let count = self.0.get(&build).and_then(|fifo| rustix::io::ioctl_fionread(fifo).ok());
        count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
    }

    fn take(&self, build: u64, count: usize) -> usize {
        let mut buffer = [0; 4096];
        let mut taken = 0;
        while let Some(fifo) = self.0.get(&build).filter(|_| taken < count) {
            let most = buffer.len().min(count - taken);
            match rustix::io::read(fifo, &mut buffer[..most]) {
                Ok(length) if length > 0 => taken += length,
                _ => break,
            }
        }
        taken
    }

    fn put(&self, build: u64) -> bool {
        self.0.get(&build).is_some_and(|fifo| rustix::io::write(fifo, TOKEN) == Ok(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};

    fn make(directory: &tempfile::TempDir, name: &str) -> std::path::PathBuf {
        let place = directory.path().join(name);
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &place, rustix::fs::FileType::Fifo, mode, 0).expect("made");
        place
    }

    fn open(place: &Path) -> File {
        File::options().read(true).write(true).open(place).expect("opened")
    }

    #[test]
    fn a_build_that_holds_all_lets_another_in_when_it_puts_one_back_and_its_end_frees_the_rest() {
        let directory = tempfile::tempdir().expect("a directory");
        let server = JobServer::start(3).expect("started");
        let first = server.join(&make(&directory, "first"), 3, &|| false).expect("made").expect("let in");
        let mut fifo = open(&directory.path().join("first"));
        fifo.read_exact(&mut [0; 2]).expect("two further tokens");
        assert!(server.join(&make(&directory, "second"), 3, &|| true).expect("made").is_none(), "none is free");
        std::thread::scope(|scope| {
            let third = scope.spawn(|| server.join(&make(&directory, "third"), 3, &|| false));
            fifo.write_all(b"+").expect("put back");
            let third = third.join().expect("no panic").expect("made").expect("let in");
            drop(first);
            open(&directory.path().join("third")).read_exact(&mut [0; 2]).expect("the rest");
            drop(third);
        });
    }

    /// Whether the second of two builds has a token more after a while, if this is what is read.
    fn is_lent(source: Source, longest: Duration) -> bool {
        let directory = tempfile::tempdir().expect("a directory");
        let server = JobServer::start_with(2, source).expect("started");
        let seats = ["first", "second"].map(|name| {
            let seat = server.join(&make(&directory, name), 2, &|| false).expect("made").expect("let in");
            seat.is_in(CancelHandle::default());
            seat
        });
        let fifo = open(&directory.path().join("second"));
        let longest = Timespec::try_from(longest).expect("not long");
        let ready = poll(&mut [PollFd::new(&fifo, PollFlags::IN)], Some(&longest)).expect("polled");
        drop(seats);
        ready == 1
    }

    #[test]
    fn the_processor_of_a_build_that_sleeps_is_lent_to_one_that_computes() {
        fn used(reading: &mut Reading, sandboxes: &[(u64, CancelHandle)], first: f64, others: f64) {
            reading.set_used(sandboxes.iter().map(|(build, _)| (*build, if *build == 0 { first } else { others })));
        }
        let idle = || Some(Reading::of_idle_processor());
        let source = |builds: fn(&mut Reading, &[(u64, CancelHandle)])| Source { idle, builds };
        let long_enough = activity::INTERVAL * 12;
        assert!(is_lent(source(|reading, sandboxes| used(reading, sandboxes, 0.0, 1.0)), Duration::from_secs(30)));
        assert!(!is_lent(source(|reading, sandboxes| used(reading, sandboxes, 0.0, 0.0)), long_enough), "both sleep");
        assert!(!is_lent(source(|_, _| ()), long_enough), "the system does not tell");
        let busy = Source { idle: || None, ..source(|reading, sandboxes| used(reading, sandboxes, 0.0, 1.0)) };
        assert!(!is_lent(busy, long_enough), "no processor is known to be idle");
    }

    #[test]
    fn what_a_build_before_has_written_is_no_token() {
        let directory = tempfile::tempdir().expect("a directory");
        let server = JobServer::start(1).expect("started");
        let place = make(&directory, "again");
        let mut kept = open(&place);
        kept.write_all(&[b'+'; 9000]).expect("there is room");
        let _seat = server.join(&place, 1, &|| false).expect("made").expect("let in");
        rustix::io::ioctl_fionbio(&kept, true).expect("set");
        assert_eq!(kept.read(&mut [0]).expect_err("empty").kind(), std::io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_fifo_that_is_filled_up_does_not_stop_the_server() {
        let directory = tempfile::tempdir().expect("a directory");
        let server = JobServer::start(3).expect("started");
        let _hostile = server.join(&make(&directory, "hostile"), 3, &|| false).expect("made").expect("let in");
        open(&directory.path().join("hostile")).write_all(&[b'x'; 50_000]).expect("there is room");
        let _other = server.join(&make(&directory, "other"), 3, &|| false).expect("made").expect("let in");
        open(&directory.path().join("other")).read_exact(&mut [0; 1]).expect("the third token");
    }
}
