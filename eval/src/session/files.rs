//! Dealings with files and the store. What was asked is noted: whoever computes something now rests on it.

use super::lock;
use super::store_links::{Last, too_many_links};
use crate::context::{Context, Element};
use crate::core_files::{self, Entry};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::io::{FileType, Filter, IoError};
use crate::paths;
use crate::reads::Question;
use crate::source::Span;
use std::borrow::Cow;
use std::path::Path;
use store::{EncodedDerivation, Input, StoreName, StorePath};

/// How many symbolic links in a row are followed.
pub(super) const MAX_LINKS: usize = 40;

impl Evaluator<'_> {
    /// Notes that something was asked; the question is only made when that is of interest.
    #[inline]
    pub(crate) fn note(&self, question: impl FnOnce() -> Question) {
        if self.session.settings.record_reads {
            self.frames().note(self.session.reads.question(question()));
        }
    }

    /// The file that importing a path reads: links followed, and `default.nix` of a directory. That this may be a
    /// directory again is for the reader to find: looking on need not end, as `default.nix` may lead back.
    pub(crate) fn resolve_import(&self, path: &[u8], span: Span) -> Result<Vec<u8>> {
        let (mut path, kind) = self.followed(path, span)?;
        if kind == Some(FileType::Directory) {
            path.extend_from_slice(b"/default.nix");
            (path, _) = self.followed(&path, span)?;
        }
        Ok(path)
    }

    /// Where the links lead that a path may be, and the type of what is there.
    pub(crate) fn followed(&self, path: &[u8], span: Span) -> Result<(Vec<u8>, Option<FileType>)> {
        let mut path = paths::canonical(path);
        for _ in 0..MAX_LINKS {
            match self.file_type(&path, span)? {
                Some(FileType::Symlink) => path = self.link_end(&path, span)?,
                kind => return Ok((path, kind)),
            }
        }
        Err(too_many_links(&path, span))
    }

    /// Where a link leads: one of the user to the next, one in the store to its end.
    fn link_end(&self, link: &[u8], span: Span) -> Result<Vec<u8>> {
        match self.unlinked(link, Last::Followed, span)? {
            Cow::Owned(end) => Ok(end),
            Cow::Borrowed(link) => Ok(paths::absolute(&self.ask_link(link, span)?, paths::dir_name(link))),
        }
    }

    /// The content of a file, which is noted as read.
    pub(crate) fn read_file(&self, path: &[u8], span: Span) -> Result<Vec<u8>> {
        match core_files::find(path) {
            Some(Entry::File(content)) => return Ok(content.to_vec()),
            Some(Entry::Directory) => return Err(not_a_file(Diagnostic::new(Code::File, span, ""), path)),
            None => {}
        }
        let real = self.unlinked(path, Last::Followed, span)?;
        let path = paths::from_bytes(&real);
        lock(&self.session.files_read).insert(path.to_owned());
        self.note(|| Question::Content(path.to_owned()));
        let goes_on = |read: usize| !self.is_stopped() && self.check_room(read, span).is_ok();
        self.session.io.read_file(path, &goes_on).map_err(|error| match error {
            IoError::Ended { .. } => self.check_stopped(span).err().unwrap_or_else(|| self.session.memory_limit(span)),
            _ => self.unreadable_file(&error, span),
        })
    }

    /// The entries of a directory, sorted by name.
    pub(crate) fn read_dir(&self, path: &[u8], span: Span) -> Result<Vec<(Vec<u8>, FileType)>> {
        match core_files::find(path) {
            Some(Entry::Directory) => {
                return Ok(core_files::names().map(|name| (name.to_vec(), FileType::Regular)).collect());
            }
            Some(Entry::File(_)) => {
                let message = format!("{} is a file, not a directory", String::from_utf8_lossy(path));
                return Err(Diagnostic::new(Code::File, span, message));
            }
            None => {}
        }
        let real = self.unlinked(path, Last::Followed, span)?;
        let path = paths::from_bytes(&real);
        lock(&self.session.files_read).insert(path.to_owned());
        self.note(|| Question::Listing(path.to_owned()));
        let mut entries = self.session.io.read_dir(path).map_err(|error| self.missing_file(&error, span))?;
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }

    /// The type of a path, links not followed.
    pub(crate) fn file_type(&self, path: &[u8], span: Span) -> Result<Option<FileType>> {
        match core_files::find(path) {
            Some(Entry::File(_)) => return Ok(Some(FileType::Regular)),
            Some(Entry::Directory) => return Ok(Some(FileType::Directory)),
            None => {}
        }
        self.ask_type(&self.unlinked(path, Last::Kept, span)?, span)
    }

    /// The same where no link is on the way that may not be followed.
    pub(super) fn ask_type(&self, path: &[u8], span: Span) -> Result<Option<FileType>> {
        let path = paths::from_bytes(path);
        self.note(|| Question::Kind(path.to_owned()));
        self.session.io.file_type(path).map_err(|error| file_error(&error, span))
    }

    /// The target of a link.
    pub(crate) fn read_link(&self, path: &Path, span: Span) -> Result<Vec<u8>> {
        self.ask_link(&self.unlinked(paths::to_bytes(path), Last::Kept, span)?, span)
    }

    /// The same where no link is on the way that may not be followed.
    pub(super) fn ask_link(&self, path: &[u8], span: Span) -> Result<Vec<u8>> {
        let path = paths::from_bytes(path);
        self.note(|| Question::Link(path.to_owned()));
        self.session.io.read_link(path).map_err(|error| file_error(&error, span))
    }

    /// Whether a regular file is executable.
    pub(crate) fn is_executable(&self, path: &Path, span: Span) -> Result<bool> {
        if core_files::find(paths::to_bytes(path)).is_some() {
            return Ok(false);
        }
        let real = self.unlinked(paths::to_bytes(path), Last::Followed, span)?;
        let path = paths::from_bytes(&real);
        self.note(|| Question::Executable(path.to_owned()));
        self.session.io.is_executable(path).map_err(|error| file_error(&error, span))
    }

    /// The error for a file that cannot be read: perhaps it is a directory.
    #[cold]
    fn unreadable_file(&self, error: &IoError, span: Span) -> Box<Diagnostic> {
        let diagnostic = self.missing_file(error, span);
        if let IoError::Failed { path, .. } = error
            && matches!(self.session.io.file_type(path), Ok(Some(FileType::Directory)))
        {
            return not_a_file(diagnostic, paths::to_bytes(path));
        }
        diagnostic
    }

    /// The error for a path that cannot be read, with names near to it if it is not there.
    #[cold]
    fn missing_file(&self, error: &IoError, span: Span) -> Box<Diagnostic> {
        let diagnostic = file_error(error, span);
        let IoError::NotFound { path } = error else { return diagnostic };
        let bytes = paths::to_bytes(path);
        let entries = self.session.io.read_dir(paths::from_bytes(paths::dir_name(bytes))).unwrap_or_default();
        let mut names: Vec<_> = entries.iter().map(|(name, _)| name.as_slice()).collect();
        names.sort_unstable();
        if paths::base_name(bytes) == b"default.nix" {
            let files = names.iter().filter(|name| name.ends_with(b".nix")).take(3);
            let files: Vec<_> = files.map(|name| format!("`{}`", String::from_utf8_lossy(name))).collect();
            let has = if files.is_empty() { String::new() } else { format!("; it has {}", files.join(", ")) };
            return diagnostic.hint(format!("to import a directory is to import its `default.nix`{has}"));
        }
        diagnostic.maybe_hint(crate::near::did_you_mean(paths::base_name(bytes), names.into_iter()))
    }

    /// Adds a path to the store under its own name; the same path is added once.
    pub(crate) fn add_path(&self, path: &[u8], span: Span) -> Result<&'static StorePath> {
        let real = self.unlinked(path, Last::Kept, span)?;
        let path = &*real;
        let known = lock(&self.session.added).get(path).copied();
        if let Some(added) = known {
            self.note(|| Question::Added(paths::from_bytes(path).to_owned(), added.clone()));
            return Ok(added);
        }
        let name = path_name(paths::base_name(path), span)?;
        let added = self.add_filtered(path, &name, None, span)?;
        lock(&self.session.added).insert(path.to_owned(), added);
        Ok(added)
    }

    /// Adds what a filter takes of a path to the store.
    pub(crate) fn add_filtered(
        &self,
        path: &[u8],
        name: &StoreName,
        filter: Option<&mut Filter<'_>>,
        span: Span,
    ) -> Result<&'static StorePath> {
        if let Some(entry) = core_files::find(path) {
            return self.add_core_file(entry, name, span);
        }
        let real = self.unlinked(path, Last::Kept, span)?;
        let path = paths::from_bytes(&real);
        lock(&self.session.files_read).insert(path.to_owned());
        let added = self.session.io.add_path(path, name, filter).map_err(|error| self.missing_file(&error, span))?;
        self.note(|| Question::Added(path.to_owned(), added.clone()));
        Ok(Box::leak(Box::new(added)))
    }

    /// Adds a file of the language to the store.
    fn add_core_file(&self, entry: Entry, name: &StoreName, span: Span) -> Result<&'static StorePath> {
        let Entry::File(content) = entry else {
            let message = "the directory of <nix/…> is part of larder, and cannot be added to the store";
            return Err(Diagnostic::new(Code::File, span, message).hint("add a file in it: \"${<nix/fetchurl.nix>}\""));
        };
        self.add_text(name, content, span)
    }

    /// Adds a file with a content to the store.
    pub(crate) fn add_text(&self, name: &StoreName, text: &[u8], span: Span) -> Result<&'static StorePath> {
        let path = self.session.io.add_text(name, text).map_err(|error| file_error(&error, span))?;
        self.note(|| Question::Kept(path.clone()));
        Ok(Box::leak(Box::new(path)))
    }

    /// Hands a derivation to the outside, where no thread has done so yet.
    pub(crate) fn add_derivation(&self, derivation: EncodedDerivation, span: Span) -> Result<()> {
        let path = derivation.path().clone();
        if lock(&self.session.derivations).contains(&path) {
            return Ok(());
        }
        self.session.io.add_derivation(derivation).map_err(|error| {
            let message = format!("derivation `{}` cannot be kept: {error}", path.name());
            Diagnostic::new(Code::Derivation, span, message)
        })?;
        // Only now may another thread rely on it; and what failed is handed over again by the next to make it.
        lock(&self.session.derivations).insert(path);
        Ok(())
    }

    /// Builds what a path mentions, and gives the path with the trees that came out.
    pub(crate) fn realise_path(&self, path: &[u8], context: Option<&'static Context>, span: Span) -> Result<Vec<u8>> {
        let elements = context.map_or(&[][..], Context::elements);
        let inputs: Vec<Input> = elements
            .iter()
            .filter(|element| matches!(element, Element::Output { .. }))
            .filter_map(|element| element.input())
            .collect();
        if inputs.is_empty() {
            return Ok(paths::canonical(path));
        }
        if !self.session.settings.import_from_derivation {
            let message = format!("{} must be built to evaluate this, which is not allowed", inputs[0]);
            return Err(Diagnostic::new(Code::Realise, span, message));
        }
        self.check_effect()?;
        let budget = self.session.budget();
        let outputs = self.session.io.realise(&inputs, &|| !budget.stopped()).map_err(|error| {
            let message = format!("what this path mentions could not be built: {error}");
            self.check_stopped(span).err().unwrap_or_else(|| Diagnostic::new(Code::Realise, span, message))
        })?;
        let mut path = path.to_owned();
        for (input, output) in outputs {
            self.note(|| Question::Realised(input.clone(), output.clone()));
            path = replace_all(&path, input.mention().as_bytes(), output.to_string().as_bytes());
        }
        Ok(paths::canonical(&path))
    }
}

fn replace_all(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix(from) {
            replaced.extend_from_slice(to);
            rest = behind;
        } else {
            replaced.push(rest[0]);
            rest = &rest[1..];
        }
    }
    replaced
}

/// The error for a directory that is read as a file.
#[cold]
fn not_a_file(mut diagnostic: Box<Diagnostic>, path: &[u8]) -> Box<Diagnostic> {
    diagnostic.message = format!("{} is a directory, not a file", String::from_utf8_lossy(path));
    diagnostic.hint("`builtins.readDir` gives what is in it")
}

/// The store path name of a file's name.
pub(crate) fn path_name(name: &[u8], span: Span) -> Result<StoreName> {
    let text = String::from_utf8_lossy(name);
    StoreName::parse(&text).map_err(|error| {
        Diagnostic::new(Code::File, span, format!("a file of this name cannot be added to the store: {error}"))
            .hint("give it another name: builtins.path { path = …; name = …; }")
    })
}

#[cold]
fn file_error(error: &IoError, span: Span) -> Box<Diagnostic> {
    Diagnostic::new(Code::File, span, error.to_string())
}
