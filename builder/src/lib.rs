//! Planning, scheduling and the sandbox.

pub mod fetch;
pub mod unpack;
