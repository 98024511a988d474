//! `larder realise`

use crate::CommandResult;
use crate::commands::build::print_outputs;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, Target, link_target, outputs_of, resolve};
use crate::realising::{BuildArgs, realise};
use builder::RunOptions;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;
use store::StorePath;

/// Make store paths or derivations valid, by building where necessary.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Store paths, or at least 8 characters of the digest of a derivation or tree
    #[arg(value_name = "STOREPATH|DIGEST", required = true)]
    paths: Vec<OsString>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    build: BuildArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let mut targets = Vec::new();
    for text in &args.paths {
        targets.push(target(context, text)?);
    }
    let builder = args.build.builder(context)?;
    let options = RunOptions { keep_going: args.build.keep_going, rebuild: args.build.trace_inputs };
    let result = realise(context, &builder, &args.build.watch, &targets, options)?;
    let outputs: Vec<_> = targets.iter().flat_map(|target| outputs_of(target, &result.outputs)).collect();
    print_outputs(args.json, &outputs)?;
    Ok(ExitCode::SUCCESS)
}

/// A tree that is gone is realised by a derivation that is known to have made it.
fn target(context: &Context, text: &OsStr) -> Result<Target, CliError> {
    let store = context.store()?;
    let path = text.to_str().and_then(|text| text.parse::<StorePath>().ok());
    let path = if path.is_some() { path } else { link_target(context, Path::new(text))? };
    if let Some(path) = path
        && path.tree().is_some()
        && !store.is_valid(&path)?
    {
        let Some(derivation) = store.derivers(&path)?.into_iter().next() else {
            let error = CliError::failed(format!("{path} is not valid, and no derivation is known to make it"));
            return Err(error.hint("build the recipe it came from: larder build PATH#ATTR"));
        };
        return Ok(Target::Derivation { path: derivation, output: None });
    }
    let targets = resolve(context, &[text.to_owned()], &EvalArgs::default())?;
    targets.into_iter().next().ok_or_else(|| CliError::internal("an installable that names nothing"))
}
