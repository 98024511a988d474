//! The crate's integration tests, as one binary.
#![cfg(feature = "local")]

mod support;
mod test_concurrency;
mod test_golden;
mod test_hostile;
mod test_kill;
mod test_model;
mod test_store;
