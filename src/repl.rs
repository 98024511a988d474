//! The dialogue of `larder repl`: on a terminal with line editing, history and completion; else line by line.

mod command;
mod completion;
mod dialogue;
mod terminal;

use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::EvalArgs;
use crate::output;
use crate::sources::Named;
use dialogue::{Dialogue, Next};
use eval::interactive::GrowingInput;
use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

pub(crate) fn run(context: &Context, args: &EvalArgs, loads: Vec<Named>) -> CommandResult {
    let mut dialogue = Dialogue::new(context, args)?;
    if std::io::stdin().is_terminal() {
        if !context.quiet {
            output::error(&format!("larder {}; `:?` lists the commands\n", env!("CARGO_PKG_VERSION")));
        }
        for load in loads {
            dialogue.load(load).unwrap_or_else(|error| error.print());
        }
        return terminal::run(dialogue);
    }
    loads.into_iter().try_for_each(|load| dialogue.load(load))?;
    read_lines(dialogue)
}

/// Takes lines from standard input. An input that is not complete goes on in the next line. The first failure ends the
/// dialogue: what follows may need what failed.
fn read_lines(mut dialogue: Dialogue<'_>) -> CommandResult {
    let (mut input, mut growing) = (String::new(), GrowingInput::default());
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| CliError::failed(format!("cannot read standard input: {error}")))?;
        input.push_str(&line);
        if dialogue.wants_more(&mut growing, &input) {
            input.push('\n');
            continue;
        }
        if dialogue.answer(&input)? == Next::Quit {
            return Ok(ExitCode::SUCCESS);
        }
        (input, growing) = (String::new(), GrowingInput::default());
    }
    dialogue.answer(input.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
