//! `larder help`

use crate::Cli;
use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use clap::CommandFactory;
use eval::lint::Rule;
use std::process::ExitCode;

/// Explain a topic or an error code.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A command, an error code such as E0001, or a topic [default: all commands]
    topic: Option<String>,
}

/// The topic that lists the rules of lint.
const LINT_RULES: &str = "lint-rules";

/// Topics that are no command: name and text.
const TOPICS: &[(&str, &str)] = &[
    (
        "installable",
        "An INSTALLABLE names what a command works on:\n\n\
         \x20 PATH#ATTR     the attribute ATTR of the expression in PATH: a file, or a directory with a default.nix;\n\
         \x20               PATH defaults to the current directory\n\
         \x20 STOREPATH     /larder/store/<digest>-<name>, of a tree or of a derivation (`….drv`, `….drv!dev` for one output)\n\
         \x20 DIGEST        at least 8 characters of a digest, if nothing else in the store begins so\n\
         \x20 result        a link that an earlier build has made\n",
    ),
    (
        "first-recipe",
        "A recipe is an expression of the Nix language. With this in a file called `default.nix`\n\n\
         \x20   {\n\
         \x20     greeting = derivation {\n\
         \x20       name = \"greeting\";\n\
         \x20       system = builtins.currentSystem;\n\
         \x20       builder = \"builtin:write\";\n\
         \x20       entries = builtins.toJSON { \"hello.txt\".text = \"Hello, world!\\n\"; };\n\
         \x20     };\n\
         \x20   }\n\n\
         its attribute `greeting` is built in that directory by\n\n\
         \x20   larder build .#greeting\n\
         \x20   larder cat result hello.txt\n\n\
         `recipes/` of larder's own source has packages that are compiled, and the words they are written in.\n",
    ),
    (
        "exit-codes",
        "0    done\n1    a build or a check failed\n2    the command was called wrongly, a file that is named is not there, or no variable says where the store is\n3    an expression is wrong\n100  a bug of larder\n\
         129  ended by SIGHUP\n130  by SIGINT (Ctrl-C)\n143  by SIGTERM\n",
    ),
    (
        "environment",
        "LARDER_HOME     the store's directory; if not set $XDG_DATA_HOME/larder, else ~/.local/share/larder\n\
         LARDER_MIRRORS  mirrors for fetching: `name=url` for mirror://name/…, `hash=url` with {algorithm} and {hash} for mirrors\n\
         \x20               by content; several are separated by spaces; file:// is allowed\n\
         NIX_PATH        where <NAME> is looked for with --impure, after what -I says: [NAME=]PATH, separated by colons\n\
         VISUAL, EDITOR  the editor that `:edit` of `larder repl` starts\n\
         XDG_STATE_HOME  where `larder repl` keeps its history, in larder/; if not set ~/.local/state\n\
         NO_COLOR, TERM  no colours, if the one has any value or the other is `dumb`\n\
         https_proxy, http_proxy, no_proxy   the proxy for fetching\n\
         SSL_CERT_FILE   certificate authorities for fetching; if not set the system's own\n\
         CARGO_HOME      cargo's directory, whose registries are mirror://cargo; if not set ~/.cargo\n",
    ),
];

/// The topic that lists all error codes.
const ERRORS: &str = "errors";

pub(crate) fn run(_: &Context, args: &Args) -> CommandResult {
    let command = Cli::command();
    let Some(topic) = &args.topic else {
        asked_for_help(command, &[])?;
        output::line(format!("\nTopics: {}", topics()))?;
        return Ok(ExitCode::SUCCESS);
    };
    if let Some((_, text)) = TOPICS.iter().find(|(name, _)| name == topic) {
        output::write(text.as_bytes())?;
    } else if let Some(code) = eval::Code::ALL.iter().find(|code| code.number().eq_ignore_ascii_case(topic)) {
        explain(*code)?;
    } else if topic == ERRORS {
        for code in eval::Code::ALL {
            output::line(format!("{}  {}", code.number(), code.title()))?;
        }
    } else if topic == LINT_RULES {
        for rule in Rule::ALL {
            output::line(format!("{}  {}", rule.number(), rule.title()))?;
        }
        for rule in foreign::Rule::ALL {
            output::line(format!("{}  {}", rule.number(), rule.title()))?;
        }
    } else if let Some(rule) = foreign::Rule::ALL.iter().find(|rule| rule.number().eq_ignore_ascii_case(topic)) {
        output::line(format!("{}: {}\n\n{}", rule.number(), rule.title(), rule.explanation()))?;
    } else if let Some(rule) = Rule::ALL.iter().find(|rule| rule.number().eq_ignore_ascii_case(topic)) {
        explain(eval::Code::Lint(*rule))?;
    } else if command.find_subcommand(topic).is_some() {
        asked_for_help(command, &[topic])?;
    } else {
        let error = CliError::usage(format!("there is no help on `{topic}`"));
        return Err(error.hint(format!("topics are {}, every command, and error codes", topics())));
    }
    Ok(ExitCode::SUCCESS)
}

/// Explains an error code.
fn explain(code: eval::Code) -> Result<(), CliError> {
    let eval::Explanation { text, wrong, right } = code.explanation();
    let mut shown = format!("{}: {}\n\n{text}\n", code.number(), code.title());
    if !wrong.is_empty() {
        shown.push_str(&format!("\nWrong:\n\n    {wrong}\n\nRight:\n\n    {right}\n"));
    }
    output::write(shown.as_bytes())
}

/// The topics that are no command.
fn topics() -> String {
    TOPICS.iter().map(|(name, _)| *name).chain([ERRORS, LINT_RULES]).collect::<Vec<_>>().join(", ")
}

/// Prints what `--help` prints.
fn asked_for_help(command: clap::Command, words: &[&str]) -> Result<(), CliError> {
    let name = command.get_name().to_owned();
    let arguments = [&name].into_iter().map(String::as_str).chain(words.iter().copied()).chain(["--help"]);
    match command.try_get_matches_from(arguments) {
        Err(help) if !help.use_stderr() => output::wrote(help.print()),
        _ => Err(CliError::internal("--help was not understood")),
    }
}
