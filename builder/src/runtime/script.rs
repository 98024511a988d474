//! What scripts need: the program in their first line, and the one that `env` is to find. Pure.

/// What the first line of a script names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FirstLine {
    /// The program that the kernel starts.
    pub(super) interpreter: String,
    /// The program that `env` looks for in the search path.
    pub(super) command: Option<String>,
}

/// Reads a first line, without its `#!`.
pub(super) fn first_line(line: &[u8]) -> Option<FirstLine> {
    let line = line.split(|&byte| byte == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_whitespace();
    let interpreter = words.next()?.to_owned();
    let is_env = interpreter.rsplit('/').next() == Some("env");
    let command = if is_env { command_of_env(words) } else { None };
    // A path of its own is not looked for, and what the script's user sets cannot be known.
    let command = command.filter(|word| !word.contains(['/', '$', '{'])).map(str::to_owned);
    Some(FirstLine { interpreter, command })
}

/// The command behind the options and variables of `env`; `None` also where it takes a shell to see it.
fn command_of_env<'w>(mut words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    while let Some(word) = words.next() {
        match word {
            quoted if quoted.contains(['"', '\'', '\\']) => return None,
            "-u" | "-C" | "-a" | "--unset" | "--chdir" | "--argv0" => drop(words.next()),
            other if other.starts_with('-') || other.contains('=') => {}
            command => return Some(command),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_env_is_to_find_is_needed() {
        let command = |line: &str| first_line(line.as_bytes()).expect("it names a program").command;
        assert_eq!(command("/usr/bin/env python3\nimport os").as_deref(), Some("python3"));
        assert_eq!(command(" /usr/bin/env -S -i A=b perl -w").as_deref(), Some("perl"));
        assert_eq!(command("/usr/bin/env -S -u FOO -C /tmp sh -x").as_deref(), Some("sh"));
        assert_eq!(command("/usr/bin/env -S 'my tool' x"), None, "quoted words may be one");
        for line in ["/bin/sh -e", "/usr/bin/env", "/usr/bin/env ./tool", "/usr/bin/envy x", "/usr/bin/env ${SHELL}"] {
            assert_eq!(command(line), None, "{line}");
        }
        assert_eq!(first_line(b"  \nx"), None);
    }
}
