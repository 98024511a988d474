//! Realising with everything a user expects around it: progress, interruption, and failures told so that one can act on them.

use crate::context::{BuildLimits, Context, Memory};
use crate::error::CliError;
use crate::installable::{EvalArgs, Target};
use crate::interrupt::{self, Request};
use crate::look::human;
use crate::output;
use crate::progress::{self, WatchArgs};
use crate::text;
use builder::{Allowance, Builder, RunLimits, RunOptions, RunResult, Sink};
use eval::IsWanted;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use store::StorePath;
use store::local::StoreError;

/// How often an interruption is looked for.
const INTERVAL: Duration = Duration::from_millis(50);

/// How builds are limited, also those that evaluation needs.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct LimitArgs {
    /// How many builds run at once [default: the number of processors]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// How many processes one build may run at once; 0 for as many as there are processors [default: 0]
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    cores: u16,
    /// Stop a build that takes longer, as `2h`, `30min` or in seconds; 0 for no limit [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = text::parse_duration)]
    timeout: Option<Duration>,
    /// Stop a build that prints nothing for so long; 0 for no limit [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = text::parse_duration)]
    max_silent_time: Option<Duration>,
    /// Stop a build that prints more bytes, as `20M`; 0 for no limit [default: 1G]
    #[arg(long, value_name = "BYTES", value_parser = text::parse_bytes)]
    max_log_size: Option<u64>,
    /// Stop a build whose files take more bytes on the disk; 0 for no limit. File systems in memory have as much room, from 16 MiB to half
    /// of the memory [default: nine tenths of what is free, and half of the memory]
    #[arg(long, value_name = "BYTES", value_parser = text::parse_bytes)]
    max_build_size: Option<u64>,
    /// Stop a build that has more files on the disk; 0 for no limit. File systems in memory have room for as many, at least 65536 [default:
    /// nine tenths of what the disk can still have, and 1048576 in memory]
    #[arg(long, value_name = "COUNT")]
    max_build_files: Option<u64>,
    /// Stop a build whose processes together need more bytes of memory, where control groups are delegated; 0 for no limit [default: nine
    /// tenths of what there is]
    #[arg(long, value_name = "BYTES", value_parser = text::parse_bytes)]
    max_build_memory: Option<u64>,
    /// Try what failed before again
    #[arg(long)]
    retry: bool,
    /// Do not keep the files of a failed build
    #[arg(long)]
    discard_failed: bool,
    /// Keep the files of a failed build, as is done anyway
    #[arg(short = 'K', long, conflicts_with = "discard_failed")]
    keep_failed: bool,
}

impl LimitArgs {
    pub(crate) fn limits(&self) -> BuildLimits {
        BuildLimits {
            jobs: self.jobs.map(usize::from),
            cores: Some(usize::from(self.cores)).filter(|&cores| cores > 0),
            run: RunLimits {
                total: self.timeout.filter(|limit| !limit.is_zero()),
                silence: self.max_silent_time.filter(|limit| !limit.is_zero()),
                log_bytes: self.max_log_size.or(RunLimits::default().log_bytes).filter(|&limit| limit > 0),
                disk_bytes: allowance(self.max_build_size),
                disk_files: allowance(self.max_build_files),
            },
            memory: match self.max_build_memory {
                None => Memory::Most,
                Some(0) => Memory::All,
                Some(bytes) => Memory::Bytes(bytes),
            },
            tmpfs: [self.max_build_size, self.max_build_files].map(|limit| limit.filter(|&limit| limit > 0)),
            retry: self.retry,
            keep_failed: self.keep_failed || !self.discard_failed,
            trace_inputs: false,
        }
    }
}

fn allowance(limit: Option<u64>) -> Allowance {
    match limit {
        None => Allowance::Most,
        Some(0) => Allowance::Any,
        Some(limit) => Allowance::Of(limit),
    }
}

/// Options that all commands that build have.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    limits: LimitArgs,
    /// Go on with independent work after a failure
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Record which files of its inputs each build uses and looks for in vain, for `larder lint INSTALLABLE`
    #[arg(long)]
    pub(crate) trace_inputs: bool,
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
}

impl BuildArgs {
    pub(crate) fn limits(&self) -> BuildLimits {
        BuildLimits { trace_inputs: self.trace_inputs, ..self.limits.limits() }
    }

    /// How that is evaluated which is to be built: what evaluation needs is built and told of in the same way.
    pub(crate) fn evaluation(&self, eval: &EvalArgs) -> EvalArgs {
        eval.building(self.limits()).watched(self.watch.clone())
    }

    pub(crate) fn builder<'c>(&self, context: &'c Context) -> Result<Builder<'c>, CliError> {
        context.builder(self.limits())
    }
}

/// Realises what targets name, and tells of failures. The error is only a summary of them.
pub(crate) fn realise(
    context: &Context,
    builder: &Builder<'_>,
    watch: &WatchArgs,
    targets: &[Target],
    options: RunOptions,
) -> Result<RunResult, CliError> {
    let (result, failed) = realise_what_can_be(context, builder, watch, targets, options)?;
    failed.map_or(Ok(result), Err)
}

/// Realises what targets name, and tells of failures: what there is, and a summary of them, which is the error if all is wanted.
pub(crate) fn realise_what_can_be(
    context: &Context,
    builder: &Builder<'_>,
    watch: &WatchArgs,
    targets: &[Target],
    options: RunOptions,
) -> Result<(RunResult, Option<CliError>), CliError> {
    let progress = watch.progress(context.quiet, builder.settings().jobs)?;
    let derivations: Vec<StorePath> =
        targets.iter().map(Target::path).filter(|path| path.derivation().is_some()).cloned().collect();
    let interrupted = Arc::new(OnceLock::new());
    let asked = Arc::clone(&interrupted);
    // The second request ends this process without asking us.
    let _answering = interrupt::on_request(move |request| {
        let _ = asked.set(request);
    });
    let is_wanted = || interrupted.get().is_none();
    let tell = |event| progress.take(&event);
    let end = |ended: &AtomicBool| interrupted.get().into_iter().for_each(|request| end_soon(ended, *request));
    let result = realise_while(builder, &derivations, options, &tell, &is_wanted, &end);
    let timeline = progress.finish();
    let result = result?;
    let interrupted = interrupted.get();
    if watch.is_json() {
        output::error(&format!("{}\n", progress::json::end(&result, interrupted.is_some())));
    }
    for (path, tree) in result.conflicts.iter().filter(|_| !watch.is_json()) {
        output::error(&format!(
            "{} {path} came out differently this time: as tree {tree}; the first one is kept\n",
            output::styled("warning:", "1;33")
        ));
    }
    if let Some(request) = interrupted {
        let error =
            CliError::interrupted(*request).hint("what was finished is kept: the same command goes on from there");
        return Err(if watch.is_json() { error.told() } else { error });
    }
    if result.failures.is_empty() {
        return timeline.map(|()| (result, None));
    }
    let error = summary_of_failures(&result);
    // As JSON it has been told already.
    if watch.is_json() {
        return Ok((result, Some(error.told())));
    }
    // Why each failed was told when it did.
    for failure in &result.failures {
        output::error(&cascade(&result, &failure.derivation));
    }
    Ok((result, Some(error)))
}

/// Realises derivations as long as they are wanted. When they are not any more, `end` is called and given whether the run has ended.
pub(crate) fn realise_while(
    builder: &Builder<'_>,
    derivations: &[StorePath],
    options: RunOptions,
    tell: Sink<'_>,
    is_wanted: &IsWanted<'_>,
    end: &(dyn Fn(&AtomicBool) + Sync),
) -> Result<RunResult, StoreError> {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                if !is_wanted() {
                    builder.cancel();
                    return end(&ended);
                }
                std::thread::park_timeout(INTERVAL);
            }
        });
        // Also if something panics: then the watcher must end, too.
        let _ended = Ended { ended: &ended, watcher: watcher.thread() };
        builder.realise_all(derivations, options, tell)
    })
}

/// Says that a run has ended when it is dropped.
struct Ended<'e> {
    ended: &'e AtomicBool,
    watcher: &'e std::thread::Thread,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        self.watcher.unpark();
    }
}

/// After an interruption, ends the process itself if the run does not: a tree may be large that is being sealed. What it leaves in `tmp/` is
/// removed by the spawner.
fn end_soon(ended: &AtomicBool, request: Request) {
    const PATIENCE: Duration = Duration::from_secs(5);
    let asked = std::time::Instant::now();
    while !ended.load(Ordering::SeqCst) {
        if asked.elapsed() > PATIENCE {
            CliError::interrupted(request).print();
            std::process::exit(request.exit_code().into());
        }
        std::thread::park_timeout(INTERVAL);
    }
}

/// What could not be realised.
fn summary_of_failures(result: &RunResult) -> CliError {
    let names: Vec<_> = result.failures.iter().map(|failure| human(&failure.derivation)).collect();
    let mut summary = format!("{} could not be realised", names.join(", "));
    if !result.skipped.is_empty() {
        let count = result.skipped.len();
        summary
            .push_str(&format!("; {count} more {} not tried for that reason", if count == 1 { "was" } else { "were" }));
    }
    CliError::failed(summary)
}

/// What was not tried because of a failure, in one line; nothing if there is nothing.
fn cascade(result: &RunResult, cause: &StorePath) -> String {
    const NAMED: usize = 5;
    let names: Vec<_> =
        result.skipped.iter().filter(|(_, because)| because == cause).map(|(skipped, _)| human(skipped)).collect();
    if names.is_empty() {
        return String::new();
    }
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = names[..names.len().min(NAMED)].join(", ");
    format!("{} {named}{more}, for they need {}\n", output::styled("not tried:", "33"), human(cause))
}

/// Says what a run did, for people who watched it.
pub(crate) fn summary(result: &RunResult, elapsed: Duration) -> Option<String> {
    if result.built + result.reused == 0 {
        return None;
    }
    let reused = if result.reused > 0 { format!(", {} came out as before", result.reused) } else { String::new() };
    Some(format!("{} done{reused} in {}", result.built, text::duration(elapsed)))
}
