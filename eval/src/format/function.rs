//! Functions: `x: e`, `{ a, b ? c, ... }@x: e`.

use super::doc::{BREAK, Doc, HARD, LINE, SPACE, Text, TextKind, first_group, group};
use super::expression::{brackets, first_token, is_term};
use super::{Docs, Formatter};
use crate::syntax::Kind;
use crate::syntax::tree::Element;
use crate::syntax::typed::{Formal, Lambda, Pattern};

/// Functions of more arguments than this have their body on a line of its own.
const MAX_ARGUMENTS_ON_LINE: usize = 2;

/// Patterns of more names than this have a line for each.
const MAX_NAMES_ON_LINE: usize = 2;

impl<'t> Formatter<'t> {
    pub(super) fn lambda(&mut self, lambda: Element<'t>) -> Docs {
        let parts = Lambda(lambda);
        let Some(pattern) = parts.pattern() else {
            let mut docs = vec![BREAK];
            docs.extend(self.named_lambda(lambda, 1));
            return docs;
        };
        let Some(body) = parts.body() else { return self.joined(lambda) };
        let compact = self.is_absorbable_lambda(lambda);
        let on_line = pattern.whole().is_some() || self.has_body_on_line(lambda, body);
        let mut docs = self.pattern(pattern);
        docs.extend(self.token_of(lambda, ":"));
        if compact {
            match body.kind() {
                Kind::Lambda => {
                    let (space, body) = self.behind_space(body);
                    docs.extend(space);
                    docs.push(first_group(body));
                }
                Kind::With => docs.extend([HARD, first_group(vec![group(self.with(body))])]),
                _ => docs.extend([HARD, first_group(self.absorbed_term(body, false))]),
            }
        } else if !on_line {
            docs.push(LINE);
            docs.extend(self.expr(body));
        } else if is_term(body) && self.is_absorbable_term(body) {
            docs.extend([SPACE, group(self.absorbed_term(body, true))]);
        } else {
            docs.push(SPACE);
            docs.extend(self.expr(body));
        }
        docs
    }

    /// A function that starts behind something on the same line: the space before it, and it.
    pub(super) fn behind_space(&mut self, lambda: Element<'t>) -> (Docs, Docs) {
        let mut docs = self.lambda(lambda);
        if docs.first() == Some(&BREAK) {
            docs[0] = SPACE;
            return (Docs::new(), vec![group(docs)]);
        }
        (vec![HARD], vec![group(docs)])
    }

    /// `x: e`, where `e` may be such a function again.
    fn named_lambda(&mut self, lambda: Element<'t>, depth: usize) -> Docs {
        let parts = Lambda(lambda);
        let mut docs = parts.name().map_or(Docs::new(), |name| self.joined(name));
        docs.extend(self.token_of(lambda, ":"));
        match parts.body() {
            Some(body) if body.kind() == Kind::Lambda && Lambda(body).name().is_some() => {
                docs.push(HARD);
                docs.extend(self.named_lambda(body, depth + 1));
            }
            Some(body) if self.is_absorbable(body) => {
                docs.push(HARD);
                docs.push(first_group(self.absorbed(body, false)));
            }
            body => {
                docs.push(if depth > MAX_ARGUMENTS_ON_LINE { LINE } else { SPACE });
                docs.extend(self.maybe(body));
            }
        }
        docs
    }

    pub(super) fn is_absorbable_lambda(&self, lambda: Element<'t>) -> bool {
        let parts = Lambda(lambda);
        let Some(body) = parts.body() else { return false };
        match parts.pattern() {
            Some(pattern) => {
                self.is_compact(pattern) && self.has_body_on_line(lambda, body) && self.is_absorbable(body)
            }
            None => match body.kind() {
                Kind::Lambda => self.is_absorbable_lambda(body),
                _ => is_term(body) && self.is_absorbable_term(body),
            },
        }
    }

    /// Whether the body begins on the line of the colon.
    fn has_body_on_line(&self, lambda: Element<'t>, body: Element<'t>) -> bool {
        lambda
            .token(":")
            .is_none_or(|colon| self.comments.is_alone(colon) && self.on_same_line(colon, first_token(body)))
    }

    /// Whether a pattern is so short that it stays on one line.
    fn is_compact(&self, pattern: Pattern<'t>) -> bool {
        let (open, close) = brackets(pattern.0);
        let mut tokens = pattern.0.tokens().filter(|token| !token.kind().is_trivia());
        pattern.whole().is_none()
            && pattern.formals().count() <= MAX_NAMES_ON_LINE
            && pattern.formals().all(|formal| formal.default().is_none())
            && self.on_same_line(open, close)
            && tokens.all(|token| self.comments.is_alone(token))
    }

    /// `{ … }`, `{ … }@x`, `x@{ … }`
    fn pattern(&mut self, pattern: Pattern<'t>) -> Docs {
        let mut docs = Docs::new();
        let (open, _) = brackets(pattern.0);
        for part in pattern.0.elements() {
            match part.kind() {
                Kind::Name => docs.extend(self.joined(part)),
                _ if part.is("@") => docs.extend(self.token(part)),
                _ if part == open => docs.push(group(self.formals(pattern))),
                _ => {}
            }
        }
        docs
    }

    fn formals(&mut self, pattern: Pattern<'t>) -> Docs {
        let (open, close) = brackets(pattern.0);
        let entries: Vec<_> =
            pattern.0.elements().filter(|part| part.kind() == Kind::Formal || part.is("...")).collect();
        self.lift_commas(pattern, &entries);
        let Some(&first) = entries.first() else {
            self.comments.move_down(open, open);
            let mut docs = self.token(open);
            docs.push(if self.on_same_line(open, close) { HARD } else { LINE });
            docs.extend(self.token(close));
            return docs;
        };
        if let ([entry], true) = (entries.as_slice(), first.is("..."))
            && self.comments.is_alone(*entry)
            && self.comments.is_alone(open)
            && self.comments.leading(close).is_empty()
        {
            let edge = if self.on_same_line(open, close) { HARD } else { LINE };
            let mut docs = self.token(open);
            docs.push(edge.clone());
            docs.extend(self.nested(|formatter| formatter.token(*entry)));
            docs.push(edge);
            docs.extend(self.token(close));
            return docs;
        }
        let with_default = entries.iter().any(|entry| Formal(*entry).default().is_some());
        let names = entries.iter().filter(|entry| !entry.is("...")).count();
        let on_one_line = !with_default && names <= MAX_NAMES_ON_LINE && self.on_same_line(open, close);
        let edge = if on_one_line { SPACE } else { LINE };
        self.comments.move_down(open, open);
        let mut docs = self.token(open);
        docs.push(edge.clone());
        docs.extend(self.nested(|formatter| {
            let mut docs = formatter.entries(&entries, &edge);
            docs.extend(formatter.comments_before_closing(close));
            docs
        }));
        docs.push(edge);
        docs.extend(self.token(close));
        docs
    }

    /// The arguments, each with its comma.
    fn entries(&mut self, entries: &[Element<'t>], edge: &Doc) -> Docs {
        let mut docs = Docs::new();
        let last = entries.len() - 1;
        for (index, entry) in entries.iter().enumerate() {
            if entry.is("...") {
                docs.extend(self.token(*entry));
                continue;
            }
            let name = last_token(*entry);
            let comment = self.comments.take_trailing(name);
            let mut formal = self.formal(Formal(*entry));
            if index == last {
                docs.push(group(formal));
                docs.push(Doc::Text(Text {
                    kind: TextKind::TrailingComma,
                    level: self.level,
                    offset: 0,
                    bytes: b",".to_vec(),
                }));
                docs.extend(super::comments::print_trailing(comment, self.level));
            } else {
                formal.push(self.code(b","));
                formal.extend(super::comments::print_trailing(comment, self.level));
                docs.push(group(formal));
                docs.push(edge.clone());
            }
        }
        docs
    }

    /// Gives the comments of commas to the arguments beside them.
    fn lift_commas(&mut self, pattern: Pattern<'t>, entries: &[Element<'t>]) {
        let (_, close) = brackets(pattern.0);
        for comma in pattern.0.elements().filter(|part| part.is(",")) {
            let (before, behind) =
                entries.split_at(entries.partition_point(|entry| entry.range().end <= comma.range().start));
            let next = behind.first().map_or(close, |next| first_token(*next));
            let leading = self.comments.take_leading(comma);
            self.comments.lead(next, leading);
            let Some(text) = self.comments.take_trailing(comma) else { continue };
            let name = before.last().map(|before| last_token(*before));
            match name.filter(|name| !self.comments.has_trailing(*name)) {
                Some(name) => self.comments.trail(name, text),
                None => self.comments.lead(next, vec![super::comments::Trivium::Line(text)]),
            }
        }
    }

    fn formal(&mut self, formal: Formal<'t>) -> Docs {
        let mut docs = formal.name().map_or(Docs::new(), |name| self.joined(name));
        let Some(default) = formal.default() else { return docs };
        docs.push(HARD);
        docs.extend(self.nested(|formatter| {
            let mut docs = formatter.token_of(formal.0, "?");
            docs.extend(formatter.nested(|formatter| formatter.right_hand_side(default)));
            docs
        }));
        docs
    }
}

/// The last token of an element that is not white space or a comment.
pub(super) fn last_token(element: Element<'_>) -> Element<'_> {
    element.tokens().rev().find(|token| !token.kind().is_trivia()).unwrap_or(element)
}
