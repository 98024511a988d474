//! The operators.

use super::Evaluator;
use super::coerce::{Coercion, Joined};
use crate::code::{Binary, Expr, Interpolate, Unary};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::env::Env;
use crate::paths;
use crate::source::Span;
use crate::syntax::ast::Operator;
use crate::value::{List, Value};
use std::cmp::Ordering;

impl Evaluator<'_> {
    #[inline]
    pub(super) fn binary(&self, code: &'static Binary, env: Env) -> Result<Value> {
        let left = match self.eval(&code.left, env) {
            Ok(left) => left,
            Err(error) => return Err(error.at(code.left_span)),
        };
        match code.operator {
            Operator::Add if !matches!(left, Value::Int(_)) => return self.add(left, code, env),
            Operator::Update => return self.update(left, code, env),
            _ => {}
        }
        let right = match self.eval(&code.right, env) {
            Ok(right) => right,
            Err(error) => return Err(error.at(code.right_span)),
        };
        self.operate(code, left, right)
    }

    /// The result for two operands.
    #[inline(always)]
    pub(super) fn operate(&self, code: &'static Binary, left: Value, right: Value) -> Result<Value> {
        if let (Value::Int(a), Value::Int(b)) = (left, right) {
            return self.integers(code, a, b);
        }
        self.other_operands(code, left, right)
    }

    #[inline(always)]
    fn integers(&self, code: &'static Binary, a: i64, b: i64) -> Result<Value> {
        let (result, verb) = match code.operator {
            Operator::Add => (a.checked_add(b), "adding"),
            Operator::Subtract => (a.checked_sub(b), "subtracting"),
            Operator::Multiply => (a.checked_mul(b), "multiplying"),
            Operator::Divide if b == 0 => return Err(division_by_zero(code.span)),
            Operator::Divide => (a.checked_div(b), "dividing"),
            Operator::Equal => return Ok(Value::Bool(a == b)),
            Operator::NotEqual => return Ok(Value::Bool(a != b)),
            Operator::Less => return Ok(Value::Bool(a < b)),
            Operator::GreaterEqual => return Ok(Value::Bool(a >= b)),
            _ => return self.other_operands(code, Value::Int(a), Value::Int(b)),
        };
        match result {
            Some(result) => Ok(Value::Int(result)),
            None => Err(overflow(verb, a, b, code.span)),
        }
    }

    #[inline(never)]
    fn other_operands(&self, code: &'static Binary, left: Value, right: Value) -> Result<Value> {
        Ok(match code.operator {
            Operator::Equal => Value::Bool(self.equal(left, right, code.span)?),
            Operator::NotEqual => Value::Bool(!self.equal(left, right, code.span)?),
            Operator::Less => Value::Bool(self.compare(left, right, code.span)? == Ordering::Less),
            // As in Nix, the others are defined by `<`; the compiler exchanges the operands of `<=` and `>`.
            Operator::GreaterEqual => Value::Bool(self.compare(left, right, code.span)? != Ordering::Less),
            Operator::Concat => {
                let left = self.expect_list(left, code.left_span, "on the left of `++`")?;
                let right = self.expect_list(right, code.right_span, "on the right of `++`")?;
                self.concat(left, right)
            }
            _ => self.floats(code, left, right)?,
        })
    }

    /// `b // a`: the compiler exchanged the operands.
    #[inline(never)]
    fn update(&self, left: Value, code: &'static Binary, env: Env) -> Result<Value> {
        let over = self.expect_attrs(left, code.left_span, "on the right of `//`")?;
        let base = self.eval(&code.right, env).map_err(|error| error.at(code.right_span))?;
        let base = self.expect_attrs(base, code.right_span, "on the left of `//`")?;
        Ok(Value::Attrs(base.update(self.bump, over)))
    }

    fn concat(&self, left: List, right: List) -> Value {
        if left.items().is_empty() {
            return Value::List(right);
        }
        if right.items().is_empty() {
            return Value::List(left);
        }
        Value::List(List::new(self.bump, self.lists.join(self.bump, left.items(), right.items())))
    }

    fn floats(&self, code: &'static Binary, left: Value, right: Value) -> Result<Value> {
        let place = format!("in `{}`", code.operator.symbol());
        let a = self.expect_number(left, code.left_span, &place)?;
        let b = self.expect_number(right, code.right_span, &place)?;
        Ok(Value::Float(match code.operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            _ if b == 0.0 => return Err(division_by_zero(code.span)),
            _ => a / b,
        }))
    }

    /// `+` when the left operand is not an integer: numbers, paths, strings.
    fn add(&self, left: Value, code: &'static Binary, env: Env) -> Result<Value> {
        if let Value::Float(a) = left {
            let right = self.eval(&code.right, env).map_err(|error| error.at(code.right_span))?;
            return Ok(Value::Float(a + self.expect_number(right, code.right_span, "in `+`")?));
        }
        let path = matches!(left, Value::Path(_));
        let mut joined = self.joined();
        // What begins with a path is a path; what begins with anything else is a string, for which paths are copied.
        let how = if path { Coercion::PLAIN } else { Coercion::STRING };
        self.coerce(left, how, &mut joined, code.left_span)?;
        let right = self.eval(&code.right, env).map_err(|error| error.at(code.right_span))?;
        self.coerce(right, how, &mut joined, code.right_span)?;
        if path { self.finish_path(joined, code.span) } else { Ok(joined.finish(self)) }
    }

    fn finish_path(&self, joined: Joined, span: Span) -> Result<Value> {
        let (bytes, context) = joined.into_parts();
        if context.is_some() {
            return Err(Diagnostic::new(
                Code::Context,
                span,
                "a string that mentions store objects cannot be added to a path",
            )
            .hint("make a string of the path instead: \"${./path}/…\""));
        }
        Ok(self.path(&paths::canonical(&bytes)))
    }

    pub(super) fn negate(&self, code: &'static Unary, env: Env) -> Result<Value> {
        match self.eval(&code.operand, env).map_err(|error| error.at(code.span))? {
            Value::Int(number) => {
                number.checked_neg().map(Value::Int).ok_or_else(|| overflow("subtracting", 0, number, code.span))
            }
            // `-x` is `0 - x`, so there is no negative zero.
            Value::Float(number) => Ok(Value::Float(0.0 - number)),
            other => Err(self.wrong_type("a number", other, code.span, "behind `-`")),
        }
    }

    pub(super) fn interpolate(&self, code: &'static Interpolate, env: Env) -> Result<Value> {
        let mut joined = self.joined();
        let how = if code.path { Coercion::PLAIN } else { Coercion::STRING };
        for (part, span) in code.parts {
            match part {
                Expr::Const(Value::String(text)) => joined.push(*text),
                _ => {
                    let value = self.eval(part, env).map_err(|error| error.at(*span))?;
                    self.coerce(value, how, &mut joined, *span)?;
                }
            }
        }
        if code.path { self.finish_path(joined, code.span) } else { Ok(joined.finish(self)) }
    }

    /// The order of two values, for `<` and `builtins.sort`.
    pub(crate) fn compare(&self, left: Value, right: Value, span: Span) -> Result<Ordering> {
        let order = match (left, right) {
            (Value::Int(a), Value::Int(b)) => a.cmp(&b),
            (Value::Float(a), Value::Float(b)) => less_or_not(a, b),
            (Value::Int(a), Value::Float(b)) => less_or_not(a as f64, b),
            (Value::Float(a), Value::Int(b)) => less_or_not(a, b as f64),
            (Value::String(a), Value::String(b)) | (Value::Path(a), Value::Path(b)) => a.bytes().cmp(b.bytes()),
            (Value::List(a), Value::List(b)) => return self.compare_lists(a, b, span),
            _ => return Err(self.not_comparable(left, right, span)),
        };
        Ok(order)
    }

    fn compare_lists(&self, left: List, right: List, span: Span) -> Result<Ordering> {
        self.check_stack(span)?;
        for (a, b) in left.items().iter().zip(right.items()) {
            if !self.equal_parts(*a, *b, span)? {
                return self.compare(self.force(*a)?, self.force(*b)?, span);
            }
        }
        Ok(left.items().len().cmp(&right.items().len()))
    }

    #[cold]
    fn not_comparable(&self, left: Value, right: Value, span: Span) -> Box<Diagnostic> {
        let message = if left.type_name() == right.type_name() {
            format!("cannot compare {} with {}: this type has no order", left.describe(), right.describe())
        } else {
            format!("cannot compare {} with {}", left.describe(), right.describe())
        };
        Diagnostic::new(Code::WrongType, span, message)
    }
}

/// What is not less is treated as equal or greater, as `<` in Nix does with what is not a number.
fn less_or_not(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

#[cold]
pub(crate) fn overflow(verb: &str, a: i64, b: i64, span: Span) -> Box<Diagnostic> {
    let joint = if verb == "dividing" { "by" } else { "and" };
    Diagnostic::new(Code::Arithmetic, span, format!("integer overflow in {verb} {a} {joint} {b}"))
        .hint("integers have 64 bits; a float (`1.0`) has a larger range")
}

#[cold]
pub(crate) fn division_by_zero(span: Span) -> Box<Diagnostic> {
    Diagnostic::new(Code::DivisionByZero, span, "division by zero")
}
