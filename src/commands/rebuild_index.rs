//! `larder rebuild-index`

use crate::CommandResult;
use crate::context::Context;
use crate::output;
use std::process::ExitCode;
use store::shown;

/// Make the index anew from what it is an index of.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(context: &Context, _: &Args) -> CommandResult {
    let found = context.store()?.rebuild_index()?;
    output::line(format!("{} records, {} paths; {} entries discarded", found.records, found.paths, found.discarded))?;
    for segment in &found.unreadable {
        output::line(format!(
            "{} cannot be read, so its records are not known: `larder verify --repair` mends that",
            shown(segment)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
