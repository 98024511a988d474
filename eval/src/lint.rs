//! Lint: what is allowed in a text and should not stand there. Rules by topic; each finding says what to do, and many
//! know the edit that does it.
//!
//! Invariants: a fix that is [`Fix::safe`] changes neither the value of any text nor a comment; fixes of all findings of
//! a text, applied until there are none left, end.

mod allow;
mod bindings;
mod deprecated;
mod edit;
mod names;
mod parts;
mod redundant;
mod rule;

pub use edit::{Edit, Fix, apply, fix};
pub use rule::Rule;

use crate::analysis::{Resolution, Target};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::near::did_you_mean;
use crate::syntax::Parsed;
use crate::syntax::tree::{Element, Tree};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Something that should be otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule, or which error.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where: offsets in the text.
    pub range: Range<usize>,
    /// What is there.
    pub label: String,
    /// Another place that matters, with what is there.
    pub also: Option<(Range<usize>, String)>,
    /// What to do.
    pub hint: Option<String>,
    /// The edit that does it.
    pub fix: Option<Fix>,
}

impl Finding {
    fn new(rule: Rule, range: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code: Code::Lint(rule),
            severity: Severity::Warning,
            message: message.into(),
            range,
            label: String::new(),
            also: None,
            hint: None,
            fix: None,
        }
    }

    fn label(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    fn also(mut self, range: Range<usize>, text: impl Into<String>) -> Self {
        self.also = Some((range, text.into()));
        self
    }

    fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }

    fn fix(mut self, fix: Option<Fix>) -> Self {
        self.fix = fix;
        self
    }

    /// As a diagnostic of the text in which it was found.
    #[must_use]
    pub fn diagnostic(&self, parsed: &Parsed) -> Diagnostic {
        let span = |range: &Range<usize>| parsed.span(range.clone());
        let mut diagnostic = *Diagnostic::new(self.code, span(&self.range), self.message.clone()).label(&*self.label);
        diagnostic.severity = self.severity;
        if let Some((range, text)) = &self.also {
            diagnostic = *Box::new(diagnostic).also(span(range), text.clone());
        }
        diagnostic.hints.extend(self.hint.clone());
        diagnostic
    }
}

/// A text with what is known of it, and the findings so far.
struct Linter<'t> {
    tree: &'t Tree,
    resolution: &'t Resolution,
    parts: parts::Parts,
    findings: Vec<Finding>,
}

impl<'t> Linter<'t> {
    fn report(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn element(&self, number: usize) -> Element<'t> {
        self.tree.nth(number)
    }

    /// Whether a variable is the builtin of a name.
    fn is_builtin(&self, variable: Element<'_>, name: &str) -> bool {
        let found = self.resolution.use_at(variable.range().start);
        found.is_some_and(|found| found.element == variable.number() && found.target == Target::Builtin(known(name)))
    }
}

fn known(name: &str) -> &'static str {
    crate::builtins::global(name).unwrap_or_default()
}

/// Finds what should be otherwise in a text that follows the grammar, in the order of the text. What comments in the
/// text allow is left out. Of a text with syntax errors there is nothing to say: those come first.
#[must_use]
pub fn lint(parsed: &Parsed, resolution: &Resolution) -> Vec<Finding> {
    if !parsed.diagnostics().is_empty() {
        return Vec::new();
    }
    let parts = parts::Parts::of(parsed.tree());
    let mut linter = Linter { tree: parsed.tree(), resolution, parts, findings: Vec::new() };
    names::check(&mut linter);
    for element in parsed.tree().root().descendants() {
        bindings::check(&mut linter, element);
        deprecated::check(&mut linter, element);
        redundant::check(&mut linter, element);
    }
    let mut findings = undefined(resolution);
    findings.append(&mut linter.findings);
    findings.retain(allow::Allowed::of(parsed.tree()).filter());
    findings.sort_by_key(|finding| (finding.range.start, finding.range.end));
    findings
}

/// How many missing names are compared with those that are known.
const MAX_HINTS: usize = 100;

/// Variables that nothing defines: evaluating the text fails, wherever they stand.
#[must_use]
pub fn undefined(resolution: &Resolution) -> Vec<Finding> {
    // A name that is missing is often missing many times.
    let mut hints: FxHashMap<(&str, usize), Option<String>> = FxHashMap::default();
    let mut findings = Vec::new();
    for found in resolution.uses().iter().filter(|found| found.target == Target::Undefined) {
        let (name, scope) = (found.name.as_str(), found.scope);
        let (few, known) = (hints.len() < MAX_HINTS, hints.entry((name, scope)));
        let hint = known.or_insert_with(|| few.then(|| near(resolution, name, scope)).flatten()).clone();
        let (code, severity) = (Code::UndefinedVariable, Severity::Error);
        let message = format!("undefined variable `{name}`");
        let finding = Finding::new(Rule::UnusedBinding, found.range.clone(), message).label("not defined here");
        findings.push(Finding { code, severity, hint, ..finding });
    }
    findings
}

/// What may be meant by a name that is not defined.
fn near(resolution: &Resolution, name: &str, scope: usize) -> Option<String> {
    if crate::builtins::member_names().any(|member| member == name) {
        return Some(format!("write `builtins.{name}`"));
    }
    let mut known: Vec<&[u8]> = crate::builtins::global_names().map(str::as_bytes).collect::<Vec<_>>();
    for definition in resolution.visible(scope) {
        known.push(resolution.definitions()[definition].name.as_bytes());
    }
    did_you_mean(name.as_bytes(), known.into_iter())
}
