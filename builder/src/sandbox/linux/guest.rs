//! The process that becomes the command. It is started before there is a task and gives up at once all that it will not need:
//! session, limits, privileges, system calls. Then it waits, and has little left to do: descriptors, exec.

use super::super::outcome::{SetupError, Step};
use super::super::path::GuestPath;
use super::super::spec::{Groundwork, JOB_SERVER_DESCRIPTORS, SandboxSpec};
use super::filter::{Filters, Supervision};
use super::{AtStep, Stdio, landlock, privileges, sys};
use crate::spawner::protocol;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use rustix::fs::OFlags;
use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

/// Waits for a task at the socket, whose world is then the root, and becomes its command; returns only if that fails, or with `None` if
/// there is no task. Notifications of the filter, if it makes any, arrive at a descriptor that is sent over the socket.
pub(super) fn become_command(
    socket: &OwnedFd,
    groundwork: &Groundwork,
    filters: &Filters,
) -> Result<Option<Infallible>, SetupError> {
    if !groundwork.interactive {
        setsid().at(Step::Exec, "session")?;
    }
    apply_limits(groundwork)?;
    sys::reset_signals();
    privileges::drop_all()?;
    landlock::confine()?;
    filters.install(Supervision::of(groundwork, socket.as_fd()))?;
    let Some(task) = protocol::receive_task(socket)? else { return Ok(None) };
    let spec = task.read_spec()?;
    connect(task.stdio)?;
    chdir("/build").at(Step::Exec, "/build")?;
    let vectors = Vectors::of(&spec)?;
    sys::close_all_on_exec();
    if let Some(fifo) = &spec.job_server {
        open_job_server(fifo)?;
    }
    Err(vectors.execute())
}

fn connect(stdio: Stdio) -> Result<(), SetupError> {
    match stdio {
        Stdio::Log(log) => {
            let empty = File::open("/dev/null").at(Step::Exec, "/dev/null")?;
            dup2_stdin(&empty).at(Step::Exec, "standard input")?;
            dup2_stdout(&log).and_then(|()| dup2_stderr(&log)).at(Step::Exec, "log")
        }
        Stdio::Terminal([stdin, stdout, stderr]) => dup2_stdin(&stdin)
            .and_then(|()| dup2_stdout(&stdout))
            .and_then(|()| dup2_stderr(&stderr))
            .at(Step::Exec, "terminal"),
    }
}

/// Opens the job server's FIFO for the command, which larder has open as well, so that neither opening waits.
fn open_job_server(fifo: &GuestPath) -> Result<(), SetupError> {
    let flags = [OFlags::RDONLY | OFlags::NONBLOCK, OFlags::WRONLY];
    for (flags, number) in flags.into_iter().zip(JOB_SERVER_DESCRIPTORS) {
        let opened = rustix::fs::open(fifo.as_path(), flags, rustix::fs::Mode::empty()).at(Step::Exec, fifo)?;
        // Readers wait for a token.
        rustix::fs::fcntl_setfl(&opened, OFlags::empty()).at(Step::Exec, fifo)?;
        sys::move_descriptor(opened, number).at(Step::Exec, fifo)?;
    }
    Ok(())
}

fn apply_limits(groundwork: &Groundwork) -> Result<(), SetupError> {
    let Groundwork { limits, circumstances, .. } = groundwork;
    umask(Mode::from_bits_truncate(circumstances.umask()));
    sys::allow_huge_pages().at(Step::Circumstances, "huge pages")?;
    limit(Resource::RLIMIT_CORE, 0, 0)?;
    limit(Resource::RLIMIT_NOFILE, limits.open_files, limits.open_files_hard)?;
    // Of this user in the guest's own namespace. The kernel does not hold root to it, whose guests have a limit of their own.
    limit(Resource::RLIMIT_NPROC, limits.processes, limits.processes)?;
    limit(Resource::RLIMIT_STACK, limits.stack, libc::RLIM_INFINITY)?;
    if let Some(count) = circumstances.processors {
        limit_processors(count)?;
    }
    // What whoever started larder has set for programs of their own is none of a build's business.
    for resource in [Resource::RLIMIT_AS, Resource::RLIMIT_CPU, Resource::RLIMIT_DATA, Resource::RLIMIT_FSIZE] {
        limit(resource, libc::RLIM_INFINITY, libc::RLIM_INFINITY)?;
    }
    let personality = if circumstances.fixed_addresses { libc::ADDR_NO_RANDOMIZE } else { 0 };
    sys::personality(personality as libc::c_ulong).at(Step::Circumstances, "personality")
}

/// Sets a limit, or what comes nearest to it where the host's own limit is lower.
fn limit(resource: Resource, soft: u64, hard: u64) -> Result<(), SetupError> {
    let (_, ours) = getrlimit(resource).at(Step::Circumstances, "limits")?;
    let hard = hard.min(ours);
    setrlimit(resource, soft.min(hard), hard).at(Step::Circumstances, "limits")
}

fn limit_processors(count: usize) -> Result<(), SetupError> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).at(Step::Circumstances, "processors")?;
    let mut chosen = CpuSet::new();
    let ids = (0..CpuSet::count()).filter(|id| allowed.is_set(*id).unwrap_or(false));
    for id in ids.take(count.max(1)) {
        chosen.set(id).at(Step::Circumstances, "processors")?;
    }
    sched_setaffinity(this, &chosen).at(Step::Circumstances, "processors")
}

/// Program, arguments and environment as `execve` takes them.
struct Vectors {
    programs: Vec<CString>,
    argv: Vec<CString>,
    envp: Vec<CString>,
}

impl Vectors {
    fn of(spec: &SandboxSpec) -> Result<Self, SetupError> {
        let argv = [&spec.command].into_iter().chain(&spec.args);
        Ok(Self {
            programs: candidates(spec).into_iter().map(c_string).collect::<Result<_, _>>()?,
            argv: argv.map(|arg| c_string(arg.as_str())).collect::<Result<_, _>>()?,
            envp: spec.env.iter().map(|(name, value)| c_string(format!("{name}={value}"))).collect::<Result<_, _>>()?,
        })
    }

    /// Tries each candidate in turn; gives the error that says most.
    fn execute(&self) -> SetupError {
        let (argv, envp) = (null_terminated(&self.argv), null_terminated(&self.envp));
        let mut found = libc::ENOENT;
        for program in &self.programs {
            let errno = sys::execute(program, &argv, &envp).raw_os_error().unwrap_or(libc::EINVAL);
            if errno != libc::ENOENT && errno != libc::ENOTDIR {
                found = errno;
            }
        }
        let name = self.argv.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        SetupError::new(Step::Exec, name, found)
    }
}

/// The paths at which the command may be: itself, or one for each directory of the guest's `PATH`.
pub(super) fn candidates(spec: &SandboxSpec) -> Vec<String> {
    if spec.command.contains('/') {
        return vec![spec.command.clone()];
    }
    let path = spec.env.get("PATH").map_or("", String::as_str);
    let directories = path.split(':').filter(|directory| directory.starts_with('/'));
    directories.map(|directory| format!("{directory}/{}", spec.command)).collect()
}

fn c_string(text: impl Into<Vec<u8>>) -> Result<CString, SetupError> {
    CString::new(text)
        .map_err(|error| SetupError::new(Step::Request, String::from_utf8_lossy(&error.into_vec()), libc::EINVAL))
}

fn null_terminated(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}
