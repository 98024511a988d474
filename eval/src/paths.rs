//! Paths as text: canonical and absolute forms, by the rules of Nix. Nothing here looks at a file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The bytes as a path.
pub fn from_bytes(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The bytes of a path.
pub fn to_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// An absolute path without `.`, `..`, repeated or final slashes.
pub fn canonical(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut canonical = Vec::with_capacity(path.len() + 1);
    for part in &parts {
        canonical.push(b'/');
        canonical.extend_from_slice(part);
    }
    if canonical.is_empty() {
        canonical.push(b'/');
    }
    canonical
}

/// The canonical form of a path that is relative to a directory unless it is absolute.
pub fn absolute(path: &[u8], directory: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") { canonical(path) } else { canonical(&[directory, b"/", path].concat()) }
}

/// The part behind the last slash, one final slash not counted.
pub fn base_name(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// The part before the last slash; `.` when there is none.
pub fn dir_name(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        None => b".",
        Some(0) => b"/",
        Some(slash) => &path[..slash],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_paths() {
        for (path, expected) in [("/", "/"), ("/a/../..", "/"), ("/a//b/./c/", "/a/b/c"), ("/a/b/../c", "/a/c")] {
            assert_eq!(canonical(path.as_bytes()), expected.as_bytes(), "{path}");
        }
        assert_eq!(absolute(b"../x", b"/a/b"), b"/a/x");
    }

    #[test]
    fn names_of_paths() {
        for (path, base, dir) in
            [("/a/b", "b", "/a"), ("a", "a", "."), ("/a", "a", "/"), ("a/b/", "b", "a/b"), ("", "", ".")]
        {
            assert_eq!(base_name(path.as_bytes()), base.as_bytes(), "{path}");
            assert_eq!(dir_name(path.as_bytes()), dir.as_bytes(), "{path}");
        }
    }
}
