//! Notes which paths the guest opens, looks at, and looks for in vain. This records and does not confine: the kernel makes the call
//! after the look here, and may by then find something else.
//!
//! Notes go to a file when they are new: a letter ([`OPENED`], …), the path, and a NUL byte. A path is written as the guest named it
//! (a relative one behind the directory it starts from) and, if that leads elsewhere, also where it led. What only the
//! build itself can have made is left out.

use super::sys;
use crate::runtime::interpreter;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// Opened, executed, or read as a link.
pub(crate) const OPENED: u8 = b'o';
/// Asked about.
pub(crate) const SEEN: u8 = b's';
/// Not there.
pub(crate) const MISSED: u8 = b'm';
/// From here on nothing is noted: there was too much.
pub(crate) const TRUNCATED: u8 = b't';

/// Bytes of paths that are remembered, so that a build that invents names cannot fill the memory.
const MAX_BYTES: usize = 64 << 20;
/// Interpreters of interpreters, as far as the kernel goes.
const MAX_INTERPRETERS: usize = 5;
/// Bytes at the start of a file that tell its interpreter.
const START: u64 = 4096;

/// Where only the build's own files are, or the kernel's.
const OWN: [&[u8]; 6] = [b"/build", b"/tmp", b"/proc", b"/dev", b"/larder/out", b"/larder/jobs"];

/// A call that names a file.
struct Lookup {
    call: i64,
    /// The argument with the directory from which a relative path starts; the working directory if there is none.
    directory: Option<u8>,
    /// The argument with the path.
    path: u8,
    flags: Flags,
    mark: u8,
}

/// What more a call says.
#[derive(Clone, Copy)]
enum Flags {
    /// Nothing.
    None,
    /// That a last link is meant itself.
    NoFollow,
    /// How to open, in this argument.
    Open(u8),
    /// `AT_…`, in this argument.
    At(u8),
    /// That the file is a program.
    Execute,
}

const fn lookup(call: i64, directory: Option<u8>, path: u8, flags: Flags, mark: u8) -> Lookup {
    Lookup { call, directory, path, flags, mark }
}

const LOOKUPS: &[Lookup] = &[
    lookup(libc::SYS_openat, Some(0), 1, Flags::Open(2), OPENED),
    lookup(libc::SYS_newfstatat, Some(0), 1, Flags::At(3), SEEN),
    lookup(libc::SYS_statx, Some(0), 1, Flags::At(2), SEEN),
    lookup(libc::SYS_faccessat, Some(0), 1, Flags::None, SEEN),
    lookup(libc::SYS_faccessat2, Some(0), 1, Flags::At(3), SEEN),
    lookup(libc::SYS_readlinkat, Some(0), 1, Flags::NoFollow, OPENED),
    lookup(libc::SYS_execve, None, 0, Flags::Execute, OPENED),
    lookup(libc::SYS_execveat, Some(0), 1, Flags::Execute, OPENED),
];

/// Calls that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const OLD_LOOKUPS: &[Lookup] = &[
    lookup(libc::SYS_open, None, 0, Flags::Open(1), OPENED),
    lookup(libc::SYS_stat, None, 0, Flags::None, SEEN),
    lookup(libc::SYS_lstat, None, 0, Flags::NoFollow, SEEN),
    lookup(libc::SYS_access, None, 0, Flags::None, SEEN),
    lookup(libc::SYS_readlink, None, 0, Flags::NoFollow, OPENED),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_LOOKUPS: &[Lookup] = &[];

/// The calls that are to be noted.
pub(super) fn calls() -> impl Iterator<Item = i64> {
    LOOKUPS.iter().chain(OLD_LOOKUPS).map(|lookup| lookup.call)
}

/// The argument of a call in which `AT_EMPTY_PATH` says that it names nothing.
pub(super) fn empty_path_flag(call: i64) -> Option<u8> {
    match call {
        libc::SYS_newfstatat => Some(3),
        libc::SYS_statx => Some(2),
        _ => None,
    }
}

/// What is noted of one sandbox.
pub(super) struct Trace {
    file: File,
    /// What has been asked for, as it was asked, so that it is looked for once.
    asked: HashSet<Vec<u8>>,
    noted: HashSet<Vec<u8>>,
    bytes: usize,
}

impl Trace {
    /// Notes in a file that is open for writing.
    pub(super) fn new(file: OwnedFd) -> Self {
        Self { file: file.into(), asked: HashSet::new(), noted: HashSet::new(), bytes: 0 }
    }

    /// Notes the first program, whose start cannot be seen: by these paths, in this order, it is looked for.
    pub(super) fn note_command(&mut self, candidates: &[String]) {
        for path in candidates {
            let found = std::fs::exists(path).unwrap_or_default();
            let look = Look { mark: OPENED, no_follow: false, creates: false, executes: MAX_INTERPRETERS };
            self.look(path.clone().into_bytes(), look);
            if found {
                return;
            }
        }
    }

    /// Notes a call, if it names a file.
    pub(super) fn note(&mut self, call: &libc::seccomp_notif) {
        let number = i64::from(call.data.nr);
        let Some(lookup) = LOOKUPS.iter().chain(OLD_LOOKUPS).find(|lookup| lookup.call == number) else { return };
        let flags = match lookup.flags {
            Flags::Open(argument) | Flags::At(argument) => call.data.args[usize::from(argument)] as i32,
            _ => 0,
        };
        let (no_follow, creates) = match lookup.flags {
            Flags::Open(_) => (flags & libc::O_NOFOLLOW != 0, flags & libc::O_CREAT != 0),
            Flags::At(_) => (flags & libc::AT_SYMLINK_NOFOLLOW != 0, false),
            Flags::NoFollow => (true, false),
            Flags::None | Flags::Execute => (false, false),
        };
        let Ok(path) = asked_path(call, lookup) else { return };
        let executes = usize::from(matches!(lookup.flags, Flags::Execute)) * MAX_INTERPRETERS;
        self.look(path, Look { mark: lookup.mark, no_follow, creates, executes });
    }

    fn look(&mut self, path: Vec<u8>, look: Look) {
        // A program's interpreter is to be found even if it was only asked about before.
        let kind = look.mark | u8::from(look.executes > 0) << 7;
        let key = [&[kind, look.no_follow.into()], path.as_slice()].concat();
        if self.bytes > MAX_BYTES
            || path.is_empty()
            || is_within(&path, &[b"/proc", b"/dev"])
            || self.asked.contains(&key)
        {
            return;
        }
        let length = key.len();
        self.asked.insert(key);
        self.grow(length);
        let mut flags = OFlags::PATH | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, look.no_follow);
        // Not through what leads to the files of whoever follows it: those are ours.
        let follow = ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(CWD, path.as_slice(), flags, Mode::empty(), follow) {
            Ok(found) => {
                let real = real_path(&found);
                self.write(look.mark, &path);
                real.iter().for_each(|real| self.write(look.mark, real));
                if look.executes > 0 {
                    self.interpreter(&found, look);
                }
            }
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) if !look.creates => self.miss(&path),
            Err(_) => {}
        }
    }

    /// What the kernel opens when it executes a file.
    fn interpreter(&mut self, program: &OwnedFd, look: Look) {
        // Nothing else is executed, and opening something else may do anything.
        if !rustix::fs::fstat(program).is_ok_and(|data| FileType::from_raw_mode(data.st_mode) == FileType::RegularFile)
        {
            return;
        }
        let place = format!("/proc/self/fd/{}", program.as_raw_fd());
        let mut start = Vec::new();
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let read = rustix::fs::open(place, flags, Mode::empty())
            .map(File::from)
            .map_err(std::io::Error::from)
            .and_then(|file| file.take(START).read_to_end(&mut start));
        if let Some(path) = read.ok().and_then(|_| interpreter(&start)).filter(|path| path.starts_with('/')) {
            self.look(path.into_bytes(), Look { executes: look.executes - 1, ..look });
        }
    }

    /// Notes what is not there. What is missing in a directory that the build reached by a link of its own is missing there.
    fn miss(&mut self, path: &[u8]) {
        if !is_within(path, &OWN) {
            return self.write(MISSED, path);
        }
        let Some(slash) = path.iter().rposition(|byte| *byte == b'/').filter(|slash| *slash > 0) else { return };
        let parent = rustix::fs::open(&path[..slash], OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        if let Some(real) = parent.ok().and_then(|parent| real_path(&parent)) {
            self.write(MISSED, &[&real, &path[slash..]].concat());
        }
    }

    fn write(&mut self, mark: u8, path: &[u8]) {
        if is_within(path, &OWN) || self.bytes > MAX_BYTES {
            return;
        }
        let note = [&[mark], path, &[0]].concat();
        if !self.noted.contains(&note) {
            // Without room on the disk the build itself fails.
            let _ = self.file.write_all(&note);
            self.grow(note.len());
            self.noted.insert(note);
        }
    }

    /// Counts what is remembered; when it is too much, that is noted last, and only what is new is not noted any more.
    fn grow(&mut self, bytes: usize) {
        let before = self.bytes;
        self.bytes += bytes;
        if before <= MAX_BYTES && self.bytes > MAX_BYTES {
            let _ = self.file.write_all(&[TRUNCATED, 0]);
        }
        if self.bytes > MAX_BYTES {
            self.asked = HashSet::new();
        }
    }
}

/// How a path is looked for.
#[derive(Clone, Copy)]
struct Look {
    mark: u8,
    no_follow: bool,
    /// Whether it is made if it is not there.
    creates: bool,
    /// Of how many programs in a row the interpreter is opened as well.
    executes: usize,
}

/// The path of a call, behind the directory it starts from.
fn asked_path(call: &libc::seccomp_notif, lookup: &Lookup) -> std::io::Result<Vec<u8>> {
    let path = sys::read_text(call.pid, call.data.args[usize::from(lookup.path)])?;
    if path.is_empty() || path.starts_with(b"/") {
        return Ok(path);
    }
    let directory = lookup.directory.map_or(libc::AT_FDCWD, |argument| call.data.args[usize::from(argument)] as i32);
    let link = match directory {
        libc::AT_FDCWD => format!("/proc/{}/cwd", call.pid),
        descriptor => format!("/proc/{}/fd/{descriptor}", call.pid),
    };
    let start = std::fs::read_link(link)?;
    Ok([start.as_os_str().as_bytes(), b"/", &path].concat())
}

/// Where an open file is, on a way without links. One that has no name any more is nowhere.
fn real_path(file: &OwnedFd) -> Option<Vec<u8>> {
    let path = rustix::fs::readlink(format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new()).ok()?.into_bytes();
    (path.starts_with(b"/") && !path.ends_with(b" (deleted)")).then_some(path)
}

fn is_within(path: &[u8], directories: &[&[u8]]) -> bool {
    directories
        .iter()
        .any(|directory| path.strip_prefix(*directory).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_places_are_whole_components() {
        assert!(is_within(b"/build", &OWN) && is_within(b"/build/a/b", &OWN) && is_within(b"/larder/out/out", &OWN));
        assert!(!is_within(b"/builder", &OWN) && !is_within(b"/larder/store/x", &OWN) && !is_within(b"/", &OWN));
    }

    #[test]
    fn what_is_invented_without_end_is_not_noted_without_end() {
        let file = tempfile::tempfile().expect("a file");
        let mut trace = Trace::new(file.try_clone().expect("a copy").into());
        trace.bytes = MAX_BYTES - 1;
        let look = Look { mark: SEEN, no_follow: false, creates: false, executes: 0 };
        (0..3).for_each(|number| trace.look(format!("/not/there/{number}").into_bytes(), look));
        let mut text = Vec::new();
        std::io::Seek::rewind(&mut trace.file).and_then(|()| trace.file.read_to_end(&mut text)).expect("readable");
        assert_eq!((text, trace.asked.len()), (b"t\0".to_vec(), 0));
    }
}
