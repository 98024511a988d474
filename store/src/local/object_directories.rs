//! Directories of objects. They are made with the store, and one that is missing is made again where it is missed: somebody may have copied the
//! store without what was empty, or lost one, or something else was in its place that verification has put aside.

use super::LocalStore;
use super::effect;
use super::fsutil::{self, At, IoError};
use super::layout::{DIRECTORY_MODE, object_directories};
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

impl LocalStore {
    /// Puts something into the directory of an object, which is made if need be.
    pub(super) fn put_object(&self, object: &str, put: impl Fn() -> Result<(), Errno>) -> Result<(), Errno> {
        match (put(), object.split_once('/')) {
            (Err(Errno::NOENT), Some((directory, _))) => {
                self.make_object_directory(directory)?;
                put()
            }
            (done, _) => done,
        }
    }

    /// Opens the directory of an object, made if need be, and tells the object's name in it.
    pub(super) fn open_object_directory<'o>(&self, object: &'o str) -> Result<(OwnedFd, &'o str), IoError> {
        let (directory, name) = object.split_once('/').expect("every object is in a directory");
        let place = || self.layout.objects().join(directory);
        self.make_object_directory(directory).at_place("create directory", place)?;
        // No link is followed.
        let opened = fsutil::open_directory_at(self.objects.as_fd(), OsStr::new(directory));
        Ok((opened.at_place("open directory", place)?, name))
    }

    /// Makes those that are missing.
    pub(super) fn make_object_directories(&self) -> Result<(), IoError> {
        let make = |name: String| {
            self.make_object_directory(&name).at_place("create directory", || self.layout.objects().join(&name))
        };
        object_directories().try_for_each(make)
    }

    fn make_object_directory(&self, name: &str) -> Result<(), Errno> {
        if rustix::fs::statat(&self.objects, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Ok(());
        }
        match effect::mkdirat(&self.objects, name, DIRECTORY_MODE) {
            Err(Errno::EXIST) => Ok(()),
            made => made,
        }
    }
}
