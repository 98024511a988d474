//! Places inside trees, as commands are told them.

use crate::commands::query::trees_of;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, split_inside};
use crate::realising::BuildArgs;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use store::follow::{FollowError, MAX_LINKS, Place, Way, follow};
use store::local::LocalStore;
use store::{Node, StorePath, TreeListing, TreePath};

/// A place inside something that is built.
#[derive(Debug, clap::Args)]
pub(crate) struct PlaceArgs {
    /// An installable, or a path below one that is built: result/usr/bin
    installable: OsString,
    /// Where in it [default: its root]
    #[arg(default_value = "")]
    path: OsString,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

impl PlaceArgs {
    /// The tree, which is built first if need be, and the way in it as it was written.
    pub(crate) fn named(&self, context: &Context) -> Result<(StorePath, OsString), CliError> {
        let (installable, inside) = match split_inside(context, &self.installable)? {
            Some((installable, inside)) => (installable, below(&inside, &self.path)),
            None => (self.installable.clone(), self.path.clone()),
        };
        // What is no path at all is told before anything is built.
        parse_inside(&inside)?;
        Ok((trees_of(context, &installable, &self.build, &self.eval)?.remove(0), inside))
    }
}

/// One path in a tree below another.
fn below(above: &OsStr, path: &OsStr) -> OsString {
    [above, path].join(OsStr::new("/"))
}

fn parse_inside(text: &OsStr) -> Result<TreePath, CliError> {
    TreePath::parse(text.as_bytes()).map_err(|error| CliError::usage(error.to_string()))
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
    let mut way = Way::from(&parse_inside(text)?);
    let mut path = tree.clone();
    for _ in 0..MAX_LINKS {
        let listing = store.listing(&path.tree().expect("a tree's path"))?;
        match follow(&listing, &way, follow_last) {
            Ok(Place::Inside(inside)) => return Ok(Located { path, listing, inside }),
            Ok(Place::Other { path: other, inside: further }) => {
                store.hold_to_look(&other)?;
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
