//! Creating entries below the destination.
//!
//! Every path is reached by descriptors: a parent is opened with openat2(2) so that no link on the way is followed and
//! the destination is never left, and the last component is created exclusively. What the archive itself created is
//! remembered, so that an entry can neither replace an earlier one nor pass through it.

use super::limit::check_entries;
use super::problem::{Failure, Outcome, Problem, printable};
use super::{Content, Entry, EntryKind, Summary, UnpackOptions, name};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;

const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
const EXECUTABLE_MODE: u32 = 0o755;

/// What was created at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Created {
    Directory,
    /// A file or a symbolic link: a hard link may name it.
    Leaf,
}

/// Creates entries below one directory.
pub(super) struct Placer<'a> {
    options: &'a UnpackOptions,
    cancelled: &'a dyn Fn() -> bool,
    root: OwnedFd,
    created: HashMap<Box<[u8]>, Created>,
    /// The directory that the last entry was created in: most entries follow one of the same directory.
    parent: Option<(Vec<u8>, OwnedFd)>,
    entries: u64,
    summary: Summary,
}

impl<'a> Placer<'a> {
    /// Opens the destination, following links in its own path: the caller named it.
    pub(super) fn open(
        destination: &Path,
        options: &'a UnpackOptions,
        cancelled: &'a dyn Fn() -> bool,
    ) -> std::io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, destination, flags, Mode::empty())?;
        let summary = Summary::default();
        Ok(Self { options, cancelled, root, created: HashMap::new(), parent: None, entries: 0, summary })
    }

    /// What was created.
    pub(super) fn into_summary(self) -> Summary {
        self.summary
    }

    /// Creates one entry, with content from `content`.
    pub(super) fn place(&mut self, entry: &Entry, content: &mut impl Content) -> Outcome<()> {
        self.check_wanted()?;
        self.entries += 1;
        check_entries(self.entries, &self.options.limits)?;
        let Some(path) = name::resolve(&entry.name, self.options)? else {
            self.summary.skipped += 1;
            return Ok(());
        };
        match &entry.kind {
            EntryKind::Directory => self.place_directory(&path),
            _ if path.is_empty() => Err(Problem::EmptyName.into()),
            EntryKind::File { executable } => self.place_file(&path, *executable, content),
            EntryKind::Symlink(target) => self.place_symlink(&path, target),
            EntryKind::HardLink(target) => self.place_hard_link(&path, target),
            EntryKind::Special(kind) => Err(Problem::Special(kind).into()),
        }
    }

    fn place_directory(&mut self, path: &[u8]) -> Outcome<()> {
        self.summary.directories += 1;
        if !path.is_empty() {
            self.make_directories(path)?;
        }
        Ok(())
    }

    fn place_file(&mut self, path: &[u8], executable: bool, content: &mut impl Content) -> Outcome<()> {
        let (parent, name) = self.open_parent(path)?;
        let mode = if executable { EXECUTABLE_MODE } else { FILE_MODE };
        let file = create_file(parent, name, mode)?;
        self.created.insert(path.into(), Created::Leaf);
        self.summary.files += 1;
        self.summary.bytes += self.copy(content, file)?;
        Ok(())
    }

    /// Fails if nobody wants the rest any more.
    fn check_wanted(&self) -> Outcome<()> {
        if (self.cancelled)() { Err(Problem::Cancelled.into()) } else { Ok(()) }
    }

    fn copy(&self, content: &mut impl Content, mut file: File) -> Outcome<u64> {
        let mut total = 0;
        loop {
            self.check_wanted()?;
            let chunk = content.next_chunk()?;
            if chunk.is_empty() {
                return Ok(total);
            }
            file.write_all(chunk).map_err(Problem::Write)?;
            let length = chunk.len();
            total += length as u64;
            content.consume(length);
        }
    }

    fn place_symlink(&mut self, path: &[u8], target: &[u8]) -> Outcome<()> {
        name::check_symlink_target(target)?;
        let (parent, name) = self.open_parent(path)?;
        rustix::fs::symlinkat(target, parent, name).map_err(write_problem)?;
        self.created.insert(path.into(), Created::Leaf);
        self.summary.symlinks += 1;
        Ok(())
    }

    fn place_hard_link(&mut self, path: &[u8], target: &[u8]) -> Outcome<()> {
        let no_target = || Failure::from(Problem::LinkTarget(printable(target)));
        let source = name::resolve(target, self.options)?.ok_or_else(no_target)?;
        if self.created.get(source.as_slice()) != Some(&Created::Leaf) {
            return Err(no_target());
        }
        let (source_parent, source_name) = split(&source);
        let source_parent = open_directory(&self.root, source_parent).map_err(write_problem)?;
        let (parent, name) = self.open_parent(path)?;
        // Without AT_SYMLINK_FOLLOW: a link to a symbolic link is another such link.
        match rustix::fs::linkat(&source_parent, source_name, parent, name, AtFlags::empty()) {
            Err(Errno::MLINK) => copy_file(&source_parent, source_name, parent, name)?,
            linked => linked.map_err(write_problem)?,
        }
        self.created.insert(path.into(), Created::Leaf);
        self.summary.hard_links += 1;
        Ok(())
    }

    /// The open parent of `path`, created where it is missing, and the last component.
    fn open_parent<'p>(&mut self, path: &'p [u8]) -> Outcome<(&OwnedFd, &'p [u8])> {
        if self.created.contains_key(path) {
            return Err(Problem::Exists(true).into());
        }
        let (parent, name) = split(path);
        if parent.is_empty() {
            return Ok((&self.root, name));
        }
        if self.parent.as_ref().is_none_or(|(open, _)| open != parent) {
            let directory = self.make_directories(parent)?;
            self.parent = Some((parent.to_vec(), directory));
        }
        let (_, directory) = self.parent.as_ref().expect("it was just put there");
        Ok((directory, name))
    }

    /// Opens the directory at `path`, creating it and those above it where they are missing.
    fn make_directories(&mut self, path: &[u8]) -> Outcome<OwnedFd> {
        let known = self.known_prefix(path)?;
        let mut directory =
            open_directory(&self.root, &path[..known]).map_err(|errno| not_directory(&path[..known], errno))?;
        let mut end = known;
        while end < path.len() {
            let start = if end == 0 { 0 } else { end + 1 };
            end = path[start..].iter().position(|&byte| byte == b'/').map_or(path.len(), |length| start + length);
            directory =
                make_directory(&directory, &path[start..end]).map_err(|errno| not_directory(&path[..end], errno))?;
            self.created.insert(path[..end].into(), Created::Directory);
        }
        Ok(directory)
    }

    /// Length of the longest prefix of `path` that is a directory of this archive already.
    fn known_prefix(&self, path: &[u8]) -> Outcome<usize> {
        let mut end = path.len();
        while end > 0 {
            match self.created.get(&path[..end]) {
                Some(Created::Directory) => return Ok(end),
                Some(Created::Leaf) if end == path.len() => return Err(Problem::Exists(true).into()),
                Some(Created::Leaf) => return Err(Problem::NotDirectory(printable(&path[..end])).into()),
                None => end = path[..end].iter().rposition(|&byte| byte == b'/').unwrap_or(0),
            }
        }
        Ok(0)
    }
}

/// Parent and last component; the parent is empty at the top.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// Opens a directory below `root` without following any link.
fn open_directory(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b".".as_slice() } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    loop {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            // The kernel says so when a rename elsewhere came between; RESOLVE_BENEATH then cannot be sure.
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Creates and opens one directory; one that exists is opened as it is.
fn make_directory(parent: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    let made = match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(DIRECTORY_MODE)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(errno),
    };
    let directory = open_directory(parent, name)?;
    if made {
        rustix::fs::fchmod(&directory, Mode::from_raw_mode(DIRECTORY_MODE))?;
    }
    Ok(directory)
}

/// Copies a file that has as many links as the file system allows.
fn copy_file(source_parent: &OwnedFd, source: &[u8], parent: &OwnedFd, name: &[u8]) -> Outcome<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let source = rustix::fs::openat(source_parent, source, flags, Mode::empty()).map_err(write_problem)?;
    let mode = rustix::fs::fstat(&source).map_err(write_problem)?.st_mode;
    let mut file = create_file(parent, name, mode & EXECUTABLE_MODE)?;
    std::io::copy(&mut File::from(source), &mut file).map_err(Problem::Write)?;
    Ok(())
}

/// Creates a file that is not there, with exactly this mode.
fn create_file(parent: &OwnedFd, name: &[u8], mode: u32) -> Outcome<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600)).map_err(write_problem)?;
    // Not by the mode given above: that one is masked by the process's umask.
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(write_problem)?;
    Ok(File::from(file))
}

fn write_problem(errno: Errno) -> Problem {
    match errno {
        Errno::EXIST => Problem::Exists(false),
        errno => Problem::Write(errno.into()),
    }
}

fn not_directory(path: &[u8], errno: Errno) -> Problem {
    match errno {
        Errno::NOTDIR | Errno::LOOP => Problem::NotDirectory(printable(path)),
        errno => write_problem(errno),
    }
}
