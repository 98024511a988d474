//! What ELF files need, and which versions of symbols libraries define.

use object::read::ReadRef;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, FileKind, elf};
use std::collections::{BTreeSet, HashSet};

/// The longest name that counts, in bytes: no path is longer.
const LONGEST_NAME: usize = 4096;
/// So many records are read of each table, which may name the same ones again and again.
const MAX_RECORDS: usize = 100_000;
/// So many libraries of one file count; none has more.
const MAX_LIBRARIES: usize = 1000;
/// So many bytes of names count of each table: a few bytes of a file may be named by all its records.
const MAX_NAMES: usize = 4 << 20;

/// What an ELF file says of its needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Elf {
    /// The program that it is started by.
    pub(super) interpreter: Option<String>,
    /// The shared libraries that it is linked with.
    pub(super) libraries: Vec<String>,
    /// Where it says that they are, and what they need in their turn (`DT_RPATH`); nothing if it has a run path.
    pub(super) rpath: Vec<String>,
    /// Where it says that they are (`DT_RUNPATH`).
    pub(super) run_path: Vec<String>,
    /// The versions of symbols that it needs, with the library that is to have each.
    pub(super) versions: Vec<(String, String)>,
}

/// Word size, byte order and machine that a file is for.
pub(super) type Kind = [u8; 4];

/// Bytes at the beginning of a file that say of which kind it is.
pub(super) const KIND_BYTES: u64 = 20;

/// Of which kind an ELF file is; nothing if it is none.
pub(super) fn kind(content: &[u8]) -> Option<Kind> {
    let header = content.get(..KIND_BYTES as usize)?;
    header.starts_with(b"\x7fELF").then(|| [header[4], header[5], header[18], header[19]])
}

/// What a file needs. One that is damaged needs nothing.
pub(super) fn elf_needs<'d>(content: impl ReadRef<'d>) -> Elf {
    match FileKind::parse(content) {
        Ok(FileKind::Elf32) => read_elf::<elf::FileHeader32<Endianness>, _>(content),
        Ok(FileKind::Elf64) => read_elf::<elf::FileHeader64<Endianness>, _>(content),
        _ => None,
    }
    .unwrap_or_default()
}

/// The versions of symbols that a library defines; nothing if it gives its symbols no versions.
pub(super) fn defined_versions<'d>(content: impl ReadRef<'d>) -> BTreeSet<String> {
    let defined = match FileKind::parse(content) {
        Ok(FileKind::Elf32) => read_definitions::<elf::FileHeader32<Endianness>, _>(content),
        Ok(FileKind::Elf64) => read_definitions::<elf::FileHeader64<Endianness>, _>(content),
        _ => None,
    };
    defined.unwrap_or_default()
}

fn read_definitions<'d, H, R>(content: R) -> Option<BTreeSet<String>>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'d>,
{
    let header = H::parse(content).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, content).ok()?;
    let (mut definitions, link) = sections.gnu_verdef(endian, content).ok()??;
    let strings = sections.strings(endian, content, link).ok()?;
    let (mut found, mut names_read) = (BTreeSet::new(), Names::default());
    for _ in 0..MAX_RECORDS {
        let Ok(Some((_, mut names))) = definitions.next() else { break };
        // What follows the first name are the versions that this one extends.
        if let Ok(Some(name)) = names.next() {
            found.extend(names_read.text(name.name(endian, strings).ok()?));
        }
    }
    Some(found)
}

fn read_versions<'d, H, R>(content: R) -> Option<Vec<(String, String)>>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'d>,
{
    let header = H::parse(content).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, content).ok()?;
    let (mut needs, link) = sections.gnu_verneed(endian, content).ok()??;
    let strings = sections.strings(endian, content, link).ok()?;
    let (mut found, mut left, mut names) = (BTreeSet::new(), MAX_RECORDS, Names::default());
    while let Ok(Some((need, mut versions))) = needs.next() {
        let library = need.file(endian, strings).ok()?;
        while let (Ok(Some(version)), Some(less)) = (versions.next(), left.checked_sub(1)) {
            left = less;
            // Without a weak one the dynamic linker goes on.
            if version.vna_flags.get(endian).0 & elf::VER_FLG_WEAK.0 == 0 {
                let name = names.text(version.name(endian, strings).ok()?);
                found.extend(names.text(library).zip(name));
            }
        }
        left = left.saturating_sub(1);
        if left == 0 {
            break;
        }
    }
    Some(found.into_iter().collect())
}

/// The names that are read from a table.
#[derive(Default)]
struct Names {
    bytes: usize,
}

impl Names {
    /// A name as text, if it counts.
    fn text(&mut self, name: &[u8]) -> Option<String> {
        self.bytes = self.bytes.saturating_add(name.len() + 1);
        (name.len() <= LONGEST_NAME && self.bytes <= MAX_NAMES).then(|| String::from_utf8_lossy(name).into_owned())
    }
}

fn read_elf<'d, H, R>(content: R) -> Option<Elf>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'d>,
{
    let header = H::parse(content).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, content).ok()?;
    let mut found = Elf { versions: read_versions::<H, R>(content).unwrap_or_default(), ..Elf::default() };
    for segment in segments {
        if let Ok(Some(path)) = segment.interpreter(endian, content) {
            found.interpreter = Some(String::from_utf8_lossy(path).into_owned());
        }
    }
    let dynamic = segments.iter().find_map(|segment| segment.dynamic(endian, content).ok().flatten());
    let Some(dynamic) = dynamic else { return Some(found) };
    let value = |tag: elf::DynamicTag| {
        dynamic.iter().find(|entry| entry.d_tag(endian) == tag).map(|entry| entry.d_val(endian).into())
    };
    let strings = file_offset::<H>(segments, endian, value(elf::DT_STRTAB)?)?;
    let length = content.len().ok()?;
    let name_at = |offset: u64| -> Option<&[u8]> {
        let start = strings.checked_add(offset)?;
        let end = start.checked_add(LONGEST_NAME as u64 + 1)?.min(length);
        content.read_bytes_at_until(start..end, 0).ok()
    };
    let (mut names, mut named) = (Names::default(), HashSet::new());
    for entry in dynamic.iter().take(MAX_RECORDS) {
        let tag = entry.d_tag(endian);
        if ![elf::DT_NEEDED, elf::DT_RPATH, elf::DT_RUNPATH].contains(&tag) {
            continue;
        }
        let Some(text) = name_at(entry.d_val(endian).into()).and_then(|name| names.text(name)) else { continue };
        match tag {
            elf::DT_NEEDED if named.len() < MAX_LIBRARIES && named.insert(text.clone()) => found.libraries.push(text),
            // Of several the last counts, as for the dynamic linker.
            elf::DT_RPATH => found.rpath = directories(&text),
            elf::DT_RUNPATH => found.run_path = directories(&text),
            _ => {}
        }
    }
    if !found.run_path.is_empty() {
        found.rpath.clear();
    }
    Some(found)
}

fn directories(list: &str) -> Vec<String> {
    list.split(':').map(str::to_owned).collect()
}

/// Where in the file a virtual address is.
fn file_offset<H: FileHeader>(segments: &[H::ProgramHeader], endian: H::Endian, address: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let (start, size, offset): (u64, u64, u64) =
            (segment.p_vaddr(endian).into(), segment.p_filesz(endian).into(), segment.p_offset(endian).into());
        let inside = segment.p_type(endian) == elf::PT_LOAD && (start..start.checked_add(size)?).contains(&address);
        inside.then(|| offset.checked_add(address - start)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn files_for_other_machines_are_of_another_kind() {
        let own = kind(&std::fs::read("/proc/self/exe").expect("this program")).expect("it is an ELF file");
        let mut other = b"\x7fELF".to_vec();
        other.extend([1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 3, 0]);
        assert_eq!(kind(&other), Some([1, 1, 3, 0]), "of 32 bits, little-endian, for the 386");
        assert_ne!(kind(&other), Some(own));
        assert_eq!((kind(b"#!/bin/sh and so on, as scripts are"), kind(b"\x7fELF")), (None, None));
    }

    #[test]
    fn the_needs_of_this_program_are_met_where_it_runs() {
        let content = std::fs::read("/proc/self/exe").expect("this program");
        let needs = elf_needs(&*content);
        assert!(needs.libraries.iter().any(|library| library.starts_with("libc.so")), "{needs:?}");
        assert!(needs.interpreter.as_ref().is_some_and(|path| Path::new(path).exists()));
        let libc = std::fs::read_to_string("/proc/self/maps").expect("readable");
        let libc = libc.split_whitespace().find(|word| word.contains("/libc.so") || word.contains("/libc-"));
        let defined = defined_versions(&*std::fs::read(libc.expect("it is loaded")).expect("readable"));
        let wanted: Vec<_> = needs.versions.iter().filter(|(library, _)| library.starts_with("libc.so")).collect();
        assert!(!wanted.is_empty() && wanted.iter().all(|(_, version)| defined.contains(version)), "{needs:?}");
    }
}
