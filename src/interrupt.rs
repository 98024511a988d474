//! Signals: the first asks for an orderly end, the second ends at once.

use nix::sys::signal::{SigSet, Signal};
use std::sync::{Mutex, OnceLock, PoisonError};

type Action = Box<dyn Fn() + Send>;

static ACTION: OnceLock<Mutex<Option<Action>>> = OnceLock::new();

/// Calls `action` when the user or the system asks this process to end. Must be called before any other thread is started: threads
/// inherit which signals are held back for the one that waits for them.
pub(crate) fn on_request(action: impl Fn() + Send + 'static) {
    let slot = ACTION.get_or_init(|| Mutex::new(None));
    let first = slot.lock().unwrap_or_else(PoisonError::into_inner).replace(Box::new(action)).is_none();
    if !first {
        return;
    }
    let mut signals = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().for_each(|signal| signals.add(signal));
    if signals.thread_block().is_err() {
        return;
    }
    let wait = move || {
        let mut asked = false;
        while let Ok(signal) = signals.wait() {
            if std::mem::replace(&mut asked, true) {
                // What is staged is removed by the next run; sandboxes die with this process.
                std::process::exit(128 + signal as i32);
            }
            if let Some(action) = &*slot.lock().unwrap_or_else(PoisonError::into_inner) {
                action();
            }
        }
    };
    // Without this thread the signals end the process as usual once it unblocks them, which it never does; so unblock.
    if std::thread::Builder::new().name("signals".to_owned()).spawn(wait).is_err() {
        let _ = signals.thread_unblock();
    }
}
