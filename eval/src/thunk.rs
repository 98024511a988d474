//! Thunks: delayed values that become their value in place. One of the modules with `unsafe` code.
//!
//! A thunk is suspended (code in an environment, or an application), claimed (somebody computes it), or done. The
//! invariant that all `unsafe` here rests on: **the payload is written only by [`Thunk::fulfil`], between a successful
//! claim and the release of the state `DONE`, and what the payload is follows from the state.** A claim is a
//! compare-and-swap, so there is one writer at most; readers read the value only after they saw `DONE` with acquire
//! ordering.
//!
//! What a value rests on must not be lost: a value in the state `DONE_READING` is taken by claiming only, which gives its
//! reads, and nobody may put it in place of its thunk for others than who noted them.

#![allow(unsafe_code, reason = "the cell at the heart of lazy evaluation; the invariant is stated above")]

use crate::attrs::Attr;
use crate::code::Expr;
use crate::env::Env;
use crate::reads::Read;
use crate::value::Value;
use std::cell::UnsafeCell;
use std::fmt;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering};

// The lower byte of the state. A suspended state with `CLAIMED` is claimed.
const DONE: u16 = 0;
const CODE: u16 = 1;
const CALL: u16 = 2;
const CALL_NAMED: u16 = 3;
const APPLY: u16 = 4;
/// Done, with a value that rests on reads: who asks for it has to note them, so it is not found on the short way.
const DONE_READING: u16 = 5;
const CLAIMED: u16 = 8;
/// Somebody waits for the end of the claim.
const AWAITED: u16 = 16;
/// The state's upper byte says who claimed it.
const OWNER: u32 = 8;

/// A delayed application of a function to arguments that are values already.
#[derive(Debug)]
pub(crate) struct Apply {
    /// The function.
    pub(crate) function: Value,
    /// Its arguments, one or more.
    pub(crate) arguments: &'static [Value],
}

/// The second word of a value; the first is its tag.
type Word = MaybeUninit<u64>;

#[derive(Clone, Copy)]
union Payload {
    code: (&'static Expr, Env),
    call: (Word, Word),
    call_named: (Word, &'static Attr),
    apply: &'static Apply,
    value: Value,
}

/// A delayed value: 24 bytes, shared between threads.
pub struct Thunk {
    state: AtomicU16,
    /// The tags of the values whose second words are in the payload.
    function: AtomicU8,
    argument: AtomicU8,
    /// The number of the [`Read`] that a value rests on.
    read: AtomicU32,
    payload: UnsafeCell<Payload>,
}

// SAFETY: the payload is only written by the one holder of a claim and only read by that holder or after `DONE` was
// seen with acquire ordering (see the module's invariant); all that it holds is `Send + Sync` itself.
unsafe impl Sync for Thunk {}
// SAFETY: a thunk owns nothing that is bound to a thread: references to `Sync` data and plain numbers.
unsafe impl Send for Thunk {}

/// Who claims thunks: the number of a thread that evaluates.
pub(crate) type Owner = u8;

/// What claiming a thunk gave.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It is done already, and rests on this read.
    Done(Value, Read),
    /// The caller must evaluate this code in this environment, then fulfil or release the thunk.
    Code(&'static Expr, Env),
    /// The caller must apply this function to this, then fulfil or release the thunk.
    Call(Value, Value),
    /// The caller must apply this function to the attribute's name and value, then fulfil or release the thunk.
    CallNamed(Value, &'static Attr),
    /// The caller must apply this, then fulfil or release the thunk.
    Apply(&'static Apply),
    /// It is being computed, by this owner.
    Busy(Owner),
}

impl Thunk {
    fn new(state: u16, function: u8, argument: u8, payload: Payload) -> Self {
        Self {
            state: AtomicU16::new(state),
            function: AtomicU8::new(function),
            argument: AtomicU8::new(argument),
            read: AtomicU32::new(Read::NONE.number()),
            payload: UnsafeCell::new(payload),
        }
    }

    /// Code to be evaluated in an environment, which the caller holds or keeps, when the value is wanted.
    #[inline]
    pub(crate) fn code(expr: &'static Expr, env: Env) -> Self {
        Self::new(CODE, 0, 0, Payload { code: (expr, env) })
    }

    /// A function to be applied to one argument when the value is wanted.
    #[inline]
    pub(crate) fn call(function: Value, argument: Value) -> Self {
        let ((function, f), (argument, a)) = (split(function), split(argument));
        Self::new(CALL, function, argument, Payload { call: (f, a) })
    }

    /// A function to be applied to the name and the value of an attribute when the value is wanted.
    #[inline]
    pub(crate) fn call_named(function: Value, attr: &'static Attr) -> Self {
        let (function, f) = split(function);
        Self::new(CALL_NAMED, function, 0, Payload { call_named: (f, attr) })
    }

    /// An application to be made when the value is wanted.
    #[inline]
    pub(crate) fn apply(apply: &'static Apply) -> Self {
        Self::new(APPLY, 0, 0, Payload { apply })
    }

    /// The value, if it is known and rests on no reads.
    #[inline]
    pub(crate) fn value(&self) -> Option<Value> {
        if self.state.load(Ordering::Acquire) != DONE {
            return None;
        }
        // SAFETY: `DONE` was seen with acquire ordering, so the write of the value happened before, and none follows.
        Some(unsafe { (*self.payload.get()).value })
    }

    /// The value, if it is known, to show it: what it rests on is noted already by whoever evaluated it.
    pub(crate) fn shown(&self) -> Option<Value> {
        if !matches!(self.state.load(Ordering::Acquire), DONE | DONE_READING) {
            return None;
        }
        // SAFETY: one of the done states was seen with acquire ordering, so the write of the value happened before.
        Some(unsafe { (*self.payload.get()).value })
    }

    /// Takes the duty to compute the value. When `alone`, no other thread evaluates.
    #[inline]
    pub(crate) fn claim(&self, owner: Owner, alone: bool) -> Claim {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            if state & CLAIMED != 0 {
                return Claim::Busy((state >> OWNER) as Owner);
            }
            if let Some(value) = self.shown() {
                return Claim::Done(value, Read::from_number(self.read.load(Ordering::Relaxed)));
            }
            let claimed = state | CLAIMED | u16::from(owner) << OWNER;
            if alone {
                self.state.store(claimed, Ordering::Relaxed);
                return self.suspended(state);
            }
            match self.state.compare_exchange(state, claimed, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return self.suspended(state),
                Err(now) => state = now,
            }
        }
    }

    /// What is suspended; the caller won the claim on a thunk that was in this state.
    #[inline]
    fn suspended(&self, state: u16) -> Claim {
        // SAFETY: the claim was won, so nobody writes the payload.
        let payload = unsafe { *self.payload.get() };
        let (function, argument) = (self.function.load(Ordering::Relaxed), self.argument.load(Ordering::Relaxed));
        match state {
            CODE => {
                // SAFETY: the state was `CODE`, for which `Thunk::code` set the field `code`.
                let (expr, env) = unsafe { payload.code };
                Claim::Code(expr, env)
            }
            CALL => {
                // SAFETY: the state was `CALL`, for which `Thunk::call` set the field and split these two values.
                unsafe { Claim::Call(join(function, payload.call.0), join(argument, payload.call.1)) }
            }
            CALL_NAMED => {
                // SAFETY: the state was `CALL_NAMED`, for which `Thunk::call_named` set the field and split this value.
                unsafe { Claim::CallNamed(join(function, payload.call_named.0), payload.call_named.1) }
            }
            // SAFETY: the state was `APPLY`, the only one left, for which `Thunk::apply` set the field `apply`.
            _ => Claim::Apply(unsafe { payload.apply }),
        }
    }

    /// Ends a claim with the value and what it rests on; true when somebody waits for it. Does nothing on a thunk that
    /// nobody claimed.
    #[inline]
    pub(crate) fn fulfil(&self, value: Value, read: Read, alone: bool) -> bool {
        if self.state.load(Ordering::Relaxed) & CLAIMED == 0 {
            return false;
        }
        // SAFETY: the thunk is claimed, and only the winner of the claim calls this (the evaluator, in `force`), so
        // there is no other writer, and no reader before the store of `DONE` below.
        unsafe { (*self.payload.get()).value = value };
        let mut done = DONE;
        if read != Read::NONE {
            self.read.store(read.number(), Ordering::Relaxed);
            done = DONE_READING;
        }
        if alone {
            self.state.store(done, Ordering::Release);
            return false;
        }
        self.state.swap(done, Ordering::AcqRel) & AWAITED != 0
    }

    /// Ends a claim without a value, because computing failed: the next to force it tries again. True when somebody
    /// waits for it.
    #[inline]
    pub(crate) fn release(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        if state & CLAIMED == 0 {
            return false;
        }
        let suspended = state & (CLAIMED - 1);
        self.state.swap(suspended, Ordering::AcqRel) & AWAITED != 0
    }

    /// Whether somebody computes it.
    pub(crate) fn is_claimed(&self) -> bool {
        self.state.load(Ordering::Acquire) & CLAIMED != 0
    }

    /// Notes that somebody waits for the end of an owner's claim; false when that owner has none any more.
    pub(crate) fn await_end(&self, owner: Owner) -> bool {
        let waits = |state: u16| {
            let claimed = state & CLAIMED != 0 && (state >> OWNER) as Owner == owner;
            claimed.then_some(state | AWAITED)
        };
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, waits).is_ok()
    }
}

/// Tag and second word of a value.
#[inline]
fn split(value: Value) -> (u8, Word) {
    // SAFETY: `Value` is `repr(u64)`: two words, of which the first is the tag, always written.
    unsafe {
        let [tag, word] = std::mem::transmute::<Value, [Word; 2]>(value);
        (tag.assume_init() as u8, word)
    }
}

/// The value of a tag and a second word.
///
/// # Safety
/// They come from one call of [`split`].
#[inline]
unsafe fn join(tag: u8, word: Word) -> Value {
    // SAFETY: these are the two words of a value, see `split`.
    unsafe { std::mem::transmute::<[Word; 2], Value>([Word::new(u64::from(tag)), word]) }
}

impl fmt::Debug for Thunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thunk({})", self.state.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thunk() -> Thunk {
        Thunk::call(Value::Null, Value::Int(5))
    }

    #[test]
    fn a_thunk_is_small() {
        assert_eq!(size_of::<Thunk>(), 24);
        assert_eq!(size_of::<Value>(), 16);
    }

    #[test]
    fn claim_fulfil_release() {
        for alone in [true, false] {
            let thunk = thunk();
            assert!(thunk.value().is_none());
            assert!(matches!(thunk.claim(3, alone), Claim::Call(Value::Null, Value::Int(5))));
            assert!(matches!(thunk.claim(4, alone), Claim::Busy(3)));
            assert!(!thunk.release());
            assert!(matches!(thunk.claim(3, alone), Claim::Call(Value::Null, Value::Int(5))));
            thunk.fulfil(Value::Int(3), Read::NONE, alone);
            assert!(matches!(thunk.claim(3, alone), Claim::Done(Value::Int(3), Read::NONE)));
            assert!(matches!(thunk.value(), Some(Value::Int(3))));
        }
    }

    #[test]
    fn a_value_that_rests_on_reads_does_not_go_without_them() {
        for alone in [true, false] {
            let thunk = thunk();
            thunk.claim(3, alone);
            thunk.fulfil(Value::Int(3), Read::from_number(9), alone);
            assert!(thunk.value().is_none());
            assert!(matches!(thunk.shown(), Some(Value::Int(3))));
            let Claim::Done(Value::Int(3), read) = thunk.claim(4, alone) else { panic!("it is done") };
            assert_eq!(read.number(), 9);
            assert!(!thunk.release(), "nothing is claimed");
            assert!(thunk.shown().is_some());
        }
    }

    #[test]
    fn who_waits_is_told() {
        let thunk = thunk();
        assert!(!thunk.await_end(1));
        thunk.claim(1, false);
        assert!(!thunk.await_end(2), "the claim is another's: who waits for it must know that");
        assert!(thunk.await_end(1));
        assert!(thunk.release());
        thunk.claim(1, false);
        assert!(!thunk.fulfil(Value::Null, Read::NONE, false));
        assert!(!thunk.await_end(1));
    }

    #[test]
    fn values_in_two_parts() {
        for value in [Value::Null, Value::Bool(true), Value::Int(-7), Value::Float(2.5)] {
            let (tag, word) = split(value);
            // SAFETY: they come from `split`.
            let joined = unsafe { join(tag, word) };
            assert_eq!(format!("{joined:?}"), format!("{value:?}"));
        }
    }

    #[test]
    fn one_of_many_threads_wins_the_claim() {
        let thunk: &'static Thunk = Box::leak(Box::new(thunk()));
        let wins = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|owner| {
                    scope.spawn(move || match thunk.claim(owner, false) {
                        Claim::Call(..) => {
                            thunk.fulfil(Value::Int(7), Read::NONE, false);
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
