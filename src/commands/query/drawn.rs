//! Closures as trees and graphs.

use super::{AboutDerivations, Asked};
use crate::CommandResult;
use crate::context::Context;
use crate::drawing;
use crate::error::CliError;
use crate::look::Look;
use crate::output;
use crate::text;
use std::process::ExitCode;
use store::local::LocalStore;
use store::{Graph, StorePath};

/// How a closure is shown as a tree.
#[derive(Debug, clap::Args)]
pub(super) struct TreeArgs {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    about: AboutDerivations,
    /// Show so many levels below what is asked about
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
}

/// How a closure is shown as a graph.
#[derive(Debug, clap::Args)]
pub(super) struct GraphArgs {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    about: AboutDerivations,
    /// Print it as `dot` reads it, which is done anyway unless JSON is asked for
    #[arg(long, conflicts_with = "json")]
    graphviz: bool,
}

pub(super) fn tree(context: &Context, args: &TreeArgs) -> CommandResult {
    let (mut graph, roots) = args.about.closure(context, &args.asked)?;
    graph.sort();
    if args.asked.json {
        return print_json(context.store()?, &graph, &roots);
    }
    output::write(drawing::tree(&graph, &roots, args.depth, Look::of_stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn graph(context: &Context, args: &GraphArgs) -> CommandResult {
    let (mut graph, roots) = args.about.closure(context, &args.asked)?;
    graph.sort();
    let store = context.store()?;
    if args.asked.json {
        return print_json(store, &graph, &roots);
    }
    let detail = |path: &StorePath| bytes(store, path).map(text::bytes);
    output::write(drawing::graphviz(&graph, &detail).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn print_json(store: &LocalStore, graph: &Graph, roots: &[usize]) -> Result<ExitCode, CliError> {
    output::json("graph/1", drawing::json(graph, roots, &|path| bytes(store, path)))?;
    Ok(ExitCode::SUCCESS)
}

/// The bytes of a tree's files, if it is there: a source that a derivation names may have been collected.
fn bytes(store: &LocalStore, path: &StorePath) -> Option<u64> {
    store.path_info(path).ok().flatten().map(|info| info.bytes)
}
