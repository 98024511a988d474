//! `larder gc`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, resolve};
use crate::output;
use crate::text;
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::gc::{GcPlan, GcPolicy, Reason};
use store::local::{GcReport, LocalStore};

/// Derivations are a kilobyte each; they are kept for this long after their last use.
const KEEP_DERIVATIONS: Duration = Duration::from_secs(30 * 86_400);

/// Delete what no root needs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Say why a path lives or dies, and delete nothing
    #[arg(long, value_name = "PATH")]
    explain: Option<OsString>,
    /// Spare what was added less than this ago: 10min, 2h, 3d, 4w
    #[arg(long, value_name = "T", value_parser = text::parse_duration)]
    older_than: Option<Duration>,
    /// Spare what was used less than this ago
    #[arg(long, value_name = "T", value_parser = text::parse_duration)]
    unused_for: Option<Duration>,
    /// Delete only until the store holds at most this much, least recently used first: 500M, 20G
    #[arg(long, value_name = "N", value_parser = text::parse_bytes)]
    max_size: Option<u64>,
    /// Delete only until this much is freed, least recently used first
    #[arg(long, value_name = "N", value_parser = text::parse_bytes)]
    max_freed: Option<u64>,
    /// Delete derivations too, however recently they were used
    #[arg(long)]
    derivations: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let policy = policy(args);
    let store = context.store()?;
    if let Some(path) = &args.explain {
        return explain(context, path, &policy, args.json);
    }
    let report = if args.dry_run {
        store.plan_gc(&policy)?
    } else {
        forget_lost_links(store)?;
        store.collect_garbage(&policy)?
    };
    if args.json {
        print_json(&report, args.dry_run)?
    } else {
        print(&report, args.dry_run)?
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes the roots whose outer link the user has removed: they hold nothing any more.
fn forget_lost_links(store: &LocalStore) -> Result<(), CliError> {
    let lost = |link: &PathBuf| link.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    for root in store.roots()?.iter().filter(|root| root.link.as_ref().is_some_and(lost)) {
        store.remove_root(&root.name)?;
    }
    Ok(())
}

fn policy(args: &Args) -> GcPolicy {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let ago = |time: Duration| now.saturating_sub(time.as_secs());
    GcPolicy {
        added_since: args.older_than.map(ago),
        used_since: args.unused_for.map(ago),
        derivations_since: (!args.derivations).then(|| ago(KEEP_DERIVATIONS)),
        max_size: args.max_size,
        max_freed: args.max_freed,
    }
}

fn print(report: &GcReport, dry_run: bool) -> Result<(), CliError> {
    let (trees, derivations): (Vec<_>, Vec<_>) = report.plan.dead.iter().partition(|node| node.path.tree().is_some());
    for node in &trees {
        output::line(format!(
            "{} {} ({})",
            if dry_run { "would delete" } else { "deleted" },
            node.path,
            text::bytes(node.bytes)
        ))?;
    }
    let what = match derivations.len() {
        0 => format!("{} paths", trees.len()),
        count => format!("{} paths and {count} derivations", trees.len()),
    };
    let verb = if dry_run { "would be freed" } else { "freed" };
    output::line(format!("{what}, {} {verb}; {} objects stay", text::bytes(report.freed), report.plan.live))
}

fn print_json(report: &GcReport, dry_run: bool) -> Result<(), CliError> {
    let dead: Vec<_> =
        report.plan.dead.iter().map(|node| json!({ "path": node.path.to_string(), "bytes": node.bytes })).collect();
    output::json("gc", json!({ "dry_run": dry_run, "dead": dead, "live": report.plan.live, "freed": report.freed }))
}

fn explain(context: &Context, text: &OsStr, policy: &GcPolicy, as_json: bool) -> CommandResult {
    // Planned before the name is looked up, which holds what it names.
    let plan: GcPlan = context.store()?.plan_gc(policy)?.plan;
    let targets = resolve(context, &[text.to_owned()], &EvalArgs::default())?;
    let path = targets[0].path();
    let chain = plan.explain(path);
    if as_json {
        let chain: Vec<_> = chain
            .iter()
            .map(|(path, reason)| json!({ "path": path.to_string(), "because": because(reason) }))
            .collect();
        output::json("gc-explain", json!({ "path": path.to_string(), "live": !chain.is_empty(), "chain": chain }))?;
    } else if chain.is_empty() {
        output::line(format!("{path} dies: no root, lease or policy keeps it"))?;
    } else {
        output::line(format!("{path} lives:"))?;
        for (path, reason) in &chain {
            output::line(format!("  {path}: {}", because(reason)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn because(reason: &Reason) -> String {
    match reason {
        Reason::Root(name) => format!("the root {name} names it"),
        Reason::Lease => "a running process holds it".to_owned(),
        Reason::Policy(why) => format!("spared: {why}"),
        Reason::NeededBy(path) => format!("{path} needs it"),
    }
}
