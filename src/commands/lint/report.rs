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
    /// How many sources were asked for, if any were to be.
    pub(super) sources: Option<usize>,
}

impl Report {
    /// One line that sums up.
    pub(super) fn summary(&self) -> String {
        if self.sources == Some(0) && self.findings == 0 {
            return "there are no sources to ask for\n".to_owned();
        }
        let fixed = if self.fixed > 0 { format!("{} put right; ", self.fixed) } else { String::new() };
        let fixable =
            if self.fixable > 0 { format!("; --fix puts {} of them right", self.fixable) } else { String::new() };
        let findings = text::counted(self.findings, "finding");
        let files = text::counted(self.files, "file");
        let seen = match (self.sources, self.recipes, self.files) {
            (Some(sources), ..) => text::counted(sources, "source"),
            (_, 0, _) => files,
            (_, recipes, 0) => text::counted(recipes, "recipe"),
            (_, recipes, _) => format!("{} and {files}", text::counted(recipes, "recipe")),
        };
        let errors = match self.errors {
            errors if self.recipes > 0 && errors > 0 => format!(" ({})", text::counted(errors, "error")),
            _ => String::new(),
        };
        format!("{fixed}{findings}{errors} in {seen}{fixable}\n")
    }
}
