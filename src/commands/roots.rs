//! `larder roots`

use crate::CommandResult;
use crate::commands::gc::default_policy;
use crate::commands::query::valid_outputs;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, Target, resolve};
use crate::look::Look;
use crate::output;
use crate::process::{human, running};
use crate::text;
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::StorePath;
use store::local::{Generation, LivingLease, LocalStore, Root, RootSize};
use store::shown;

/// List, add and remove GC roots.
///
/// What roots hold is not collected. A root is a name, a `result` link somewhere, which holds what it points to as long as it is there, or a
/// generation of a profile. PROFILES are names under which one thing after the other is kept: `larder build --profile web` makes a new
/// generation of `web`, `larder roots rollback web` goes back. The link `profiles/web` in the store's directory leads to the current one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Action>,
    #[command(flatten)]
    list: ListArgs,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, Copy, Default, clap::Args)]
struct ListArgs {
    /// List also what running processes hold
    #[arg(long)]
    leases: bool,
    /// Do not measure how much roots hold
    #[arg(long)]
    no_sizes: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List who holds what, how much, and how much would go with it (the default)
    List(ListArgs),
    /// Add a root, or move it to something else
    Add {
        /// Its name; or the place of a link to make, if it has a slash
        name: OsString,
        /// What it keeps: an installable
        path: OsString,
        /// Make it the current generation of the profile NAME
        #[arg(long)]
        generation: bool,
    },
    /// Remove a root; the link it stands for stays
    Remove {
        /// Its name, or the place of its link
        name: OsString,
        /// Remove a profile with all of its generations
        #[arg(long)]
        all_generations: bool,
    },
    /// List the generations of a profile, or of all
    Generations {
        /// The profile
        profile: Option<String>,
    },
    /// Go back to the generation before the current one
    Rollback {
        /// The profile
        profile: String,
        /// Go to this generation
        #[arg(long, value_name = "N")]
        to: Option<u32>,
    },
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let store = context.store()?;
    match &args.command {
        None => list(store, args.list, args.json)?,
        Some(Action::List(list_args)) => list(store, *list_args, args.json)?,
        Some(Action::Add { name, path, generation }) => add(context, name, path, *generation, args.json)?,
        Some(Action::Remove { name, all_generations }) => remove(store, name, *all_generations)?,
        Some(Action::Generations { profile }) => generations(store, profile.as_deref(), args.json)?,
        Some(Action::Rollback { profile, to }) => tell(store, &store.roll_back(profile, *to)?, args.json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(context: &Context, name: &OsStr, path: &OsString, generation: bool, as_json: bool) -> Result<(), CliError> {
    let store = context.store()?;
    let targets = resolve(context, std::slice::from_ref(path), &EvalArgs::default())?;
    // What an installable is good for is what it becomes; a derivation is kept if its own path is named.
    let realised = match &targets[0] {
        target @ Target::Derivation { output: Some(_), .. } => valid_outputs(context, target)?.into_iter().next(),
        _ => None,
    };
    let path = realised.as_ref().unwrap_or_else(|| targets[0].path());
    if !store.is_valid(path)? {
        return Err(CliError::failed(format!("{path} is not in the store")));
    }
    if generation {
        return tell(store, &store.add_generation(name_of(name)?, path)?, as_json);
    }
    if name.as_bytes().contains(&b'/') {
        store.add_root_link(Path::new(name), path)?;
    } else {
        store.add_root(name_of(name)?, path)?;
    }
    Ok(())
}

fn name_of(name: &OsStr) -> Result<&str, CliError> {
    let bad = || CliError::usage(format!("the name of a root is not UTF-8: {}", shown(&name)));
    name.to_str().ok_or_else(bad)
}

fn remove(store: &LocalStore, name: &OsStr, all_generations: bool) -> Result<(), CliError> {
    if all_generations {
        return Ok(store.remove_profile(name_of(name)?)?);
    }
    if name.as_bytes().contains(&b'/') {
        let place = std::path::absolute(name).unwrap_or_else(|_| name.into());
        let root = store.roots()?.into_iter().find(|root| root.link.as_ref().is_some_and(|link| *link == place));
        let root = root.ok_or_else(|| CliError::failed(format!("no root is the link {}", shown(&place))))?;
        return Ok(store.remove_root(&root.name)?);
    }
    Ok(store.remove_root(name_of(name)?)?)
}

/// Tells which generation is current now.
pub(crate) fn tell(store: &LocalStore, generation: &Generation, as_json: bool) -> Result<(), CliError> {
    let Generation { profile, number, .. } = generation;
    let link = store.layout().profiles().join(profile);
    if as_json {
        let value = json!({ "profile": profile, "generation": number, "link": link.display().to_string() });
        return output::json("generation/1", value);
    }
    output::error(&format!("{} is generation {number} of the profile {profile}\n", shown(&link)));
    Ok(())
}

fn list(store: &LocalStore, args: ListArgs, as_json: bool) -> Result<(), CliError> {
    let roots = store.roots()?;
    let sizes = match args.no_sizes {
        true => vec![None; roots.len()],
        false => store.root_sizes(&roots, &default_policy())?.into_iter().map(Some).collect(),
    };
    let leases = if args.leases { others(store)? } else { Vec::new() };
    if as_json {
        let mut value =
            json!({ "roots": roots.iter().zip(&sizes).map(|(root, size)| root_json(root, *size)).collect::<Vec<_>>() });
        if args.leases {
            value["leases"] = leases.iter().map(lease_json).collect();
        }
        return output::json("roots/1", value);
    }
    let look = Look::of_stdout();
    for (root, size) in roots.iter().zip(&sizes) {
        output::line(described(root, *size, look))?;
    }
    for lease in &leases {
        output::line(format!("{} holds {}", human(lease.process), text::counted(lease.held.len(), "path")))?;
        lease.held.iter().try_for_each(|path| output::line(format!("  {}", look.path(path))))?;
    }
    Ok(())
}

/// The leases of other processes that hold something.
fn others(store: &LocalStore) -> Result<Vec<LivingLease>, CliError> {
    let mut leases = store.leases()?;
    leases.retain(|lease| lease.process != std::process::id() && !lease.held.is_empty());
    Ok(leases)
}

/// `mine  /larder/store/…  150 MiB, 20 MiB of it alone, for 3 d 2 h`
fn described(root: &Root, size: Option<RootSize>, look: Look) -> String {
    let link = root.link.as_ref().map(|link| format!(" ({})", shown(&link))).unwrap_or_default();
    let current = root.generation.as_ref().filter(|generation| generation.is_current).map_or("", |_| " (current)");
    let name = format!("{}{link}{current}", root.name);
    if let Some(reason) = root.unseen {
        return format!("{name}  may hold something: the link cannot be looked at: {reason}");
    }
    let Some(path) = &root.target else {
        return format!("{name}  holds nothing: the link is gone or leads elsewhere");
    };
    let size = size.map_or_else(String::new, |size| {
        format!("{}, {} of it alone, ", text::bytes(size.taken), text::bytes(size.alone))
    });
    format!("{name}  {}  {size}for {}", look.path(path), text::duration(age(root.since)))
}

fn age(since: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    Duration::from_secs(now.saturating_sub(since))
}

fn root_json(root: &Root, size: Option<RootSize>) -> Value {
    let mut value = json!({
        "name": root.name,
        "link": root.link.as_ref().map(|link| link.display().to_string()),
        "path": root.target.as_ref().map(StorePath::to_string),
        "since": root.since,
    });
    if let Some(Generation { profile, number, is_current }) = &root.generation {
        value["generation"] = json!({ "profile": profile, "number": number, "current": is_current });
    }
    if let Some(RootSize { trees, taken, alone }) = size {
        value["trees"] = trees.into();
        value["bytes"] = taken.into();
        value["alone_bytes"] = alone.into();
    }
    value
}

fn lease_json(lease: &LivingLease) -> Value {
    let paths: Vec<_> = lease.held.iter().map(StorePath::to_string).collect();
    let mut value = json!({ "process": lease.process, "paths": paths });
    if let Some(running) = running(lease.process) {
        value["command"] = running.command.into();
        value["seconds"] = running.age.as_secs().into();
    }
    value
}

fn generations(store: &LocalStore, profile: Option<&str>, as_json: bool) -> Result<(), CliError> {
    let mut roots = store.roots()?;
    roots.retain(|root| {
        root.generation.as_ref().is_some_and(|generation| profile.is_none_or(|profile| generation.profile == profile))
    });
    roots.sort_by_key(|root| root.generation.as_ref().map(|one| (one.profile.clone(), one.number)));
    if let Some(profile) = profile.filter(|_| roots.is_empty()) {
        return Err(CliError::failed(format!("there is no profile called `{profile}`")));
    }
    if as_json {
        let generations: Vec<_> = roots.iter().map(|root| root_json(root, None)).collect();
        return output::json("generations/1", json!({ "generations": generations }));
    }
    let look = Look::of_stdout();
    for root in roots {
        let (Some(Generation { profile, number, is_current }), Some(path)) = (root.generation, root.target) else {
            continue;
        };
        let current = if is_current { "  (current)" } else { "" };
        let (path, age) = (look.path(&path), text::duration(age(root.since)));
        output::line(format!("{profile} {number}  {path}  made {age} ago{current}"))?;
    }
    Ok(())
}
