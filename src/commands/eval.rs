//! `larder eval`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, Evaluation};
use crate::output;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Print the value of an expression as `nix-instantiate --eval` prints it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// PATH#ATTR
    #[arg(value_name = "PATH#ATTR", conflicts_with_all = ["file", "expr"])]
    installable: Option<String>,
    /// Evaluate a file
    #[arg(short, long, value_name = "FILE", conflicts_with = "expr")]
    file: Option<PathBuf>,
    /// Evaluate an expression
    #[arg(short = 'E', long, value_name = "EXPR")]
    expr: Option<String>,
    /// Select an attribute of the value
    #[arg(short = 'A', long, value_name = "ATTR")]
    attr: Option<String>,
    /// Evaluate all of the value
    #[arg(long)]
    strict: bool,
    /// Print JSON
    #[arg(long, conflicts_with_all = ["raw", "xml"])]
    json: bool,
    /// Print a string without quotes and escapes
    #[arg(long, conflicts_with = "xml")]
    raw: bool,
    /// Print XML
    #[arg(long)]
    xml: bool,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let evaluation = Evaluation::new(context, &args.eval)?;
    let (value, attribute) = match (&args.installable, &args.file, &args.expr) {
        (Some(installable), _, _) => {
            let (path, attribute) = installable.rsplit_once('#').unwrap_or((installable, ""));
            (evaluation.file(Path::new(if path.is_empty() { "." } else { path }))?, attribute.to_owned())
        }
        (_, Some(file), _) => (evaluation.file(file)?, String::new()),
        (_, _, Some(expr)) => (evaluation.expression(expr)?, String::new()),
        _ => return Err(CliError::usage("nothing to evaluate: name PATH#ATTR, --file FILE or --expr EXPR")),
    };
    let value = evaluation.select(value, &attribute)?;
    let value = evaluation.select(value, args.attr.as_deref().unwrap_or_default())?;
    let session = &evaluation.session;
    let printed = if args.json {
        session.print_json(value)
    } else if args.raw {
        session.print_raw(value)
    } else if args.xml {
        session.print_xml(value, args.strict)
    } else {
        session.print(value, args.strict)
    };
    let mut printed = printed.map_err(|failure| evaluation.failure(failure))?;
    evaluation.flush()?;
    if !args.raw && !args.xml {
        printed.push(b'\n');
    }
    output::write(&printed)?;
    Ok(ExitCode::SUCCESS)
}
