//! `larder ls`

use crate::CommandResult;
use crate::commands::query::trees_of;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, split_inside};
use crate::output;
use crate::realising::BuildArgs;
use crate::text;
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use store::{Node, TreeListing, TreePath};

/// List what is in a store path.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An installable, or a path below one that is built: result/usr/bin
    installable: OsString,
    /// Where in it [default: its root]
    #[arg(default_value = "")]
    path: OsString,
    /// Go into directories
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Show kind, size and digest
    #[arg(short, long)]
    long: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
    let listing = context.store()?.listing(&tree.tree().expect("a tree's path"))?;
    let start = find(&listing, &inside)?;
    let mut entries = Vec::new();
    match listing.get(&start) {
        Some(Node::Directory(_)) => listing.walk(&mut |path, node| {
            let Some(inside) = path.components().strip_prefix(start.components()) else { return };
            if !inside.is_empty() && (args.recursive || inside.len() == 1) {
                entries.push((path.clone(), node.clone()));
            }
        }),
        Some(node) => entries.push((start, node.clone())),
        None => {}
    }
    if args.json {
        let entries: Vec<_> = entries.iter().map(|(path, node)| as_json(path, node)).collect();
        output::json("ls", json!({ "path": tree.to_string(), "entries": entries }))?;
    } else {
        entries.iter().try_for_each(|(path, node)| output::line(line(path, node, args.long)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One path in a tree below another.
pub(crate) fn below(above: &OsStr, path: &OsStr) -> OsString {
    [above, path].join(OsStr::new("/"))
}

/// The path in a tree that a text names, if there is anything.
pub(crate) fn find(listing: &TreeListing, text: &OsStr) -> Result<TreePath, CliError> {
    let path = TreePath::parse(text.as_bytes()).map_err(|error| CliError::usage(error.to_string()))?;
    match listing.get(&path) {
        Some(_) => Ok(path),
        None => Err(CliError::failed(format!("there is no `{path}` in it"))),
    }
}

fn line(path: &TreePath, node: &Node, long: bool) -> String {
    let shown = match node {
        Node::Directory(_) => format!("{path}/"),
        Node::Symlink { target } => format!("{path} -> {}", target.escape_ascii()),
        Node::File { .. } => path.to_string(),
    };
    if !long {
        return shown;
    }
    match node {
        Node::File { executable, size, blob } => {
            format!("{} {size:>12} {} {shown}", if *executable { "x" } else { "-" }, blob.short())
        }
        Node::Symlink { .. } => format!("l {:>12} {:12} {shown}", "", ""),
        Node::Directory(digest) => format!("d {:>12} {} {shown}", "", digest.short()),
    }
}

fn as_json(path: &TreePath, node: &Node) -> serde_json::Value {
    let mut value = match node {
        Node::File { executable, size, blob } => {
            json!({ "kind": "file", "executable": executable, "size": size, "digest": blob.to_string() })
        }
        Node::Symlink { .. } => json!({ "kind": "symlink" }),
        Node::Directory(digest) => json!({ "kind": "directory", "digest": digest.to_string() }),
    };
    text::put_name(&mut value, "path", &text::path_bytes(path));
    if let Node::Symlink { target } = node {
        text::put_name(&mut value, "target", target);
    }
    value
}
