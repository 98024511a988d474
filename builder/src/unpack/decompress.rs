//! Recognising formats by their first bytes, and undoing compression within limits.

use super::limit::{Bounded, Counted, Limits};
use super::problem::{Outcome, Problem};
use super::tar_header::{BLOCK, TarHeader};
use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Unpacked data is read in pieces of this many bytes.
const BUFFER: usize = 256 << 10;
/// The largest zstd window, as a power of two, that is decoded within 512 MiB of memory.
const MAX_ZSTD_WINDOW_LOG: u32 = 28;

/// What an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A tar archive, perhaps compressed.
    Tar(Compression),
    /// A zip archive.
    Zip,
    /// A Debian binary package.
    Deb,
}

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// gzip, RFC 1952; any number of members.
    Gzip,
    /// bzip2; any number of streams.
    Bzip2,
    /// xz; any number of streams.
    Xz,
    /// Zstandard, RFC 8878; any number of frames.
    Zstd,
    /// lzip; any number of members.
    Lzip,
}

/// Opens the archive for reading. A link is none: whoever made it may have chosen any file of the machine.
pub(super) fn open(archive: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = match rustix::fs::open(archive, flags, Mode::empty()) {
        Err(rustix::io::Errno::LOOP) => return Err(io::Error::other("it is a symbolic link")),
        file => File::from(file?),
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

/// The format of a file by its first bytes.
pub(super) fn detect(file: &File) -> Result<Format, io::Error> {
    let mut start = [0; BLOCK];
    let length = read_start(file, &mut start)?;
    Ok(match &start[..length] {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Format::Zip,
        start if start.starts_with(b"!<arch>\n") => Format::Deb,
        start => Format::Tar(compression(start)),
    })
}

/// The compression that a stream starting like this has.
pub(crate) fn compression(start: &[u8]) -> Compression {
    match start {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Compression::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        [b'L', b'Z', b'I', b'P', ..] => Compression::Lzip,
        _ => Compression::None,
    }
}

fn read_start(file: &File, start: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < start.len() {
        match file.read_at(&mut start[length..], length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

/// Packed data and how it is compressed.
pub(super) struct Packed {
    pub(super) reader: Box<dyn Read>,
    pub(super) compression: Compression,
}

/// Unpacked data, within limits.
pub(super) type Unpacked = BufReader<Box<dyn Read>>;

impl Packed {
    /// Undoes the compression.
    ///
    /// # Errors
    /// When a decompressor cannot be set up, or plain data is no tar archive.
    pub(super) fn unpacked(self, limits: &Limits) -> Outcome<Unpacked> {
        let (packed, count) = Counted::new(self.reader);
        let packed = BufReader::with_capacity(BUFFER, packed);
        let plain: Box<dyn Read> = match self.compression {
            Compression::None => Box::new(packed),
            Compression::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Compression::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
            Compression::Xz => Box::new(XzDecoder::new_stream(packed, xz_stream(limits)?)),
            Compression::Lzip => Box::new(XzDecoder::new_stream(packed, lzip_stream(limits)?)),
            Compression::Zstd => Box::new(zstd_decoder(packed)?),
        };
        let mut reader: Unpacked =
            BufReader::with_capacity(BUFFER, Box::new(Bounded::new(plain, limits, count)) as Box<dyn Read>);
        check_tar(&mut reader, self.compression)?;
        Ok(reader)
    }
}

fn xz_stream(limits: &Limits) -> Outcome<Stream> {
    Ok(Stream::new_stream_decoder(limits.memory, CONCATENATED).map_err(|error| Problem::Decompress(error.into()))?)
}

fn lzip_stream(limits: &Limits) -> Outcome<Stream> {
    Ok(Stream::new_lzip_decoder(limits.memory, CONCATENATED).map_err(|error| Problem::Decompress(error.into()))?)
}

fn zstd_decoder<R: io::BufRead>(packed: R) -> Outcome<zstd::Decoder<'static, R>> {
    let mut decoder = zstd::Decoder::with_buffer(packed).map_err(Problem::Decompress)?;
    decoder.window_log_max(MAX_ZSTD_WINDOW_LOG).map_err(Problem::Decompress)?;
    Ok(decoder)
}

/// Says "unknown format" rather than "bad checksum" of what is no tar archive at all.
fn check_tar(reader: &mut Unpacked, compression: Compression) -> Outcome<()> {
    use std::io::BufRead as _;
    let start = reader.fill_buf().map_err(Problem::from_read)?;
    let known =
        start.len() >= BLOCK && (start[..BLOCK] == [0; BLOCK] || TarHeader::has_valid_checksum(&start[..BLOCK]));
    match (known, compression) {
        (false, Compression::None) => Err(Problem::UnknownFormat.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions_by_magic() {
        let cases: [(&[u8], Compression); 7] = [
            (b"\x1f\x8b\x08", Compression::Gzip),
            (b"BZh9", Compression::Bzip2),
            (b"\xfd7zXZ\0", Compression::Xz),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
            (b"\x5a\x2a\x4d\x18", Compression::Zstd),
            (b"LZIP\x01", Compression::Lzip),
            (b"BZhx", Compression::None),
        ];
        for (start, expected) in cases {
            assert_eq!(compression(start), expected, "{}", start.escape_ascii());
        }
    }
}
