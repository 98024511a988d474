//! The store against a model of it, in a process of its own: a child that another test starts has for a moment all locks that
//! are held here, so records would go to other segments than the model's.
#![cfg(feature = "local")]
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![allow(dead_code, reason = "other tests need the rest of `support`")]

mod support;
mod test_model;
