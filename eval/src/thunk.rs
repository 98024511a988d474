//! Thunks: delayed values that become their value in place. One of the two modules with `unsafe` code.
//!
//! A thunk is suspended code, a suspended application, claimed (somebody computes it), or done. The invariant that all
//! `unsafe` here rests on: **the payload is written only by [`Thunk::fulfil`], between a successful claim and the
//! release of the state `DONE`, and what the payload is follows from the state.** A claim is a compare-and-swap, so
//! there is one writer at most; readers read the value only after they saw `DONE` with acquire ordering.

#![allow(unsafe_code, reason = "the cell at the heart of lazy evaluation; the invariant is stated above")]

use crate::code::Expr;
use crate::env::Env;
use crate::value::Value;
use std::cell::UnsafeCell;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

const DONE: u8 = 0;
const CODE: u8 = 1;
const APPLY: u8 = 2;
const CLAIMED_CODE: u8 = 3;
const CLAIMED_APPLY: u8 = 4;

/// A delayed application of a function to arguments that are values already.
#[derive(Debug)]
pub(crate) struct Apply {
    /// The function.
    pub(crate) function: Value,
    /// Its arguments, one or more.
    pub(crate) arguments: &'static [Value],
}

#[derive(Clone, Copy)]
union Payload {
    code: (&'static Expr, Env),
    apply: &'static Apply,
    value: Value,
}

/// A delayed value: 24 bytes, shared between threads.
pub struct Thunk {
    state: AtomicU8,
    payload: UnsafeCell<Payload>,
}

// SAFETY: the payload is only written by the one holder of a claim and only read by that holder or after `DONE` was
// seen with acquire ordering (see the module's invariant); all that it holds is `Send + Sync` itself.
unsafe impl Sync for Thunk {}
// SAFETY: a thunk owns nothing that is bound to a thread: references to `Sync` data and plain numbers.
unsafe impl Send for Thunk {}

/// What claiming a thunk gave.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It is done already.
    Done(Value),
    /// The caller must evaluate this code in this environment, then fulfil or release the thunk.
    Code(&'static Expr, Env),
    /// The caller must apply this, then fulfil or release the thunk.
    Apply(&'static Apply),
    /// It is being computed: its value depends on itself.
    Busy,
}

impl Thunk {
    /// Code to be evaluated in an environment when the value is wanted.
    #[inline]
    pub(crate) fn code(expr: &'static Expr, env: Env) -> Self {
        Self { state: AtomicU8::new(CODE), payload: UnsafeCell::new(Payload { code: (expr, env) }) }
    }

    /// An application to be made when the value is wanted.
    #[inline]
    pub(crate) fn apply(apply: &'static Apply) -> Self {
        Self { state: AtomicU8::new(APPLY), payload: UnsafeCell::new(Payload { apply }) }
    }

    /// The value, if it is known.
    #[inline]
    pub(crate) fn value(&self) -> Option<Value> {
        if self.state.load(Ordering::Acquire) != DONE {
            return None;
        }
        // SAFETY: `DONE` was seen with acquire ordering, so the write of the value happened before, and none follows.
        Some(unsafe { (*self.payload.get()).value })
    }

    /// Takes the duty to compute the value.
    #[inline]
    pub(crate) fn claim(&self) -> Claim {
        let state = self.state.load(Ordering::Acquire);
        let claimed = match state {
            CODE => CLAIMED_CODE,
            APPLY => CLAIMED_APPLY,
            _ => return self.value().map_or(Claim::Busy, Claim::Done),
        };
        if self.state.compare_exchange(state, claimed, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return self.value().map_or(Claim::Busy, Claim::Done);
        }
        // SAFETY: the claim was won, so nobody writes the payload, and the state before it says which field is set.
        let payload = unsafe { *self.payload.get() };
        if state == CODE {
            // SAFETY: the state was `CODE`, for which `Thunk::code` set the field `code`.
            let (expr, env) = unsafe { payload.code };
            Claim::Code(expr, env)
        } else {
            // SAFETY: the state was `APPLY`, for which `Thunk::apply` set the field `apply`.
            Claim::Apply(unsafe { payload.apply })
        }
    }

    /// Ends a claim with the value. Does nothing on a thunk that nobody claimed.
    #[inline]
    pub(crate) fn fulfil(&self, value: Value) {
        if self.state.load(Ordering::Relaxed) < CLAIMED_CODE {
            return;
        }
        // SAFETY: the thunk is claimed, and only the winner of the claim calls this (the evaluator, in `force`), so
        // there is no other writer, and no reader before the store of `DONE` below.
        unsafe { (*self.payload.get()).value = value };
        self.state.store(DONE, Ordering::Release);
    }

    /// Ends a claim without a value, because computing failed: the next to force it tries again.
    #[inline]
    pub(crate) fn release(&self) {
        let suspended = match self.state.load(Ordering::Relaxed) {
            CLAIMED_CODE => CODE,
            CLAIMED_APPLY => APPLY,
            _ => return,
        };
        self.state.store(suspended, Ordering::Release);
    }
}

impl fmt::Debug for Thunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thunk({})", self.state.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply() -> &'static Apply {
        Box::leak(Box::new(Apply { function: Value::Null, arguments: &[] }))
    }

    #[test]
    fn a_thunk_is_small() {
        assert_eq!(size_of::<Thunk>(), 24);
        assert_eq!(size_of::<Value>(), 16);
    }

    #[test]
    fn claim_fulfil_release() {
        let thunk = Thunk::apply(apply());
        assert!(thunk.value().is_none());
        assert!(matches!(thunk.claim(), Claim::Apply(_)));
        assert!(matches!(thunk.claim(), Claim::Busy));
        thunk.release();
        assert!(matches!(thunk.claim(), Claim::Apply(_)));
        thunk.fulfil(Value::Int(3));
        assert!(matches!(thunk.claim(), Claim::Done(Value::Int(3))));
        assert!(matches!(thunk.value(), Some(Value::Int(3))));
    }

    #[test]
    fn one_of_many_threads_wins_the_claim() {
        let thunk: &'static Thunk = Box::leak(Box::new(Thunk::apply(apply())));
        let wins = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| match thunk.claim() {
                        Claim::Apply(_) => {
                            thunk.fulfil(Value::Int(7));
                            1
                        }
                        _ => 0,
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<i32>()
        });
        assert_eq!(wins, 1);
        assert!(matches!(thunk.value(), Some(Value::Int(7))));
    }
}
