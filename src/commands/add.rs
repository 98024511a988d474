//! `larder add`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::host_io::refuse_store;
use crate::output;
use std::path::PathBuf;
use std::process::ExitCode;
use store::StoreName;
use store::shown;

/// Add files and directories to the store.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to add
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The name in the store [default: the last component of the path]
    #[arg(long)]
    name: Option<String>,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    for path in &args.paths {
        let absolute = std::path::absolute(path)
            .map_err(|error| CliError::failed(format!("cannot find {}: {error}", shown(&path))))?;
        absolute.symlink_metadata().map_err(|error| CliError::cannot("find", path, &error))?;
        let own = absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = args.name.as_deref().unwrap_or(&own);
        let name = StoreName::parse(name)
            .map_err(|error| CliError::usage(error.to_string()).hint("choose one: --name NAME"))?;
        refuse_store(context.store()?, &absolute, |_| false).map_err(CliError::failed)?;
        output::line(context.store()?.add_path(&absolute, name, None)?)?;
    }
    Ok(ExitCode::SUCCESS)
}
