//! `larder lint`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::reading;
use crate::rewrite;
use crate::text;
use eval::analysis::Resolution;
use eval::lint::{Finding, fix, lint};
use eval::syntax::{ParseOptions, Parsed, parse_named};
use eval::{Diagnostic, RenderOptions, Severity, Span, render};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Find what should be otherwise in files of the language.
///
/// `larder help L0001` explains a finding. A comment `# larder-lint: allow(L0001)` allows it on its line or the next one,
/// `# larder-lint: allow-file(L0001)` in the file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, directories with them, or `-`: standard input
    #[arg(value_name = "PATH|-", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Put right what can be put right without changing a value
    #[arg(long)]
    fix: bool,
    /// Leave out what these rules find
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    allow: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What there is to tell.
#[derive(Debug, Default)]
struct Report {
    json: Vec<Value>,
    findings: usize,
    /// How many of them `--fix` would put right.
    fixable: usize,
    fixed: usize,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    known(&args.allow)?;
    let mut report = Report::default();
    let files = if args.paths.iter().any(|path| path.as_os_str() == "-") {
        report.text("<stdin>", &standard_input(args)?, args)?;
        1
    } else {
        let files = rewrite::nix_files(&args.paths)?;
        files.iter().try_for_each(|file| report.file(file, args))?;
        files.len()
    };
    if args.json {
        output::json("lint/1", json!({ "findings": report.json, "fixed": report.fixed }))?;
    } else if !context.quiet {
        output::error(&report.summary(files));
    }
    Ok(if report.findings == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn standard_input(args: &Args) -> Result<Vec<u8>, CliError> {
    if args.paths.len() > 1 {
        return Err(CliError::usage("`-` stands alone"));
    }
    if args.fix {
        return Err(CliError::usage("`--fix` writes files, and `-` is none").hint("name the file"));
    }
    reading::standard_input()
}

fn known(codes: &[String]) -> Result<(), CliError> {
    let known = |code: &str| eval::lint::Rule::ALL.iter().any(|rule| rule.number().eq_ignore_ascii_case(code));
    match codes.iter().find(|code| !known(code)) {
        None => Ok(()),
        Some(code) => {
            Err(CliError::usage(format!("there is no rule `{code}`")).hint("`larder help lint-rules` lists them"))
        }
    }
}

impl Report {
    fn file(&mut self, path: &Path, args: &Args) -> Result<(), CliError> {
        let mut text = rewrite::read(path)?;
        if args.fix {
            let (fixed, count) = fix(&text, ParseOptions::default());
            if count > 0 {
                rewrite::replace(path, &fixed)?;
                (text, self.fixed) = (fixed, self.fixed + count);
            }
        }
        let name = path.display().to_string();
        self.text(name.strip_prefix("./").unwrap_or(&name), &text, args)
    }

    /// Tells what is found in a text that is shown under a name.
    fn text(&mut self, name: &str, text: &[u8], args: &Args) -> Result<(), CliError> {
        let parsed = parse_named(name, text, ParseOptions::default());
        for diagnostic in parsed.diagnostics() {
            self.tell(name, &parsed, diagnostic, false, args)?;
        }
        let allowed =
            |finding: &Finding| args.allow.iter().any(|code| code.eq_ignore_ascii_case(finding.code.number()));
        for finding in lint(&parsed, &Resolution::of(parsed.tree())).iter().filter(|finding| !allowed(finding)) {
            let fixable = finding.fix.as_ref().is_some_and(|fix| fix.safe);
            self.tell(name, &parsed, &finding.diagnostic(&parsed), fixable, args)?;
        }
        Ok(())
    }

    fn tell(
        &mut self,
        name: &str,
        parsed: &Parsed,
        diagnostic: &Diagnostic,
        fixable: bool,
        args: &Args,
    ) -> Result<(), CliError> {
        self.findings += 1;
        self.fixable += usize::from(fixable);
        if args.json {
            self.json.push(as_json(name, parsed, diagnostic, fixable));
            return Ok(());
        }
        let options = RenderOptions { colour: output::stdout_colours(), ..RenderOptions::default() };
        output::line(render(diagnostic, parsed.sources(), options))
    }

    fn summary(&self, files: usize) -> String {
        let fixed = if self.fixed > 0 { format!("{} put right; ", self.fixed) } else { String::new() };
        let fixable =
            if self.fixable > 0 { format!("; --fix puts {} of them right", self.fixable) } else { String::new() };
        let (findings, files) = (text::counted(self.findings, "finding"), text::counted(files, "file"));
        format!("{fixed}{findings} in {files}{fixable}\n")
    }
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
