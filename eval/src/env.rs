//! Environments: the slots that variables are resolved to. One of the two modules with `unsafe` code.
//!
//! An environment is a header (the environment around it, the number of slots that are set) followed by its slots, in
//! one allocation, behind a thin pointer. The invariants that all `unsafe` here rests on: **an environment is allocated
//! with room for all its slots and never freed; a slot is written once, by [`EnvBuilder::push`], which alone raises the
//! number; a slot is read only below that number; and an environment reaches another thread only after its builder is
//! gone** (the builder is not `Send`, and what it fills in are thunks, which nobody forces before the body runs).

#![allow(unsafe_code, reason = "slots inline behind a thin pointer; the invariants are stated above")]

use crate::value::Value;
use bumpalo::Bump;
use std::alloc::Layout;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

struct Header {
    up: Option<Env>,
    set: Cell<usize>,
}

/// An environment.
#[derive(Clone, Copy)]
pub struct Env(NonNull<Header>);

// SAFETY: after its builder is gone an environment is only read, and it holds `Sync` values (see the invariants).
unsafe impl Sync for Env {}
// SAFETY: as above; it is a pointer to memory that is never freed.
unsafe impl Send for Env {}

/// An environment whose slots are being filled in, in order.
#[derive(Debug)]
pub(crate) struct EnvBuilder {
    env: Env,
    room: usize,
    /// Keeps the builder on its thread.
    not_send: PhantomData<*const ()>,
}

/// Offset of the first slot behind the header.
const SLOTS: usize = size_of::<Header>().next_multiple_of(align_of::<Value>());

impl Env {
    /// The environment of closed code.
    pub(crate) fn empty(bump: &'static Bump) -> Self {
        EnvBuilder::new(bump, None, 0).env
    }

    /// An environment of known values.
    #[inline]
    pub(crate) fn of(bump: &'static Bump, up: Env, values: &[Value]) -> Self {
        let mut builder = EnvBuilder::new(bump, Some(up), values.len());
        for &value in values {
            builder.push(value);
        }
        builder.env
    }

    /// The value in a slot.
    #[inline]
    pub(crate) fn get(self, slot: u32) -> Value {
        let slot = slot as usize;
        assert!(slot < self.len(), "variables are read after their environment is filled in");
        // SAFETY: the slot is below the number of set slots, so it is inside the allocation and was written.
        unsafe { self.slot(slot).read() }
    }

    /// The environment `depth` levels out.
    #[inline]
    pub(crate) fn up(self, depth: u32) -> Self {
        let mut env = self;
        for _ in 0..depth {
            env = env.header().up.expect("the compiler counts levels as the evaluator makes them");
        }
        env
    }

    /// How many slots are set.
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.header().set.get()
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the pointer comes from `EnvBuilder::new`, which initialised the header; it is never freed.
        unsafe { self.0.as_ref() }
    }

    /// The address of a slot that the caller knows to be inside the allocation.
    #[inline]
    fn slot(self, slot: usize) -> NonNull<Value> {
        // SAFETY: callers pass slots below the room that the allocation has.
        unsafe { self.0.cast::<u8>().add(SLOTS).cast::<Value>().add(slot) }
    }
}

impl EnvBuilder {
    /// Room for `room` slots inside the environment `up`.
    #[inline]
    pub(crate) fn new(bump: &'static Bump, up: Option<Env>, room: usize) -> Self {
        let size = SLOTS + room * size_of::<Value>();
        let layout = Layout::from_size_align(size, align_of::<Header>().max(align_of::<Value>()));
        let layout = layout.expect("the number of variables in one scope is small");
        let header = bump.alloc_layout(layout).cast::<Header>();
        // SAFETY: the allocation has room for the header and its alignment.
        unsafe { header.write(Header { up, set: Cell::new(0) }) };
        Self { env: Env(header), room, not_send: PhantomData }
    }

    /// The environment, for thunks that refer to it. Only slots that are set already may be read.
    #[inline]
    pub(crate) fn env(&self) -> Env {
        self.env
    }

    /// Sets the next slot.
    #[inline]
    pub(crate) fn push(&mut self, value: Value) {
        let set = self.env.len();
        assert!(set < self.room, "the compiler counts slots as the evaluator fills them");
        // SAFETY: the slot is inside the room, and nobody reads it before the number is raised.
        unsafe { self.env.slot(set).write(value) };
        self.env.header().set.set(set + 1);
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} slots)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_and_levels() {
        let bump: &'static Bump = Box::leak(Box::new(Bump::new()));
        let outer = Env::of(bump, Env::empty(bump), &[Value::Int(1), Value::Int(2)]);
        let mut builder = EnvBuilder::new(bump, Some(outer), 1);
        assert_eq!(builder.env().len(), 0);
        builder.push(Value::Bool(true));
        let inner = builder.env();
        assert!(matches!(inner.get(0), Value::Bool(true)));
        assert!(matches!(inner.up(1).get(1), Value::Int(2)));
    }

    #[test]
    #[should_panic(expected = "variables are read after")]
    fn a_slot_that_is_not_set_is_not_read() {
        let bump: &'static Bump = Box::leak(Box::new(Bump::new()));
        EnvBuilder::new(bump, None, 1).env().get(0);
    }
}
