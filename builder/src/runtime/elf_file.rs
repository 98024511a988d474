//! Reading the parts of an ELF file that say what it needs, however large it is and whatever its headers promise.

use super::elf::{self, Elf};
use object::read::{ReadCache, ReadRef};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use store::local::{At, IoError};

/// So many bytes are read of one file: the tables of none are larger.
const MAX_BYTES: u64 = 64 << 20;

/// So many bytes are looked through for the end of a name that has none, which is the library's limit.
const SEARCHED: u64 = 4096;

/// A file that may be an ELF file.
pub(super) struct ElfFile {
    place: PathBuf,
    cache: ReadCache<Noting>,
    left: Cell<u64>,
}

impl ElfFile {
    pub(super) fn open(place: &Path) -> Result<Self, IoError> {
        Ok(Self::of(File::open(place).at("open", place)?, place))
    }

    pub(super) fn of(file: File, place: &Path) -> Self {
        let cache = ReadCache::new(Noting { file, error: None });
        Self { place: place.to_owned(), cache, left: Cell::new(MAX_BYTES) }
    }

    /// What it needs, and of which kind it is.
    ///
    /// # Errors
    /// When it cannot be read. One that is damaged needs nothing.
    pub(super) fn needs(self) -> Result<(Elf, Option<elf::Kind>), IoError> {
        self.ask(|content| {
            let header = content.read_bytes_at(0, elf::KIND_BYTES).unwrap_or_default();
            (elf::elf_needs(content), elf::kind(header))
        })
    }

    /// The versions of symbols that it defines.
    ///
    /// # Errors
    /// When it cannot be read. One that is damaged defines nothing.
    pub(super) fn defined_versions(self) -> Result<BTreeSet<String>, IoError> {
        self.ask(|content| elf::defined_versions(content))
    }

    fn ask<T>(self, question: impl FnOnce(Bounded<'_>) -> T) -> Result<T, IoError> {
        let answer = question(Bounded { cache: &self.cache, left: &self.left });
        match self.cache.into_inner().error {
            Some(error) => Err(error).at("read", self.place),
            None => Ok(answer),
        }
    }
}

/// A file that remembers why it could not be read, which who reads it does not tell.
struct Noting {
    file: File,
    error: Option<io::Error>,
}

impl Noting {
    fn note(&mut self, error: &io::Error) {
        if error.kind() != io::ErrorKind::Interrupted {
            self.error = Some(error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error));
        }
    }
}

impl Read for Noting {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes).inspect_err(|error| self.note(error))
    }
}

impl Seek for Noting {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to).inspect_err(|error| self.note(error))
    }
}

/// The content of a file, of which only so much is read.
#[derive(Clone, Copy)]
struct Bounded<'c> {
    cache: &'c ReadCache<Noting>,
    left: &'c Cell<u64>,
}

impl Bounded<'_> {
    /// # Errors
    /// When too much was read.
    fn take(&self, bytes: u64) -> Result<(), ()> {
        self.left.set(self.left.get().checked_sub(bytes).ok_or(())?);
        Ok(())
    }
}

impl<'c> ReadRef<'c> for Bounded<'c> {
    fn len(self) -> Result<u64, ()> {
        self.cache.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'c [u8], ()> {
        self.take(size)?;
        self.cache.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'c [u8], ()> {
        let name = self.cache.read_bytes_at_until(range, delimiter);
        self.take(name.map_or(SEARCHED, |name| name.len() as u64))?;
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_needs_what_its_content_does() {
        let content = std::fs::read("/proc/self/exe").expect("this program");
        let (needs, kind) = ElfFile::open(Path::new("/proc/self/exe")).expect("opened").needs().expect("readable");
        assert!(!needs.libraries.is_empty());
        assert_eq!((needs, kind), (elf::elf_needs(&content[..]), elf::kind(&content)));
    }

    /// One that says that the name of its interpreter is as long as all of it.
    #[test]
    fn no_header_makes_much_be_read() {
        let mut file = tempfile::NamedTempFile::new().expect("created");
        let size = 1_u64 << 33;
        let mut header = b"\x7fELF\x02\x01\x01".to_vec();
        header.resize(64, 0);
        header[18] = 62;
        header[20] = 1;
        // One program header, which says that the interpreter's name is the file.
        header[32] = 64;
        header[52] = 64;
        header[54] = 56;
        header[56] = 1;
        let mut segment = 3_u32.to_le_bytes().to_vec();
        segment.resize(56, 0);
        segment[32..40].copy_from_slice(&size.to_le_bytes());
        file.write_all(&[header, segment].concat()).expect("written");
        file.as_file().set_len(size).expect("made longer");
        let (needs, kind) = ElfFile::open(file.path()).expect("opened").needs().expect("readable");
        assert_eq!((needs.interpreter, kind), (None, Some([2, 1, 62, 0])));
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_damaged() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = ElfFile::open(directory.path()).expect("opened").needs().expect_err("a directory");
        assert!(error.to_string().contains(&directory.path().display().to_string()), "{error}");
    }
}
