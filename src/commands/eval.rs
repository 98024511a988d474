//! `larder eval`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::evaluating::{Evaluating, source_of};
use crate::evaluations::Source;
use crate::installable::EvalArgs;
use crate::output;
use eval::{Failure, Session, Value};
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
    let (source, attribute) = match (&args.installable, &args.file, &args.expr) {
        (Some(installable), _, _) => {
            let (path, attribute) = installable.rsplit_once('#').unwrap_or((installable, ""));
            (source_of(Path::new(if path.is_empty() { "." } else { path }))?, attribute)
        }
        (_, Some(file), _) => (source_of(file)?, ""),
        (_, _, Some(expr)) => (Source::Text(expr.clone()), ""),
        _ => return Err(CliError::usage("nothing to evaluate: name PATH#ATTR, --file FILE or --expr EXPR")),
    };
    let attributes = [attribute, args.attr.as_deref().unwrap_or_default()];
    let eval = args.eval.clone().looking_only();
    let eval = if args.strict || args.json { eval } else { eval.showing_delayed() };
    let mut evaluating = Evaluating::new(context, &eval);
    let printed = evaluating.printed(&source, attributes, args.way(), |evaluation, value| {
        let mut printed = args.print(&evaluation.session, value).map_err(|failure| evaluation.failure(failure))?;
        if !args.raw && !args.xml {
            printed.push(b'\n');
        }
        Ok(printed)
    })?;
    output::write(&printed)?;
    evaluating.finish_printing()?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn print(&self, session: &Session, value: Value) -> Result<Vec<u8>, Failure> {
        if self.json {
            session.print_json(value)
        } else if self.raw {
            session.print_raw(value)
        } else if self.xml {
            session.print_xml(value, self.strict)
        } else {
            session.print(value, self.strict)
        }
    }

    /// What [`Self::print`] depends on, as a word.
    fn way(&self) -> &'static str {
        match (self.json, self.raw, self.xml, self.strict) {
            (true, _, _, _) => "json",
            (_, true, _, _) => "raw",
            (_, _, true, false) => "xml",
            (_, _, true, true) => "xml strict",
            (_, _, _, false) => "nix",
            (_, _, _, true) => "nix strict",
        }
    }
}
