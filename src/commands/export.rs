//! `larder export`

use crate::CommandResult;
use crate::commands::query::trees_of;
use crate::context::Context;
use crate::destination::must_take_new;
use crate::error::CliError;
use crate::installable::EvalArgs;
use crate::realising::BuildArgs;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use store::local::{At, LocalStore};
use store::{Node, StorePath, TreeListing, TreePath, shown};

/// Copy an installable's tree out of the store, as ordinary files.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An installable
    installable: OsString,
    /// Where to put it; must not exist
    #[arg(value_name = "DIR")]
    destination: PathBuf,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    if args.destination.symlink_metadata().is_ok() {
        return Err(CliError::usage(format!("{} exists already", shown(&args.destination))));
    }
    must_take_new("create", &args.destination)?;
    let path = trees_of(context, &args.installable, &args.build, &args.eval)?.remove(0);
    let store = context.store()?;
    let listing = store.listing(&path.tree().expect("a tree's path"))?;
    copy(store, &path, &listing, &args.destination)?;
    Ok(ExitCode::SUCCESS)
}

/// Copies a tree with ordinary modes. In the store no link is followed, for a damaged tree may have one in the place of a directory.
fn copy(store: &LocalStore, path: &StorePath, listing: &TreeListing, destination: &Path) -> Result<(), CliError> {
    let mut entries = vec![(TreePath::default(), listing.root().clone())];
    listing.walk(&mut |inside, node| entries.push((inside.clone(), node.clone())));
    for (inside, node) in entries {
        let names = inside.components().iter();
        let to = names.fold(destination.to_owned(), |base, name| base.join(OsStr::from_bytes(name.as_bytes())));
        match node {
            Node::Directory(_) => std::fs::create_dir(&to).at("create directory", &to)?,
            Node::Symlink { target } => symlink(OsStr::from_bytes(&target), &to).at("create link", &to)?,
            Node::File { executable, .. } => {
                let mut from = store.open_file(path, &inside)?;
                let mut copy = std::fs::File::create_new(&to).at("create", &to)?;
                std::io::copy(&mut from, &mut copy).at("copy", &to)?;
                let mode = if executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&to, std::fs::Permissions::from_mode(mode)).at("change the mode of", &to)?;
            }
        }
    }
    Ok(())
}
