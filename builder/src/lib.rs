//! Planning, scheduling and the sandbox.

pub mod unpack;
