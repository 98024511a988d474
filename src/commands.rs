//! The commands, one file each.

mod add;
mod build;
mod bundle;
mod cat;
pub(crate) mod completions;
mod debug;
mod diff;
mod eval;
mod export;
mod fmt;
mod gc;
mod help;
mod instantiate;
mod lint;
mod log;
mod ls;
mod lsp;
mod parse;
mod ps;
pub(crate) mod query;
mod realise;
mod rebuild_index;
mod repl;
mod repro;
mod roots;
mod run;
mod shell;
pub(crate) mod show;
mod verify;
mod why;
mod why_rebuild;

use crate::CommandResult;
use crate::context::Context;

/// The hidden first argument that makes this program the spawner of sandboxes.
pub(crate) const SPAWNER: &str = "__spawner";

macro_rules! commands {
    ($($(#[$attribute:meta])* $variant:ident => $module:ident,)*) => {
        /// What to do.
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum Command {
            $($(#[$attribute])* $variant($module::Args),)*
        }

        impl Command {
            pub(crate) fn run(&self, context: &Context) -> CommandResult {
                match self {
                    $(Self::$variant(args) => $module::run(context, args),)*
                }
            }
        }
    };
}

impl Command {
    /// Whether it deletes what nothing needs, for which a full disk must have some room.
    pub(crate) fn collects(&self) -> bool {
        matches!(self, Self::Gc(args) if args.deletes())
    }

    /// Whether it is about what a store has, so that it makes none.
    pub(crate) fn asks_only(&self) -> bool {
        matches!(
            self,
            Self::Ps(_) | Self::Query(_) | Self::Roots(_) | Self::Gc(_) | Self::Verify(_) | Self::RebuildIndex(_)
        )
    }
}

commands! {
    /// Build installables and print the store paths of their outputs
    Build => build,
    /// Put all that builds fetch into a directory or archive, for building without a network
    Bundle => bundle,
    /// Make store paths or derivations valid, by building where necessary
    Realise => realise,
    /// Run a command in the composed run-time closure of an installable
    Run => run,
    /// Enter the sandbox of a failed build as it was left
    Debug => debug,
    /// Enter the sandbox of a build before it starts
    Shell => shell,
    /// Print the value of an expression as `nix-instantiate --eval` prints it
    Eval => eval,
    /// Evaluate expressions one after the other, in a dialogue
    Repl => repl,
    /// Check the syntax of a file
    Parse => parse,
    /// Find what should be otherwise: in files of the language, trees of package.yml, sources, inputs of builds
    Lint => lint,
    /// Serve editors: the language server protocol on standard input and output
    Lsp => lsp,
    /// Format Nix files in the official style
    Fmt => fmt,
    /// Evaluate installables to derivations and print their store paths
    Instantiate => instantiate,
    /// Show a derivation
    Show => show,
    /// Print the log of the last build, or of one that runs
    Log => log,
    /// List the builds that run, of every larder that uses this store
    Ps => ps,
    /// Add files and directories to the store
    Add => add,
    /// Copy an installable's tree out of the store
    Export => export,
    /// List what is in a store path
    Ls => ls,
    /// Print a file of a store path
    Cat => cat,
    /// Ask the store about paths
    Query => query,
    /// Show why one store path needs another
    Why => why,
    /// Show why a derivation is built anew: what was changed, apart from what only follows
    WhyRebuild => why_rebuild,
    /// List, add and remove GC roots
    Roots => roots,
    /// Delete what no root needs
    Gc => gc,
    /// Check that the store is what its names say
    Verify => verify,
    /// Make the index anew from what it is an index of
    RebuildIndex => rebuild_index,
    /// Compare two trees, down into the files, or two closures
    Diff => diff,
    /// Build again in other circumstances and compare
    Repro => repro,
    /// Print a script that teaches a shell to complete larder's commands
    Completions => completions,
    /// Explain a topic or an error code
    Help => help,
}
