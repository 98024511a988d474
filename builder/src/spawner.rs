//! The spawner: a small single-threaded process that starts sandboxes, so that building a small derivation costs a fork and
//! no start of a large program. Most of making a sandbox is done before it is known what runs in it, so larder has a few of them
//! prepared; then it talks with the first process of each itself.
//!
//! larder executes itself once as the spawner ([`main`], behind a hidden subcommand) and talks to it over a socket. The
//! spawner lives exactly as long as larder: at the end of the socket it kills every sandbox and exits, and each sandbox
//! dies with the spawner. No sandbox outlives larder, however it dies. If larder was killed, the spawner then removes what that has left in
//! the store's `tmp/`.

mod client;
pub(crate) mod protocol;
mod server;
mod staged;

pub use client::{CancelHandle, Running, SpawnError, Spawner, Terminal};
pub use server::main;
