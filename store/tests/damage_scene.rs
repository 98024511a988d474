//! A store with a tree, and ways to damage it that leave no other trace.

use crate::support::{Scratch, name, open, scratch, write_files};
use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use store::StorePath;
use store::local::{LocalStore, Problem};

pub(crate) struct DamageScene {
    pub(crate) directory: Scratch,
    pub(crate) store: LocalStore,
    pub(crate) path: StorePath,
}

pub(crate) const FILES: &[(&str, &str)] =
    &[("one", "only here"), ("d/two", "in two trees"), ("d/e/three", "3"), ("again", "3")];

impl DamageScene {
    pub(crate) fn new() -> Self {
        let directory = scratch();
        let store = open(&directory.path().join("store"));
        let source = directory.path().join("source");
        write_files(&source, FILES);
        symlink("d/two", source.join("link")).expect("linked");
        std::fs::set_permissions(source.join("again"), std::fs::Permissions::from_mode(0o755)).expect("changed");
        let path = store.add_path(&source, name("tree"), None).expect("added");
        Self { directory, store, path }
    }

    pub(crate) fn host(&self, inside: &str) -> PathBuf {
        self.store.host_path(&self.path).join(inside)
    }

    pub(crate) fn verify(&self) -> Vec<Problem> {
        self.store.verify(None, true).expect("verified")
    }

    pub(crate) fn texts(&self) -> BTreeSet<String> {
        self.verify().iter().map(ToString::to_string).collect()
    }

    /// Does something to a file or directory that is sealed, in a directory that is, and seals both again.
    pub(crate) fn damage(&self, place: &Path, act: impl FnOnce(&Path)) {
        let parent = place.parent().expect("below the store");
        unsealed(parent, || act(place));
    }

    pub(crate) fn add_other_tree(&self) -> StorePath {
        let other = self.directory.path().join("other");
        write_files(&other, &[("x", "in two trees"), ("y", "only there")]);
        self.store.add_path(&other, name("other"), None).expect("added")
    }
}

/// Lets something happen in a sealed directory, without a trace in its mode and time.
pub(crate) fn unsealed(directory: &Path, act: impl FnOnce()) {
    let mode = directory.metadata().expect("there").permissions();
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).expect("changed");
    act();
    set_time(directory, 1);
    std::fs::set_permissions(directory, mode).expect("changed");
}

pub(crate) fn set_time(place: &Path, seconds: i64) {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(rustix::fs::CWD, place, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).expect("set");
}

/// Changes bytes of a file without a trace in its mode and time.
pub(crate) fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let data = file.metadata().expect("there");
    let mut bytes = std::fs::read(file).expect("readable");
    change(&mut bytes);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).expect("changed");
    std::fs::write(file, bytes).expect("written");
    set_time(file, data.mtime());
    std::fs::set_permissions(file, data.permissions()).expect("changed");
}

pub(crate) fn flip(file: &Path, bit: usize) {
    change(file, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
}

pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        let data = path.symlink_metadata().expect("there");
        if data.is_dir() {
            files.extend(files_below(&path));
        } else if data.is_file() {
            files.push(path);
        }
    }
    files
}

pub(crate) fn set_mode(place: &Path, mode: u32) {
    std::fs::set_permissions(place, std::fs::Permissions::from_mode(mode)).expect("changed");
}

pub(crate) fn replace(place: &Path, make: impl FnOnce(&Path)) {
    std::fs::remove_file(place).expect("removed");
    make(place);
}
