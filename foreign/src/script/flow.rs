//! How the commands of a function hang together: lists, `&&` and `||`, pipelines, groups, conditions and loops.
//!
//! Invariant: what is not understood as a whole gives nothing at all, so that nothing wrong is concluded from it.

use super::read::Statement;
use std::iter::Peekable;
use std::str::Chars;

/// Groups, conditions and loops may stand in each other so deep.
const DEEPEST: usize = 40;

/// What ends or goes on with a compound command, and so begins no other.
const RESERVED: [&str; 10] = ["then", "else", "elif", "fi", "do", "done", "esac", "}", "function", "in"];

/// Commands that run one after the other.
pub(super) type List = Vec<Item>;

/// Pipelines with `&&` and `||` between them.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// The line of the statement that it begins in.
    pub(super) line: usize,
    pub(super) parts: Vec<(Link, Pipeline)>,
    /// Whether nobody waits for it: `&`.
    pub(super) background: bool,
}

/// What stands before a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    First,
    And,
    Or,
}

#[derive(Debug, Default)]
pub(super) struct Pipeline {
    pub(super) negated: bool,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug)]
pub(super) enum Part {
    Simple(Simple),
    /// `{ … }`, `( … )`
    Group(List),
    If {
        branches: Vec<(List, List)>,
        otherwise: Option<List>,
    },
    /// `while`, `until`; without a condition `for` and `select`.
    Loop {
        condition: List,
        body: List,
    },
    Case(Vec<List>),
}

/// A simple command.
#[derive(Debug, Default)]
pub(super) struct Simple {
    pub(super) words: Vec<String>,
    /// Names of the variables that are set before it, or by it if it has no words.
    pub(super) assigned: Vec<String>,
    /// Files that it writes to.
    pub(super) written: Vec<String>,
}

impl Simple {
    /// The program's name, without its directory.
    pub(super) fn program(&self) -> Option<&str> {
        self.words.first().map(|word| word.rsplit('/').next().unwrap_or(word))
    }
}

impl Part {
    /// The lists that it consists of.
    pub(super) fn lists(&self) -> Vec<&List> {
        match self {
            Self::Simple(_) => Vec::new(),
            Self::Group(list) => vec![list],
            Self::If { branches, otherwise } => {
                branches.iter().flat_map(|(condition, body)| [condition, body]).chain(otherwise).collect()
            }
            Self::Loop { condition, body } => vec![condition, body],
            Self::Case(bodies) => bodies.iter().collect(),
        }
    }
}

/// Reads the body of a function; `None` if it is not understood.
pub(super) fn read(statements: &[Statement]) -> Option<List> {
    let mut tokens = Vec::new();
    for statement in statements {
        tokenize(&statement.text, statement.line, &mut tokens)?;
        tokens.push((statement.line, Token::Sign(";")));
    }
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let list = parser.list(&[])?;
    (parser.at == parser.tokens.len()).then_some(list)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A word without its quotes, and whether it had none.
    Word(String, bool),
    /// `;`, also for the end of a line, `;;`, `&`, `&&`, `|`, `||`, `(`, `)`
    Sign(&'static str),
    /// A word follows that is read or written, and whether it is written.
    Redirection(bool),
}

/// Words and signs of a text; what is quoted or substituted stays in its word.
fn tokenize(text: &str, line: usize, found: &mut Vec<(usize, Token)>) -> Option<()> {
    let characters = text.chars().peekable();
    let mut reader = Reader { characters, word: String::new(), quoted: false, open: Vec::new(), line, found };
    while let Some(character) = reader.characters.next() {
        match reader.open.last() {
            Some(&close) => reader.enclosed(character, close),
            None => reader.plain(character),
        }
    }
    reader.end_word();
    reader.open.is_empty().then_some(())
}

struct Reader<'t> {
    characters: Peekable<Chars<'t>>,
    /// The word that is being read.
    word: String,
    /// Whether it has quotes.
    quoted: bool,
    /// What closes all that is open.
    open: Vec<char>,
    line: usize,
    found: &'t mut Vec<(usize, Token)>,
}

impl Reader<'_> {
    fn end_word(&mut self) {
        let (word, quoted) = (std::mem::take(&mut self.word), std::mem::take(&mut self.quoted));
        if quoted || !word.is_empty() {
            self.found.push((self.line, Token::Word(word, !quoted)));
        }
    }

    fn sign(&mut self, sign: &'static str) {
        self.end_word();
        self.found.push((self.line, Token::Sign(sign)));
    }

    /// A character of the word that opens something.
    fn opens(&mut self, character: char, close: char) {
        self.word.push(character);
        self.open.push(close);
    }

    /// The same with the one that follows: `$(`, `${`, `<(`.
    fn opens_with_next(&mut self, character: char) {
        self.word.push(character);
        let next = self.characters.next();
        self.word.extend(next);
        self.open.push(if next == Some('{') { '}' } else { ')' });
    }

    /// Within what `close` closes.
    fn enclosed(&mut self, character: char, close: char) {
        let outermost = self.open.len() == 1;
        if character == close {
            self.open.pop();
            // Quotes around a part of a word are none of it.
            self.word.extend(Some(character).filter(|_| !outermost || !matches!(close, '"' | '\'')));
            return;
        }
        match character {
            _ if close == '\'' => self.word.push(character),
            '\\' => {
                self.word.extend(Some(character).filter(|_| !outermost || close != '"'));
                self.word.extend(self.characters.next());
            }
            '$' if matches!(self.characters.peek(), Some('(' | '{')) => self.opens_with_next(character),
            '`' | '"' => self.opens(character, character),
            '(' if close == ')' => self.opens(character, ')'),
            '\'' if matches!(close, ')' | '`') || (close == '}' && !self.open.contains(&'"')) => {
                self.opens(character, character);
            }
            _ => self.word.push(character),
        }
    }

    /// Where nothing is open.
    fn plain(&mut self, character: char) {
        let next = self.characters.peek().copied();
        match character {
            '\\' => {
                self.quoted = true;
                self.word.extend(self.characters.next());
            }
            '"' | '\'' => {
                self.quoted = true;
                self.open.push(character);
            }
            '`' => self.opens(character, character),
            '$' if matches!(next, Some('(' | '{')) => self.opens_with_next(character),
            // Arrays, patterns and arithmetic.
            '(' if self.word.ends_with(['=', '!', '@', '*', '+', '?'])
                || (self.word.is_empty() && next == Some('(')) =>
            {
                self.opens(character, ')');
            }
            '<' | '>' if next == Some('(') => self.opens_with_next(character),
            '(' => self.sign("("),
            ')' => self.sign(")"),
            '\n' => self.sign(";"),
            ';' => {
                let doubled = self.characters.next_if(|next| matches!(next, ';' | '&')).is_some();
                self.characters.next_if(|next| doubled && *next == '&');
                self.sign(if doubled { ";;" } else { ";" });
            }
            '&' if next == Some('>') => self.end_word(),
            '&' => {
                let doubled = self.characters.next_if_eq(&'&').is_some();
                self.sign(if doubled { "&&" } else { "&" });
            }
            '|' => {
                let doubled = self.characters.next_if_eq(&'|').is_some();
                self.characters.next_if(|next| !doubled && *next == '&');
                self.sign(if doubled { "||" } else { "|" });
            }
            '<' | '>' => self.redirection(character == '>'),
            blank if blank.is_whitespace() => self.end_word(),
            other => self.word.push(other),
        }
    }

    /// Behind the first sign of one.
    fn redirection(&mut self, writes: bool) {
        // The number of a descriptor is no word.
        if !self.quoted && self.word.chars().all(|digit| digit.is_ascii_digit()) {
            self.word.clear();
        }
        self.end_word();
        while self.characters.next_if(|next| matches!(next, '<' | '>' | '|' | '-')).is_some() {}
        let copied = self.characters.next_if_eq(&'&').is_some();
        let descriptor = |next: &char| next.is_ascii_digit() || *next == '-';
        if copied && self.characters.peek().is_some_and(descriptor) {
            while self.characters.next_if(descriptor).is_some() {}
        } else {
            self.found.push((self.line, Token::Redirection(writes)));
        }
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    /// A word without quotes, which may be a reserved one.
    fn bare(&self) -> Option<&str> {
        match self.peek() {
            Some(Token::Word(word, true)) => Some(word),
            _ => None,
        }
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let is = self.is_sign(sign);
        self.at += usize::from(is);
        is
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is = self.bare() == Some(word);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        self.takes_word(word).then_some(())
    }

    fn skip_ends(&mut self) {
        while self.takes_sign(";") {}
    }

    /// Commands up to one of these words or signs, which is left there; up to the end if there are none.
    fn list(&mut self, ends: &[&str]) -> Option<List> {
        let mut list = List::new();
        loop {
            self.skip_ends();
            let ended = match self.peek() {
                None => return ends.is_empty().then_some(list),
                Some(Token::Sign(sign)) => ends.contains(sign),
                Some(Token::Word(word, true)) => ends.contains(&word.as_str()),
                Some(_) => false,
            };
            if ended {
                return Some(list);
            }
            list.push(self.item()?);
        }
    }

    fn item(&mut self) -> Option<Item> {
        let line = self.tokens.get(self.at).map_or(0, |(line, _)| *line);
        let mut item = Item { line, ..Item::default() };
        item.parts.push((Link::First, self.pipeline()?));
        loop {
            let link = if self.takes_sign("&&") {
                Link::And
            } else if self.takes_sign("||") {
                Link::Or
            } else {
                item.background = self.takes_sign("&");
                return Some(item);
            };
            self.skip_ends();
            item.parts.push((link, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Option<Pipeline> {
        let mut pipeline = Pipeline::default();
        loop {
            if self.takes_word("!") {
                pipeline.negated = !pipeline.negated;
            } else if !(self.takes_word("time") || self.takes_word("-p")) {
                break;
            }
        }
        loop {
            pipeline.parts.push(self.command()?);
            if !self.takes_sign("|") {
                return Some(pipeline);
            }
            self.skip_ends();
        }
    }

    fn command(&mut self) -> Option<Part> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let part = if self.takes_sign("(") {
            let list = self.list(&[")"])?;
            self.takes_sign(")").then_some(Part::Group(list))?
        } else {
            match self.bare() {
                Some("{") => self.group()?,
                Some("if") => self.condition()?,
                Some("while" | "until") => {
                    self.at += 1;
                    let condition = self.list(&["do"])?;
                    self.body(condition)?
                }
                Some("for" | "select") => {
                    while self.bare() != Some("do") {
                        self.peek()?;
                        self.at += 1;
                    }
                    self.body(List::new())?
                }
                Some("case") => self.case()?,
                Some(word) if RESERVED.contains(&word) => return None,
                _ => {
                    self.depth -= 1;
                    return self.simple().map(Part::Simple);
                }
            }
        };
        self.depth -= 1;
        // What a group writes is of no interest.
        while self.redirection(&mut Vec::new())? {}
        Some(part)
    }

    fn group(&mut self) -> Option<Part> {
        self.at += 1;
        let list = self.list(&["}"])?;
        self.expect("}")?;
        Some(Part::Group(list))
    }

    fn body(&mut self, condition: List) -> Option<Part> {
        self.expect("do")?;
        let body = self.list(&["done"])?;
        self.expect("done")?;
        Some(Part::Loop { condition, body })
    }

    fn condition(&mut self) -> Option<Part> {
        let (mut branches, mut otherwise) = (Vec::new(), None);
        while self.takes_word("if") || self.takes_word("elif") {
            let condition = self.list(&["then"])?;
            self.expect("then")?;
            branches.push((condition, self.list(&["elif", "else", "fi"])?));
            if self.bare() != Some("elif") {
                break;
            }
        }
        if self.takes_word("else") {
            otherwise = Some(self.list(&["fi"])?);
        }
        self.expect("fi")?;
        Some(Part::If { branches, otherwise })
    }

    fn case(&mut self) -> Option<Part> {
        self.at += 2;
        self.skip_ends();
        self.expect("in")?;
        let mut bodies = Vec::new();
        loop {
            self.skip_ends();
            if self.takes_word("esac") {
                return Some(Part::Case(bodies));
            }
            self.takes_sign("(");
            while !self.takes_sign(")") {
                self.peek()?;
                self.at += 1;
            }
            bodies.push(self.list(&[";;", "esac"])?);
            self.takes_sign(";;");
        }
    }

    /// Takes a redirection, if there is one, and notes what it writes to.
    fn redirection(&mut self, written: &mut Vec<String>) -> Option<bool> {
        let Some(Token::Redirection(writes)) = self.peek() else { return Some(false) };
        let writes = *writes;
        self.at += 1;
        let Some((_, Token::Word(target, _))) = self.tokens.get(self.at) else { return None };
        written.extend(Some(target.clone()).filter(|_| writes));
        self.at += 1;
        Some(true)
    }

    fn simple(&mut self) -> Option<Simple> {
        let mut simple = Simple::default();
        let from = self.at;
        // Within `[[ … ]]` signs mean something else.
        let mut tests = false;
        loop {
            if !tests && self.redirection(&mut simple.written)? {
                continue;
            }
            match self.peek() {
                Some(Token::Word(word, bare)) => {
                    tests = if tests { word != "]]" } else { *bare && simple.words.is_empty() && word == "[[" };
                    match assigned(word).filter(|_| simple.words.is_empty()) {
                        Some(name) => simple.assigned.push(name.to_owned()),
                        None => simple.words.push(word.clone()),
                    }
                }
                Some(_) if tests => {}
                Some(Token::Sign("(")) => return None,
                _ => break,
            }
            self.at += 1;
        }
        (self.at > from && !tests).then_some(simple)
    }
}

/// The variable that a word gives a value.
fn assigned(word: &str) -> Option<&str> {
    let (name, _) = word.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let name = name.split('[').next().unwrap_or(name);
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    (!name.is_empty() && name.chars().all(is_name) && !name.starts_with(|first: char| first.is_ascii_digit()))
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::Script;
    use super::*;

    /// A function's body in brackets: each list in `[]`, each command by its words.
    fn shown(body: &str) -> Option<String> {
        let script = Script::read(&["check() {\n ", &body.replace('\n', "\n "), "\n}\n"].concat());
        read(&script.function("check").unwrap().statements).map(|list| of_list(&list))
    }

    fn of_list(list: &List) -> String {
        let of_item = |item: &Item| {
            let parts = item.parts.iter().map(|(link, pipeline)| {
                let link = match link {
                    Link::First => "",
                    Link::And => " && ",
                    Link::Or => " || ",
                };
                let parts: Vec<_> = pipeline.parts.iter().map(of_part).collect();
                format!("{link}{}{}", if pipeline.negated { "! " } else { "" }, parts.join(" | "))
            });
            parts.collect::<String>() + if item.background { " &" } else { "" }
        };
        format!("[{}]", list.iter().map(of_item).collect::<Vec<_>>().join("; "))
    }

    fn of_part(part: &Part) -> String {
        let name = match part {
            Part::Simple(simple) => {
                let written = simple.written.iter().map(|file| format!(">{file}"));
                let assigned = simple.assigned.iter().map(|name| format!("{name}="));
                return assigned.chain(simple.words.iter().cloned()).chain(written).collect::<Vec<_>>().join(" ");
            }
            Part::Group(_) => "",
            Part::If { .. } => "if",
            Part::Loop { .. } => "loop",
            Part::Case(_) => "case",
        };
        name.to_owned() + &part.lists().into_iter().map(of_list).collect::<String>()
    }

    #[test]
    fn structure_is_read() {
        for (text, expected) in [
            ("make check || { echo a >&2; cat b; exit 1; }", "[make check || [echo a; cat b; exit 1]]"),
            ("make \\\n check ||\n{\n a\n}\nb", "[make check || [a]; b]"),
            ("if ! a; then b; elif c\nthen d; else e; fi >log", "[if[! a][b][c][d][e]]"),
            ("A=1 a 2>&1 | tee -a x && ! b &", "[A= a | tee -a x && ! b &]"),
            ("for x in a b; do c $x; done | d; while read l; do e; done < f", "[loop[][c $x] | d; loop[read l][e]]"),
            ("case $x in\n a|b) c ;;\n (d) e\nesac", "[case[c][e]]"),
            ("( cd a; b ) &> log; x=(1 2) y+=z; echo }", "[[cd a; b]; x= y=; echo }]"),
            ("[[ a && ( $b > c || d =~ ^(e|f) ) ]] || g", "[[[ a $b c d =~ ^ e f ]] || g]"),
            (
                "(( x > 1 && y )) || echo \"$(a | b \"c\")\" > >(tee x)",
                "[((x > 1 && y)) || echo $(a | b \"c\") >>(tee x)]",
            ),
            ("echo 'a || b' \"it's \\\" && \" c\\;d; [ a = \"{\" ]", "[echo a || b it's \" &&  c;d; [ a = { ]]"),
        ] {
            let expected = expected.replace("((x > 1 && y))", "(( x > 1 && y ))");
            assert_eq!(shown(text).as_deref(), Some(expected.as_str()), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_gives_nothing() {
        for text in ["if a; then b", "inner() { a; }", "a; fi", "case x in", "[[ a", "a >", "{ a"] {
            assert_eq!(shown(text), None, "{text}");
        }
        assert_eq!(shown(&format!("{} a; {}", "{ ".repeat(60), "}; ".repeat(60))), None);
        for text in ["( ", "{ ", "if ", "a || ", "$(", "\"", "case x in ", "! "] {
            shown(&text.repeat(100_000));
        }
    }
}
