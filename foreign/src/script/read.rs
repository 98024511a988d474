//! Reading a shell script: statements to words, functions by where they begin and end.
//!
//! This is no shell. It knows quotes, comments, continued lines, here-documents and separators; what is nested deeper stays
//! part of its word. So some commands are not seen, but what is seen is there.

use super::lines;

/// A script.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    functions: Vec<Function>,
    /// What stands outside all functions.
    outside: Vec<Statement>,
    /// Where a function begins that does not end.
    unclosed: Option<usize>,
    /// Where a here-document begins that does not end, and the word that would end it.
    endless: Option<(usize, String)>,
    /// First and last lines of what here-documents consist of, in their order.
    documents: Vec<(usize, usize)>,
}

/// A function that is being read.
struct Body {
    function: Function,
    /// How far its header is indented.
    indent: usize,
    /// What ends it, as soon as it has begun.
    close: Option<char>,
}

impl Body {
    /// Takes what stands on a line, behind the header if that is on it; says whether the function ends there.
    fn take(&mut self, line: usize, text: &str) -> bool {
        let Some(close) = self.close else { return self.begin(line, text.trim()) };
        let ends = indentation(text) <= self.indent && text.trim().strip_prefix(close).is_some_and(may_follow);
        if !ends {
            self.function.statements.push(Statement::new(line, text));
        }
        ends
    }

    /// The body: `{ …; }` or, run in a shell of its own, `( … )`.
    fn begin(&mut self, line: usize, text: &str) -> bool {
        let (close, rest) = match (text.strip_prefix('{'), text.strip_prefix('(')) {
            (Some(rest), _) => ('}', rest.trim()),
            (None, Some(rest)) => (')', rest.trim()),
            // `name() if …` and the like: of no use here.
            (None, None) => return !text.is_empty(),
        };
        self.close = Some(close);
        let body =
            rest.strip_suffix(close).or_else(|| rest.strip_suffix(';').and_then(|rest| rest.strip_suffix(close)));
        let inner = body.unwrap_or(rest).trim();
        self.function.statements.extend((!inner.is_empty()).then(|| Statement::new(line, inner)));
        body.is_some()
    }
}

/// Whether this may stand behind what ends a function: nothing, or where its output goes.
fn may_follow(rest: &str) -> bool {
    rest.trim_start().is_empty() || rest.trim_start().starts_with([';', '>', '<', '|', '&', '2'])
}

/// A function.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Where it begins, from 1.
    pub(crate) line: usize,
    pub(crate) statements: Vec<Statement>,
}

/// A line, with those that continue it.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    /// As it is written, without comments.
    pub(crate) text: String,
    /// Its commands: words, without quotes, and what is redirected where.
    pub(crate) commands: Vec<Command>,
}

/// A simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) words: Vec<String>,
    /// Variables that are set before it, or by it if it has no words.
    pub(crate) assigned: Vec<(String, String)>,
    /// Files that it writes to.
    pub(crate) written: Vec<String>,
    /// Whether it runs when the one before it has failed.
    pub(crate) after_failure: bool,
}

impl Statement {
    fn new(line: usize, text: &str) -> Self {
        Self { line, text: text.to_owned(), commands: commands(text) }
    }
}

impl Script {
    pub(crate) fn read(text: &str) -> Self {
        let lines = lines::read(text);
        let mut script = Self { endless: lines.endless, documents: lines.documents, ..Self::default() };
        let mut open: Option<Body> = None;
        for (line, text) in lines.statements {
            match &mut open {
                None => match header(&text) {
                    Some((name, rest)) => {
                        let function = Function { name, line, statements: Vec::new() };
                        let mut body = Body { function, indent: indentation(&text), close: None };
                        let closed = body.take(line, rest);
                        open = script.unless_closed(body, closed);
                    }
                    None => script.outside.push(Statement::new(line, &text)),
                },
                Some(body) => {
                    if body.take(line, &text) {
                        script.functions.extend(open.take().map(|body| body.function));
                    }
                }
            }
        }
        script.unclosed = open.as_ref().map(|body| body.function.line);
        script.functions.extend(open.map(|body| body.function));
        script
    }

    fn unless_closed(&mut self, body: Body, closed: bool) -> Option<Body> {
        if closed {
            self.functions.push(body.function);
            return None;
        }
        Some(body)
    }

    /// Where a function begins that does not end.
    pub(crate) fn unclosed(&self) -> Option<usize> {
        self.unclosed
    }

    /// Where a here-document begins that does not end, and the word that would end it.
    pub(crate) fn endless(&self) -> Option<(usize, &str)> {
        self.endless.as_ref().map(|(line, word)| (*line, word.as_str()))
    }

    /// The lines that end with a carriage return, but for those of here-documents.
    pub(crate) fn carriage_returns(&self, text: &str) -> Vec<usize> {
        let mut documents = self.documents.iter().peekable();
        let with_returns = text.split('\n').enumerate().filter(|(_, line)| line.ends_with('\r'));
        let lines = with_returns.map(|(number, _)| number + 1);
        lines
            .filter(|line| {
                while documents.next_if(|(_, last)| last < line).is_some() {}
                documents.peek().is_none_or(|(first, _)| line < first)
            })
            .collect()
    }

    /// The last function of this name, which is the one that counts.
    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().rev().find(|function| function.name == name)
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter()
    }

    /// All statements, of functions and outside them.
    pub(crate) fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.outside.iter().chain(self.functions.iter().flat_map(|function| &function.statements))
    }

    /// What stands outside all functions.
    pub(crate) fn outside(&self) -> &[Statement] {
        &self.outside
    }

    /// What is sourced outside of functions, as it is written.
    pub(crate) fn sourced(&self) -> impl Iterator<Item = String> {
        let commands = self.outside.iter().flat_map(|statement| &statement.commands);
        commands.filter_map(|command| match command.words.as_slice() {
            [source, path @ ..] if source == "source" || source == "." => Some(path.join(" ")),
            _ => None,
        })
    }

    pub(crate) fn sets_errexit(&self) -> bool {
        self.outside.iter().flat_map(|statement| &statement.commands).any(|command| match command.words.as_slice() {
            [set, options @ ..] if set == "set" => options.iter().any(|option| {
                option == "errexit" || (option.starts_with('-') && !option.starts_with("--") && option.contains('e'))
            }),
            _ => false,
        })
    }
}

impl Function {
    /// Whether all that it does is to end well.
    pub(crate) fn succeeds_idly(&self) -> bool {
        let fails = |command: &Command| match command.words.as_slice() {
            [leave, status, ..] => matches!(leave.as_str(), "return" | "exit") && status != "0",
            _ => false,
        };
        self.does_nothing() && !self.statements.iter().flat_map(|statement| &statement.commands).any(fails)
    }

    /// Whether all that it does is to make directories where files are installed.
    pub(crate) fn makes_directories(&self) -> bool {
        let makes = |command: &Command| match command.words.as_slice() {
            [program, arguments @ ..] => {
                let is_option = |argument: &&String| argument.starts_with('-');
                let makes = match program.as_str() {
                    "mkdir" => true,
                    "install" => arguments
                        .iter()
                        .filter(is_option)
                        .any(|option| option == "--directory" || (!option.starts_with("--") && option.contains('d'))),
                    _ => false,
                };
                makes && arguments.iter().any(|argument| argument.contains("DESTDIR"))
            }
            [] => false,
        };
        let commands = || self.statements.iter().flat_map(|statement| &statement.commands);
        commands().any(makes)
            && commands().all(|command| command.written.is_empty() && (makes(command) || idle(command)))
    }

    /// Whether no command of it has an effect.
    pub(crate) fn does_nothing(&self) -> bool {
        self.statements.iter().flat_map(|statement| &statement.commands).all(idle)
    }
}

/// Whether a command has no effect.
fn idle(command: &Command) -> bool {
    let program = command.words.first().map(String::as_str);
    let idle = matches!(program, None | Some(":" | "true" | "return" | "echo" | "local" | "exit" | "printf"));
    command.written.is_empty() && idle
}

impl Command {
    /// Variables and what they are set to, by `readonly` and the like, too.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        let declares =
            self.words.first().is_some_and(|word| ["declare", "export", "readonly"].contains(&word.as_str()));
        let declared = self.words.iter().filter(move |_| declares).filter_map(|word| word.split_once('='));
        self.assigned.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(declared)
    }
}

/// `name()` or `function name`, and what follows on the line: nothing, or where the body begins.
fn header(text: &str) -> Option<(String, &str)> {
    let text = text.trim();
    let (named, rest) = match text.strip_prefix("function ") {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let end = rest.find(|character: char| !(character.is_ascii_alphanumeric() || "_-.+:".contains(character)));
    let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('(').and_then(|rest| rest.trim_start().strip_prefix(')')) {
        Some(rest) => rest.trim_start(),
        None if named => rest,
        None => return None,
    };
    let begins = rest.is_empty() || rest.starts_with(['{', '(']);
    (!name.is_empty() && begins).then(|| (name.to_owned(), rest))
}

fn indentation(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// What introduces a command and is none.
const INTRODUCTIONS: [&str; 14] =
    ["if", "then", "else", "elif", "do", "while", "until", "!", "{", "}", "(", ")", "time", "sudo"];

/// The simple commands of a statement.
fn commands(text: &str) -> Vec<Command> {
    let mut found = Vec::new();
    let mut command = Command::default();
    let mut redirects = false;
    for token in tokens(text) {
        match token {
            Token::Separator(separator) => {
                let next = Command { after_failure: separator == "||", ..Command::default() };
                found.push(std::mem::replace(&mut command, next));
                redirects = false;
            }
            Token::Output => redirects = true,
            Token::Word(word) if redirects => {
                command.written.push(word);
                redirects = false;
            }
            Token::Word(word) => {
                let first = command.words.is_empty();
                let assigned = word.split_once('=').filter(|(name, _)| {
                    !name.is_empty()
                        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
                });
                match assigned {
                    Some((name, value)) if first => command.assigned.push((name.to_owned(), value.to_owned())),
                    _ if first && INTRODUCTIONS.contains(&word.as_str()) => {}
                    _ => command.words.push(word),
                }
            }
        }
    }
    found.push(command);
    found.retain(|command| *command != Command { after_failure: command.after_failure, ..Command::default() });
    found
}

enum Token {
    Word(String),
    Separator(&'static str),
    /// `>`, `>>`, `&>`
    Output,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut present = false;
    let mut quote = None;
    let mut characters = text.chars().peekable();
    let end = |word: &mut String, present: &mut bool, found: &mut Vec<Token>| {
        if std::mem::take(present) || !word.is_empty() {
            found.push(Token::Word(std::mem::take(word)));
        }
    };
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some('"') | None, '\\') => word.extend(characters.next()),
            (Some(_), _) => word.push(character),
            (None, '\'' | '"') => (quote, present) = (Some(character), true),
            (None, '\n' | ';') => {
                end(&mut word, &mut present, &mut found);
                found.push(Token::Separator(";"));
            }
            (None, '&' | '|') => {
                let doubled = characters.next_if_eq(&character).is_some();
                if character == '&' && !doubled && (word.ends_with('>') || characters.peek() == Some(&'>')) {
                    continue;
                }
                end(&mut word, &mut present, &mut found);
                found.push(Token::Separator(if character == '|' && doubled { "||" } else { ";" }));
            }
            (None, '>') => {
                if !word.chars().all(|digit| digit.is_ascii_digit()) {
                    end(&mut word, &mut present, &mut found);
                }
                word.clear();
                characters.next_if_eq(&'>');
                if characters.next_if_eq(&'&').is_some() {
                    // `2>&1` writes to no file.
                    characters.next_if(|next| next.is_ascii_digit() || *next == '-');
                } else {
                    found.push(Token::Output);
                }
            }
            (None, blank) if blank.is_whitespace() => end(&mut word, &mut present, &mut found),
            (None, other) => word.push(other),
        }
    }
    end(&mut word, &mut present, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        commands(text).into_iter().map(|command| command.words).collect()
    }

    #[test]
    fn functions_are_found() {
        let script = Script::read(
            "#!/bin/bash\nset -e\n\nconfigure() { :; }\n\nbuild()\n{\n    make  # all\n    cat > x << EOF\n}\nEOF\n    echo done\n}\nfunction do_install {\n  if a; then\n    b\n  }\n}\n",
        );
        let names: Vec<_> = script.functions().map(|function| (function.name.as_str(), function.line)).collect();
        assert_eq!(names, [("configure", 4), ("build", 6), ("do_install", 14)]);
        assert!(script.function("configure").unwrap().does_nothing());
        let build = script.function("build").unwrap();
        assert_eq!(build.statements.iter().map(|at| at.line).collect::<Vec<_>>(), [8, 9, 12]);
        assert_eq!(build.statements[0].text.trim(), "make");
        assert!(!build.does_nothing() && script.sets_errexit());
    }

    #[test]
    fn bodies_begin_and_end_in_many_ways() {
        let script = Script::read(
            "function a\n{\n x\n}\nb () ( y )\nc() (\n z\n)\nd()\n\n{ w; }\nfunction e() { v\n} > log\nf()\n(\n u; }\n)\ng\nh() {\n t\n",
        );
        let of = |function: &Function| {
            let words = function.statements.iter().flat_map(|statement| &statement.commands);
            (function.name.clone(), function.line, words.map(|command| command.words.join(" ")).collect::<String>())
        };
        let found: Vec<_> = script.functions().map(of).collect();
        let expected = [
            ("a", 1, "x"),
            ("b", 5, "y"),
            ("c", 6, "z"),
            ("d", 9, "w"),
            ("e", 12, "v"),
            ("f", 14, "u"),
            ("h", 19, "t"),
        ];
        assert_eq!(found, expected.map(|(name, line, words)| (name.to_owned(), line, words.to_owned())));
        assert_eq!(script.outside().iter().map(|statement| statement.line).collect::<Vec<_>>(), [18]);
        assert_eq!(script.unclosed(), Some(19));
        assert_eq!(Script::read("a() {\n x\n}\n").unclosed(), None);
    }

    #[test]
    fn commands_have_words() {
        assert_eq!(
            words("CC=gcc make -j4 && make check || true"),
            [vec!["make", "-j4"], vec!["make", "check"], vec!["true"]]
        );
        assert_eq!(words("if [ -f 'a b' ]; then cp \"$X/a\" /etc; fi")[1..], [vec!["cp", "$X/a", "/etc"], vec!["fi"]]);
        let all = commands("echo x > /etc/a 2>&1; cat >> \"$D/b\" | tee c; make &> log");
        assert_eq!(all[0].written, ["/etc/a"]);
        assert_eq!(all[1].written, ["$D/b"]);
        assert_eq!((all[3].words.len(), all[3].written.len()), (1, 1));
        assert!(commands("a || b")[1].after_failure && !commands("a | b")[1].after_failure);
    }
}
