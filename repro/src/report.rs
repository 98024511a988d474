//! What a comparison found, as a value. Its JSON form is stable within one [`SCHEMA`] version.

use crate::reading::{Cause, Reading};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the JSON form; it changes when the meaning of a field changes or a field goes.
pub const SCHEMA: u32 = 1;

/// All differences between two trees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`] of the version that made this.
    pub schema: u32,
    /// The first tree.
    pub left: Side,
    /// The second tree.
    pub right: Side,
    /// Differences, sorted by path; empty exactly when the trees are identical.
    pub differences: Vec<Difference>,
}

/// One of the two trees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What to call it.
    pub name: String,
    /// Its digest.
    pub digest: store::TreeDigest,
}

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The path in the tree, printable; empty for the root. The left path of a rename.
    pub path: String,
    /// In what it differs.
    #[serde(flatten)]
    pub kind: DifferenceKind,
    /// What the difference tells about its cause, strongest evidence first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// Why this is only a consequence of other differences, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
}

/// In what a path differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// Only the right tree has it.
    Added {
        /// What it is there.
        what: NodeKind,
    },
    /// Only the left tree has it.
    Removed {
        /// What it was there.
        what: NodeKind,
    },
    /// The same file under another path.
    Renamed {
        /// The right path.
        to: String,
    },
    /// It is a file in one tree and a link or directory in the other.
    Type {
        /// In the left tree.
        left: NodeKind,
        /// In the right tree.
        right: NodeKind,
    },
    /// The executable bit differs.
    Executable {
        /// Whether it is set in the left tree.
        left: bool,
        /// Whether it is set in the right tree.
        right: bool,
    },
    /// A symbolic link has another target.
    Target {
        /// The target in the left tree.
        left: String,
        /// The target in the right tree.
        right: String,
    },
    /// The content of a file differs.
    Content {
        /// Bytes in the left tree.
        left_size: u64,
        /// Bytes in the right tree.
        right_size: u64,
        /// What differs in it.
        changes: Vec<Change>,
    },
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A directory, with all that is in it.
    Directory,
}

/// One thing that differs in the content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where in the file: a header field, a section, a member; empty for the file as a whole.
    pub place: String,
    /// What differs.
    #[serde(flatten)]
    pub detail: Detail,
    /// What it tells about its cause, strongest evidence first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// Why this is only a consequence of other changes, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
}

/// What differs at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "detail", rename_all = "kebab-case")]
pub enum Detail {
    /// A value.
    Field {
        /// On the left.
        left: String,
        /// On the right.
        right: String,
    },
    /// Only the right has it.
    Added {
        /// Bytes.
        size: u64,
    },
    /// Only the left has it.
    Removed {
        /// Bytes.
        size: u64,
    },
    /// The same parts in another order.
    Reordered {
        /// How many parts.
        parts: u64,
    },
    /// Lines of text.
    Text {
        /// A unified diff, perhaps cut.
        diff: String,
        /// Whether it was cut.
        cut: bool,
    },
    /// Strings: those that only one side has.
    Strings {
        /// Only on the left.
        left: Vec<String>,
        /// Only on the right.
        right: Vec<String>,
        /// How many more there are.
        omitted: u64,
    },
    /// Symbols whose code or data differs.
    Symbols {
        /// On both sides, with other content.
        changed: Vec<String>,
        /// Only on the left.
        removed: Vec<String>,
        /// Only on the right.
        added: Vec<String>,
        /// How many more there are.
        omitted: u64,
    },
    /// Bytes without known meaning.
    Bytes {
        /// Bytes on the left.
        left_size: u64,
        /// Bytes on the right.
        right_size: u64,
        /// Where the first difference is.
        offset: u64,
        /// How many bytes differ, where both sides have as many.
        differing: Option<u64>,
        /// Some bytes of the left from shortly before the first difference.
        left: String,
        /// The same of the right.
        right: String,
    },
    /// Something that contains other things.
    Inside {
        /// The format of what contains them.
        format: String,
        /// What differs in it.
        changes: Vec<Change>,
    },
    /// Something to know about the comparison itself.
    Note {
        /// What.
        text: String,
    },
}

impl Report {
    /// Whether there is no difference at all.
    #[must_use]
    pub fn identical(&self) -> bool {
        self.left.digest == self.right.digest
    }

    /// How many differing paths have a reading of each cause; what only follows from something else does not count.
    #[must_use]
    pub fn causes(&self) -> BTreeMap<Cause, u64> {
        let mut counts = BTreeMap::new();
        for difference in self.differences.iter().filter(|difference| difference.follows.is_none()) {
            let mut causes: Vec<Cause> = difference.readings.iter().map(|reading| reading.cause).collect();
            causes.sort_unstable();
            causes.dedup();
            causes.into_iter().for_each(|cause| *counts.entry(cause).or_default() += 1);
        }
        counts
    }

    /// The JSON form.
    ///
    /// # Errors
    /// Never in practice: all keys are texts.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// Reads the JSON form back.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

impl Change {
    /// A change without readings.
    pub(crate) fn new(place: impl Into<String>, detail: Detail) -> Self {
        Self { place: place.into(), detail, readings: Vec::new(), follows: None }
    }

    /// The same with readings.
    pub(crate) fn read(mut self, readings: Vec<Reading>) -> Self {
        self.readings = readings;
        self
    }

    /// The same, as a consequence of something else.
    pub(crate) fn following(mut self, why: &str) -> Self {
        self.follows = Some(why.to_owned());
        self
    }

    /// A note.
    pub(crate) fn note(text: impl Into<String>) -> Self {
        Self::new("", Detail::Note { text: text.into() })
    }

    /// Readings of this and all that is inside, unless it only follows from something else.
    pub(crate) fn all_readings(&self, found: &mut Vec<Reading>) {
        if self.follows.is_some() {
            return;
        }
        found.extend(self.readings.iter().cloned());
        if let Detail::Inside { changes, .. } = &self.detail {
            changes.iter().for_each(|change| change.all_readings(found));
        }
    }
}
