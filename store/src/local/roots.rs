//! GC roots: links in `roots/` that keep store objects alive.
//!
//! A root is either a link to a store path, or a link to a link elsewhere (a `result`), which counts as long as that one still
//! points into the store: it holds what that points to now. A generation of a profile is a root of the first kind, see
//! [`super::generations`].

use super::effect;
use super::fsutil::{At, IoError, open_directory, remove_temporary, unique_name};
use super::generations::{self, Generation};
use super::layout::Layout;
use super::lease::lock_file;
use crate::digest::BlobDigest;
use crate::shown::shown;
use crate::store_path::StorePath;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A named root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Its name in `roots/`.
    pub name: String,
    /// The link outside the store through which it holds, if it is an automatic one.
    pub link: Option<PathBuf>,
    /// What it holds; `None` if the outer link is gone or points elsewhere, or nobody can tell.
    pub target: Option<StorePath>,
    /// Why nobody can tell, if so: the link, or what it leads to, cannot be looked at.
    pub unseen: Option<Errno>,
    /// Since when it holds that, in seconds since the epoch; 0 if nothing tells.
    pub since: u64,
    /// Which generation it is, if it is one.
    pub generation: Option<Generation>,
}

/// A root that could not be added or removed.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The name is empty, hidden or has a slash.
    #[error("`{name}` cannot be the name of a root: letters, digits and `+-._?=` only, not starting with a dot")]
    Name {
        /// The name as given.
        name: String,
    },
    /// There is something at the link's place that is not a link into this store.
    #[error("{} exists and is not a link into the store; remove it or choose another name", shown(path))]
    Occupied {
        /// The place.
        path: PathBuf,
    },
    /// No root has this name.
    #[error("there is no root called `{name}`")]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// The name is that of a generation.
    #[error("`{name}` is what a generation of the profile `{profile}` is called; choose another name")]
    Reserved {
        /// The name as given.
        name: String,
        /// The profile it would be one of.
        profile: String,
    },
    /// The name is that of a profile.
    #[error("`{name}` is a profile, which all of its generations are removed with")]
    Profile {
        /// The name as given.
        name: String,
    },
    /// There is no profile of this name.
    #[error("there is no profile called `{profile}`")]
    NoProfile {
        /// The name as given.
        profile: String,
    },
    /// A profile has no such generation.
    #[error("the profile `{profile}` has no {}", wanted(*number))]
    NoGeneration {
        /// The profile.
        profile: String,
        /// Its number; `None` if an earlier one than the current was wanted.
        number: Option<u32>,
    },
    /// A generation is what the profile is now.
    #[error("generation {number} is what the profile `{profile}` is now; make another one current first")]
    Current {
        /// The profile.
        profile: String,
        /// Its number.
        number: u32,
    },
}

fn wanted(number: Option<u32>) -> String {
    number.map_or_else(|| "generation before the current one".to_owned(), |number| format!("generation {number}"))
}

/// Adds or moves the root `name`.
pub(super) fn add(layout: &Layout, name: &str, path: &StorePath) -> Result<(), RootError> {
    check_name(name)?;
    Ok(replace_root(layout, name, Path::new(&path.to_string()))?)
}

/// Checks that nothing is at a link's place but a link into this store.
pub(super) fn check_link(layout: &Layout, link: &Path) -> Result<(), RootError> {
    if std::fs::symlink_metadata(link).is_ok() && target_of_link(layout, link).at("look at", link)?.is_none() {
        return Err(RootError::Occupied { path: link.to_owned() });
    }
    Ok(())
}

/// Makes `link` point to the physical place of `path`, and a root of it.
pub(super) fn add_link(layout: &Layout, link: &Path, path: &StorePath) -> Result<(), RootError> {
    check_link(layout, link)?;
    let absolute = std::path::absolute(link).at("find", link)?;
    let name = format!("auto-{}", &BlobDigest::of(absolute.as_os_str().as_bytes()).to_string()[..32]);
    // Whoever forgets roots without a link must not come between the two.
    let _locked = lock(layout)?;
    // The root comes first: a link that nothing registers would not keep what it points to.
    replace_root(layout, &name, &absolute)?;
    let made = replace_outer_link(&absolute, &layout.path(path));
    if made.is_err() && absolute.symlink_metadata().is_err_and(|error| error.kind() != ErrorKind::PermissionDenied) {
        // If this fails as well, the next collection does it.
        let _ = effect::unlink(layout.roots().join(name));
    }
    Ok(made?)
}

/// Removes the root `name`; the outer link of an automatic one stays.
pub(super) fn remove(layout: &Layout, name: &str) -> Result<(), RootError> {
    if let Some((profile, number)) = generations::parse_name(name) {
        return generations::remove(layout, profile, number);
    }
    check_name(name)?;
    let path = layout.roots().join(name);
    match effect::unlink(&path) {
        Err(Errno::NOENT) if generations::current(layout, name).is_some() => {
            Err(RootError::Profile { name: name.to_owned() })
        }
        Err(Errno::NOENT) => Err(RootError::Unknown { name: name.to_owned() }),
        removed => Ok(removed.at("remove", &path)?),
    }
}

/// Removes the roots whose outer link is gone.
pub(super) fn forget_lost(layout: &Layout) -> Result<(), RootError> {
    let _locked = lock(layout)?;
    let is_lost = |link: &PathBuf| link.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    for root in list(layout)?.iter().filter(|root| root.link.as_ref().is_some_and(is_lost)) {
        let path = layout.roots().join(&root.name);
        match effect::unlink(&path) {
            Err(Errno::NOENT) => {}
            removed => removed.at("remove", &path)?,
        }
    }
    Ok(())
}

/// Keeps others from changing links and roots together, until the result is dropped.
pub(super) fn lock(layout: &Layout) -> Result<OwnedFd, IoError> {
    let roots = open_directory(&layout.roots())?;
    lock_file(&roots, FlockOperation::LockExclusive).at("lock", layout.roots())?;
    Ok(roots)
}

/// All roots by name.
pub(super) fn list(layout: &Layout) -> Result<Vec<Root>, IoError> {
    let directory = layout.roots();
    let mut roots = Vec::new();
    for entry in std::fs::read_dir(&directory).at("read directory", &directory)? {
        let entry = entry.at("read directory", &directory)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with('.') {
            roots.extend(read(layout, name)?);
        }
    }
    roots.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(roots)
}

/// Reads a root; `None` if it is gone, or something else of this name is there.
fn read(layout: &Layout, name: String) -> Result<Option<Root>, IoError> {
    let place = layout.roots().join(&name);
    let Some(target) = read_link_if_any(&place).at("read link", &place)? else { return Ok(None) };
    if let Some(path) = target.to_str().and_then(|text| text.parse().ok()) {
        let generation = generations::parse_name(&name).map(|(profile, number)| Generation {
            profile: profile.to_owned(),
            number,
            is_current: generations::current(layout, profile) == Some(number),
        });
        return Ok(Some(Root { name, link: None, target: Some(path), unseen: None, since: made(&place), generation }));
    }
    let (held, unseen) = match target_of_link(layout, &target) {
        Ok(held) => (held, None),
        Err(reason) => (None, Some(reason)),
    };
    Ok(Some(Root { name, since: made(&target), link: Some(target), target: held, unseen, generation: None }))
}

/// What a link leads to; `None` if it is not there or no link.
fn read_link_if_any(link: &Path) -> Result<Option<PathBuf>, Errno> {
    match rustix::fs::readlink(link, Vec::new()) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::INVAL) => Ok(None),
        read => Ok(Some(OsString::from_vec(read?.into_bytes()).into())),
    }
}

/// When a link was made, in seconds since the epoch; 0 if it is gone.
fn made(link: &Path) -> u64 {
    link.symlink_metadata().map_or(0, |data| u64::try_from(data.mtime()).unwrap_or(0))
}

/// The store path that a link outside the store points to, if it points into this store.
fn target_of_link(layout: &Layout, link: &Path) -> Result<Option<StorePath>, Errno> {
    let Some(target) = read_link_if_any(link)? else { return Ok(None) };
    path_at(layout, &link.parent().unwrap_or(link).join(target))
}

/// The store path that is at a place, there or not. The place may name this store otherwise than the store itself does, which may have been moved
/// behind a link, or be mounted elsewhere.
pub(super) fn path_at(layout: &Layout, place: &Path) -> Result<Option<StorePath>, Errno> {
    let name = place.file_name().and_then(OsStr::to_str);
    let Some(path) = name.and_then(|name| StorePath::parse_base_name(name).ok()) else { return Ok(None) };
    let (Some(directory), store) = (place.parent(), layout.store()) else { return Ok(None) };
    if directory == store {
        return Ok(Some(path));
    }
    let found = match rustix::fs::stat(directory) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        found => found?,
    };
    let own = rustix::fs::stat(&store)?;
    Ok(((found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)).then_some(path))
}

/// Checks that a root or a profile may be called so.
pub(super) fn check_name(name: &str) -> Result<(), RootError> {
    let fine = !name.is_empty() && !name.starts_with('.') && name.bytes().all(crate::store_path::is_name_byte);
    if !fine {
        return Err(RootError::Name { name: name.escape_debug().to_string() });
    }
    match generations::parse_name(name) {
        Some((profile, _)) => Err(RootError::Reserved { name: name.to_owned(), profile: profile.to_owned() }),
        None => Ok(()),
    }
}

/// Puts a link to `target` at `path` in one step, whatever link was there. It is made as `temporary` first. One that leads there already stays,
/// for it tells since when it does.
pub(super) fn replace_link(path: &Path, temporary: &Path, target: &Path) -> Result<(), IoError> {
    if std::fs::read_link(path).is_ok_and(|present| present == target) {
        return Ok(());
    }
    effect::symlinkat(target, rustix::fs::CWD, temporary).at("create link", temporary)?;
    effect::rename(temporary, path).at("create link", path).inspect_err(|_| remove_temporary(temporary))
}

/// Puts a root into `roots/`. What a process that is killed leaves in `tmp/` the next collection removes.
fn replace_root(layout: &Layout, name: &str, target: &Path) -> Result<(), IoError> {
    replace_link(&layout.roots().join(name), &layout.tmp().join(unique_name("")), target)
}

/// Puts a link to `target` at a place outside the store.
fn replace_outer_link(link: &Path, target: &Path) -> Result<(), IoError> {
    match effect::symlinkat(target, rustix::fs::CWD, link) {
        Err(Errno::EXIST) => replace_link(link, &link.with_file_name(unique_name(".larder-link-")), target),
        made => made.at("create link", link),
    }
}
