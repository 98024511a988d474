//! Names of entries: what a name may be, and what options make of it. Pure.

use super::UnpackOptions;
use super::limit::{Limit, Limits};
use super::problem::{Outcome, Problem};

/// The longest path that the kernel takes, without its final zero byte.
pub(super) const MAX_PATH: usize = 4095;
const MAX_COMPONENT: usize = 255;

/// A relative path of non-empty components, matched as a prefix by whole components. In [`UnpackOptions::exclude`], and
/// on the left of [`UnpackOptions::rename`], a `*` within a component stands for any bytes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern(Vec<Vec<u8>>);

/// A pattern that is not a relative path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a relative path: expected components other than `.` and `..`, separated by single slashes")]
pub struct PathPatternError(String);

impl PathPattern {
    /// Reads a pattern. The empty text is the prefix of everything.
    ///
    /// # Errors
    /// When the text is absolute, or has an empty, `.` or `..` component.
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let components: Vec<Vec<u8>> = text.split('/').map(|component| component.as_bytes().to_vec()).collect();
        let fits = |component: &Vec<u8>| !matches!(component.as_slice(), b"" | b"." | b"..") && !component.contains(&0);
        if components.iter().all(fits) {
            Ok(Self(components))
        } else {
            Err(PathPatternError(text.escape_debug().to_string()))
        }
    }

    fn is_prefix_of(&self, path: &[&[u8]]) -> bool {
        self.0.len() <= path.len() && self.0.iter().zip(path).all(|(pattern, component)| glob(pattern, component))
    }
}

/// Whether `pattern`, in which `*` stands for any bytes, is `text`. Linear but for the number of stars.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let mut parts = pattern.split(|&byte| byte == b'*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&[u8]> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let found = if part.is_empty() { Some(0) } else { rest.windows(part.len()).position(|window| window == part) };
        let Some(position) = found else { return false };
        rest = &rest[position + part.len()..];
    }
    rest.ends_with(last)
}

/// Checks a name and splits it. Components `.` and empty ones but the first go; the root itself has no components.
pub(super) fn components<'a>(name: &'a [u8], limits: &Limits) -> Outcome<Vec<&'a [u8]>> {
    if name.is_empty() {
        return Err(Problem::EmptyName.into());
    }
    if name.contains(&0) {
        return Err(Problem::Nul.into());
    }
    if name[0] == b'/' {
        return Err(Problem::Absolute.into());
    }
    if name.len() > MAX_PATH {
        return Err(Problem::PathTooLong.into());
    }
    let components: Vec<&[u8]> =
        name.split(|&byte| byte == b'/').filter(|component| !matches!(*component, b"" | b".")).collect();
    if components.contains(&b"..".as_slice()) {
        return Err(Problem::Parent.into());
    }
    if components.iter().any(|component| component.len() > MAX_COMPONENT) {
        return Err(Problem::ComponentTooLong.into());
    }
    if components.len() > limits.depth {
        return Err(Limit::Depth(limits.depth).into());
    }
    Ok(components)
}

/// The path that an entry of this name gets, or `None` if it is skipped. The destination itself is the empty path.
pub(super) fn resolve(name: &[u8], options: &UnpackOptions) -> Outcome<Option<Vec<u8>>> {
    let components = components(name, &options.limits)?;
    if components.is_empty() {
        return Ok((options.strip_components == 0).then(Vec::new));
    }
    let Some(rest) = components.get(options.strip_components..).filter(|rest| !rest.is_empty()) else {
        return Ok(None);
    };
    if options.exclude.iter().any(|pattern| pattern.is_prefix_of(rest)) {
        return Ok(None);
    }
    let path = rename(rest, options).join(&b'/');
    if path.len() > MAX_PATH { Err(Problem::PathTooLong.into()) } else { Ok(Some(path)) }
}

fn rename<'a>(path: &[&'a [u8]], options: &'a UnpackOptions) -> Vec<&'a [u8]> {
    match options.rename.iter().find(|(from, _)| from.is_prefix_of(path)) {
        None => path.to_vec(),
        Some((from, to)) => to.0.iter().map(Vec::as_slice).chain(path[from.0.len()..].iter().copied()).collect(),
    }
}

/// Checks the target of a symbolic link. It may point anywhere: it is data, and never followed.
pub(super) fn check_symlink_target(target: &[u8]) -> Outcome<()> {
    if target.is_empty() {
        return Err(Problem::Malformed("the symbolic link has no target").into());
    }
    if target.contains(&0) {
        return Err(Problem::Nul.into());
    }
    if target.len() > MAX_PATH { Err(Problem::PathTooLong.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> PathPattern {
        PathPattern::parse(text).expect(text)
    }

    fn resolved(name: &str, options: &UnpackOptions) -> Option<String> {
        let path = resolve(name.as_bytes(), options).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        path.map(|path| String::from_utf8(path).unwrap())
    }

    #[test]
    fn strip_then_exclude_then_rename() {
        let options = UnpackOptions {
            strip_components: 1,
            exclude: vec![pattern("usr/share/doc"), pattern("lib/*.la")],
            rename: vec![(pattern("lib"), pattern("usr/lib")), (pattern("opt"), pattern(""))],
            ..UnpackOptions::default()
        };
        let cases = [
            ("./p/lib/x", Some("usr/lib/x")),
            ("p/lib", Some("usr/lib")),
            ("p/library/x", Some("library/x")),
            ("p/lib/x.la", None),
            ("p/usr/share/doc/a", None),
            ("p/usr/share/docs", Some("usr/share/docs")),
            ("p/opt/bin/a", Some("bin/a")),
            ("p", None),
            ("./", None),
        ];
        for (name, expected) in cases {
            assert_eq!(resolved(name, &options).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn harmless_spellings_are_the_same_path() {
        for name in ["a/b", "./a/b", "a//b", "a/./b", "././a/b/", "a/b/."] {
            assert_eq!(resolved(name, &UnpackOptions::default()).as_deref(), Some("a/b"), "{name}");
        }
        assert_eq!(resolved("./", &UnpackOptions::default()).as_deref(), Some(""));
    }

    #[test]
    fn bad_names_are_refused() {
        let long = "x".repeat(256);
        let deep = "d/".repeat(600);
        let endless = "dir/".repeat(1100);
        let names = ["", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "..", "a\0b", &long, &deep, &endless];
        for name in names {
            assert!(resolve(name.as_bytes(), &UnpackOptions::default()).is_err(), "{name:?} was taken");
        }
        assert!(resolve(&[b'x'; 255], &UnpackOptions::default()).is_ok());
    }

    #[test]
    fn patterns_are_relative_paths() {
        for bad in ["/a", "a/", "a//b", ".", "a/../b"] {
            assert!(PathPattern::parse(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn stars_match_within_a_component() {
        for (pattern, text, expected) in [
            ("*", "anything", true),
            ("*.la", "libx.la", true),
            ("*.la", "libx.lai", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "ac", false),
            ("ab*ba", "aba", false),
            ("**", "", true),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} on {text}");
        }
    }

    proptest! {
        #[test]
        fn a_resolved_path_is_always_relative_and_plain(name in prop::collection::vec(prop::sample::select(&b"ab./\0"[..]), 0..20)) {
            if let Ok(Some(path)) = resolve(&name, &UnpackOptions::default()) {
                let plain = path.is_empty() || path.split(|&b| b == b'/').all(|c| !matches!(c, b"" | b"." | b".."));
                prop_assert!(plain && !path.contains(&0));
            }
        }
    }
}
