//! `larder lint` of files of the language: what each of them says by itself.

use super::Args;
use super::report::Report;
use crate::error::CliError;
use crate::output;
use crate::reading;
use crate::rewrite;
use eval::analysis::Resolution;
use eval::lint::{Finding, fix, lint};
use eval::syntax::{ParseOptions, Parsed, parse_named};
use eval::{Diagnostic, RenderOptions, Severity, Span, render};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Lints files, and those in directories.
pub(super) fn lint_files(paths: &[PathBuf], args: &Args, report: &mut Report) -> Result<(), CliError> {
    let files = rewrite::nix_files(paths)?;
    report.files += files.len();
    files.iter().try_for_each(|file| lint_file(file, args, report))
}

/// Lints what is on standard input.
pub(super) fn lint_standard_input(args: &Args, report: &mut Report) -> Result<(), CliError> {
    if args.fix {
        return Err(CliError::usage("`--fix` writes files, and `-` is none").hint("name the file"));
    }
    report.files += 1;
    lint_text("<stdin>", &reading::standard_input()?, args, report)
}

/// Whether all of these codes are rules of the language's.
pub(super) fn is_rule(code: &str) -> bool {
    eval::lint::Rule::ALL.iter().any(|rule| rule.number().eq_ignore_ascii_case(code))
}

fn lint_file(path: &Path, args: &Args, report: &mut Report) -> Result<(), CliError> {
    let mut text = rewrite::read(path)?;
    if args.fix {
        let (fixed, count) = fix(&text, ParseOptions::default());
        if count > 0 {
            rewrite::replace(path, &fixed)?;
            (text, report.fixed) = (fixed, report.fixed + count);
        }
    }
    let name = path.display().to_string();
    lint_text(name.strip_prefix("./").unwrap_or(&name), &text, args, report)
}

/// Tells what is found in a text that is shown under a name.
fn lint_text(name: &str, text: &[u8], args: &Args, report: &mut Report) -> Result<(), CliError> {
    let parsed = parse_named(name, text, ParseOptions::default());
    for diagnostic in parsed.diagnostics() {
        tell(name, &parsed, diagnostic, false, args, report)?;
    }
    let told = |finding: &&Finding| !args.allows(finding.code.number());
    for finding in lint(&parsed, &Resolution::of(parsed.tree())).iter().filter(told) {
        let fixable = finding.fix.as_ref().is_some_and(|fix| fix.safe);
        tell(name, &parsed, &finding.diagnostic(&parsed), fixable, args, report)?;
    }
    Ok(())
}

fn tell(
    name: &str,
    parsed: &Parsed,
    diagnostic: &Diagnostic,
    fixable: bool,
    args: &Args,
    report: &mut Report,
) -> Result<(), CliError> {
    report.findings += 1;
    report.fixable += usize::from(fixable);
    if args.json {
        report.json.push(as_json(name, parsed, diagnostic, fixable));
        return Ok(());
    }
    let options = RenderOptions { colour: output::stdout_colours(), ..RenderOptions::default() };
    output::line(render(diagnostic, parsed.sources(), options))
}

fn as_json(name: &str, parsed: &Parsed, diagnostic: &Diagnostic, fixable: bool) -> Value {
    let mut value = json!({
        "file": name,
        "code": diagnostic.code.number(),
        "severity": if diagnostic.severity == Severity::Error { "error" } else { "warning" },
        "message": diagnostic.message,
        "hints": diagnostic.hints,
        "fixable": fixable,
    });
    if let Some([start, end]) = places(parsed, diagnostic.primary.span) {
        value["start"] = start;
        value["end"] = end;
    }
    value
}

/// Line and column, from 1, of the beginning and the end; columns count bytes.
fn places(parsed: &Parsed, span: Span) -> Option<[Value; 2]> {
    let source = parsed.sources().find(span.start)?;
    Some([span.start, span.end].map(|pos| {
        let place = source.line_column(pos);
        json!({ "line": place.line, "column": place.column })
    }))
}
