//! Integration tests, in one binary.

mod archives;
mod http_server;
mod test_fetch;
mod test_unpack;
