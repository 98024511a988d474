//! `larder debug`

mod failed;
mod phase;

use crate::CommandResult;
use crate::commands::show::derivation_of;
use crate::context::{BuildLimits, Context};
use crate::error::{CliError, with_causes};
use crate::installable::{EvalArgs, resolve};
use crate::output;
use crate::realising::BuildArgs;
use crate::sandbox;
use builder::Builder;
use builder::environment::Variation;
use builder::sandbox::{Bind, GuestPath, HostPath, SandboxSpec, Status, WritableLayer, unlock_work};
use phase::Stop;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use store::{Derivation, StorePath, shown};

/// Enter the sandbox of a failed build as that was left, where its script ended, or any build when a phase of it would begin.
// Without a phase nothing is built but what evaluation needs, which the other options limit.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("keep_going", |arg| arg.requires("phase")),
    mut_arg("log_format", |arg| arg.requires("phase")),
    mut_arg("print_build_logs", |arg| arg.requires("phase")),
    mut_arg("trace_out", |arg| arg.requires("phase")),
)]
pub(crate) struct Args {
    /// An installable whose build has failed; with --phase, any that is built
    installable: OsString,
    /// Run the build until this phase would begin, as `configure` or `install`, and enter it there, with its variables and functions
    #[arg(long, value_name = "NAME")]
    phase: Option<String>,
    /// What to run instead of a shell
    #[arg(last = true)]
    command: Vec<String>,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let targets = resolve(context, std::slice::from_ref(&args.installable), &args.build.evaluation(&args.eval))?;
    let derivation = derivation_of(context, &targets[0])?;
    match &args.phase {
        Some(phase) => enter_phase(context, args, &derivation, phase),
        None => enter_failed(context, args, &derivation),
    }
}

/// Has every shell of bash that a sandbox starts begin with a text, which is written to `file` and shown `at` a place.
fn begin_with(spec: &mut SandboxSpec, file: &Path, text: &str, at: &str) -> Result<(), CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::failed(format!("cannot write {}: {error}", shown(file)));
    std::fs::write(file, text).map_err(|error| failed(&error))?;
    let source = HostPath::parse(file).map_err(|error| failed(&error))?;
    let target = GuestPath::parse(at).map_err(|error| failed(&error))?;
    spec.binds.push(Bind { source, target });
    spec.env.insert("BASH_ENV".to_owned(), at.to_owned());
    Ok(())
}

/// Builds what the derivation needs, runs its script until the phase, and then what is wanted.
fn enter_phase(context: &Context, args: &Args, derivation: &StorePath, phase: &str) -> CommandResult {
    let store = context.store()?;
    let drv = sandbox::read_derivation(store, derivation)?;
    // What it needs may take hours to build.
    phase::must_have_phases(&drv)?;
    phase::must_have(store, &drv, phase)?;
    let builder = args.build.builder(context)?;
    let resolved = sandbox::realise_inputs(context, &builder, &args.build.watch, derivation)?;
    // Its script may have been among that.
    phase::must_have(store, resolved.action.resolved(), phase)?;
    let staging = store.stage()?;
    let mut spec = builder.sandbox(&resolved, staging.path(), &Variation::default())?;
    let stop = Stop::put(&mut spec, staging.path(), phase, &args.command)?;
    let ended = sandbox::enter(&builder, spec)?;
    if stop.was_reached() {
        return Ok(ended);
    }
    let how = if ended == ExitCode::SUCCESS { "ended" } else { "failed" };
    let error = CliError::failed(format!("the build {how} before a phase `{phase}` began"));
    Err(error.hint("each phase that began is announced above by a line `larder: phase NAME`"))
}

fn enter_failed(context: &Context, args: &Args, derivation: &StorePath) -> CommandResult {
    let again = format!("to see how it fails: larder build --retry {derivation}");
    sandbox::refuse_builtin(context.store()?, derivation).map_err(|error| error.hint(again))?;
    let builder = context.builder(BuildLimits { keep_failed: true, ..BuildLimits::default() })?;
    let Some(resolved) = sandbox::resolved(&builder, derivation)? else {
        let error = CliError::failed("its inputs are not there: it was not built yet, or they were collected since");
        return Err(error.hint(format!("to build them, and it if it is not known to fail: larder build {derivation}")));
    };
    let place = builder.kept_place(&resolved);
    if !place.exists() {
        let error = CliError::failed(format!("no failed build of {derivation} is kept"));
        return Err(error
            .hint(format!(
                "to build it again and keep its files if it fails: larder build --rebuild --retry {derivation}"
            ))
            .hint("`larder shell` enters the sandbox of a build before it starts, `larder debug --phase NAME` before a phase"));
    }
    if let Err(error) = builder.show_refused(&resolved) {
        // The rest of it can be entered all the same.
        let error = crate::text::harmless(&with_causes(&error));
        output::error(&format!("note: the outputs that were refused are not in /larder/out: {error}\n"));
    }
    let spec = builder.sandbox(&resolved, &place, &Variation::default())?;
    let mut spec = sandbox::with_shell(spec, &resolved);
    let staging = context.store()?.stage()?;
    let root = builder.kept_root(&resolved, &staging.path().join("work"))?;
    if let Some((command, rest)) = args.command.split_first() {
        spec.command.clone_from(command);
        spec.args = rest.to_vec();
    } else {
        tell_what_is_there(resolved.action.resolved(), root.is_some());
    }
    failed::resume(&mut spec, &place)?;
    match root {
        Some(root) => enter_with(&builder, spec, root),
        None => sandbox::enter(&builder, spec),
    }
}

fn tell_what_is_there(drv: &Derivation, has_root: bool) {
    let ran = crate::text::harmless(&format!("{} {}", drv.builder, drv.args.join(" ")));
    let there = if has_root {
        "this is the sandbox as the failed build left it, with what is kept of its outputs in /larder/out"
    } else {
        "this is /build as the failed build left it, with what is kept of its outputs in /larder/out; all else, as /tmp, is as it was when that began"
    };
    output::error(&format!("{there}; it ran: {ran}\n"));
}

/// Enters the root that was left, or one as it was when the build began: overlayfs may not take the file system where it lies, or the build
/// may have made of it what cannot be entered.
fn enter_with(builder: &Builder<'_>, mut spec: SandboxSpec, root: WritableLayer) -> CommandResult {
    spec.writable = root;
    let status = sandbox::run_on_terminal(builder, spec.clone())?;
    // What cannot be unlocked is left to the next collection.
    let _ = unlock_work(&spec.writable);
    match status {
        Status::SetupFailed(error) => {
            let error = crate::text::harmless(&error.to_string());
            output::error(&format!("note: but for /build all is as it was when the build began: {error}\n"));
            spec.writable = WritableLayer::Memory;
            sandbox::enter(builder, spec)
        }
        status => sandbox::exit_code(status),
    }
}
