//! `larder fmt`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::reading;
use crate::rewrite;
use eval::{RenderOptions, render};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use store::shown;

/// Format Nix files in the official style.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, directories (their `.nix` files, in hidden directories none), or `-`: standard input to standard output
    #[arg(value_name = "PATH|-", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Write nothing; exit with 1 if something would change
    #[arg(long)]
    check: bool,
    /// Write nothing; print what would change
    #[arg(long)]
    diff: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What formatting a file came to.
enum Outcome {
    Unchanged,
    /// It changes; with the lines that do, if they are asked for.
    Changed(Option<String>),
    /// Diagnostics of a text with syntax errors, laid out.
    Wrong(String),
    /// It cannot be read or written.
    Failed(CliError),
}

pub(crate) fn run(_: &Context, args: &Args) -> CommandResult {
    if args.paths.iter().any(|path| path.as_os_str() == "-") {
        return standard_input(args);
    }
    let files = rewrite::nix_files(&args.paths)?;
    let outcomes = format_all(&files, args);
    tell(&files, &outcomes, args)
}

fn standard_input(args: &Args) -> CommandResult {
    if args.paths.len() > 1 {
        return Err(CliError::usage("`-` stands alone"));
    }
    let text = reading::standard_input()?;
    let formatted = formatted("<stdin>", &text).map_err(CliError::evaluation)?;
    if args.diff {
        output::write(changes("<stdin>", &text, &formatted).as_bytes())?;
    } else if !args.check {
        output::write(&formatted)?;
    }
    Ok(if args.check && formatted != text { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Formats all files, as many at once as there are processors.
fn format_all(files: &[PathBuf], args: &Args) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(files.len()));
    let work = || {
        while let Some((index, file)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            files.get(index).map(|file| (index, file))
        } {
            let outcome = format_file(file, args).unwrap_or_else(Outcome::Failed);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

fn format_file(file: &Path, args: &Args) -> Result<Outcome, CliError> {
    let text = rewrite::read(file)?;
    let name = file.display().to_string();
    let formatted = match formatted(&name, &text) {
        Ok(formatted) => formatted,
        Err(wrong) => return Ok(Outcome::Wrong(wrong)),
    };
    if formatted == text {
        return Ok(Outcome::Unchanged);
    }
    if !args.check && !args.diff {
        rewrite::replace(file, &formatted)?;
    }
    Ok(Outcome::Changed(args.diff.then(|| changes(&name, &text, &formatted))))
}

/// The formatted text, or what is wrong with it, laid out.
fn formatted(name: &str, text: &[u8]) -> Result<Vec<u8>, String> {
    eval::format::format(name, text).map_err(|parsed| {
        let options = RenderOptions { colour: output::colours(), ..RenderOptions::default() };
        let shown = parsed.diagnostics().iter().map(|diagnostic| render(diagnostic, parsed.sources(), options));
        shown.collect::<Vec<_>>().join("\n")
    })
}

/// The lines that change, as `diff -u` shows them.
fn changes(name: &str, before: &[u8], after: &[u8]) -> String {
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let diff = similar::TextDiff::from_lines(before.as_ref(), after.as_ref());
    let name = shown(&name);
    diff.unified_diff().context_radius(3).header(&name.to_string(), &format!("{name} (formatted)")).to_string()
}

fn tell(files: &[PathBuf], outcomes: &[Outcome], args: &Args) -> CommandResult {
    let changed = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Changed(_))).count();
    if args.json {
        output::json("fmt/1", as_json(files, outcomes))?;
    }
    for (file, outcome) in files.iter().zip(outcomes) {
        match outcome {
            Outcome::Changed(Some(lines)) if !args.json => output::write(lines.as_bytes())?,
            Outcome::Changed(None) if args.check && !args.json => output::line(shown(&file))?,
            _ => {}
        }
    }
    let wrong: Vec<_> = outcomes.iter().filter_map(Outcome::wrong).collect();
    if !wrong.is_empty() {
        return Err(CliError::evaluation(wrong.join("\n")));
    }
    let failed: Vec<_> = outcomes.iter().filter_map(Outcome::failed).collect();
    if let Some(first) = failed.first() {
        let others = if failed.len() > 1 { format!(" (and {} more)", failed.len() - 1) } else { String::new() };
        return Err(CliError::failed(format!("{first}{others}")));
    }
    Ok(if args.check && changed > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn as_json(files: &[PathBuf], outcomes: &[Outcome]) -> serde_json::Value {
    let one = |(file, outcome): (&PathBuf, &Outcome)| {
        let (status, message) = match outcome {
            Outcome::Unchanged => ("unchanged", None),
            Outcome::Changed(lines) => ("changed", lines.as_deref()),
            Outcome::Wrong(message) => ("wrong", Some(message.as_str())),
            Outcome::Failed(error) => ("failed", Some(error.message())),
        };
        json!({ "file": file.display().to_string(), "status": status, "message": message })
    };
    json!({ "files": files.iter().zip(outcomes).map(one).collect::<Vec<_>>() })
}

impl Outcome {
    fn wrong(&self) -> Option<&str> {
        match self {
            Self::Wrong(message) => Some(message),
            _ => None,
        }
    }

    fn failed(&self) -> Option<&str> {
        match self {
            Self::Failed(error) => Some(error.message()),
            _ => None,
        }
    }
}
