//! `larder cat`

use crate::CommandResult;
use crate::commands::ls::{below, locate};
use crate::commands::query::trees_of;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, split_inside};
use crate::output;
use crate::realising::BuildArgs;
use std::ffi::OsString;
use std::process::ExitCode;
use store::Node;

/// Print a file of a store path. Links in the tree, and from it into other trees, are followed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An installable, or a path below one that is built: result/usr/bin
    installable: OsString,
    /// Which file [default: the store path itself]
    #[arg(default_value = "")]
    path: OsString,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let (installable, inside) = match split_inside(context, &args.installable)? {
        Some((installable, inside)) => (installable, below(&inside, &args.path)),
        None => (args.installable.clone(), args.path.clone()),
    };
    let tree = trees_of(context, &installable, &args.build, &args.eval)?.remove(0);
    let store = context.store()?;
    let found = locate(store, &tree, &inside, true)?;
    if !matches!(found.node(), Node::File { .. }) {
        return Err(CliError::failed(format!("`{}` is a directory; `larder ls` lists it", found.inside)));
    }
    let file = store.open_file(&found.path, &found.inside)?;
    output::copy(file, &found.path.to_string())?;
    Ok(ExitCode::SUCCESS)
}
