//! The sandbox: what one process tree sees while it builds, and nothing else.
//!
//! [`SandboxSpec`] says, as plain data, what the guest sees; [`linux`] makes it so with namespaces, an overlay root and a
//! system-call filter, needing no privilege; [`Outcome`] says how it ended. The processes are started by the
//! [spawner](crate::spawner). There is no way to run a command here without the sandbox: where the machine forbids it, the
//! [error](SetupError) names the [remedy](Remedy).
//!
//! What a guest can *not* do, each with a test: see or reach a file, process, socket, device or environment variable of the
//! host that the specification does not name; change a layer or bind; gain a capability, a set-user-id file, a namespace or
//! a mount; trace; use a system call that is not in the filter's table; leave a process behind, or change its output once
//! the end is reported.
//!
//! What is not hidden from it: the processor and memory of the machine (`/proc/cpuinfo`, `/proc/meminfo`), its kernel's
//! version, and, in `/proc/self/mountinfo`, the host paths of layers and binds. What is not limited here: disk space (larder itself
//! watches that) and, without a [control group](crate::control_group), memory, and before Linux 6.14 the processes of a guest of root. What does not run: programs of another architecture (32-bit ones on a 64-bit machine are killed), debuggers,
//! and anything that insists on a set-user-id or set-group-id bit.

mod clock;
pub(crate) mod linux;
mod outcome;
mod path;
mod remedy;
mod skeleton;
mod spec;
mod writable;

pub(crate) use linux::{MISSED, OPENED, SEEN, TRUNCATED};
pub use outcome::{Outcome, SetupError, Status, Step, Transfer, Usage};
pub use path::{GuestPath, HostPath, PathError};
pub(crate) use remedy::with_remedy;
pub use remedy::{HostFacts, Remedy, probe};
pub use spec::{
    Bind, Circumstances, JOB_SERVER_DESCRIPTORS, LEFT_ROOT, Limits, MAX_LAYERS, SandboxSpec, SpecError, User,
    WritableLayer,
};
pub(crate) use spec::{Groundwork, LEFT_INCOMPLETE};

/// Whether this machine's kernel keeps guests by Landlock, too, from abstract sockets and processes outside.
#[must_use]
pub fn has_scoping() -> bool {
    linux::landlock::has_scopes()
}

pub use writable::unlock_work;
