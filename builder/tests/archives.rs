//! Archives made by hand, byte by byte, so that they can be wrong in every way.

use std::io::{Read as _, Write as _};

/// Bytes of a tar block.
pub(crate) const BLOCK: usize = 512;

/// A tar archive in the making.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    /// A regular file.
    pub(crate) fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(b'0', name.as_bytes(), "", 0o644, content)
    }

    /// A directory.
    pub(crate) fn directory(self, name: &str) -> Self {
        self.entry(b'5', name.as_bytes(), "", 0o755, b"")
    }

    /// A symbolic link.
    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name.as_bytes(), target, 0o777, b"")
    }

    /// A hard link.
    pub(crate) fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(b'1', name.as_bytes(), target, 0o644, b"")
    }

    /// Any entry.
    pub(crate) fn entry(mut self, flag: u8, name: &[u8], link: &str, mode: u32, content: &[u8]) -> Self {
        self.0.extend(header(flag, name, link, mode, &format!("{:011o}\0", content.len())));
        self.content(content)
    }

    /// An entry whose size field says something of its own.
    pub(crate) fn entry_of_size(mut self, flag: u8, name: &str, size: &[u8; 12], content: &[u8]) -> Self {
        let mut block = header(flag, name.as_bytes(), "", 0o644, "");
        block[124..136].copy_from_slice(size);
        self.0.extend(with_checksum(block));
        self.content(content)
    }

    /// A pax header with these records.
    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Self {
        let text: String = records.iter().map(|(key, value)| record(key, value)).collect();
        self.entry(b'x', b"PaxHeaders/x", "", 0o644, text.as_bytes())
    }

    /// Raw bytes, padded to whole blocks.
    pub(crate) fn content(mut self, content: &[u8]) -> Self {
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// The archive with its end.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 2 * BLOCK]);
        self.0
    }

    /// The archive without its end.
    pub(crate) fn cut(self) -> Vec<u8> {
        self.0
    }
}

fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

fn header(flag: u8, name: &[u8], link: &str, mode: u32, size: &str) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(format!("{mode:07o}\0").as_bytes());
    block[108..124].copy_from_slice(b"0001750\x000001750\0");
    block[124..124 + size.len()].copy_from_slice(size.as_bytes());
    block[136..148].copy_from_slice(b"14000000000\0");
    block[156] = flag;
    block[157..157 + link.len()].copy_from_slice(link.as_bytes());
    block[257..265].copy_from_slice(b"ustar\x0000");
    with_checksum(block)
}

fn with_checksum(mut block: [u8; BLOCK]) -> [u8; BLOCK] {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// An `ar` archive of these members.
pub(crate) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", content.len()).as_bytes());
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    bytes
}

/// An entry of a zip archive: name, method, content as packed, content, unix mode.
#[derive(Debug, Clone)]
pub(crate) struct Zipped {
    pub(crate) name: &'static str,
    pub(crate) local_name: &'static str,
    pub(crate) content: &'static [u8],
    pub(crate) deflate: bool,
    pub(crate) mode: u32,
    pub(crate) crc_error: u32,
    pub(crate) size_error: u32,
}

impl Zipped {
    /// A file as programs write it.
    pub(crate) fn new(name: &'static str, content: &'static [u8]) -> Self {
        Self { name, local_name: name, content, deflate: false, mode: 0o100_644, crc_error: 0, size_error: 0 }
    }
}

/// A zip archive of these entries.
pub(crate) fn zip(entries: &[Zipped]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let at = bytes.len() as u32;
        let packed = if entry.deflate { deflated(entry.content) } else { entry.content.to_vec() };
        let mut crc = flate2::Crc::new();
        crc.update(entry.content);
        let numbers = [crc.sum() ^ entry.crc_error, packed.len() as u32, entry.content.len() as u32 + entry.size_error];
        let method = if entry.deflate { 8u16 } else { 0 };
        let common = |out: &mut Vec<u8>, name: &str| {
            out.extend([20, 0, 0, 0]);
            out.extend(method.to_le_bytes());
            out.extend([0, 0, 0x21, 0]);
            out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            out.extend((name.len() as u16).to_le_bytes());
            out.extend([0, 0]);
        };
        bytes.extend(b"PK\x03\x04");
        common(&mut bytes, entry.local_name);
        bytes.extend(entry.local_name.as_bytes());
        bytes.extend(&packed);
        directory.extend(b"PK\x01\x02\x14\x03");
        common(&mut directory, entry.name);
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let (start, size, count) = (bytes.len() as u32, directory.len() as u32, entries.len() as u16);
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    bytes.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    bytes.extend([0, 0]);
    bytes
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// gzip.
pub(crate) fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// bzip2.
pub(crate) fn bz2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// xz.
pub(crate) fn xz(content: &[u8], preset: u32) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), preset);
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Zstandard.
pub(crate) fn zst(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 3).unwrap()
}

/// lzip: a raw LZMA stream between a header and a trailer.
pub(crate) fn lz(content: &[u8]) -> Vec<u8> {
    let mut options = liblzma::stream::LzmaOptions::new_preset(6).unwrap();
    options.dict_size(1 << 16);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma1(&options);
    let stream = liblzma::stream::Stream::new_raw_encoder(&filters).unwrap();
    let mut bytes = b"LZIP\x01\x10".to_vec();
    liblzma::read::XzEncoder::new_stream(content, stream).read_to_end(&mut bytes).unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(content);
    bytes.extend(crc.sum().to_le_bytes());
    bytes.extend((content.len() as u64).to_le_bytes());
    let size = bytes.len() as u64 + 8;
    bytes.extend(size.to_le_bytes());
    bytes
}
