//! The crate's integration tests, as one binary.
#![cfg(feature = "local")]

mod test_store;
