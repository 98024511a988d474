//! Directories of objects. They are made with the store, and one that is missing is made again where it is missed: somebody may have copied the
//! store without what was empty, or lost one, or something else was in its place that verification has put aside.

use super::effect;
use super::fsutil::{At, IoError};
use super::layout::{DIRECTORY_MODE, object_directories};
use super::LocalStore;
use rustix::io::Errno;

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

    /// Makes those that are missing.
    pub(super) fn make_object_directories(&self) -> Result<(), IoError> {
        let make = |name: String| {
            self.make_object_directory(&name).at_place("create directory", || self.layout.objects().join(&name))
        };
        object_directories().try_for_each(make)
    }

    fn make_object_directory(&self, name: &str) -> Result<(), Errno> {
        match effect::mkdirat(&self.objects, name, DIRECTORY_MODE) {
            Err(Errno::EXIST) => Ok(()),
            made => made,
        }
    }
}
