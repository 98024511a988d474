//! Quarantine: where a path goes that failed verification, so that it is never handed out.
//!
//! It is moved from `store/` to `quarantine/`, where the next verification finds it until it is repaired; a path that is not in
//! `store/` is not valid, whatever the index says. A damaged object is moved there, too, so that nothing is linked to it any more. A
//! collection removes what is in `store/` again, and what was not repaired for a month.

use super::effect;
use super::fsutil::{self, At, IoError, unique_name};
use super::layout::parse_object_name;
use super::tree_files::FileKey;
use super::verify::{Flaw, Problem};
use super::{LocalStore, StoreError};
use crate::store_path::StorePath;
use rustix::fs::Mode;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What stands behind an object's name where another one has that already.
const BESIDE: &str = ".beside-";

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
                Problem::Object { path, .. } => self.put_aside_beside(path)?,
                Problem::Foreign(path) => self.put_stray_aside(path)?,
                _ => {}
            }
        }
        paths.iter().try_for_each(|path| self.put_aside(&self.layout.path(path)))?;
        Ok(paths.into_iter().collect())
    }

    /// Moves a file or directory into the quarantine, in place of what has its name there.
    pub(super) fn put_aside(&self, place: &Path) -> Result<(), IoError> {
        let Some(name) = place.file_name() else { return Ok(()) };
        // Not if there is nothing to take its place.
        if is_missing(place)? {
            return Ok(());
        }
        self.remove_quarantined(name)?;
        self.move_aside(place, name)
    }

    /// Moves an object into the quarantine. One that is there already stays, for a repair may need it.
    fn put_aside_beside(&self, place: &Path) -> Result<(), IoError> {
        let Some(name) = place.file_name() else { return Ok(()) };
        if is_missing(&self.layout.quarantine().join(name))? {
            return self.move_aside(place, name);
        }
        let mut beside = name.to_owned();
        beside.push(unique_name(BESIDE));
        self.move_aside(place, &beside)
    }

    /// Moves something that is nothing of the store into the quarantine, under a name that nothing else has, nor anything of the store.
    fn put_stray_aside(&self, place: &Path) -> Result<(), IoError> {
        const LONGEST: usize = 200;
        let Some(name) = place.file_name() else { return Ok(()) };
        let mut unique = unique_name("stray-").into_bytes();
        unique.push(b'-');
        unique.extend_from_slice(&name.as_bytes()[..name.len().min(LONGEST)]);
        self.move_aside(place, OsStr::from_bytes(&unique))
    }

    fn move_aside(&self, place: &Path, name: &OsStr) -> Result<(), IoError> {
        let quarantine = self.layout.quarantine();
        match effect::mkdir(&quarantine, Mode::RWXU) {
            Err(rustix::io::Errno::EXIST) => {}
            made => made.at("create directory", &quarantine)?,
        }
        let is_directory = match place.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            data => data.at("stat", place)?.is_dir(),
        };
        // A directory can only be moved by those who may write to it.
        if is_directory {
            effect::chmod(place, Mode::RWXU).at("change the mode of", place)?;
        }
        effect::rename(place, quarantine.join(name)).at("put aside", place)
    }

    /// The objects in quarantine, with their names there.
    pub(super) fn quarantined_objects(&self) -> Result<Vec<(FileKey, Vec<u8>)>, IoError> {
        let object = |name: Vec<u8>| {
            let text = std::str::from_utf8(&name).ok()?;
            let text = text.split_once(BESIDE).map_or(text, |(object, _)| object);
            Some((parse_object_name(&format!("{}/{text}", text.get(..2)?))?, name))
        };
        Ok(self.names_in_quarantine()?.into_iter().filter_map(object).collect())
    }

    /// Removes what lies in quarantine under a name.
    pub(super) fn remove_quarantined(&self, name: &OsStr) -> Result<(), IoError> {
        let place = self.layout.quarantine();
        match fsutil::open_directory(&place) {
            Err(error) if error.is_not_found() => Ok(()),
            opened => fsutil::remove_tree_at(opened?.as_fd(), name).at("remove", place.join(name)).map(drop),
        }
    }

    pub(super) fn is_quarantined(&self, path: &StorePath) -> bool {
        self.quarantine_place(path).symlink_metadata().is_ok()
    }

    /// Whether a segment is in quarantine.
    pub(super) fn is_put_aside(&self, segment: &str) -> bool {
        self.layout.quarantine().join(segment).symlink_metadata().is_ok()
    }

    fn quarantine_place(&self, path: &StorePath) -> PathBuf {
        self.layout.quarantine().join(path.base_name())
    }

    /// The paths in quarantine.
    pub(super) fn quarantined(&self) -> Result<Vec<StorePath>, IoError> {
        let path = |name: Vec<u8>| StorePath::parse_base_name(std::str::from_utf8(&name).ok()?).ok();
        Ok(self.names_in_quarantine()?.into_iter().filter_map(path).filter(|path| path.tree().is_some()).collect())
    }

    fn names_in_quarantine(&self) -> Result<Vec<Vec<u8>>, IoError> {
        let place = self.layout.quarantine();
        let directory = match fsutil::open_directory(&place) {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            opened => opened?,
        };
        let names = fsutil::names(directory.as_fd()).at("read directory", &place)?;
        Ok(names.into_iter().map(|(name, _)| name).collect())
    }
}

fn is_missing(place: &Path) -> Result<bool, IoError> {
    match place.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        data => data.at("stat", place).map(|_| false),
    }
}
