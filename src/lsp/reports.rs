//! What is wrong with a text, as an editor shows it.

use super::documents::{Document, Documents};
use super::position::Lines;
use eval::lint::{Rule, lint};
use eval::{Code, Diagnostic, Severity};
use serde_json::{Value, json};

/// How much is told of one text: nobody reads more.
const MOST: usize = 500;

/// The message that tells of all that is wrong with an open text.
pub(super) fn publish(documents: &Documents, uri: &str, document: &Document) -> Value {
    let file = &document.file;
    let syntax = file.parsed.diagnostics().iter().cloned();
    let findings = lint(&file.parsed, &file.resolution);
    let all = syntax.chain(findings.iter().take(MOST).map(|finding| finding.diagnostic(&file.parsed)));
    let lines = documents.lines(file);
    let shown: Vec<_> = all.map(|diagnostic| as_value(uri, document, &lines, &diagnostic)).collect();
    json!({ "uri": uri, "version": document.version, "diagnostics": shown })
}

fn as_value(uri: &str, document: &Document, lines: &Lines<'_>, diagnostic: &Diagnostic) -> Value {
    let file = &document.file;
    let range = |span| file.parsed.range(span).unwrap_or(0..0);
    let mut message = diagnostic.message.clone();
    for hint in &diagnostic.hints {
        message.push_str(&format!("\n{hint}"));
    }
    let label = |label: &eval::diagnostic::Label| {
        let location = json!({ "uri": uri, "range": lines.range_of(&range(label.span)) });
        json!({ "location": location, "message": label.text })
    };
    let related: Vec<_> = diagnostic.labels.iter().map(label).collect();
    let tags = match diagnostic.code {
        Code::Lint(Rule::UnusedBinding | Rule::UnusedArgument | Rule::UnusedFormal | Rule::UnusedWhole) => vec![1],
        Code::Lint(Rule::UrlLiteral | Rule::LetBody | Rule::DeprecatedBuiltin) => vec![2],
        _ => Vec::new(),
    };
    json!({
        "range": lines.range_of(&range(diagnostic.primary.span)),
        "severity": if diagnostic.severity == Severity::Error { 1 } else { 2 },
        "code": diagnostic.code.number(),
        "source": "larder",
        "message": message,
        "tags": tags,
        "relatedInformation": related,
    })
}
