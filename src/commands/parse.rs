//! `larder parse`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, Evaluation};
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

/// Check the syntax of a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE|-", required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    for file in &args.files {
        let evaluation = Evaluation::new(context, &EvalArgs::default())?;
        let mut text = Vec::new();
        let read = match file.to_str() {
            Some("-") => std::io::stdin().read_to_end(&mut text).map(drop),
            _ => std::fs::read(file).map(|read| text = read),
        };
        read.map_err(|error| CliError::failed(format!("cannot read {}: {error}", file.display())))?;
        evaluation
            .session
            .check_syntax(eval::Origin::Text(file.display().to_string()), &text)
            .map_err(|failure| evaluation.failure(failure))?;
    }
    Ok(ExitCode::SUCCESS)
}
