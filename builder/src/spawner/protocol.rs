//! The messages between larder, its spawner, and the first processes of sandboxes: one JSON text per packet over `SOCK_SEQPACKET` sockets.
//!
//! larder makes a pair of sockets for each sandbox and gives one of them to the spawner with a [`Request::Sandbox`]. What it hears at the other
//! is [`Told`]: first by the spawner, then by the sandbox. A [`Run`] goes the other way. It carries descriptors: a file with the serialised
//! specification (so that its size has no limit), then the command's: the log and, if the files it uses are to be noted, where; or standard
//! input, output and error.

use crate::sandbox::linux::{AtStep, Stdio, Task, received_descriptors};
use crate::sandbox::{Groundwork, Outcome, SetupError, Step};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, recv, recvmsg, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// What larder asks of the spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// A sandbox, so prepared. With it come the sandbox's socket and, if it has one, the directory of its control group.
    Sandbox(Box<Groundwork>),
    /// To remove what a larder of this number has staged, should it die. With it come a descriptor of that process and the store's `tmp/`,
    /// `leases/` and `trash/`.
    Entrust(u32),
    /// To leave that alone: it ends in order, and removes it itself.
    Relieve,
}

/// larder tells a sandbox to run what the descriptors describe.
#[derive(Debug, Serialize, Deserialize)]
struct Run;

/// What larder is told of a sandbox.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// The sandbox is being prepared; the descriptor that comes with it is that of its first process.
    Born,
    /// This is how it ended.
    Ended(Outcome),
}

/// Sends one message.
pub(crate) fn send(socket: BorrowedFd<'_>, message: &impl Serialize, fds: &[RawFd]) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    let rights = [ControlMessage::ScmRights(fds)];
    let control = if fds.is_empty() { &[] } else { &rights[..] };
    loop {
        let flags = MsgFlags::MSG_NOSIGNAL;
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&bytes)], control, flags, None) {
            Err(Errno::EINTR) => {}
            result => return Ok(result.map(drop)?),
        }
    }
}

/// Receives one message with its descriptors; `None` at the end of the connection.
pub(super) fn receive<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> std::io::Result<Option<(T, Vec<OwnedFd>)>> {
    // Its length first: a buffer for any message would be touched as a whole by processes that have just been forked.
    let peek = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC;
    let length = patiently(|| recv(socket.as_raw_fd(), &mut [], peek))?;
    let mut buffer = vec![0; length];
    let mut control = cmsg_space!([RawFd; 8]);
    let (length, fds) = patiently(|| {
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)?;
        Ok((message.bytes, received_descriptors(message.cmsgs()?)))
    })?;
    if length == 0 {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&buffer[..length])?, fds)))
}

/// Tries again what was interrupted. Who has ended without reading all is told of once; what it sent before can be read all the same.
fn patiently<T>(mut receive: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match receive() {
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            result => return result,
        }
    }
}

/// Sends a task.
pub(crate) fn send_task(socket: &OwnedFd, task: &Task) -> std::io::Result<()> {
    let fds: Vec<_> = match &task.stdio {
        Stdio::Log(log) => [&task.spec, log].into_iter().chain(&task.trace).map(AsRawFd::as_raw_fd).collect(),
        Stdio::Terminal(three) => std::iter::once(&task.spec).chain(three).map(AsRawFd::as_raw_fd).collect(),
    };
    send(socket.as_fd(), &Run, &fds)
}

/// Waits for a task; `None`: there will be none.
pub(crate) fn receive_task(socket: &OwnedFd) -> Result<Option<Task>, SetupError> {
    let Some((Run, fds)) = receive(socket.as_fd()).at(Step::Request, "")? else { return Ok(None) };
    let count = fds.len();
    let mut fds = fds.into_iter();
    let task = match (fds.next(), fds.next(), fds.next(), fds.next()) {
        (Some(spec), Some(log), trace, None) => Some(Task { spec, stdio: Stdio::Log(log), trace }),
        (Some(spec), Some(stdin), Some(stdout), Some(stderr)) => {
            Some(Task { spec, stdio: Stdio::Terminal([stdin, stdout, stderr]), trace: None })
        }
        _ => None,
    };
    let wrong = || SetupError::new(Step::Request, "", 0).with_detail(format_args!("{count} descriptors"));
    task.ok_or_else(wrong).map(Some)
}
