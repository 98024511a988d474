//! ELF files, section by section.

use super::strings;
use super::{Decoder, Found, Malformed, elf_symbols, raw};
use crate::reading::{Cause, Evidence, Reading};
use crate::report::{Change, Detail};
use object::{Endianness, File, Object as _, ObjectSection as _, SectionKind};
use std::collections::{BTreeMap, HashMap};

const MAX_SECTIONS: usize = 100_000;
/// Fewer characters in read-only data are taken for a coincidence.
const MIN_STRING: usize = 4;
const BUILD_ID: &str = ".note.gnu.build-id";
/// The beginnings of the names of sections that hold addresses and sizes of code.
const DESCRIPTIONS: [&str; 9] = [
    ".eh_frame",
    ".rela.",
    ".rel.",
    ".relr.",
    ".gnu.hash",
    ".hash",
    ".debug_aranges",
    ".debug_rnglists",
    ".gcc_except_table",
];
/// Larger sections are not split into strings.
const MAX_STRINGS: usize = 64 << 20;
const DEBUG_LINKS: [&str; 2] = [".gnu_debuglink", ".gnu_debugaltlink"];

/// One section.
pub(super) struct Section<'a> {
    pub(super) kind: SectionKind,
    pub(super) data: &'a [u8],
}

/// Sections by name, and by occurrence where names repeat.
pub(super) type Sections<'a> = BTreeMap<(&'a [u8], usize), Section<'a>>;

/// What differs between two ELF files.
pub(super) fn compare(decoder: &Decoder<'_>, left: &[u8], right: &[u8]) -> Found {
    let (left, right) = (parse(left)?, parse(right)?);
    let (left_sections, right_sections) = (sections(decoder, &left)?, sections(decoder, &right)?);
    let mut changes = headers(&left, &right);
    changes.extend(section_order(&left, &right));
    for (key, section) in &left_sections {
        let place = place(key);
        match right_sections.get(key) {
            None => changes.push(Change::new(place, Detail::Removed { size: section.data.len() as u64 })),
            Some(other) if section.data == other.data => {}
            Some(other) => {
                let pair =
                    Pair { decoder, place: &place, left_file: &left, right_file: &right, left: section, right: other };
                changes.extend(pair.compare(&left_sections, &right_sections));
            }
        }
    }
    let added = right_sections.iter().filter(|(key, _)| !left_sections.contains_key(*key));
    changes
        .extend(added.map(|(key, section)| Change::new(place(key), Detail::Added { size: section.data.len() as u64 })));
    mark_descriptions(&mut changes);
    mark_hashes(&mut changes);
    Ok(changes)
}

fn parse(bytes: &[u8]) -> Result<File<'_>, Malformed> {
    File::parse(bytes).map_err(|_| Malformed("malformed ELF headers"))
}

/// Sections may overlap, so what they hold together counts, not the size of the file.
fn sections<'a>(decoder: &Decoder<'_>, file: &File<'a>) -> Result<Sections<'a>, Malformed> {
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    let mut sections = Sections::new();
    for section in file.sections() {
        if sections.len() == MAX_SECTIONS {
            return Err(Malformed("it has too many sections"));
        }
        let name = section.name_bytes().map_err(|_| Malformed("a section's name is missing"))?;
        let data = section.data().map_err(|_| Malformed("a section's data is missing"))?;
        decoder.spend(data.len() as u64)?;
        let count = counts.entry(name).or_default();
        *count += 1;
        sections.insert((name, *count), Section { kind: section.kind(), data });
    }
    Ok(sections)
}

fn place((name, occurrence): &(&[u8], usize)) -> String {
    let name = super::printable(name);
    if *occurrence == 1 { format!("section {name}") } else { format!("section {name} ({occurrence})") }
}

fn headers(left: &File<'_>, right: &File<'_>) -> Vec<Change> {
    let fields = |file: &File<'_>| {
        [
            ("architecture", format!("{:?}", file.architecture())),
            ("kind of file", format!("{:?}", file.kind())),
            ("byte order", format!("{:?}", file.endianness())),
            ("flags", format!("{:?}", file.flags())),
        ]
    };
    let differing = fields(left).into_iter().zip(fields(right)).filter(|(left, right)| left != right);
    let mut changes: Vec<Change> = differing
        .map(|((name, left), (_, right))| Change::new(format!("{name} in the header"), Detail::Field { left, right }))
        .collect();
    if left.entry() != right.entry() {
        let detail = Detail::Field { left: format!("{:#x}", left.entry()), right: format!("{:#x}", right.entry()) };
        changes.push(Change::new("entry point in the header", detail).following("code moved"));
    }
    changes
}

fn section_order(left: &File<'_>, right: &File<'_>) -> Option<Change> {
    let names = |file: &File<'_>| -> Vec<Vec<u8>> {
        file.sections().map(|section| section.name_bytes().unwrap_or_default().to_vec()).collect()
    };
    let (left, right) = (names(left), names(right));
    let sorted = |names: &[Vec<u8>]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names
    };
    if left == right || sorted(&left) != sorted(&right) {
        return None;
    }
    let reading = Reading::new(Evidence::Structure, Cause::Order, "the same sections in another order");
    Some(Change::new("order of sections", Detail::Reordered { parts: left.len() as u64 }).read(vec![reading]))
}

/// Sections that say where code is follow from code that differs.
fn mark_descriptions(changes: &mut [Change]) {
    let code_differs = |change: &Change| change.follows.is_none() && change.place.starts_with("functions in section ");
    let text_differs = |change: &Change| change.place == "section .text";
    if !changes.iter().any(|change| code_differs(change) || text_differs(change)) {
        return;
    }
    let describes = |change: &Change| {
        let name = change.place.strip_prefix("section ").unwrap_or_default();
        DESCRIPTIONS.iter().any(|prefix| name.starts_with(prefix))
    };
    for change in changes.iter_mut().filter(|change| describes(change)) {
        change.follows = Some("it describes code that differs".to_owned());
    }
}

/// Hashes over the file follow from whatever else differs.
fn mark_hashes(changes: &mut [Change]) {
    let is_hash = |change: &Change| {
        let name = change.place.strip_prefix("section ").unwrap_or_default();
        name == BUILD_ID || DEBUG_LINKS.contains(&name)
    };
    if changes.iter().all(is_hash) {
        return;
    }
    for change in changes.iter_mut().filter(|change| is_hash(change)) {
        change.follows = Some("it is a hash over what else differs".to_owned());
    }
}

/// Two sections of one name that differ.
struct Pair<'p, 'a> {
    decoder: &'p Decoder<'p>,
    place: &'p str,
    left_file: &'p File<'a>,
    right_file: &'p File<'a>,
    left: &'p Section<'a>,
    right: &'p Section<'a>,
}

impl Pair<'_, '_> {
    fn compare(&self, left: &Sections<'_>, right: &Sections<'_>) -> Vec<Change> {
        let name = self.place.strip_prefix("section ").unwrap_or_default();
        match name {
            BUILD_ID => vec![self.hash("a hash over the file", build_id)],
            _ if DEBUG_LINKS.contains(&name) => {
                vec![self.hash("a checksum of the file with debugging information", debug_link)]
            }
            ".dynamic" => self.dynamic(left, right),
            ".symtab" | ".dynsym" => {
                elf_symbols::compare_tables(self.decoder, self.place, self.left_file, self.right_file, name)
            }
            ".shstrtab" => self
                .strings(&split_at_nul)
                .into_iter()
                .map(|change| change.following("it holds the names of the sections"))
                .collect(),
            ".strtab" | ".dynstr" => self
                .strings(&split_at_nul)
                .into_iter()
                .map(|change| change.following("it holds the names of the symbols"))
                .collect(),
            _ => self.by_kind(name),
        }
    }

    fn by_kind(&self, name: &str) -> Vec<Change> {
        if self.left.data.len().max(self.right.data.len()) > MAX_STRINGS && self.left.kind != SectionKind::Text {
            return vec![self.raw()];
        }
        let holds_strings =
            matches!(self.left.kind, SectionKind::OtherString | SectionKind::ReadOnlyString | SectionKind::DebugString);
        if holds_strings || matches!(name, ".comment" | ".interp") {
            return self.strings(&split_at_nul);
        }
        match self.left.kind {
            SectionKind::Text => {
                let symbols = elf_symbols::compare_code(self.decoder, self.place, self.left_file, self.right_file);
                symbols.into_iter().chain([self.raw()]).collect()
            }
            SectionKind::ReadOnlyData | SectionKind::Data | SectionKind::ReadOnlyDataWithRel => {
                let found = strings::compare(
                    self.decoder,
                    self.place,
                    &printable_runs(self.left.data),
                    &printable_runs(self.right.data),
                );
                found.map_or_else(|| vec![self.raw()], |change| vec![change])
            }
            _ => vec![self.raw()],
        }
    }

    fn raw(&self) -> Change {
        let change = raw::compare(self.left.data, self.right.data, self.decoder.tokens());
        Change { place: self.place.to_owned(), ..change }
    }

    fn strings(&self, split: &dyn for<'d> Fn(&'d [u8]) -> Vec<&'d [u8]>) -> Vec<Change> {
        let found = strings::compare(self.decoder, self.place, &split(self.left.data), &split(self.right.data));
        vec![found.unwrap_or_else(|| self.raw())]
    }

    fn hash(&self, words: &str, shown: fn(&[u8]) -> String) -> Change {
        let detail = Detail::Field { left: shown(self.left.data), right: shown(self.right.data) };
        Change::new(self.place, detail).read(vec![Reading::new(Evidence::Structure, Cause::BuildId, words)])
    }

    fn dynamic(&self, left: &Sections<'_>, right: &Sections<'_>) -> Vec<Change> {
        let entries = |file: &File<'_>, section: &Section<'_>, sections: &Sections<'_>| {
            let names = sections.get(&(b".dynstr".as_slice(), 1)).map_or(&[][..], |section| section.data);
            dynamic_entries(section.data, names, file.is_64(), file.endianness())
        };
        let (left, right) = (entries(self.left_file, self.left, left), entries(self.right_file, self.right, right));
        let left: Vec<&[u8]> = left.iter().map(String::as_bytes).collect();
        let right: Vec<&[u8]> = right.iter().map(String::as_bytes).collect();
        let found = strings::compare(self.decoder, self.place, &left, &right);
        vec![found.unwrap_or_else(|| self.raw().following("addresses of what else differs"))]
    }
}

/// The build id of a note, which has a header of sixteen bytes: sizes, type and the name `GNU`.
fn build_id(note: &[u8]) -> String {
    hex(note.get(16..).unwrap_or(note))
}

/// The name of a debug link, and the checksum or build id after it.
fn debug_link(link: &[u8]) -> String {
    let name = super::bytes::until_nul(link);
    let rest = &link[name.len()..];
    let start = rest.iter().position(|&byte| byte != 0).unwrap_or(rest.len());
    format!("{} {}", super::printable(name), hex(&rest[start..]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(64).map(|byte| format!("{byte:02x}")).collect()
}

fn split_at_nul(data: &[u8]) -> Vec<&[u8]> {
    data.split(|&byte| byte == 0).filter(|string| !string.is_empty()).collect()
}

/// Stretches of printable ASCII, as strings(1) finds them.
fn printable_runs(data: &[u8]) -> Vec<&[u8]> {
    let is_printable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    data.split(|byte| !is_printable(byte)).filter(|run| run.len() >= MIN_STRING).collect()
}

/// The entries of a dynamic section that do not merely hold addresses (gABI, "Dynamic Section").
fn dynamic_entries(data: &[u8], names: &[u8], is_64: bool, order: Endianness) -> Vec<String> {
    let word = |bytes: &[u8]| {
        let sum = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if order == Endianness::Little { bytes.iter().rev().fold(0, sum) } else { bytes.iter().fold(0, sum) }
    };
    let width = if is_64 { 8 } else { 4 };
    let name = |at: u64| {
        let rest = usize::try_from(at).ok().and_then(|at| names.get(at..)).unwrap_or_default();
        super::printable(super::bytes::until_nul(rest))
    };
    let entry = |bytes: &[u8]| {
        let (tag, value) = (word(&bytes[..width]), word(&bytes[width..]));
        match tag {
            1 => Some(format!("NEEDED {}", name(value))),
            14 => Some(format!("SONAME {}", name(value))),
            15 => Some(format!("RPATH {}", name(value))),
            29 => Some(format!("RUNPATH {}", name(value))),
            30 => Some(format!("FLAGS {value:#x}")),
            0x6fff_fffb => Some(format!("FLAGS_1 {value:#x}")),
            _ => None,
        }
    };
    data.chunks_exact(2 * width).filter_map(entry).collect()
}
