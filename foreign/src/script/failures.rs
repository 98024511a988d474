//! Failures that nobody sees: of tests, and of commands whose status is lost.

use super::flow::{self, Item, Link, List, Part, Pipeline, Simple};
use super::read::{Command, Function};
use super::{PHASES, Script, installer};
use crate::finding::Finding;
use crate::inspect::Recipe;
use crate::rule::Rule;
use rustc_hash::FxHashMap;
use std::cell::Cell;

/// Programs that run no tests, so that what they end with is of no interest to them.
const NO_TESTS: &[&str] = &[
    ".",
    ":",
    "[",
    "[[",
    "alias",
    "cat",
    "cd",
    "chgrp",
    "chmod",
    "chown",
    "cmp",
    "command",
    "cp",
    "date",
    "declare",
    "df",
    "dirname",
    "du",
    "echo",
    "egrep",
    "exit",
    "export",
    "expr",
    "false",
    "fgrep",
    "file",
    "find",
    "getent",
    "grep",
    "groupadd",
    "groupdel",
    "gunzip",
    "gzip",
    "hash",
    "head",
    "hostname",
    "id",
    "install",
    "kill",
    "killall",
    "ldconfig",
    "let",
    "ln",
    "local",
    "locale",
    "localedef",
    "ls",
    "mkdir",
    "mkfifo",
    "mktemp",
    "mount",
    "mountpoint",
    "mv",
    "nproc",
    "patch",
    "pgrep",
    "pidof",
    "pkill",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readonly",
    "return",
    "rm",
    "rmdir",
    "sed",
    "set",
    "shift",
    "shopt",
    "sleep",
    "sort",
    "source",
    "stat",
    "stty",
    "sysctl",
    "tail",
    "tar",
    "tee",
    "test",
    "touch",
    "trap",
    "true",
    "type",
    "ulimit",
    "umask",
    "umount",
    "uname",
    "unlink",
    "unset",
    "useradd",
    "userdel",
    "wait",
    "wc",
    "which",
    "xz",
];

/// Programs that build, and run tests.
const RUNNERS: [&str; 11] =
    ["cargo", "cmake", "ctest", "go", "make", "meson", "ninja", "pkg_run_tests", "prove", "pytest", "runtest"];

/// Programs that only tell something, and end well.
const TELLING: [&str; 10] = [":", "cat", "echo", "head", "log", "msg", "printf", "tail", "true", "warn"];

/// Programs that pass on what they read, and end well.
const PASSING: [&str; 9] = ["cat", "head", "less", "more", "sed", "sort", "tail", "tee", "ts"];

/// Programs that run what their arguments say.
const CALLERS: [&str; 11] =
    ["bash", "chroot", "dbus-run-session", "env", "nice", "runuser", "setsid", "sh", "su", "timeout", "unshare"];

/// How tests lose their failure in a pipe.
const OF_PIPE: &str = "the status is that of the last command of the pipe, without `set -o pipefail`";

/// Files that remember nothing.
const FORGETFUL: [&str; 4] = ["/dev/null", "/dev/stderr", "/dev/stdout", "/dev/tty"];

/// Functions with more text than this are not looked into, nor are more than so many.
const MAX_FUNCTION: usize = 10_000;
const MAX_FUNCTIONS: usize = 10;

pub(super) fn inspect(recipe: &Recipe<'_>, script: &Script, findings: &mut Vec<Finding>) {
    let file = recipe.files.script_path();
    let installer = installer(recipe, script);
    let own = |function: &&Function| PHASES.contains(&function.name.as_str()) || function.name == installer;
    if let Some(line) =
        switched_off(script.outside().iter().flat_map(|at| at.commands.iter().map(|command| (at.line, command))))
    {
        let message = "from here on build.sh goes on after commands that fail";
        findings.push(Finding::new(Rule::ErrexitOff, &file, line, message));
    }
    for function in script.functions().filter(own) {
        let of_tests = if function.name == "check" { inspect_check(&file, script, function, findings) } else { false };
        inspect_function(&file, script, function, of_tests, findings);
    }
}

/// The line that switches errexit off and leaves it so.
fn switched_off<'c>(commands: impl Iterator<Item = (usize, &'c Command)>) -> Option<usize> {
    let mut off = None;
    for (line, command) in commands {
        match errexit(&command.words) {
            Some(true) => off = None,
            Some(false) => off = off.or(Some(line)),
            None => {}
        }
    }
    off
}

/// Whether a command switches errexit on, or off.
fn errexit(words: &[String]) -> Option<bool> {
    let [set, options @ ..] = words else { return None };
    let mut found = None;
    let mut words = options.iter().filter(|_| set == "set");
    while let Some(option) = words.next() {
        let on = match option.chars().next() {
            Some('-') if option != "--" => true,
            Some('+') => false,
            _ => break,
        };
        if option.contains('e') {
            found = Some(on);
        }
        if option.ends_with('o') && words.next().is_some_and(|name| name == "errexit") {
            found = Some(on);
        }
    }
    found
}

/// Failures that are lost in any phase.
fn inspect_function(file: &str, script: &Script, function: &Function, told: bool, findings: &mut Vec<Finding>) {
    let commands =
        || function.statements.iter().flat_map(|at| at.commands.iter().map(move |command| (at.line, command)));
    let off = commands().find(|(_, command)| errexit(&command.words) == Some(false));
    let last_look = last_look(function);
    if let Some((line, _)) = off.filter(|(line, _)| !told && *line > last_look) {
        let message = format!("behind `set +e` {} goes on after commands that fail", function.name);
        let hint = "say `|| status=$?` behind the one command that may fail, and look at it";
        findings.push(Finding::new(Rule::ErrexitOff, file, line, message).hint(hint));
    }
    if function.name == "check" || sets_pipefail(script, function) {
        return;
    }
    let Some(list) = flow::read(&function.statements) else { return };
    for item in items(&list) {
        let lost = item.parts.iter().find_map(|(_, pipeline)| runner(lost_in(pipeline)?));
        if let Some(program) = lost.filter(|_| item.line > last_look) {
            let message = format!("how {program} ends is not seen: the status is that of the last command of the pipe");
            findings.push(Finding::new(Rule::LostStatus, file, item.line, message).hint("set -o pipefail"));
        }
    }
}

/// The last line that looks at how a command has ended; 0 if none does.
fn last_look(function: &Function) -> usize {
    let looks = |text: &str| ["$?", "${?", "PIPESTATUS"].iter().any(|status| text.contains(status));
    function.statements.iter().rev().find(|statement| looks(&statement.text)).map_or(0, |statement| statement.line)
}

fn sets_pipefail(script: &Script, function: &Function) -> bool {
    let statements = script.outside().iter().chain(&function.statements);
    let mut commands = statements.flat_map(|statement| &statement.commands);
    commands.any(|command| matches!(command.words.as_slice(), [set, options @ ..] if set == "set" && options.iter().any(|option| option == "pipefail")))
}

/// The command whose status a pipeline loses, for the last one only passes on what it reads.
fn lost_in(pipeline: &Pipeline) -> Option<&Simple> {
    let (last, before) = pipeline.parts.split_last()?;
    let passes = match last {
        Part::Simple(simple) => simple.program().is_some_and(|program| PASSING.contains(&program)),
        Part::Loop { .. } => true,
        _ => false,
    };
    before.iter().filter(|_| passes).find_map(runner_of)
}

/// What builds or tests in a command.
fn runner_of(part: &Part) -> Option<&Simple> {
    let is_runner = |part: &&Part| matches!(part, Part::Simple(simple) if runner(simple).is_some());
    let found = match part {
        Part::Simple(_) => Some(part).filter(is_runner),
        Part::Group(list) => {
            let parts = items(list).into_iter().flat_map(|item| &item.parts);
            parts.flat_map(|(_, pipeline)| &pipeline.parts).find(is_runner)
        }
        _ => None,
    };
    match found {
        Some(Part::Simple(simple)) => Some(simple),
        _ => None,
    }
}

fn runner(simple: &Simple) -> Option<&str> {
    if simple.program().is_none_or(is_no_test) || only_asks(simple) {
        return None;
    }
    simple.words.iter().find_map(|word| {
        let name = word.rsplit('/').next().unwrap_or(word);
        // `su tester -c "make check"`
        let calls = simple.program().is_some_and(|program| CALLERS.contains(&program));
        let mut inner = word.split_whitespace().filter(|_| calls);
        if RUNNERS.contains(&name) { Some(name) } else { inner.find(|inner| RUNNERS.contains(inner)) }
    })
}

fn is_no_test(program: &str) -> bool {
    NO_TESTS.contains(&program) || program.starts_with("((")
}

/// Options of make, as single letters; those that take a word end a group of them.
fn options_of_make(simple: &Simple) -> Option<Vec<&str>> {
    let at = simple.words.iter().position(|word| matches!(word.rsplit('/').next(), Some("make" | "gmake")))?;
    let mut found = Vec::new();
    let mut words = simple.words[at + 1..].iter().map(String::as_str);
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.starts_with('-')) else {
            found.push(word);
            continue;
        };
        let end = letters.find(|letter| "CfIjlOoW".contains(letter)).unwrap_or(letters.len());
        found.extend(letters[..end].split("").filter(|letter| !letter.is_empty()));
        if letters.len() == end + 1 && letters.ends_with(['C', 'f', 'I', 'o', 'W']) {
            words.next();
        }
    }
    Some(found)
}

/// Whether a program that builds only asks for something.
fn only_asks(simple: &Simple) -> bool {
    let asks =
        |word: &String| matches!(word.as_str(), "--version" | "--help" | "--dry-run" | "--just-print" | "--question");
    let asked = match simple.program() {
        Some("cargo" | "go" | "meson") => simple
            .words
            .get(1)
            .is_some_and(|word| matches!(word.as_str(), "env" | "introspect" | "list" | "metadata" | "version")),
        Some("ninja") => simple.words.iter().any(|word| word == "-t" || word == "-n"),
        Some("ctest") => simple.words.iter().any(|word| word == "-N" || word == "--show-only"),
        _ => options_of_make(simple).is_some_and(|found| found.iter().any(|word| matches!(*word, "n" | "p" | "q"))),
    };
    asked || simple.words.iter().any(asks)
}

/// Whether what a program that builds is to do sounds like tests; of make, also if nothing is said.
fn is_of_tests(simple: &Simple) -> bool {
    let sounds = |word: &String| ["check", "prove", "regress", "test"].iter().any(|part| word.contains(part));
    let targets = options_of_make(simple).unwrap_or_default();
    let mut targets = targets.iter().filter(|word| word.len() > 1 && !word.starts_with('-') && !word.contains('='));
    let program = simple.program().unwrap_or_default();
    simple.words.iter().any(sounds)
        || match program {
            "cargo" | "cmake" | "go" | "meson" | "ninja" => false,
            _ => targets.next().is_none(),
        }
}

/// All items of a list and of what it consists of, in the order in which they are written.
fn items(list: &List) -> Vec<&Item> {
    let mut found = Vec::new();
    let mut pending: Vec<&Item> = list.iter().rev().collect();
    while let Some(item) = pending.pop() {
        found.push(item);
        let parts = item.parts.iter().flat_map(|(_, pipeline)| &pipeline.parts);
        let inner: Vec<&Item> = parts.flat_map(Part::lists).flatten().collect();
        pending.extend(inner.into_iter().rev());
    }
    found
}

/// A function that tests, and what it is looked at with.
struct Check<'a> {
    /// The functions that may be looked into.
    functions: FxHashMap<&'a str, &'a Function>,
    /// How often a name or the like is mentioned.
    mentions: FxHashMap<&'a str, usize>,
    pipefail: bool,
    /// How many functions may still be looked into.
    left: Cell<usize>,
}

/// Looks for tests whose failure nobody sees; says whether one is because of `set +e`.
fn inspect_check(file: &str, script: &Script, function: &Function, findings: &mut Vec<Finding>) -> bool {
    let mut found = |line, how: &str| {
        let hint = match how {
            OF_PIPE => "set -o pipefail",
            _ => "say `tests: {failure_policy: known_failures, reason: …}` in package.yml",
        };
        let message = format!("check cannot fail: {how}");
        findings.push(Finding::new(Rule::IgnoredFailure, file, line, message).hint(hint));
    };
    let Some(list) = flow::read(&function.statements) else {
        // Of what is not understood only the plainest form is told.
        for statement in &function.statements {
            let swallows = |pair: &[Command]| {
                let is_no_test = pair[0].words.first().is_none_or(|program| is_no_test(program));
                pair[1].after_failure
                    && !is_no_test
                    && matches!(pair[1].words.as_slice(), [word] if word == "true" || word == ":")
            };
            if statement.commands.windows(2).any(swallows) {
                found(statement.line, "what comes after `||` succeeds");
            }
        }
        return false;
    };
    let check = Check::new(script, sets_pipefail(script, function));
    let (all, last_look) = (items(&list), last_look(function));
    // Behind what judges the results, nothing more is known.
    let judged = all.iter().rposition(|item| judges(item)).unwrap_or_default();
    for (at, item) in all.iter().enumerate() {
        let how = check.swallows(item).filter(|how| at >= judged && (*how != OF_PIPE || item.line > last_look));
        if let Some(how) = how {
            found(item.line, how);
        }
    }
    let Some(line) = behind_off(&list).filter(|at| *at > last_look) else { return false };
    let judged = all.get(judged).filter(|item| judges(item)).map_or(0, |item| item.line);
    if line < judged {
        return false;
    }
    found(line, "it goes on behind `set +e`, and ends as its last command does");
    true
}

/// Tests behind `set +e` that are not the last command.
fn behind_off(list: &List) -> Option<usize> {
    let mut on = true;
    let (_, items) = list.split_last()?;
    for item in items {
        let [(_, pipeline)] = item.parts.as_slice() else { continue };
        let [Part::Simple(simple)] = pipeline.parts.as_slice() else { continue };
        on = errexit(&simple.words).unwrap_or(on);
        if !on && runner(simple).is_some() && is_of_tests(simple) {
            return Some(item.line);
        }
    }
    None
}

impl<'a> Check<'a> {
    fn new(script: &'a Script, pipefail: bool) -> Self {
        let size =
            |function: &&Function| function.statements.iter().map(|statement| statement.text.len()).sum::<usize>();
        let small = script.functions().filter(|function| size(function) <= MAX_FUNCTION);
        let mut mentions = FxHashMap::default();
        for name in script.statements().flat_map(|statement| names(&statement.text)) {
            *mentions.entry(name).or_default() += 1;
        }
        let functions = small.map(|function| (function.name.as_str(), function)).collect();
        Self { functions, mentions, pipefail, left: Cell::new(MAX_FUNCTIONS) }
    }

    /// How tests lose their failure.
    fn swallows(&self, item: &Item) -> Option<&'static str> {
        let goes_on = |(link, later): &(Link, Pipeline)| *link == Link::And && self.pipeline_fails(later);
        let goes_on = item.parts.iter().rposition(goes_on).unwrap_or_default();
        let mut runs = false;
        for (at, (link, pipeline)) in item.parts.iter().enumerate() {
            if runs && *link == Link::Or && at >= goes_on && !self.pipeline_fails(pipeline) {
                return Some("what comes after `||` succeeds");
            }
            runs |= pipeline.parts.iter().any(may_test);
        }
        for (_, pipeline) in &item.parts {
            if !self.pipefail && lost_in(pipeline).is_some_and(is_of_tests) {
                return Some(OF_PIPE);
            }
            for part in &pipeline.parts {
                match part {
                    Part::Simple(simple) if runner(simple).is_some() && ignores(simple) => {
                        return Some("with `-i` make ends well whatever fails");
                    }
                    Part::If { branches, otherwise } if self.forgets(branches, otherwise.as_ref()) => {
                        return Some("what comes after the condition succeeds");
                    }
                    _ => {}
                }
            }
        }
        None
    }

    /// Whether a condition that runs tests goes well if they fail.
    fn forgets(&self, branches: &[(List, List)], otherwise: Option<&List>) -> bool {
        let [(condition, body)] = branches else { return false };
        let [Item { parts, .. }] = condition.as_slice() else { return false };
        let [(_, pipeline)] = parts.as_slice() else { return false };
        let [part] = pipeline.parts.as_slice() else { return false };
        let failed = if pipeline.negated { Some(body) } else { otherwise };
        runner_of(part).is_some_and(is_of_tests) && failed.is_none_or(|list| !self.list_fails(list))
    }

    fn list_fails(&self, list: &List) -> bool {
        for item in list {
            if self.item_fails(item) {
                return true;
            }
            let ends = |simple: &Simple| matches!(simple.program(), Some("exit" | "return"));
            if matches!(item.parts.as_slice(), [(_, pipeline)]
                if matches!(pipeline.parts.as_slice(), [Part::Simple(simple)] if ends(simple)))
            {
                return false;
            }
        }
        false
    }

    fn item_fails(&self, item: &Item) -> bool {
        let (mut fails, mut leaves) = (false, false);
        for (link, pipeline) in &item.parts {
            let this = self.pipeline_fails(pipeline);
            fails = match link {
                Link::First => this,
                Link::And => fails || this,
                Link::Or => leaves || (fails && this),
            };
            leaves |= pipeline.parts.iter().any(leaves_badly);
        }
        fails && !item.background
    }

    fn pipeline_fails(&self, pipeline: &Pipeline) -> bool {
        let Some((last, before)) = pipeline.parts.split_last() else { return true };
        pipeline.negated || self.part_fails(last) || (self.pipefail && before.iter().any(|part| self.part_fails(part)))
    }

    fn part_fails(&self, part: &Part) -> bool {
        match part {
            Part::Simple(simple) => self.simple_fails(simple),
            Part::Group(list) => self.list_fails(list),
            Part::If { branches, otherwise } => {
                let bodies = branches.iter().map(|(_, body)| body).chain(otherwise);
                let mut conditions = branches.iter().flat_map(|(condition, _)| condition);
                conditions.any(item_leaves_badly) || bodies.into_iter().any(|body| self.list_fails(body))
            }
            Part::Loop { condition, body } => condition.iter().any(item_leaves_badly) || self.list_fails(body),
            Part::Case(bodies) => bodies.iter().any(|body| self.list_fails(body)),
        }
    }

    /// Whether a command may fail, or remembers a failure.
    fn simple_fails(&self, simple: &Simple) -> bool {
        let mentioned = |name: &String| {
            names(name).last().is_some_and(|name| self.mentions.get(name).is_some_and(|count| *count > 1))
        };
        let mut files = simple.written.iter().filter(|file| !FORGETFUL.contains(&file.as_str()));
        if files.any(mentioned) || simple.assigned.iter().any(mentioned) {
            return true;
        }
        let Some(program) = simple.program() else { return false };
        if matches!(program, "exit" | "return") {
            return simple.words.get(1).is_none_or(|status| status != "0");
        }
        let Some(function) = self.functions.get(simple.words[0].as_str()) else { return !TELLING.contains(&program) };
        let Some(left) = self.left.get().checked_sub(1) else { return true };
        self.left.set(left);
        flow::read(&function.statements).is_none_or(|list| self.list_fails(&list))
    }
}

/// Names and the like in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let names = text.split(|character: char| !(character.is_ascii_alphanumeric() || "_.-".contains(character)));
    names.filter(|name| !name.is_empty())
}

/// Whether a command may run tests: whatever is not known for something else.
fn may_test(part: &Part) -> bool {
    match part {
        Part::Simple(simple) => {
            simple.program().is_some_and(|program| !is_no_test(program)) && !only_asks(simple) && is_of_tests(simple)
        }
        other => {
            let items = other.lists().into_iter().flat_map(|list| items(list));
            let mut parts = items.flat_map(|item| &item.parts).flat_map(|(_, pipeline)| &pipeline.parts);
            parts.any(|part| matches!(part, Part::Simple(_)) && may_test(part))
        }
    }
}

/// Whether make is told to end well whatever fails.
fn ignores(simple: &Simple) -> bool {
    options_of_make(simple)
        .is_some_and(|options| options.iter().any(|option| matches!(*option, "i" | "--ignore-errors")))
}

fn leaves_badly(part: &Part) -> bool {
    match part {
        Part::Simple(simple) => {
            let leaves =
                matches!(simple.program(), Some("exit" | "return" | "die" | "fail" | "abort" | "error" | "false"));
            leaves && simple.words.get(1).is_none_or(|status| status != "0")
        }
        other => other.lists().into_iter().flatten().any(item_leaves_badly),
    }
}

fn item_leaves_badly(item: &Item) -> bool {
    item.parts.iter().any(|(_, pipeline)| pipeline.parts.iter().any(leaves_badly))
}

/// Whether the status of a command is a judgement. A grep that shows what it finds is none.
fn looks(simple: &Simple, negated: bool) -> bool {
    let has = |letter: char, long: &str| {
        let short = |word: &String| word.starts_with('-') && !word.starts_with("--") && word.contains(letter);
        simple.words.iter().any(|word| short(word) || word == long)
    };
    match simple.program() {
        Some("grep" | "egrep" | "fgrep") => negated || has('q', "--quiet"),
        // Their programs may `exit`.
        Some("awk" | "bash" | "gawk" | "mawk" | "perl" | "python3" | "sh") => {
            simple.words[1..].iter().any(|word| word.contains("exit"))
        }
        Some(program) => matches!(program, "[" | "[[" | "cmp" | "diff" | "test"),
        None => false,
    }
}

/// Whether an item looks at results and fails if they are bad.
fn judges(item: &Item) -> bool {
    let parts = || item.parts.iter().flat_map(|(_, pipeline)| &pipeline.parts);
    let runs = |part: &Part| match part {
        Part::Simple(simple) => runner(simple).is_some(),
        other => other.lists().into_iter().flat_map(items).any(|item| {
            let mut parts = item.parts.iter().flat_map(|(_, pipeline)| &pipeline.parts);
            parts.any(|part| matches!(part, Part::Simple(simple) if runner(simple).is_some()))
        }),
    };
    let alone = matches!(item.parts.as_slice(), [(_, pipeline)] if
        matches!(pipeline.parts.last(), Some(Part::Simple(last)) if looks(last, pipeline.negated)));
    !parts().any(runs) && (alone || parts().any(leaves_badly))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&'static str, usize)> {
        let script = Script::read(text);
        let mut findings = Vec::new();
        for function in script.functions() {
            let of_tests = function.name == "check" && inspect_check("x", &script, function, &mut findings);
            inspect_function("x", &script, function, of_tests, &mut findings);
        }
        findings.iter().map(|finding| (finding.rule.number(), finding.line)).collect()
    }

    /// What is told of the lines of check().
    fn of_check(body: &str) -> Vec<(&'static str, usize)> {
        found(&["check() {\n    ", &body.replace('\n', "\n    "), "\n}\n"].concat())
    }

    #[test]
    fn tests_that_cannot_fail_are_told() {
        for body in [
            "make check || true",
            "make check || :",
            "make check || /bin/true",
            "make check || return 0",
            "make check || exit 0",
            "make check || { echo failed >&2; cat log; }",
            "make check ||\n{\n echo failed\n return 0\n}",
            "make check || { true; exit 0; }",
            "cd tests && make check || echo failed",
            "make check || echo failed > never-read",
            "make check || make check2 || true",
            "( cd tests; ./run ) || true",
            "for test in a b; do ./$test; done || true",
            "make -k check 2>&1 | tee log",
            "make -k check 2>&1 | tee log\nawk '/PASS/{t+=$3}; END{print t}' log",
            "su tester -c \"make check\" | while read l; do echo $l; done",
            "{ make check; } | tail -n 5",
            "make -i check",
            "make -C tests -ki check",
            "pkg_run_tests package.yml make --ignore-errors check",
            "if ! make check; then echo failed; fi",
            "if make check; then echo fine; fi",
            "if make check; then echo fine; else echo failed; return 0; fi",
            "if [ -f Makefile ]; then make check || true; fi",
            "if [[ -n x && y ]]; then su tester -c \"make check\" || echo failed; fi",
            "case $x in a) make check || true ;; esac",
            "make -k check || true\ngrep '^FAIL:' $(find -name '*.log')",
            "make -k check || true\n../contrib/test_summary | grep -A7 Summ",
            "ninja -C build test || true",
            "./run-all || true",
            "eval \"make check\" || true",
        ] {
            assert_eq!(of_check(body), [("R0051", 2)], "{body}");
        }
        assert_eq!(of_check("set +e\nmake check\necho done"), [("R0051", 3)]);
        assert_eq!(of_check("note() { :; }\nmake check || true"), [("R0051", 3)], "not understood, but plain");
        let own = "warn() {\n echo $1\n}\ncheck() {\n make check || warn failed\n}\n";
        assert_eq!(found(own), [("R0051", 5)]);
    }

    #[test]
    fn tests_that_can_fail_are_right() {
        for body in [
            "make check || { echo \"tests failed\" >&2; cat log; exit 1; }",
            "make check || {\n echo failed\n cat log\n return 1\n}",
            "command -v python3 >/dev/null || echo \"no python\"\nmake check",
            "[ -d tests ] || mkdir tests || true\ntest -x a || echo no\nwhich a || true\nrm -f x || :\nmake check",
            "grep -c PASS log || true\n[[ -f x || -f y ]] || return 0\nmake check",
            "make check || exit",
            "make check || return $?",
            "make check || exit \"$status\"",
            "make check || false",
            "make check || { cat log; false; }",
            "make check || make check",
            "make check || rc=$?\nreturn $rc",
            "make check || { echo failed; rc=1; }\n(( rc == 0 ))",
            "make check || echo failed > result\n[ ! -e result ]",
            "make check || true\ngrep -q '# FAIL:  0' tests/log",
            "make check 2>&1 | tee log\nif grep -q FAIL log; then exit 1; fi",
            "make check 2>&1 | tee log\nreturn ${PIPESTATUS[0]}",
            "set -o pipefail\nmake check 2>&1 | tee log",
            "make check 2>&1 | grep -q 'all passed'",
            "make check | tee log || exit 1\nexit ${PIPESTATUS[0]}",
            "if ! make check; then echo failed; exit 1; fi",
            "if make check; then echo fine; else echo failed; false; fi",
            "if make check; then :; elif make check2; then :; else exit 1; fi",
            "if make -n check; then make check; fi",
            "if has_tests; then make check; fi",
            "make clean || true\nmake check",
            "make -C doc html || true\nninja -C build || echo odd\nmake check",
            "cmake --build build --target help | head\nmake -C doc html | tee log\nmake check",
            "if meson introspect --tests build; then meson test; fi",
            "if make -C doc html; then echo fine; fi\nmake check",
            "make check || true\n! grep FAIL log",
            "make -C images check -j4 -f Makefile.i",
            "set +e\nmake check",
            "set +e\nmake check\nstatus=$?\nset -e\nreturn $status",
            "echo \"make check || true\"",
        ] {
            let all = of_check(body);
            assert!(!all.iter().any(|(rule, _)| *rule == "R0051"), "{body}: {all:?}");
        }
        assert!(found("set -o pipefail\ncheck() {\n make check | tee log\n}\n").is_empty());
        let own = "warn() {\n echo $1\n exit 1\n}\ncheck() {\n make check || warn failed\n}\n";
        assert!(found(own).is_empty());
    }

    #[test]
    fn lost_failures_of_builds_are_told() {
        let of_build = |body: &str| found(&["build() {\n    ", &body.replace('\n', "\n    "), "\n}\n"].concat());
        assert_eq!(of_build("cd x\nmake -j4 2>&1 | tee log"), [("R0058", 3)]);
        assert_eq!(of_build("if a; then\n ninja -C b | tail -n 3 || exit 1\nfi"), [("R0058", 3)]);
        assert_eq!(of_build("set +e\nmake"), [("R0057", 2)]);
        assert_eq!(of_build("set +o errexit\nmake\nset -e"), [("R0057", 2)]);
        for right in [
            "set -o pipefail\nmake | tee log",
            "set -euo pipefail; make | tee log",
            "make | tee log; exit ${PIPESTATUS[0]}",
            "set +e\nmake\nstatus=$?\nset -e\n[ $status = 0 ]",
            "set +h\nmake",
            "echo make | tee log",
            "make -n | tee plan",
            "ninja -t targets | head",
            "go version | tee log",
            "make html || true",
            "cat a | sed s/a/b/ | tee c",
        ] {
            assert!(of_build(right).is_empty(), "{right}: {:?}", of_build(right));
        }
        let off = |text: &str| {
            let script = Script::read(text);
            switched_off(script.outside().iter().flat_map(|at| at.commands.iter().map(|command| (at.line, command))))
        };
        assert_eq!(off("set -e\nset +e\nbuild() { make; }\n"), Some(2));
        assert_eq!(off("set +e\nx\nset -eu\nbuild() { set +e; }\n"), None);
    }
}
