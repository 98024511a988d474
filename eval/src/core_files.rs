//! Files that belong to the language: what `<nix/…>` finds where the search path has nothing. They lie in no file system,
//! but are answered for as if they did: by [`find`], which whoever deals with files asks first.

/// Where their paths say that they are.
const DIRECTORY: &[u8] = b"/larder/nix";

/// Names and contents.
const FILES: &[(&[u8], &str)] = &[(b"fetchurl.nix", include_str!("core_files/fetchurl.nix"))];

/// What one of their paths leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The directory that they lie in; it has nothing but them.
    Directory,
    /// A file, which is not executable, with its content.
    File(&'static [u8]),
}

/// What is at a path, if it is one of these.
pub(crate) fn find(path: &[u8]) -> Option<Entry> {
    match path.strip_prefix(DIRECTORY)? {
        [] => Some(Entry::Directory),
        [b'/', name @ ..] => file(name).map(Entry::File),
        _ => None,
    }
}

/// The path that `<nix/…>` means.
pub(crate) fn path(name: &[u8]) -> Option<Vec<u8>> {
    let name = name.strip_prefix(b"nix/")?;
    file(name).map(|_| [DIRECTORY, b"/", name].concat())
}

/// The names in their directory, sorted.
pub(crate) fn names() -> impl Iterator<Item = &'static [u8]> {
    FILES.iter().map(|(name, _)| *name)
}

fn file(name: &[u8]) -> Option<&'static [u8]> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, content)| content.as_bytes())
}
