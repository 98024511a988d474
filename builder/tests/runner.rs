//! Integration tests, in one binary.

mod archives;
mod test_unpack;
