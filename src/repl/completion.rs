//! Completion of a line: commands, names of files, and what the evaluator knows.

use super::command::{self, COMMANDS, Takes};
use eval::interactive::Completion;
use eval::{Session, Variables};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// How long the evaluation of what is before a dot may take.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What may stand where a line ends.
pub(super) fn complete(session: &Session, variables: &Variables, line: &str, directory: &Path) -> Completion {
    let Some(after) = line.strip_prefix(':') else { return expression(session, variables, line, directory) };
    let Some(blank) = after.find(char::is_whitespace) else { return commands(after) };
    let argument = after[blank..].trim_start();
    let completion = match command::parse(after).map(|(command, _)| command.takes) {
        Some(Takes::File) => files(argument, directory),
        Some(Takes::Expression) => expression(session, variables, argument, directory),
        _ => return Completion::default(),
    };
    Completion { start: completion.start + line.len() - argument.len(), ..completion }
}

fn commands(typed: &str) -> Completion {
    let words = COMMANDS.iter().flat_map(|command| command.words);
    let mut candidates: Vec<_> = words.filter(|word| word.starts_with(typed)).map(|word| (*word).to_owned()).collect();
    candidates.sort_unstable();
    Completion { start: 1, candidates }
}

fn expression(session: &Session, variables: &Variables, text: &str, directory: &Path) -> Completion {
    let is_path_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+~".contains(byte);
    let word = text.len() - text.bytes().rev().take_while(is_path_byte).count();
    if text[word..].contains('/') {
        let completion = files(&text[word..], directory);
        return Completion { start: completion.start + word, ..completion };
    }
    within_time(session, || session.complete(variables, text, directory))
}

/// The files whose names begin as a path ends. Those of directories end in `/`; hidden ones must be asked for.
fn files(typed: &str, directory: &Path) -> Completion {
    let start = typed.rfind('/').map_or(0, |slash| slash + 1);
    let (above, name) = typed.split_at(start);
    let above = match (above.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(below), Some(home)) => Path::new(&home).join(below),
        _ => directory.join(above),
    };
    let Ok(entries) = std::fs::read_dir(above) else { return Completion::default() };
    let fits = |file: &String| file.starts_with(name) && (name.starts_with('.') || !file.starts_with('.'));
    let mut candidates: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok().filter(fits)?;
            Some(if entry.path().is_dir() { file + "/" } else { file })
        })
        .collect();
    candidates.sort_unstable();
    Completion { start, candidates }
}

/// Interrupts evaluation that takes too long for somebody who only pressed a key.
fn within_time<T>(session: &Session, work: impl FnOnce() -> T) -> T {
    let (done, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                session.interrupt();
            }
        });
        let result = work();
        drop(done);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use eval::{MemoryIo, Settings};
    use std::sync::Arc;

    #[test]
    fn commands_files_and_names_are_completed() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("recipes")).unwrap();
        std::fs::write(directory.path().join("recipes/one.nix"), "").unwrap();
        std::fs::write(directory.path().join(".hidden"), "").unwrap();
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(MemoryIo::default()));
        let complete = |line: &str| {
            let completion = complete(&session, &Variables::default(), line, directory.path());
            (completion.start, completion.candidates.join(" "))
        };
        let found = |start: usize, candidates: &str| (start, candidates.to_owned());
        assert_eq!(complete(":re"), found(1, "reload"));
        assert_eq!(complete(":l rec"), found(3, "recipes/"));
        assert_eq!(complete(":l  recipes/o"), found(12, "one.nix"));
        assert_eq!(complete("import ./rec"), found(9, "recipes/"));
        assert_eq!(complete("import ./.h"), found(9, ".hidden"));
        assert_eq!(complete(":p builtins.isS"), found(12, "isString"));
        assert_eq!(complete("1 + builtins.isS"), found(13, "isString"));
        assert_eq!(complete("1 / thr"), found(4, "throw"));
        assert_eq!(complete(":q thr"), found(0, ""));
    }

    #[test]
    fn evaluation_for_completion_is_bounded() {
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(MemoryIo::default()));
        let line = "(let f = n: if n < 0 then n else f (n + 1); in f 0).";
        assert!(complete(&session, &Variables::default(), line, Path::new("/")).candidates.is_empty());
    }
}
