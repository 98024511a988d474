//! `larder repl`

use crate::CommandResult;
use crate::context::Context;
use crate::installable::EvalArgs;
use crate::repl::{self, Load};
use std::path::PathBuf;

/// Evaluate expressions one after the other, in a dialogue. `:?` lists its commands.
///
/// Without a terminal, lines are read from standard input up to the first that fails, whose exit code is returned.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Make variables of the attributes of PATH#ATTR
    #[arg(value_name = "PATH#ATTR", conflicts_with_all = ["file", "expr"])]
    installable: Option<String>,
    /// Make variables of the attributes of a file
    #[arg(short, long, value_name = "FILE", conflicts_with = "expr")]
    file: Option<PathBuf>,
    /// Make variables of the attributes of an expression
    #[arg(short = 'E', long, value_name = "EXPR")]
    expr: Option<String>,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let load = match (&args.installable, &args.file, &args.expr) {
        (Some(installable), _, _) => {
            let (path, attribute) = installable.rsplit_once('#').unwrap_or((installable, ""));
            let path = PathBuf::from(if path.is_empty() { "." } else { path });
            Some(Load::File { path, attribute: attribute.to_owned() })
        }
        (_, Some(file), _) => Some(Load::File { path: file.clone(), attribute: String::new() }),
        (_, _, Some(expr)) => Some(Load::Expression(expr.clone())),
        _ => None,
    };
    repl::run(context, &args.eval, load)
}
