//! Assertions: those that fail show the values that were compared.

use super::Evaluator;
use crate::attrs::Attr;
use crate::code::{Assert, Binary, Expr};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::env::Env;
use crate::print::by_name;
use crate::source::Span;
use crate::syntax::ast::Operator;
use crate::value::Value;

impl Evaluator<'_> {
    /// Checks the condition of an assertion. Evaluates what evaluating the condition would, in the same order.
    #[inline(never)]
    pub(super) fn check_assertion(&self, code: &'static Assert, env: Env) -> Result<()> {
        self.check_condition(&code.condition, env, code.span)
    }

    fn check_condition(&self, condition: &'static Expr, env: Env, span: Span) -> Result<()> {
        match *condition {
            Expr::Logical(code) if code.operator == Operator::And => {
                self.check_condition(&code.left, env, code.left_span)?;
                return self.check_condition(&code.right, env, code.right_span);
            }
            Expr::Binary(code) if compares(code.operator) => return self.check_comparison(code, env),
            _ => {}
        }
        if self.condition(condition, env, span)? {
            return Ok(());
        }
        Err(Diagnostic::new(Code::AssertionFailed, span, "assertion failed").label("this is false"))
    }

    fn check_comparison(&self, code: &'static Binary, env: Env) -> Result<()> {
        let left = self.eval(&code.left, env).map_err(|error| error.at(code.left_span))?;
        let right = self.eval(&code.right, env).map_err(|error| error.at(code.right_span))?;
        match self.operate(code, left, right)? {
            Value::Bool(true) => Ok(()),
            _ => Err(self.comparison_failed(code, left, right)),
        }
    }

    #[cold]
    fn comparison_failed(&self, code: &Binary, left: Value, right: Value) -> Box<Diagnostic> {
        let mut error = Diagnostic::new(Code::AssertionFailed, code.span, "assertion failed").label("this is false");
        let difference = if code.operator == Operator::Equal { self.difference(left, right) } else { None };
        if let Some(Difference { place, left, right }) = difference.filter(|difference| !difference.place.is_empty()) {
            error.message = format!("assertion failed: {place} differs: {left} and {right}");
        } else {
            let [left, right] = [left, right].map(|side| self.preview(side, SHORT));
            // The compiler exchanged the operands of `>` and `<=`.
            let (left, operator, right) = match code.operator {
                Operator::Less if code.left_span.start > code.right_span.start => (right, Operator::Greater, left),
                Operator::GreaterEqual if code.left_span.start > code.right_span.start => {
                    (right, Operator::LessEqual, left)
                }
                operator => (left, operator, right),
            };
            error.message = format!("assertion failed: {left} {} {right} is false", operator.symbol());
        }
        // What is written out in the text needs no repetition.
        for (side, span, value) in [(&code.left, code.left_span, left), (&code.right, code.right_span, right)] {
            if !matches!(side, Expr::Const(_) | Expr::List(_) | Expr::Attrs(_)) {
                error = error.also(span, format!("this is {}", self.preview(value, LONG)));
            }
        }
        error
    }

    /// The first place where two values differ, as far as they are evaluated; comparing has done that.
    fn difference(&self, left: Value, right: Value) -> Option<Difference> {
        let mut place = String::new();
        let (mut left, mut right) = (left.resolved(), right.resolved());
        for _ in 0..MAX_DEPTH {
            let (step, a, b) = match (left, right) {
                (Value::List(a), Value::List(b)) if a.items().len() == b.items().len() => {
                    let pairs = a.items().iter().zip(b.items()).enumerate();
                    let (index, (a, b)) =
                        pairs.into_iter().find(|(_, (a, b))| self.seem_different(**a, **b, MAX_DEPTH))?;
                    (format!("element {index}"), *a, *b)
                }
                (Value::Attrs(a), Value::Attrs(b)) => {
                    let differs = |attr: &&'static Attr| {
                        b.value(attr.name).is_none_or(|other| self.seem_different(attr.value, other, MAX_DEPTH))
                    };
                    let attr = by_name(a, self.session.symbols()).into_iter().find(differs)?;
                    let b = b.value(attr.name);
                    (format!("attribute `{}`", self.session.symbols().display(attr.name)), attr.value, b?)
                }
                _ => break,
            };
            place = if place.is_empty() { step } else { format!("{step} of {place}") };
            (left, right) = (a.resolved(), b.resolved());
        }
        Some(Difference { place, left: self.preview(left, SHORT), right: self.preview(right, SHORT) })
    }

    /// Whether two values differ, as far as can be seen without evaluating more of them.
    fn seem_different(&self, left: Value, right: Value, depth: usize) -> bool {
        if depth == 0 {
            return false;
        }
        match (left.resolved(), right.resolved()) {
            (Value::Thunk(_), _) | (_, Value::Thunk(_)) => false,
            (Value::List(a), Value::List(b)) => {
                a.items().len() != b.items().len()
                    || a.items().iter().zip(b.items()).any(|(a, b)| self.seem_different(*a, *b, depth - 1))
            }
            (Value::Attrs(a), Value::Attrs(b)) => {
                let differs =
                    |attr: &Attr| b.value(attr.name).is_none_or(|b| self.seem_different(attr.value, b, depth - 1));
                !a.is(b) && (a.len() != b.len() || a.all().iter().any(differs))
            }
            (left, right) => !self.equal(left, right, Span::NONE).unwrap_or(true),
        }
    }
}

/// Where two values differ, and how.
struct Difference {
    place: String,
    left: String,
    right: String,
}

/// How deeply a difference is looked for.
const MAX_DEPTH: usize = 8;

/// How many characters of a value are shown in the message, and in a label.
const SHORT: usize = 30;
const LONG: usize = 100;

const fn compares(operator: Operator) -> bool {
    use Operator::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    matches!(operator, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
}
