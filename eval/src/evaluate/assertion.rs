//! Assertions: those that fail show the values that were compared.

use super::Evaluator;
use crate::code::{Assert, Binary, Expr};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::env::Env;
use crate::source::Span;
use crate::syntax::ast::Operator;
use crate::value::Value;

impl Evaluator<'_> {
    /// Checks the condition of an assertion. Evaluates what evaluating the condition would, in the same order.
    pub(super) fn check_assertion(&self, code: &'static Assert, env: Env) -> Result<()> {
        self.check_condition(&code.condition, env, code.span)
    }

    fn check_condition(&self, condition: &'static Expr, env: Env, span: Span) -> Result<()> {
        if let Expr::Binary(code) = *condition {
            if code.operator == Operator::And {
                self.check_condition(&code.left, env, code.left_span)?;
                return self.check_condition(&code.right, env, code.right_span);
            }
            if compares(code.operator) {
                return self.check_comparison(code, env);
            }
        }
        if self.condition(condition, env, span)? { Ok(()) } else { Err(assertion_failed(span).label("this is false")) }
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
        let short = [left, right].map(|side| self.preview(side, SHORT));
        let mut error = assertion_failed(code.span).label("this is false");
        if short.iter().all(|side| side.chars().count() <= SHORT) {
            let [left, right] = short;
            error.message = format!("assertion failed: {left} {} {right} is false", code.operator.symbol());
        }
        // What is written out in the text needs no repetition.
        for (side, span, value) in [(&code.left, code.left_span, left), (&code.right, code.right_span, right)] {
            if !matches!(side, Expr::Const(_)) {
                error = error.also(span, format!("this is {}", self.preview(value, LONG)));
            }
        }
        error
    }
}

/// How many characters of a value are shown in the message, and in a label.
const SHORT: usize = 30;
const LONG: usize = 100;

const fn compares(operator: Operator) -> bool {
    use Operator::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    matches!(operator, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
}

#[cold]
fn assertion_failed(span: Span) -> Box<Diagnostic> {
    Diagnostic::new(Code::AssertionFailed, span, "assertion failed")
}
