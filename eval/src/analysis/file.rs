//! Texts with all that is known of them, and where others are found.

use super::Resolution;
use crate::syntax::tree::Element;
use crate::syntax::{ParseOptions, Parsed, parse_named};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text with its tree and the meaning of its names.
#[derive(Debug)]
pub struct File {
    /// Where it lies; relative paths in it are relative to the directory of this.
    pub path: PathBuf,
    /// Its tree.
    pub parsed: Parsed,
    /// The meaning of its names.
    pub resolution: Resolution,
}

impl File {
    /// Analyses a text.
    #[must_use]
    pub fn new(path: PathBuf, text: &[u8]) -> Self {
        let parsed = parse_named(&path.display().to_string(), text, ParseOptions::default());
        let resolution = Resolution::of(parsed.tree());
        Self { path, parsed, resolution }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.parsed.tree().text()
    }

    /// The element with a number.
    #[must_use]
    pub fn element(&self, number: usize) -> Element<'_> {
        self.parsed.tree().nth(number)
    }

    /// The absolute path that a path in this text means; `None` when it is computed, or lies in a home directory.
    #[must_use]
    pub fn path_of(&self, element: Element<'_>) -> Option<PathBuf> {
        let text = element.text();
        if text.contains(&b'$') || text.starts_with(b"~") || element.kind() != crate::syntax::Kind::Path {
            return None;
        }
        let directory = crate::paths::dir_name(crate::paths::to_bytes(&self.path));
        Some(crate::paths::from_bytes(&crate::paths::absolute(text, directory)).to_owned())
    }
}

/// Where the text of other files comes from: those that are open as they are edited, others as they are on the disk.
pub trait Files {
    /// The file that importing a path reads; `None` when there is none.
    fn file(&self, path: &Path) -> Option<Arc<File>>;
}
