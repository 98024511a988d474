//! YAML 1.2 with its core schema, as a document whose values know where they stand.
//!
//! Plain scalars are null, booleans, numbers or strings as the core schema says; keys are strings, written as they stand. An
//! alias is the value of its anchor itself, so that aliases of aliases cost nothing. A plain `<<` merges mappings, as in YAML
//! 1.1. Values lie in a list in which what a value consists of comes before it, so that nobody need recurse.

mod merge;
mod scalar;

use merge::Merges;
use rustc_hash::{FxHashMap, FxHashSet};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use std::fmt;

/// A document.
#[derive(Debug, Clone, Default)]
pub struct Document {
    nodes: Vec<Node>,
    root: Option<usize>,
}

/// A value, by its number in the document.
#[derive(Debug, Clone)]
pub struct Node {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Whether it is a scalar that is not plain: in quotes, or a block.
    pub quoted: bool,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Anything that consists of nothing else.
    Scalar(Scalar),
    /// A sequence of values.
    List(Vec<usize>),
    /// A mapping, in the order in which it is written.
    Map(Vec<Entry>),
}

/// A scalar by the core schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// Any other text.
    Text(String),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's line, from 1.
    pub line: usize,
    /// The value.
    pub value: usize,
}

/// A text that is not YAML, or more than a document of it can be here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct YamlError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
}

type Problem = String;

impl Document {
    /// Reads a text of one document; one without any is empty.
    ///
    /// # Errors
    /// When it is not UTF-8, not YAML, has a key twice, a key that is no string, or more than one document.
    pub fn parse(text: &[u8]) -> Result<Self, YamlError> {
        let mut builder = Builder::default();
        let read = builder.read(text);
        match builder.repeated.into_iter().next() {
            Some(error) => Err(error),
            None => read.map(|()| builder.document),
        }
    }

    /// The same, but of a key that is there twice the last value counts, and what is wrong with it comes beside the document.
    ///
    /// # Errors
    /// When it is not UTF-8, not YAML, has a key that is no string, or more than one document.
    pub fn parse_repeated(text: &[u8]) -> Result<(Self, Vec<YamlError>), YamlError> {
        let mut builder = Builder::default();
        builder.read(text)?;
        Ok((builder.document, builder.repeated))
    }

    /// All values; what one consists of stands before it.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The value of this number.
    #[must_use]
    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number]
    }

    /// The number of the whole document's value, if there is any.
    #[must_use]
    pub fn root(&self) -> Option<usize> {
        self.root
    }
}

impl fmt::Display for Kind {
    /// What a value is, for messages. Long texts, lists and mappings are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(Scalar::Null) => f.write_str("nothing"),
            Self::Scalar(Scalar::Bool(value)) => write!(f, "the boolean {value}"),
            Self::Scalar(Scalar::Int(value)) => write!(f, "the number {value}"),
            Self::Scalar(Scalar::Float(value)) => write!(f, "the number {value:?}"),
            Self::Scalar(Scalar::Text(_)) => f.write_str("a string"),
            Self::List(_) => f.write_str("a list"),
            Self::Map(_) => f.write_str("a mapping"),
        }
    }
}

fn not_utf8(text: &[u8], valid: usize) -> YamlError {
    let before = &text[..valid];
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    YamlError {
        line: before.iter().filter(|&&byte| byte == b'\n').count() + 1,
        column: String::from_utf8_lossy(&before[line_start..]).chars().count() + 1,
        problem: "it is not UTF-8".to_owned(),
    }
}

fn wrong(place: Marker, problem: Problem) -> YamlError {
    YamlError { line: place.line(), column: place.col() + 1, problem }
}

/// A sequence or mapping that is not closed yet, with the number of its anchor.
enum Open {
    Sequence {
        anchor: usize,
        place: Marker,
        items: Vec<usize>,
    },
    Mapping {
        anchor: usize,
        place: Marker,
        entries: Vec<Entry>,
        names: FxHashSet<String>,
        key: Option<Key>,
        /// What is merged into it, and where that is said.
        merged: Option<(usize, Marker)>,
    },
}

/// What the next value of a mapping is.
enum Key {
    /// That of a key, which stands on this line.
    Named(String, usize),
    /// Mappings to be merged.
    Merge(Marker),
}

#[derive(Default)]
struct Builder {
    document: Document,
    open: Vec<Open>,
    anchors: FxHashMap<usize, usize>,
    /// Keys that are there twice.
    repeated: Vec<YamlError>,
    merges: Merges,
}

impl Builder {
    fn read(&mut self, text: &[u8]) -> Result<(), YamlError> {
        let text = std::str::from_utf8(text).map_err(|error| not_utf8(text, error.valid_up_to()))?;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| wrong(*error.marker(), error.info().to_owned()))?;
            self.take(event, span.start)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, place: Marker) -> Result<(), YamlError> {
        let taken = match event {
            Event::DocumentStart(_) if self.document.root.is_some() => Err("it has more than one document".to_owned()),
            Event::SequenceStart(anchor, _) => self.open(Open::Sequence { anchor, place, items: Vec::new() }),
            Event::MappingStart(anchor, _) => {
                let (entries, names) = (Vec::new(), FxHashSet::default());
                self.open(Open::Mapping { anchor, place, entries, names, key: None, merged: None })
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(place),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), place),
            Event::Alias(anchor) => match self.anchors.get(&anchor).copied() {
                Some(value) => self.add_alias(value, place),
                None => Err("an alias stands inside the value that it names".to_owned()),
            },
            _ => Ok(()),
        };
        taken.map_err(|problem| wrong(place, problem))
    }

    /// Whether the next value is a key.
    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Mapping { key: None, .. }))
    }

    fn open(&mut self, open: Open) -> Result<(), Problem> {
        if self.wants_key() {
            return Err("a key is a sequence or mapping".to_owned());
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self, end: Marker) -> Result<(), YamlError> {
        let added = match self.open.pop() {
            Some(Open::Sequence { anchor, place, items }) => self.add_new(anchor, place, Kind::List(items)),
            Some(Open::Mapping { anchor, place, mut entries, mut names, merged, .. }) => {
                if entries.len() > names.len() {
                    keep_last(&mut entries);
                }
                if let Some((value, said)) = merged {
                    let merged = self.merges.merge(&self.document, value, &mut entries, &mut names);
                    merged.map_err(|problem| wrong(said, problem))?;
                }
                self.add_new(anchor, place, Kind::Map(entries))
            }
            None => Ok(()),
        };
        added.map_err(|problem| wrong(end, problem))
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        place: Marker,
    ) -> Result<(), Problem> {
        if text.contains('\0') {
            return Err("a string has a NUL character".to_owned());
        }
        let plain = matches!(style, ScalarStyle::Plain);
        let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix));
        if self.wants_key() {
            if plain && merge::is_merge(text, tag.as_deref()) {
                return self.merge_key(place);
            }
            let number = self.push(place, Kind::Scalar(Scalar::Text(text.to_owned())));
            self.anchors.insert(anchor, number);
            return self.key(text, place);
        }
        let value = match tag {
            Some(tag) => scalar::tagged(text, &tag)?,
            None if plain => scalar::resolve(text)?.unwrap_or_else(|| Scalar::Text(text.to_owned())),
            None => Scalar::Text(text.to_owned()),
        };
        let number = self.push(place, Kind::Scalar(value));
        self.document.nodes[number].quoted = !plain;
        self.add_anchored(anchor, number)
    }

    fn key(&mut self, text: &str, place: Marker) -> Result<(), Problem> {
        let Some(Open::Mapping { names, key, .. }) = self.open.last_mut() else { return Ok(()) };
        if !names.insert(text.to_owned()) {
            self.repeated.push(wrong(place, format!("the key `{text}` is there twice")));
        }
        *key = Some(Key::Named(text.to_owned(), place.line()));
        Ok(())
    }

    fn merge_key(&mut self, place: Marker) -> Result<(), Problem> {
        let Some(Open::Mapping { key, merged, .. }) = self.open.last_mut() else { return Ok(()) };
        if merged.is_some() {
            self.repeated.push(wrong(place, "the key `<<` is there twice".to_owned()));
        }
        *key = Some(Key::Merge(place));
        Ok(())
    }

    fn add_alias(&mut self, value: usize, place: Marker) -> Result<(), Problem> {
        if !self.wants_key() {
            return self.add(value);
        }
        match &self.document.nodes[value].kind {
            Kind::Scalar(Scalar::Text(text)) => {
                let text = text.clone();
                self.key(&text, place)
            }
            _ => Err("a key is not a string".to_owned()),
        }
    }

    fn push(&mut self, place: Marker, kind: Kind) -> usize {
        self.document.nodes.push(Node { line: place.line(), column: place.col() + 1, quoted: false, kind });
        self.document.nodes.len() - 1
    }

    fn add_new(&mut self, anchor: usize, place: Marker, kind: Kind) -> Result<(), Problem> {
        let number = self.push(place, kind);
        self.add_anchored(anchor, number)
    }

    fn add_anchored(&mut self, anchor: usize, number: usize) -> Result<(), Problem> {
        if anchor > 0 {
            self.anchors.insert(anchor, number);
        }
        self.add(number)
    }

    fn add(&mut self, value: usize) -> Result<(), Problem> {
        match self.open.last_mut() {
            None => self.document.root = Some(value),
            Some(Open::Sequence { items, .. }) => items.push(value),
            Some(Open::Mapping { entries, key, merged, .. }) => match key.take() {
                Some(Key::Named(key, line)) => entries.push(Entry { key, line, value }),
                Some(Key::Merge(place)) => *merged = Some((value, place)),
                None => return Err("a key is not a string".to_owned()),
            },
        }
        Ok(())
    }
}

/// Of entries with one key, keeps the last.
fn keep_last(entries: &mut Vec<Entry>) {
    let mut seen = FxHashSet::default();
    entries.reverse();
    entries.retain(|entry| seen.insert(entry.key.clone()));
    entries.reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<(usize, usize, String)> {
        let document = Document::parse(text.as_bytes()).unwrap();
        document.nodes().iter().map(|node| (node.line, node.column, node.kind.to_string())).collect()
    }

    fn refused(text: &[u8]) -> (usize, usize, String) {
        let error = Document::parse(text).expect_err("it is wrong");
        (error.line, error.column, error.problem)
    }

    #[test]
    fn values_know_where_they_stand() {
        let found = places("a: 1\nlist:\n  - x\n  - 46.0\n");
        let expected = [(1, 4, "the number 1"), (3, 5, "a string"), (4, 5, "the number 46.0")];
        for (line, column, kind) in expected {
            assert!(found.contains(&(line, column, kind.to_owned())), "{line}:{column} {kind}: {found:?}");
        }
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(refused(b"a: 1\nb: \xff\n"), (2, 4, "it is not UTF-8".to_owned()));
        assert_eq!(refused(b"a: 1\na: 2\n"), (2, 1, "the key `a` is there twice".to_owned()));
        assert_eq!(refused(b"a:\n\t- 1\n").0, 2);
        assert_eq!(refused(b"a: [1\n").0, 2);
    }

    #[test]
    fn of_repeated_keys_the_last_counts() {
        let (document, repeated) = Document::parse_repeated(b"a: 1\nb: {c: 2, c: 3}\na: x\na: 4.5\n").unwrap();
        let told: Vec<_> = repeated.iter().map(|error| (error.line, error.column, error.problem.as_str())).collect();
        let twice = |key: &str| format!("the key `{key}` is there twice");
        let (a, c) = (twice("a"), twice("c"));
        assert_eq!(told, [(2, 11, c.as_str()), (3, 1, &a), (4, 1, &a)]);
        let of = |number: usize| match &document.node(number).kind {
            Kind::Map(entries) => entries.clone(),
            other => panic!("{other}"),
        };
        let root = of(document.root().unwrap());
        assert_eq!(root.iter().map(|entry| (entry.key.as_str(), entry.line)).collect::<Vec<_>>(), [("b", 2), ("a", 4)]);
        assert_eq!(document.node(root[1].value).kind, Kind::Scalar(Scalar::Float(4.5)));
        assert_eq!(of(root[0].value).len(), 1);
        assert_eq!(refused(b"a: 1\na: 2\nb: [\n").0, 2);
        assert!(Document::parse_repeated(b"a: 1\na: 2\nb: [\n").expect_err("it is wrong").line > 2);
    }

    #[test]
    fn aliases_of_aliases_cost_nothing() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..40 {
            let below = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(", ")));
        }
        assert!(Document::parse(text.as_bytes()).unwrap().nodes().len() < 200);
    }

    #[test]
    fn what_a_value_consists_of_comes_before_it() {
        let document = Document::parse(b"a: {b: [1, 2]}\nc: [{d: e}]\n").unwrap();
        for (number, node) in document.nodes().iter().enumerate() {
            match &node.kind {
                Kind::List(items) => assert!(items.iter().all(|item| *item < number)),
                Kind::Map(entries) => assert!(entries.iter().all(|entry| entry.value < number)),
                Kind::Scalar(_) => {}
            }
        }
        assert_eq!(document.root(), Some(document.nodes().len() - 1));
    }
}
