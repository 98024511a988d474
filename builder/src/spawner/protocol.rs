//! The messages between larder and its spawner: one JSON text per packet over a `SOCK_SEQPACKET` socket.
//!
//! A `Run` carries descriptors: a file with the serialised specification (so that its size has no limit), then the
//! command's: the log and, if the files it uses are to be noted, where; or standard input, output and error.

use crate::sandbox::Outcome;
use crate::sandbox::linux::received_descriptors;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, recvmsg, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Bytes a packet may have; all but the detail of an error are small, and that is cut.
const MAX_PACKET: usize = 64 << 10;

/// What larder asks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Run the sandbox that the descriptors describe.
    Run {
        /// Chosen by larder, never used twice.
        id: u64,
    },
    /// Kill a sandbox. One that has ended is ignored.
    Kill {
        /// Its id.
        id: u64,
    },
}

/// What the spawner answers, once for each `Run`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    /// The id of the run.
    pub(super) id: u64,
    /// How it ended.
    pub(super) outcome: Outcome,
}

/// Sends one message.
pub(super) fn send(socket: BorrowedFd<'_>, message: &impl Serialize, fds: &[RawFd]) -> std::io::Result<()> {
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
    let mut buffer = vec![0; MAX_PACKET];
    let mut control = cmsg_space!([RawFd; 8]);
    let (length, fds) = loop {
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Err(Errno::EINTR) => {}
            Err(Errno::ECONNRESET) => return Ok(None),
            Err(errno) => return Err(errno.into()),
            Ok(message) => break (message.bytes, received_descriptors(message.cmsgs()?)),
        }
    };
    if length == 0 {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&buffer[..length])?, fds)))
}
