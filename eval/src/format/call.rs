//! Calls: on one line if they fit; with the last argument broken where that is enough; else an argument on each line.

use super::comments::{Trivium, print_leading};
use super::doc::{BREAK, Doc, HARD, LINE, SPACE, chain, first_group, group, transparent, unbroken};
use super::expression::{brackets, first_token, is_term};
use super::{Docs, Formatter};
use crate::syntax::Kind;
use crate::syntax::tree::Element;
use crate::syntax::typed::{Call, Enclosed, Select};

/// A call of this many arguments may be simple: kept on one line, whatever its length.
const MAX_SIMPLE_ARGUMENTS: usize = 2;

/// A list of more items than this has a line for each, even before other arguments.
const MAX_SHORT_ITEMS: usize = 6;

impl<'t> Formatter<'t> {
    /// A call, behind what `pre` says.
    pub(super) fn call(&mut self, call: Element<'t>, pre: Docs, in_paren: bool) -> Docs {
        let Some(function) = Call(call).function() else { return self.joined(call) };
        let arguments: Vec<_> = Call(call).arguments().collect();
        let simple = arguments.len() <= MAX_SIMPLE_ARGUMENTS && self.is_simple(call);
        // A comment behind the function's name says something of the call.
        let mut comments = self.comments.take_leading(first_token(function));
        comments.extend(self.comments.take_trailing(first_token(function)).map(Trivium::Line));
        let mut docs = print_leading(&comments, self.level);
        let function = if in_paren && comments.is_empty() && !simple {
            self.nested(|formatter| vec![group([vec![BREAK], formatter.expr(function)].concat())])
        } else {
            self.expr(function)
        };
        docs.push(self.apply(pre, function, &arguments, simple, in_paren && comments.is_empty()));
        if in_paren && !comments.is_empty() {
            docs.push(BREAK);
        }
        docs
    }

    pub(super) fn call_in_paren(&mut self, call: Element<'t>) -> Docs {
        if self.is_simple(call) && Call(call).arguments().count() <= MAX_SIMPLE_ARGUMENTS {
            return self.nested(|formatter| formatter.call(call, Docs::new(), true));
        }
        self.call(call, Docs::new(), true)
    }

    /// `assert c`, which is laid out as a call.
    pub(super) fn assert_head(&mut self, assert: Element<'t>, condition: Option<Element<'t>>) -> Docs {
        let word = self.token_of(assert, "assert");
        let arguments: Vec<_> = match condition {
            Some(call) if call.kind() == Kind::Call => call.expressions().collect(),
            condition => condition.into_iter().collect(),
        };
        let Doc::Group(_, docs) = self.apply(Docs::new(), word, &arguments, false, false) else { return Docs::new() };
        docs
    }

    fn apply(&mut self, pre: Docs, function: Docs, arguments: &[Element<'t>], simple: bool, in_paren: bool) -> Doc {
        let Some((&last, inner)) = arguments.split_last() else { return group(function) };
        let lists = inner.last().is_some_and(|before| before.kind() == Kind::List) && last.kind() == Kind::List;
        let mut links = vec![transparent(function)];
        let runs = runs_of_lists(inner);
        let mut at = 0;
        while at < inner.len() {
            let pairs = if lists && at + runs[at] == inner.len() { runs[at] - 1 } else { runs[at] };
            let taken = if pairs > 0 && pairs % 2 == 0 { 2 } else { 1 };
            let last_of_lists = lists && at + 1 == inner.len();
            let link = self.nested(|formatter| formatter.link(&inner[at..at + taken], last_of_lists));
            links.push(transparent(link));
            at += taken;
        }
        let last = self.nested(|formatter| formatter.last_argument(last, lists));
        let mut docs = pre;
        docs.push(chain(links));
        if simple && let Some(mut flat) = unbroken(&super::doc::normalise(docs.clone()), None) {
            flat.extend([HARD, last]);
            return group(flat);
        }
        docs.extend([SPACE, last]);
        if in_paren {
            docs.push(BREAK);
        }
        group(docs)
    }

    /// An argument with the space before it, or two lists, which are broken together.
    fn link(&mut self, arguments: &[Element<'t>], two_lists: bool) -> Docs {
        match *arguments {
            [first, second] => vec![self.list_pair(first, second)],
            [argument] => vec![SPACE, self.inner_argument(argument, two_lists)],
            _ => Docs::new(),
        }
    }

    /// Whether a list has few and simple items, so that it may stay on one line before other arguments.
    fn is_short(&self, list: Element<'t>) -> bool {
        list.expressions().count() <= MAX_SHORT_ITEMS && list.expressions().all(|item| self.is_simple(item))
    }

    /// A list before other arguments.
    fn list_argument(&mut self, list: Element<'t>) -> Docs {
        let separator = if self.is_short(list) { SPACE } else { LINE };
        self.list_with(list, separator)
    }

    /// Two lists beside each other, which are broken together.
    fn list_pair(&mut self, first: Element<'t>, second: Element<'t>) -> Doc {
        let first = group(self.list_argument(first));
        let second = group(self.list_argument(second));
        group(vec![SPACE, first, SPACE, second])
    }

    fn inner_argument(&mut self, argument: Element<'t>, two_lists: bool) -> Doc {
        match argument.kind() {
            Kind::List if two_lists => group(self.list_argument(argument)),
            Kind::List if self.is_short(argument) => first_group(self.list_argument(argument)),
            Kind::List => first_group(vec![group(self.list_with(argument, LINE))]),
            Kind::Select => group(self.expr(argument)),
            _ => first_group(self.expr(argument)),
        }
    }

    fn last_argument(&mut self, argument: Element<'t>, two_lists: bool) -> Doc {
        match argument.kind() {
            Kind::List if two_lists => group(self.list_argument(argument)),
            Kind::Paren if self.wraps_absorbable(argument).is_some() => self.wrapper(argument),
            Kind::Paren if !self.is_absorbable_term(argument) => {
                // The bracket stands one level higher than what its function nests it in.
                self.level -= 1;
                let docs = self.absorbed_paren(argument);
                self.level += 1;
                docs
            }
            _ if is_term(argument) && self.is_absorbable_term(argument) => {
                let docs = self.absorbed_term(argument, false);
                first_group(docs)
            }
            _ => group(self.expr(argument)),
        }
    }

    /// The set, list or string in `(x: { … })` and `(f { … })`, which can start on the line of the bracket.
    fn wraps_absorbable(&self, paren: Element<'t>) -> Option<Element<'t>> {
        let inner = Enclosed(paren).inner()?;
        let parts: Vec<_> = inner.children().collect();
        let [head, body] = parts[..] else { return None };
        let is_head = match inner.kind() {
            Kind::Lambda => head.kind() == Kind::Name,
            Kind::Call => head.kind() == Kind::Variable,
            _ => false,
        };
        let (_, close) = brackets(paren);
        let before_body = paren.tokens().filter(|token| !token.kind().is_trivia());
        let before_body = before_body.take_while(|token| token.range().start < body.range().start);
        let alone = before_body
            .chain([close])
            .all(|token| self.comments.is_alone(token) || token == close && !self.comments.has_leading(close));
        (is_head && alone && is_term(body) && self.is_absorbable_term(body)).then_some(body)
    }

    /// `(x: { … })` and `(f { … })`, with the body on the line of the bracket.
    fn wrapper(&mut self, paren: Element<'t>) -> Doc {
        let Some(body) = self.wraps_absorbable(paren) else { return group(self.expr(paren)) };
        let mut docs = Docs::new();
        let tokens: Vec<_> = paren.tokens().filter(|token| !token.kind().is_trivia()).collect();
        for token in tokens.iter().take_while(|token| token.range().start < body.range().start) {
            docs.extend(self.token(*token));
        }
        docs.push(HARD);
        docs.extend(self.absorbed_term(body, true));
        let (_, close) = brackets(paren);
        docs.extend(self.token(close));
        first_group(docs)
    }

    /// Whether an expression is so simple that a call of it, or with it, is kept on one line.
    pub(super) fn is_simple(&self, expr: Element<'t>) -> bool {
        match expr.kind() {
            Kind::Select => {
                let select = Select(expr);
                let is_name = |path: Element<'t>| path.children().all(|name| name.kind() == Kind::Name);
                select.default().is_none()
                    && select.subject().is_some_and(|subject| self.is_simple(subject))
                    && select.path().is_some_and(|path| is_name(path.0) && self.is_uncommented(path.0))
            }
            Kind::Paren => {
                let (open, close) = brackets(expr);
                self.comments.is_alone(open)
                    && self.comments.is_alone(close)
                    && Enclosed(expr).inner().is_some_and(|inner| self.is_simple(inner))
            }
            Kind::Call => {
                expr.expressions().count() <= MAX_SIMPLE_ARGUMENTS + 1
                    && expr.expressions().all(|part| self.is_simple(part))
            }
            Kind::Variable | Kind::Number | Kind::Uri | Kind::SearchPath => self.is_uncommented(expr),
            Kind::String | Kind::IndentedString | Kind::Path => self.is_uncommented(expr),
            _ => false,
        }
    }

    fn is_uncommented(&self, expr: Element<'t>) -> bool {
        expr.tokens().filter(|token| !token.kind().is_trivia()).all(|token| self.comments.is_alone(token))
    }
}

/// For each argument, of how many lists it is the first.
fn runs_of_lists(arguments: &[Element<'_>]) -> Vec<usize> {
    let mut runs = vec![0; arguments.len()];
    let mut run = 0;
    for (at, argument) in arguments.iter().enumerate().rev() {
        run = if argument.kind() == Kind::List { run + 1 } else { 0 };
        runs[at] = run;
    }
    runs
}
