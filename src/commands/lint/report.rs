//! What lint has found so far.

use crate::text;
use serde_json::Value;

/// What there is to tell.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The findings, if they are wanted as JSON.
    pub(super) json: Vec<Value>,
    pub(super) findings: usize,
    /// How many of them `--fix` would put right.
    pub(super) fixable: usize,
    pub(super) fixed: usize,
    /// How many files were looked at.
    pub(super) files: usize,
}

impl Report {
    /// One line that sums up.
    pub(super) fn summary(&self) -> String {
        let fixed = if self.fixed > 0 { format!("{} put right; ", self.fixed) } else { String::new() };
        let fixable =
            if self.fixable > 0 { format!("; --fix puts {} of them right", self.fixable) } else { String::new() };
        let (findings, files) = (text::counted(self.findings, "finding"), text::counted(self.files, "file"));
        format!("{fixed}{findings} in {files}{fixable}\n")
    }
}
