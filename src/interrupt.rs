//! Signals that ask this process to end: what to do about them depends on what it is doing.

use nix::sys::signal::{SigSet, Signal, raise};
use std::sync::{Mutex, PoisonError};

type Action = Box<dyn Fn(Request) + Send>;

/// A request to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request(Signal);

impl Request {
    /// The exit code by which programs tell that they ended for it, as shells tell of those that died of the signal.
    pub(crate) const fn exit_code(self) -> u8 {
        128 + self.0 as u8
    }
}

/// What a signal leads to.
enum Response {
    /// The end of this process.
    Die,
    /// An orderly end; a second signal ends at once.
    Call(Action),
    /// An interrupt from the terminal is for who has the terminal; other signals end this process.
    LeaveToGuest,
}

static RESPONSE: Mutex<Response> = Mutex::new(Response::Die);

/// Begins to wait for signals. Must be called before any other thread is started: threads inherit which signals are held back for the
/// one that waits for them, and a signal that one of them took would end the process.
pub(crate) fn watch() {
    let ignored = ignored_signals();
    let mut signals = SigSet::empty();
    let wanted = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter();
    wanted.filter(|&signal| ignored >> (signal as u32 - 1) & 1 == 0).for_each(|signal| signals.add(signal));
    if signals.thread_block().is_err() {
        return;
    }
    if std::thread::Builder::new().name("signals".to_owned()).spawn(move || wait(signals)).is_err() {
        // Nobody waits, so signals do what they usually do.
        let _ = signals.thread_unblock();
    }
}

/// While it lives, requests to end are answered in an orderly way.
#[must_use]
pub(crate) struct Answering(());

/// Calls `action` when the user or the system asks this process to end, as long as the returned value lives. The second time it ends
/// at once.
pub(crate) fn on_request(action: impl Fn(Request) + Send + 'static) -> Answering {
    respond(Response::Call(Box::new(action)));
    Answering(())
}

impl Drop for Answering {
    fn drop(&mut self) {
        respond(Response::Die);
    }
}

/// Lets a command that has the terminal deal with its interrupts.
pub(crate) fn leave_to_guest() {
    respond(Response::LeaveToGuest);
}

fn respond(response: Response) {
    *RESPONSE.lock().unwrap_or_else(PoisonError::into_inner) = response;
}

fn wait(signals: SigSet) {
    while let Ok(signal) = signals.wait() {
        let mut response = RESPONSE.lock().unwrap_or_else(PoisonError::into_inner);
        match &*response {
            Response::LeaveToGuest if signal == Signal::SIGINT => {}
            Response::Call(action) => {
                action(Request(signal));
                *response = Response::Die;
            }
            _ => die_of(signal),
        }
    }
}

/// Ends this process as the signal does if nobody waits for it. The spawner, which finds that out, ends the sandboxes and removes what is staged.
fn die_of(signal: Signal) -> ! {
    let _ = SigSet::from(signal).thread_unblock();
    let _ = raise(signal);
    std::process::exit(Request(signal).exit_code().into())
}

/// The signals that who started this process wants it not to see, as `nohup` does: bit n-1 for signal n.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    u64::from_str_radix(mask.trim(), 16).unwrap_or(0)
}
