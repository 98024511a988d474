//! Unpacking archives below a directory: tar (plain, gz, bz2, xz, zst, lz), zip, and the data of a Debian package.
//!
//! Archives are hostile until unpacked. Invariants: nothing is created outside the destination, no link is ever followed
//! (neither one from the archive nor one that somebody else puts there meanwhile), an entry that cannot be represented
//! in a tree is an error that names it, and time, memory and disk stay within [`Limits`]. What arrives has mode 0644 or
//! 0755, no owner, no times, no extended attributes. Formats are recognised by their first bytes, never by their name.

mod ar;
mod decompress;
mod entry;
mod limit;
mod name;
mod pax;
mod place;
mod problem;
mod tar;
mod tar_header;
mod zip;
mod zip_directory;

pub(crate) use decompress::{Compression, compression};
pub use limit::{Limit, Limits};
pub use name::{PathPattern, PathPatternError};
pub use problem::{Problem, UnpackError};
pub(crate) use zip::members as zip_members;

use decompress::Format;
use entry::{Entry, EntryKind};
use place::Placer;
use problem::Outcome;
use std::io::{BufRead, Read};
use std::path::Path;

/// How an archive is unpacked. For every entry: leading components are stripped, then it may be excluded, then renamed.
#[derive(Debug, Clone, Default)]
pub struct UnpackOptions {
    /// How many leading components names lose. Entries that have no more than these are skipped.
    pub strip_components: usize,
    /// Entries at or below a path that matches one of these are skipped.
    pub exclude: Vec<PathPattern>,
    /// The first pair whose left side is a prefix, by whole components, replaces it by its right side. Applies to names
    /// and to targets of hard links; targets of symbolic links stay as they are.
    pub rename: Vec<(PathPattern, PathPattern)>,
    /// When to give up.
    pub limits: Limits,
}

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Regular files.
    pub files: u64,
    /// Directories that the archive names.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Hard links to files of the archive.
    pub hard_links: u64,
    /// Bytes of all regular files together.
    pub bytes: u64,
    /// Entries left out by [`UnpackOptions::exclude`] or [`UnpackOptions::strip_components`].
    pub skipped: u64,
}

/// Unpacks `archive` below the existing directory `destination`, which may already contain directories, but nothing
/// under the name of another entry. After an error it contains what was unpacked so far; the caller discards it.
///
/// # Errors
/// When the archive cannot be read, is damaged or of no known format, has an entry that must not or cannot be created,
/// or exceeds a limit. The error names the archive and the entry.
pub fn unpack(archive: &Path, destination: &Path, options: &UnpackOptions) -> Result<Summary, UnpackError> {
    unpack_unless(&|| false, archive, destination, options)
}

/// The same, unless it is `cancelled` meanwhile.
///
/// # Errors
/// As [`unpack`], and when it was cancelled.
pub fn unpack_unless(
    cancelled: &dyn Fn() -> bool,
    archive: &Path,
    destination: &Path,
    options: &UnpackOptions,
) -> Result<Summary, UnpackError> {
    let mut placer = Placer::open(destination, options, cancelled)
        .map_err(|source| UnpackError::Destination { path: destination.to_owned(), source })?;
    unpack_archive(archive, &mut placer, options).map_err(|failure| failure.at(archive))?;
    Ok(placer.into_summary())
}

fn unpack_archive(archive: &Path, placer: &mut Placer, options: &UnpackOptions) -> Outcome<()> {
    let file = decompress::open(archive).map_err(Problem::Read)?;
    let limits = &options.limits;
    match decompress::detect(&file).map_err(Problem::Read)? {
        Format::Zip => zip::unpack(&file, limits, placer),
        Format::Deb => {
            let data = ar::find_data(&file)?;
            unpack_tar(data, limits, placer)
        }
        Format::Tar(compression) => {
            unpack_tar(decompress::Packed { reader: Box::new(file), compression }, limits, placer)
        }
    }
}

fn unpack_tar(packed: decompress::Packed, limits: &Limits, placer: &mut Placer) -> Outcome<()> {
    let mut reader = tar::TarReader::new(packed.unpacked(limits)?);
    while let Some(entry) = reader.next_entry()? {
        placer.place(&entry, &mut reader).map_err(|failure| failure.of(&entry.name))?;
    }
    reader.finish()
}

/// Where the content of the current entry comes from: exactly [`Entry::size`] bytes.
trait Content {
    /// The next bytes of the content, empty only at its end.
    fn next_chunk(&mut self) -> Outcome<&[u8]>;
    /// Says that `count` bytes of the last chunk are used.
    fn consume(&mut self, count: usize);
}

/// Reads exactly `buffer.len()` bytes; running out is [`Problem::Truncated`].
fn read_block(reader: &mut impl Read, buffer: &mut [u8]) -> Outcome<()> {
    reader.read_exact(buffer).map_err(|source| Problem::from_read(source).into())
}

/// A chunk of at most `limit` bytes from a buffered reader; running out is [`Problem::Truncated`].
fn bounded_chunk(reader: &mut impl BufRead, limit: u64) -> Outcome<&[u8]> {
    if limit == 0 {
        return Ok(&[]);
    }
    let chunk = reader.fill_buf().map_err(Problem::from_read)?;
    if chunk.is_empty() {
        return Err(Problem::Truncated.into());
    }
    let length = usize::try_from(limit).unwrap_or(usize::MAX).min(chunk.len());
    Ok(&chunk[..length])
}
