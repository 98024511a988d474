//! Questions about files and what the answers were: digests, and stamps that spare reading again.
//!
//! A stamp says which file it was, how large, and when it last changed. Where all of that is still so, the content is taken to be
//! the same. Not so if the change had only just happened when the stamp was taken: the clock of file systems is coarse, and another
//! change may have got the same time. Such a file has no stamp and is read again.

use crate::host_files::list;
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::digest::BlobDigest;

/// What was asked of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum Kind {
    /// The type of a path, links not followed.
    Type,
    /// The content of a file, links followed.
    Content,
    /// Names and types in a directory, links followed.
    Listing,
    /// Where a link leads.
    Link,
    /// The content of a file that is not executable, links not followed.
    Plain,
    /// The content of an executable file, links not followed.
    Executable,
    /// Whether a store path is valid.
    Valid,
    /// Whether a file is executable, links followed.
    Mode,
    /// Which tree an input became; its digest is that of the store path's text.
    Realised,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Type,
        Self::Content,
        Self::Listing,
        Self::Link,
        Self::Plain,
        Self::Executable,
        Self::Valid,
        Self::Mode,
        Self::Realised,
    ];

    /// Whether a stamp tells that the answer is the same.
    pub(super) const fn has_stamp(self) -> bool {
        matches!(self, Self::Content | Self::Listing | Self::Plain | Self::Executable)
    }

    const fn follows_links(self) -> bool {
        matches!(self, Self::Content | Self::Listing)
    }
}

/// The digest of an answer.
pub(super) type Digest = [u8; 32];

/// Which file it was, and when it last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(pub(super) [u64; 7]);

/// How long before the stamp was taken the last change must have been.
const SETTLED: Duration = Duration::from_secs(2);

impl Stamp {
    /// The stamp of a file that was looked at just now, unless it changed only just before.
    #[allow(
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "only equality counts, so any injection will do"
    )]
    pub(super) fn new(stat: &Stat) -> Option<Self> {
        let changed = [(stat.st_mtime, stat.st_mtime_nsec as u64), (stat.st_ctime, stat.st_ctime_nsec as u64)];
        let settled = changed.iter().all(|(seconds, nanoseconds)| {
            let since = Duration::new(u64::try_from(*seconds).unwrap_or(0), u32::try_from(*nanoseconds).unwrap_or(0));
            SystemTime::now().duration_since(UNIX_EPOCH + since).is_ok_and(|age| age > SETTLED)
        });
        settled.then(|| Self::exact(stat))
    }

    /// The stamp of a file, to be compared with an earlier one.
    #[allow(
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "only equality counts, so any injection will do"
    )]
    pub(super) fn exact(stat: &Stat) -> Self {
        Self([
            stat.st_dev as u64,
            stat.st_ino as u64,
            stat.st_size as u64,
            stat.st_mtime as u64,
            stat.st_mtime_nsec as u64,
            stat.st_ctime as u64,
            stat.st_ctime_nsec as u64,
        ])
    }
}

/// Looks at a path as a question of this kind does; `None` when there is nothing.
pub(super) fn look(kind: Kind, path: &Path) -> Option<Stat> {
    if kind.follows_links() { rustix::fs::stat(path).ok() } else { rustix::fs::lstat(path).ok() }
}

/// The digest of the type of a path, or of there being none.
pub(super) fn of_type(found: Option<eval::FileType>) -> Digest {
    let mut digest = [0; 32];
    digest[0] = match found {
        None => 0,
        Some(eval::FileType::Regular) => 1,
        Some(eval::FileType::Directory) => 2,
        Some(eval::FileType::Symlink) => 3,
        Some(eval::FileType::Other) => 4,
    };
    digest
}

/// The digest of whether a file is executable.
pub(super) fn of_mode(executable: bool) -> Digest {
    let mut digest = [0; 32];
    digest[0] = u8::from(executable);
    digest
}

/// The digest of bytes.
pub(super) fn of_bytes(bytes: &[u8]) -> Digest {
    *BlobDigest::of(bytes).as_bytes()
}

/// The digest of names and types, given in any order.
pub(super) fn of_listing(entries: &[(Vec<u8>, eval::FileType)]) -> Digest {
    let mut sorted: Vec<_> = entries.iter().map(|(name, found)| (name.as_slice(), of_type(Some(*found))[0])).collect();
    sorted.sort_unstable();
    let bytes: Vec<u8> = sorted.into_iter().flat_map(|(name, found)| [name, &[0, found]].concat()).collect();
    of_bytes(&bytes)
}

pub(super) fn type_of(stat: &Stat) -> eval::FileType {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => eval::FileType::Regular,
        FileType::Directory => eval::FileType::Directory,
        FileType::Symlink => eval::FileType::Symlink,
        _ => eval::FileType::Other,
    }
}

/// Whether the store takes a file for executable.
pub(super) fn is_executable(stat: &Stat) -> bool {
    stat.st_mode & 0o100 != 0
}

/// Asks a question about files again; `None` when it has no answer, which is no answer that was ever kept.
pub(super) fn ask(kind: Kind, path: &Path) -> Option<Digest> {
    match kind {
        Kind::Type => match rustix::fs::lstat(path) {
            Ok(stat) => Some(of_type(Some(type_of(&stat)))),
            Err(Errno::NOENT | Errno::NOTDIR) => Some(of_type(None)),
            Err(_) => None,
        },
        Kind::Content => Some(of_bytes(&std::fs::read(path).ok()?)),
        Kind::Listing => Some(of_listing(&list(path).ok()?)),
        Kind::Link => Some(of_bytes(std::fs::read_link(path).ok()?.as_os_str().as_bytes())),
        Kind::Plain | Kind::Executable => {
            let stat = rustix::fs::lstat(path).ok()?;
            let same = type_of(&stat) == eval::FileType::Regular && is_executable(&stat) == (kind == Kind::Executable);
            if same { Some(of_bytes(&std::fs::read(path).ok()?)) } else { None }
        }
        Kind::Mode => Some(of_mode(is_executable(&rustix::fs::stat(path).ok()?))),
        Kind::Valid | Kind::Realised => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn answers_differ_when_the_world_does() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        assert_eq!(ask(Kind::Type, &file), Some(of_type(None)));
        assert_eq!(ask(Kind::Content, &file), None);
        let empty = ask(Kind::Listing, scratch.path()).unwrap();
        std::fs::write(&file, "text").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(ask(Kind::Content, &file), Some(of_bytes(b"text")));
        assert_eq!(ask(Kind::Plain, &file), Some(of_bytes(b"text")));
        assert_eq!(ask(Kind::Executable, &file), None);
        assert_ne!(ask(Kind::Listing, scratch.path()).unwrap(), empty);
        let link = scratch.path().join("link");
        symlink("file", &link).unwrap();
        assert_eq!(ask(Kind::Content, &link), Some(of_bytes(b"text")));
        assert_eq!(ask(Kind::Plain, &link), None, "a link is no file, where links are not followed");
        assert_eq!(ask(Kind::Link, &link), Some(of_bytes(b"file")));
        assert_eq!(ask(Kind::Type, &link), Some(of_type(Some(eval::FileType::Symlink))));
    }

    #[test]
    fn a_file_that_just_changed_has_no_stamp() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        std::fs::write(&file, "text").unwrap();
        let stat = look(Kind::Content, &file).unwrap();
        assert_eq!(Stamp::new(&stat), None);
        let mut old = stat;
        (old.st_mtime, old.st_ctime) = (1000, 1000);
        assert_eq!(Stamp::new(&old), Some(Stamp::exact(&old)));
        let mut other = old;
        other.st_ctime = 1001;
        assert_ne!(Stamp::exact(&other), Stamp::exact(&old));
    }
}
