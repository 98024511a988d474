//! `larder build`

use crate::CommandResult;
use crate::commands::roots::tell;
use crate::context::Context;
use crate::destination::must_take_link;
use crate::error::CliError;
use crate::installable::{EvalArgs, Target, outputs_of, resolve};
use crate::look::Look;
use crate::output;
use crate::realising::{BuildArgs, realise, summary};
use crate::sandbox::read_derivation;
use builder::plan::Job;
use builder::{Builder, Kind, Outlook, Reason, RunOptions};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use store::local::{Generation, LocalStore};
use store::{OutputName, StorePath};

/// So many changes of a derivation are told by a dry run.
const CHANGES_TOLD: usize = 8;

/// Build installables and print the store paths of their outputs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to build
    #[arg(value_name = "INSTALLABLE", default_value = ".")]
    installables: Vec<OsString>,
    /// Where to put the links to the outputs
    #[arg(short, long, value_name = "NAME", default_value = "result")]
    out_link: PathBuf,
    /// Make no links; what was built may be collected at any time
    #[arg(long, conflicts_with = "out_link")]
    no_link: bool,
    /// Make the output the current generation of this profile instead; see `larder help roots`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["no_link", "out_link"])]
    profile: Option<String>,
    /// Build the named derivations even if they are realised, and say whether they come out the same
    #[arg(long)]
    rebuild: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let targets = resolve(context, &args.installables, &args.build.evaluation(&args.eval))?;
    let builder = args.build.builder(context)?;
    let options = RunOptions { keep_going: args.build.keep_going, rebuild: args.rebuild || args.build.trace_inputs };
    if args.dry_run {
        return dry_run(&builder, &targets, options, args.json);
    }
    must_be_keepable(context, args, &targets)?;
    let started = Instant::now();
    let result = realise(context, &builder, &args.build.watch, &targets, options)?;
    let outputs: Vec<_> = targets.iter().flat_map(|target| outputs_of(target, &result.outputs)).collect();
    let paths: Vec<_> = outputs.iter().map(|(_, path)| path.clone()).collect();
    context.store()?.touch(&paths)?;
    let generation = match &args.profile {
        Some(profile) => Some(add_generation(context, profile, &outputs)?),
        None if args.no_link => None,
        None => link(context, args, &outputs).map(|()| None)?,
    };
    let quiet = context.quiet || args.build.watch.is_json();
    if let Some(summary) = summary(&result, started.elapsed()).filter(|_| !quiet) {
        output::error(&format!("{summary}\n"));
    }
    if let Some(generation) = generation.filter(|_| !quiet) {
        tell(context.store()?, &generation, false)?;
    }
    print_outputs(args.json, &outputs)?;
    let differed = args.rebuild && !result.conflicts.is_empty();
    Ok(if differed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Prints what was realised.
pub(super) fn print_outputs(json: bool, outputs: &[(Option<OutputName>, StorePath)]) -> Result<(), CliError> {
    if json {
        let one = |(output, path): &(Option<OutputName>, StorePath)| serde_json::json!({ "output": output.as_ref().map(OutputName::as_str), "path": path.to_string() });
        return output::json("build/1", serde_json::json!({ "outputs": outputs.iter().map(one).collect::<Vec<_>>() }));
    }
    outputs.iter().try_for_each(|(_, path)| output::line(path))
}

/// Refuses what cannot be kept as it is to be, before it is built.
fn must_be_keepable(context: &Context, args: &Args, targets: &[Target]) -> Result<(), CliError> {
    let store = context.store()?;
    let mut outputs = Vec::new();
    for target in targets {
        outputs.extend(output_names(store, target)?);
    }
    match &args.profile {
        Some(profile) => {
            must_be_one(outputs.len())?;
            Ok(store.check_root_name(profile)?)
        }
        None if args.no_link => Ok(()),
        None => link_names(&args.out_link, &outputs).iter().try_for_each(|link| must_take_link(store, link)),
    }
}

/// The outputs that a target will have.
fn output_names(store: &LocalStore, target: &Target) -> Result<Vec<Option<OutputName>>, CliError> {
    match target {
        Target::Derivation { path, output: None } => {
            Ok(read_derivation(store, path)?.outputs.into_iter().map(Some).collect())
        }
        Target::Derivation { output, .. } => Ok(vec![output.clone()]),
        Target::Tree(_) => Ok(vec![None]),
    }
}

fn must_be_one(outputs: usize) -> Result<(), CliError> {
    if outputs == 1 {
        return Ok(());
    }
    let error = CliError::usage(format!("a generation is one path, but {outputs} would be built"));
    Err(error.hint("name one output of one installable, as `.#hello.out`"))
}

/// Makes the only output the current generation of a profile.
fn add_generation(
    context: &Context,
    profile: &str,
    outputs: &[(Option<OutputName>, StorePath)],
) -> Result<Generation, CliError> {
    must_be_one(outputs.len())?;
    Ok(context.store()?.add_generation(profile, &outputs[0].1)?)
}

/// `result`, `result-dev`, and with several installables `result-2`, `result-2-dev`, …
fn link_names(first: &Path, outputs: &[Option<OutputName>]) -> Vec<PathBuf> {
    let mut taken = BTreeSet::new();
    let free = |output: &Option<OutputName>| {
        let suffix = match output.as_ref().map(OutputName::as_str) {
            None | Some("out") => String::new(),
            Some(other) => format!("-{other}"),
        };
        let name = |number: usize| {
            let number = if number == 1 { String::new() } else { format!("-{number}") };
            let mut name = first.to_owned().into_os_string();
            name.push(format!("{number}{suffix}"));
            PathBuf::from(name)
        };
        (1..).map(name).find(|name| taken.insert(name.clone())).expect("numbers do not end")
    };
    outputs.iter().map(free).collect()
}

fn link(context: &Context, args: &Args, outputs: &[(Option<OutputName>, StorePath)]) -> Result<(), CliError> {
    let names: Vec<_> = outputs.iter().map(|(output, _)| output.clone()).collect();
    for (link, (_, path)) in link_names(&args.out_link, &names).iter().zip(outputs) {
        context.store()?.add_root_link(link, path)?;
    }
    Ok(())
}

fn dry_run(builder: &Builder<'_>, targets: &[Target], options: RunOptions, json: bool) -> CommandResult {
    let derivations: Vec<_> =
        targets.iter().map(Target::path).filter(|path| path.derivation().is_some()).cloned().collect();
    let plan = builder.plan(&derivations, options)?;
    let outlook = |job| builder.outlook(job, &plan, options.rebuild && derivations.contains(&job.path));
    let outlooks = plan.jobs.iter().map(outlook).collect::<Result<Vec<_>, _>>()?;
    let jobs: Vec<_> = plan.jobs.iter().zip(&outlooks).collect();
    if json {
        let known: Vec<_> = plan.known.values().map(StorePath::to_string).collect();
        let jobs: Vec<_> = jobs.into_iter().map(job_json).collect();
        output::json("plan/1", serde_json::json!({ "jobs": jobs, "valid": known }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if jobs.is_empty() {
        output::line("nothing to do: everything is realised")?;
    }
    let look = Look::of_stdout();
    for heading in ["to reuse", "to verify", "to fail, as before", "to fetch", "to make", "to build"] {
        let below: Vec<_> = jobs.iter().filter(|(job, outlook)| heading_of(job.kind(), outlook) == heading).collect();
        if !below.is_empty() {
            output::line(format!("{heading}: {}", below.len()))?;
        }
        for (job, outlook) in below {
            let graph = if adds(job, outlook) { "; then the derivations of its graph are added" } else { "" };
            output::line(format!("  {}: {}{graph}", look.path(&job.path), outlook_text(outlook)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a job has a graph, of which nobody knows yet what it adds.
fn adds(job: &Job, outlook: &Outlook) -> bool {
    job.derivation.builtin() == Some("graph") && matches!(outlook, Outlook::Done(_) | Outlook::DoneUnlessAsBefore(_))
}

const fn heading_of(kind: Kind, outlook: &Outlook) -> &'static str {
    match (outlook, kind) {
        (Outlook::Reused, _) => "to reuse",
        (Outlook::Verified, _) => "to verify",
        (Outlook::FailsAtOnce(_), _) => "to fail, as before",
        (_, Kind::Fetch) => "to fetch",
        (_, Kind::Builtin) => "to make",
        (_, Kind::Build) => "to build",
    }
}

fn outlook_text(outlook: &Outlook) -> String {
    match outlook {
        Outlook::Reused => "its inputs came out as before".to_owned(),
        Outlook::Verified => "built before, and refused as it was verified then".to_owned(),
        Outlook::FailsAtOnce(failure) => format!("{} (--retry builds it again)", failure.message),
        // Of what was never built there is no earlier build that it could come out as.
        Outlook::Done(reason) | Outlook::DoneUnlessAsBefore(reason @ Reason::Never) => reason_text(reason),
        Outlook::DoneUnlessAsBefore(reason) => {
            format!("{}; reused if its inputs come out as before", reason_text(reason))
        }
    }
}

fn reason_text(reason: &Reason) -> String {
    match reason {
        Reason::Asked => "to be built again".to_owned(),
        Reason::Never => "never built here".to_owned(),
        Reason::Collected => "built before, but not kept".to_owned(),
        Reason::Changed(changes) => format!("changed since it was built last: {}", some_of(changes)),
    }
}

/// A few words of many: of a derivation that has the name of an earlier one and nothing else, all is different.
fn some_of(changes: &[String]) -> String {
    match changes.len().saturating_sub(CHANGES_TOLD) {
        0 => changes.join(", "),
        more => format!("{} and {more} more (--json names them)", changes[..CHANGES_TOLD].join(", ")),
    }
}

fn job_json((job, outlook): (&Job, &Outlook)) -> serde_json::Value {
    let (outcome, reason) = match outlook {
        Outlook::Reused => ("reused", None),
        Outlook::Verified => ("verified", None),
        Outlook::FailsAtOnce(_) => ("fails", None),
        Outlook::Done(reason) | Outlook::DoneUnlessAsBefore(reason) => ("done", Some(reason)),
    };
    let why = reason.map(|reason| match reason {
        Reason::Asked => "asked",
        Reason::Never => "never built",
        Reason::Collected => "collected",
        Reason::Changed(_) => "changed",
    });
    let changes = match reason {
        Some(Reason::Changed(changes)) => &changes[..],
        _ => &[],
    };
    serde_json::json!({
        "derivation": job.path.to_string(),
        "kind": crate::progress::json::kind(job.kind()),
        "certain": !matches!(outlook, Outlook::DoneUnlessAsBefore(_)),
        "outcome": outcome,
        "why": why,
        "changes": changes,
        "adds": adds(job, outlook),
        "expected_ms": job.expected.map(|expected| expected.duration),
        "expected_memory": job.expected.map(|expected| expected.memory),
    })
}
