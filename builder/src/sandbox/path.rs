//! The two families of paths around a sandbox, which must never be mixed: outside ([`HostPath`]) and inside
//! ([`GuestPath`]). Both are absolute and are checked when made, so the code that mounts need not check again.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use store::shown;

/// A path that cannot be used outside or inside a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path does not begin with `/`.
    #[error("`{0}` is not an absolute path")]
    NotAbsolute(PathBuf),
    /// The path has a component `..`, or a NUL byte.
    #[error("`{0}` has a component `..` or a NUL byte")]
    NotPlain(PathBuf),
    /// The path is not UTF-8, so that it could not be written into a serialised specification.
    #[error("`{}` is not UTF-8", shown(.0))]
    NotUtf8(PathBuf),
}

fn check(path: &Path) -> Result<(), PathError> {
    if !path.is_absolute() {
        return Err(PathError::NotAbsolute(path.to_owned()));
    }
    let Some(text) = path.to_str() else { return Err(PathError::NotUtf8(path.to_owned())) };
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if climbs || text.contains('\0') { Err(PathError::NotPlain(path.to_owned())) } else { Ok(()) }
}

macro_rules! path_family {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "PathBuf", into = "PathBuf")]
        pub struct $name(PathBuf);

        impl $name {
            /// Takes an absolute UTF-8 path without `..`.
            ///
            /// # Errors
            /// The path is relative, has `..` or NUL in it, or is not UTF-8.
            pub fn parse(path: impl Into<PathBuf>) -> Result<Self, PathError> {
                let path = path.into();
                check(&path).map(|()| Self(path))
            }

            /// The path.
            #[must_use]
            pub fn as_path(&self) -> &Path {
                &self.0
            }
        }

        impl TryFrom<PathBuf> for $name {
            type Error = PathError;

            fn try_from(path: PathBuf) -> Result<Self, PathError> {
                Self::parse(path)
            }
        }

        impl From<$name> for PathBuf {
            fn from(path: $name) -> Self {
                path.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.display())
            }
        }
    };
}

path_family!(HostPath, "An absolute path outside the sandbox.");
path_family!(GuestPath, "An absolute path as the sandboxed process sees it.");

impl GuestPath {
    /// The components after the leading `/`, for making the path inside some directory.
    pub fn below_root(&self) -> impl Iterator<Item = &str> {
        self.0.components().filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_absolute_paths_are_taken() {
        assert_eq!(HostPath::parse("/a/b").unwrap().as_path(), Path::new("/a/b"));
        assert!(matches!(GuestPath::parse("a"), Err(PathError::NotAbsolute(_))));
        assert!(matches!(GuestPath::parse("/a/../b"), Err(PathError::NotPlain(_))));
        assert!(matches!(GuestPath::parse("/a\0b"), Err(PathError::NotPlain(_))));
    }

    #[test]
    fn deserialising_checks_too() {
        assert!(serde_json::from_str::<GuestPath>("\"/ok\"").is_ok());
        assert!(serde_json::from_str::<GuestPath>("\"not-absolute\"").is_err());
    }
}
