//! Listens to what evaluation asks, and keeps the answers as they were given.

use super::answer::{self, Digest, Kind, Stamp};
use super::file::Answer;
use crate::host_io::HostIo;
use eval::io::Filter;
use eval::{EvalIo, FileType, GoesOn, IoError, IsWanted, Question};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::tree::Node;
use store::{EncodedDerivation, Input, STORE_DIR, StoreName, StorePath};

/// An answer, and how the file looked just before.
pub(super) type Stamped = (Answer, Option<Stamp>);

/// The outside of an evaluation that is to be remembered: asks the machine and keeps the answers.
pub(crate) struct Recorder {
    io: Arc<HostIo>,
    answers: Mutex<Answers>,
}

#[derive(Default)]
struct Answers {
    /// What each question came to; `None` when it came to several things.
    given: HashMap<Question, Option<Vec<Stamped>>>,
}

impl Recorder {
    pub(crate) fn new(io: Arc<HostIo>) -> Self {
        Self { io, answers: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a question came to; `None` when that is not known, or was not always the same.
    pub(super) fn answers(&self, question: &Question) -> Option<Vec<Stamped>> {
        match question {
            Question::Kept(path) => Some(vec![(valid(path), None)]),
            Question::Realised(input, path) => Some(vec![(realised(input, path), None)]),
            // What is remembered is known to who remembers it.
            Question::Remembered(_) => None,
            question => self.lock().given.get(question).cloned().flatten(),
        }
    }

    fn give(&self, question: Question, answers: Vec<Stamped>) {
        use std::collections::hash_map::Entry;
        match self.lock().given.entry(question) {
            Entry::Vacant(entry) => {
                entry.insert(Some(answers));
            }
            Entry::Occupied(mut entry) => {
                let same = |known: &Vec<Stamped>| known.iter().map(|one| &one.0).eq(answers.iter().map(|one| &one.0));
                if !entry.get().as_ref().is_some_and(same) {
                    entry.insert(None);
                }
            }
        }
    }

    /// Keeps the answer to a question about a path. What is in the store is what its name says while it is there at all.
    fn give_file(&self, question: Question, kind: Kind, path: &Path, stamp: Option<Stamp>, digest: Digest) {
        let answer = match self.in_store(path) {
            Some(tree) => (valid(&tree), None),
            None => (file(kind, path.as_os_str().as_bytes().to_vec(), digest), stamp),
        };
        self.give(question, vec![answer]);
    }

    /// The store path that is there and that a path is in or is.
    fn in_store(&self, path: &Path) -> Option<StorePath> {
        let inside = path.strip_prefix(STORE_DIR).ok()?;
        let tree = StorePath::parse_base_name(inside.components().next()?.as_os_str().to_str()?).ok()?;
        let there = self.io.host(&Path::new(STORE_DIR).join(tree.base_name())).symlink_metadata().is_ok();
        there.then_some(tree)
    }

    fn stamp(&self, kind: Kind, path: &Path) -> Option<Stamp> {
        answer::look(kind, &self.io.host(path)).as_ref().and_then(Stamp::new)
    }

    /// All that a tree in the store was made of.
    fn made_of(&self, path: &Path, tree: &StorePath, seen: &Seen) -> Option<Vec<Stamped>> {
        if let Some(source) = self.in_store(path) {
            return Some(vec![(valid(&source), None), (valid(tree), None)]);
        }
        let listing = self.io.listing(tree)?;
        let mut answers = vec![(valid(tree), None)];
        let mut one = |path: PathBuf, node: &Node| {
            let subject = path.as_os_str().as_bytes().to_vec();
            let (kind, digest) = match node {
                Node::File { executable: true, blob, .. } => (Kind::Executable, *blob.as_bytes()),
                Node::File { blob, .. } => (Kind::Plain, *blob.as_bytes()),
                Node::Symlink { target } => (Kind::Link, answer::of_bytes(target)),
                Node::Directory(_) => {
                    (Kind::Listing, answer::of_listing(seen.entries.get(&path).map_or(&[][..], Vec::as_slice)))
                }
            };
            let stamp = seen.stamps.get(&path).copied().flatten();
            answers.push((file(kind, subject, digest), stamp));
        };
        one(path.to_owned(), listing.root());
        listing.walk(&mut |inside, node| {
            let inside: PathBuf = inside.components().iter().map(|name| OsStr::from_bytes(name.as_bytes())).collect();
            one(path.join(inside), node);
        });
        Some(answers)
    }
}

/// What was seen of a path before it was added.
#[derive(Default)]
struct Seen {
    /// The entries of each directory that was looked into, and had some.
    entries: HashMap<PathBuf, Vec<(Vec<u8>, FileType)>>,
    stamps: HashMap<PathBuf, Option<Stamp>>,
}

fn file(kind: Kind, subject: Vec<u8>, digest: Digest) -> Answer {
    Answer { subject, kind, digest }
}

/// That a store path is valid.
pub(super) fn valid(path: &StorePath) -> Answer {
    let subject = path.base_name().into_bytes();
    Answer { digest: answer::of_bytes(&subject), subject, kind: Kind::Valid }
}

/// What an input became.
fn realised(input: &Input, path: &StorePath) -> Answer {
    let became = path.to_string();
    let subject = format!("{input}\0{became}").into_bytes();
    Answer { subject, kind: Kind::Realised, digest: answer::of_bytes(became.as_bytes()) }
}

impl EvalIo for Recorder {
    fn read_file(&self, path: &Path, goes_on: &GoesOn<'_>) -> Result<Vec<u8>, IoError> {
        let stamp = self.stamp(Kind::Content, path);
        let content = self.io.read_file(path, goes_on)?;
        self.give_file(Question::Content(path.to_owned()), Kind::Content, path, stamp, answer::of_bytes(&content));
        Ok(content)
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<(Vec<u8>, FileType)>, IoError> {
        let stamp = self.stamp(Kind::Listing, path);
        let entries = self.io.read_dir(path)?;
        self.give_file(Question::Listing(path.to_owned()), Kind::Listing, path, stamp, answer::of_listing(&entries));
        Ok(entries)
    }

    fn file_type(&self, path: &Path) -> Result<Option<FileType>, IoError> {
        let found = self.io.file_type(path)?;
        self.give_file(Question::Kind(path.to_owned()), Kind::Type, path, None, answer::of_type(found));
        Ok(found)
    }

    fn read_link(&self, path: &Path) -> Result<Vec<u8>, IoError> {
        let target = self.io.read_link(path)?;
        self.give_file(Question::Link(path.to_owned()), Kind::Link, path, None, answer::of_bytes(&target));
        Ok(target)
    }

    fn is_executable(&self, path: &Path) -> Result<bool, IoError> {
        let executable = self.io.is_executable(path)?;
        self.give_file(Question::Executable(path.to_owned()), Kind::Mode, path, None, answer::of_mode(executable));
        Ok(executable)
    }

    fn add_path(&self, path: &Path, name: &StoreName, filter: Option<&mut Filter<'_>>) -> Result<StorePath, IoError> {
        let mut seen = Seen::default();
        seen.stamps.insert(path.to_owned(), self.stamp(Kind::Plain, path));
        let mut filter = filter;
        // The filter is shown every entry of every directory that it takes, before anything is read.
        let mut note = |entry: &Path, found: FileType| {
            if let (Some(parent), Some(name)) = (entry.parent(), entry.file_name()) {
                seen.entries.entry(parent.to_owned()).or_default().push((name.as_bytes().to_vec(), found));
            }
            let taken = filter.as_mut().map_or(Ok(true), |filter| filter(entry, found))?;
            if taken {
                seen.stamps.insert(entry.to_owned(), self.stamp(Kind::Plain, entry));
            }
            Ok(taken)
        };
        let added = self.io.add_path(path, name, Some(&mut note))?;
        if let Some(answers) = self.made_of(path, &added, &seen) {
            self.give(Question::Added(path.to_owned(), added.clone()), answers);
        }
        Ok(added)
    }

    fn add_text(&self, name: &StoreName, text: &[u8]) -> Result<StorePath, IoError> {
        self.io.add_text(name, text)
    }

    fn add_derivation(&self, derivation: EncodedDerivation) -> Result<(), IoError> {
        self.io.add_derivation(derivation)
    }

    fn scratch_file(&self) -> Option<std::fs::File> {
        self.io.scratch_file()
    }

    fn realise(&self, inputs: &[Input], is_wanted: &IsWanted<'_>) -> Result<Vec<(Input, StorePath)>, IoError> {
        self.io.realise(inputs, is_wanted)
    }

    fn trace(&self, line: &str) {
        self.io.trace(line);
    }
}

/// Which of the store paths that a text names are valid by now.
pub(super) fn valid_paths(text: &[u8], mut is_valid: impl FnMut(&StorePath) -> bool) -> BTreeSet<StorePath> {
    let mut found = BTreeSet::new();
    let mark = format!("{STORE_DIR}/").into_bytes();
    for start in (0..text.len()).filter(|start| text[*start..].starts_with(&mark)) {
        let name = &text[start + mark.len()..];
        let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._?=".contains(byte);
        let end = name.iter().position(|byte| !in_name(byte)).unwrap_or(name.len());
        let longest = String::from_utf8_lossy(&name[..end]);
        // A full stop behind it looks like part of the name.
        let candidates = [&*longest, longest.trim_end_matches(['.', '?', '='])];
        let paths = candidates.iter().filter_map(|name| StorePath::parse_base_name(name).ok());
        found.extend(paths.into_iter().find(|path| is_valid(path)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_paths_in_a_text_are_found() {
        let digest = "a".repeat(52);
        let text = format!("\"/larder/store/{digest}-one.\" and /larder/store/{digest}-two/bin /larder/store/short-x");
        let name = |name: &str| StorePath::parse_base_name(&format!("{digest}-{name}")).unwrap();
        let one = name("one");
        assert_eq!(valid_paths(text.as_bytes(), |path| *path == one), BTreeSet::from([one.clone()]));
        assert_eq!(valid_paths(text.as_bytes(), |path| *path != name("one.")), BTreeSet::from([one, name("two")]));
        assert_eq!(valid_paths(text.as_bytes(), |_| false), BTreeSet::new());
    }
}
