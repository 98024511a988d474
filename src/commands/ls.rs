//! `larder ls`

use crate::CommandResult;
use crate::context::Context;
use crate::look::Look;
use crate::output;
use crate::place::{Located, PlaceArgs, locate};
use crate::text;
use serde_json::json;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use store::{Node, TreePath};

/// List what is in a store path.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Go into directories
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Show kind, size and digest
    #[arg(short, long)]
    long: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let (tree, inside) = args.place.named(context)?;
    // As other programs have it: what is behind a link to a directory, but the link itself where details are asked for.
    let behind = inside.as_bytes().ends_with(b"/") || !args.long;
    let store = context.store()?;
    let link = locate(store, &tree, &inside, false)?;
    let Located { path: tree, listing, inside: start } = match locate(store, &tree, &inside, true) {
        Ok(found) if behind && matches!(found.node(), Node::Directory(_)) => found,
        _ => link,
    };
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
        output::json("ls/1", json!({ "path": tree.to_string(), "entries": entries }))?;
    } else {
        let look = Look::of_stdout();
        let lines: Vec<_> = entries.iter().map(|(path, node)| line(path, node, args.long, look) + "\n").collect();
        output::write(lines.concat().as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(path: &TreePath, node: &Node, long: bool, look: Look) -> String {
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
            let size = Look::bytes(*size, !look.terminal);
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
