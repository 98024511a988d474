//! `larder verify`

use crate::CommandResult;
use crate::context::Context;
use crate::installable::{EvalArgs, resolve};
use crate::output;
use serde_json::json;
use std::ffi::OsString;
use std::process::ExitCode;

/// Check that the store is what its names say.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which paths [default: everything]
    #[arg(value_name = "STOREPATH")]
    paths: Vec<OsString>,
    /// Read and hash every file
    #[arg(long)]
    contents: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let store = context.store()?;
    let targets = resolve(context, &args.paths, &EvalArgs::default())?;
    let paths: Vec<_> = targets.iter().map(|target| target.path().clone()).collect();
    let chosen = (!paths.is_empty()).then_some(paths.as_slice());
    let problems = store.verify(chosen, args.contents)?;
    if args.json {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        output::json("verify", json!({ "problems": problems }))?;
    } else {
        problems.iter().try_for_each(output::line)?;
        let checked = chosen.map_or_else(|| store.paths().map(|paths| paths.len()), |paths| Ok(paths.len()))?;
        output::error(&format!("{checked} paths checked, {} problems\n", problems.len()));
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
