//! GC roots: links in `roots/` that keep store objects alive.
//!
//! A root is either a link to a store path, or a link to a link elsewhere (a `result`), which counts as long as that one still
//! points into the store.

use super::effect;
use super::fsutil::{At, IoError, remove_temporary, unique_name};
use super::layout::Layout;
use crate::digest::BlobDigest;
use crate::store_path::StorePath;
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A named root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Its name in `roots/`.
    pub name: String,
    /// The link outside the store through which it holds, if it is an automatic one.
    pub link: Option<PathBuf>,
    /// What it holds; `None` if the outer link is gone or points elsewhere.
    pub target: Option<StorePath>,
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
    #[error("{} exists and is not a link into the store; remove it or choose another name", path.display())]
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
}

/// Adds or moves the root `name`.
pub(super) fn add(layout: &Layout, name: &str, path: &StorePath) -> Result<(), RootError> {
    check_name(name)?;
    Ok(replace_root(layout, name, Path::new(&path.to_string()))?)
}

/// Makes `link` point to the physical place of `path`, and a root of it.
pub(super) fn add_link(layout: &Layout, link: &Path, path: &StorePath) -> Result<(), RootError> {
    match std::fs::symlink_metadata(link) {
        Ok(_) if target_of_link(layout, link).is_none() => return Err(RootError::Occupied { path: link.to_owned() }),
        _ => {}
    }
    let absolute = std::path::absolute(link).at("find", link)?;
    let name = format!("auto-{}", &BlobDigest::of(absolute.as_os_str().as_bytes()).to_string()[..32]);
    // The root comes first: a link that nothing registers would not keep what it points to.
    replace_root(layout, &name, &absolute)?;
    Ok(replace_outer_link(&absolute, &layout.path(path))?)
}

/// Removes the root `name`; the outer link of an automatic one stays.
pub(super) fn remove(layout: &Layout, name: &str) -> Result<(), RootError> {
    check_name(name)?;
    let path = layout.roots().join(name);
    match effect::unlink(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(RootError::Unknown { name: name.to_owned() }),
        removed => Ok(removed.at("remove", &path)?),
    }
}

/// All roots by name.
pub(super) fn list(layout: &Layout) -> Result<Vec<Root>, IoError> {
    let directory = layout.roots();
    let mut roots = Vec::new();
    for entry in std::fs::read_dir(&directory).at("read directory", &directory)? {
        let entry = entry.at("read directory", &directory)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with('.') {
            roots.extend(read(layout, name));
        }
    }
    roots.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(roots)
}

fn read(layout: &Layout, name: String) -> Option<Root> {
    let target = std::fs::read_link(layout.roots().join(&name)).ok()?;
    if let Some(path) = target.to_str().and_then(|text| text.parse().ok()) {
        return Some(Root { name, link: None, target: Some(path) });
    }
    let held = target_of_link(layout, &target);
    Some(Root { name, link: Some(target), target: held })
}

/// The store path that a link outside the store points to, if it points into this store.
fn target_of_link(layout: &Layout, link: &Path) -> Option<StorePath> {
    let target = std::fs::read_link(link).ok()?;
    let name = target.strip_prefix(layout.store()).ok()?.to_str()?;
    StorePath::parse_base_name(name).ok()
}

fn check_name(name: &str) -> Result<(), RootError> {
    let fine = !name.is_empty() && !name.starts_with('.') && name.bytes().all(crate::store_path::is_name_byte);
    if fine { Ok(()) } else { Err(RootError::Name { name: name.escape_debug().to_string() }) }
}

/// Puts a link to `target` at `path` in one step, whatever link was there. It is made as `temporary` first.
fn replace_link(path: &Path, temporary: &Path, target: &Path) -> Result<(), IoError> {
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
