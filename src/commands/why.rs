//! `larder why`

use crate::CommandResult;
use crate::commands::query::trees_of;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::EvalArgs;
use crate::output;
use crate::realising::BuildArgs;
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::process::ExitCode;
use store::StorePath;
use store::local::LocalStore;

/// Show why one store path needs another: the shortest chain of mentions and declared run-time dependencies.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What needs
    from: OsString,
    /// What is needed
    to: OsString,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let from = trees_of(context, &args.from, &args.build, &args.eval)?.remove(0);
    let to = trees_of(context, &args.to, &args.build, &args.eval)?.remove(0);
    let Some(chain) = shortest(context.store()?, &from, &to)? else {
        return Err(CliError::failed(format!("{from} does not need {to}")));
    };
    if args.json {
        let one = |(path, how): &(StorePath, &str)| json!({ "path": path.to_string(), "how": how });
        output::json("why", json!({ "chain": chain.iter().map(one).collect::<Vec<_>>() }))?;
    } else {
        for (index, (path, how)) in chain.iter().enumerate() {
            let indent = "  ".repeat(index);
            output::line(if index == 0 { path.to_string() } else { format!("{indent}{how} {path}") })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Breadth first, so that the chain is the shortest there is.
fn shortest(
    store: &LocalStore,
    from: &StorePath,
    to: &StorePath,
) -> Result<Option<Vec<(StorePath, &'static str)>>, CliError> {
    let mut reached: HashMap<StorePath, (StorePath, &'static str)> = HashMap::new();
    let mut pending = VecDeque::from([from.clone()]);
    while let Some(path) = pending.pop_front() {
        if path == *to {
            let mut chain = Vec::new();
            let mut at = path;
            while let Some((before, how)) = reached.get(&at) {
                chain.push((at.clone(), *how));
                at = before.clone();
            }
            chain.push((from.clone(), ""));
            chain.reverse();
            return Ok(Some(chain));
        }
        for (next, how) in [(store.references(&path)?, "mentions"), (store.runtime(&path)?, "needs at run time")] {
            for next in next {
                if next != *from && !reached.contains_key(&next) {
                    reached.insert(next.clone(), (path.clone(), how));
                    pending.push_back(next);
                }
            }
        }
    }
    Ok(None)
}
