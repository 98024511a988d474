//! `larder completions`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use clap::CommandFactory;
use std::process::ExitCode;

/// Print a script that teaches a shell to complete larder's commands.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// bash, elvish, fish, powershell or zsh
    shell: String,
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
