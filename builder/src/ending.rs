//! How a builder's command ended when it did not succeed.

use crate::limits::Overrun;
use std::fmt;

/// The end of a command that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It said so itself.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
    /// It reached a limit and was stopped.
    Stopped(Overrun),
    /// It failed while processes were killed for lack of memory.
    OutOfMemory {
        /// Its own limit, in bytes, if that was reached.
        limit: Option<u64>,
    },
}

impl Ending {
    /// What may help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Stopped(overrun) => Some(overrun.hint()),
            Self::OutOfMemory { limit: None } => {
                Some("with fewer processes it may need less memory: --cores 1".to_owned())
            }
            Self::OutOfMemory { limit: Some(_) } => Some(
                "if it needs so much: --max-build-memory BYTES; with fewer processes it may need less: --cores 1"
                    .to_owned(),
            ),
            Self::Exited(_) | Self::Signalled(_) => None,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "failed with exit status {code}"),
            Self::Signalled(signal) => write!(f, "was killed by signal {signal}"),
            Self::Stopped(overrun) => overrun.fmt(f),
            Self::OutOfMemory { limit: None } => {
                f.write_str("failed while the system killed processes for lack of memory,")
            }
            Self::OutOfMemory { limit: Some(limit) } => {
                write!(f, "failed, for processes of it were killed at its limit of {limit} bytes of memory,")
            }
        }
    }
}
