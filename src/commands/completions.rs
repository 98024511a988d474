//! `larder completions`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use clap::{CommandFactory, ValueHint};
use std::process::ExitCode;

/// Print a script that teaches a shell to complete larder's commands.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// bash, elvish, fish, powershell or zsh
    shell: String,
}

/// The command line as shells complete it: what is no option may be a file, as all that names what a command works on.
pub(crate) fn command() -> clap::Command {
    with_files(crate::Cli::command())
}

fn with_files(command: clap::Command) -> clap::Command {
    let named = |arg: clap::Arg| {
        let is_open = arg.is_positional() && arg.get_value_hint() == ValueHint::Unknown;
        if is_open { arg.value_hint(ValueHint::AnyPath) } else { arg }
    };
    command.mut_args(named).mut_subcommands(with_files)
}

pub(crate) fn run(_: &Context, args: &Args) -> CommandResult {
    let shells = clap_complete::env::Shells::builtins();
    let Some(shell) = shells.completer(&args.shell) else {
        let known: Vec<_> = shells.names().collect();
        return Err(CliError::usage(format!("`{}` is no known shell", args.shell))
            .hint(format!("known are {}", known.join(", "))));
    };
    let name = crate::Cli::command().get_name().to_owned();
    let mut script = Vec::new();
    shell
        .write_registration("COMPLETE", &name, &name, &name, &mut script)
        .map_err(|error| CliError::internal(error.to_string()))?;
    output::write(&script)?;
    Ok(ExitCode::SUCCESS)
}
