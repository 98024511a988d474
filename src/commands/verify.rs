//! `larder verify`

use crate::CommandResult;
use crate::context::Context;
use crate::error::{CliError, with_causes};
use crate::installable::{EvalArgs, Target, resolve};
use crate::meter::{Meter, Unit};
use crate::output;
use crate::progress::draws;
use crate::realising::{BuildArgs, realise};
use crate::text;
use builder::RunOptions;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use store::local::{IoError, LocalStore, OpenOptions, Problem, RepairOptions, Repaired, VerifyOptions, VerifyProgress};
use store::{StorePath, shown};

/// Check that the store is what its names say.
///
/// What fails is put in quarantine, so that it is never handed out. Exit code 1 if something is wrong and was not repaired.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which paths [default: everything, with objects and records]
    #[arg(value_name = "STOREPATH")]
    paths: Vec<OsString>,
    /// Read and hash every file
    #[arg(long)]
    contents: bool,
    /// Read and hash every file, and restore what is wrong: from other copies, or by building it again
    #[arg(long)]
    repair: bool,
    /// Another store that lost files may be taken from
    #[arg(long, value_name = "DIR", requires = "repair")]
    from: Option<PathBuf>,
    /// Read at most so many bytes a second: 500K, 20M
    #[arg(long, value_name = "BYTES", value_parser = text::parse_rate)]
    max_rate: Option<NonZeroU64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    build: BuildArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let store = context.store()?;
    let paths = chosen(context, &args.paths)?;
    let chosen = (!paths.is_empty()).then_some(paths.as_slice());
    let contents = args.contents || args.repair;
    let other = args.from.as_ref().map(|place| open_other(place)).transpose()?;
    let estimate = draws(context.quiet);
    let options = VerifyOptions { paths: chosen, contents, max_rate: args.max_rate, estimate };
    let progress = Arc::new(VerifyProgress::default());
    let shown = Arc::clone(&progress);
    let meter = Meter::start(context.quiet || !contents, "verifying", Unit::Bytes, move || shown.bytes());
    let problems = store.verify_with(options, &progress);
    drop(meter);
    let problems = problems?;
    if !args.json {
        problems.iter().try_for_each(output::line)?;
    }
    let checked = chosen.map_or_else(|| store.paths().map(|paths| paths.len()), |paths| Ok(paths.len()))?;
    let outcome =
        if args.repair { repair(context, args, &problems, other.as_ref())? } else { put_aside(store, &problems)? };
    if args.json {
        print_json(&problems, &outcome)?;
    } else {
        print(checked, &problems, &outcome)?;
    }
    Ok(if problems.is_empty() || outcome.is_whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The paths that are named; those that are lost or in quarantine are not valid, but can be named as well.
fn chosen(context: &Context, texts: &[OsString]) -> Result<Vec<StorePath>, CliError> {
    let store = context.store()?;
    let mut paths = Vec::new();
    for text in texts {
        let named = text.to_str().and_then(|text| text.parse().or_else(|_| StorePath::parse_base_name(text)).ok());
        match named {
            Some(path) if store.is_known(&path)? => paths.push(path),
            _ => {
                let targets = resolve(context, std::slice::from_ref(text), &EvalArgs::default())?;
                paths.extend(targets.iter().map(Target::path).cloned());
            }
        }
    }
    Ok(paths)
}

/// What became of what was wrong.
#[derive(Default)]
struct Outcome {
    quarantined: Vec<StorePath>,
    repaired: Repaired,
    /// Whether nothing is wrong any more.
    is_whole: bool,
}

fn put_aside(store: &LocalStore, problems: &[Problem]) -> Result<Outcome, CliError> {
    if problems.is_empty() || store.is_read_only() {
        return Ok(Outcome::default());
    }
    Ok(Outcome { quarantined: store.quarantine(problems)?, ..Outcome::default() })
}

fn repair(
    context: &Context,
    args: &Args,
    problems: &[Problem],
    other: Option<&LocalStore>,
) -> Result<Outcome, CliError> {
    if problems.is_empty() {
        return Ok(Outcome::default());
    }
    let store = context.store()?;
    let mut repaired = store.repair_with(problems, RepairOptions { other, max_rate: args.max_rate })?;
    for (path, missing) in std::mem::take(&mut repaired.lost) {
        build_again(context, args, &path)?;
        if store.is_valid(&path)? { repaired.restored.push(path) } else { repaired.lost.push((path, missing)) }
    }
    let affected: Vec<_> =
        problems.iter().filter_map(Problem::store_path).cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let options =
        VerifyOptions { paths: Some(&affected), contents: true, max_rate: args.max_rate, ..VerifyOptions::default() };
    let left = store.verify_with(options, &VerifyProgress::default())?;
    // What is lost may be unknown by now: the index was made anew without it.
    let is_whole =
        left.is_empty() && repaired.lost.is_empty() && repaired.busy.is_empty() && repaired.unusable.is_empty();
    Ok(Outcome { is_whole, quarantined: Vec::new(), repaired })
}

/// Opens a store that there is; it is not made.
fn open_other(place: &std::path::Path) -> Result<LocalStore, CliError> {
    if !LocalStore::is_in(place)? {
        return Err(CliError::usage(format!("{} is not a store", shown(&place))));
    }
    Ok(LocalStore::open(place, OpenOptions::default())?)
}

/// Realises the derivations that made a path once more, if any are known. What fails tells of itself.
fn build_again(context: &Context, args: &Args, path: &StorePath) -> Result<(), CliError> {
    let derivers = context.store()?.derivers(path)?;
    let targets: Vec<_> = derivers.into_iter().map(|path| Target::Derivation { path, output: None }).collect();
    if !targets.is_empty() {
        let options = RunOptions { keep_going: true, rebuild: false };
        // That it could not be built is told; what it means for the path is told below.
        let _ = realise(context, &args.build.builder(context)?, &args.build.watch, &targets, options);
    }
    Ok(())
}

fn print(checked: usize, problems: &[Problem], outcome: &Outcome) -> Result<(), CliError> {
    let Repaired { restored, lost, segments, busy, unusable } = &outcome.repaired;
    for path in restored {
        output::line(format!("restored {path}"))?;
    }
    for (segment, found, known) in segments {
        let segment = shown(&segment);
        output::line(format!(
            "{} of {segment} written anew, {} lost",
            text::counted(*found, "record"),
            known.saturating_sub(*found)
        ))?;
    }
    for segment in busy {
        output::line(format!("{} is being written to; repair it when nothing else runs", shown(&segment)))?;
    }
    for (_, error) in unusable {
        output::line(format!("{}; the segment is left as it is", with_causes(error)))?;
    }
    for (path, missing) in lost {
        output::line(format!("cannot restore {path}: {missing} is nowhere, and building it again did not make it"))?;
    }
    let (checked, found) = (text::counted(checked, "path"), text::counted(problems.len(), "problem"));
    output::error(&format!("{checked} checked, {found}\n"));
    let quarantined = outcome.quarantined.len();
    if quarantined > 0 {
        let (paths, are) = (text::counted(quarantined, "path"), if quarantined == 1 { "is" } else { "are" });
        output::error(&format!("{paths} {are} in quarantine now: `larder verify --repair` restores what it can\n"));
    }
    Ok(())
}

fn print_json(problems: &[Problem], outcome: &Outcome) -> Result<(), CliError> {
    let texts = |paths: &[StorePath]| paths.iter().map(StorePath::to_string).collect::<Vec<_>>();
    let lost = |(path, missing): &(StorePath, String)| json!({ "path": path.to_string(), "missing": missing });
    let segment = |(path, found, known): &(PathBuf, usize, usize)| json!({ "file": path.display().to_string(), "records": found, "lost": known.saturating_sub(*found) });
    let unusable =
        |(file, error): &(PathBuf, IoError)| json!({ "file": file.display().to_string(), "text": with_causes(error) });
    let repaired = &outcome.repaired;
    output::json(
        "verify/1",
        json!({
            "problems": problems.iter().map(as_json).collect::<Vec<_>>(),
            "quarantined": texts(&outcome.quarantined),
            "restored": texts(&repaired.restored),
            "lost": repaired.lost.iter().map(lost).collect::<Vec<_>>(),
            "segments": repaired.segments.iter().map(segment).collect::<Vec<_>>(),
            "busy": repaired.busy.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
            "unusable": repaired.unusable.iter().map(unusable).collect::<Vec<_>>(),
        }),
    )
}

fn as_json(problem: &Problem) -> Value {
    let mut value = json!({ "kind": problem.kind(), "text": problem.to_string() });
    if let Some(path) = problem.store_path() {
        value["path"] = path.to_string().into();
    }
    match problem {
        Problem::Tree { inside, flaw, .. } => {
            text::put_name(&mut value, "inside", &text::path_bytes(inside));
            value["what"] = flaw.to_string().into();
        }
        Problem::Object { path, flaw } | Problem::SegmentFile { path, flaw } => {
            value["file"] = path.display().to_string().into();
            value["what"] = flaw.to_string().into();
        }
        Problem::Foreign(path) | Problem::Index(path) => value["file"] = path.display().to_string().into(),
        Problem::Segment { path, offset } | Problem::LostRecords { path, found: offset, .. } => {
            value["file"] = path.display().to_string().into();
            value["offset"] = (*offset).into();
        }
        Problem::Missing(_) | Problem::Quarantined(_) | Problem::Record(_) => {}
    }
    value
}
