//! The command line: arguments, one command per file, progress. The only crate that knows all others.

mod adding;
mod commands;
mod context;
mod destination;
mod drawing;
mod error;
mod evaluating;
mod evaluations;
mod fetches;
mod given;
mod host_files;
mod host_io;
mod installable;
mod interrupt;
mod keeping;
mod look;
mod lsp;
mod meter;
mod needed;
mod output;
mod place;
mod process;
mod progress;
mod reading;
mod realising;
mod recipe_tree;
mod repl;
mod rewrite;
mod sandbox;
mod sources;
mod text;

use clap::Parser;
use commands::Command;
use context::Context;
use error::CliError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

/// Evaluation makes and drops many small things; with this one it takes a quarter less time than with the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns recipes into systems: derivations, a rootless sandbox, a content-addressed store.
#[derive(Debug, Parser)]
#[command(name = "larder", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "An INSTALLABLE is PATH#ATTR (PATH defaults to `.`), a store path, or at least 8 characters of a digest.\n\
    Exit codes: 0 done; 1 a build or check failed; 2 usage, or a file that is named is not there; 3 an evaluation error; 100 internal error; 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP."
)]
pub(crate) struct Cli {
    /// The store's directory [default: $LARDER_HOME, else $XDG_DATA_HOME/larder, else ~/.local/share/larder]
    #[arg(long, global = true, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Do not make what is written survive a power cut
    #[arg(long, global = true)]
    no_sync: bool,
    /// Show less of what is going on
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    // The spawner is this program again; it must not have any other thread.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == commands::SPAWNER) {
        builder::spawner::main();
    }
    interrupt::watch();
    clap_complete::CompleteEnv::with_factory(commands::completions::command).complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            return told(&error);
        }
    };
    let command = || Context::new(&cli).and_then(|context| cli.command.run(&context));
    // The panic has told of itself already; what is missing is that it is larder's fault.
    let result = catch_unwind(AssertUnwindSafe(command))
        .unwrap_or_else(|_| Err(CliError::internal("this is a bug of larder: please report it with the lines above")));
    match result {
        Ok(code) => code,
        Err(error) => {
            error.print();
            error.exit_code()
        }
    }
}

/// Tells what is wrong with the arguments, or the help or version that was asked for instead of a command.
fn told(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        // It repeats what the user wrote, with what commands to the terminal may be in that.
        if std::env::args_os().any(|argument| argument.to_string_lossy().contains(char::is_control)) {
            output::error(&text::harmless(&error.render().to_string()));
            return ExitCode::from(2);
        }
        // If even that fails there is nobody left to tell.
        let _ = error.print();
        return ExitCode::from(2);
    }
    match output::wrote(error.print()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            error.exit_code()
        }
    }
}

/// What a command returns: its exit code, or an error that says why.
type CommandResult = Result<ExitCode, CliError>;
