//! `larder instantiate`

use crate::CommandResult;
use crate::context::Context;
use crate::installable::{EvalArgs, resolve};
use crate::output;
use std::process::ExitCode;

/// Evaluate installables to derivations and print their store paths.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to evaluate
    #[arg(value_name = "INSTALLABLE", default_value = ".")]
    installables: Vec<String>,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    for target in resolve(context, &args.installables, &args.eval)? {
        output::line(target.path())?;
    }
    Ok(ExitCode::SUCCESS)
}
