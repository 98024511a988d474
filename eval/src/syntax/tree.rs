//! The lossless syntax tree: every byte of the text is in exactly one token, comments and white space included.
//!
//! The tree is one flat list of elements, each node before what it contains; an [`Element`] is a number in it, cheap to
//! copy, and knows its tree. Nodes begin and end with a token that means something (only the root may begin and end with
//! others), so a comment between two bindings belongs to the set around them.
//!
//! ```
//! use eval::syntax::{Kind, ParseOptions, parse_tree};
//! let parsed = parse_tree(b"{ a = 1; } # set", ParseOptions::default());
//! let set = parsed.tree().root().children().next().unwrap();
//! assert_eq!(set.kind(), Kind::AttrSet);
//! assert_eq!(set.text(), b"{ a = 1; }");
//! assert_eq!(parsed.tree().token_at(2).unwrap().parent().unwrap().kind(), Kind::Name);
//! ```

use super::kind::Kind;
use super::record::{Noted, Recording};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The syntax tree of one text.
#[derive(Debug, Clone)]
pub struct Tree {
    text: Arc<[u8]>,
    /// In the order of the text, outer before inner; the first one is the root.
    elements: Vec<Stored>,
}

#[derive(Debug, Clone, Copy)]
struct Stored {
    kind: Kind,
    start: u32,
    end: u32,
    parent: u32,
    /// The number behind its last descendant.
    next: u32,
}

/// A node or token of a tree.
#[derive(Clone, Copy)]
pub struct Element<'t> {
    tree: &'t Tree,
    number: u32,
}

impl Tree {
    /// The node that contains everything.
    #[must_use]
    pub fn root(&self) -> Element<'_> {
        self.element(0)
    }

    /// The text. The texts of all tokens, one after the other, are the same.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// How deeply elements nest.
    #[must_use]
    pub fn depth(&self) -> usize {
        let mut depths: Vec<usize> = Vec::with_capacity(self.elements.len());
        for (number, element) in self.elements.iter().enumerate() {
            let outer = if number == 0 { 0 } else { depths[element.parent as usize] };
            depths.push(outer + 1);
        }
        depths.into_iter().max().unwrap_or(0)
    }

    /// All tokens in the order of the text.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = Element<'_>> {
        self.root().tokens()
    }

    /// The token that contains the byte at an offset; `None` behind the end.
    #[must_use]
    pub fn token_at(&self, offset: usize) -> Option<Element<'_>> {
        // Of the elements that start at or before the offset, the last is the token: outer ones stand before inner ones.
        let behind = self.elements.partition_point(|element| element.start as usize <= offset);
        let found = self.element(behind.checked_sub(1)? as u32);
        (found.kind().is_token() && offset < found.range().end).then_some(found)
    }

    /// The tokens on both sides of an offset, for a cursor that stands between two bytes.
    #[must_use]
    pub fn tokens_around(&self, offset: usize) -> (Option<Element<'_>>, Option<Element<'_>>) {
        (offset.checked_sub(1).and_then(|before| self.token_at(before)), self.token_at(offset))
    }

    /// The innermost node that contains a range.
    #[must_use]
    pub fn node_covering(&self, range: Range<usize>) -> Element<'_> {
        let covers = |element: &Element<'_>| element.range().start <= range.start && range.end <= element.range().end;
        let mut found = self.root();
        while let Some(inner) = found.children().find(covers) {
            found = inner;
        }
        found
    }

    /// The element with a number that [`Element::number`] gave.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn nth(&self, number: usize) -> Element<'_> {
        assert!(number < self.elements.len(), "the number is one of this tree");
        self.element(number as u32)
    }

    fn element(&self, number: u32) -> Element<'_> {
        Element { tree: self, number }
    }
}

impl<'t> Element<'t> {
    fn stored(self) -> &'t Stored {
        &self.tree.elements[self.number as usize]
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.stored().kind
    }

    /// Where it is: offsets in the text, end exclusive.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.stored().start as usize..self.stored().end as usize
    }

    /// Its text.
    #[must_use]
    pub fn text(self) -> &'t [u8] {
        &self.tree.text[self.range()]
    }

    /// Its number in its tree: elements are counted in the order of the text, outer before inner, the root is 0.
    #[must_use]
    pub fn number(self) -> usize {
        self.number as usize
    }

    /// The tree it belongs to.
    #[must_use]
    pub fn tree(self) -> &'t Tree {
        self.tree
    }

    /// The node that contains it; `None` of the root.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        (self.number > 0).then(|| self.tree.element(self.stored().parent))
    }

    /// The nodes that contain it, innermost first.
    pub fn ancestors(self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), |element| element.parent())
    }

    /// What it directly contains: nodes and all tokens.
    pub fn elements(self) -> impl Iterator<Item = Self> {
        let (tree, end) = (self.tree, self.stored().next);
        let first = Some(self.number + 1).filter(|&number| number < end);
        let numbers = std::iter::successors(first, move |&number| {
            Some(tree.elements[number as usize].next).filter(|&number| number < end)
        });
        numbers.map(move |number| tree.element(number))
    }

    /// The nodes it directly contains.
    pub fn children(self) -> impl Iterator<Item = Self> {
        self.elements().filter(|element| !element.kind().is_token())
    }

    /// The expressions it directly contains.
    pub fn expressions(self) -> impl Iterator<Item = Self> {
        self.elements().filter(|element| element.kind().is_expression())
    }

    /// The first node of a kind that it directly contains.
    #[must_use]
    pub fn child(self, kind: Kind) -> Option<Self> {
        self.elements().find(|element| element.kind() == kind)
    }

    /// The first keyword or symbol with this text that it directly contains.
    #[must_use]
    pub fn token(self, text: &str) -> Option<Self> {
        self.elements().find(|element| element.is(text))
    }

    /// Whether it is the keyword or symbol with this text.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        let kind = self.kind();
        matches!(kind, Kind::Keyword | Kind::Symbol | Kind::InterpolationStart) && self.text() == text.as_bytes()
    }

    /// It and all that it contains, outer before inner.
    pub fn descendants(self) -> impl DoubleEndedIterator<Item = Self> {
        let tree = self.tree;
        (self.number..self.stored().next).map(move |number| tree.element(number))
    }

    /// All tokens it contains, however deep; of a token, itself.
    pub fn tokens(self) -> impl DoubleEndedIterator<Item = Self> {
        self.descendants().filter(|element| element.kind().is_token())
    }

    /// The token before this element, wherever it is.
    #[must_use]
    pub fn token_before(self) -> Option<Self> {
        (0..self.number).rev().map(|number| self.tree.element(number)).find(|element| element.kind().is_token())
    }

    /// The token behind this element, wherever it is.
    #[must_use]
    pub fn token_after(self) -> Option<Self> {
        let rest = self.stored().next..self.tree.elements.len() as u32;
        rest.map(|number| self.tree.element(number)).find(|element| element.kind().is_token())
    }

    /// The next element in the same node.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let end = self.parent()?.stored().next;
        (self.stored().next < end).then(|| self.tree.element(self.stored().next))
    }
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.tree, other.tree) && self.number == other.number
    }
}

impl Eq for Element<'_> {}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.range();
        write!(f, "{:?}@{start}..{end}", self.kind())
    }
}

/// The tree, node by node and token by token, one on a line, indented: for tests and for looking.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for element in self.root().descendants() {
            let depth = element.ancestors().count();
            write!(f, "{:1$}{element:?}", "", 2 * depth)?;
            if element.kind().is_token() {
                write!(f, " {:?}", String::from_utf8_lossy(element.text()))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Makes a tree from what a parser noted.
pub(super) fn build(text: Arc<[u8]>, recording: Recording) -> Tree {
    let Recording { mut tokens, mut nodes } = recording;
    super::parsed::add_rest(&text, &mut tokens);
    // Outer before inner: of two with the same range the outer was finished later.
    nodes.reverse();
    nodes.sort_by_key(|node| (node.start, std::cmp::Reverse(node.end)));
    let root = Stored { kind: Kind::Root, start: 0, end: text.len() as u32, parent: 0, next: 0 };
    let mut builder = Builder { text: &text, elements: vec![root], open: vec![0], at: 0 };
    let mut nodes = nodes.into_iter().peekable();
    for token in tokens {
        builder.close_ended();
        builder.trivia_up_to(token.start);
        builder.close_ended();
        while let Some(node) = nodes.next_if(|node| node.start <= token.start) {
            builder.open(node, token.start);
        }
        builder.token(token);
    }
    builder.close_ended();
    builder.trivia_up_to(text.len());
    builder.close_ended();
    let mut elements = builder.elements;
    elements[0].next = elements.len() as u32;
    Tree { text, elements }
}

struct Builder<'t> {
    text: &'t [u8],
    elements: Vec<Stored>,
    /// The nodes that are not complete, the root first.
    open: Vec<u32>,
    /// The offset behind the last token.
    at: usize,
}

impl Builder<'_> {
    /// Closes the nodes that end at or before the offset that was reached. The root stays open.
    fn close_ended(&mut self) {
        while let Some(&node) = self.open.last()
            && node > 0
            && self.elements[node as usize].end as usize <= self.at
        {
            self.elements[node as usize].end = self.at as u32;
            self.elements[node as usize].next = self.elements.len() as u32;
            self.open.pop();
        }
    }

    fn parent(&self) -> u32 {
        self.open.last().copied().unwrap_or_default()
    }

    /// Opens a node at its first token, unless it does not lie within the node that is open.
    fn open(&mut self, node: Noted, start: usize) {
        let parent = self.parent();
        if node.end <= start || node.end > self.elements[parent as usize].end as usize {
            return;
        }
        let number = self.elements.len() as u32;
        let (start, end) = (start as u32, node.end as u32);
        self.elements.push(Stored { kind: node.kind, start, end, parent, next: 0 });
        self.open.push(number);
    }

    fn token(&mut self, token: Noted) {
        let (start, end) = (token.start as u32, token.end as u32);
        let next = self.elements.len() as u32 + 1;
        self.elements.push(Stored { kind: token.kind, start, end, parent: self.parent(), next });
        self.at = token.end;
    }

    fn trivia_up_to(&mut self, end: usize) {
        while self.at < end {
            let (kind, length) = super::lexer::trivia(&self.text[self.at..end]);
            self.token(Noted { kind, start: self.at, end: self.at + length });
        }
    }
}
