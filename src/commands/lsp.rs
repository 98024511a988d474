//! `larder lsp`

use crate::CommandResult;
use crate::context::Context;
use crate::lsp;

/// Serve editors: the language server protocol on standard input and output.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use standard input and output, as is always done
    #[arg(long)]
    stdio: bool,
}

pub(crate) fn run(_: &Context, _: &Args) -> CommandResult {
    Ok(lsp::run())
}
