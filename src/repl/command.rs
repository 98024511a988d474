//! The commands of the dialogue: `:` and a word.

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Add,
    Build,
    BuildLink,
    Doc,
    Edit,
    Help,
    Load,
    Print,
    Quit,
    Reload,
    Trace,
    Type,
}

/// What a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Expression,
    File,
    Switch,
}

/// A command.
#[derive(Debug)]
pub(super) struct Command {
    /// Its words, the shortest first.
    pub(super) words: &'static [&'static str],
    pub(super) verb: Verb,
    pub(super) takes: Takes,
    help: &'static str,
}

const fn command(words: &'static [&'static str], verb: Verb, takes: Takes, help: &'static str) -> Command {
    Command { words, verb, takes, help }
}

/// All commands, in the order of the help.
pub(super) const COMMANDS: &[Command] = &[
    command(&["p", "print"], Verb::Print, Takes::Expression, "print all of the value; a string as it is"),
    command(&["t", "type"], Verb::Type, Takes::Expression, "say what kind of value it is"),
    command(&["doc"], Verb::Doc, Takes::Expression, "show the documentation of a function or attribute"),
    command(&["b", "build"], Verb::Build, Takes::Expression, "build a derivation and print its outputs"),
    command(&["bl"], Verb::BuildLink, Takes::Expression, "the same, with links repl-result-OUTPUT that keep them"),
    command(&["a", "add"], Verb::Add, Takes::Expression, "make variables of the attributes of a set"),
    command(&["l", "load"], Verb::Load, Takes::File, "make variables of the attributes of a file"),
    command(&["r", "reload"], Verb::Reload, Takes::Nothing, "forget all, and load anew what was loaded"),
    command(&["e", "edit"], Verb::Edit, Takes::Expression, "open where it was written in $EDITOR, then reload"),
    command(&["te", "trace"], Verb::Trace, Takes::Switch, "show whole traces of errors, or not"),
    command(&["q", "quit"], Verb::Quit, Takes::Nothing, "end the dialogue, as Ctrl-D does"),
    command(&["?", "help"], Verb::Help, Takes::Nothing, "show this help"),
];

/// The command of a line that begins with a colon, and what follows it; `None` when there is no such command.
pub(super) fn parse(line: &str) -> Option<(&'static Command, &str)> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let command = COMMANDS.iter().find(|command| command.words.contains(&word))?;
    Some((command, rest.trim()))
}

/// What the dialogue understands.
pub(super) fn help() -> String {
    let mut text = String::from(
        "EXPR                print the value: its outermost level\n\
         NAME = EXPR         define a variable; several are separated by semicolons\n\
         inherit (EXPR) A B  define variables by attributes\n",
    );
    for command in COMMANDS {
        let argument = match command.takes {
            Takes::Nothing => "",
            Takes::Expression => " EXPR",
            Takes::File => " FILE",
            Takes::Switch => " on|off",
        };
        let words: Vec<_> = command.words.iter().map(|word| format!(":{word}")).collect();
        text.push_str(&format!("{:<20}{}\n", words.join(", ") + argument, command.help));
    }
    text.push_str("Tab completes; Ctrl-C interrupts an evaluation, and what it builds.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_by_all_their_words() {
        assert!(matches!(parse("p  1 + 1 "), Some((command, "1 + 1")) if command.verb == Verb::Print));
        assert!(matches!(parse("quit"), Some((command, "")) if command.verb == Verb::Quit));
        assert!(parse("nope 1").is_none());
    }

    #[test]
    fn words_are_unique() {
        let mut words: Vec<_> = COMMANDS.iter().flat_map(|command| command.words).collect();
        words.sort_unstable();
        let length = words.len();
        words.dedup();
        assert_eq!(words.len(), length);
    }
}
