//! Faults: a hook that is asked before every effect on a store directory, for tests that stop or fail each of them.

use super::effect::Effect;
use rustix::io::Errno;
use std::sync::{Arc, PoisonError, RwLock};

/// Decides about an effect: it happens, or fails with this error. It may also end the process.
pub type Hook = dyn Fn(Effect) -> Result<(), Errno> + Send + Sync;

static HOOK: RwLock<Option<Arc<Hook>>> = RwLock::new(None);

/// Has `hook` asked before every effect of this process, on whichever store and thread.
pub fn install(hook: Arc<Hook>) {
    *HOOK.write().unwrap_or_else(PoisonError::into_inner) = Some(hook);
}

/// Lets all effects happen again.
pub fn remove() {
    *HOOK.write().unwrap_or_else(PoisonError::into_inner) = None;
}

pub(super) fn admit(effect: Effect) -> Result<(), Errno> {
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    hook.map_or(Ok(()), |hook| hook(effect))
}
