//! The syntax of extended regular expressions, read as the C++ library reads it on which Nix relies.
//!
//! ```text
//! disjunction = sequence { "|" sequence }          sequence = { term }
//! term        = "^" | "$" | atom { "*" | "+" | "?" | "{" n [ "," [ m ] ] "}" }
//! atom        = "." | byte | "\" special | "[" bracket "]" | "(" disjunction ")"
//! ```
//!
//! Only the characters that are special can be escaped. Everything works on bytes.

use super::bracket::{self, Set};

/// A node of an expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Nothing, which always matches.
    Empty,
    /// One byte of a set.
    Set(Set),
    /// The start of the text.
    Begin,
    /// The end of the text.
    End,
    /// One after the other.
    Sequence(Vec<Node>),
    /// One of several.
    Either(Vec<Node>),
    /// A group, which is numbered from 1.
    Group(usize, Box<Node>),
    /// A repetition.
    Repeat(Box<Repeat>),
}

/// How often a node is repeated.
#[derive(Debug, Clone)]
pub(super) struct Repeat {
    pub(super) body: Node,
    pub(super) least: usize,
    /// `None`: without end.
    pub(super) most: Option<usize>,
}

/// An expression with the number of its groups.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) node: Node,
    pub(super) groups: usize,
}

/// Why an expression is none, in words.
pub(super) type Malformed = &'static str;

const SPECIAL: &[u8] = b".[\\()*+?{|^$";
/// How deeply groups may nest; far beyond what anybody writes.
const MAX_DEPTH: usize = 250;

struct Parser<'a> {
    rest: &'a [u8],
    groups: usize,
    depth: usize,
}

/// Reads an expression.
pub(super) fn parse(pattern: &[u8]) -> Result<Expression, Malformed> {
    let mut parser = Parser { rest: pattern, groups: 0, depth: 0 };
    let node = parser.disjunction()?;
    if !parser.rest.is_empty() {
        return Err("a `)` closes nothing");
    }
    Ok(Expression { node, groups: parser.groups })
}

impl Parser<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn disjunction(&mut self) -> Result<Node, Malformed> {
        let first = self.sequence()?;
        if self.rest.first() != Some(&b'|') {
            return Ok(first);
        }
        let mut nodes = vec![first];
        while self.take(b'|') {
            nodes.push(self.sequence()?);
        }
        Ok(Node::Either(nodes))
    }

    fn sequence(&mut self) -> Result<Node, Malformed> {
        let mut terms = Vec::new();
        while !matches!(self.rest.first(), None | Some(b'|' | b')')) {
            terms.push(self.term()?);
        }
        Ok(match terms.len() {
            0 => Node::Empty,
            1 => terms.remove(0),
            _ => Node::Sequence(terms),
        })
    }

    fn term(&mut self) -> Result<Node, Malformed> {
        if self.take(b'^') {
            return Ok(Node::Begin);
        }
        if self.take(b'$') {
            return Ok(Node::End);
        }
        let mut node = self.atom()?;
        let mut repeated = 0;
        while let Some((least, most)) = self.quantifier()? {
            repeated += 1;
            if repeated > MAX_DEPTH {
                return Err("too many repetitions follow each other");
            }
            node = Node::Repeat(Box::new(Repeat { body: node, least, most }));
        }
        Ok(node)
    }

    fn atom(&mut self) -> Result<Node, Malformed> {
        let [byte, rest @ ..] = self.rest else { return Err("something is missing at the end") };
        self.rest = rest;
        match byte {
            b'.' => Ok(Node::Set(Set::ANY)),
            b'[' => bracket::parse(&mut self.rest).map(Node::Set),
            b'(' => self.group(),
            b'*' | b'+' | b'?' | b'{' => Err("a repetition has nothing before it"),
            b'\\' => match self.rest {
                [byte, rest @ ..] if SPECIAL.contains(byte) => {
                    self.rest = rest;
                    Ok(Node::Set(Set::of(*byte)))
                }
                [] => Err("a `\\` is at the end"),
                _ => Err("a `\\` is before a character that is not special"),
            },
            byte => Ok(Node::Set(Set::of(*byte))),
        }
    }

    fn group(&mut self) -> Result<Node, Malformed> {
        self.groups += 1;
        let number = self.groups;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("its groups nest too deeply");
        }
        let body = self.disjunction()?;
        self.depth -= 1;
        if !self.take(b')') {
            return Err("a `(` is not closed");
        }
        Ok(Node::Group(number, Box::new(body)))
    }

    fn quantifier(&mut self) -> Result<Option<(usize, Option<usize>)>, Malformed> {
        Ok(Some(match self.rest.first() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => return self.interval().map(Some),
            _ => return Ok(None),
        })
        .inspect(|_| self.rest = &self.rest[1..]))
    }

    fn interval(&mut self) -> Result<(usize, Option<usize>), Malformed> {
        self.rest = &self.rest[1..];
        let least = self.number()?.ok_or("a `{` is not followed by a number")?;
        let most = if self.take(b',') { self.number()? } else { Some(least) };
        if !self.take(b'}') {
            return Err("a `{` is not closed");
        }
        if most.is_some_and(|most| most < least) {
            return Err("an interval ends before it starts");
        }
        Ok((least, most))
    }

    fn number(&mut self) -> Result<Option<usize>, Malformed> {
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(length);
        if digits.is_empty() {
            return Ok(None);
        }
        self.rest = rest;
        let text = std::str::from_utf8(digits).map_err(|_| "a number is malformed")?;
        text.parse::<u32>().map(|number| Some(number as usize)).map_err(|_| "a number is too large")
    }
}

impl Node {
    /// Whether it can match nothing.
    pub(super) fn nullable(&self) -> bool {
        match self {
            Self::Empty | Self::Begin | Self::End => true,
            Self::Set(_) => false,
            Self::Sequence(nodes) => nodes.iter().all(Self::nullable),
            Self::Either(nodes) => nodes.iter().any(Self::nullable),
            Self::Group(_, body) => body.nullable(),
            Self::Repeat(repeat) => repeat.least == 0 || repeat.body.nullable(),
        }
    }

    /// Whether a group is never reached, so that other libraries would not count it.
    pub(super) fn has_unreachable(&self) -> bool {
        match self {
            Self::Empty | Self::Set(_) | Self::Begin | Self::End => false,
            Self::Sequence(nodes) | Self::Either(nodes) => nodes.iter().any(Self::has_unreachable),
            Self::Group(_, body) => body.has_unreachable(),
            Self::Repeat(repeat) => repeat.most == Some(0) || repeat.body.has_unreachable(),
        }
    }

    /// Writes it in the syntax of the `regex` crate.
    pub(super) fn translate(&self, out: &mut String) {
        match self {
            Self::Empty => out.push_str("(?:)"),
            Self::Set(set) => set.translate(out),
            Self::Begin => out.push_str(r"\A"),
            Self::End => out.push_str(r"\z"),
            Self::Sequence(nodes) => nodes.iter().for_each(|node| node.translate(out)),
            Self::Either(nodes) => {
                out.push_str("(?:");
                for (index, node) in nodes.iter().enumerate() {
                    if index > 0 {
                        out.push('|');
                    }
                    node.translate(out);
                }
                out.push(')');
            }
            Self::Group(_, body) => {
                out.push('(');
                body.translate(out);
                out.push(')');
            }
            Self::Repeat(repeat) => {
                out.push_str("(?:");
                repeat.body.translate(out);
                out.push(')');
                match (repeat.least, repeat.most) {
                    (0, None) => out.push('*'),
                    (1, None) => out.push('+'),
                    (0, Some(1)) => out.push('?'),
                    (least, None) => out.push_str(&format!("{{{least},}}")),
                    (least, Some(most)) => out.push_str(&format!("{{{least},{most}}}")),
                }
            }
        }
    }
}
