//! `larder instantiate`

use crate::CommandResult;
use crate::context::Context;
use crate::installable::{EvalArgs, Target, resolve_sets};
use crate::output;
use crate::realising::LimitArgs;
use crate::sources::SourceArgs;
use serde_json::{Value, json};
use std::process::ExitCode;
use store::OutputName;

/// Evaluate installables to derivations, or sets of them, and print their store paths.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: SourceArgs,
    #[command(flatten)]
    eval: EvalArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let named = args.sources.named_or_here()?;
    let targets = resolve_sets(context, &named, &args.eval.building(args.limits.limits()))?;
    if args.json {
        let paths: Vec<_> = targets.iter().map(as_json).collect();
        output::json("instantiate/1", json!({ "paths": paths }))?;
    } else {
        output::lines(targets.iter().map(Target::path))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(target: &Target) -> Value {
    let output = match target {
        Target::Derivation { output, .. } => output.as_ref().map(OutputName::as_str),
        Target::Tree(_) => None,
    };
    json!({ "path": target.path().to_string(), "output": output })
}
