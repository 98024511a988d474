//! `larder log`

use crate::CommandResult;
use crate::commands::show::derivation_of;
use crate::context::{BuildLimits, Context};
use crate::error::CliError;
use crate::installable::{EvalArgs, resolve};
use crate::output;
use builder::Builder;
use builder::known_failure::KnownFailure;
use builder::log::{CopyError, ForTerminal, copy_running, follow};
use builder::running::running;
use builder::usage::ActionUsage;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use store::local::BuildCost;
use store::{ActionDigest, StorePath};

/// Print the log of the last build or of one that runs, or what the last one came to and used.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// While it is being built, go on with what it prints
    #[arg(short, long)]
    follow: bool,
    /// An installable
    installable: OsString,
    /// Print when it was, what it used and how it failed as JSON, without the log
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    eval: EvalArgs,
}

/// Has a log copied to standard output; if that is a terminal, without what would act on it.
fn write<T>(copy: impl FnOnce(&mut dyn Write) -> Result<T, CopyError>) -> Result<T, CliError> {
    let mut out = std::io::stdout().lock();
    let copied = if out.is_terminal() {
        let mut terminal = ForTerminal::new(out);
        copy(&mut terminal).and_then(|copied| terminal.end().map(|()| copied).map_err(CopyError::Write))
    } else {
        copy(&mut out)
    };
    match copied {
        Ok(copied) => Ok(copied),
        Err(CopyError::Read(error)) => Err(error.into()),
        Err(CopyError::Write(error)) => Err(output::not_written(&error)),
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let targets = resolve(context, std::slice::from_ref(&args.installable), &args.eval)?;
    let derivation = derivation_of(context, &targets[0])?;
    let builder = context.builder(BuildLimits::default())?;
    let action = match context.store()?.resolution(&derivation.derivation().expect("a derivation's path"))? {
        Some(action) => Some(action),
        // A build that failed has left no resolution, but its inputs are there.
        None => crate::sandbox::resolved(&builder, &derivation)?.map(|resolved| resolved.digest),
    };
    let running = running(&context.store()?.layout().tmp())?.into_iter().find(|build| {
        // Its action may be what another derivation is built for.
        build.derivation == derivation || Some(build.action) == action
    });
    if let Some(build) = running.filter(|_| !args.json)
        && write(|out| if args.follow { follow(&build, out) } else { copy_running(&build, out) })?
    {
        return Ok(ExitCode::SUCCESS);
    }
    let digest = derivation.derivation().expect("a derivation's path");
    if !args.json && context.store()?.derivation(&digest)?.builtin().is_some() {
        return Err(CliError::failed(format!("{derivation} is made inside larder: there is no log of it")));
    }
    let not_built = || CliError::failed(format!("there is no log of {derivation}: it was not built here"));
    let action = action.ok_or_else(not_built)?;
    let log = context.store()?.layout().log(&action);
    if args.json {
        output::json("log/1", described(&builder, &derivation, &action)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !log.exists() {
        return Err(not_built());
    }
    write(|out| builder::log::copy(&log, out))?;
    Ok(ExitCode::SUCCESS)
}

/// What is known of the last build of an action.
fn described(
    builder: &Builder<'_>,
    derivation: &StorePath,
    action: &ActionDigest,
) -> Result<serde_json::Value, CliError> {
    let store = builder.store();
    let cost = |cost: BuildCost| {
        serde_json::json!({
            "finished": cost.finished,
            "duration_ms": cost.duration_ms,
            "cpu_ms": cost.cpu_ms,
            "largest_process": cost.memory,
        })
    };
    let failure = |failure: KnownFailure| {
        serde_json::json!({
            "finished": failure.finished(),
            "message": failure.message,
            "tail": failure.tail,
            "kept": failure.kept.filter(|kept| kept.exists()),
        })
    };
    let used = |usage: ActionUsage| {
        serde_json::json!({
            "finished": usage.finished,
            "user_ms": usage.user_ms,
            "system_ms": usage.system_ms,
            "largest_process": usage.largest_process,
            "peak": usage.peak,
            "transfer": usage.transfer,
        })
    };
    let log = Some(store.layout().log(action)).filter(|log| log.exists());
    Ok(serde_json::json!({
        "derivation": derivation.to_string(),
        "action": action.to_string(),
        "log": log,
        "built": store.build_cost(action)?.map(cost),
        "used": ActionUsage::read(&store.layout().logs(), action).map(used),
        "failed": builder.known_failure(action).map(failure),
    }))
}
