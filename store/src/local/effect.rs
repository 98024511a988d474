//! Effects: every call that changes a store directory is made here, so that tests can stop or fail each one of them.
//!
//! With the feature `faults` a hook is asked before each effect, see [`super::fault`]; without it these are the system's calls and
//! nothing else. `clippy.toml` keeps the rest of the crate from making them itself. What builds write below `tmp/` is theirs, not an effect.

#![expect(clippy::disallowed_methods, reason = "this is where they are called")]

use rusqlite::{Connection, Transaction, TransactionBehavior};
use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use rustix::path::Arg;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A kind of change to a store directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Make a directory.
    MakeDirectory,
    /// Make a file.
    Create,
    /// Write to a file. One that fails has written a part.
    Write,
    /// Change a file's length.
    Truncate,
    /// Set bytes of the disk aside for a file.
    Allocate,
    /// Give a file another name.
    Link,
    /// Make a symbolic link.
    SymbolicLink,
    /// Move something.
    Rename,
    /// Remove a file or an empty directory.
    Remove,
    /// Change a mode.
    Mode,
    /// Change times.
    Time,
    /// Make everything written so far survive a power cut.
    Sync,
    /// Make the content of one file, or the names in one directory, survive it; and of which one, by its number on its disk.
    SyncOne(u64),
    /// Begin a transaction of the index.
    Begin,
    /// Commit it.
    Commit,
}

const FIXED_TIME: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
const FIXED_TIMES: Timestamps = Timestamps { last_access: FIXED_TIME, last_modification: FIXED_TIME };

#[cfg(feature = "faults")]
use super::fault::admit;

/// Nobody asks: the effect happens.
#[cfg(not(feature = "faults"))]
#[inline(always)]
#[expect(clippy::unnecessary_wraps, reason = "with the feature `faults` it may fail")]
const fn admit(_: Effect) -> Result<(), Errno> {
    Ok(())
}

pub(super) fn mkdir(path: impl Arg, mode: Mode) -> Result<(), Errno> {
    mkdirat(rustix::fs::CWD, path, mode)
}

pub(super) fn mkdirat(directory: impl AsFd, name: impl Arg, mode: Mode) -> Result<(), Errno> {
    admit(Effect::MakeDirectory)?;
    rustix::fs::mkdirat(directory, name, mode)
}

/// Makes a directory and what is missing above it.
pub(super) fn mkdir_all(path: &Path) -> Result<(), std::io::Error> {
    admit(Effect::MakeDirectory)?;
    std::fs::create_dir_all(path)
}

/// Opens a file that is made by this; `flags` say whether it must be new.
pub(super) fn create(directory: impl AsFd, name: impl Arg, flags: OFlags, mode: Mode) -> Result<File, Errno> {
    admit(Effect::Create)?;
    let flags = flags | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(directory, name, flags, mode)?.into())
}

pub(super) fn write_all(mut file: &File, bytes: &[u8]) -> Result<(), std::io::Error> {
    if let Err(error) = admit(Effect::Write) {
        file.write_all(&bytes[..bytes.len() / 2])?;
        return Err(error.into());
    }
    file.write_all(bytes)
}

pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> Result<(), std::io::Error> {
    if let Err(error) = admit(Effect::Write) {
        file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
        return Err(error.into());
    }
    file.write_all_at(bytes, offset)
}

/// Makes a file with this content, or overwrites what is there.
pub(super) fn write_file(path: &Path, content: &[u8]) -> Result<(), std::io::Error> {
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    let file = create(rustix::fs::CWD, path, OFlags::WRONLY | OFlags::TRUNC, mode)?;
    write_all(&file, content)
}

pub(super) fn set_len(file: &File, length: u64) -> Result<(), std::io::Error> {
    admit(Effect::Truncate)?;
    file.set_len(length)
}

/// Sets so many bytes of the disk aside for a file, which has that length then.
pub(super) fn allocate(file: &File, length: u64) -> Result<(), Errno> {
    admit(Effect::Allocate)?;
    rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length)
}

pub(super) fn linkat(from: impl AsFd, from_name: impl Arg, to: impl AsFd, to_name: impl Arg) -> Result<(), Errno> {
    admit(Effect::Link)?;
    rustix::fs::linkat(from, from_name, to, to_name, AtFlags::empty())
}

/// Gives an open file a name. It must have another one still.
pub(super) fn link_open_file(file: impl AsFd, to: impl AsFd, to_name: impl Arg) -> Result<(), Errno> {
    admit(Effect::Link)?;
    let from = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    rustix::fs::linkat(rustix::fs::CWD, from, to, to_name, AtFlags::SYMLINK_FOLLOW)
}

pub(super) fn symlinkat(target: impl Arg, directory: impl AsFd, name: impl Arg) -> Result<(), Errno> {
    admit(Effect::SymbolicLink)?;
    rustix::fs::symlinkat(target, directory, name)
}

pub(super) fn rename(from: impl Arg, to: impl Arg) -> Result<(), Errno> {
    renameat(rustix::fs::CWD, from, rustix::fs::CWD, to)
}

pub(super) fn renameat(from: impl AsFd, from_name: impl Arg, to: impl AsFd, to_name: impl Arg) -> Result<(), Errno> {
    admit(Effect::Rename)?;
    rustix::fs::renameat(from, from_name, to, to_name)
}

pub(super) fn unlink(path: impl Arg) -> Result<(), Errno> {
    unlinkat(rustix::fs::CWD, path, AtFlags::empty())
}

pub(super) fn unlinkat(directory: impl AsFd, name: impl Arg, flags: AtFlags) -> Result<(), Errno> {
    admit(Effect::Remove)?;
    rustix::fs::unlinkat(directory, name, flags)
}

pub(super) fn chmod(path: impl Arg, mode: Mode) -> Result<(), Errno> {
    chmodat(rustix::fs::CWD, path, mode)
}

pub(super) fn chmodat(directory: impl AsFd, name: impl Arg, mode: Mode) -> Result<(), Errno> {
    admit(Effect::Mode)?;
    rustix::fs::chmodat(directory, name, mode, AtFlags::empty())
}

pub(super) fn fchmod(file: impl AsFd, mode: Mode) -> Result<(), Errno> {
    admit(Effect::Mode)?;
    rustix::fs::fchmod(file, mode)
}

/// Gives a sealed object its fixed time, one second after the epoch, so that no build sees another.
pub(super) fn set_fixed_time(file: impl AsFd) -> Result<(), Errno> {
    admit(Effect::Time)?;
    rustix::fs::futimens(file, &FIXED_TIMES)
}

/// As [`set_fixed_time`], of a symbolic link itself. There are file systems on which links have no times.
pub(super) fn set_fixed_link_time(directory: impl AsFd, name: impl Arg) -> Result<(), Errno> {
    admit(Effect::Time)?;
    match rustix::fs::utimensat(directory, name, &FIXED_TIMES, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::OPNOTSUPP) => Ok(()),
        set => set,
    }
}

/// Makes one file, or the names in one directory, survive a power cut.
pub(super) fn sync(file: impl AsFd) -> Result<(), Errno> {
    #[cfg(feature = "faults")]
    admit(Effect::SyncOne(rustix::fs::fstat(&file)?.st_ino))?;
    rustix::fs::fsync(file)
}

pub(super) fn syncfs(directory: impl AsFd) -> Result<(), Errno> {
    admit(Effect::Sync)?;
    rustix::fs::syncfs(directory)
}

/// Begins a transaction that writes.
pub(super) fn begin(connection: &mut Connection) -> Result<Transaction<'_>, rusqlite::Error> {
    admit(Effect::Begin).map_err(as_sqlite)?;
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

pub(super) fn commit(transaction: Transaction<'_>) -> Result<(), rusqlite::Error> {
    admit(Effect::Commit).map_err(as_sqlite)?;
    transaction.commit()
}

/// What SQLite would say of an error of the system.
fn as_sqlite(error: Errno) -> rusqlite::Error {
    let code = match error {
        Errno::NOSPC => rusqlite::ffi::SQLITE_FULL,
        Errno::DQUOT => rusqlite::ffi::SQLITE_IOERR_WRITE,
        _ => rusqlite::ffi::SQLITE_IOERR,
    };
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some(error.to_string()))
}
