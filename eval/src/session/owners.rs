//! Whose code it is: the user's own, or a library's.
//!
//! The user's own code is the expression or file that evaluation began with, and the files in its directory and below.
//! Not so what lies below in a directory that is called `lib`, `libs`, `library`, `vendor`, `nixpkgs…` or `npins`, or
//! in a file `lib.nix` or `library.nix`: that, and all files elsewhere, is a library.

use super::{Session, lock};
use crate::source::{Origin, Pos, Span};
use rustc_hash::FxHashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What evaluation began with.
#[derive(Debug, Default)]
pub(super) struct Roots {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

/// Answers whose code it is; remembers it for each source.
#[derive(Debug)]
pub(crate) struct Owners<'a> {
    session: &'a Session,
    known: FxHashMap<Pos, bool>,
}

impl Session {
    /// Notes that evaluation begins with a file.
    pub(crate) fn begin_with_file(&self, file: &Path) {
        let mut roots = lock(&self.roots);
        if !roots.files.iter().any(|known| known == file) {
            roots.files.push(file.to_owned());
            roots.directories.extend(file.parent().map(Path::to_owned));
        }
    }

    /// Notes that evaluation begins with a text for which relative paths are relative to a directory.
    pub(crate) fn begin_in(&self, directory: &Path) {
        let mut roots = lock(&self.roots);
        if !roots.directories.iter().any(|known| known == directory) {
            roots.directories.push(directory.to_owned());
        }
    }

    /// Who answers whose code it is.
    pub(crate) fn owners(&self) -> Owners<'_> {
        Owners { session: self, known: FxHashMap::default() }
    }
}

impl Owners<'_> {
    /// Whether a place is in a library.
    pub(crate) fn is_library(&mut self, span: Span) -> bool {
        if span.is_none() {
            return false;
        }
        let Some(source) = self.session.sources().find(span.start) else { return false };
        let session = self.session;
        *self.known.entry(source.pos(0)).or_insert_with(|| match &*source.origin {
            Origin::Text(_) => false,
            Origin::File(path) => lock(&session.roots).is_library(path),
        })
    }
}

impl Roots {
    fn is_library(&self, path: &Path) -> bool {
        if self.files.iter().any(|file| file == path) {
            return false;
        }
        let mut below = self.directories.iter().filter_map(|directory| path.strip_prefix(directory).ok());
        !below.any(|rest| !names_library(rest))
    }
}

/// Whether a path below a root leads into a library.
fn names_library(path: &Path) -> bool {
    let directories = path.parent().into_iter().flat_map(Path::iter);
    directories.chain(path.file_stem()).any(is_library_name)
}

fn is_library_name(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    matches!(name, b"lib" | b"libs" | b"library" | b"vendor" | b"npins") || name.starts_with(b"nixpkgs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_elsewhere_or_named_so() {
        let mut roots = Roots::default();
        assert!(roots.is_library(Path::new("/anything.nix")));
        roots.files.push(PathBuf::from("/home/me/lib/main.nix"));
        roots.directories.push(PathBuf::from("/home/me/lib"));
        for (path, expected) in [
            ("/home/me/lib/main.nix", false),
            ("/home/me/lib/pkgs/zlib.nix", false),
            ("/home/me/lib/lib/strings.nix", true),
            ("/home/me/lib/lib.nix", true),
            ("/home/me/lib/nixpkgs-24.05/default.nix", true),
            ("/home/me/other.nix", true),
            ("/larder/store/x/lib.nix", true),
        ] {
            assert_eq!(roots.is_library(Path::new(path)), expected, "{path}");
        }
    }
}
