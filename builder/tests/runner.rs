//! The one test binary of this crate.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archives;
mod http_server;
mod test_fetch;
mod test_unpack;
