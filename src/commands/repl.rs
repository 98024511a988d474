//! `larder repl`

use crate::CommandResult;
use crate::context::Context;
use crate::installable::EvalArgs;
use crate::repl;
use crate::sources::SourceArgs;

/// Evaluate expressions one after the other, in a dialogue. `:?` lists its commands.
///
/// Without a terminal, lines are read from standard input up to the first that fails, whose exit code is returned.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Variables are made of the attributes of what is named.
    #[command(flatten)]
    sources: SourceArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    repl::run(context, &args.eval, args.sources.named()?)
}
