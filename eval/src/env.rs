//! Environments: the slots that variables are resolved to. One of the modules with `unsafe` code.
//!
//! An environment is a header (the environment around it, the number of slots that are set, who refers to it) followed by
//! its slots, in one allocation, behind a thin pointer. Most environments are soon referred to by nothing, so they are
//! recycled. Who makes one gives it back with [`Envs::recycle`] when the code in it is done. What refers to it for longer
//! says so: a thunk with [`Env::hold`], until its value is known and it calls [`Envs::release`]; a closure with
//! [`Env::keep`], for ever. Where several threads evaluate, thunks keep environments too, so that counting needs no
//! atomic operations.
//!
//! The invariants that all `unsafe` here rests on: **an environment is allocated with room for all its slots; a slot is
//! written once in a life of the environment, by [`EnvBuilder::push`], which alone raises the number; a slot is read only
//! below that number; an environment is recycled only when it was given back and nothing holds it, and never when it is
//! kept; what is held or kept holds or keeps what is around it; and an environment reaches another thread only when it is
//! kept and its builder is gone** (the builder is not `Send`, and what it fills in are thunks, which nobody forces before
//! the body runs).

#![allow(unsafe_code, reason = "slots inline behind a thin pointer; the invariants are stated above")]

use crate::arena::Arena;
use crate::value::Value;
use std::alloc::Layout;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

struct Header {
    /// The environment around it; in a free environment, the next free one.
    up: Option<Env>,
    /// How many slots are set.
    set: Cell<u32>,
    /// How many refer to it, [`GIVEN_BACK`] and [`KEPT`].
    held: Cell<u32>,
}

/// Something refers to the environment for ever.
const KEPT: u32 = 1 << 31;
/// Who made the environment is done with it.
const GIVEN_BACK: u32 = 1 << 30;
/// The bits that count.
const COUNT: u32 = GIVEN_BACK - 1;

/// An environment.
#[derive(Clone, Copy)]
pub struct Env(NonNull<Header>);

// SAFETY: an environment that another thread sees is kept and its builder is gone, so that it is only read, and it holds
// `Sync` values (see the invariants).
unsafe impl Sync for Env {}
// SAFETY: as above; it is a pointer to memory that is not freed.
unsafe impl Send for Env {}

/// Environments with more slots are not recycled.
const RECYCLED_ROOM: usize = 8;

/// Makes environments, and uses those again that nothing refers to any more.
#[derive(Debug)]
pub(crate) struct Envs {
    arena: &'static Arena,
    empty: Env,
    /// The free environments by room.
    free: [Cell<Option<Env>>; RECYCLED_ROOM + 1],
}

/// An environment whose slots are being filled in, in order.
#[derive(Debug)]
pub(crate) struct EnvBuilder {
    env: Env,
    room: u32,
    /// Keeps the builder on its thread.
    not_send: PhantomData<*const ()>,
}

/// Offset of the first slot behind the header.
const SLOTS: usize = size_of::<Header>().next_multiple_of(align_of::<Value>());

impl Envs {
    /// A maker of environments in an arena.
    pub(crate) fn new(arena: &'static Arena) -> Self {
        let empty = allocate(arena, None, 0);
        empty.keep();
        Self { arena, empty, free: [const { Cell::new(None) }; RECYCLED_ROOM + 1] }
    }

    /// The environment of closed code.
    pub(crate) fn empty(&self) -> Env {
        self.empty
    }

    /// An environment of known values.
    #[inline]
    pub(crate) fn of(&self, up: Env, values: &[Value]) -> Env {
        let mut builder = self.builder(up, values.len());
        for &value in values {
            builder.push(value);
        }
        builder.env
    }

    /// Room for `room` slots inside the environment `up`.
    #[inline]
    pub(crate) fn builder(&self, up: Env, room: usize) -> EnvBuilder {
        let env = match self.free.get(room).and_then(Cell::get) {
            Some(env) => {
                self.free[room].set(env.header().up);
                // SAFETY: nobody refers to a free environment; it has the room of its list.
                unsafe { env.0.write(Header::new(Some(up))) };
                env
            }
            None => allocate(self.arena, Some(up), room),
        };
        let room = u32::try_from(room).expect("memory ends before 2^32 slots");
        EnvBuilder { env, room, not_send: PhantomData }
    }

    /// Gives environments back: `count` levels from `env` outwards. Those that nothing refers to are used again.
    ///
    /// # Safety
    /// The caller made these levels with this maker, all their slots are set, and it uses none of them any more.
    #[inline]
    pub(crate) unsafe fn recycle(&self, mut env: Env, count: u32) {
        for _ in 0..count {
            let header = env.header();
            let held = header.held.get();
            let Some(up) = header.up else { return };
            if held == 0 {
                // SAFETY: nothing holds or keeps it, and the caller is done with it.
                unsafe { self.free(env) };
            } else if held & KEPT == 0 {
                header.held.set(held | GIVEN_BACK);
            } else {
                // What is around a kept environment is kept.
                return;
            }
            env = up;
        }
    }

    /// Ends one [`Env::hold`] of an environment.
    ///
    /// # Safety
    /// The caller held it, and no other thread evaluates in the session that made it.
    #[inline]
    pub(crate) unsafe fn release(&self, mut env: Env) {
        loop {
            let header = env.header();
            let held = header.held.get();
            if held & KEPT != 0 {
                return;
            }
            debug_assert!(held & COUNT > 0, "what is released is held");
            header.held.set(held - 1);
            if held & COUNT != 1 {
                return;
            }
            // It held what is around it for as long as anything held it.
            let Some(up) = header.up else { return };
            if held & GIVEN_BACK != 0 {
                // SAFETY: who made it gave it back, and nothing holds it any more.
                unsafe { self.free(env) };
            }
            env = up;
        }
    }

    /// # Safety
    /// Nothing refers to the environment.
    #[inline]
    unsafe fn free(&self, env: Env) {
        if let Some(free) = self.free.get(env.len()) {
            // SAFETY: nothing refers to the environment, so there is no reference to its header.
            unsafe { env.0.write(Header::new(free.get())) };
            free.set(Some(env));
        }
    }
}

impl Header {
    fn new(up: Option<Env>) -> Self {
        Self { up, set: Cell::new(0), held: Cell::new(0) }
    }
}

fn allocate(arena: &'static Arena, up: Option<Env>, room: usize) -> Env {
    let layout = Layout::from_size_align(SLOTS + room * size_of::<Value>(), align_of::<Header>());
    let layout = layout.expect("the number of variables in one scope is small");
    let header = arena.alloc_layout(layout).cast::<Header>();
    // SAFETY: the allocation has room for the header and its alignment.
    unsafe { header.write(Header::new(up)) };
    Env(header)
}

impl Env {
    /// Refers to this environment until [`Envs::release`].
    #[inline]
    pub(crate) fn hold(self) {
        let mut env = self;
        loop {
            let header = env.header();
            let held = header.held.get();
            if held & KEPT != 0 {
                return;
            }
            if held & COUNT == COUNT {
                return env.keep();
            }
            header.held.set(held + 1);
            match header.up {
                Some(up) if held & COUNT == 0 => env = up,
                _ => return,
            }
        }
    }

    /// Refers to this environment and those around it for ever.
    #[inline]
    pub(crate) fn keep(self) {
        let mut env = self;
        while env.header().held.get() & KEPT == 0 {
            env.header().held.set(KEPT);
            match env.header().up {
                Some(up) => env = up,
                None => return,
            }
        }
    }

    /// The value in a slot.
    #[inline]
    pub(crate) fn get(self, slot: u32) -> Value {
        assert!((slot as usize) < self.len(), "variables are read after their environment is filled in");
        // SAFETY: the slot is below the number of set slots, so it is inside the allocation and was written.
        unsafe { self.slot(slot as usize).read() }
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
        self.header().set.get() as usize
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the pointer comes from `allocate`, which initialised the header; it is never freed.
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
    /// The environment, for thunks that refer to it. Only slots that are set already may be read.
    #[inline]
    pub(crate) fn env(&self) -> Env {
        self.env
    }

    /// Sets the next slot.
    #[inline]
    pub(crate) fn push(&mut self, value: Value) {
        let set = self.env.header().set.get();
        assert!(set < self.room, "the compiler counts slots as the evaluator fills them");
        // SAFETY: the slot is inside the room, and nobody reads it before the number is raised.
        unsafe { self.env.slot(set as usize).write(value) };
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
    use crate::arena::Budget;

    fn envs() -> Envs {
        Envs::new(Arena::leak(Budget::new(usize::MAX)))
    }

    #[test]
    fn slots_and_levels() {
        let envs = envs();
        let outer = envs.of(envs.empty(), &[Value::Int(1), Value::Int(2)]);
        let mut builder = envs.builder(outer, 1);
        assert_eq!(builder.env().len(), 0);
        builder.push(Value::Bool(true));
        let inner = builder.env();
        assert!(matches!(inner.get(0), Value::Bool(true)));
        assert!(matches!(inner.up(1).get(1), Value::Int(2)));
    }

    #[test]
    fn what_nothing_refers_to_is_used_again() {
        let envs = envs();
        let outer = envs.of(envs.empty(), &[Value::Int(1)]);
        let inner = envs.of(outer, &[Value::Int(2), Value::Int(3)]);
        // SAFETY: neither is used below.
        unsafe { envs.recycle(inner, 2) };
        assert_eq!(envs.of(envs.empty(), &[Value::Null]).0, outer.0);
        assert_eq!(envs.of(envs.empty(), &[Value::Null, Value::Null]).0, inner.0);
        assert_ne!(envs.of(envs.empty(), &[Value::Null]).0, outer.0, "it is in use");
    }

    #[test]
    fn what_is_held_stays_until_it_is_released() {
        let envs = envs();
        let outer = envs.of(envs.empty(), &[Value::Int(1)]);
        let inner = envs.of(outer, &[Value::Int(2), Value::Int(3)]);
        inner.hold();
        inner.hold();
        // SAFETY: they are used again only while they are held.
        unsafe { envs.recycle(inner, 2) };
        let other = envs.of(envs.empty(), &[Value::Null]);
        assert_ne!(other.0, outer.0, "what is around something held is held");
        // SAFETY: it was held twice.
        unsafe { envs.release(inner) };
        assert!(matches!((inner.get(1), inner.up(1).get(0)), (Value::Int(3), Value::Int(1))));
        // SAFETY: as above.
        unsafe { envs.release(inner) };
        assert_eq!(envs.of(envs.empty(), &[Value::Null]).0, outer.0);
        assert_eq!(envs.of(envs.empty(), &[Value::Null, Value::Null]).0, inner.0);
    }

    #[test]
    fn what_is_not_given_back_stays() {
        let envs = envs();
        let env = envs.of(envs.empty(), &[Value::Int(1)]);
        env.hold();
        // SAFETY: it was held.
        unsafe { envs.release(env) };
        assert_ne!(envs.of(envs.empty(), &[Value::Null]).0, env.0);
        assert!(matches!(env.get(0), Value::Int(1)));
    }

    #[test]
    fn what_is_kept_stays_with_all_around_it() {
        let envs = envs();
        let outer = envs.of(envs.empty(), &[Value::Int(1)]);
        let inner = envs.of(outer, &[Value::Int(2)]);
        inner.hold();
        inner.keep();
        let innermost = envs.of(inner, &[Value::Int(3)]);
        // SAFETY: `innermost` is not used below, and the others are kept; `inner` was held.
        unsafe {
            envs.recycle(innermost, 3);
            envs.release(inner);
        }
        assert_eq!(envs.of(outer, &[Value::Int(4)]).0, innermost.0);
        assert!(matches!((inner.get(0), inner.up(1).get(0)), (Value::Int(2), Value::Int(1))));
    }

    #[test]
    #[should_panic(expected = "variables are read after")]
    fn a_slot_that_is_not_set_is_not_read() {
        let envs = envs();
        envs.builder(envs.empty(), 1).env().get(0);
    }
}
