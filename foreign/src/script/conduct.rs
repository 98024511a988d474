//! What a build must not do: act on the running system.

use super::read::{Command, Function};
use super::{PHASES, Script, Statement, installer};
use crate::finding::Finding;
use crate::inspect::Recipe;
use crate::rule::Rule;

/// Programs that change the running system, whatever they are given.
const OF_ROOT: [&str; 12] = [
    "useradd",
    "userdel",
    "usermod",
    "groupadd",
    "groupdel",
    "groupmod",
    "gpasswd",
    "systemctl",
    "udevadm",
    "depmod",
    "modprobe",
    "mount",
];

/// Those of them, and `ldconfig`, that work on another root if an option names it.
const ELSEWHERE: [&str; 3] = ["depmod", "ldconfig", "systemctl"];

/// Programs that write to their last argument.
const TO_LAST: [&str; 5] = ["cp", "mv", "install", "ln", "rsync"];

/// Programs that change each of their arguments.
const TO_ALL: [&str; 9] = ["mkdir", "rm", "rmdir", "touch", "chmod", "chown", "chgrp", "tee", "unlink"];

/// Where anybody may write.
const FREE: [&str; 5] = ["/dev/null", "/dev/stdout", "/dev/stderr", "/tmp", "/build"];

/// The place of the distribution's own tree.
const REPOSITORY: &str = "/mnt/intergenos";

pub(super) fn inspect(recipe: &Recipe<'_>, script: &Script, findings: &mut Vec<Finding>) {
    let file = recipe.files.script_path();
    let installer = installer(recipe, script);
    let own = |function: &&Function| PHASES.contains(&function.name.as_str()) || function.name == installer;
    let direct = |function: &Function| recipe.manifest.direct_install && function.name == installer;
    for function in script.functions().filter(own).filter(|function| !direct(function)) {
        for statement in &function.statements {
            inspect_statement(&file, &function.name, statement, findings);
        }
    }
    for statement in script.outside() {
        inspect_statement(&file, "build.sh itself", statement, findings);
        if ends_shell(statement) {
            let message = "under no condition, this ends the shell that reads build.sh, and no phase runs";
            findings.push(Finding::new(Rule::EndsEarly, &file, statement.line, message));
        }
    }
    for statement in script.statements().filter(|statement| statement.text.contains(REPOSITORY)) {
        let path = path_in(&statement.text);
        let message = format!("{path} is read, an input that nothing declares");
        let hint = "put the file beside build.sh and use `$(dirname \"${BASH_SOURCE[0]}\")`";
        findings.push(Finding::new(Rule::LiveRoot, &file, statement.line, message).hint(hint));
    }
}

fn path_in(text: &str) -> &str {
    let start = text.find(REPOSITORY).unwrap_or_default();
    let rest = &text[start..];
    let end = rest.find(|character: char| character.is_whitespace() || "\"';)|&".contains(character));
    &rest[..end.unwrap_or(rest.len())]
}

/// Whether it is an `exit` under no condition, as far as can be told: not behind another command, and not indented.
fn ends_shell(statement: &Statement) -> bool {
    matches!(statement.text.split([' ', ';']).next(), Some("exit"))
}

fn inspect_statement(file: &str, phase: &str, statement: &Statement, findings: &mut Vec<Finding>) {
    for command in &statement.commands {
        let Some(what) = acts_on_root(command) else { continue };
        let message = format!("{phase} {what}, outside of the package");
        let hint = "install below $DESTDIR; what can only be done on the running system belongs in post_install";
        findings.push(Finding::new(Rule::LiveRoot, file, statement.line, message).hint(hint));
    }
}

/// What a command does to the running system.
fn acts_on_root(command: &Command) -> Option<String> {
    if let Some(path) = command.written.iter().find(|path| is_live(path)) {
        return Some(format!("writes to {path}"));
    }
    let (program, arguments) = command.words.split_first()?;
    let program = program.rsplit('/').next().unwrap_or(program);
    let mut paths = arguments.iter().filter(|argument| is_live(argument));
    let changed = match program {
        _ if ELSEWHERE.contains(&program) && arguments.iter().any(|argument| is_staged(argument)) => None,
        "ldconfig" if !arguments.iter().any(|argument| argument == "-n" || argument == "-N") => {
            return Some("calls ldconfig".to_owned());
        }
        _ if OF_ROOT.contains(&program) => return Some(format!("calls {program}")),
        _ if TO_ALL.contains(&program) => paths.next(),
        "sed" => edited_by_sed(arguments).into_iter().find(|argument| is_live(argument)),
        _ if TO_LAST.contains(&program) => target_of(program, arguments),
        "tar" | "bsdtar" | "unzip" => {
            let into = arguments.iter().position(|argument| matches!(argument.as_str(), "-C" | "--directory" | "-d"));
            into.and_then(|at| arguments.get(at + 1)).filter(|argument| is_live(argument))
        }
        _ => None,
    };
    changed.map(|path| format!("changes {path}"))
}

/// The files that sed changes: what is neither an option nor the script.
fn edited_by_sed(arguments: &[String]) -> Vec<&String> {
    let (mut in_place, mut has_script) = (false, false);
    let mut operands = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let short = word.strip_prefix('-').filter(|letters| !letters.starts_with('-') && !letters.is_empty());
        match (word.as_str(), short) {
            ("--expression" | "--file", _) => (has_script, _) = (true, words.next()),
            (long, _) if long.starts_with("--expression=") || long.starts_with("--file=") => has_script = true,
            (long, _) if long.starts_with("--") => in_place |= long.starts_with("--in-place"),
            (_, Some(letters)) => {
                // After `i` comes the suffix of a copy, after `e` and `f` the script or its file.
                let taken = letters.find(['i', 'e', 'f']).map(|at| letters.split_at(at));
                match taken.map(|(_, from)| (from.starts_with('i'), from.len() == 1)) {
                    Some((true, _)) => in_place = true,
                    Some((false, alone)) => (has_script, _) = (true, if alone { words.next() } else { None }),
                    None => {}
                }
            }
            _ => operands.push(word),
        }
    }
    match in_place {
        true if has_script => operands,
        true => operands.split_off(operands.len().min(1)),
        false => Vec::new(),
    }
}

/// Where programs put what their arguments name: after `-t`, else the last one; each one for `install -d`.
fn target_of<'a>(program: &str, arguments: &'a [String]) -> Option<&'a String> {
    let has = |letter: char, argument: &str| {
        argument.strip_prefix('-').is_some_and(|letters| !letters.starts_with('-') && letters.contains(letter))
    };
    if program == "install" && arguments.iter().any(|argument| has('d', argument) || argument == "--directory") {
        return arguments.iter().find(|argument| is_live(argument));
    }
    let named = arguments.iter().position(|argument| matches!(argument.as_str(), "-t" | "--target-directory"));
    let target = named.map_or(arguments.last(), |at| arguments.get(at + 1));
    target.filter(|target| is_live(target))
}

/// Whether a word has the place in it where files are installed.
fn is_staged(word: &str) -> bool {
    word.contains("$DESTDIR") || word.contains("${DESTDIR")
}

/// An absolute path that is of the running system.
fn is_live(path: &str) -> bool {
    path.starts_with('/')
        && path.len() > 1
        && !FREE.iter().any(|place| below(path, place))
        && !path.starts_with("/proc/")
}

fn below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str) -> Option<String> {
        let script = Script::read(&format!("build() {{\n{text}\n}}\n"));
        let statements = &script.function("build").unwrap().statements;
        statements.iter().flat_map(|statement| &statement.commands).find_map(acts_on_root)
    }

    #[test]
    fn scripts_of_sed_are_no_paths() {
        for harmless in [
            "sed -i '/MV.*old/d' Makefile.in",
            "sed -e '/^#/d' -i Makefile",
            "sed -i -e '/a/d' -e '/b/d' Makefile",
            "sed -e '/PATH=/{s@/sbin:@@}' \\\n -i etc/login.defs",
            "sed -n '/x/p' /etc/passwd",
            "sed -i.orig --expression '/a/d' b",
            "sed -i \"/a/d\" \"${DESTDIR}/etc/x\"",
            "sed -ri '/a/d' b",
            "sed -nEe '/a/d' /etc/x",
        ] {
            assert_eq!(changed(harmless), None, "{harmless}");
        }
        for live in ["sed -i s/a/b/ /etc/x", "sed '/a/d' -i /etc/x", "sed -Ei -e /a/ /etc/x", "sed -i -f a /etc/x"] {
            assert_eq!(changed(live).as_deref(), Some("changes /etc/x"), "{live}");
        }
    }

    #[test]
    fn what_works_in_the_staging_directory_is_right() {
        for harmless in
            ["systemctl --root=\"$DESTDIR\" enable sshd", "depmod -b \"${DESTDIR}\" 6.1", "ldconfig -r ${DESTDIR:?}"]
        {
            assert_eq!(changed(harmless), None, "{harmless}");
        }
        for live in ["systemctl enable sshd", "depmod -a 6.1", "ldconfig", "useradd -R \"$DESTDIR\" x"] {
            assert!(changed(live).is_some_and(|what| what.starts_with("calls ")), "{live}");
        }
    }

    #[test]
    fn targets_are_found() {
        for live in ["install -v -m700 -d /etc/x", "cp -t /etc/x a b", "install -Dm644 a /etc/x", "mv a /etc/x"] {
            assert_eq!(changed(live).as_deref(), Some("changes /etc/x"), "{live}");
        }
        for harmless in ["cp /etc/x .", "install -m644 /usr/share/a -t b", "ln -s /usr/lib/a \"$DESTDIR/b\""] {
            assert_eq!(changed(harmless), None, "{harmless}");
        }
    }
}
