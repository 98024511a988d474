//! `larder log`

use crate::CommandResult;
use crate::commands::show::derivation_of;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, resolve};
use crate::output;
use builder::log::follow;
use builder::running::running;
use std::ffi::OsString;
use std::process::ExitCode;

/// Print the log of the last build, or of one that runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// While it is being built, go on with what it prints
    #[arg(short, long)]
    follow: bool,
    /// An installable
    installable: OsString,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let targets = resolve(context, std::slice::from_ref(&args.installable), &args.eval)?;
    let derivation = derivation_of(context, &targets[0])?;
    let builder = context.builder(None, false)?;
    let action = match context.store()?.resolution(&derivation.derivation().expect("a derivation's path"))? {
        Some(action) => Some(action),
        // A build that failed has left no resolution, but its inputs are there.
        None => crate::sandbox::resolved(&builder, &derivation)?.map(|resolved| resolved.digest),
    };
    let log = action.map(|action| context.store().map(|store| store.layout().log(&action))).transpose()?;
    let log = log.filter(|log| log.exists());
    let running = running(&context.store()?.layout().tmp())?.into_iter().find(|build| build.derivation == derivation);
    if let Some(build) = running.as_ref().filter(|_| args.follow) {
        let followed = follow(build, &mut std::io::stdout().lock());
        return output::wrote(followed).map(|()| ExitCode::SUCCESS);
    }
    let Some(log) = running.map(|build| build.log()).or(log) else {
        return Err(CliError::failed(format!("there is no log of {derivation}: it was not built here")));
    };
    output::write(&builder::log::read_log(&log)?)?;
    Ok(ExitCode::SUCCESS)
}
