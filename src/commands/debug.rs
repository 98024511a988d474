//! `larder debug`

use crate::CommandResult;
use crate::commands::show::derivation_of;
use crate::context::{BuildLimits, Context};
use crate::error::CliError;
use crate::installable::{EvalArgs, resolve};
use crate::output;
use crate::sandbox;
use builder::environment::Variation;
use std::ffi::OsString;

/// Enter the sandbox of a failed build as it was left.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An installable whose build has failed
    installable: OsString,
    /// What to run instead of a shell
    #[arg(last = true)]
    command: Vec<String>,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let targets = resolve(context, std::slice::from_ref(&args.installable), &args.eval)?;
    let derivation = derivation_of(context, &targets[0])?;
    let builder = context.builder(BuildLimits { keep_failed: true, ..BuildLimits::default() })?;
    let Some(resolved) = sandbox::resolved(&builder, &derivation)? else {
        let error = CliError::failed("its inputs are not realised, so it cannot have failed here");
        return Err(error.hint("build it first"));
    };
    let place = builder.kept_place(&resolved);
    if !place.exists() {
        let error = CliError::failed(format!("no failed build of {derivation} is kept"));
        return Err(error
            .hint(format!(
                "to build it again and keep its files if it fails: larder build --rebuild --retry {derivation}"
            ))
            .hint("`larder shell` enters the sandbox of a build before it starts"));
    }
    let spec = builder.sandbox(&resolved, &place, &Variation::default())?;
    let mut spec = sandbox::with_shell(spec, &resolved);
    if let Some((command, rest)) = args.command.split_first() {
        spec.command.clone_from(command);
        spec.args = rest.to_vec();
    } else {
        let drv = resolved.action.resolved();
        output::error(&format!(
            "this is /build as the failed build left it; it ran: {} {}\n",
            drv.builder,
            drv.args.join(" ")
        ));
    }
    sandbox::enter(&builder, spec)
}
