//! Something that should be otherwise, and where.

use crate::rule::Rule;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// It builds, perhaps, but somebody will wonder.
    Warning,
    /// It cannot be built, or not as it is meant.
    Error,
}

impl Severity {
    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that should be otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// By which rule.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// The file, as the tree names it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong: lower case, no period.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Finding {
    pub(crate) fn new(rule: Rule, file: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { rule, severity: rule.severity(), file: file.into(), line, message: message.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn maybe_hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    pub(crate) fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }
}
