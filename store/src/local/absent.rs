//! Which objects are not there. Most files of a new tree have no object yet, and to be told so by the system for each costs as much as
//! making a file; so the names in a directory of `objects/` are read once it has been asked often enough for that to be cheaper.

use super::fsutil::{names_up_to, open_directory_at};
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::ffi::OsStr;
use std::hash::BuildHasher;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

/// Looking for so many names costs at least what reading as many names as [`READ_FOR_EACH`] times that does.
const FIRST_READ: usize = 8;
const READ_FOR_EACH: usize = 16;

/// The objects that were not there when it was looked. They may have been made since, by somebody else.
pub(super) struct AbsentObjects<'a> {
    objects: BorrowedFd<'a>,
    /// One for each directory.
    directories: Vec<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    missed: usize,
    /// Hashes of the names, once they have been read.
    names: Option<FxHashSet<u64>>,
}

impl<'a> AbsentObjects<'a> {
    pub(super) fn new(objects: BorrowedFd<'a>) -> Self {
        Self { objects, directories: (0..256).map(|_| Mutex::default()).collect() }
    }

    /// Whether an object was not there when its directory was read. If that has not been done, nobody knows.
    pub(super) fn contains(&self, object: &str) -> bool {
        let Some((directory, name)) = self.find(object) else { return false };
        let seen = directory.lock().unwrap_or_else(PoisonError::into_inner);
        seen.names.as_ref().is_some_and(|names| !names.contains(&hash(name.as_bytes())))
    }

    /// Notes that an object was looked for in vain.
    pub(super) fn missed(&self, object: &str) {
        let Some((directory, _)) = self.find(object) else { return };
        let mut seen = directory.lock().unwrap_or_else(PoisonError::into_inner);
        seen.missed += 1;
        if seen.names.is_none() && seen.missed >= FIRST_READ && seen.missed.is_power_of_two() {
            seen.names = self.read(&object[..2], seen.missed * READ_FOR_EACH);
        }
    }

    /// The names in a directory, unless there are more than `most` or they cannot be read.
    fn read(&self, directory: &str, most: usize) -> Option<FxHashSet<u64>> {
        let opened = open_directory_at(self.objects, OsStr::new(directory)).ok()?;
        let names = names_up_to(&opened, most).ok()??;
        Some(names.iter().map(|(name, _)| hash(name)).collect())
    }

    /// The directory of an object, and its name there.
    fn find<'o>(&self, object: &'o str) -> Option<(&Mutex<Seen>, &'o str)> {
        let (directory, name) = object.split_once('/')?;
        Some((self.directories.get(usize::from_str_radix(directory, 16).ok()?)?, name))
    }
}

/// Two names of one hash are harmless: the system is asked then.
fn hash(name: &[u8]) -> u64 {
    FxBuildHasher.hash_one(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::BlobDigest;
    use crate::local::fsutil::open_directory;
    use crate::local::layout::object_name;
    use std::os::fd::AsFd;

    #[test]
    fn what_is_there_is_never_called_absent() {
        let directory = tempfile::tempdir().expect("a directory");
        for byte in 0..=255 {
            std::fs::create_dir(directory.path().join(format!("{byte:02x}"))).expect("created");
        }
        let name = |number: u32| object_name(&BlobDigest::of(&number.to_le_bytes()), number.is_multiple_of(2));
        for number in 0..5000 {
            std::fs::write(directory.path().join(name(number)), "").expect("written");
        }
        let opened = open_directory(directory.path()).expect("opened");
        let absent = AbsentObjects::new(opened.as_fd());
        let mut asked = 0;
        for number in 5000..50_000 {
            if !absent.contains(&name(number)) {
                asked += 1;
                absent.missed(&name(number));
            }
        }
        assert!(asked <= 256 * FIRST_READ, "{asked} of 45,000 were looked for");
        assert_eq!((0..5000).filter(|number| absent.contains(&name(*number))).count(), 0);
    }

    #[test]
    fn directories_that_are_too_large_are_not_read() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("00")).expect("created");
        for number in 0..=FIRST_READ * READ_FOR_EACH {
            std::fs::write(directory.path().join(format!("00/{number}")), "").expect("written");
        }
        let opened = open_directory(directory.path()).expect("opened");
        let absent = AbsentObjects::new(opened.as_fd());
        for (times, is_read) in [(FIRST_READ, false), (2 * FIRST_READ, true)] {
            while absent.directories[0].lock().expect("alone").missed < times {
                absent.missed("00/none");
            }
            assert_eq!(absent.contains("00/none"), is_read);
        }
    }
}
