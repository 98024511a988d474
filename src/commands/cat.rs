//! `larder cat`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::place::{PlaceArgs, locate};
use std::process::ExitCode;
use store::Node;

/// Print a file of a store path. Links in the tree, and from it into other trees, are followed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let (tree, inside) = args.place.named(context)?;
    let store = context.store()?;
    let found = locate(store, &tree, &inside, true)?;
    if !matches!(found.node(), Node::File { .. }) {
        return Err(CliError::failed(format!("`{}` is a directory; `larder ls` lists it", found.inside)));
    }
    let file = store.open_file(&found.path, &found.inside)?;
    output::copy(file, &found.path.to_string())?;
    Ok(ExitCode::SUCCESS)
}
