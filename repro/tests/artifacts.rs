//! Small files of many formats, made so that exactly what a test wants differs.

use object::write::{Object, StandardSection, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};
use std::io::Write as _;

/// gzip with this time and name in its header.
pub(crate) fn gz(content: &[u8], time: u32, name: &str) -> Vec<u8> {
    let builder = flate2::GzBuilder::new().mtime(time);
    let builder = if name.is_empty() { builder } else { builder.filename(name) };
    let mut encoder = builder.write(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// gzip without compression.
pub(crate) fn gz_stored(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::none());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// xz.
pub(crate) fn xz(content: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// An `ar` archive: name, time, owner, content.
pub(crate) fn ar(members: &[(&str, u64, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, time, owner, content) in members {
        bytes.extend(
            format!("{:<16}{time:<12}{owner:<6}{owner:<6}{:<8}{:<10}`\n", format!("{name}/"), "100644", content.len())
                .as_bytes(),
        );
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    bytes
}

/// A member of a tar archive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tarred<'a> {
    pub(crate) name: &'a str,
    pub(crate) time: u64,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, &'a str),
    pub(crate) content: &'a [u8],
}

impl<'a> Tarred<'a> {
    /// A file as root owns it.
    pub(crate) fn new(name: &'a str, content: &'a [u8]) -> Self {
        Self { name, time: 0, mode: 0o644, owner: (0, "root"), content }
    }
}

/// A tar archive.
pub(crate) fn tar(members: &[Tarred<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for member in members {
        let mut block = [0; 512];
        let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, member.name);
        put(100, &format!("{:07o}", member.mode));
        put(108, &format!("{:07o}", member.owner.0));
        put(116, &format!("{:07o}", member.owner.0));
        put(124, &format!("{:011o}", member.content.len()));
        put(136, &format!("{:011o}", member.time));
        put(148, "        ");
        put(156, "0");
        put(257, "ustar\x0000");
        put(265, member.owner.1);
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes.extend(block);
        bytes.extend(member.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.extend([0; 1024]);
    bytes
}

/// A zip archive of stored members: name, DOS time, content.
pub(crate) fn zip(members: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, time, content) in members {
        let at = bytes.len() as u32;
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let mut common = vec![20, 0, 0, 0, 0, 0];
        common.extend(time.to_le_bytes());
        common.extend(crc.sum().to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        bytes.extend([b"PK\x03\x04", &common[..], name.as_bytes(), content].concat());
        directory.extend([b"PK\x01\x02\x14\x03", &common[..], &[0; 6]].concat());
        directory.extend((0o100_644u32 << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, size, count) = (bytes.len() as u32, directory.len() as u32, members.len() as u16);
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    bytes.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    bytes.extend([0, 0]);
    bytes
}

/// What an ELF file is made of.
#[derive(Debug, Clone)]
pub(crate) struct Elf {
    pub(crate) comment: &'static [u8],
    pub(crate) rodata: &'static [u8],
    pub(crate) functions: Vec<(&'static str, Vec<u8>)>,
    pub(crate) build_id: Option<[u8; 20]>,
    pub(crate) debug_link: Option<[u8; 4]>,
}

impl Default for Elf {
    fn default() -> Self {
        let functions = vec![("main", vec![0x90; 16]), ("helper", vec![0xc3; 16])];
        Self { comment: b"GCC: 12\0", rodata: b"hello\0", functions, build_id: Some([1; 20]), debug_link: None }
    }
}

impl Elf {
    /// The relocatable file.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let rodata = object.section_id(StandardSection::ReadOnlyData);
        object.append_section_data(rodata, self.rodata, 1);
        let comment = object.add_section(Vec::new(), b".comment".to_vec(), SectionKind::OtherString);
        object.append_section_data(comment, self.comment, 1);
        if let Some(build_id) = self.build_id {
            let note = object.add_section(Vec::new(), b".note.gnu.build-id".to_vec(), SectionKind::Note);
            object.append_section_data(note, &[b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0", &build_id[..]].concat(), 4);
        }
        if let Some(crc) = self.debug_link {
            let link = object.add_section(Vec::new(), b".gnu_debuglink".to_vec(), SectionKind::Other);
            object.append_section_data(link, &[b"x.debug\0", &crc[..]].concat(), 4);
        }
        let text = object.section_id(StandardSection::Text);
        for (name, code) in &self.functions {
            let value = object.append_section_data(text, code, 16);
            object.add_symbol(Symbol {
                name: name.as_bytes().to_vec(),
                value,
                size: code.len() as u64,
                kind: SymbolKind::Text,
                scope: SymbolScope::Linkage,
                weak: false,
                section: SymbolSection::Section(text),
                flags: SymbolFlags::None,
            });
        }
        object.write().unwrap()
    }
}
