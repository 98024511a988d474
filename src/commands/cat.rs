//! `larder cat`

use crate::CommandResult;
use crate::commands::ls::{below, find};
use crate::commands::query::trees_of;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, split_inside};
use crate::output;
use crate::realising::BuildArgs;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use store::Node;
use store::local::At;

/// Print a file of a store path.
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
    let listing = store.listing(&tree.tree().expect("a tree's path"))?;
    let path = find(&listing, &inside)?;
    match listing.get(&path) {
        Some(Node::File { .. }) => {}
        Some(Node::Directory(_)) => {
            return Err(CliError::failed(format!("`{path}` is a directory; `larder ls` lists it")));
        }
        _ => return Err(CliError::failed(format!("`{path}` is a symbolic link; `larder ls` shows where it leads"))),
    }
    let host = path
        .components()
        .iter()
        .fold(store.host_path(&tree), |host, name| host.join(OsStr::from_bytes(name.as_bytes())));
    output::write(&std::fs::read(&host).at("read", &host)?)?;
    Ok(ExitCode::SUCCESS)
}
