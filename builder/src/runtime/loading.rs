//! What the dynamic linker loads for a program, in its order, and what it does not find.
//!
//! As ld.so(8) has it: a library that is loaded under a name is there for all that need that name. Else the directories of `DT_RPATH` are
//! looked in of the file that needs it, of the one that had that loaded, and so on up to the program, unless the file has `DT_RUNPATH`;
//! then those of its `DT_RUNPATH`; then the usual ones.

use super::elf::{self, Elf};
use super::elf_file::ElfFile;
use super::{LIBRARY_DIRECTORIES, Verifier};
use crate::world::Found;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use store::local::IoError;

/// So many files of one program are looked at; none has more.
const MOST_FILES: usize = 10_000;

/// So many directories are looked in for what one file needs.
pub(super) const MOST_DIRECTORIES: usize = 1_000;

/// At so many places the libraries of all programs of an output together are looked for.
pub(super) const MOST_PLACES: usize = 10_000_000;

/// A file that is loaded.
struct Loading {
    /// Where it is, without links.
    end: String,
    /// Where it was found: what `$ORIGIN` is seen from.
    place: String,
    /// The directories that what it needs inherits from what had it loaded.
    inherited: Rc<Vec<String>>,
}

/// What is not found of what each file needs that a program loads, by the file's path without links.
pub(super) type Lacking = HashMap<String, BTreeSet<String>>;

/// An ELF file of the world, by its path without links.
pub(super) type Known = HashMap<String, (Rc<Elf>, Option<elf::Kind>)>;

impl Verifier<'_> {
    /// What those of these `files` lack that a program loads; `None` if it is none that has libraries loaded for it. No more than `left`
    /// places are looked at, which is counted down.
    pub(super) fn load_program(
        &mut self,
        program: &str,
        files: &HashSet<String>,
        left: &mut usize,
    ) -> Result<Option<Lacking>, IoError> {
        if self.elf_of(program)?.0.interpreter.is_none() {
            return Ok(None);
        }
        let mut lacking = Lacking::new();
        let (mut loaded, mut seen) = (HashSet::new(), HashSet::new());
        let first = Loading { end: program.to_owned(), place: program.to_owned(), inherited: Rc::default() };
        let mut pending = VecDeque::from([first]);
        while let Some(Loading { end, place, inherited }) = pending.pop_front() {
            if *left == 0 || seen.len() == MOST_FILES || (self.cancelled)() || !seen.insert(end.clone()) {
                continue;
            }
            let (needs, kind) = self.elf_of(&end)?;
            let origin = place.rsplit_once('/').map_or("", |(directory, _)| directory);
            let own = |entries: &[String]| entries.iter().map(|entry| expand(entry, origin)).collect::<Vec<_>>();
            let chain = Rc::new(chain(own(&needs.rpath), &inherited));
            let heeded = if needs.run_path.is_empty() { &chain[..] } else { &[] };
            let usual = LIBRARY_DIRECTORIES.map(str::to_owned);
            let directories = [heeded, &own(&needs.run_path), &usual[..]].concat();
            let mut missing = files.contains(&end).then(|| lacking.entry(end).or_default());
            for library in &needs.libraries {
                if loaded.contains(library) {
                    continue;
                }
                let places = places(library, &directories);
                *left = left.saturating_sub(places.len());
                if *left == 0 || (self.cancelled)() {
                    break;
                }
                let places = places.into_iter().map(|place| (self.world.follow(&place), place));
                let mut found = places.filter(|(way, _)| way.found == Some(Found::File));
                let Some((way, place)) = found.find(|(way, _)| self.is_of_kind(&way.end, kind)) else {
                    missing.iter_mut().for_each(|missing| _ = missing.insert(library.clone()));
                    continue;
                };
                loaded.insert(library.clone());
                pending.push_back(Loading { end: way.end, place, inherited: Rc::clone(&chain) });
            }
        }
        Ok(Some(lacking))
    }

    fn elf_of(&mut self, path: &str) -> Result<(Rc<Elf>, Option<elf::Kind>), IoError> {
        if let Some(known) = self.known.get(path) {
            return Ok(known.clone());
        }
        let (needs, kind) = match (self.host)(path) {
            Some(host) => ElfFile::open(&host)?.needs()?,
            None => (Elf::default(), None),
        };
        let known = (Rc::new(needs), kind);
        self.known.insert(path.to_owned(), known.clone());
        Ok(known)
    }
}

/// The directories of a file before those that it inherits, each once.
fn chain(own: Vec<String>, inherited: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut chain: Vec<_> = own.iter().chain(inherited).filter(|directory| seen.insert(*directory)).cloned().collect();
    chain.truncate(MOST_DIRECTORIES);
    chain
}

/// Where a library may be.
pub(super) fn places(library: &str, directories: &[String]) -> Vec<String> {
    match library.starts_with('/') {
        true => vec![library.to_owned()],
        false => directories.iter().map(|directory| format!("{directory}/{library}")).collect(),
    }
}

/// An entry of a run path, for a file in this directory.
pub(super) fn expand(entry: &str, origin: &str) -> String {
    entry.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_has_each_directory_once_and_an_end() {
        let names = |range: std::ops::Range<usize>| range.map(|number| format!("/{number}")).collect::<Vec<_>>();
        assert_eq!(chain(names(1..3), &names(0..3)), ["/1", "/2", "/0"]);
        assert_eq!(chain(names(0..900), &names(500..2_000)).len(), MOST_DIRECTORIES);
    }
}
