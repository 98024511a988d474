//! `larder lint`

mod inputs;
mod language;
mod report;
mod sources;
mod tree;

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
use store::StorePath;

/// Find what should be otherwise: in files of the language, in trees of package.yml and build.sh, or in the inputs of builds.
///
/// Of what is built (`PATH#ATTR`, a store path) it tells, after `larder build --trace-inputs`, which inputs were never used and which
/// package in the store has what was looked for in vain.
///
/// `larder help L0001` explains a finding. A comment `# larder-lint: allow(L0001)` allows it on its line or the next one,
/// `# larder-lint: allow-file(L0001)` in the file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, directories with them or with a tree of recipes (or a tier or recipe of one), or `-`: standard input; or installables
    #[arg(value_name = "PATH|-|INSTALLABLE", default_value = ".")]
    subjects: Vec<OsString>,
    /// Ask whether the sources of trees of recipes, or of what is built (PATH#ATTR), can be had, and nothing else
    #[arg(long, conflicts_with = "fix")]
    sources: bool,
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
    /// What a word of the command line means. A path that exists is that path, unless it is a `result` link.
    fn of(word: &OsStr) -> Self {
        let bytes = word.as_bytes();
        let digest = bytes.len() >= 8 && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        if word == "-" {
            Self::StandardInput
        } else if leads_into_a_store(Path::new(word)) {
            Self::Build(word.to_owned())
        } else if Path::new(word).exists() {
            Self::Path(word.into())
        } else if bytes.contains(&b'#') || digest || Path::new(word).starts_with(store::STORE_DIR) {
            Self::Build(word.to_owned())
        } else {
            Self::Path(word.into())
        }
    }

    fn build(&self) -> Option<OsString> {
        if let Self::Build(word) = self { Some(word.clone()) } else { None }
    }
}

fn leads_into_a_store(link: &Path) -> bool {
    let target = std::fs::read_link(link).unwrap_or_default();
    let name = target.file_name().and_then(OsStr::to_str);
    name.is_some_and(|name| StorePath::parse_base_name(name).is_ok())
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    known(&args.allow)?;
    let subjects: Vec<Subject> = args.subjects.iter().map(|word| Subject::of(word)).collect();
    if subjects.len() > 1 && subjects.contains(&Subject::StandardInput) {
        return Err(CliError::usage("`-` stands alone"));
    }
    let mut report = Report::default();
    if args.sources {
        sources::lint_sources(context, &subjects, args, &mut report)?;
    } else {
        let builds: Vec<_> = subjects.iter().filter_map(Subject::build).collect();
        if !builds.is_empty() {
            return lint_builds(context, args, &builds);
        }
        lint_files(subjects, args, &mut report)?;
    }
    if args.json {
        output::json("lint/1", json!({ "findings": report.json, "fixed": report.fixed }))?;
    } else if !context.quiet {
        output::error(&report.summary());
    }
    Ok(if report.errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn lint_files(subjects: Vec<Subject>, args: &Args, report: &mut Report) -> Result<(), CliError> {
    let mut paths = Vec::new();
    for subject in subjects {
        match subject {
            Subject::StandardInput => language::lint_standard_input(args, report)?,
            Subject::Path(path) => {
                if path.is_dir()
                    && let Some(part) = crate::recipe_tree::tree_at(&path)?
                {
                    tree::lint_tree(&part, args, report)?;
                }
                paths.push(path);
            }
            Subject::Build(_) => {}
        }
    }
    language::lint_files(&paths, args, report)
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
    let of_trees = |code: &str| foreign::Rule::ALL.iter().any(|rule| rule.number().eq_ignore_ascii_case(code));
    match codes.iter().find(|code| !language::is_rule(code) && !of_trees(code)) {
        None => Ok(()),
        Some(code) => {
            Err(CliError::usage(format!("there is no rule `{code}`")).hint("`larder help lint-rules` lists them"))
        }
    }
}
