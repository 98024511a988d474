//! `larder lint`

mod inputs;
mod language;
mod report;

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::EvalArgs;
use crate::output;
use report::Report;
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Find what should be otherwise in files of the language, or in the inputs of builds.
///
/// Of what is built (`PATH#ATTR`, a store path) it tells, after `larder build --trace-inputs`, which inputs were never used and which
/// package in the store has what was looked for in vain.
///
/// `larder help L0001` explains a finding. A comment `# larder-lint: allow(L0001)` allows it on its line or the next one,
/// `# larder-lint: allow-file(L0001)` in the file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, directories with them, or `-`: standard input; or installables
    #[arg(value_name = "PATH|-|INSTALLABLE", default_value = ".")]
    subjects: Vec<OsString>,
    /// Put right what can be put right without changing a value
    #[arg(long)]
    fix: bool,
    /// Leave out what these rules find
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    allow: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    eval: EvalArgs,
}

impl Args {
    /// Whether findings of this rule are left out.
    fn allows(&self, code: &str) -> bool {
        self.allow.iter().any(|allowed| allowed.eq_ignore_ascii_case(code))
    }
}

/// Something to be linted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    StandardInput,
    /// A file or directory.
    Path(PathBuf),
    /// What is built: `PATH#ATTR`, a store path or a digest.
    Build(OsString),
}

impl Subject {
    /// What a word of the command line means. A path that exists is that path.
    fn of(word: &OsStr) -> Self {
        let bytes = word.as_bytes();
        let digest = bytes.len() >= 8 && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        if word == "-" {
            Self::StandardInput
        } else if Path::new(word).exists() {
            Self::Path(word.into())
        } else if bytes.contains(&b'#') || digest || Path::new(word).starts_with(store::STORE_DIR) {
            Self::Build(word.to_owned())
        } else {
            Self::Path(word.into())
        }
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    known(&args.allow)?;
    let subjects: Vec<Subject> = args.subjects.iter().map(|word| Subject::of(word)).collect();
    if subjects.len() > 1 && subjects.contains(&Subject::StandardInput) {
        return Err(CliError::usage("`-` stands alone"));
    }
    let mut report = Report::default();
    let (mut paths, mut builds) = (Vec::new(), Vec::new());
    for subject in subjects {
        match subject {
            Subject::StandardInput => language::lint_standard_input(args, &mut report)?,
            Subject::Path(path) => paths.push(path),
            Subject::Build(word) => builds.push(word),
        }
    }
    if !builds.is_empty() {
        return lint_builds(context, args, &builds);
    }
    language::lint_files(&paths, args, &mut report)?;
    if args.json {
        output::json("lint/1", json!({ "findings": report.json, "fixed": report.fixed }))?;
    } else if !context.quiet {
        output::error(&report.summary());
    }
    Ok(if report.findings == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn lint_builds(context: &Context, args: &Args, builds: &[OsString]) -> CommandResult {
    if builds.len() < args.subjects.len() || args.fix || !args.allow.is_empty() {
        let error = CliError::usage("files and builds are linted separately, and `--fix` and `--allow` are for files");
        return Err(error.hint("`larder lint DIR` is for files, `larder lint DIR#ATTR` for what was built"));
    }
    let findings = inputs::lint_builds(context, builds, &args.eval, args.json)?;
    Ok(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn known(codes: &[String]) -> Result<(), CliError> {
    match codes.iter().find(|code| !language::is_rule(code)) {
        None => Ok(()),
        Some(code) => {
            Err(CliError::usage(format!("there is no rule `{code}`")).hint("`larder help lint-rules` lists them"))
        }
    }
}
