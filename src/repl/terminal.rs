//! The dialogue on a terminal: line editing, history, completion, and inputs of several lines.

use super::dialogue::{Dialogue, Next};
use crate::CommandResult;
use crate::error::CliError;
use eval::interactive::GrowingInput;
use rustyline::completion::Completer;
use rustyline::config::{CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Editor, Helper};
use std::path::PathBuf;
use std::process::ExitCode;

const PROMPT: &str = "larder> ";

/// What the line editor asks the dialogue.
struct Asked<'c>(Dialogue<'c>);

impl Completer for Asked<'_> {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &rustyline::Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let completion = self.0.complete(&line[..at]);
        Ok((completion.start, completion.candidates))
    }
}

impl Validator for Asked<'_> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let more = self.0.wants_more(&mut GrowingInput::default(), context.input());
        Ok(if more { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Hinter for Asked<'_> {
    type Hint = String;
}

impl Highlighter for Asked<'_> {}
impl Helper for Asked<'_> {}

/// Answers inputs until the dialogue ends. A failure is told and does not end it.
pub(super) fn run(dialogue: Dialogue<'_>) -> CommandResult {
    let config = Config::builder().completion_type(CompletionType::List).max_history_size(10_000);
    let config = config.map_err(told)?.build();
    let mut editor: Editor<Asked<'_>, FileHistory> = Editor::with_config(config).map_err(told)?;
    editor.set_helper(Some(Asked(dialogue)));
    let history = history_file();
    if let Some(history) = &history {
        // Without a history there is none yet.
        let _ = editor.load_history(history);
    }
    loop {
        let input = match editor.readline(PROMPT) {
            Ok(input) => input,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(told(error)),
        };
        if !input.trim().is_empty() {
            remember(&mut editor, &input, history.as_ref());
        }
        let dialogue = &mut editor.helper_mut().expect("set above").0;
        match dialogue.answer(&input) {
            Ok(Next::Input) => {}
            Ok(Next::Quit) => return Ok(ExitCode::SUCCESS),
            Err(error) => error.print(),
        }
    }
}

/// A history that cannot be written is not worth an error at every line.
fn remember(editor: &mut Editor<Asked<'_>, FileHistory>, input: &str, history: Option<&PathBuf>) {
    let added = editor.add_history_entry(input).unwrap_or_default();
    if let Some(history) = history.filter(|_| added) {
        let _ = editor.append_history(history);
    }
}

fn told(error: ReadlineError) -> CliError {
    CliError::failed(format!("cannot read from the terminal: {error}"))
}

/// Where inputs are kept; `None` when nobody says where.
fn history_file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")))?;
    let directory = state.join("larder");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("repl-history"))
}
