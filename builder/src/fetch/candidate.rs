//! One place that may have the wanted content.

use super::url::Url;
use std::fmt;
use std::path::PathBuf;
use store::shown;

/// A place to fetch from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate {
    /// A server.
    Server(Url),
    /// A file of this machine. Only configuration leads to these.
    File(PathBuf),
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(url) => url.fmt(f),
            Self::File(path) => write!(f, "file://{}", shown(path)),
        }
    }
}
