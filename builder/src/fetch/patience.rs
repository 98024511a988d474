//! Waiting for the network only as long as somebody wants what comes: what may wait for it is done in threads of its own, which are left to
//! themselves, and to their time limits, when nobody does any more.

use super::error::Reason;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// How often it is looked whether anybody still waits.
pub(super) const INTERVAL: Duration = Duration::from_millis(50);

/// Bytes that are read at once.
const PIECE: usize = 128 << 10;

/// Pieces that may wait to be taken.
const AHEAD: usize = 2;

/// Calls something, and waits for what it returns unless it is `cancelled` before.
pub(super) fn call<T: Send + 'static>(
    cancelled: &dyn Fn() -> bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Reason> {
    let (sender, receiver) = sync_channel(1);
    // Who does not wait any more does not want to know.
    start(move || drop(sender.send(work())))?;
    wait(&receiver, cancelled)?.ok_or_else(|| Reason::Thread(io::Error::other("it panicked")))
}

fn start(work: impl FnOnce() + Send + 'static) -> Result<(), Reason> {
    std::thread::Builder::new().name("network".to_owned()).spawn(work).map(drop).map_err(Reason::Thread)
}

/// The next message; `None` if there is none to come.
fn wait<T>(receiver: &Receiver<T>, cancelled: &dyn Fn() -> bool) -> Result<Option<T>, Reason> {
    loop {
        if cancelled() {
            return Err(Reason::Cancelled);
        }
        match receiver.recv_timeout(INTERVAL) {
            Ok(message) => return Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

/// What a reader gives, read by another thread.
pub(super) struct Pieces {
    receiver: Receiver<io::Result<Vec<u8>>>,
}

impl Pieces {
    /// Begins to read.
    pub(super) fn of(reader: impl Read + Send + 'static) -> Result<Self, Reason> {
        let (sender, receiver) = sync_channel(AHEAD);
        start(move || send_all(reader, &sender))?;
        Ok(Self { receiver })
    }

    /// The next piece, or why there is none; nothing at the end.
    pub(super) fn next(&self, cancelled: &dyn Fn() -> bool) -> Result<Option<io::Result<Vec<u8>>>, Reason> {
        wait(&self.receiver, cancelled)
    }
}

/// Sends what there is to read until the end, an error, or until nobody takes it any more.
fn send_all(mut reader: impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let read = match reader.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => {
                piece.truncate(length);
                Ok(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if sender.send(read).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn who_is_cancelled_waits_no_longer() {
        let began = Instant::now();
        let soon = || began.elapsed() > Duration::from_millis(100);
        let slept = call(&soon, || std::thread::sleep(Duration::from_secs(20)));
        assert!(matches!(slept, Err(Reason::Cancelled)));
        let (pipe, _writer) = io::pipe().expect("a pipe");
        let pieces = Pieces::of(pipe).expect("started");
        assert!(matches!(pieces.next(&soon), Err(Reason::Cancelled)));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn all_that_is_read_comes_in_order() {
        let text: Vec<u8> = (0..3 * PIECE).map(|number| (number / 7) as u8).collect();
        let pieces = Pieces::of(io::Cursor::new(text.clone())).expect("started");
        let mut got = Vec::new();
        while let Some(piece) = pieces.next(&|| false).expect("nobody cancels") {
            got.extend(piece.expect("readable"));
        }
        assert_eq!(got, text);
        assert_eq!(call(&|| false, || 7).expect("called"), 7);
    }
}
