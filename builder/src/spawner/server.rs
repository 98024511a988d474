//! The spawner's own side: one loop over the socket and the sandboxes that run.
//!
//! Making namespaces takes a third of a small run, most of that for the network's. So one first process is always kept
//! ready in new namespaces of its own, and is replaced when it has been given a task.

use super::protocol::{self, Reply, Request};
use crate::sandbox::linux::filter::Filters;
use crate::sandbox::linux::{self, AtStep, Forked, OuterIds, Stdio, init};
use crate::sandbox::{Outcome, SetupError, Status, Step, Usage};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::pipe2;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// Runs the spawner over the socket that is its standard input, until larder closes it. Never call it in a process with
/// more than one thread.
pub fn main() -> ! {
    let code = match Server::start().and_then(Server::serve) {
        Ok(()) => 0,
        Err(error) => {
            use std::io::Write;
            let _ = writeln!(io::stderr(), "larder's spawner: {error}");
            1
        }
    };
    std::process::exit(code)
}

struct Server {
    socket: OwnedFd,
    filters: Filters,
    outer: OuterIds,
    running: Vec<Sandbox>,
    ready: Option<Ready>,
}

/// A first process that waits for its task.
struct Ready {
    socket: OwnedFd,
    pid: libc::pid_t,
    pidfd: OwnedFd,
    report: OwnedFd,
}

struct Sandbox {
    id: u64,
    pid: libc::pid_t,
    pidfd: OwnedFd,
    report: OwnedFd,
    killed: bool,
}

impl Server {
    fn start() -> io::Result<Self> {
        let socket = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
        nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
        // The terminal's interrupt is larder's to handle: it tells us whom to kill.
        linux::ignore_interrupt();
        give_up_groups()?;
        let filters = Filters::compile().map_err(io::Error::other)?;
        Ok(Self { socket, filters, outer: OuterIds::current(), running: Vec::new(), ready: None })
    }

    fn serve(mut self) -> io::Result<()> {
        loop {
            if self.ready.is_none() {
                // Should this fail, the next run will tell.
                self.ready = self.make_ready().ok();
            }
            let ready = self.wait()?;
            if ready[0] && !self.answer()? {
                self.kill_all();
                return Ok(());
            }
            self.collect(&ready[1..])?;
        }
    }

    /// Waits until there is something to do: for the socket, then for each sandbox, whether it is ready.
    fn wait(&self) -> io::Result<Vec<bool>> {
        let fds = [&self.socket].into_iter().chain(self.running.iter().map(|sandbox| &sandbox.pidfd));
        let mut polled: Vec<PollFd> = fds.map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
        while let Err(errno) = poll(&mut polled, PollTimeout::NONE) {
            if errno != Errno::EINTR {
                return Err(errno.into());
            }
        }
        Ok(polled.iter().map(|fd| fd.any() != Some(false)).collect())
    }

    /// Handles one request; false at the end of the connection.
    fn answer(&mut self) -> io::Result<bool> {
        match protocol::receive(self.socket.as_fd())? {
            None => return Ok(false),
            Some((Request::Run { id }, fds)) => {
                if let Err(error) = self.run(id, fds) {
                    let outcome = Outcome { status: Status::SetupFailed(error), usage: Usage::default() };
                    self.reply(id, outcome)?;
                }
            }
            Some((Request::Kill { id }, _)) => {
                for sandbox in self.running.iter_mut().filter(|sandbox| sandbox.id == id) {
                    sandbox.kill();
                }
            }
        }
        Ok(true)
    }

    /// Gives the task to the process that is ready, or to a new one should that have died.
    fn run(&mut self, id: u64, fds: Vec<OwnedFd>) -> Result<(), SetupError> {
        let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let give = |ready: &Ready| protocol::send(ready.socket.as_fd(), &Request::Run { id }, &raw);
        let ready = match self.ready.take() {
            Some(ready) if give(&ready).is_ok() => ready,
            died => {
                died.into_iter().for_each(Ready::discard);
                let new = self.make_ready()?;
                // If it cannot take the task it has died of something, which it has reported.
                let _ = give(&new);
                new
            }
        };
        let Ready { pid, pidfd, report, .. } = ready;
        self.running.push(Sandbox { id, pid, pidfd, report, killed: false });
        Ok(())
    }

    fn make_ready(&self) -> Result<Ready, SetupError> {
        let (report, theirs) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).at(Step::Namespaces, "report pipe")?;
        let (socket, their_socket) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .at(Step::Namespaces, "task socket")?;
        match linux::clone_into_namespaces()? {
            Forked::Parent { pid, pidfd } => Ok(Ready { socket, pid, pidfd, report }),
            Forked::Child => {
                let birth = init::Birth { socket: their_socket, report: theirs, outer: self.outer };
                init::run(birth, &self.filters, receive_task)
            }
        }
    }

    /// Reaps and reports the sandboxes that have ended, according to `ended`, which may be shorter than `running`.
    fn collect(&mut self, ended: &[bool]) -> io::Result<()> {
        for index in (0..ended.len()).rev().filter(|index| ended[*index]) {
            let sandbox = self.running.swap_remove(index);
            let id = sandbox.id;
            let outcome = sandbox.reap()?;
            self.reply(id, outcome)?;
        }
        Ok(())
    }

    fn reply(&self, id: u64, outcome: Outcome) -> io::Result<()> {
        match protocol::send(self.socket.as_fd(), &Reply { id, outcome }, &[]) {
            // larder has gone; the next look at the socket will tell.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    fn kill_all(mut self) {
        self.ready.take().into_iter().for_each(Ready::discard);
        for sandbox in &mut self.running {
            sandbox.kill();
        }
        for sandbox in self.running {
            let _ = sandbox.reap();
        }
    }
}

impl Ready {
    /// Ends the process, which has nothing to do any more.
    fn discard(self) {
        linux::kill_by_pidfd(self.pidfd.as_fd());
        let _ = linux::wait_for(self.pid);
    }
}

impl Sandbox {
    fn kill(&mut self) {
        self.killed = true;
        linux::kill_by_pidfd(self.pidfd.as_fd());
    }

    /// Reaps the first process, after which all of the sandbox is dead, and reads what it reported.
    fn reap(self) -> io::Result<Outcome> {
        let (_, mut usage) = linux::wait_for(self.pid)?;
        let mut text = Vec::new();
        // The pipe does not block: what there is has been written, even if a stray writer were left.
        match File::from(self.report).read_to_end(&mut text) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        let mut lines = text.split(|byte| *byte == b'\n');
        let status = serde_json::from_slice(lines.next().unwrap_or_default());
        usage.transfer = lines.next().and_then(|line| serde_json::from_slice(line).ok()).flatten();
        let status = match status {
            Ok(status) => status,
            Err(_) if self.killed => Status::Killed,
            Err(_) => Status::SetupFailed(
                SetupError::new(Step::Supervise, "", 0).with_detail("the first process of the sandbox was killed"),
            ),
        };
        Ok(Outcome { status, usage })
    }
}

/// Leaves root's supplementary groups, which would stay with the guest. Others may not; nor may the root of a user
/// namespace, who has no more to lose than its user.
fn give_up_groups() -> io::Result<()> {
    match nix::unistd::setgroups(&[]) {
        Err(Errno::EPERM) => Ok(()),
        result => Ok(result?),
    }
}

/// The first process's side: waits for the descriptors of a run.
fn receive_task(socket: OwnedFd) -> Result<Option<init::Task>, SetupError> {
    let Some((Request::Run { .. }, fds)) = protocol::receive(socket.as_fd()).at(Step::Request, "")? else {
        return Ok(None);
    };
    let count = fds.len();
    let mut fds = fds.into_iter();
    let task = match (fds.next(), fds.next(), fds.next(), fds.next()) {
        (Some(spec), Some(log), trace, None) => Some(init::Task { spec, stdio: Stdio::Log(log), trace }),
        (Some(spec), Some(stdin), Some(stdout), Some(stderr)) => {
            Some(init::Task { spec, stdio: Stdio::Terminal([stdin, stdout, stderr]), trace: None })
        }
        _ => None,
    };
    let wrong = || SetupError::new(Step::Request, "", 0).with_detail(format_args!("{count} descriptors"));
    task.ok_or_else(wrong).map(Some)
}
