//! `larder ls`

use crate::CommandResult;
use crate::commands::query::trees_of;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, split_inside};
use crate::look::Look;
use crate::output;
use crate::realising::BuildArgs;
use crate::text;
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use store::follow::{FollowError, MAX_LINKS, Place, Way, follow};
use store::local::LocalStore;
use store::{Node, StorePath, TreeListing, TreePath};

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

/// One path in a tree below another.
pub(crate) fn below(above: &OsStr, path: &OsStr) -> OsString {
    [above, path].join(OsStr::new("/"))
}

/// Something in a tree.
pub(crate) struct Located {
    /// The tree's path.
    pub(crate) path: StorePath,
    pub(crate) listing: TreeListing,
    /// The way from its root, without links.
    pub(crate) inside: TreePath,
}

impl Located {
    pub(crate) fn node(&self) -> &Node {
        self.listing.get(&self.inside).unwrap_or(self.listing.root())
    }
}

/// Finds what a text names in a tree, through links in it and into other trees. A link at the end is followed only if that is wanted.
pub(crate) fn locate(
    store: &LocalStore,
    tree: &StorePath,
    text: &OsStr,
    follow_last: bool,
) -> Result<Located, CliError> {
    let inside = TreePath::parse(text.as_bytes()).map_err(|error| CliError::usage(error.to_string()))?;
    let mut way = Way::from(&inside);
    let mut path = tree.clone();
    for _ in 0..MAX_LINKS {
        let listing = store.listing(&path.tree().expect("a tree's path"))?;
        match follow(&listing, &way, follow_last) {
            Ok(Place::Inside(inside)) => return Ok(Located { path, listing, inside }),
            Ok(Place::Other { path: other, inside: further }) => {
                store.hold([&other])?;
                if other.tree().is_none() || !store.is_valid(&other)? {
                    let error = CliError::failed(format!("`{way}` leads to {other}, which is not in the store"));
                    return Err(error.hint(format!("larder realise {other}")));
                }
                (path, way) = (other, further);
            }
            Err(error) => return Err(CliError::failed(format!("{path}: {error}"))),
        }
    }
    Err(CliError::failed(FollowError::Circle(way).to_string()))
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
