//! `larder eval`

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::evaluating::Evaluating;
use crate::installable::EvalArgs;
use crate::output;
use crate::realising::LimitArgs;
use crate::sources::SourceArgs;
use eval::{Failure, Session, Value};
use std::process::ExitCode;

/// Print the value of an expression as `nix-instantiate --eval` prints it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: SourceArgs,
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
    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let named = args.sources.named()?;
    if named.is_empty() {
        return Err(CliError::usage("nothing to evaluate: name PATH#ATTR, --file FILE or --expr EXPR"));
    }
    let eval = args.eval.building(args.limits.limits()).looking_only();
    let eval = if args.strict || args.json { eval } else { eval.showing_delayed() };
    let mut evaluating = Evaluating::new(context, &eval);
    for named in &named {
        let printed = evaluating.printed(named, args.way(), |evaluation, value| {
            let mut printed = args.print(&evaluation.session, value).map_err(|failure| evaluation.failure(failure))?;
            if !args.raw && !args.xml {
                printed.push(b'\n');
            }
            Ok(printed)
        })?;
        output::write(&printed)?;
    }
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
