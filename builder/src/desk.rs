//! Desks: where larder keeps what it needs of a build while that runs: who it is, its log, the FIFO of its tokens.
//!
//! A desk is used again by the next build, for making and removing files costs more than a small build does. Invariants: one build has
//! it at a time; nothing of it is seen by a build but the FIFO, through a read-only mount, and what another one has written to that is
//! taken out first; while no build has it there is no log at it.

use crate::builder::Builder;
use rustix::fs::{CWD, FileType, Mode};
use std::path::PathBuf;
use std::sync::PoisonError;
use store::local::{At, IoError, Staging, StoreError};

/// The name of the FIFO of the tokens of a build at its desk.
pub(crate) const FIFO: &str = "jobs";

/// A directory below `tmp/` for one build after the other.
#[derive(Debug)]
pub(crate) struct Desk {
    directory: Staging,
}

impl Desk {
    fn new(directory: Staging) -> Result<Self, IoError> {
        let desk = Self { directory };
        let fifo = desk.fifo();
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).at("create", &fifo)?;
        Ok(desk)
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// The FIFO of the tokens of its build.
    pub(crate) fn fifo(&self) -> PathBuf {
        self.place().join(FIFO)
    }
}

impl Builder<'_> {
    /// A desk that no build has.
    pub(crate) fn take_desk(&self) -> Result<Desk, StoreError> {
        let free = self.desks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match free {
            Some(desk) => Ok(desk),
            None => Ok(Desk::new(self.store().stage()?)?),
        }
    }

    /// Gives a desk to whoever comes next. Every process of its build has ended.
    pub(crate) fn leave_desk(&self, desk: Desk) {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner).push(desk);
    }
}
