//! `larder show`

use crate::CommandResult;
use crate::context::{BuildLimits, Context};
use crate::error::CliError;
use crate::installable::{EvalArgs, Target, resolve};
use crate::output;
use crate::sandbox;
use builder::environment::Variation;
use std::ffi::OsString;
use std::process::ExitCode;
use store::{Derivation, StorePath};

/// Show a derivation.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An installable; for a tree, the derivation that made it is shown
    installable: OsString,
    /// Print its canonical JSON
    #[arg(long)]
    json: bool,
    /// Print, as JSON, what its sandbox shows, sets and limits; its inputs must be realised
    #[arg(long, conflicts_with = "json")]
    sandbox: bool,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let targets = resolve(context, std::slice::from_ref(&args.installable), &args.eval)?;
    let path = derivation_of(context, &targets[0])?;
    let derivation = sandbox::read_derivation(context.store()?, &path)?;
    if args.sandbox {
        return show_sandbox(context, &path);
    }
    if args.json {
        output::write(&[derivation.encode(), b"\n".to_vec()].concat())?;
    } else {
        output::write(output::shown(readable(&path, &derivation)).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the specification of a build's sandbox, and tells what of it this machine cannot do.
fn show_sandbox(context: &Context, derivation: &StorePath) -> CommandResult {
    sandbox::refuse_builtin(context.store()?, derivation)?;
    let builder = context.builder(BuildLimits::default())?;
    let Some(resolved) = sandbox::resolved(&builder, derivation)? else {
        let error =
            CliError::failed(format!("the inputs of {derivation} are not realised, so its sandbox is not known"));
        return Err(error.hint("build it first"));
    };
    let staging = context.store()?.stage()?;
    let spec = builder.sandbox_of_run(&resolved, staging.path(), &Variation::default())?;
    let text = serde_json::to_string_pretty(&spec).map_err(|error| CliError::internal(error.to_string()))?;
    output::line(text)?;
    if !builder::sandbox::has_scoping() {
        output::error(
            "note: this kernel's Landlock has no scopes, so abstract sockets and processes outside are left to the namespaces\n",
        );
    }
    if let Some(lacking) = builder::control_group::lacking() {
        output::error(&format!("note: {lacking}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The derivation that a target is, or that made it.
pub(crate) fn derivation_of(context: &Context, target: &Target) -> Result<StorePath, CliError> {
    match target {
        Target::Derivation { path, .. } => Ok(path.clone()),
        Target::Tree(path) => {
            let first = context.store()?.derivers(path)?.into_iter().next();
            first.ok_or_else(|| CliError::failed(format!("no derivation is known to have made {path}")))
        }
    }
}

fn readable(path: &StorePath, derivation: &Derivation) -> String {
    let mut text = format!("derivation  {path}\nname        {}\nsystem      {}\n", derivation.name, derivation.system);
    let mut list = |heading: &str, values: Vec<String>| {
        for (index, value) in values.iter().enumerate() {
            let value = value.trim_end().replace('\n', "\n            ");
            text.push_str(&format!("{:<12}{value}\n", if index == 0 { heading } else { "" }));
        }
    };
    list("builder", vec![derivation.builder.clone()]);
    list("args", derivation.args.clone());
    list("outputs", derivation.outputs.iter().map(ToString::to_string).collect());
    list(
        "fixed",
        derivation.fixed.iter().map(|fixed| format!("{} of the {}", fixed.hash, fixed.mode.name())).collect(),
    );
    list("root", derivation.root.iter().map(ToString::to_string).collect());
    list("override", derivation.overrides.iter().map(ToString::to_string).collect());
    list("runtime", derivation.runtime.iter().map(ToString::to_string).collect());
    list("inputs", derivation.inputs.iter().map(ToString::to_string).collect());
    list("env", derivation.env.iter().map(|(name, value)| format!("{name}={value}")).collect());
    text
}
