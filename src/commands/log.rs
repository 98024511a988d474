//! `larder log`

use crate::CommandResult;
use crate::commands::show::derivation_of;
use crate::context::{BuildLimits, Context};
use crate::error::CliError;
use crate::installable::{EvalArgs, resolve};
use crate::output;
use std::ffi::OsString;
use std::process::ExitCode;

/// Print the log of the last build.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An installable
    installable: OsString,
    #[command(flatten)]
    eval: EvalArgs,
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
    let log = action.map(|action| context.store().map(|store| store.layout().log(&action))).transpose()?;
    let Some(log) = log.filter(|log| log.exists()) else {
        return Err(CliError::failed(format!("there is no log of {derivation}: it was not built here")));
    };
    output::write(&builder::log::read_log(&log)?)?;
    Ok(ExitCode::SUCCESS)
}
