//! Quarantine: where a path goes that failed verification, so that it is never handed out.
//!
//! It is moved from `store/` to `quarantine/`, where the next verification finds it until it is repaired; a path that is not in
//! `store/` is not valid, whatever the index says. A damaged object is moved there, too, so that nothing is linked to it any more. A
//! collection removes what is in `store/` again, and what was not repaired for a month.

use super::effect;
use super::fsutil::{self, At, IoError};
use super::verify::{Flaw, Problem};
use super::{LocalStore, StoreError};
use crate::store_path::StorePath;
use rustix::fs::Mode;
use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

impl LocalStore {
    /// Puts aside what verification found wrong, and says which paths that are.
    ///
    /// # Errors
    /// When something cannot be moved; it may be valid still.
    pub fn quarantine(&self, problems: &[Problem]) -> Result<Vec<StorePath>, StoreError> {
        self.must_be_writable()?;
        let _no_collection = self.lock_trash()?;
        self.renew_state()?;
        let mut paths = BTreeSet::new();
        for problem in problems {
            match problem {
                Problem::Tree { flaw: Flaw::NoObject, .. } => {}
                Problem::Tree { path, .. } => drop(paths.insert(path.clone())),
                Problem::Object { path, .. } | Problem::Foreign(path) => self.put_aside(path)?,
                _ => {}
            }
        }
        paths.iter().try_for_each(|path| self.put_aside(&self.layout.path(path)))?;
        Ok(paths.into_iter().collect())
    }

    /// Moves a file or directory into the quarantine, in place of what has its name there.
    pub(super) fn put_aside(&self, place: &Path) -> Result<(), IoError> {
        let Some(name) = place.file_name() else { return Ok(()) };
        let quarantine = self.layout.quarantine();
        match effect::mkdir(&quarantine, Mode::RWXU) {
            Err(rustix::io::Errno::EXIST) => {}
            made => made.at("create directory", &quarantine)?,
        }
        let is_directory = match place.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            data => data.at("stat", place)?.is_dir(),
        };
        self.remove_quarantined(name)?;
        // A directory can only be moved by those who may write to it.
        if is_directory {
            effect::chmod(place, Mode::RWXU).at("change the mode of", place)?;
        }
        effect::rename(place, quarantine.join(name)).at("put aside", place)
    }

    /// Removes what lies in quarantine under a name.
    pub(super) fn remove_quarantined(&self, name: &std::ffi::OsStr) -> Result<(), IoError> {
        let place = self.layout.quarantine();
        match fsutil::open_directory(&place) {
            Err(error) if error.is_not_found() => Ok(()),
            opened => fsutil::remove_tree_at(opened?.as_fd(), name).at("remove", place.join(name)).map(drop),
        }
    }

    pub(super) fn is_quarantined(&self, path: &StorePath) -> bool {
        self.quarantine_place(path).symlink_metadata().is_ok()
    }

    pub(super) fn quarantine_place(&self, path: &StorePath) -> PathBuf {
        self.layout.quarantine().join(path.base_name())
    }

    /// The paths in quarantine.
    pub(super) fn quarantined(&self) -> Result<Vec<StorePath>, IoError> {
        let place = self.layout.quarantine();
        let directory = match fsutil::open_directory(&place) {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            opened => opened?,
        };
        let names = fsutil::names(directory.as_fd()).at("read directory", &place)?;
        let path = |name: Vec<u8>| StorePath::parse_base_name(std::str::from_utf8(&name).ok()?).ok();
        Ok(names.into_iter().filter_map(|(name, _)| path(name)).filter(|path| path.tree().is_some()).collect())
    }
}
