//! The spawner's own side: one loop over the socket and the sandboxes that run.

use super::protocol::{self, Reply, Request};
use crate::sandbox::linux::filter::Filters;
use crate::sandbox::linux::{self, Forked, OuterIds, Stdio, init};
use crate::sandbox::{Outcome, SetupError, Status, Step, Usage};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::pipe2;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

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
        // SAFETY: ignoring a signal installs no handler.
        unsafe { signal(Signal::SIGINT, SigHandler::SigIgn)? };
        give_up_groups()?;
        let filters = Filters::compile().map_err(io::Error::other)?;
        Ok(Self { socket, filters, outer: OuterIds::current(), running: Vec::new() })
    }

    fn serve(mut self) -> io::Result<()> {
        loop {
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

    fn run(&mut self, id: u64, fds: Vec<OwnedFd>) -> Result<(), SetupError> {
        let (spec, stdio) = sort(fds)?;
        let (report, theirs) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
            .map_err(|errno| SetupError::new(Step::Namespaces, "report pipe", errno as i32))?;
        match linux::clone_into_namespaces()? {
            Forked::Child => init::run(init::Task { spec, stdio, report: theirs, outer: self.outer }, &self.filters),
            Forked::Parent { pid, pidfd } => self.running.push(Sandbox { id, pid, pidfd, report, killed: false }),
        }
        Ok(())
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
        for sandbox in &mut self.running {
            sandbox.kill();
        }
        for sandbox in self.running {
            let _ = sandbox.reap();
        }
    }
}

impl Sandbox {
    fn kill(&mut self) {
        self.killed = true;
        linux::kill_by_pidfd(self.pidfd.as_fd());
    }

    /// Reaps the first process, after which all of the sandbox is dead, and reads what it reported.
    fn reap(self) -> io::Result<Outcome> {
        let (_, usage) = linux::wait_for(self.pid)?;
        let mut text = Vec::new();
        // The pipe does not block: what there is has been written, even if a stray writer were left.
        match File::from(self.report).read_to_end(&mut text) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let status = match serde_json::from_slice(first) {
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

/// Sorts the descriptors of a request.
fn sort(fds: Vec<OwnedFd>) -> Result<(OwnedFd, Stdio), SetupError> {
    let count = fds.len();
    let mut fds = fds.into_iter();
    let stdio = match (fds.next(), fds.next(), fds.next(), fds.next()) {
        (Some(spec), Some(log), None, None) => Some((spec, Stdio::Log(log))),
        (Some(spec), Some(stdin), Some(stdout), Some(stderr)) => Some((spec, Stdio::Terminal([stdin, stdout, stderr]))),
        _ => None,
    };
    stdio.ok_or_else(|| SetupError::new(Step::Request, "", 0).with_detail(format_args!("{count} descriptors")))
}
