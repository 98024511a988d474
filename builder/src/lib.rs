//! Planning, scheduling and the sandbox.
