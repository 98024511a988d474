//! Whatever archive there is, nothing of it lands outside the directory it is unpacked into.
#![no_main]

use builder::unpack::{UnpackOptions, unpack};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let directory = tempfile::tempdir().expect("a directory");
    let archive = directory.path().join("archive");
    std::fs::write(&archive, data).expect("written");
    let inside = directory.path().join("inside");
    std::fs::create_dir(&inside).expect("created");
    let _ = unpack(&archive, &inside, &UnpackOptions::default());
    let outside = std::fs::read_dir(directory.path()).expect("readable");
    let strangers = outside.filter(|entry| {
        let name = entry.as_ref().expect("readable").file_name();
        name != "archive" && name != "inside"
    });
    assert_eq!(strangers.count(), 0, "something landed outside");
    assert_eq!(std::fs::read(&archive).expect("readable"), data, "the archive was written to");
});
