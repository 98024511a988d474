//! The spawner's own side: one loop over the socket and the sandboxes that live.

use super::protocol::{self, Request, Told};
use super::staged::Staged;
use crate::sandbox::linux::filter::Filters;
use crate::sandbox::linux::{self, Forked, OuterIds, init};
use crate::sandbox::{Groundwork, Outcome, SetupError, Status};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

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
    /// A descriptor of this process, by which its children know whether it lives.
    own: OwnedFd,
    filters: Filters,
    outer: OuterIds,
    living: Vec<Sandbox>,
    /// What is to be removed if larder dies.
    staged: Option<Staged>,
}

/// The first process of a sandbox.
struct Sandbox {
    pid: libc::pid_t,
    pidfd: OwnedFd,
}

impl Server {
    fn start() -> io::Result<Self> {
        let socket = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
        nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
        // Who asks all processes of a terminal or a service to end asks larder, too, which kills what it wants killed.
        linux::ignore_requests_to_end();
        give_up_groups()?;
        let own = pidfd_open(getpid(), PidfdFlags::empty())?;
        let filters = Filters::compile().map_err(io::Error::other)?;
        filters.install_on_all()?;
        Ok(Self { socket, own, filters, outer: OuterIds::current(), living: Vec::new(), staged: None })
    }

    fn serve(mut self) -> io::Result<()> {
        loop {
            let ready = self.wait()?;
            if ready[0] && !self.answer()? {
                let staged = self.staged.take();
                self.kill_all();
                if let Some(staged) = staged {
                    let_go()?;
                    // What cannot be removed is left to the next collection.
                    let _ = staged.remove();
                }
                return Ok(());
            }
            self.reap(&ready[1..])?;
        }
    }

    /// Waits until there is something to do: for the socket, then for each sandbox, whether it is ready.
    fn wait(&self) -> io::Result<Vec<bool>> {
        let fds = [&self.socket].into_iter().chain(self.living.iter().map(|sandbox| &sandbox.pidfd));
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
        let Some((request, fds)) = protocol::receive(self.socket.as_fd())? else { return Ok(false) };
        match request {
            Request::Sandbox(groundwork) => self.start_sandbox(*groundwork, fds)?,
            Request::Entrust(process) => {
                let [larder, tmp, leases, trash]: [OwnedFd; 4] =
                    fds.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
                self.staged = Some(Staged { process, larder, tmp, leases, trash });
            }
            Request::Relieve => self.staged = None,
        }
        Ok(true)
    }

    fn start_sandbox(&mut self, groundwork: Groundwork, fds: Vec<OwnedFd>) -> io::Result<()> {
        let mut fds = fds.into_iter();
        let Some(socket) = fds.next() else { return Err(io::ErrorKind::InvalidData.into()) };
        let (told, sandbox) = match self.make(groundwork, &socket, fds.next()) {
            Ok(sandbox) => (Told::Born, Some(sandbox)),
            Err(error) => (Told::Ended(Outcome::of(Status::SetupFailed(error))), None),
        };
        let pidfd: Vec<_> = sandbox.iter().map(|sandbox| sandbox.pidfd.as_raw_fd()).collect();
        // Should larder not want it any more, so will the sandbox find.
        let _ = protocol::send(socket.as_fd(), &told, &pidfd);
        self.living.extend(sandbox);
        Ok(())
    }

    fn make(&self, groundwork: Groundwork, socket: &OwnedFd, group: Option<OwnedFd>) -> Result<Sandbox, SetupError> {
        match linux::clone_into_namespaces(group.as_ref().map(AsFd::as_fd))? {
            Forked::Parent { pid, pidfd } => Ok(Sandbox { pid, pidfd }),
            Forked::Child => {
                let Self { own: spawner, outer, filters, .. } = self;
                init::run(&init::Birth { socket, spawner, outer: *outer, groundwork }, filters)
            }
        }
    }

    /// Reaps the sandboxes that have ended, according to `ended`, which may be shorter than `living`.
    fn reap(&mut self, ended: &[bool]) -> io::Result<()> {
        for index in (0..ended.len()).rev().filter(|index| ended[*index]) {
            linux::wait_for(self.living.swap_remove(index).pid)?;
        }
        Ok(())
    }

    fn kill_all(self) {
        for sandbox in &self.living {
            linux::kill_by_pidfd(sandbox.pidfd.as_fd());
        }
        for sandbox in self.living {
            let _ = linux::wait_for(sandbox.pid);
        }
    }
}

/// Lets go of what somebody may wait for who waited for larder, and ends when asked to.
fn let_go() -> io::Result<()> {
    let nothing = File::options().write(true).open("/dev/null")?;
    nix::unistd::dup2_stdout(&nothing)?;
    nix::unistd::dup2_stderr(&nothing)?;
    linux::heed_requests_to_end();
    Ok(())
}

/// Leaves root's supplementary groups, which would stay with the guest. Others may not; nor may the root of a user
/// namespace, who has no more to lose than its user.
fn give_up_groups() -> io::Result<()> {
    match nix::unistd::setgroups(&[]) {
        Err(Errno::EPERM) => Ok(()),
        result => Ok(result?),
    }
}
