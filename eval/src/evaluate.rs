//! The evaluator: forces thunks and runs compiled code.
//!
//! Invariants: [`Evaluator::eval`] and [`Evaluator::force`] never give a thunk. A call in tail position runs in the loop
//! of [`Evaluator::eval`], so it takes no native stack. Whatever recurses natively asks [`Evaluator::check_stack`]
//! first, so that deep recursion is an error and never a crash.

mod ahead;
mod assertion;
mod attributes;
mod call;
mod coerce;
pub(crate) mod crew;
mod equality;
mod expect;
mod lookups;
mod operators;
mod run;

use crate::arena::{Arena, Budget};
use crate::attrs::{Attr, Attrs};
use crate::builtins::Pattern;
use crate::code::{Binary, Expr, Lambda, Select};
use crate::diagnostic::{Diagnostic, Result};
use crate::env::{Env, Envs};
use crate::growing::Growing;
use crate::outcome::Outcome;
use crate::reads::{Frame, Frames};
use crate::session::Session;
use crate::source::Span;
use crate::symbol::Symbol;
use crate::thunk::{Apply, Claim, Owner, Thunk};
use crate::value::{Closure, List, Text, Value};
use crew::Crew;
use lookups::Lookups;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell, RefMut};
use std::sync::Arc;

pub use coerce::{Coercion, Joined};
pub(crate) use operators::overflow;

/// Evaluates on one thread: the session's shared data, and memory and a stack of its own.
#[derive(Debug)]
pub struct Evaluator<'a> {
    /// What all evaluators of the session share.
    pub session: &'a Session,
    bump: &'static Arena,
    budget: Arc<Budget>,
    envs: Envs,
    frames: Frames,
    lookups: Lookups,
    texts: Growing<u8>,
    lists: Growing<Value>,
    depth: Cell<usize>,
    regexes: RefCell<FxHashMap<Vec<u8>, Arc<Pattern>>>,
    /// The address that the stack must not grow beyond.
    stack_end: usize,
    /// Who claims the thunks that this evaluator computes.
    owner: Owner,
    /// Whether no other thread evaluates in this session.
    alone: bool,
    /// The threads that evaluate, if there are several.
    crew: Option<&'a Crew>,
    /// Whether cheap parts are evaluated ahead.
    ahead: bool,
}

impl<'a> Evaluator<'a> {
    /// An evaluator for a thread whose stack may grow down to the address `stack_end`, alone or with others.
    pub(crate) fn new(session: &'a Session, stack_end: usize, owner: Owner, crew: Option<&'a Crew>) -> Self {
        let budget = session.budget();
        let bump = Arena::leak(Arc::clone(&budget));
        let envs = Envs::new(bump);
        Self {
            session,
            bump,
            budget,
            envs,
            frames: Frames::default(),
            lookups: Lookups::default(),
            texts: Growing::default(),
            lists: Growing::default(),
            depth: Cell::new(0),
            regexes: RefCell::default(),
            stack_end,
            owner,
            alone: crew.is_none(),
            crew,
            ahead: session.settings().ahead,
        }
    }

    /// Memory that lives as long as the process.
    #[inline]
    pub(crate) fn bump(&self) -> &'static Arena {
        self.bump
    }

    /// What is noted of reads.
    #[inline]
    pub(crate) fn frames(&self) -> &Frames {
        &self.frames
    }

    /// Regular expressions that were compiled before.
    pub(crate) fn regexes(&self) -> RefMut<'_, FxHashMap<Vec<u8>, Arc<Pattern>>> {
        self.regexes.borrow_mut()
    }

    /// The environment of closed code.
    pub(crate) fn empty_env(&self) -> Env {
        self.envs.empty()
    }

    /// An environment of known values around closed code.
    pub(crate) fn env_of(&self, values: &[Value]) -> Env {
        self.envs.of(self.envs.empty(), values)
    }

    /// Gives environments back: `count` levels from `env` outwards, those that nothing refers to. They were made by the
    /// code that calls this, for code whose evaluation is over.
    #[inline]
    fn recycle(&self, env: Env, count: u32) {
        // SAFETY: by the contract above. What still refers to an environment, a thunk or a closure, keeps it.
        #[allow(unsafe_code, reason = "the end of an environment cannot be expressed by borrowing: thunks outlive it")]
        unsafe {
            self.envs.recycle(env, count);
        }
    }

    /// Ends that a thunk, whose value is known now, holds its environment.
    #[inline]
    fn release(&self, env: Env) {
        if self.alone {
            // SAFETY: `Evaluator::thunk` held it: whether evaluators are alone is a setting of the session, whose
            // evaluators run one after the other then.
            #[allow(unsafe_code, reason = "who refers to an environment cannot be expressed by borrowing")]
            unsafe {
                self.envs.release(env);
            }
        }
    }

    /// The value of an expression, to its outermost constructor.
    ///
    /// # Errors
    /// Whatever evaluation raises.
    #[inline(always)]
    pub(crate) fn eval(&self, expr: &'static Expr, env: Env) -> Result<Value> {
        match *expr {
            Expr::Const(value) => Ok(value),
            Expr::Local(slot) => self.force(env.get(slot)),
            Expr::Variable { depth, slot } => self.force(env.up(depth).get(slot)),
            _ => self.eval_node(expr, env).result(),
        }
    }

    /// Only jumps to what evaluates this kind of code, so that it needs no stack of its own.
    #[inline(never)]
    fn eval_node(&self, expr: &'static Expr, env: Env) -> Outcome {
        match *expr {
            Expr::Binary(code) => self.eval_binary(code, env),
            Expr::Select(code) => self.eval_select(code, env),
            Expr::Call(_) | Expr::If(_) | Expr::Let(_) | Expr::With(_) | Expr::Assert(_) | Expr::Logical(_) => {
                self.run(expr, env)
            }
            _ => self.eval_other(expr, env),
        }
    }

    #[inline(never)]
    fn eval_binary(&self, code: &'static Binary, env: Env) -> Outcome {
        Outcome::new(self.binary(code, env))
    }

    #[inline(never)]
    fn eval_select(&self, code: &'static Select, env: Env) -> Outcome {
        Outcome::new(self.select(code, env))
    }

    #[inline(never)]
    fn eval_other(&self, expr: &'static Expr, env: Env) -> Outcome {
        Outcome::new(self.other(expr, env))
    }

    fn other(&self, expr: &'static Expr, env: Env) -> Result<Value> {
        Ok(match *expr {
            Expr::Reference(code) => {
                return self.force(env.up(code.depth).get(code.slot)).map_err(|error| error.at(code.span));
            }
            Expr::HasAttr(code) => Value::Bool(self.has_attr(code, env)?),
            Expr::Lambda(lambda) => self.closure(lambda, env),
            Expr::List(code) => self.list_of(code.items.iter().map(|item| self.delay_element(item, env))),
            Expr::Attrs(code) => return self.attrs(code, env),
            Expr::Not(code) => Value::Bool(!self.condition(&code.operand, env, code.span)?),
            Expr::Negate(code) => return self.negate(code, env),
            Expr::Interpolate(code) => return self.interpolate(code, env),
            Expr::Dynamic(code) => return self.dynamic_variable(code, env),
            Expr::SearchPath(code) => return self.search_path(code),
            _ => return self.eval(expr, env),
        })
    }

    #[inline(always)]
    fn condition(&self, expr: &'static Expr, env: Env, span: Span) -> Result<bool> {
        match self.eval(expr, env) {
            Ok(Value::Bool(value)) => Ok(value),
            Ok(other) => Err(self.wrong_type("a boolean", other, span, "")),
            Err(error) => Err(error.at(span)),
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
                None => self.compute(thunk).result(),
            },
            value => Ok(value),
        }
    }

    #[inline(never)]
    fn compute(&self, thunk: &'static Thunk) -> Outcome {
        let claim = thunk.claim(self.owner, self.alone);
        let outer = match claim {
            Claim::Done(value, read) => {
                self.frames.note(read);
                return Outcome::new(Ok(value));
            }
            Claim::Busy(owner) if owner == self.owner => {
                return Outcome::new(Err(Diagnostic::infinite_recursion(address(thunk))));
            }
            Claim::Busy(owner) => {
                return match self.wait_for(thunk, owner) {
                    Ok(()) => self.compute(thunk),
                    Err(error) => Outcome::new(Err(error)),
                };
            }
            _ => self.frames.begin(),
        };
        let result = match claim {
            Claim::Code(expr, env) => return self.compute_code(thunk, expr, env, outer),
            Claim::Call(function, argument) => self.call(function, &[argument], Span::NONE),
            Claim::CallNamed(function, attr) => {
                let name = Value::String(self.session.symbols().text(attr.name));
                match self.call(function, &[name, attr.value], Span::NONE) {
                    Err(error) => Err(error.attribute_frame(self.session.name_span(attr.pos), attr.name)),
                    result => result,
                }
            }
            Claim::Apply(Apply { function, arguments }) => self.call(*function, arguments, Span::NONE),
            Claim::Done(..) | Claim::Busy(_) => unreachable!("handled above"),
        };
        self.settle(thunk, result, outer)
    }

    /// Ends the computation of a thunk.
    #[inline]
    fn settle(&self, thunk: &'static Thunk, result: Result<Value>, outer: Frame) -> Outcome {
        let (awaited, result) = match result {
            Ok(value) => {
                let read = self.frames.end(outer, self.session.reads());
                (thunk.fulfil(value, read, self.alone), Ok(value))
            }
            Err(error) => {
                self.frames.fail(outer);
                (thunk.release(), Err(error.leave(address(thunk))))
            }
        };
        if let (true, Some(crew)) = (awaited, self.crew) {
            crew.wake();
        }
        Outcome::new(result)
    }

    #[inline]
    fn compute_code(&self, thunk: &'static Thunk, expr: &'static Expr, env: Env, outer: Frame) -> Outcome {
        let result = self.check_stack(Span::NONE).and_then(|()| self.eval(expr, env));
        if result.is_ok() {
            self.release(env);
        }
        self.settle(thunk, result, outer)
    }

    /// A thunk of code in an environment.
    #[inline]
    pub(crate) fn thunk(&self, expr: &'static Expr, env: Env) -> Value {
        if self.alone {
            env.hold()
        } else {
            env.keep()
        }
        Value::Thunk(self.bump.alloc(Thunk::code(expr, env)))
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
            _ => self.ahead(expr, env).unwrap_or_else(|| self.thunk(expr, env)),
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
            _ => self.ahead(expr, env).unwrap_or_else(|| self.thunk(expr, env)),
        }
    }

    /// The value of a binding while its environment is being filled in: only slots that are set may be read.
    #[inline]
    fn delay_binding(&self, expr: &'static Expr, env: Env) -> Value {
        match *expr {
            Expr::Reference(code) if code.depth == 0 && code.slot as usize >= env.len() => self.thunk(expr, env),
            Expr::Local(slot) if slot as usize >= env.len() => self.thunk(expr, env),
            _ => self.delay_element(expr, env),
        }
    }

    fn closure(&self, lambda: &'static Lambda, env: Env) -> Value {
        env.keep();
        Value::Lambda(self.bump.alloc(Closure { lambda, env, applied: &[] }))
    }

    /// The environment of bindings that see each other.
    fn bind(&self, bindings: &'static crate::code::Bindings, env: Env) -> Env {
        let mut builder = self.envs.builder(env, bindings.sources.len() + bindings.items.len());
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
            return Value::List(List::EMPTY);
        }
        Value::List(List::new(self.bump, self.bump.alloc_slice_copy(items)))
    }

    /// A list value of as many items as the iterator says.
    pub(crate) fn list_of(&self, items: impl ExactSizeIterator<Item = Value>) -> Value {
        if items.len() == 0 {
            return Value::List(List::EMPTY);
        }
        Value::List(List::new(self.bump, self.bump.alloc_slice_fill_iter(items)))
    }

    /// A string value without context.
    pub(crate) fn string(&self, bytes: &[u8]) -> Value {
        self.string_with(bytes, None)
    }

    /// A string value.
    pub(crate) fn string_with(&self, bytes: &[u8], context: Option<&'static crate::context::Context>) -> Value {
        if bytes.is_empty() && context.is_none() {
            return Value::String(Text::EMPTY);
        }
        Value::String(Text::with_context(self.bump, self.bump.alloc_slice_copy(bytes), context))
    }

    /// A path value; the bytes must be canonical and absolute.
    pub(crate) fn path(&self, bytes: &[u8]) -> Value {
        Value::Path(Text::plain(self.bump, self.bump.alloc_slice_copy(bytes)))
    }

    /// A set value of attributes in any order, without places.
    pub(crate) fn set(&self, attrs: impl IntoIterator<Item = (Symbol, Value)>) -> Value {
        let attr = |(name, value)| crate::attrs::Attr { name, pos: crate::source::Pos::NONE, value };
        let attrs = attrs.into_iter().map(attr).collect();
        Value::Attrs(Attrs::from_unsorted(self.bump, attrs))
    }

    /// The list of delayed applications of a function to each of some values. The thunks lie side by side in memory, so
    /// that walking the list later is fast.
    pub(crate) fn delay_calls(&self, function: Value, values: impl ExactSizeIterator<Item = Value>) -> Value {
        let thunks = self.bump.alloc_slice_fill_iter(values.map(|value| Thunk::call(function, value)));
        self.list_of(thunks.iter().map(Value::Thunk))
    }

    /// A delayed application to the name and the value of an attribute.
    pub(crate) fn delay_named_call(&self, function: Value, attr: &'static Attr) -> Value {
        Value::Thunk(self.bump.alloc(Thunk::call_named(function, attr)))
    }

    /// A delayed application.
    pub(crate) fn delay_call(&self, function: Value, arguments: &[Value]) -> Value {
        let arguments = self.bump.alloc_slice_copy(arguments);
        Value::Thunk(self.bump.alloc(Thunk::apply(self.bump.alloc(Apply { function, arguments }))))
    }
}

/// What identifies a thunk.
fn address(thunk: &Thunk) -> usize {
    std::ptr::from_ref(thunk).addr()
}
