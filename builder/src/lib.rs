//! Planning, scheduling and the sandbox.

pub mod sandbox;
pub mod spawner;
pub mod unpack;
