//! Files of this machine as evaluation sees them. Those of the user are reached as any program reaches them. In the store no link is
//! followed, neither on the way to something nor at its end: what a stranger put there must not lead out of it, and where it may lead
//! evaluation has followed it already.

use crate::host_io::failed;
use crate::reading;
use eval::io::Filter;
use eval::{FileType, GoesOn, IoError};
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use store::TreePath;

/// Where evaluation looks at something.
#[derive(Debug)]
pub(crate) enum Place {
    /// Among the files of the user.
    User(PathBuf),
    /// In a store.
    Store {
        /// The directory of trees.
        trees: PathBuf,
        /// The way from there.
        inside: PathBuf,
    },
}

impl Place {
    /// The content of a file; `None` when reading was ended.
    pub(crate) fn read(&self, goes_on: &GoesOn<'_>) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::User(path) => reading::read(path, goes_on),
            Self::Store { trees, inside } => {
                let (directory, name) = parent(trees, inside)?;
                let file = File::from(rustix::fs::openat(&directory, name, FILE, Mode::empty())?);
                let length = file.metadata()?.len();
                reading::read_regular(file, length, goes_on)
            }
        }
    }

    /// Names and types in a directory.
    pub(crate) fn list(&self) -> io::Result<Vec<(Vec<u8>, FileType)>> {
        match self {
            Self::User(path) => list(path),
            Self::Store { trees, inside } => {
                let (directory, name) = parent(trees, inside)?;
                entries(&rustix::fs::openat(&directory, name, DIRECTORY, Mode::empty())?)
            }
        }
    }

    /// The type of what is there, a link not followed; `None` when there is nothing.
    pub(crate) fn file_type(&self) -> io::Result<Option<FileType>> {
        let found = match self {
            Self::User(path) => path.symlink_metadata().map(|data| kind(data.file_type())),
            Self::Store { trees, inside } => stat(trees, inside).map(|stat| kind_of(stat_type(&stat))),
        };
        match found {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            found => found.map(Some),
        }
    }

    /// The target of a link.
    pub(crate) fn read_link(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::User(path) => Ok(std::fs::read_link(path)?.as_os_str().as_bytes().to_vec()),
            Self::Store { trees, inside } => {
                let (directory, name) = parent(trees, inside)?;
                Ok(rustix::fs::readlinkat(&directory, name, Vec::new())?.into_bytes())
            }
        }
    }

    /// Whether a file is executable.
    pub(crate) fn is_executable(&self) -> io::Result<bool> {
        let mode = match self {
            Self::User(path) => std::fs::metadata(path)?.permissions().mode(),
            Self::Store { trees, inside } => stat(trees, inside)?.st_mode,
        };
        Ok(mode & 0o100 != 0)
    }

    /// The path on this machine.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::User(path) => path.clone(),
            Self::Store { trees, inside } => trees.join(inside),
        }
    }
}

/// How a file of the store is opened: whatever it has become since it was looked at, opening it does not wait.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// How a directory is opened that must not be a link.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens the directory that something in the store is in, and gives the name that it has there.
fn parent<'p>(trees: &Path, inside: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
    let root = rustix::fs::open(trees, DIRECTORY, Mode::empty())?;
    let mut names = inside.components().map(|component| match component {
        std::path::Component::Normal(name) => Ok(name),
        _ => Err(io::Error::from(ErrorKind::InvalidInput)),
    });
    let Some(last) = names.next_back() else { return Ok((root, OsStr::new("."))) };
    let names = names.collect::<io::Result<Vec<_>>>()?;
    Ok((directory_below(root, names)?, last?))
}

/// Opens a directory some levels below another, without following a link on the way.
fn directory_below<'n>(root: OwnedFd, names: impl IntoIterator<Item = &'n OsStr>) -> io::Result<OwnedFd> {
    let open = |directory: OwnedFd, name| rustix::fs::openat(&directory, name, DIRECTORY, Mode::empty());
    Ok(names.into_iter().try_fold(root, open)?)
}

fn stat(trees: &Path, inside: &Path) -> io::Result<Stat> {
    let (directory, name) = parent(trees, inside)?;
    Ok(rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn stat_type(stat: &Stat) -> rustix::fs::FileType {
    rustix::fs::FileType::from_raw_mode(stat.st_mode)
}

/// Names and types in a directory.
pub(crate) fn list(path: &Path) -> io::Result<Vec<(Vec<u8>, FileType)>> {
    let one = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name().as_bytes().to_vec(), kind(entry.file_type()?)))
    };
    std::fs::read_dir(path)?.map(one).collect()
}

/// Asks the filter about everything below a path, not going into directories it leaves out. Each is opened name by name and no link is followed, for
/// what was a directory may have become one.
pub(crate) fn excluded_by(path: &Path, host: &Path, filter: &mut Filter<'_>) -> Result<HashSet<TreePath>, IoError> {
    let mut excluded = HashSet::new();
    if !host.symlink_metadata().map_err(|error| failed(path, error))?.is_dir() {
        return Ok(excluded);
    }
    let root = rustix::fs::open(host, DIRECTORY, Mode::empty()).map_err(|error| failed(path, error.into()))?;
    let mut pending = vec![(path.to_owned(), TreePath::default())];
    while let Some((path, inside)) = pending.pop() {
        for (name, found) in entries_below(&root, &inside).map_err(|error| failed(&path, error))? {
            let problem =
                |error: store::tree::TreeError| IoError::Failed { path: path.clone(), problem: error.to_string() };
            let inside = inside.join(&store::EntryName::new(&name).map_err(problem)?);
            let path = path.join(OsStr::from_bytes(&name));
            if !filter(&path, found)? {
                excluded.insert(inside);
            } else if found == FileType::Directory {
                pending.push((path, inside));
            }
        }
    }
    Ok(excluded)
}

/// Names and types in a directory some levels below another.
fn entries_below(root: &OwnedFd, inside: &TreePath) -> io::Result<Vec<(Vec<u8>, FileType)>> {
    let root = rustix::fs::openat(root, ".", DIRECTORY, Mode::empty())?;
    let names = inside.components().iter().map(|name| OsStr::from_bytes(name.as_bytes()));
    entries(&directory_below(root, names)?)
}

/// Names and types in a directory.
fn entries(directory: &OwnedFd) -> io::Result<Vec<(Vec<u8>, FileType)>> {
    let mut entries = Vec::new();
    for entry in rustix::fs::Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Not every file system says in a directory what is one.
            rustix::fs::FileType::Unknown => {
                stat_type(&rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?)
            }
            known => known,
        };
        entries.push((name.to_bytes().to_vec(), kind_of(kind)));
    }
    Ok(entries)
}

fn kind(kind: std::fs::FileType) -> FileType {
    if kind.is_file() {
        FileType::Regular
    } else if kind.is_dir() {
        FileType::Directory
    } else if kind.is_symlink() {
        FileType::Symlink
    } else {
        FileType::Other
    }
}

fn kind_of(kind: rustix::fs::FileType) -> FileType {
    match kind {
        rustix::fs::FileType::RegularFile => FileType::Regular,
        rustix::fs::FileType::Directory => FileType::Directory,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        _ => FileType::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Whoever changes a source while it is filtered has the filter asked of that source alone.
    #[test]
    fn a_directory_that_becomes_a_link_is_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        std::fs::create_dir_all(at("source/d/e")).unwrap();
        std::fs::create_dir_all(at("outside/e")).unwrap();
        std::fs::write(at("outside/e/secret"), "").unwrap();
        let mut asked = Vec::new();
        let mut filter = |path: &Path, _: FileType| -> Result<bool, eval::io::FilterError> {
            asked.push(path.to_owned());
            if path.ends_with("e") {
                std::fs::rename(at("source/d"), at("aside")).unwrap();
                symlink(at("outside"), at("source/d")).unwrap();
            }
            Ok(true)
        };
        let source = at("source");
        assert!(excluded_by(&source, &source, &mut filter).is_err());
        assert_eq!(asked, [source.join("d"), source.join("d/e")]);
    }

    #[test]
    fn nothing_in_the_store_is_reached_by_a_link() {
        let base = tempfile::tempdir().unwrap();
        let trees = base.path().join("store");
        std::fs::create_dir_all(trees.join("tree/d")).unwrap();
        std::fs::write(trees.join("tree/d/file"), "text").unwrap();
        std::fs::write(base.path().join("secret"), "secret").unwrap();
        symlink("../../secret", trees.join("tree/link")).unwrap();
        symlink("d", trees.join("tree/directory")).unwrap();
        let place = |inside: &str| Place::Store { trees: trees.clone(), inside: inside.into() };
        let read = |inside: &str| place(inside).read(&|_| true).map(Option::unwrap);
        assert_eq!(read("tree/d/file").unwrap(), b"text");
        assert_eq!(place("tree/d").list().unwrap(), [(b"file".to_vec(), FileType::Regular)]);
        for inside in ["tree/link", "tree/directory/file", "../secret", "tree/../../secret", ".."] {
            assert!(read(inside).is_err(), "{inside}");
            assert!(place(inside).list().is_err(), "{inside}");
        }
        assert!(place("tree/directory").list().is_err());
        assert_eq!(place("tree/link").file_type().unwrap(), Some(FileType::Symlink));
        assert_eq!(place("tree/directory/file").file_type().unwrap(), None);
        assert_eq!(place("tree/link").read_link().unwrap(), b"../../secret");
        assert!(!place("tree/d/file").is_executable().unwrap());
    }
}
