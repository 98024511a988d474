//! The supervisor: answers the guest's system calls that varied circumstances take from the kernel, and notes those that name
//! files, if that is wanted. It is the sandbox's
//! first process, outside the filter and with capabilities inside the sandbox's own user namespace only.
//!
//! Nothing here confines the guest: a call that cannot be answered is simply handed back to the kernel.

use super::super::outcome::{SetupError, Step};
use super::init::Ended;
use super::listing::{Entry, Listing};
use super::trace::Trace;
use super::{AtStep, init, sys};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recvmsg};
use rustix::fs::{Mode, OFlags, SeekFrom};
use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// Directories larger than this are listed in the kernel's own order.
const MAX_ENTRIES: usize = 1_000_000;
/// Listings that are being read at the same time; the oldest is forgotten first, and taken anew if it is asked for again.
const MAX_LISTINGS: usize = 64;

/// What a call is answered with.
enum Answer {
    /// This result.
    Value(i64),
    /// This error.
    Error(i32),
    /// Whatever the kernel says.
    Kernel,
}

/// Answers the calls that arrive at `listener` until the command ends.
pub(super) fn run(
    listener: OwnedFd,
    command: libc::pid_t,
    command_ended: &OwnedFd,
    release: Option<String>,
    trace: Option<Trace>,
) -> Result<Ended, SetupError> {
    if trace.is_some() {
        sys::take_turns(listener.as_fd());
    }
    let mut killed = false;
    let mut supervisor = Supervisor { listener, release, listings: VecDeque::new(), trace };
    loop {
        let (call, ended) = supervisor.wait(command_ended)?;
        if ended {
            return init::reap_until(command, killed);
        }
        if call {
            supervisor.answer_one();
        }
        // What waits for the end of another one's child must see it.
        sys::reap_all_but(command, |status| killed |= init::was_killed(status));
    }
}

/// The descriptor the command sends once it is behind the filter; `None` if it has failed before.
pub(super) fn receive_listener(socket: &OwnedFd) -> Result<Option<OwnedFd>, SetupError> {
    let mut buffer = [0];
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let mut control = nix::cmsg_space!([RawFd; 1]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags).at(Step::Supervise, "listener")?;
    Ok(sys::received_descriptors(message.cmsgs().at(Step::Supervise, "listener")?).pop())
}

/// The listing of one open directory of one process.
struct Open {
    thread: u32,
    fd: u64,
    device: u64,
    inode: u64,
    listing: Listing,
}

struct Supervisor {
    listener: OwnedFd,
    release: Option<String>,
    listings: VecDeque<Open>,
    trace: Option<Trace>,
}

impl Supervisor {
    /// Waits until there is a call to answer, or the command has ended.
    fn wait(&self, command: &OwnedFd) -> Result<(bool, bool), SetupError> {
        let poll_for = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut polled = [poll_for(self.listener.as_fd()), poll_for(command.as_fd())];
        match poll(&mut polled, PollTimeout::NONE) {
            Err(Errno::EINTR) | Ok(_) => {}
            Err(errno) => return Err(errno).at(Step::Supervise, "poll"),
        }
        let ready = |fd: &PollFd| fd.revents().is_some_and(|events| events.contains(PollFlags::POLLIN));
        Ok((ready(&polled[0]), ready(&polled[1])))
    }

    /// Takes and answers one call. A caller that has been killed meanwhile needs no answer.
    fn answer_one(&mut self) {
        let Ok(call) = sys::receive_notification(self.listener.as_fd()) else { return };
        let answer = match i64::from(call.data.nr) {
            libc::SYS_getdents64 => self.getdents(&call).unwrap_or(Answer::Kernel),
            libc::SYS_uname => self.uname(&call),
            _ => {
                self.trace.iter_mut().for_each(|trace| trace.note(&call));
                Answer::Kernel
            }
        };
        let (value, error, flags) = match answer {
            Answer::Value(value) => (value, 0, 0),
            Answer::Error(errno) => (0, -errno, 0),
            Answer::Kernel => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        };
        let _ = sys::answer_notification(
            self.listener.as_fd(),
            &libc::seccomp_notif_resp { id: call.id, val: value, error, flags },
        );
    }

    fn uname(&self, call: &libc::seccomp_notif) -> Answer {
        let Some(release) = &self.release else { return Answer::Kernel };
        match sys::write_uname(call.pid, call.data.args[0], release) {
            Ok(()) => Answer::Value(0),
            Err(error) => Answer::Error(error.raw_os_error().unwrap_or(libc::EFAULT)),
        }
    }

    /// Serves the part of the reversed listing that comes next. The directory's own file offset, which the guest can set
    /// and share as it can any, counts entries of that listing.
    fn getdents(&mut self, call: &libc::seccomp_notif) -> std::io::Result<Answer> {
        let [fd, buffer, size, ..] = call.data.args;
        let directory = sys::copy_descriptor(call.pid, fd as RawFd)?;
        sys::check_notification(self.listener.as_fd(), call.id)?;
        let data = rustix::fs::fstat(&directory)?;
        let offset = rustix::fs::seek(&directory, SeekFrom::Current(0))? as usize;
        let is_it = |open: &Open| {
            (open.thread, open.fd, open.device, open.inode) == (call.pid, fd, data.st_dev as u64, data.st_ino)
        };
        let known = self.listings.iter().position(is_it).and_then(|index| self.listings.remove(index));
        let open = match known {
            Some(open) if offset > 0 => open,
            _ => match list(&directory)? {
                Some(listing) => Open { thread: call.pid, fd, device: data.st_dev as u64, inode: data.st_ino, listing },
                None => return Ok(Answer::Kernel),
            },
        };
        let Ok((records, next)) = open.listing.records(offset, size as u32 as usize) else {
            return Ok(Answer::Error(libc::EINVAL));
        };
        if let Err(error) = sys::write_memory(call.pid, buffer, &records) {
            return Ok(Answer::Error(error.raw_os_error().unwrap_or(libc::EFAULT)));
        }
        rustix::fs::seek(&directory, SeekFrom::Start(next as u64))?;
        if !records.is_empty() {
            self.keep(open);
        }
        Ok(Answer::Value(records.len() as i64))
    }

    fn keep(&mut self, open: Open) {
        if self.listings.len() == MAX_LISTINGS {
            self.listings.pop_front();
        }
        self.listings.push_back(open);
    }
}

/// All entries of a directory, read through a description of its own; `None` if there are too many.
fn list(directory: &OwnedFd) -> std::io::Result<Option<Listing>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let own = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
    let mut buffer = Vec::with_capacity(64 << 10);
    let mut reader = rustix::fs::RawDir::new(own, buffer.spare_capacity_mut());
    let mut entries = Vec::new();
    while let Some(entry) = reader.next() {
        let entry = entry?;
        let kind = sys::directory_entry_kind(entry.file_type());
        entries.push(Entry { inode: entry.ino(), kind, name: entry.file_name().to_bytes().to_vec() });
        if entries.len() > MAX_ENTRIES {
            return Ok(None);
        }
    }
    Ok(Some(Listing::reversed(entries)))
}
