//! Planning, scheduling and the sandbox.

#[deny(unsafe_code)]
pub mod sandbox;
#[deny(unsafe_code)]
pub mod spawner;
