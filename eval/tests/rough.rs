//! Programs as they may stand in files: with parentheses, quotes and `rec` that nobody needs, without the blanks that
//! nobody needs, with traces. What comes out is another program; the same seed makes the same one of it.

use eval::syntax::tree::{Element, Tree};
use eval::syntax::{Kind, ParseOptions, parse_tree};

/// Makes programs rough.
#[derive(Debug)]
pub struct Rough {
    state: u64,
    traces: usize,
}

impl Rough {
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(2).wrapping_add(1), traces: 0 }
    }

    /// Once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33).is_multiple_of(times)
    }

    /// A rough form of a program, if it has no errors.
    pub fn roughen(&mut self, program: &str) -> String {
        let parsed = parse_tree(program.as_bytes(), ParseOptions::default());
        assert!(parsed.diagnostics().is_empty(), "{program}");
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for element in parsed.tree().root().descendants().filter(|element| !element.kind().is_token()) {
            let (left, right) = self.around(element);
            before.push((element.range().start, left));
            after.push((element.range().end, right));
        }
        // Of what ends at one place the inner ends first.
        after.reverse();
        after.sort_by_key(|(at, _)| *at);
        let rough = merged(program, &before, &after);
        squeezed(&parse_tree(rough.as_bytes(), ParseOptions::default()).tree().clone())
    }

    /// What is written around a node.
    fn around(&mut self, element: Element<'_>) -> (String, String) {
        let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
        let in_path = element.parent().is_some_and(|parent| parent.kind() == Kind::AttrPath);
        match element.kind() {
            Kind::Name if in_path && self.once_in(4) => pair("\"", "\""),
            Kind::Name if in_path && self.once_in(4) => pair("${\"", "\"}"),
            Kind::Paren if is_comparison(element) && self.once_in(4) => pair("(if", "then true else false)"),
            Kind::Paren if is_comparison(element) && self.once_in(4) => pair("(if", "then false else true)"),
            Kind::Paren if self.once_in(8) => pair("(with { };", ")"),
            Kind::Paren if self.once_in(8) => pair("(let in", ")"),
            Kind::String if !in_path && self.once_in(4) => pair("(toString", ")"),
            Kind::AttrSet if element.token("rec").is_none() && self.once_in(4) => pair("(rec", ")"),
            kind if kind.is_expression() && is_whole(element) => match () {
                () if self.once_in(16) => {
                    self.traces += 1;
                    (format!("(builtins.trace \"{}\" ", self.traces), ")".to_owned())
                }
                () if self.once_in(6) => pair("(", ")"),
                () => pair("", ""),
            },
            _ => pair("", ""),
        }
    }
}

fn is_comparison(paren: Element<'_>) -> bool {
    paren.expressions().next().is_some_and(|inner| {
        inner.kind() == Kind::HasAttr || ["==", "!=", "<", "&&"].iter().any(|operator| inner.token(operator).is_some())
    })
}

/// Whether an expression may stand in parentheses: some are parts of names, or bare words in an `inherit`.
fn is_whole(element: Element<'_>) -> bool {
    let within = element.parent().map(Element::kind);
    !matches!(within, Some(Kind::AttrPath | Kind::Inherit | Kind::InheritFrom | Kind::Path))
        && matches!(element.kind(), Kind::Variable | Kind::String | Kind::List | Kind::AttrSet | Kind::Paren)
}

/// A text with others put into it.
fn merged(text: &str, before: &[(usize, String)], after: &[(usize, String)]) -> String {
    let mut merged = String::new();
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    for at in 0..=text.len() {
        while let Some((_, right)) = after.next_if(|(end, _)| *end == at) {
            merged.push_str(&if right.len() > 2 { format!(" {right}") } else { right.clone() });
        }
        while let Some((_, left)) = before.next_if(|(start, _)| *start == at) {
            merged.push_str(&if left.len() > 3 { format!("{left} ") } else { left.clone() });
        }
        merged.push_str(text.get(at..=at).unwrap_or_default());
    }
    merged
}

/// The text of a tree without the blanks that keep nothing apart.
fn squeezed(tree: &Tree) -> String {
    let mut text: Vec<u8> = Vec::new();
    let mut tokens = tree.tokens().peekable();
    while let Some(token) = tokens.next() {
        let next = tokens.peek().and_then(|next| next.text().first().copied());
        let apart = |next: u8| text.last().is_some_and(|&last| class(last) != 0 && class(last) == class(next));
        if token.kind() != Kind::Whitespace || next.is_some_and(apart) {
            text.extend_from_slice(token.text());
        }
    }
    let text = String::from_utf8(text).expect("it was text");
    let again = parse_tree(text.as_bytes(), ParseOptions::default());
    let code = |tree: &Tree| -> Vec<Vec<u8>> {
        let code = tree.tokens().filter(|token| token.kind() != Kind::Whitespace);
        code.map(|token| token.text().to_vec()).collect()
    };
    assert_eq!(code(tree), code(again.tree()), "{text}");
    text
}

/// Bytes of one class may be one token together: 1 for names, numbers, paths and URIs, 2 for operators, 0 for others.
fn class(byte: u8) -> u8 {
    match byte {
        b'_' | b'\'' | b'-' | b'+' | b'.' | b'/' | b':' | b'~' | b'$' => 1,
        _ if byte.is_ascii_alphanumeric() => 1,
        b'<' | b'>' | b'=' | b'!' | b'&' | b'|' | b'*' | b'?' | b'@' => 2,
        _ => 0,
    }
}
