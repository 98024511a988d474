//! What lint has found so far.

use crate::text;
use serde_json::Value;

/// What there is to tell.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The findings, if they are wanted as JSON.
    pub(super) json: Vec<Value>,
    pub(super) findings: usize,
    /// How many findings are more than warnings, so that this call fails.
    pub(super) errors: usize,
    /// How many of them `--fix` would put right.
    pub(super) fixable: usize,
    pub(super) fixed: usize,
    /// How many files of the language were looked at.
    pub(super) files: usize,
    /// How many recipes of trees were looked at.
    pub(super) recipes: usize,
    /// How many sources were asked for.
    pub(super) sources: usize,
}

impl Report {
    /// One line that sums up.
    pub(super) fn summary(&self) -> String {
        let fixed = if self.fixed > 0 { format!("{} put right; ", self.fixed) } else { String::new() };
        let fixable =
            if self.fixable > 0 { format!("; --fix puts {} of them right", self.fixable) } else { String::new() };
        let findings = text::counted(self.findings, "finding");
        let files = text::counted(self.files, "file");
        let seen = match (self.recipes, self.files) {
            _ if self.sources > 0 => text::counted(self.sources, "source"),
            (0, _) => files,
            (recipes, 0) => text::counted(recipes, "recipe"),
            (recipes, _) => format!("{} and {files}", text::counted(recipes, "recipe")),
        };
        let errors = match self.errors {
            errors if self.recipes > 0 && errors > 0 => format!(" ({})", text::counted(errors, "error")),
            _ => String::new(),
        };
        format!("{fixed}{findings}{errors} in {seen}{fixable}\n")
    }
}
