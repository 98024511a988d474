//! The crate's integration tests, as one binary.
#![cfg(feature = "local")]
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]

mod fault_scene;
mod support;
mod test_closure;
mod test_concurrency;
mod test_faults;
mod test_golden;
mod test_hostile;
mod test_index;
mod test_power;
mod test_store;
mod test_verify;
