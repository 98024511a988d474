//! The sandbox: what one process tree sees while it builds, and nothing else.
//!
//! [`SandboxSpec`] says, as plain data, what the guest sees; [`linux`] makes it so with namespaces, an overlay root and a
//! system-call filter, needing no privilege; [`Outcome`] says how it ended. The processes are started by the
//! [spawner](crate::spawner). There is no way to run a command here without the sandbox: where the machine forbids it, the
//! [error](SetupError) names the [remedy](Remedy).

mod clock;
pub(crate) mod linux;
mod outcome;
mod path;
mod remedy;
mod skeleton;
mod spec;
mod writable;

pub use outcome::{Outcome, SetupError, Status, Step, Usage};
pub use path::{GuestPath, HostPath, PathError};
pub(crate) use remedy::with_remedy;
pub use remedy::{HostFacts, Remedy, probe};
pub use spec::{Bind, Circumstances, Limits, MAX_LAYERS, SandboxSpec, SpecError, User, WritableLayer};
pub use writable::unlock_work;
