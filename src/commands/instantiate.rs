//! `larder instantiate`

use crate::CommandResult;
use crate::context::Context;
use crate::installable::{EvalArgs, resolve_sets};
use crate::output;
use crate::realising::LimitArgs;
use crate::sources::SourceArgs;
use std::process::ExitCode;

/// Evaluate installables to derivations, or sets of them, and print their store paths.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: SourceArgs,
    #[command(flatten)]
    eval: EvalArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let mut text = String::new();
    for target in resolve_sets(context, &args.sources.named_or_here()?, &args.eval.building(args.limits.limits()))? {
        text.push_str(&target.path().to_string());
        text.push('\n');
    }
    output::write(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
