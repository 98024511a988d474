//! Expressions: which shape each takes. Functions, calls, operations, bindings and strings have files of their own.

use super::comments::{print_leading, print_trailing};
use super::doc::{BREAK, Doc, HARD, LINE, SPACE, Spacing, Text, TextKind, first_group, group};
use super::{Docs, Formatter};
use crate::syntax::Kind;
use crate::syntax::tree::Element;
use crate::syntax::typed::{Enclosed, If, With};

impl<'t> Formatter<'t> {
    /// A text that is code.
    pub(super) fn code(&self, bytes: &[u8]) -> Doc {
        Doc::Text(Text { kind: TextKind::Code, level: self.level, offset: 0, bytes: bytes.to_vec() })
    }

    /// A token with its comments.
    pub(super) fn token(&mut self, token: Element<'t>) -> Docs {
        let text = token.text().to_vec();
        self.token_as(token, &text)
    }

    /// A token with its comments, written otherwise.
    pub(super) fn token_as(&mut self, token: Element<'t>, text: &[u8]) -> Docs {
        let mut docs = print_leading(&self.comments.take_leading(token), self.level);
        docs.push(self.code(text));
        docs.extend(print_trailing(self.comments.take_trailing(token), self.level));
        docs
    }

    /// The token of a node with this text, with its comments; nothing if there is none.
    pub(super) fn token_of(&mut self, node: Element<'t>, text: &str) -> Docs {
        node.token(text).map_or(Docs::new(), |token| self.token(token))
    }

    /// The tokens of a node, one behind the other.
    pub(super) fn joined(&mut self, node: Element<'t>) -> Docs {
        let tokens: Vec<_> = node.tokens().filter(|token| !token.kind().is_trivia()).collect();
        tokens.into_iter().flat_map(|token| self.token(token)).collect()
    }

    /// An expression, or nothing.
    pub(super) fn maybe(&mut self, expr: Option<Element<'t>>) -> Docs {
        expr.map_or(Docs::new(), |expr| self.expr(expr))
    }

    pub(super) fn expr(&mut self, expr: Element<'t>) -> Docs {
        match expr.kind() {
            Kind::Uri => {
                let token = first_token(expr);
                let quoted = [b"\"", token.text(), b"\""].concat();
                self.token_as(token, &quoted)
            }
            Kind::String | Kind::IndentedString => vec![group(self.string(expr))],
            Kind::Path => vec![group(self.path(expr))],
            Kind::AttrSet | Kind::LetBody => self.attr_set(expr, false),
            Kind::List => vec![group(self.list(expr))],
            Kind::Paren => vec![group(self.paren(expr))],
            Kind::Select => self.select(expr),
            Kind::HasAttr => vec![group(self.has_attr(expr))],
            // A function of a set is broken with what stands around it.
            Kind::Lambda if expr.child(Kind::Pattern).is_some() => self.lambda(expr),
            Kind::Lambda => vec![group(self.lambda(expr))],
            Kind::Call => self.call(expr, Docs::new(), false),
            Kind::If => vec![group(self.conditional(expr, SPACE))],
            Kind::Assert => vec![group(self.assert(expr))],
            Kind::With => self.with(expr),
            Kind::Let => vec![group(self.let_in(expr))],
            Kind::Unary => vec![group(self.unary(expr))],
            Kind::Binary => vec![group(self.operation(expr))],
            _ => self.joined(expr),
        }
    }

    /// A term that may start behind something on the same line; `wide` ones are broken in any case.
    pub(super) fn absorbed_term(&mut self, term: Element<'t>, wide: bool) -> Docs {
        match term.kind() {
            Kind::AttrSet | Kind::LetBody => self.attr_set(term, wide),
            Kind::List => self.list(term),
            _ => self.expr(term),
        }
    }

    /// An expression that may start behind something on the same line.
    pub(super) fn absorbed(&mut self, expr: Element<'t>, wide: bool) -> Docs {
        if is_term(expr) && self.is_absorbable_term(expr) {
            return self.absorbed_term(expr, wide);
        }
        match With::cast(expr).and_then(With::body) {
            Some(body) if is_term(body) && self.is_absorbable_term(body) => vec![group(self.with_absorbed(expr))],
            _ => self.expr(expr),
        }
    }

    /// Whether a term reads well when it starts behind something on the same line.
    pub(super) fn is_absorbable_term(&self, term: Element<'t>) -> bool {
        match term.kind() {
            Kind::IndentedString => super::strings::is_multi_line(term),
            Kind::AttrSet | Kind::LetBody | Kind::List => {
                let (open, close) = brackets(term);
                !is_empty(term)
                    || self.comments.has_trailing(open)
                    || !self.comments.leading(close).is_empty()
                    || !self.on_same_line(open, close)
            }
            Kind::Paren => {
                let (open, _) = brackets(term);
                let inner = Enclosed(term).inner();
                self.comments.is_alone(open)
                    && inner.is_some_and(|inner| is_term(inner) && self.is_absorbable_term(inner))
            }
            _ => false,
        }
    }

    /// Whether an expression reads well when it starts behind something on the same line.
    pub(super) fn is_absorbable(&self, expr: Element<'t>) -> bool {
        match expr.kind() {
            Kind::With => With(expr).body().is_some_and(|body| is_term(body) && self.is_absorbable_term(body)),
            Kind::Lambda => self.is_absorbable_lambda(expr),
            _ => is_term(expr) && self.is_absorbable_term(expr),
        }
    }

    fn list(&mut self, list: Element<'t>) -> Docs {
        self.list_with(list, LINE)
    }

    /// A list whose items are separated by this.
    pub(super) fn list_with(&mut self, list: Element<'t>, separator: Doc) -> Docs {
        let (open, close) = brackets(list);
        let items: Vec<_> = list.expressions().collect();
        let mut docs = print_leading(&self.comments.take_leading(open), self.level);
        docs.push(self.code(b"["));
        if items.is_empty() && self.comments.leading(close).is_empty() && !self.comments.has_trailing(open) {
            docs.push(if self.on_same_line(open, close) { HARD } else { LINE });
            docs.extend(self.token(close));
            return docs;
        }
        let (edge, separator) = if self.on_same_line(open, close) { (SPACE, separator) } else { (LINE, LINE) };
        docs.push(edge.clone());
        docs.extend(self.nested(|formatter| {
            let mut docs = formatter.comment_of_opening(open);
            for (index, item) in items.into_iter().enumerate() {
                if index > 0 {
                    docs.push(separator.clone());
                }
                let item = formatter.expr(item);
                docs.push(group(item));
            }
            docs.extend(formatter.comments_before_closing(close));
            docs
        }));
        docs.push(edge);
        docs.extend(self.token(close));
        docs
    }

    /// The trailing comment of an opening bracket, on the next line.
    pub(super) fn comment_of_opening(&mut self, open: Element<'t>) -> Docs {
        match self.comments.take_trailing(open) {
            Some(text) => print_leading(&[super::comments::Trivium::Line(text)], self.level),
            None => Docs::new(),
        }
    }

    /// What leads a closing bracket, nested as what stands before it.
    pub(super) fn comments_before_closing(&mut self, close: Element<'t>) -> Docs {
        let trivia = self.comments.take_leading(close);
        print_leading(&trivia, self.level)
    }

    /// `(e)`
    pub(super) fn paren(&mut self, paren: Element<'t>) -> Docs {
        let (open, close) = brackets(paren);
        let Some(inner) = Enclosed(paren).inner() else { return self.joined(paren) };
        self.comments.move_down(open, first_token(inner));
        let mut docs = self.token(open);
        docs.extend(self.nested(|formatter| {
            let mut docs = formatter.paren_inner(inner);
            docs.extend(formatter.comments_before_closing(close));
            docs
        }));
        docs.extend(self.token(close));
        docs
    }

    fn paren_inner(&mut self, inner: Element<'t>) -> Docs {
        match inner.kind() {
            _ if self.is_absorbable(inner) => vec![group(self.absorbed(inner, false))],
            Kind::Call => self.call_in_paren(inner),
            Kind::Select => {
                let absorbable = inner.expressions().next().is_some_and(|subject| self.is_absorbable_term(subject));
                let mut docs = if absorbable { vec![BREAK] } else { Docs::new() };
                docs.extend([group(self.expr(inner)), BREAK]);
                docs
            }
            _ => vec![BREAK, group(self.expr(inner)), BREAK],
        }
    }

    /// `(e)` as the last argument of a call or the value of a binding.
    pub(super) fn absorbed_paren(&mut self, paren: Element<'t>) -> Doc {
        let (open, close) = brackets(paren);
        let Some(inner) = Enclosed(paren).inner() else { return group(self.joined(paren)) };
        self.comments.move_down(open, first_token(inner));
        let docs = self.nested(|formatter| {
            let mut docs = formatter.token(open);
            docs.push(BREAK);
            docs.extend(formatter.nested(|formatter| {
                let mut docs = vec![group(formatter.expr(inner))];
                docs.extend(formatter.comments_before_closing(close));
                docs
            }));
            docs.push(BREAK);
            docs.extend(formatter.token(close));
            docs
        });
        first_group(docs)
    }

    fn select(&mut self, select: Element<'t>) -> Docs {
        let parts: Vec<_> = select.elements().filter(|part| !part.kind().is_trivia()).collect();
        let mut docs = Docs::new();
        for (index, part) in parts.iter().enumerate() {
            match part.kind() {
                Kind::AttrPath => docs.extend(self.attr_path(*part)),
                _ if part.is(".") => {
                    match parts[0].kind() {
                        Kind::Variable => {}
                        Kind::Paren => docs.push(Doc::Space(Spacing::SoftBreak)),
                        _ => docs.push(BREAK),
                    }
                    docs.extend(self.token(*part));
                }
                _ if part.is("or") => {
                    docs.push(Doc::Space(Spacing::Soft));
                    docs.extend(self.nested(|formatter| {
                        let mut docs = formatter.token(*part);
                        docs.push(HARD);
                        docs.extend(formatter.maybe(parts.get(index + 1).copied()));
                        docs
                    }));
                    break;
                }
                _ => docs.extend(self.expr(*part)),
            }
        }
        docs
    }

    fn has_attr(&mut self, has_attr: Element<'t>) -> Docs {
        if let Some(operator) = has_attr.token("?") {
            self.comments.move_down(operator, operator);
        }
        let mut docs = self.maybe(has_attr.expressions().next());
        docs.push(SPACE);
        let level = self.level;
        self.level = level + 1;
        docs.extend(self.token_of(has_attr, "?"));
        docs.push(HARD);
        if let Some(path) = has_attr.child(Kind::AttrPath) {
            docs.extend(self.attr_path(path));
        }
        self.level = level;
        docs
    }

    /// `if c then a else b`, with this before and behind the branches.
    pub(super) fn conditional(&mut self, conditional: Element<'t>, edge: Doc) -> Docs {
        let parts = If(conditional);
        if let Some(token) = conditional.token("else")
            && let Some(text) = self.comments.take_trailing(token)
        {
            let mut trivia = self.comments.take_leading(token);
            trivia.push(super::comments::Trivium::Line(text));
            self.comments.lead(token, trivia);
        }
        let mut head = self.token_of(conditional, "if");
        head.push(SPACE);
        head.extend(self.nested(|formatter| formatter.maybe(parts.condition())));
        head.push(SPACE);
        head.extend(self.token_of(conditional, "then"));
        let mut docs = vec![group(head), edge.clone()];
        docs.push(group(self.nested(|formatter| formatter.maybe(parts.then_branch()))));
        docs.push(edge.clone());
        docs.extend(self.token_of(conditional, "else"));
        match parts.else_branch() {
            Some(branch) if branch.kind() == Kind::If && self.comments.leading(first_token(branch)).is_empty() => {
                docs.push(HARD);
                docs.push(group(self.conditional(branch, LINE)));
            }
            branch => {
                docs.push(edge);
                docs.push(group(self.nested(|formatter| formatter.maybe(branch))));
            }
        }
        docs
    }

    fn assert(&mut self, assert: Element<'t>) -> Docs {
        let parts = crate::syntax::typed::Assert(assert);
        let mut docs = vec![group(self.assert_head(assert, parts.condition()))];
        docs.extend(self.token_of(assert, ";"));
        docs.push(LINE);
        docs.extend(self.maybe(parts.body()));
        docs
    }

    pub(super) fn with(&mut self, with: Element<'t>) -> Docs {
        let mut head = self.token_of(with, "with");
        head.push(HARD);
        head.push(group(self.nested(|formatter| formatter.maybe(With(with).scope()))));
        head.extend(self.token_of(with, ";"));
        let mut docs = vec![group(head), SPACE];
        docs.extend(self.maybe(With(with).body()));
        docs
    }

    /// `with e; { … }` on the line of what stands before it.
    pub(super) fn with_absorbed(&mut self, with: Element<'t>) -> Docs {
        let mut docs = vec![BREAK];
        docs.extend(self.token_of(with, "with"));
        docs.push(HARD);
        docs.push(group(self.nested(|formatter| formatter.maybe(With(with).scope()))));
        docs.extend(self.token_of(with, ";"));
        docs.push(HARD);
        if let Some(body) = With(with).body() {
            docs.push(first_group(self.absorbed_term(body, true)));
        }
        docs
    }

    fn unary(&mut self, unary: Element<'t>) -> Docs {
        let operator = unary.elements().find(|element| element.kind() == Kind::Symbol);
        let mut docs = operator.map_or(Docs::new(), |operator| self.token(operator));
        docs.extend(self.maybe(unary.expressions().next()));
        docs
    }
}

/// The first token of an element that is not white space or a comment.
pub(super) fn first_token(element: Element<'_>) -> Element<'_> {
    element.tokens().find(|token| !token.kind().is_trivia()).unwrap_or(element)
}

/// The opening and closing bracket of a node.
pub(super) fn brackets(node: Element<'_>) -> (Element<'_>, Element<'_>) {
    let is_bracket = |element: &Element<'_>| ["(", "[", "{", ")", "]", "}"].iter().any(|text| element.is(text));
    let open = node.elements().find(is_bracket).unwrap_or(node);
    let close = node.elements().filter(is_bracket).last().unwrap_or(node);
    (open, close)
}

/// Whether a set or list has nothing in it but comments.
pub(super) fn is_empty(node: Element<'_>) -> bool {
    node.children().next().is_none()
}

/// Whether an expression is one word or stands in brackets.
pub(super) fn is_term(expr: Element<'_>) -> bool {
    !matches!(
        expr.kind(),
        Kind::Lambda
            | Kind::Call
            | Kind::If
            | Kind::Assert
            | Kind::With
            | Kind::Let
            | Kind::Unary
            | Kind::Binary
            | Kind::HasAttr
    )
}
