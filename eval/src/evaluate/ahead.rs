//! Evaluating ahead: where a thunk would be made for something that costs less than the thunk and cannot fail, end in an
//! effect, or force anything, the value is made at once.
//!
//! That is: reading what is evaluated already, selecting from it, and arithmetic on integers. It cannot be observed but in
//! what is printed as not yet evaluated, and so [`crate::Settings::ahead`] switches it on. Which code is worth a try is
//! known to the compiler ([`crate::code::Select::simple`], [`crate::code::Binary::simple`]).

use super::Evaluator;
use crate::code::{Binary, Expr, Name, Select};
use crate::env::Env;
use crate::syntax::ast::Operator;
use crate::value::Value;

impl Evaluator<'_> {
    /// The value of code, if it can be had ahead.
    #[inline]
    pub(super) fn ahead(&self, expr: &'static Expr, env: Env) -> Option<Value> {
        match expr {
            Expr::Select(code) if code.simple && self.ahead => select(code, env),
            Expr::Binary(code) if code.simple && self.ahead => binary(code, env),
            _ => None,
        }
    }
}

/// The value of simple code. Environments may still be filled in: slots that are not set have no value.
fn value(expr: &'static Expr, env: Env) -> Option<Value> {
    match *expr {
        Expr::Const(value) => Some(value),
        Expr::Local(slot) => ((slot as usize) < env.len()).then(|| env.get(slot)),
        Expr::Variable { depth, slot } => {
            let env = env.up(depth);
            ((slot as usize) < env.len()).then(|| env.get(slot))
        }
        Expr::Select(code) => select(code, env),
        Expr::Binary(code) => binary(code, env),
        _ => None,
    }
}

fn select(code: &'static Select, env: Env) -> Option<Value> {
    let mut found = value(&code.subject, env)?;
    for (name, _) in code.path {
        let (Value::Attrs(attrs), Name::Static(name)) = (found.resolved(), name) else { return None };
        found = attrs.value(*name)?;
    }
    // What is not evaluated yet may fail, and then the way to it is part of the error. A function is equal only to what
    // is the same place in memory, which a thunk has for itself.
    match found.resolved() {
        Value::Thunk(_) | Value::Lambda(_) | Value::Builtin(_) | Value::Partial(_) => None,
        value => Some(value),
    }
}

fn binary(code: &'static Binary, env: Env) -> Option<Value> {
    let (Value::Int(a), Value::Int(b)) = (value(&code.left, env)?.resolved(), value(&code.right, env)?.resolved())
    else {
        return None;
    };
    Some(match code.operator {
        Operator::Add => Value::Int(a.checked_add(b)?),
        Operator::Subtract => Value::Int(a.checked_sub(b)?),
        Operator::Multiply => Value::Int(a.checked_mul(b)?),
        Operator::Divide => Value::Int(a.checked_div(b)?),
        Operator::Equal => Value::Bool(a == b),
        Operator::NotEqual => Value::Bool(a != b),
        Operator::Less => Value::Bool(a < b),
        Operator::LessEqual => Value::Bool(a <= b),
        Operator::Greater => Value::Bool(a > b),
        Operator::GreaterEqual => Value::Bool(a >= b),
        _ => return None,
    })
}
