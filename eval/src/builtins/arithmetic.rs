//! Numbers.

use super::{Builtin, row};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::value::Value;
use std::cmp::Ordering;

pub(super) const TABLE: &[Builtin] = &[
    row("add", 2, "The sum of two numbers.", add).forcing(0b11),
    row("sub", 2, "The difference of two numbers.", sub).forcing(0b11),
    row("mul", 2, "The product of two numbers.", mul).forcing(0b11),
    row("div", 2, "The quotient of two numbers; of integers, rounded towards zero.", div).forcing(0b11),
    row("lessThan", 2, "Whether the first value is less than the second.", less_than).forcing(0b11),
    row("bitAnd", 2, "The bitwise AND of two integers.", bit_and),
    row("bitOr", 2, "The bitwise OR of two integers.", bit_or),
    row("bitXor", 2, "The bitwise XOR of two integers.", bit_xor),
    row("ceil", 1, "The least integer that is not less than a number.", ceil),
    row("floor", 1, "The greatest integer that is not greater than a number.", floor),
];

type IntOperation = fn(i64, i64) -> Option<i64>;

fn calculate(
    evaluator: &Evaluator<'_>,
    args: &[Value],
    span: Span,
    verb: &str,
    ints: IntOperation,
    floats: fn(f64, f64) -> f64,
) -> Result<Value> {
    let (a, b) = (evaluator.force(args[0])?, evaluator.force(args[1])?);
    if let (Value::Int(a), Value::Int(b)) = (a, b) {
        return match ints(a, b) {
            Some(result) => Ok(Value::Int(result)),
            None => Err(crate::evaluate::overflow(verb, a, b, span)),
        };
    }
    let a = evaluator.expect_number(a, span, "as the first argument")?;
    let b = evaluator.expect_number(b, span, "as the second argument")?;
    Ok(Value::Float(floats(a, b)))
}

fn add(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    calculate(evaluator, args, span, "adding", i64::checked_add, |a, b| a + b)
}

fn sub(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    calculate(evaluator, args, span, "subtracting", i64::checked_sub, |a, b| a - b)
}

fn mul(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    calculate(evaluator, args, span, "multiplying", i64::checked_mul, |a, b| a * b)
}

fn div(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    if evaluator.expect_number(args[1], span, "as the second argument")? == 0.0 {
        return Err(Diagnostic::new(Code::DivisionByZero, span, "division by zero"));
    }
    calculate(evaluator, args, span, "dividing", i64::checked_div, |a, b| a / b)
}

fn less_than(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let (a, b) = (evaluator.force(args[0])?, evaluator.force(args[1])?);
    Ok(Value::Bool(evaluator.compare(a, b, span)? == Ordering::Less))
}

fn bits(evaluator: &Evaluator<'_>, args: &[Value], span: Span, operation: fn(i64, i64) -> i64) -> Result<Value> {
    let a = evaluator.expect_int(args[0], span, "as the first argument")?;
    let b = evaluator.expect_int(args[1], span, "as the second argument")?;
    Ok(Value::Int(operation(a, b)))
}

fn bit_and(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    bits(evaluator, args, span, |a, b| a & b)
}

fn bit_or(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    bits(evaluator, args, span, |a, b| a | b)
}

fn bit_xor(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    bits(evaluator, args, span, |a, b| a ^ b)
}

fn round(evaluator: &Evaluator<'_>, value: Value, span: Span, round: fn(f64) -> f64) -> Result<Value> {
    let value = evaluator.force(value)?;
    if let Value::Int(number) = value {
        let float = number as f64;
        if float < 9_223_372_036_854_775_808.0 && float as i64 == number {
            return Ok(value);
        }
        return Err(Diagnostic::new(
            Code::Arithmetic,
            span,
            format!("{number} is no exact float, so it is not rounded"),
        )
        .hint("it is an integer already"));
    }
    let rounded = round(evaluator.expect_number(value, span, "as the argument")?);
    // 2^63 is exact as a float; everything below it fits.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded) {
        Ok(Value::Int(rounded as i64))
    } else {
        Err(Diagnostic::new(Code::Arithmetic, span, format!("{rounded} does not fit an integer")))
    }
}

fn ceil(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    round(evaluator, args[0], span, f64::ceil)
}

fn floor(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    round(evaluator, args[0], span, f64::floor)
}
