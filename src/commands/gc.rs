//! `larder gc`

mod explain;

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::interrupt;
use crate::look::Look;
use crate::meter::{Meter, Unit};
use crate::output;
use crate::text::{self, Size};
use serde_json::json;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::gc::{GcPolicy, Spared};
use store::local::{GcProgress, GcReport, KeptGenerations, LocalStore, RootError};

/// Derivations are a kilobyte each; they are kept for this long after their last use.
const KEEP_DERIVATIONS: Duration = Duration::from_secs(30 * 86_400);

/// Which policies there are, and how several work together.
const POLICIES: &str = "\
What roots and running processes hold stays, with all it needs: `larder roots list` tells. The rest is deleted, unless an option spares it; of \
several options every one spares what it says.

What stays keeps what it mentions and declares for run time, and the derivations that made it with their sources (not with --keep-derivations=no). \
A derivation does not keep what it made, unless it is held and --keep-outputs is given: then whatever was needed to build what is held stays. \
Derivations that were used in the last 30 days stay, too (not with --derivations).

--max-size, --max-freed and --min-free delete the least recently used first and stop as soon as one of them is satisfied. \
Sizes are what the disk gets back, as `du` counts it: whole blocks, files with several links once, and only if all links go; \
behind each path stands how long its contents are, of which others may have a part. SIZE is in bytes, or \
as 500M or 20G, or a part of the disk as 10%.

Old generations of profiles stay until --keep-generations or --delete-older-than removes them; with both, one must be neither among \
the last N nor have been current within T. What is current is never removed.

Also deleted, and counted: what dead processes left; failed builds and what was begun to be fetched after 7 days; logs after 90; what evaluations came to and what failed \
verification after 30.

Exit codes: 0 done; 1 it failed, 130 it was interrupted: the next collection removes the rest; 2 usage.";

/// Delete what no root needs.
#[derive(Debug, clap::Args)]
#[command(after_long_help = POLICIES)]
pub(crate) struct Args {
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Say why a path stays or goes, and delete nothing
    #[arg(long, value_name = "PATH")]
    explain: Option<OsString>,
    #[command(flatten)]
    policies: PolicyArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Whether it does not only say something.
    pub(crate) fn deletes(&self) -> bool {
        !self.dry_run && self.explain.is_none()
    }
}

/// What is spared, and when it is enough.
#[derive(Debug, clap::Args)]
struct PolicyArgs {
    /// Spare what was added less than this ago: 10min, 2h, 3d, 4w
    #[arg(long, value_name = "T", value_parser = text::parse_duration)]
    older_than: Option<Duration>,
    /// Spare what was used less than this ago
    #[arg(long, value_name = "T", value_parser = text::parse_duration)]
    unused_for: Option<Duration>,
    /// Delete only until the store takes at most this much of the disk
    #[arg(long, value_name = "SIZE", value_parser = text::parse_size)]
    max_size: Option<Size>,
    /// Delete only until this much is freed
    #[arg(long, value_name = "SIZE", value_parser = text::parse_size)]
    max_freed: Option<Size>,
    /// Delete only until this much of the disk is free
    #[arg(long, value_name = "SIZE", value_parser = text::parse_size)]
    min_free: Option<Size>,
    /// Whether what stays keeps the derivations that made it, and their sources
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "yes", default_missing_value = "yes",
          value_parser = clap::builder::BoolishValueParser::new())]
    keep_derivations: bool,
    /// Whether derivations that are held keep what they made
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "no", default_missing_value = "yes",
          value_parser = clap::builder::BoolishValueParser::new())]
    keep_outputs: bool,
    /// Delete derivations too, however recently they were used
    #[arg(long)]
    derivations: bool,
    /// Remove old generations of profiles but for the last N
    #[arg(long, value_name = "N")]
    keep_generations: Option<u32>,
    /// Remove generations of profiles whose successor was made longer ago than this
    #[arg(long, value_name = "T", value_parser = text::parse_duration)]
    delete_older_than: Option<Duration>,
}

impl PolicyArgs {
    fn policy(&self, store: &LocalStore) -> Result<GcPolicy, CliError> {
        let disk = if self.is_part_of_disk() { store.disk_size()? } else { 0 };
        let bytes = |size: Option<Size>| size.map(|size| size.of(disk));
        Ok(GcPolicy {
            added_since: self.older_than.map(ago),
            used_since: self.unused_for.map(ago),
            derivations_since: (!self.derivations).then(|| ago(KEEP_DERIVATIONS)),
            keep_derivations: self.keep_derivations,
            keep_outputs: self.keep_outputs,
            max_size: bytes(self.max_size),
            max_freed: bytes(self.max_freed),
            min_free: bytes(self.min_free),
        })
    }

    fn is_part_of_disk(&self) -> bool {
        [self.max_size, self.max_freed, self.min_free].iter().flatten().any(|size| matches!(size, Size::Percent(_)))
    }

    fn generations(&self) -> KeptGenerations {
        KeptGenerations { last: self.keep_generations, since: self.delete_older_than.map(ago) }
    }
}

/// The policy of a collection without options.
pub(crate) fn default_policy() -> GcPolicy {
    GcPolicy { derivations_since: Some(ago(KEEP_DERIVATIONS)), ..GcPolicy::default() }
}

/// The time so long ago, in seconds since the epoch.
fn ago(time: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    now.saturating_sub(time.as_secs())
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let store = context.store()?;
    let policy = args.policies.policy(store)?;
    let mut expired = args.policies.generations().expired(&store.roots()?);
    if let Some(path) = &args.explain {
        return explain::explain(context, path, &policy, &expired, args.json);
    }
    let report = if args.dry_run {
        store.plan_gc_without(&policy, &expired)?
    } else {
        remove_generations(store, &mut expired)?;
        collect(context, store, &policy)?
    };
    if args.json {
        print_json(&report, &expired, args.dry_run)?
    } else {
        print(&report, &expired, args.dry_run)?
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes generations; those that somebody else has removed or made current meanwhile are none of these any more.
fn remove_generations(store: &LocalStore, names: &mut Vec<String>) -> Result<(), CliError> {
    let mut removed = Vec::new();
    for name in names.drain(..) {
        match store.remove_root(&name) {
            Err(RootError::Current { .. } | RootError::Unknown { .. }) => {}
            done => done.map(|()| removed.push(name))?,
        }
    }
    *names = removed;
    Ok(())
}

/// Collects, showing how far it is.
fn collect(context: &Context, store: &LocalStore, policy: &GcPolicy) -> Result<GcReport, CliError> {
    let _answering = interrupt::on_request(|request| {
        output::error("\n");
        CliError::interrupted(request).hint("what is deleted is deleted; the next `larder gc` goes on").print();
        std::process::exit(request.exit_code().into());
    });
    store.forget_lost_links()?;
    let progress = Arc::new(GcProgress::default());
    let shown = Arc::clone(&progress);
    let _meter = Meter::start(context.quiet, "deleting", Unit::Steps, move || shown.steps());
    Ok(store.collect_garbage_with(policy, &progress)?)
}

fn print(report: &GcReport, expired: &[String], dry_run: bool) -> Result<(), CliError> {
    let verb = if dry_run { "would delete" } else { "deleted" };
    expired.iter().try_for_each(|name| output::line(format!("{verb} the generation {name}")))?;
    let (trees, derivations): (Vec<_>, Vec<_>) = report.plan.dead.iter().partition(|node| node.path.tree().is_some());
    let look = Look::of_stdout();
    output::lines(trees.iter().map(|node| format!("{verb} {} ({})", look.path(&node.path), text::bytes(node.bytes))))?;
    let paths = text::counted(trees.len(), "path");
    let what = match derivations.len() {
        0 => paths,
        count => format!("{paths} and {}", text::counted(count, "derivation")),
    };
    let freed = if dry_run { "would be freed" } else { "freed" };
    let stays = if report.plan.live == 1 { "stays" } else { "stay" };
    let live = text::counted(report.plan.live, "object");
    output::line(format!("{what}, {} {freed}; {live} {stays}", text::bytes(report.freed.total())))?;
    let parts: Vec<_> = report.freed.parts().into_iter().filter(|(_, bytes)| *bytes > 0).collect();
    // That most of it is trees goes without saying.
    if parts.iter().any(|(name, _)| *name != "trees") {
        let parts: Vec<_> = parts.iter().map(|(name, bytes)| format!("{} {name}", text::bytes(*bytes))).collect();
        output::line(format!("of this {}", parts.join(", ")))?;
    }
    for sum in &report.plan.spared {
        let objects = text::counted(sum.objects, "object");
        output::line(format!("spared {objects} ({}): {}", text::bytes(sum.bytes), because(sum.why)))?;
    }
    Ok(())
}

fn print_json(report: &GcReport, expired: &[String], dry_run: bool) -> Result<(), CliError> {
    let dead: Vec<_> =
        report.plan.dead.iter().map(|node| json!({ "path": node.path.to_string(), "bytes": node.bytes })).collect();
    let parts: serde_json::Map<_, _> =
        report.freed.parts().into_iter().map(|(name, bytes)| (name.replace(' ', "_"), bytes.into())).collect();
    let spared: Vec<_> = report
        .plan
        .spared
        .iter()
        .map(|sum| json!({ "why": word(sum.why), "objects": sum.objects, "bytes": sum.bytes }))
        .collect();
    output::json(
        "gc/1",
        json!({
            "dry_run": dry_run,
            "dead": dead,
            "generations": expired,
            "live": report.plan.live,
            "spared": spared,
            "freed": report.freed.total(),
            "freed_by": parts,
        }),
    )
}

/// Why something is spared, for people.
fn because(why: Spared) -> &'static str {
    match why {
        Spared::Added => "added recently (--older-than)",
        Spared::Used => "used recently (--unused-for)",
        Spared::Derivation => "derivations used in the last 30 days, and their sources (not with --derivations)",
        Spared::Enough => "enough is freed without it (--max-size, --max-freed, --min-free)",
    }
}

/// The same for programs.
fn word(why: Spared) -> &'static str {
    match why {
        Spared::Added => "added",
        Spared::Used => "used",
        Spared::Derivation => "derivation",
        Spared::Enough => "enough",
    }
}
