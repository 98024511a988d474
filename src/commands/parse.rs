//! `larder parse`

use crate::CommandResult;
use crate::context::{Context, system};
use crate::error::CliError;
use crate::installable::{ErrorArgs, rendered};
use eval::{MemoryIo, Origin, Session, Settings};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Check the syntax of a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE|-", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    errors: ErrorArgs,
}

pub(crate) fn run(_: &Context, args: &Args) -> CommandResult {
    let session = Session::new(Settings::new(system()), Arc::new(MemoryIo::default()));
    let mut wrong = Vec::new();
    for file in &args.files {
        let text = read(file)?;
        let checked = session.check_syntax(Origin::Text(file.display().to_string()), &text);
        wrong.extend(checked.err().unwrap_or_default());
    }
    if !wrong.is_empty() {
        return Err(rendered(&session, &wrong, args.errors));
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().read_to_end(&mut text).map(drop),
        _ => std::fs::read(file).map(|read| text = read),
    };
    read.map_err(|error| CliError::cannot("read", file, &error))?;
    Ok(text)
}
