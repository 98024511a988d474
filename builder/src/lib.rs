//! Planning, scheduling and the sandbox.

pub mod fetch;
pub mod sandbox;
pub mod spawner;
pub mod unpack;
