//! Sources that nobody should have, but somebody has: whatever it is, it is taken in faithfully or refused with its name, the
//! store is as it was, and nothing crashes.

use crate::support::{
    LONG, Scratch, assert_clean_after_collection, assert_sound, name, open, say, scratch, scratch_on_disk, write_files,
};
use rustix::fs::{FileType, Mode, OFlags};
use std::ffi::OsStr;
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::local::{Flaw, IngestError, LocalStore, Problem, StoreError};
use store::{BlobDigest, EntryName, Node, StorePath, TreePath};

struct Fixture {
    directory: Scratch,
    store: LocalStore,
}

impl Fixture {
    fn new() -> Self {
        let directory = scratch();
        let store = open(&directory.path().join("store"));
        std::fs::create_dir(directory.path().join("source")).expect("created");
        Self { directory, store }
    }

    fn source(&self) -> std::path::PathBuf {
        self.directory.path().join("source")
    }

    fn add(&self) -> Result<StorePath, StoreError> {
        self.store.add_path(&self.source(), name("source"), None)
    }

    /// The source is refused, and nothing of it stays.
    fn assert_refused(&self) -> StoreError {
        let error = self.add().expect_err("it was taken");
        assert!(self.store.paths().expect("asked").is_empty());
        assert_eq!(crate::support::names(&self.store.layout().tmp()).len(), 0, "leftovers in tmp/");
        assert_sound(&self.store);
        error
    }

    fn collect_all(self) {
        let Self { directory, store } = self;
        drop(store);
        let store = open(&directory.path().join("store"));
        assert_clean_after_collection(&store);
        assert!(store.paths().expect("asked").is_empty());
    }
}

fn open_directory(path: &Path) -> OwnedFd {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("opened")
}

/// Directories `d/d/…` below `path`, however long their path.
fn nest(path: &Path, depth: usize) {
    let mut directory = open_directory(path);
    for _ in 0..depth {
        rustix::fs::mkdirat(&directory, "d", Mode::RWXU).expect("created");
        directory = rustix::fs::openat(&directory, "d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("it");
    }
}

#[test]
fn many_entries_in_one_directory() {
    let count = if std::env::var_os(LONG).is_some() { 1_000_000 } else { 100_000 };
    let fixture = Fixture::new();
    let directory = open_directory(&fixture.source());
    for number in 0..count {
        let flags = OFlags::CREATE | OFlags::WRONLY;
        rustix::fs::openat(&directory, format!("entry-{number}"), flags, Mode::RUSR).expect("created");
    }
    let began = Instant::now();
    let path = fixture.add().expect("added");
    assert_eq!(fixture.store.path_info(&path).expect("asked").expect("valid").files, count);
    assert_eq!(fixture.store.verify(Some(&[path]), false).expect("verified"), []);
    say(format_args!("added and verified in {:?}", began.elapsed()));
    fixture.collect_all();
    assert!(began.elapsed() < Duration::from_secs(60 * count / 100_000), "it took {:?}", began.elapsed());
}

/// Most file systems allow some ten thousand links to a file; those of one tree, and its object, may be more.
#[test]
fn more_equal_files_than_a_file_can_have_links() {
    const COUNT: u64 = 66_000;
    // On a disk: in memory there is no limit.
    let directory = scratch_on_disk();
    let source = directory.path().join("source");
    std::fs::create_dir(&source).expect("created");
    let opened = open_directory(&source);
    for number in 0..COUNT {
        rustix::fs::openat(&opened, format!("{number}"), OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).expect("created");
    }
    let store = open(&directory.path().join("store"));
    let path = store.add_path(&source, name("equal"), None).expect("added");
    assert_eq!(store.path_info(&path).expect("asked").expect("valid").files, COUNT);
    let again = store.add_path(&source, name("again"), None).expect("added");
    assert_eq!(again.tree(), path.tree());
    assert_sound(&store);
    drop(store);
    let store = open(&directory.path().join("store"));
    assert_clean_after_collection(&store);
}

/// The file of the second takes the place of an object that is nearly full, and is nearly full itself.
#[test]
fn nearly_full_objects_of_two_processes_leave_nothing() {
    let directory = scratch();
    let [one, two] = [(); 2].map(|()| open(&directory.path().join("store")));
    let stage = |store: &LocalStore, count: u32| {
        let staging = store.stage().expect("staged");
        let place = staging.path().join("out");
        std::fs::create_dir(&place).expect("created");
        let opened = open_directory(&place);
        for number in 0..count {
            let flags = OFlags::CREATE | OFlags::WRONLY;
            rustix::fs::openat(&opened, format!("{number}"), flags, Mode::RUSR).expect("created");
        }
        store.seal(staging, &place).expect("sealed")
    };
    let (first, second) = (stage(&one, 60_200), stage(&two, 60_100));
    one.publish(first, name("first")).expect("published");
    two.publish(second, name("second")).expect("published");
    assert_eq!(crate::support::names(&two.layout().tmp()).len(), 0, "leftovers in tmp/");
    assert_sound(&two);
}

/// A directory that becomes a link to elsewhere, and a file that becomes one, while a tree is added: nothing of elsewhere is taken.
#[test]
fn links_swapped_in_while_a_tree_is_read_are_not_followed() {
    let fixture = Fixture::new();
    let elsewhere = fixture.directory.path().join("elsewhere");
    write_files(&elsewhere, &[("f", "secret"), ("d/f", "secret")]);
    write_files(&fixture.source(), &[("d/f", "mine"), ("f", "mine")]);
    let done = AtomicBool::new(false);
    let results: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (source, aside) = (fixture.source(), fixture.directory.path().join("aside"));
            while !done.load(Ordering::Relaxed) {
                for name in ["d", "f"] {
                    std::fs::rename(source.join(name), &aside).expect("moved");
                    symlink(elsewhere.join(name), source.join(name)).expect("linked");
                    std::fs::remove_file(source.join(name)).expect("removed");
                    std::fs::rename(&aside, source.join(name)).expect("moved back");
                }
            }
        });
        let results = (0..300).map(|_| fixture.add()).collect();
        done.store(true, Ordering::Relaxed);
        results
    });
    let secret = BlobDigest::of(b"secret");
    for path in results.iter().flatten() {
        let listing = fixture.store.listing(&path.tree().expect("a tree")).expect("kept");
        listing.walk(&mut |inside, node| {
            assert!(!matches!(node, Node::File { blob, .. } if *blob == secret), "{inside} was reached through a link");
        });
    }
    say(format_args!("{} of {} were refused", results.iter().filter(|result| result.is_err()).count(), results.len()));
    assert_sound(&fixture.store);
}

#[test]
fn names_of_256_bytes_are_no_names() {
    assert!(EntryName::new(&[b'n'; 255]).is_ok());
    assert!(EntryName::new(&[b'n'; 256]).is_err());
    for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
        assert!(EntryName::new(bad).is_err(), "{bad:?}");
    }
}

/// Removing must not look at all that is left for each that is removed.
#[test]
fn many_directories_in_one_are_removed_in_time() {
    let fixture = Fixture::new();
    for number in 0..8_000 {
        write_files(&fixture.source().join(format!("d{number}")), &[("f", "x")]);
    }
    fixture.add().expect("added");
    let began = Instant::now();
    fixture.collect_all();
    say(format_args!("removed in {:?}", began.elapsed()));
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
}

#[test]
fn directories_as_deep_as_allowed_are_taken() {
    let fixture = Fixture::new();
    nest(&fixture.source(), 1000);
    let path = fixture.add().expect("added");
    assert_sound(&fixture.store);
    assert!(fixture.store.listing(&path.tree().expect("a tree")).is_ok());
    fixture.store.rebuild_index().expect("rebuilt");
    assert!(fixture.store.is_valid(&path).expect("asked"));
    fixture.collect_all();
}

#[test]
fn directories_that_are_too_deep_are_refused() {
    for depth in [1001, 5000, 100_000] {
        let fixture = Fixture::new();
        nest(&fixture.source(), depth);
        let error = fixture.assert_refused();
        assert!(matches!(error, StoreError::Ingest(IngestError::TooDeep { .. })), "{error}");
        remove_nested(&fixture.source());
    }
}

/// What can be taken can also be made again and be given another name, which needs its paths as a whole.
#[test]
fn paths_that_the_system_could_not_be_told_are_refused() {
    // Twelve names and the slashes between them are within the limit, thirteen are not.
    for (levels, is_taken) in [(11, true), (12, false), (40, false)] {
        let fixture = Fixture::new();
        let mut directory = open_directory(&fixture.source());
        let long = "n".repeat(254);
        for _ in 0..levels {
            rustix::fs::mkdirat(&directory, &*long, Mode::RWXU).expect("created");
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            directory = rustix::fs::openat(&directory, &*long, flags, Mode::empty()).expect("it");
        }
        let file =
            rustix::fs::openat(&directory, &*long, OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).expect("created");
        rustix::io::write(&file, b"at the end").expect("written");
        if is_taken {
            let path = fixture.add().expect("added");
            let tree = path.tree().expect("a tree");
            let listing = fixture.store.listing(&tree).expect("kept");
            fixture.store.add_listing(&listing, Default::default(), name("renamed")).expect("made anew");
            fixture
                .store
                .quarantine(&[Problem::Tree { path, inside: TreePath::default(), flaw: Flaw::Mode }])
                .expect("put aside");
            let problems = fixture.store.verify(None, true).expect("verified");
            assert!(fixture.store.repair(&problems, None).expect("repaired").lost.is_empty());
            assert_sound(&fixture.store);
            fixture.collect_all();
        } else {
            let error = fixture.assert_refused();
            assert!(matches!(error, StoreError::Ingest(IngestError::TooLong { .. })), "{error}");
            remove_nested(&fixture.source());
        }
    }
}

/// What `nest` has made is too deep for what removes temporary directories.
fn remove_nested(path: &Path) {
    let mut command = Command::new("rm");
    assert!(command.arg("-rf").arg(path).status().expect("rm runs").success());
}

#[test]
fn any_name_that_the_system_allows() {
    let fixture = Fixture::new();
    let long = [b'n'; 255];
    let names: [&[u8]; 6] = [&long, b"\xff\xfe", b"new\nline", b"\x1b[31m", "ü".as_bytes(), b"-rf"];
    for name in names {
        std::fs::write(fixture.source().join(OsStr::from_bytes(name)), name).expect("written");
    }
    symlink(OsStr::from_bytes(b"\xff"), fixture.source().join("link")).expect("linked");
    let path = fixture.add().expect("added");
    let listing = fixture.store.listing(&path.tree().expect("a tree")).expect("kept");
    for name in names {
        let inside = TreePath::default().join(&EntryName::new(name).expect("valid"));
        let expected = Node::File { executable: false, size: name.len() as u64, blob: BlobDigest::of(name) };
        assert_eq!(listing.get(&inside), Some(&expected));
        let host = fixture.store.host_path(&path).join(OsStr::from_bytes(name));
        assert_eq!(std::fs::read(host).expect("readable"), name);
    }
    assert_sound(&fixture.store);
    fixture.collect_all();
}

#[test]
fn pipes_and_devices_are_refused_by_name() {
    let device = rustix::fs::makedev(1, 3);
    for (kind, number, word) in [(FileType::Fifo, 0, "named pipe"), (FileType::CharacterDevice, device, "device")] {
        let fixture = Fixture::new();
        let place = fixture.source().join("special");
        if rustix::fs::mknodat(rustix::fs::CWD, &place, kind, Mode::RUSR, number).is_err() {
            say(format_args!("skipped: a {word} cannot be made here"));
            continue;
        }
        let error = fixture.assert_refused();
        assert!(error.to_string().contains(&format!("source/special is a {word}")), "{error}");
    }
}

#[test]
fn links_in_circles_are_just_links() {
    let fixture = Fixture::new();
    for (link, target) in [("a", "b"), ("b", "a"), ("self", "self"), ("up", "."), ("dangling", "/nowhere/at/all")] {
        symlink(target, fixture.source().join(link)).expect("linked");
    }
    let path = fixture.add().expect("added");
    let link = fixture.store.host_path(&path).join("self");
    assert_eq!(link.symlink_metadata().expect("there").mtime(), 1, "the time is the same in every store");
    let target = std::fs::read_link(link).expect("a link");
    assert_eq!(target, Path::new("self"));
    let alone = fixture.store.add_path(&fixture.source().join("a"), name("a"), None).expect("added");
    assert!(fixture.store.host_path(&alone).symlink_metadata().expect("there").is_symlink());
    assert_sound(&fixture.store);
}

#[test]
fn a_file_that_grows_while_it_is_read_is_refused_or_whole() {
    let fixture = Fixture::new();
    let place = fixture.source().join("log");
    std::fs::write(&place, vec![b'x'; 24 << 20]).expect("written");
    let done = AtomicBool::new(false);
    let results: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = std::fs::File::options().append(true).open(&place).expect("opened");
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"one more line\n").expect("written");
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let results = (0..4).map(|_| fixture.add()).collect();
        done.store(true, Ordering::Relaxed);
        results
    });
    assert!(results.iter().any(Result::is_err), "the writer was too slow for this test");
    for error in results.into_iter().filter_map(Result::err) {
        assert!(
            matches!(&error, StoreError::Ingest(IngestError::Changed { path }) if path.ends_with("log")),
            "{error}"
        );
    }
    assert_sound(&fixture.store);
}

/// A file that is written anew in place, again and again, as long as before: what is taken was there at one moment.
#[test]
fn a_file_that_is_rewritten_while_it_is_read_is_refused_or_whole() {
    add_what_is_rewritten(|_| {});
}

/// As `rsync --inplace --times` and `touch --reference` do.
#[test]
fn a_file_that_is_rewritten_and_its_time_put_back_is_refused_or_whole() {
    let old = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    add_what_is_rewritten(|file| file.set_modified(old).expect("put back"));
}

/// Another name of a file is no other content.
#[test]
fn a_file_that_gets_other_names_while_it_is_read_is_taken() {
    let fixture = Fixture::new();
    let (place, other) = (fixture.source().join("file"), fixture.directory.path().join("other"));
    std::fs::write(&place, vec![b'x'; 24 << 20]).expect("written");
    let done = AtomicBool::new(false);
    let taken = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                std::fs::hard_link(&place, &other).and_then(|()| std::fs::remove_file(&other)).expect("linked");
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let taken = (0..4).map(|_| fixture.add()).collect::<Vec<_>>();
        done.store(true, Ordering::Relaxed);
        taken
    });
    for taken in taken {
        taken.expect("it did not change");
    }
}

/// `rewritten` is called each time the file is whole.
fn add_what_is_rewritten(rewritten: impl Fn(&std::fs::File) + Sync) {
    const LENGTH: usize = 12 << 20;
    let fixture = Fixture::new();
    let place = fixture.source().join("file");
    std::fs::write(&place, vec![b'0'; LENGTH]).expect("written");
    let done = AtomicBool::new(false);
    let results: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = std::fs::File::options().write(true).open(&place).expect("opened");
            for content in b"120".iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
                file.rewind().expect("sought");
                (0..LENGTH >> 16).for_each(|_| file.write_all(&[*content; 1 << 16]).expect("written"));
                rewritten(&file);
                std::thread::sleep(Duration::from_millis(60));
            }
        });
        let results = (0..12).map(|_| fixture.add()).collect();
        done.store(true, Ordering::Relaxed);
        results
    });
    for path in results.iter().flatten() {
        let mut content = std::fs::read(fixture.store.host_path(path).join("file")).expect("readable");
        content.dedup();
        // The writer may have been stopped in the middle, but never is an end newer than what is before it.
        assert!(["0", "1", "2", "10", "21", "02"].map(str::as_bytes).contains(&&*content), "it is torn: {content:?}");
    }
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(
            matches!(error, StoreError::Ingest(IngestError::Changed { path }) if path.ends_with("file")),
            "{error}"
        );
    }
    say(format_args!("{} of {} were refused", results.iter().filter(|result| result.is_err()).count(), results.len()));
    assert_sound(&fixture.store);
}

#[test]
fn a_sparse_file_is_what_reading_it_gives() {
    let fixture = Fixture::new();
    let file = std::fs::File::create(fixture.source().join("sparse")).expect("created");
    file.set_len(64 << 20).expect("set");
    let mut content = vec![0; 64 << 20];
    for offset in [0, 1, (20 << 20) - 1, 30 << 20] {
        file.write_all_at(b"x", offset).expect("written");
        content[offset as usize] = b'x';
    }
    let path = fixture.add().expect("added");
    let listing = fixture.store.listing(&path.tree().expect("a tree")).expect("kept");
    let blob = BlobDigest::of(&content);
    let inside = TreePath::parse(b"sparse").expect("valid");
    assert_eq!(listing.get(&inside), Some(&Node::File { executable: false, size: 64 << 20, blob }));
    let copy = fixture.store.host_path(&path).join("sparse");
    assert!(std::fs::read(&copy).expect("readable") == content);
    let blocks = copy.metadata().expect("there").blocks();
    assert!(blocks * 512 < 8 << 20, "{blocks} blocks of it are on the disk");
    assert_sound(&fixture.store);
}

#[test]
fn a_relative_source_is_the_same_as_an_absolute_one() {
    let fixture = Fixture::new();
    // The working directory belongs to all tests, so it is left as it is.
    let relative = Path::new("tests");
    let absolute = std::path::absolute(relative).expect("there is a working directory");
    let expected = fixture.store.add_path(&absolute, name("tests"), None).expect("added");
    assert_eq!(fixture.store.add_path(relative, name("tests"), None).expect("added"), expected);
    assert_eq!(fixture.store.add_path(Path::new("./tests/"), name("tests"), None).expect("added"), expected);
    assert_eq!(fixture.store.add_path(Path::new("tests/../tests/."), name("tests"), None).expect("added"), expected);
}

#[test]
fn a_directory_that_is_no_store_is_not_made_one() {
    let directory = scratch();
    write_files(directory.path(), &[("letter", "to a friend")]);
    let opened = LocalStore::open(directory.path(), store::local::OpenOptions::default());
    assert!(matches!(opened, Err(StoreError::Format { .. })), "{opened:?}");
    assert_eq!(crate::support::names(directory.path()).len(), 1, "nothing was put there");
}
