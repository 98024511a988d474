//! The phases of a build's script: what it sets `current_phase` to, as far as that can be told without running it.
//!
//! Invariant: what is told is all that the script, and what it sources, can set it to; where something of that is not understood, nothing is
//! told.

use super::read::{Command, Function, Script, Statement};
use std::collections::{BTreeMap, BTreeSet};

/// The variable that a script keeps the name of its phase in.
const VARIABLE: &str = "current_phase";

/// Functions may call each other so deep.
const DEEPEST: usize = 16;

/// So many commands are looked at: functions that call functions may be many times as many as are written.
const MOST_COMMANDS: usize = 100_000;

/// What is known of variables and of arguments, which are called `1`, `2` and so on.
type Values = BTreeMap<String, Option<String>>;

/// The phases of a script of bash in the order in which they may begin; `None` if that cannot be told. `variables` is the environment it
/// runs in, and `read` gives the texts of files.
pub fn phases(
    script: &str,
    variables: &BTreeMap<String, String>,
    read: &dyn Fn(&str) -> Option<String>,
) -> Option<Vec<String>> {
    let script = Script::read(script);
    let mut scripts = sourced(&script, variables, read)?;
    scripts.push(script);
    let functions: BTreeMap<_, _> =
        scripts.iter().flat_map(Script::functions).map(|function| (function.name.as_str(), function)).collect();
    let announcing = announcing(&functions);
    // A script may evaluate what its environment says.
    let of_variables =
        variables.values().filter(|text| text.contains(['\n', ';', ' ', '='])).map(|text| Script::read(text));
    let is_said = |statement: &Statement| statement.commands.iter().any(|command| says(command, &announcing));
    if of_variables.into_iter().any(|text| text.statements().any(is_said)) {
        return None;
    }
    if scripts.iter().any(|script| script.unclosed().is_some()) {
        return None;
    }
    let changing = changing(&scripts, variables);
    let mut walk = Walk { functions, announcing, changing, found: Vec::new(), left: MOST_COMMANDS };
    scripts.iter().try_for_each(|script| walk.statements(script.outside(), Values::new(), 0))?;
    (!walk.found.is_empty()).then_some(walk.found)
}

/// What a script sources outside of functions, which variables name; what that sources is not followed.
fn sourced(
    script: &Script,
    variables: &BTreeMap<String, String>,
    read: &dyn Fn(&str) -> Option<String>,
) -> Option<Vec<Script>> {
    let values: Values = variables.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    let read = |source: &Command| Some(Script::read(&read(&value(bare(source).get(1)?, &values)?)?));
    let found: Vec<_> = sources(script.outside()).map(read).collect::<Option<_>>()?;
    let hides = |script: &Script| script.functions().any(|function| sources(&function.statements).next().is_some());
    let ends = |script: &Script| sources(script.outside()).next().is_none() && !hides(script);
    (!hides(script) && found.iter().all(ends)).then_some(found)
}

/// The commands that have another script run in this shell.
fn sources(statements: &[Statement]) -> impl Iterator<Item = &Command> {
    let commands = statements.iter().flat_map(|statement| &statement.commands);
    let sources = |words: Vec<&str>| words.iter().take(2).any(|word| matches!(*word, "source" | "."));
    commands.filter(move |command| sources(bare(command)))
}

/// The functions that set the phase, or call one that does.
fn announcing<'s>(functions: &BTreeMap<&'s str, &Function>) -> BTreeSet<&'s str> {
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for (name, function) in functions {
            let mut commands = function.statements.iter().flat_map(|statement| &statement.commands);
            if !found.contains(name) && commands.any(|command| says(command, &found)) {
                found.insert(*name);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// The variables that get another value somewhere than the one that they have: which of them is meant depends on what has run.
fn changing<'s>(scripts: &'s [Script], variables: &'s BTreeMap<String, String>) -> BTreeSet<&'s str> {
    let mut words: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut assigned = BTreeSet::new();
    let functions = scripts.iter().flat_map(Script::functions).flat_map(|function| &function.statements);
    let statements = scripts.iter().flat_map(Script::outside).chain(functions);
    for command in statements.flat_map(|statement| &statement.commands) {
        for (name, word) in &command.assigned {
            assigned.insert(name.as_str());
            words.entry(name).or_default().insert(word);
        }
        for (name, word) in command.words.iter().filter_map(|word| word.split_once('=')) {
            words.entry(name).or_default().insert(word);
        }
    }
    let has_others = |name: &&str| words[name].len() > 1 || variables.contains_key(*name);
    assigned.into_iter().filter(has_others).collect()
}

/// Whether a command may set the phase: itself, by calling one of these functions, or by text that it evaluates.
fn says(command: &Command, announcing: &BTreeSet<&str>) -> bool {
    let words = bare(command);
    let evaluates = matches!(words.first(), Some(&("eval" | "trap" | "bash" | "sh")));
    let assigned =
        command.assigned.iter().any(|(name, value)| name == VARIABLE || may_say(value, evaluates, announcing));
    assigned || words.into_iter().any(|word| may_say(word, evaluates, announcing))
}

/// Whether a word names the variable or one of these functions, at any place of it if it is evaluated.
fn may_say(word: &str, evaluates: bool, announcing: &BTreeSet<&str>) -> bool {
    if evaluates || word.contains("$(") || word.contains('`') {
        let names = word.split(|character: char| !(character.is_ascii_alphanumeric() || "_-".contains(character)));
        return word.contains(VARIABLE) || names.into_iter().any(|name| announcing.contains(name));
    }
    let sets = word.strip_prefix(VARIABLE).is_some_and(|rest| rest.is_empty() || rest.starts_with(['=', '+', '[']));
    sets || word.contains("{current_phase:=") || announcing.contains(word)
}

/// The words of a command without what stands before it: the pattern of a case, brackets of a subshell.
fn bare(command: &Command) -> Vec<&str> {
    let words = command.words.iter().map(|word| word.trim_start_matches('('));
    words.skip_while(|word| word.is_empty() || (word.ends_with(')') && !word.contains('('))).collect()
}

/// What a word comes to, where that is known.
fn value(word: &str, values: &Values) -> Option<String> {
    if !word.contains(['$', '`', '*', '?', '[', '{', '~']) {
        return Some(word.to_owned());
    }
    let name = word.strip_prefix('$')?;
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    values.get(name)?.clone()
}

/// Follows a script from its first command to its last, through whichever branch.
struct Walk<'s> {
    functions: BTreeMap<&'s str, &'s Function>,
    announcing: BTreeSet<&'s str>,
    changing: BTreeSet<&'s str>,
    found: Vec<String>,
    left: usize,
}

impl Walk<'_> {
    fn statements(&mut self, statements: &[Statement], mut values: Values, depth: usize) -> Option<()> {
        let commands = statements.iter().flat_map(|statement| &statement.commands);
        for command in commands {
            self.left = self.left.checked_sub(1)?;
            for (name, word) in &command.assigned {
                self.assign(name, word, &mut values)?;
            }
            self.command(command, &mut values, depth)?;
        }
        Some(())
    }

    fn assign(&mut self, name: &str, word: &str, values: &mut Values) -> Option<()> {
        let value = value(word, values);
        if name != VARIABLE {
            let value = value.filter(|_| !self.changing.contains(name));
            values.insert(name.to_owned(), value);
            return self.refuse(word);
        }
        let phase = value?;
        if !self.found.contains(&phase) {
            self.found.push(phase);
        }
        Some(())
    }

    /// Gives up where a word may set the phase at a place that is not followed.
    fn refuse(&self, word: &str) -> Option<()> {
        (!may_say(word, false, &self.announcing)).then_some(())
    }

    fn command(&mut self, command: &Command, values: &mut Values, depth: usize) -> Option<()> {
        let words = bare(command);
        let Some((&first, rest)) = words.split_first() else { return Some(()) };
        match first {
            "local" | "declare" | "typeset" | "readonly" | "export" => rest.iter().try_for_each(|word| {
                let Some((name, word)) = word.split_once('=') else { return self.refuse(word) };
                self.assign(name, word, values)
            }),
            "for" | "read" | "printf" | "mapfile" | "select" | "unset" => rest.iter().try_for_each(|word| {
                // It may give any of these another value.
                values.insert((*word).to_owned(), None);
                self.refuse(word)
            }),
            "shift" | "set" => {
                values.retain(|name, _| !is_argument(name));
                Some(())
            }
            _ if self.announcing.contains(first) && depth < DEEPEST => {
                // A phase may have the name of a function.
                rest.iter().filter(|word| word.contains('(')).try_for_each(|word| self.refuse(word))?;
                let function = *self.functions.get(first)?;
                // What a caller has is seen by what it calls.
                let mut inner: Values = values.iter().filter(|(name, _)| !is_argument(name)).map(owned).collect();
                let arguments = (1_usize..).zip(rest);
                inner.extend(arguments.map(|(number, word)| (number.to_string(), value(word, values))));
                self.statements(&function.statements, inner, depth + 1)
            }
            _ => {
                let called = value(first, values).unwrap_or_default();
                (!says(command, &self.announcing) && !self.announcing.contains(called.as_str())).then_some(())
            }
        }
    }
}

fn is_argument(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_digit())
}

fn owned((name, value): (&String, &Option<String>)) -> (String, Option<String>) {
    (name.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(script: &str, variables: &[(&str, &str)]) -> Option<Vec<String>> {
        let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let recipes = concat!(env!("CARGO_MANIFEST_DIR"), "/../recipes/lib");
        let read = |path: &str| match path.strip_prefix("/recipes") {
            Some(path) => std::fs::read_to_string(format!("{recipes}{path}")).ok(),
            None => (path == "/nested").then(|| "source /recipes/promises.sh\n".to_owned()),
        };
        phases(script, &variables, &read)
    }

    #[test]
    fn phases_of_the_recipes_are_known() {
        for style in ["autotools", "cargo", "cmake", "custom", "make", "meson", "python"] {
            let style = format!("/recipes/styles/{style}.sh");
            let promises = ("larder_promise_check", "/recipes/promises.sh");
            let processors = ("larder_processors", "/recipes/processors.sh");
            let variables = [("larder_style", style.as_str()), promises, processors, ("larder_phase_build", "make -k")];
            let packages = told(include_str!("../../../recipes/lib/phases.sh"), &variables).expect(&style);
            let expected = ["start", "patch", "configure", "build", "check", "install", "finish", "verify", "outputs"];
            assert_eq!(packages, expected);
        }
        let variables =
            [("larder_deferred", "/recipes/intergenos/deferred.sh"), ("larder_promise_check", "/recipes/promises.sh")];
        let distribution = told(include_str!("../../../recipes/lib/intergenos/phases.sh"), &variables).expect("known");
        let expected = ["start", "patch", "configure", "build", "check", "install", "post_install", "finish", "verify"];
        assert_eq!(distribution, expected);
    }

    #[test]
    fn names_are_followed_through_functions_and_branches() {
        let script = "begin() { current_phase=$1; }\nrun() {\n  local phase=$1 rest=\n  begin \"$phase\"\n}\n\
                      current_phase=first\nrun second x\nif a; then run third; fi\ncase $b in\n c | d) run fourth ;;\nesac\n( run fifth )\n";
        assert_eq!(told(script, &[]).expect("known"), ["first", "second", "third", "fourth", "fifth"]);
    }

    #[test]
    fn nothing_is_told_of_what_is_not_understood() {
        let known = "run() { current_phase=$1; }\nrun one\n";
        assert!(told(known, &[]).is_some());
        for unknown in [
            "for phase in a b; do run $phase; done",
            "run \"$phases\"",
            "eval \"run two\"",
            "x=$(run two)",
            "then_run=run; env run two",
            "source \"$elsewhere\"",
            "more() { source /recipes/promises.sh; }",
            "source /nested",
            "source /absent",
            "read current_phase",
            "for current_phase in two; do :; done",
            ": ${current_phase:=two}",
            "current_phase+=two",
            "call() {\n  current_phase=two\n  \"$1\" three\n}\ncall run",
            "run run; run $(run two)",
            "p=one; if c; then p=two; fi; run $p",
            "p=one; while c; do run $p; p=two; done",
            "pick() { p=two; }\np=one; pick; run $p",
            "again() {\n  set -- two\n  run $1\n}\nagain one",
            "command source /elsewhere",
            "builtin . /elsewhere",
        ] {
            assert_eq!(told(&format!("{known}{unknown}\n"), &[]), None, "{unknown}");
        }
        assert_eq!(told(known, &[("text", "current_phase=mine\nmake")]), None, "a recipe's text");
        assert_eq!(told(known, &[("text", "run mine")]), None);
        assert_eq!(told(&format!("{known}p=one\nrun $p\n"), &[]).expect("known"), ["one"]);
        assert_eq!(told(&format!("{known}c && p=one\nrun $p\n"), &[("p", "two")]), None);
        assert_eq!(told(known, &[("text", "for current_phase in a b; do :; done")]), None);
        assert!(told(known, &[("text", "run-parts mine")]).is_some());
        assert_eq!(told("make\nmake install\n", &[]), None, "there is no phase");
        let endless = "a() { b $1; b $1; }\nb() { a $1; a $1; current_phase=$1; }\na x\n";
        assert_eq!(told(endless, &[]), None);
    }
}
