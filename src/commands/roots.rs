//! `larder roots`

use crate::CommandResult;
use crate::commands::query::valid_outputs;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, Target, resolve};
use crate::output;
use serde_json::json;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

/// List, add and remove GC roots.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Action>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List all roots (the default)
    List,
    /// Add a root, or move it to something else
    Add {
        /// Its name; or the place of a link to make, if it has a slash
        name: OsString,
        /// What it keeps: an installable
        path: OsString,
    },
    /// Remove a root
    Remove {
        /// Its name
        name: String,
    },
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let store = context.store()?;
    match &args.command {
        None | Some(Action::List) => list(context, args.json)?,
        Some(Action::Add { name, path }) => {
            let targets = resolve(context, std::slice::from_ref(path), &EvalArgs::default())?;
            // What an installable is good for is what it becomes; a derivation is kept if its own path is named.
            let realised = match &targets[0] {
                target @ Target::Derivation { output: Some(_), .. } => {
                    valid_outputs(context, target)?.into_iter().next()
                }
                _ => None,
            };
            let path = realised.as_ref().unwrap_or_else(|| targets[0].path());
            if !store.is_valid(path)? {
                return Err(CliError::failed(format!("{path} is not in the store")));
            }
            if name.as_bytes().contains(&b'/') {
                store.add_root_link(Path::new(name), path)?;
            } else {
                let bad = || CliError::usage(format!("the name of a root is not UTF-8: {}", name.display()));
                store.add_root(name.to_str().ok_or_else(bad)?, path)?;
            }
        }
        Some(Action::Remove { name }) => store.remove_root(name)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(context: &Context, as_json: bool) -> Result<(), CliError> {
    let roots = context.store()?.roots()?;
    if as_json {
        let one = |root: &store::local::Root| {
            json!({
                "name": root.name,
                "link": root.link.as_ref().map(|link| link.display().to_string()),
                "path": root.target.as_ref().map(ToString::to_string),
            })
        };
        return output::json("roots", json!({ "roots": roots.iter().map(one).collect::<Vec<_>>() }));
    }
    for root in roots {
        let held = root.target.map_or_else(|| "holds nothing: the link is gone".to_owned(), |path| path.to_string());
        let link = root.link.map(|link| format!(" ({})", link.display())).unwrap_or_default();
        output::line(format!("{}{link}  {held}", root.name))?;
    }
    Ok(())
}
