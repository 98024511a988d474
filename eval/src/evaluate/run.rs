//! Running code whose last step is more code: calls, conditions, bindings. A call in tail position takes no native stack.

use super::Evaluator;
use super::crew::{Crew, MAIN, gave_up};
use crate::arena::Stop;
use crate::code::{Binary, Call, Expr, Lambda};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::env::Env;
use crate::outcome::Outcome;
use crate::source::Span;
use crate::syntax::ast::Operator;
use crate::value::Value;

/// How many tail calls may follow each other, for each nested call that is allowed.
const TAIL_CALLS_PER_DEPTH: usize = 1000;

/// What starting a call gave.
pub(super) enum Started {
    /// A result: the function was not one of this language's.
    Done(Value),
    /// The function's body and the environment to run it in.
    Body(&'static Lambda, Env),
}

/// What one run has done so far.
struct Run {
    /// The innermost environments, so many of them, were made by this run.
    made: u32,
    calls: usize,
    last: Option<(&'static Call, &'static Lambda)>,
    /// The first call, if others followed it in tail position.
    first: Option<(&'static Call, &'static Lambda)>,
}

impl Evaluator<'_> {
    /// Evaluates code, going on with its last step for as long as there is one.
    #[inline(never)]
    pub(super) fn run(&self, expr: &'static Expr, env: Env) -> Outcome {
        let mut run = Run { made: 0, calls: 0, last: None, first: None };
        let result = self.run_steps(expr, env, &mut run);
        let Some((call, lambda)) = run.last else { return Outcome::new(result) };
        self.depth.set(self.depth.get() - 1);
        Outcome::new(match result {
            Ok(value) => Ok(value),
            Err(error) => {
                let error = self.call_frame(error, call.span, lambda);
                Err(match run.first.filter(|(first, _)| first.span != call.span) {
                    Some((first, lambda)) => self.call_frame(error, first.span, lambda),
                    None => error,
                })
            }
        })
    }

    #[inline(always)]
    fn run_steps(&self, mut expr: &'static Expr, mut env: Env, run: &mut Run) -> Result<Value> {
        loop {
            match *expr {
                Expr::Call(code) => match self.start_call(code, env)? {
                    Started::Done(value) => return Ok(self.end(value, env, run)),
                    Started::Body(lambda, inner) => {
                        self.recycle(env, run.made);
                        run.made = 1;
                        run.calls += 1;
                        if run.calls == 2 {
                            run.first = run.last;
                        }
                        run.last = Some((code, lambda));
                        self.count_call(run.calls, code.span)?;
                        (expr, env) = (&lambda.body, inner);
                    }
                },
                Expr::If(code) => {
                    let yes = self.condition(&code.condition, env, code.span)?;
                    expr = if yes { &code.yes } else { &code.no };
                }
                Expr::Let(code) => {
                    env = self.bind(&code.bindings, env);
                    run.made += 1;
                    expr = &code.body;
                }
                Expr::With(code) => {
                    let set = self.delay(&code.set, env);
                    env = self.envs.of(env, &[set]);
                    run.made += 1;
                    expr = &code.body;
                }
                Expr::Assert(code) => {
                    self.check_assertion(code, env)?;
                    expr = &code.body;
                }
                Expr::Logical(code) => {
                    let value = Value::Bool(self.logical(code, env)?);
                    return Ok(self.end(value, env, run));
                }
                _ => {
                    let value = self.eval(expr, env)?;
                    return Ok(self.end(value, env, run));
                }
            }
        }
    }

    #[inline]
    fn end(&self, value: Value, env: Env, run: &Run) -> Value {
        self.recycle(env, run.made);
        value
    }

    fn logical(&self, code: &'static Binary, env: Env) -> Result<bool> {
        let left = self.condition(&code.left, env, code.left_span)?;
        match code.operator {
            Operator::And if !left => Ok(false),
            Operator::Or if left => Ok(true),
            Operator::Implies if !left => Ok(true),
            _ => self.condition(&code.right, env, code.right_span),
        }
    }

    #[inline]
    fn count_call(&self, calls: usize, span: Span) -> Result<()> {
        if calls == 1 {
            return self.enter(span);
        }
        if calls > self.session.settings().max_call_depth.saturating_mul(TAIL_CALLS_PER_DEPTH) {
            return Err(self.too_many_calls(span));
        }
        if self.budget.stopped() || self.is_closed() { Err(self.stopped(span)) } else { Ok(()) }
    }

    #[cold]
    fn too_many_calls(&self, span: Span) -> Box<Diagnostic> {
        let limit = self.session.settings().max_call_depth.saturating_mul(TAIL_CALLS_PER_DEPTH);
        let message = format!("more than {limit} calls in a row without a result");
        Diagnostic::new(Code::TooManyCalls, span, message).hint("does the recursion ever end?")
    }

    /// Goes one call deeper. The depth is raised even when it is refused.
    pub(crate) fn enter(&self, span: Span) -> Result<()> {
        let depth = self.depth.get() + 1;
        self.depth.set(depth);
        if depth > self.session.settings().max_call_depth {
            return Err(self.too_deep(span));
        }
        self.check_stack(span)
    }

    #[cold]
    fn too_deep(&self, span: Span) -> Box<Diagnostic> {
        let message = format!("function calls nest more than {} deep", self.session.settings().max_call_depth);
        Diagnostic::new(Code::TooManyCalls, span, message).hint("does the recursion ever end?")
    }

    /// Checks that there is stack left to recurse natively, and that nobody wants evaluation to end.
    #[inline]
    pub(crate) fn check_stack(&self, span: Span) -> Result<()> {
        let marker = 0u8;
        if (&raw const marker).addr() <= self.stack_end {
            return Err(stack_exhausted(span));
        }
        self.check_stopped(span)
    }

    /// Checks that nobody wants evaluation to end. Builtins that work for long on one value ask now and then.
    #[inline]
    pub(crate) fn check_stopped(&self, span: Span) -> Result<()> {
        if self.is_stopped() { Err(self.stopped(span)) } else { Ok(()) }
    }

    /// Whether evaluation is to end.
    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.budget.stopped() || self.is_closed()
    }

    /// Whether this is a helper that must end.
    #[inline]
    fn is_closed(&self) -> bool {
        self.owner != MAIN && self.crew.is_some_and(Crew::closed)
    }

    #[cold]
    fn stopped(&self, span: Span) -> Box<Diagnostic> {
        if self.owner != MAIN {
            // An interruption is for the main thread to report.
            return gave_up();
        }
        match self.budget.stop() {
            Some(Stop::Memory) => self.session.memory_limit(span),
            _ => Diagnostic::new(Code::Interrupted, span, "evaluation was interrupted"),
        }
    }

    #[cold]
    pub(super) fn call_frame(&self, error: Box<Diagnostic>, span: Span, lambda: &Lambda) -> Box<Diagnostic> {
        error.call_frame(span, lambda.name)
    }
}

#[cold]
fn stack_exhausted(span: Span) -> Box<Diagnostic> {
    Diagnostic::new(Code::TooManyCalls, span, "evaluation nests too deeply: the stack is exhausted")
        .hint("does the recursion ever end? if it does, use a fold (`builtins.foldl'`) instead of deep recursion")
}
