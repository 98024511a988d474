//! Which objects are there: all of them, in sixteen bytes each.

use super::fsutil::{names_once, open_directory_at};
use super::layout::parse_object_name;
use super::tree_files::FileKey;
use rayon::prelude::*;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

/// The beginnings of their digests, and whether they are executable, sorted. Two objects of one beginning are as unlikely as a digest that is
/// found by chance.
pub(super) struct PresentObjects(Vec<[u8; 16]>);

impl PresentObjects {
    /// Reads the names in `objects/`, one directory after the other on each core.
    pub(super) fn read(objects: &OwnedFd) -> Result<Self, Errno> {
        let in_directory = |byte: u8| {
            let directory = format!("{byte:02x}");
            let opened = match open_directory_at(objects.as_fd(), OsStr::new(&directory)) {
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Vec::new()),
                opened => opened?,
            };
            let object = |name: &[u8]| parse_object_name(&format!("{directory}/{}", std::str::from_utf8(name).ok()?));
            let names = names_once(&opened)?;
            Ok(names.iter().filter_map(|(name, _)| object(name)).map(|file| beginning(&file)).collect())
        };
        let directories: Vec<Vec<_>> = (0..=255).into_par_iter().map(in_directory).collect::<Result<_, Errno>>()?;
        let mut all = directories.concat();
        all.par_sort_unstable();
        Ok(Self(all))
    }

    pub(super) fn contains(&self, file: &FileKey) -> bool {
        self.0.binary_search(&beginning(file)).is_ok()
    }
}

fn beginning((blob, executable): &FileKey) -> [u8; 16] {
    let mut bytes: [u8; 16] = *blob.as_bytes().first_chunk().expect("a digest has 32 bytes");
    bytes[15] = bytes[15] & !1 | u8::from(*executable);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::BlobDigest;
    use crate::local::fsutil::open_directory;
    use crate::local::layout::object_name;

    #[test]
    fn those_that_are_there_are_found_and_no_others() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |number: u32| (BlobDigest::of(&number.to_le_bytes()), number.is_multiple_of(3));
        for number in 0..300 {
            let place = directory.path().join(object_name(&file(number).0, file(number).1));
            std::fs::create_dir_all(place.parent().expect("below objects/")).expect("created");
            std::fs::write(place, "").expect("written");
        }
        std::fs::write(directory.path().join("00.orig"), "nothing of the store").expect("written");
        let present = PresentObjects::read(&open_directory(directory.path()).expect("opened")).expect("read");
        for number in 0..300 {
            let (blob, executable) = file(number);
            assert!(present.contains(&(blob, executable)) && !present.contains(&(blob, !executable)));
            assert!(!present.contains(&file(number + 300)));
        }
    }
}
