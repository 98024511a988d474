//! `larder diff`

mod closures;

use crate::CommandResult;
use crate::commands::query::realised;
use crate::context::Context;
use crate::destination::must_take_file;
use crate::error::{CliError, with_causes};
use crate::installable::EvalArgs;
use crate::output;
use crate::realising::BuildArgs;
use repro::render::{TextOptions, html, text};
use repro::{HostTree, Options, Report, compare};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use store::StorePath;
use store::local::LocalStore;
use store::shown;

/// Compare two trees, down into the files, or two closures.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An installable, or a file or directory
    a: OsString,
    /// Another
    b: OsString,
    /// Compare what they need at run time: packages that came, went, changed, grew
    #[arg(long, conflicts_with = "html")]
    closure: bool,
    /// With --closure, show so many files that grew or shrank most
    #[arg(long, value_name = "N", default_value_t = 10, requires = "closure")]
    files: usize,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

/// How a comparison is told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReportArgs {
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl ReportArgs {
    /// Refuses a page that cannot be written, before anything is built and compared for it.
    pub(crate) fn must_be_writable(&self) -> Result<(), CliError> {
        self.html.as_ref().map_or(Ok(()), |file| must_take_file(file))
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    if args.closure {
        return closures::run(context, args);
    }
    args.report.must_be_writable()?;
    let [left, right] = sides(context, args)?;
    let shown = |name: &OsString| name.to_string_lossy().into_owned();
    let options = Options { names: (shown(&args.a), shown(&args.b)), ..Options::default() };
    let report = compare(&left, &right, &options).map_err(|error| CliError::failed(with_causes(&error)))?;
    tell(&report, &args.report)?;
    Ok(if report.identical() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What is compared. What must be built is built before files are read.
fn sides(context: &Context, args: &Args) -> Result<[HostTree; 2], CliError> {
    let words = [&args.a, &args.b].map(|word| (word.as_os_str(), is_plain(context, word)));
    let installables: Vec<_> = words.iter().filter(|(_, plain)| !plain).map(|(word, _)| *word).collect();
    let built =
        if installables.is_empty() { Vec::new() } else { realised(context, &installables, &args.build, &args.eval)? };
    let mut built = built.into_iter();
    let mut side = |(word, plain): (&OsStr, bool)| {
        if plain {
            return HostTree::scan(Path::new(word)).map_err(|error| CliError::failed(with_causes(&error)));
        }
        let (_, trees) = built.next().ok_or_else(|| CliError::internal("an installable that was not built"))?;
        tree(context.store()?, &trees[0])
    };
    Ok([side(words[0])?, side(words[1])?])
}

/// Whether a word names a file or directory outside the store.
fn is_plain(context: &Context, word: &OsStr) -> bool {
    let (path, bytes) = (Path::new(word), word.as_bytes());
    let in_store = || {
        std::fs::canonicalize(path)
            .is_ok_and(|place| context.store().is_ok_and(|store| place.starts_with(store.layout().store())))
    };
    !bytes.contains(&b'#') && !bytes.starts_with(b"/larder/store/") && path.exists() && !in_store()
}

/// A tree of the store, to compare.
pub(crate) fn tree(store: &LocalStore, path: &StorePath) -> Result<HostTree, CliError> {
    let listing = store.listing(&path.tree().ok_or_else(|| CliError::usage(format!("{path} is a derivation")))?)?;
    Ok(HostTree::from_listing(&store.host_path(path), listing))
}

/// Prints a report as asked for.
fn tell(report: &Report, args: &ReportArgs) -> Result<(), CliError> {
    write_html(report, args, 1)?;
    if args.json { output::json("diff/1", as_json(report)?) } else { print(report) }
}

/// Writes the page that was asked for; the second and later ones of a command get a number.
pub(crate) fn write_html(report: &Report, args: &ReportArgs, number: usize) -> Result<(), CliError> {
    let Some(file) = &args.html else { return Ok(()) };
    let mut place = file.clone();
    if number > 1 {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let extension = file.extension().map(|text| format!(".{}", text.to_string_lossy())).unwrap_or_default();
        place.set_file_name(format!("{stem}-{number}{extension}"));
    }
    std::fs::write(&place, html(report))
        .map_err(|error| CliError::failed(format!("cannot write {}: {error}", shown(&place))))
}

/// A report as a JSON value.
pub(crate) fn as_json(report: &Report) -> Result<serde_json::Value, CliError> {
    let bug = |error: serde_json::Error| CliError::internal(error.to_string());
    serde_json::from_str(&report.to_json().map_err(bug)?).map_err(bug)
}

/// Prints a report for people.
pub(crate) fn print(report: &Report) -> Result<(), CliError> {
    let colour = output::stdout_colours();
    output::write(text(report, TextOptions { colour, ..TextOptions::default() }).as_bytes())
}
