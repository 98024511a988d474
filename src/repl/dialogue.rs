//! What is known in a dialogue, and the answers to inputs.
//!
//! Invariant: an input that fails changes nothing.

use super::command::{self, Command, Takes, Verb};
use super::completion;
use crate::context::Context;
use crate::destination::must_take_link;
use crate::error::CliError;
use crate::evaluations::Source;
use crate::installable::{EvalArgs, Evaluation, Target, current_directory, outputs_of};
use crate::interrupt;
use crate::output;
use crate::progress::WatchArgs;
use crate::realising::{BuildArgs, realise};
use crate::sandbox::read_derivation;
use crate::sources::{Named, installable};
use builder::RunOptions;
use eval::interactive::{Completion, GrowingInput, Input, are_bindings, classify};
use eval::{Failure, Layout, Origin, Value, Variables};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command as Process;
use std::sync::Arc;

/// What to do after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Input,
    Quit,
}

/// A dialogue.
pub(super) struct Dialogue<'c> {
    context: &'c Context,
    args: EvalArgs,
    evaluation: Evaluation,
    variables: Variables,
    directory: PathBuf,
    /// What was loaded, to load it again.
    loads: Vec<Named>,
    /// How many inputs there were: each is a source of its own.
    inputs: usize,
}

impl<'c> Dialogue<'c> {
    pub(super) fn new(context: &'c Context, args: &EvalArgs) -> Result<Self, CliError> {
        // Derivations are kept when one of them is built, and what is shown is there at once.
        let args = args.clone().showing_delayed().looking_only();
        Ok(Self {
            context,
            evaluation: Evaluation::new(context, &args)?,
            args,
            variables: Variables::default(),
            directory: current_directory()?,
            loads: Vec::new(),
            inputs: 0,
        })
    }

    /// Whether an input goes on in the next line. What it grew from is known already.
    pub(super) fn wants_more(&self, growing: &mut GrowingInput, input: &str) -> bool {
        let text = match input.trim_start().strip_prefix(':') {
            None => input,
            Some(line) => match command::parse(line) {
                Some((Command { takes: Takes::Expression, .. }, argument)) => argument,
                _ => return false,
            },
        };
        growing.wants_more(&self.evaluation.session, text.as_bytes())
    }

    /// Does what an input says. Ctrl-C ends it, not the dialogue.
    pub(super) fn answer(&mut self, input: &str) -> Result<Next, CliError> {
        let session = Arc::clone(&self.evaluation.session);
        let _answering = interrupt::on_request(move |_| session.interrupt());
        if let Some(line) = input.trim_start().strip_prefix(':') {
            return self.obey(line);
        }
        match classify(&self.evaluation.session, input.as_bytes()) {
            Input::Empty => {}
            // What is not complete now never will be: defining or evaluating it says what is missing.
            _ if are_bindings(input.as_bytes()) => self.define(input)?,
            _ => self.print(input, false)?,
        }
        Ok(Next::Input)
    }

    fn define(&mut self, bindings: &str) -> Result<(), CliError> {
        let origin = self.origin();
        let Self { evaluation, variables, directory, .. } = self;
        let defined = evaluation.session.define(variables, origin, bindings.as_bytes(), directory);
        defined.map(drop).map_err(|failure| evaluation.failure(failure))
    }

    fn obey(&mut self, line: &str) -> Result<Next, CliError> {
        let Some((command, argument)) = command::parse(line) else {
            let word = line.split_whitespace().next().unwrap_or_default();
            return Err(CliError::usage(format!("there is no command `:{word}`")).hint("`:?` lists the commands"));
        };
        if argument.is_empty() && matches!(command.takes, Takes::Expression | Takes::File) {
            return Err(CliError::usage(format!("`:{}` needs an argument", command.words[0])));
        }
        match command.verb {
            Verb::Add => {
                let value = self.evaluate(argument)?;
                self.add(value)?;
            }
            Verb::Build => self.build(argument, false)?,
            Verb::BuildLink => self.build(argument, true)?,
            Verb::Doc => self.document(argument)?,
            Verb::Edit => self.edit(argument)?,
            Verb::Help => output::write(command::help().as_bytes())?,
            Verb::Load => self.load(installable(OsStr::new(argument))?)?,
            Verb::Print => self.print(argument, true)?,
            Verb::Quit => return Ok(Next::Quit),
            Verb::Reload => self.reload()?,
            Verb::Trace => self.trace(argument)?,
            Verb::Type => {
                let value = self.evaluate(argument)?;
                output::line(self.done(self.evaluation.session.describe(value))?)?;
            }
        }
        Ok(Next::Input)
    }

    fn done<T>(&self, result: Result<T, Failure>) -> Result<T, CliError> {
        result.map_err(|failure| self.evaluation.failure(failure))
    }

    fn origin(&mut self) -> Origin {
        self.inputs += 1;
        Origin::Text(format!("(input {})", self.inputs))
    }

    fn evaluate(&mut self, text: &str) -> Result<Value, CliError> {
        let origin = self.origin();
        let session = &self.evaluation.session;
        self.done(session.eval_with(&self.variables, origin, text.as_bytes(), &self.directory))
    }

    fn print(&mut self, text: &str, deep: bool) -> Result<(), CliError> {
        let value = self.evaluate(text)?;
        let layout = Layout { deep, colour: output::stdout_colours() };
        let mut shown = self.done(self.evaluation.session.show(value, layout))?;
        shown.push(b'\n');
        output::write(&shown)
    }

    fn add(&mut self, value: Value) -> Result<(), CliError> {
        let Self { evaluation, variables, .. } = self;
        let names =
            evaluation.session.add_attributes(variables, value).map_err(|failure| evaluation.failure(failure))?;
        if !self.context.quiet {
            let plural = if names.len() == 1 { "" } else { "s" };
            output::error(&format!("added {} variable{plural}{}\n", names.len(), some_of(&names)));
        }
        Ok(())
    }

    /// Makes variables of the attributes of something, and remembers that for `:r`.
    pub(super) fn load(&mut self, load: Named) -> Result<(), CliError> {
        let value = match &load.source {
            Source::File(path) => self.evaluation.file(path)?,
            Source::Text(text) => self.evaluation.expression(text)?,
        };
        let value = self.evaluation.select(self.evaluation.call(value)?, &load)?;
        self.add(self.evaluation.call(value)?)?;
        self.loads.push(load);
        Ok(())
    }

    /// A new session, because files may have changed; all else is forgotten.
    fn reload(&mut self) -> Result<(), CliError> {
        let mut evaluation = Evaluation::new(self.context, &self.args)?;
        evaluation.errors.trace = self.evaluation.errors.trace;
        self.evaluation = evaluation;
        self.variables = Variables::default();
        let loads = std::mem::take(&mut self.loads);
        let mut result = Ok(());
        for load in loads {
            let loaded = self.load(load.clone());
            if loaded.is_err() {
                // It can be put right and loaded again.
                self.loads.push(load);
                result = result.and(loaded);
            }
        }
        result
    }

    /// Builds a derivation and prints its outputs. With `link`, links in the current directory keep them.
    fn build(&mut self, text: &str, link: bool) -> Result<(), CliError> {
        let value = self.evaluate(text)?;
        let derivation = self.evaluation.derivation(value, text)?;
        self.evaluation.flush()?;
        let place = |output: &str| self.directory.join(format!("repl-result-{output}"));
        if link {
            let store = self.context.store()?;
            for output in read_derivation(store, &derivation.path)?.outputs {
                must_take_link(store, &place(output.as_str()))?;
            }
        }
        let target = Target::Derivation { path: derivation.path, output: None };
        let builder = BuildArgs::default().builder(self.context)?;
        let result = realise(
            self.context,
            &builder,
            &WatchArgs::default(),
            std::slice::from_ref(&target),
            RunOptions::default(),
        )?;
        for (output, path) in outputs_of(&target, &result.outputs) {
            let output = output.map_or_else(String::new, |output| output.to_string());
            if link {
                self.context.store()?.add_root_link(&place(&output), &path)?;
            }
            output::line(format!("{output}: {path}"))?;
        }
        Ok(())
    }

    fn document(&mut self, text: &str) -> Result<(), CliError> {
        let origin = self.origin();
        let session = &self.evaluation.session;
        let found = self.done(session.document(&self.variables, origin, text.as_bytes(), &self.directory))?;
        let place = found.place.map(|place| format!(", at {place}")).unwrap_or_default();
        let Some(documentation) = found.text else {
            return Err(CliError::failed(format!("{}{place} has no documentation", found.subject))
                .hint("a doc-comment is `/** … */` right before a function or binding"));
        };
        output::line(format!("{}{place}\n\n{documentation}", found.subject))
    }

    fn edit(&mut self, text: &str) -> Result<(), CliError> {
        let value = self.evaluate(text)?;
        let (path, line) = self.done(self.evaluation.session.place(value))?;
        let editor = std::env::var("VISUAL").or_else(|_| std::env::var("EDITOR"));
        let editor = editor.map_err(|_| CliError::failed("neither VISUAL nor EDITOR is set"))?;
        let mut words = editor.split_whitespace();
        let program = words.next().ok_or_else(|| CliError::failed("the name of the editor is empty"))?;
        let status = Process::new(program).args(words).arg(format!("+{line}")).arg(&path).status();
        match status {
            Ok(status) if status.success() => self.reload(),
            Ok(status) => Err(CliError::failed(format!("{program}: {status}"))),
            Err(error) => Err(CliError::failed(format!("{program}: {error}"))),
        }
    }

    fn trace(&mut self, argument: &str) -> Result<(), CliError> {
        self.evaluation.errors.trace = match argument {
            "on" => true,
            "off" => false,
            "" => !self.evaluation.errors.trace,
            other => return Err(CliError::usage(format!("`{other}` is neither `on` nor `off`"))),
        };
        output::line(if self.evaluation.errors.trace { "showing whole traces" } else { "showing short traces" })
    }

    /// What may stand where a line ends.
    pub(super) fn complete(&self, line: &str) -> Completion {
        let _silence = self.evaluation.silence();
        completion::complete(&self.evaluation.session, &self.variables, line, &self.directory)
    }
}

/// The first of some names.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 20;
    if names.is_empty() {
        return String::new();
    }
    let shown = names[..names.len().min(SHOWN)].join(", ");
    format!(": {shown}{}", if names.len() > SHOWN { ", …" } else { "" })
}
