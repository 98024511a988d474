//! `larder shell`

use crate::CommandResult;
use crate::commands::show::derivation_of;
use crate::context::Context;
use crate::installable::{EvalArgs, resolve};
use crate::realising::BuildArgs;
use crate::sandbox;
use builder::environment::Variation;
use std::ffi::OsString;

/// Enter the sandbox of a build before it starts.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An installable
    installable: OsString,
    /// What to run instead of a shell
    #[arg(last = true)]
    command: Vec<String>,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let targets = resolve(context, std::slice::from_ref(&args.installable), &args.build.evaluation(&args.eval))?;
    let derivation = derivation_of(context, &targets[0])?;
    sandbox::refuse_builtin(context.store()?, &derivation)?;
    let builder = args.build.builder(context)?;
    let resolved = sandbox::realise_inputs(context, &builder, &args.build.watch, &derivation)?;
    let staging = context.store()?.stage()?;
    let spec = builder.sandbox(&resolved, staging.path(), &Variation::default())?;
    let mut spec = sandbox::with_shell(spec, &resolved);
    if let Some((command, rest)) = args.command.split_first() {
        spec.command.clone_from(command);
        spec.args = rest.to_vec();
    }
    sandbox::enter(&builder, spec)
}
