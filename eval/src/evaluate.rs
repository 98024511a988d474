//! The evaluator: forces thunks and runs compiled code.
//!
//! Invariants: [`Evaluator::eval`] and [`Evaluator::force`] never give a thunk. A call in tail position runs in the loop
//! of [`Evaluator::eval`], so it takes no native stack. Whatever recurses natively asks [`Evaluator::check_stack`]
//! first, so that deep recursion is an error and never a crash.

mod attributes;
mod call;
mod coerce;
mod equality;
mod expect;
mod operators;

use crate::attrs::Attrs;
use crate::code::{Call, Expr, Lambda};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::env::{Env, EnvBuilder};
use crate::session::Session;
use crate::source::Span;
use crate::symbol::Symbol;
use crate::thunk::{Apply, Claim, Thunk};
use crate::value::{Closure, EMPTY_LIST, EMPTY_TEXT, List, Text, Value};
use bumpalo::Bump;
use regex::bytes::Regex;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell, RefMut};

pub use coerce::{Coercion, Joined};
pub(crate) use operators::overflow;

/// Evaluates on one thread: the session's shared data, and memory and a stack of its own.
#[derive(Debug)]
pub struct Evaluator<'a> {
    /// What all evaluators of the session share.
    pub session: &'a Session,
    bump: &'static Bump,
    empty: Env,
    depth: Cell<usize>,
    regexes: RefCell<FxHashMap<Vec<u8>, Regex>>,
    /// The address that the stack must not grow beyond.
    stack_end: usize,
}

/// What one step of evaluation gave.
enum Step {
    Done(Value),
    /// Go on with this code.
    Body(&'static Expr, Env),
    /// Go on with the body of a function.
    Call(&'static Expr, Env, &'static Call, &'static Lambda),
}

/// How many tail calls may follow each other, for each nested call that is allowed.
const TAIL_CALLS_PER_DEPTH: usize = 1000;

impl<'a> Evaluator<'a> {
    /// An evaluator for a thread whose stack may grow down to the address `stack_end`.
    pub(crate) fn new(session: &'a Session, stack_end: usize) -> Self {
        let bump: &'static Bump = Box::leak(Box::new(Bump::new()));
        Self { session, bump, empty: Env::empty(bump), depth: Cell::new(0), regexes: RefCell::default(), stack_end }
    }

    /// Memory that lives as long as the process.
    #[inline]
    pub(crate) fn bump(&self) -> &'static Bump {
        self.bump
    }

    /// Regular expressions that were compiled before.
    pub(crate) fn regexes(&self) -> RefMut<'_, FxHashMap<Vec<u8>, Regex>> {
        self.regexes.borrow_mut()
    }

    /// The environment of closed code.
    pub(crate) fn empty_env(&self) -> Env {
        self.empty
    }

    /// The value of an expression, to its outermost constructor.
    ///
    /// # Errors
    /// Whatever evaluation raises.
    #[inline]
    pub(crate) fn eval(&self, expr: &'static Expr, env: Env) -> Result<Value> {
        match *expr {
            Expr::Const(value) => Ok(value),
            Expr::Local(slot) => self.force(env.get(slot)),
            Expr::Variable { depth, slot } => self.force(env.up(depth).get(slot)),
            Expr::Binary(code) => self.binary(code, env),
            Expr::Select(code) => self.select(code, env),
            _ => self.eval_code(expr, env),
        }
    }

    fn eval_code(&self, mut expr: &'static Expr, mut env: Env) -> Result<Value> {
        let mut calls = 0;
        let mut last: Option<(&'static Call, &'static Lambda)> = None;
        let result = loop {
            match self.step(expr, env) {
                Ok(Step::Done(value)) => break Ok(value),
                Ok(Step::Body(next, inner)) => (expr, env) = (next, inner),
                Ok(Step::Call(next, inner, call, lambda)) => {
                    calls += 1;
                    last = Some((call, lambda));
                    if let Err(error) = self.count_call(calls, call.span) {
                        break Err(error);
                    }
                    (expr, env) = (next, inner);
                }
                Err(error) => break Err(error),
            }
        };
        if let Some((call, lambda)) = last {
            self.depth.set(self.depth.get() - 1);
            return result.map_err(|error| self.call_frame(error, call.span, lambda));
        }
        result
    }

    fn count_call(&self, calls: usize, span: Span) -> Result<()> {
        if calls == 1 {
            return self.enter(span);
        }
        let limit = self.session.settings().max_call_depth.saturating_mul(TAIL_CALLS_PER_DEPTH);
        if self.session.is_interrupted() {
            return Err(interrupted());
        }
        if calls > limit {
            let message = format!("more than {limit} calls in a row without a result");
            return Err(Diagnostic::new(Code::TooManyCalls, span, message).hint("does the recursion ever end?"));
        }
        Ok(())
    }

    /// Goes one call deeper. The depth is raised even when it is refused.
    pub(crate) fn enter(&self, span: Span) -> Result<()> {
        let depth = self.depth.get() + 1;
        self.depth.set(depth);
        if depth > self.session.settings().max_call_depth {
            return Err(self.too_deep(span));
        }
        if self.session.is_interrupted() {
            return Err(interrupted());
        }
        self.check_stack(span)
    }

    #[cold]
    fn too_deep(&self, span: Span) -> Box<Diagnostic> {
        let message = format!("function calls nest more than {} deep", self.session.settings().max_call_depth);
        Diagnostic::new(Code::TooManyCalls, span, message).hint("does the recursion ever end?")
    }

    /// Checks that there is stack left to recurse natively.
    #[inline]
    pub(crate) fn check_stack(&self, span: Span) -> Result<()> {
        let marker = 0u8;
        if (&raw const marker).addr() > self.stack_end { Ok(()) } else { Err(stack_exhausted(span)) }
    }

    #[cold]
    fn call_frame(&self, error: Box<Diagnostic>, span: Span, lambda: &Lambda) -> Box<Diagnostic> {
        let text = match lambda.name {
            Some(name) => format!("while calling `{}`", self.session.symbols().display(name)),
            None => "while calling a function".to_owned(),
        };
        error.frame(span, text)
    }

    #[inline(always)]
    fn step(&self, expr: &'static Expr, env: Env) -> Result<Step> {
        Ok(Step::Done(match *expr {
            Expr::Const(value) => value,
            Expr::Local(slot) => self.force(env.get(slot))?,
            Expr::Variable { depth, slot } => self.force(env.up(depth).get(slot))?,
            Expr::Call(code) => return self.step_call(code, env),
            Expr::Reference(code) => {
                self.force(env.up(code.depth).get(code.slot)).map_err(|error| error.at(code.span))?
            }
            Expr::If(code) => {
                let yes = self.condition(&code.condition, env, code.span)?;
                return Ok(Step::Body(if yes { &code.yes } else { &code.no }, env));
            }
            Expr::Let(code) => return Ok(Step::Body(&code.body, self.bind(&code.bindings, env))),
            Expr::With(code) => {
                let set = self.delay(&code.set, env);
                return Ok(Step::Body(&code.body, Env::of(self.bump, env, &[set])));
            }
            Expr::Assert(code) => {
                if !self.condition(&code.condition, env, code.span)? {
                    return Err(assertion_failed(code.span));
                }
                return Ok(Step::Body(&code.body, env));
            }
            Expr::Binary(code) => self.binary(code, env)?,
            Expr::Select(code) => self.select(code, env)?,
            Expr::HasAttr(code) => Value::Bool(self.has_attr(code, env)?),
            Expr::Lambda(lambda) => self.closure(lambda, env),
            Expr::List(code) => self.list_of(code.items.iter().map(|item| self.delay_element(item, env))),
            Expr::Attrs(code) => self.attrs(code, env)?,
            Expr::Not(code) => Value::Bool(!self.condition(&code.operand, env, code.span)?),
            Expr::Negate(code) => self.negate(code, env)?,
            Expr::Interpolate(code) => self.interpolate(code, env)?,
            Expr::Dynamic(code) => self.dynamic_variable(code, env)?,
            Expr::SearchPath(code) => self.search_path(code)?,
        }))
    }

    fn condition(&self, expr: &'static Expr, env: Env, span: Span) -> Result<bool> {
        match self.eval(expr, env).map_err(|error| error.at(span))? {
            Value::Bool(value) => Ok(value),
            other => Err(self.wrong_type("a boolean", other, span, "")),
        }
    }

    /// The value of a thunk, computed if nobody did, or the value itself.
    ///
    /// # Errors
    /// Whatever evaluation raises; infinite recursion when the thunk is being computed already.
    #[inline]
    pub(crate) fn force(&self, value: Value) -> Result<Value> {
        match value {
            Value::Thunk(thunk) => match thunk.value() {
                Some(value) => Ok(value),
                None => self.compute(thunk),
            },
            value => Ok(value),
        }
    }

    #[inline(never)]
    fn compute(&self, thunk: &'static Thunk) -> Result<Value> {
        let result = match thunk.claim() {
            Claim::Done(value) => return Ok(value),
            Claim::Busy => return Err(infinite_recursion()),
            Claim::Code(expr, env) => self.check_stack(Span::NONE).and_then(|()| self.eval(expr, env)),
            Claim::Apply(Apply { function, arguments }) => self.call(*function, arguments, Span::NONE),
        };
        match result {
            Ok(value) => thunk.fulfil(value),
            Err(_) => thunk.release(),
        }
        result
    }

    /// The value of an argument: known, cheap to make, or a thunk.
    #[inline]
    pub(crate) fn delay(&self, expr: &'static Expr, env: Env) -> Value {
        match *expr {
            Expr::Const(value) => value,
            Expr::Local(slot) => env.get(slot),
            Expr::Variable { depth, slot } => env.up(depth).get(slot),
            Expr::Lambda(lambda) => self.closure(lambda, env),
            Expr::List(code) => self.list_of(code.items.iter().map(|item| self.delay_element(item, env))),
            _ => Value::Thunk(self.bump.alloc(Thunk::code(expr, env))),
        }
    }

    /// The value of an element of a list or set. What shows as `<CODE>` in Nix until it is used is a thunk here too.
    #[inline]
    fn delay_element(&self, expr: &'static Expr, env: Env) -> Value {
        match *expr {
            Expr::Const(value) => value,
            Expr::Local(slot) => env.get(slot),
            Expr::Variable { depth, slot } => env.up(depth).get(slot),
            Expr::Reference(code) => env.up(code.depth).get(code.slot),
            _ => Value::Thunk(self.bump.alloc(Thunk::code(expr, env))),
        }
    }

    /// The value of a binding while its environment is being filled in: only slots that are set may be read.
    #[inline]
    fn delay_binding(&self, expr: &'static Expr, env: Env) -> Value {
        match *expr {
            Expr::Reference(code) if code.depth == 0 && code.slot as usize >= env.len() => {
                Value::Thunk(self.bump.alloc(Thunk::code(expr, env)))
            }
            Expr::Local(slot) if slot as usize >= env.len() => Value::Thunk(self.bump.alloc(Thunk::code(expr, env))),
            _ => self.delay_element(expr, env),
        }
    }

    fn closure(&self, lambda: &'static Lambda, env: Env) -> Value {
        Value::Lambda(self.bump.alloc(Closure { lambda, env, applied: &[] }))
    }

    /// The environment of bindings that see each other.
    fn bind(&self, bindings: &'static crate::code::Bindings, env: Env) -> Env {
        let mut builder = EnvBuilder::new(self.bump, Some(env), bindings.sources.len() + bindings.items.len());
        let inner = builder.env();
        for source in bindings.sources {
            builder.push(self.delay_binding(source, inner));
        }
        for item in bindings.items {
            builder.push(if item.outer {
                self.delay(&item.value, env)
            } else {
                self.delay_binding(&item.value, inner)
            });
        }
        inner
    }

    /// A list value.
    pub(crate) fn list(&self, items: &[Value]) -> Value {
        if items.is_empty() {
            return Value::List(&EMPTY_LIST);
        }
        Value::List(self.bump.alloc(List { items: self.bump.alloc_slice_copy(items) }))
    }

    /// A list value of as many items as the iterator says.
    pub(crate) fn list_of(&self, items: impl ExactSizeIterator<Item = Value>) -> Value {
        if items.len() == 0 {
            return Value::List(&EMPTY_LIST);
        }
        Value::List(self.bump.alloc(List { items: self.bump.alloc_slice_fill_iter(items) }))
    }

    /// A string value without context.
    pub(crate) fn string(&self, bytes: &[u8]) -> Value {
        self.string_with(bytes, None)
    }

    /// A string value.
    pub(crate) fn string_with(&self, bytes: &[u8], context: Option<&'static crate::context::Context>) -> Value {
        if bytes.is_empty() && context.is_none() {
            return Value::String(&EMPTY_TEXT);
        }
        Value::String(self.bump.alloc(Text { bytes: self.bump.alloc_slice_copy(bytes), context }))
    }

    /// A path value; the bytes must be canonical and absolute.
    pub(crate) fn path(&self, bytes: &[u8]) -> Value {
        Value::Path(self.bump.alloc(Text { bytes: self.bump.alloc_slice_copy(bytes), context: None }))
    }

    /// A set value of attributes in any order, without places.
    pub(crate) fn set(&self, attrs: impl IntoIterator<Item = (Symbol, Value)>) -> Value {
        let attr = |(name, value)| crate::attrs::Attr { name, pos: crate::source::Pos::NONE, value };
        let attrs = attrs.into_iter().map(attr).collect();
        Value::Attrs(self.bump.alloc(Attrs::from_unsorted(self.bump, attrs)))
    }

    /// The list of delayed applications of a function to each of some values. The thunks lie side by side in memory, so
    /// that walking the list later is fast.
    pub(crate) fn delay_calls(&self, function: Value, values: impl ExactSizeIterator<Item = Value>) -> Value {
        let arguments: &'static [Value] = self.bump.alloc_slice_fill_iter(values);
        let applies: &'static [Apply] =
            self.bump.alloc_slice_fill_iter(arguments.chunks(1).map(|arguments| Apply { function, arguments }));
        let thunks: &'static [Thunk] = self.bump.alloc_slice_fill_iter(applies.iter().map(Thunk::apply));
        self.list_of(thunks.iter().map(Value::Thunk))
    }

    /// A delayed application.
    pub(crate) fn delay_call(&self, function: Value, arguments: &[Value]) -> Value {
        let arguments = self.bump.alloc_slice_copy(arguments);
        Value::Thunk(self.bump.alloc(Thunk::apply(self.bump.alloc(Apply { function, arguments }))))
    }
}

#[cold]
fn infinite_recursion() -> Box<Diagnostic> {
    Diagnostic::new(Code::InfiniteRecursion, Span::NONE, "infinite recursion: this value depends on itself")
        .label("its value is needed to compute itself")
}

#[cold]
fn interrupted() -> Box<Diagnostic> {
    Diagnostic::new(Code::Interrupted, Span::NONE, "interrupted")
}

#[cold]
fn stack_exhausted(span: Span) -> Box<Diagnostic> {
    Diagnostic::new(Code::TooManyCalls, span, "evaluation nests too deeply: the stack is exhausted")
        .hint("does the recursion ever end? if it does, use a fold (`builtins.foldl'`) instead of deep recursion")
}

#[cold]
fn assertion_failed(span: Span) -> Box<Diagnostic> {
    Diagnostic::new(Code::AssertionFailed, span, "assertion failed").label("this is false")
}
