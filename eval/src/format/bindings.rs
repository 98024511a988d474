//! Attribute sets, `let`, and what is bound in them.

use super::comments::print_leading;
use super::doc::{BREAK, HARD, LINE, SPACE, first_group, group};
use super::expression::{brackets, first_token, is_empty, is_term};
use super::{Docs, Formatter};
use crate::syntax::Kind;
use crate::syntax::tree::Element;
use crate::syntax::typed::{Binding, Inherit, Let, With};

/// An `inherit` of more names than this has a line for each.
const MAX_NAMES_ON_LINE: usize = 3;

impl<'t> Formatter<'t> {
    /// A set; a `wide` one is broken unless it is empty.
    pub(super) fn attr_set(&mut self, set: Element<'t>, wide: bool) -> Docs {
        let (open, close) = brackets(set);
        let mut docs = Docs::new();
        if let Some(word) = set.elements().find(|element| element.kind() == Kind::Keyword) {
            docs.extend(self.token(word));
            docs.push(HARD);
        }
        docs.extend(print_leading(&self.comments.take_leading(open), self.level));
        docs.push(self.code(b"{"));
        if is_empty(set) && self.comments.leading(close).is_empty() && !self.comments.has_trailing(open) {
            docs.push(if self.on_same_line(open, close) { HARD } else { LINE });
            docs.extend(self.token(close));
            return docs;
        }
        let entries: Vec<_> = set.children().collect();
        let edge = if !wide && self.on_same_line(open, close) { SPACE } else { LINE };
        docs.push(edge.clone());
        docs.extend(self.nested(|formatter| {
            let mut docs = formatter.comment_of_opening(open);
            docs.extend(formatter.entries_on_lines(&entries));
            docs.extend(formatter.comments_before_closing(close));
            docs
        }));
        docs.push(edge);
        docs.extend(self.token(close));
        docs
    }

    fn entries_on_lines(&mut self, entries: &[Element<'t>]) -> Docs {
        let mut docs = Docs::new();
        for (index, entry) in entries.iter().enumerate() {
            if index > 0 {
                docs.push(LINE);
            }
            docs.push(match entry.kind() {
                Kind::Inherit => group(self.inherit(Inherit(*entry))),
                _ => group(self.binding(Binding(*entry))),
            });
        }
        docs
    }

    pub(super) fn let_in(&mut self, node: Element<'t>) -> Docs {
        let parts = Let(node);
        let entries: Vec<_> = parts.entries().collect();
        let mut head = self.token_of(node, "let");
        head.push(LINE);
        let word = node.token("in");
        head.extend(self.nested(|formatter| {
            let mut docs = formatter.entries_on_lines(&entries);
            if let Some(word) = word {
                docs.extend(formatter.comments_before_closing(word));
            }
            docs
        }));
        if let (Some(word), Some(body)) = (word, parts.body()) {
            self.comments.move_down(word, first_token(body));
        }
        let mut tail = self.token_of(node, "in");
        tail.push(LINE);
        tail.extend(self.maybe(parts.body()));
        vec![group(head), LINE, group(tail)]
    }

    fn binding(&mut self, binding: Binding<'t>) -> Docs {
        let mut docs = Docs::new();
        let mut dynamic = false;
        if let Some(path) = binding.path() {
            dynamic = path.names().any(|name| name.kind() != Kind::Name);
            docs.extend(self.attr_path(path.0));
        }
        docs.extend(self.nested(|formatter| {
            let mut docs = vec![HARD];
            docs.extend(formatter.token_of(binding.0, "="));
            if let Some(value) = binding.value() {
                let value = formatter.right_hand_side(value);
                if dynamic { docs.extend(behind_dynamic_name(value)) } else { docs.extend(value) }
            }
            docs
        }));
        docs.extend(self.token_of(binding.0, ";"));
        docs
    }

    pub(super) fn attr_path(&mut self, path: Element<'t>) -> Docs {
        let mut docs = Docs::new();
        for part in path.elements().filter(|part| !part.kind().is_trivia()) {
            match part.kind() {
                Kind::String => docs.push(group(self.string(part))),
                Kind::Interpolation => docs.extend(self.interpolation(part)),
                Kind::Name => docs.extend(self.joined(part)),
                _ => docs.extend(self.token(part)),
            }
        }
        docs
    }

    fn inherit(&mut self, inherit: Inherit<'t>) -> Docs {
        let names: Vec<_> = inherit.names().collect();
        let end = inherit.0.token(";");
        let broken =
            names.len() > MAX_NAMES_ON_LINE || end.is_some_and(|end| !self.on_same_line(first_token(inherit.0), end));
        let separator = if broken { LINE } else { SPACE };
        let mut docs = self.token_of(inherit.0, "inherit");
        docs.extend(self.nested(|formatter| {
            let mut docs = Docs::new();
            if let Some(source) = inherit.0.child(Kind::InheritFrom) {
                docs.push(group([vec![SPACE], formatter.inherit_source(source)].concat()));
            }
            if names.is_empty() {
                docs.push(SPACE);
                docs.extend(formatter.token_of(inherit.0, ";"));
                return docs;
            }
            for name in &names {
                docs.push(separator.clone());
                docs.extend(match name.kind() {
                    Kind::String => vec![group(formatter.string(*name))],
                    Kind::Interpolation => formatter.interpolation(*name),
                    _ => formatter.joined(*name),
                });
            }
            docs.push(if broken { LINE } else { BREAK });
            docs.extend(formatter.token_of(inherit.0, ";"));
            docs
        }));
        docs
    }

    /// The `(e)` behind `inherit`.
    fn inherit_source(&mut self, source: Element<'t>) -> Docs {
        vec![group(self.paren(source))]
    }

    /// What stands behind `=`, with the space before it. The level is that of the sign.
    pub(super) fn right_hand_side(&mut self, value: Element<'t>) -> Docs {
        if value.kind() == Kind::Binary
            && let Some(docs) = self.operation_behind_equals(value)
        {
            return docs;
        }
        self.nested(|formatter| formatter.value(value))
    }

    fn value(&mut self, value: Element<'t>) -> Docs {
        match value.kind() {
            Kind::Lambda if self.is_absorbable(value) => {
                let (mut docs, lambda) = self.behind_space(value);
                docs.extend(lambda);
                docs
            }
            Kind::With if With(value).body().is_some_and(|body| is_term(body) && self.is_absorbable_term(body)) => {
                let docs = self.with_absorbed(value);
                vec![group(after_space(docs))]
            }
            Kind::With => vec![group([vec![SPACE], self.with(value)].concat())],
            _ if is_term(value) && self.is_absorbable_term(value) => {
                let wide = !is_single_inherit(value);
                vec![HARD, group(self.absorbed_term(value, wide))]
            }
            Kind::Paren => vec![HARD, self.absorbed_paren(value)],
            Kind::String | Kind::IndentedString | Kind::Path | Kind::Uri => vec![HARD, group(self.expr(value))],
            Kind::Call => self.call(value, vec![SPACE], false),
            _ if is_term(value) => vec![group([vec![SPACE], self.expr(value)].concat())],
            _ => vec![SPACE, group(self.expr(value))],
        }
    }
}

/// A value behind a computed or quoted name, which may start on a line of its own.
fn behind_dynamic_name(value: Docs) -> Docs {
    match value.first() {
        Some(&HARD) => vec![SPACE, first_group(value[1..].to_vec())],
        _ => vec![BREAK, first_group(value)],
    }
}

/// Whether a set is `{ inherit …; }`.
fn is_single_inherit(set: Element<'_>) -> bool {
    let mut entries = set.children();
    entries.next().is_some_and(|entry| entry.kind() == Kind::Inherit) && entries.next().is_none()
}

/// A document that begins with a break, with a space there.
fn after_space(mut docs: Docs) -> Docs {
    if docs.first() == Some(&BREAK) {
        docs[0] = SPACE;
    }
    docs
}
