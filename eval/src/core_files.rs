//! Files that belong to the language: what `<nix/…>` finds where the search path has nothing. They lie in no file system.

/// Where their paths say that they are.
const DIRECTORY: &[u8] = b"/larder/nix/";

/// Names and contents.
const FILES: &[(&[u8], &str)] = &[(b"fetchurl.nix", include_str!("core_files/fetchurl.nix"))];

/// The path that `<nix/…>` means.
pub(crate) fn path(name: &[u8]) -> Option<Vec<u8>> {
    let name = name.strip_prefix(b"nix/")?;
    FILES.iter().any(|(known, _)| *known == name).then(|| [DIRECTORY, name].concat())
}

/// The content of the file at a path, if it is one of these.
pub(crate) fn content(path: &[u8]) -> Option<&'static [u8]> {
    let name = path.strip_prefix(DIRECTORY)?;
    FILES.iter().find(|(known, _)| *known == name).map(|(_, content)| content.as_bytes())
}
