//! Entering sandboxes from a terminal: of a build before it starts or after it failed, and of a composed run-time closure.

use crate::context::Context;
use crate::error::CliError;
use crate::interrupt;
use crate::progress::WatchArgs;
use builder::resolve::Resolved;
use builder::sandbox::{SandboxSpec, Status};
use builder::spawner::Terminal;
use builder::{Builder, RunOptions};
use std::os::fd::AsFd;
use std::process::ExitCode;
use store::local::LocalStore;
use store::{Derivation, StorePath};

/// The derivation at a path that is one's.
pub(crate) fn read_derivation(store: &LocalStore, path: &StorePath) -> Result<Derivation, CliError> {
    let digest = path.derivation().ok_or_else(|| CliError::internal("a tree where a derivation is wanted"))?;
    Ok(store.derivation(&digest)?)
}

/// Fails if a derivation is done inside larder: there is no sandbox to show or to enter.
pub(crate) fn refuse_builtin(store: &LocalStore, derivation: &StorePath) -> Result<(), CliError> {
    let drv = read_derivation(store, derivation)?;
    let Some(name) = drv.builtin() else { return Ok(()) };
    let error = CliError::failed(format!("builtin:{name} is done by larder itself, without a sandbox to enter"));
    Err(match name {
        "fetch" => error.hint("`larder lint --sources` asks whether sources can be had, and from where"),
        "graph" => error.hint("derivations of its graph can be entered: a failure names them"),
        _ => error.hint(format!("what it is given: larder show {derivation}")),
    })
}

/// The resolved form of a derivation, if all its inputs are realised.
pub(crate) fn resolved(builder: &Builder<'_>, derivation: &StorePath) -> Result<Option<Resolved>, CliError> {
    let drv = read_derivation(builder.store(), derivation)?;
    let inputs = input_derivations(&drv);
    let plan = builder.plan(&inputs, RunOptions::default())?;
    if !plan.jobs.is_empty() {
        return Ok(None);
    }
    Ok(Some(builder.resolve(derivation, &drv, &plan.known)?))
}

/// The derivations whose outputs a derivation needs.
pub(crate) fn input_derivations(derivation: &Derivation) -> Vec<StorePath> {
    let path = |input: &&store::Input| match input {
        store::Input::Output { derivation, .. } => Some(derivation.clone()),
        store::Input::Tree(_) => None,
    };
    derivation.all_inputs().iter().filter_map(path).collect()
}

/// Runs a command with this process's terminal, and gives back its exit status.
pub(crate) fn enter(builder: &Builder<'_>, spec: SandboxSpec) -> Result<ExitCode, CliError> {
    exit_code(run_on_terminal(builder, spec)?)
}

/// The exit status that says how a command ended.
pub(crate) fn exit_code(status: Status) -> Result<ExitCode, CliError> {
    match status {
        Status::Exited(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        Status::Signalled(signal) => Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))),
        Status::Killed => Err(CliError::failed("interrupted")),
        Status::SetupFailed(error) => Err(builder::BuildError::from(error).into()),
    }
}

/// Runs a command with this process's terminal.
pub(crate) fn run_on_terminal(builder: &Builder<'_>, mut spec: SandboxSpec) -> Result<Status, CliError> {
    spec.interactive = true;
    if let Ok(term) = std::env::var("TERM") {
        spec.env.insert("TERM".to_owned(), term);
    }
    let copy = |descriptor: std::os::fd::BorrowedFd<'_>| {
        descriptor
            .try_clone_to_owned()
            .map_err(|error| CliError::failed(format!("cannot hand the terminal over: {error}")))
    };
    let terminal = Terminal {
        stdin: copy(std::io::stdin().as_fd())?,
        stdout: copy(std::io::stdout().as_fd())?,
        stderr: copy(std::io::stderr().as_fd())?,
    };
    interrupt::leave_to_guest();
    let running = builder.spawner()?.start_on_terminal(&spec, terminal).map_err(builder::BuildError::from)?;
    Ok(running.wait().map_err(builder::BuildError::from)?.status)
}

/// Builds what a derivation needs, so that its sandbox can be entered.
pub(crate) fn realise_inputs(
    context: &Context,
    builder: &Builder<'_>,
    watch: &WatchArgs,
    derivation: &StorePath,
) -> Result<Resolved, CliError> {
    let drv = read_derivation(builder.store(), derivation)?;
    let targets: Vec<_> = input_derivations(&drv)
        .into_iter()
        .map(|path| crate::installable::Target::Derivation { path, output: None })
        .collect();
    crate::realising::realise(context, builder, watch, &targets, RunOptions::default())?;
    resolved(builder, derivation)?.ok_or_else(|| CliError::internal("inputs that are realised but not known"))
}

/// Makes a specification start a shell in place of the builder.
pub(crate) fn with_shell(mut spec: SandboxSpec, resolved: &Resolved) -> SandboxSpec {
    let has = |path: &str| store::TreePath::parse(path.as_bytes()).is_ok_and(|path| resolved.root.get(&path).is_some());
    let shell = ["/usr/bin/bash", "/bin/bash", "/usr/bin/sh", "/bin/sh"].into_iter().find(|shell| has(shell));
    spec.command = shell.unwrap_or("/bin/sh").to_owned();
    spec.args = Vec::new();
    spec
}
