//! A store whose segment holds anything opens, has nothing in it that it cannot read, and can be written to.
//!
//! Records have no decoder of their own outside the store, so this goes the way that a rebuild goes: slowly.
#![no_main]

use store::StoreName;
use store::local::{LocalStore, OpenOptions};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || LocalStore::open(directory.path(), OpenOptions { durable: false }).expect("opened");
    drop(open());
    std::fs::write(directory.path().join("records/1"), data).expect("written");
    let store = open();
    store.rebuild_index().expect("rebuilt");
    let path = store.add_bytes(b"x", false, StoreName::parse("x").expect("valid")).expect("added");
    store.rebuild_index().expect("rebuilt");
    assert!(store.is_valid(&path).expect("asked"));
});
