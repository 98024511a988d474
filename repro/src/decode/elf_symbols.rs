//! Symbols of ELF files: which functions differ, which names came or went.

use super::{Decoder, printable, strings};
use crate::report::{Change, Detail};
use object::{File, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};
use std::collections::BTreeMap;

const MAX_SYMBOLS: usize = 1_000_000;
/// How often over symbols may cover their section.
const MAX_OVERLAP: u64 = 8;

/// Which functions of a section with code differ; `None` if there are no symbols that say so.
pub(super) fn compare_code(decoder: &Decoder<'_>, place: &str, left: &File<'_>, right: &File<'_>) -> Option<Change> {
    let name = place.strip_prefix("section ")?;
    let (left, right) = (functions(left, name), functions(right, name));
    let changed: Vec<&[u8]> = left
        .iter()
        .filter(|(name, code)| right.get(*name).is_some_and(|other| other != *code))
        .map(|(name, _)| *name)
        .collect();
    let removed: Vec<&[u8]> = left.keys().filter(|name| !right.contains_key(*name)).copied().collect();
    let added: Vec<&[u8]> = right.keys().filter(|name| !left.contains_key(*name)).copied().collect();
    if changed.is_empty() && removed.is_empty() && added.is_empty() {
        return None;
    }
    let most = decoder.limits().strings;
    let omitted = [&changed, &removed, &added].iter().map(|names| names.len().saturating_sub(most)).sum::<usize>();
    let shown = |names: &[&[u8]]| names.iter().take(most).map(|name| printable(name)).collect();
    let detail = Detail::Symbols {
        changed: shown(&changed),
        removed: shown(&removed),
        added: shown(&added),
        omitted: omitted as u64,
    };
    Some(Change::new(format!("functions in {place}"), detail))
}

/// The code of every function in the section of this name.
fn functions<'a>(file: &'a File<'a>, section_name: &str) -> BTreeMap<&'a [u8], &'a [u8]> {
    let mut functions = BTreeMap::new();
    let Some(section) = file.section_by_name(section_name) else { return functions };
    // Symbols may overlap; some do by right, as aliases.
    let mut budget = section.size().saturating_mul(MAX_OVERLAP);
    for symbol in file.symbols().chain(file.dynamic_symbols()).take(MAX_SYMBOLS) {
        if symbol.kind() != SymbolKind::Text || symbol.size() == 0 || symbol.section_index() != Some(section.index()) {
            continue;
        }
        if let (Ok(name), Ok(Some(code))) = (symbol.name_bytes(), section.data_range(symbol.address(), symbol.size())) {
            let Some(left) = budget.checked_sub(code.len() as u64) else { return BTreeMap::new() };
            budget = left;
            functions.insert(name, code);
        }
    }
    functions
}

/// Which names a symbol table has gained or lost; otherwise its addresses moved.
pub(super) fn compare_tables(
    decoder: &Decoder<'_>,
    place: &str,
    left: &File<'_>,
    right: &File<'_>,
    table: &str,
) -> Vec<Change> {
    let names = |file: &'_ File<'_>| -> Vec<Vec<u8>> {
        let symbols = if table == ".dynsym" { file.dynamic_symbols() } else { file.symbols() };
        symbols.take(MAX_SYMBOLS).filter_map(|symbol| symbol.name_bytes().ok().map(<[u8]>::to_vec)).collect()
    };
    let (left, right) = (names(left), names(right));
    let left: Vec<&[u8]> = left.iter().map(Vec::as_slice).collect();
    let right: Vec<&[u8]> = right.iter().map(Vec::as_slice).collect();
    let moved = || Change::new(place, Detail::Note { text: "addresses or sizes of symbols differ".to_owned() });
    let found = strings::compare(decoder, place, &left, &right);
    vec![found.unwrap_or_else(|| moved().following("code or data moved"))]
}
