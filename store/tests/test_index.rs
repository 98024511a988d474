//! Whatever becomes of the index: it is made anew, or refused with what to do; and stores of other versions, and such as may only
//! be read.

use crate::support::{
    self, Scratch, assert_sound, derivation, name, names, open, peak, publish_build, say, scratch, write_files,
};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use store::derivation::OutputName;
use store::gc::GcPolicy;
use store::local::{IndexError, LocalStore, OpenOptions, Problem, StoreError};
use store::{ActionDigest, StorePath};

struct Fixture {
    directory: Scratch,
    source: StorePath,
    built: StorePath,
}

impl Fixture {
    fn new() -> Self {
        let directory = scratch();
        let store = open(&directory.path().join("store"));
        let from = directory.path().join("source");
        write_files(&from, &[("x", "1"), ("d/y", "2")]);
        let source = store.add_path(&from, name("source"), None).expect("added");
        let text = format!("mentions {source}");
        let built = publish_build(&store, 1, &[("out", &text)], BTreeSet::from([source.clone()])).expect("published");
        for number in 0..40 {
            store.add_bytes(&[number], false, name("bytes")).expect("added");
        }
        Self { source, built: built.path, directory }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    fn index(&self) -> PathBuf {
        self.root().join("index.db")
    }

    /// The store knows everything that it ought to.
    fn check(&self, store: &LocalStore) {
        assert!(store.is_valid(&self.source).expect("asked") && store.is_valid(&self.built).expect("asked"));
        assert_eq!(store.references(&self.built).expect("asked"), std::slice::from_ref(&self.source));
        assert_eq!(store.runtime(&self.built).expect("asked"), std::slice::from_ref(&self.source));
        let action = ActionDigest::from_bytes([1; 32]);
        let found = store.realised_path(&action, &OutputName::out(), &name("package-1")).expect("asked");
        assert_eq!(found.as_ref(), Some(&self.built));
        assert_eq!(store.derivation(&derivation(1).digest()).expect("kept"), derivation(1));
        assert_eq!(store.paths().expect("asked").len(), 42);
        assert_sound(store);
    }
}

#[test]
fn a_deleted_index_is_made_anew() {
    for endings in [&["", "-wal", "-shm"][..], &[""], &["-wal", "-shm"], &["-shm"]] {
        let fixture = Fixture::new();
        for ending in endings {
            let _ = std::fs::remove_file(fixture.root().join(format!("index.db{ending}")));
        }
        fixture.check(&open(&fixture.root()));
    }
}

/// Whoever has the store open when the index is deleted goes on with the new one: what is published is known to all, and nothing that
/// anybody needs is collected.
#[test]
fn an_index_that_is_deleted_while_it_is_open_is_followed() {
    let fixture = Fixture::new();
    let [first, second, fourth] = [(); 3].map(|()| open(&fixture.root()));
    first.add_root("built", &fixture.built).expect("rooted");
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(fixture.root().join(format!("index.db{ending}")));
    }
    let new = first.add_bytes(b"published after it", false, name("new")).expect("added");
    let third = open(&fixture.root());
    assert!(third.is_valid(&new).expect("asked"));
    let late = fourth.add_bytes(b"published later still", false, name("late")).expect("added");
    assert!(third.is_valid(&late).expect("asked"));
    // What it needs at run time is only known from records that the second one's old index does not have.
    let needed = third.add_bytes(b"needed", false, name("needed")).expect("added");
    let user = publish_build(&third, 2, &[("out", "user")], BTreeSet::from([needed.clone()])).expect("published").path;
    third.add_root("user", &user).expect("rooted");
    drop(third);
    second.collect_garbage(&GcPolicy::default()).expect("collected");
    let store = open(&fixture.root());
    for path in [&new, &late, &needed, &user, &fixture.built, &fixture.source] {
        assert!(store.is_valid(path).expect("asked"), "{path} is lost");
    }
    assert_sound(&store);
}

/// Random bytes in the index: whatever they do to it, the store opens or says what to do, and a rebuild makes it good.
#[test]
fn a_damaged_index_is_made_anew_or_refused() {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % limit as u64).expect("small")
    };
    let (mut healed, mut refused) = (0, 0);
    for round in 0..60 {
        let fixture = Fixture::new();
        let mut bytes = std::fs::read(fixture.index()).expect("readable");
        let length = bytes.len();
        match round % 4 {
            // One run of bytes, often in the header or the root of a table.
            0 => {
                let at = next(length - 64);
                (0..64).for_each(|place| bytes[at + place] = u8::try_from(next(256)).expect("a byte"));
            }
            1 => (0..20).for_each(|_| bytes[next(4096)] ^= 0x55),
            2 => bytes.truncate(next(length)),
            _ => (0..length / 16).for_each(|_| bytes[next(length)] = 0xff),
        }
        std::fs::write(fixture.index(), bytes).expect("written");
        match LocalStore::open(&fixture.root(), OpenOptions { durable: false }) {
            Ok(store) => {
                healed += 1;
                // It may work for now, and may say what is wrong when that is met.
                let _ = store.paths();
                store.rebuild_index().expect("made anew");
                fixture.check(&store);
            }
            Err(error) => {
                refused += 1;
                assert!(matches!(error, StoreError::Index { .. }), "{error:?}");
            }
        }
    }
    say(format_args!("{healed} opened and made anew, {refused} refused"));
    assert!(healed >= 50, "most damage is healed: only {healed} of 60 were");
}

/// Which realisation counts is not changed by a rebuild: the last one recorded, also if an earlier one's tree has come back.
#[test]
fn a_rebuilt_index_takes_the_last_realisation_recorded() {
    let directory = scratch();
    let root = directory.path().join("store");
    for text in ["first", "second"] {
        publish_build(&open(&root), 1, &[("out", text)], BTreeSet::new()).expect("published");
        open(&root).collect_garbage(&GcPolicy::default()).expect("collected");
    }
    let store = open(&root);
    let from = directory.path().join("source");
    write_files(&from, &[("out", "first")]);
    let first = store.add_path(&from, name("package-1"), None).expect("added");
    let action = ActionDigest::from_bytes([1; 32]);
    let realised = || store.realised_path(&action, &OutputName::out(), first.name()).expect("asked");
    assert_eq!(realised(), None);
    store.rebuild_index().expect("rebuilt");
    assert_eq!(realised(), None);
}

/// Whatever place a damaged index gives for a record: no memory is asked for that no segment could fill, who asks for the record is told,
/// and a rebuild makes it good.
#[test]
fn records_that_are_said_to_be_where_none_can_be_are_damaged() {
    let far = &*i64::MAX.to_string();
    let places = [("offset", far), (far, far), (far, "40"), ("offset", "1 << 40"), ("offset", "-1"), ("-1", "40")];
    for (offset, length) in places {
        for which in ["TRUE", "unicode(substr(hex(key), 1)) % 3 = 0"] {
            let fixture = Fixture::new();
            let index = rusqlite::Connection::open(fixture.index()).expect("opened");
            let damage = format!("UPDATE record SET offset = {offset}, length = {length} WHERE {which}");
            assert!(index.execute(&damage, []).expect("damaged") > 0);
            drop(index);
            let store = open(&fixture.root());
            if which == "TRUE" {
                let asked = store.listing(&fixture.source.tree().expect("a tree"));
                let error = asked.expect_err("it is not there");
                assert!(matches!(error, StoreError::Record(_) | StoreError::Index { .. }), "{error:?}");
            }
            // It may work for now, and may say what is wrong when that is met.
            let _ = store.plan_gc(&GcPolicy::default());
            let _ = store.verify(None, true);
            store.rebuild_index().expect("made anew");
            fixture.check(&store);
        }
    }
}

/// Whoever finds the index damaged looks again when nobody else is at it: it may have been made anew by then.
#[test]
fn a_damaged_index_is_set_aside_by_one_at_a_time() {
    let fixture = Fixture::new();
    let good = std::fs::read(fixture.index()).expect("readable");
    std::fs::write(fixture.index(), vec![0x55; good.len()]).expect("written");
    let trash = std::fs::File::open(fixture.root().join("trash")).expect("opened");
    // As who is about to make it anew.
    trash.lock().expect("locked");
    let root = fixture.root();
    let late = std::thread::spawn(move || open(&root));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(!late.is_finished());
    let new = fixture.directory.path().join("new");
    std::fs::write(&new, good).expect("written");
    std::fs::rename(new, fixture.index()).expect("renamed");
    drop(trash);
    fixture.check(&late.join().expect("no panic"));
    assert!(!fixture.root().join("index.damaged.db").exists(), "a good one was set aside");
}

/// What stands in the index and cannot be true is found, though SQLite finds nothing wrong with it, and a repair mends it.
#[test]
fn rows_that_say_otherwise_than_records_are_found() {
    let changes = [
        "UPDATE reference SET target = randomblob(32)",
        "UPDATE reference SET tree = randomblob(32)",
        "DELETE FROM reference",
        "UPDATE runtime SET target = replace(target, 'source', 'tource')",
        "UPDATE runtime SET tree = randomblob(32)",
        "UPDATE derivation SET digest = randomblob(32)",
        "UPDATE derivation SET name = 'other.drv'",
        "UPDATE derivation SET inputs = '/larder/store/x'",
        "UPDATE derivation SET inputs = 7",
        "UPDATE realisation SET tree = randomblob(32)",
        "UPDATE realisation SET tree = x'00'",
        "UPDATE realisation SET output = 'dev'",
        "UPDATE resolution SET action = randomblob(32)",
        "UPDATE build SET finished = finished + 1",
        "UPDATE build SET memory = -1",
        "UPDATE record SET key = randomblob(32) WHERE kind = 2",
        "UPDATE record SET key = randomblob(32) WHERE kind = 1",
        "UPDATE record SET kind = 5 WHERE kind = 3",
        "UPDATE record SET offset = offset + 1 WHERE kind = 1",
        "UPDATE record SET offset = -1 WHERE kind = 4",
        "UPDATE record SET offset = 1 << 40 WHERE kind = 6",
        "UPDATE record SET length = length + 1 WHERE kind = 1",
        "UPDATE record SET segment = 'another' WHERE kind = 1",
        "DELETE FROM derivation",
        "UPDATE path SET bytes = bytes + 1 WHERE name = 'source'",
        "UPDATE path SET files = files + 1 WHERE name = 'bytes'",
    ];
    for change in changes {
        let fixture = Fixture::new();
        let index = rusqlite::Connection::open(fixture.index()).expect("opened");
        assert!(index.execute(change, []).expect("changed") > 0, "{change}");
        drop(index);
        let store = open(&fixture.root());
        let problems = store.verify(None, true).expect("verified");
        assert_eq!(problems, [Problem::Index(fixture.index())], "{change}");
        store.repair(&problems, None).expect("repaired");
        fixture.check(&store);
    }
}

/// Wherever a digest stands in the file, a flipped bit of it is found.
#[test]
fn flipped_bits_of_digests_in_the_index_are_found() {
    let fixture = Fixture::new();
    // So that nothing stands where SQLite does not look any more.
    rusqlite::Connection::open(fixture.index()).expect("opened").execute_batch("VACUUM").expect("written anew");
    let index = std::fs::read(fixture.index()).expect("readable");
    let source = fixture.source.tree().expect("a tree");
    let places: Vec<_> = (0..index.len()).filter(|&at| index[at..].starts_with(source.as_bytes())).collect();
    assert!(places.len() >= 4, "a path, the key of a record, a reference and its way back: {places:?}");
    for place in places {
        for at in [place, place + 31] {
            let mut flipped = index.clone();
            flipped[at] ^= 4;
            for ending in ["-wal", "-shm"] {
                let _ = std::fs::remove_file(fixture.root().join(format!("index.db{ending}")));
            }
            std::fs::write(fixture.index(), flipped).expect("written");
            let store = open(&fixture.root());
            let problems = store.verify(None, true).expect("verified");
            assert!(!problems.is_empty(), "byte {at}");
            store.repair(&problems, None).expect("repaired");
            store.rebuild_index().expect("rebuilt");
            fixture.check(&store);
        }
    }
}

/// A repair ends also when the index is damaged and stays where it is.
#[test]
fn a_damaged_index_that_cannot_be_set_aside_is_an_error() {
    let fixture = Fixture::new();
    let root_page: usize = {
        let index = rusqlite::Connection::open(fixture.index()).expect("opened");
        let page = "SELECT rootpage FROM sqlite_schema WHERE name = 'source'";
        index.query_row(page, [], |row| row.get(0)).expect("there")
    };
    let mut bytes = std::fs::read(fixture.index()).expect("readable");
    // How many bytes between cells are free; all else works.
    bytes[(root_page - 1) * 4096 + 7] ^= 1;
    std::fs::write(fixture.index(), bytes).expect("written");
    write_files(&fixture.root().join("index.damaged.db"), &[("in the way", "")]);
    let store = open(&fixture.root());
    let problems = store.verify(None, true).expect("verified");
    assert_eq!(problems, [Problem::Index(fixture.index())]);
    let repaired = store.repair(&problems, None);
    let place = fixture.index();
    assert!(matches!(&repaired, Err(StoreError::Io(error)) if error.path == place), "{repaired:?}");
}

/// A damaged index is a problem that verification finds and a repair solves.
#[test]
fn verification_finds_a_damaged_index() {
    let fixture = Fixture::new();
    let mut bytes = std::fs::read(fixture.index()).expect("readable");
    let length = bytes.len();
    bytes[8192..length.min(40_000)].fill(0xaa);
    std::fs::write(fixture.index(), bytes).expect("written");
    let store = open(&fixture.root());
    let problems = store.verify(None, true).expect("verified");
    assert_eq!(problems.iter().map(store::local::Problem::kind).collect::<Vec<_>>(), ["index"]);
    store.repair(&problems, None).expect("repaired");
    fixture.check(&store);
}

/// A log that was lost takes what had not come into the database; that is on the disk still.
#[test]
fn a_lost_log_is_made_good_by_the_next_collection_or_start() {
    let fixture = Fixture::new();
    let store = open(&fixture.root());
    let late = store.add_bytes(b"late", false, name("late")).expect("added");
    store.add_root("late", &late).expect("rooted");
    let copy = scratch();
    crate::fault_scene::copy_files(fixture.directory.path(), copy.path());
    for ending in ["-wal", "-shm"] {
        std::fs::remove_file(copy.path().join(format!("store/index.db{ending}"))).expect("it was there");
    }
    let store = open(&copy.path().join("store"));
    store.collect_garbage(&GcPolicy::default()).expect("collected");
    assert!(store.is_valid(&late).expect("asked"));
    assert_sound(&store);
}

fn set_schema(index: &Path, version: i64) {
    let connection = rusqlite::Connection::open(index).expect("opened");
    connection.pragma_update(None, "user_version", version).expect("set");
}

#[test]
fn an_index_of_a_newer_larder_is_refused_and_left_as_it_is() {
    let fixture = Fixture::new();
    set_schema(&fixture.index(), 1000);
    let opened = LocalStore::open(&fixture.root(), OpenOptions::default());
    assert!(matches!(&opened, Err(StoreError::Index { source: IndexError::Newer { found: 1000 }, .. })), "{opened:?}");
    assert_eq!(names(&fixture.root().join("leases")), BTreeSet::new());
    set_schema(&fixture.index(), 1);
    fixture.check(&open(&fixture.root()));
}

/// What another version has made is refused before anything in it is touched.
#[test]
fn a_store_of_a_newer_format_is_refused_and_left_as_it_is() {
    let fixture = Fixture::new();
    std::fs::write(fixture.root().join("format"), "larder store 2\n").expect("written");
    let before = tree_of(&fixture.root());
    let opened = LocalStore::open(&fixture.root(), OpenOptions::default());
    assert!(matches!(&opened, Err(StoreError::Format { found, .. }) if found == "larder store 2"), "{opened:?}");
    assert_eq!(tree_of(&fixture.root()), before);
}

/// Of two larders of different versions at one store the older one stops when the newer one has changed the index, and goes on when
/// it is its own again. What it held is not taken.
#[test]
fn an_older_larder_at_work_stops_at_a_newer_index() {
    let fixture = Fixture::new();
    let older = open(&fixture.root());
    older.hold([&fixture.source]).expect("held");
    let mine = older.add_bytes(b"mine", false, name("mine")).expect("added");
    for ending in ["", "-wal", "-shm"] {
        let aside = fixture.directory.path().join(format!("index{ending}"));
        let _ = std::fs::rename(fixture.root().join(format!("index.db{ending}")), aside);
    }
    set_schema(&fixture.index(), 1000);
    let before = tree_of(&fixture.root().join("store"));
    let is_newer = |error: &StoreError| matches!(error, StoreError::Index { source: IndexError::Newer { .. }, .. });
    let added = older.add_bytes(b"too late", false, name("late")).expect_err("it does not know this index");
    let collected = older.collect_garbage(&GcPolicy::default()).expect_err("nor what is to be kept");
    assert!(is_newer(&added) && is_newer(&collected), "{added} {collected}");
    assert_eq!(tree_of(&fixture.root().join("store")), before);
    std::fs::remove_file(fixture.index()).expect("removed");
    let store = open(&fixture.root());
    assert!(store.is_valid(&mine).expect("asked"));
    older.add_bytes(b"again", false, name("late")).expect("added");
    store.collect_garbage(&GcPolicy::default()).expect("collected");
    assert!([&mine, &fixture.source].iter().all(|held| store.is_valid(held).expect("asked")));
    assert_sound(&store);
}

/// All paths below a directory with their length and time of change.
fn tree_of(directory: &Path) -> BTreeSet<(PathBuf, u64, std::time::SystemTime)> {
    let mut found = BTreeSet::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).expect("readable") {
            let path = entry.expect("readable").path();
            let data = path.symlink_metadata().expect("there");
            if data.is_dir() {
                pending.push(path.clone());
            }
            found.insert((path, data.len(), data.modified().expect("told")));
        }
    }
    found
}

/// Segments of another version are neither read as ours nor written to.
#[test]
fn records_of_another_version_are_left_alone() {
    let fixture = Fixture::new();
    let foreign = fixture.root().join("records/0");
    std::fs::write(&foreign, "larder records 2\nwhatever they may be").expect("written");
    let store = open(&fixture.root());
    store.add_bytes(b"one more", false, name("more")).expect("added");
    store.rebuild_index().expect("rebuilt");
    assert_eq!(std::fs::read(&foreign).expect("there"), b"larder records 2\nwhatever they may be");
    assert!(store.is_valid(&fixture.built).expect("asked"));
}

const READER: &str = "STORE_TEST_READ_ONLY_DIRECTORY";
const PATHS: &str = "STORE_TEST_READ_ONLY_PATHS";

/// Somebody else's store, closed by its owner or in use, can be read and says so when it is to be changed.
#[test]
fn somebody_elses_store_can_be_read() {
    let fixture = Fixture::new();
    let directory = fixture.directory.path();
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).expect("changed");
    let binary = directory.join("binary");
    std::fs::copy(std::env::current_exe().expect("a test binary"), &binary).expect("copied");
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).expect("changed");
    let read = || {
        let mut command = support::child_of(&binary, "test_index::child_that_may_only_read");
        command.env(READER, directory).env(PATHS, format!("{} {}", fixture.source, fixture.built)).current_dir("/");
        if !rustix::process::geteuid().is_root() {
            return say("skipped: only root can become another user");
        }
        support::succeed(command.uid(65534).gid(65534));
    };
    read();
    let owner = open(&fixture.root());
    owner.add_bytes(b"in the log", false, name("log")).expect("added");
    read();
    drop(owner);
    read();
}

/// Not a test of its own: rebuilds the index and collects, and looks how much memory that takes.
#[test]
fn child_with_many_records() {
    let Ok(directory) = std::env::var(READER) else { return };
    if std::env::var(PATHS).is_ok() {
        return;
    }
    let store = open(&Path::new(&directory).join("store"));
    peak();
    assert_eq!(store.rebuild_index().expect("rebuilt").records, SEGMENTS * RECORDS);
    let rebuilding = peak();
    let freed = store.collect_garbage(&GcPolicy::default()).expect("collected").freed.records;
    assert!(freed > 128 << 20, "all segments are compacted: {freed}");
    let compacting = peak();
    assert!(rebuilding < 192 && compacting < 192, "{rebuilding} MiB to rebuild, {compacting} MiB to compact");
    let kept: Vec<_> =
        store.roots().expect("listed").into_iter().filter_map(|root| root.target?.derivation()).collect();
    assert_eq!(kept.len(), SEGMENTS * KEPT);
    assert!(kept.iter().all(|derivation| store.derivation(derivation).is_ok()), "none is lost");
}

/// How many segments are full, of how many records each, how many of which are kept.
const SEGMENTS: usize = 4;
const RECORDS: usize = 16;
const KEPT: usize = 7;

#[test]
fn one_segment_is_in_memory_at_a_time() {
    let directory = scratch();
    let store = open(&directory.path().join("store"));
    for number in 0..SEGMENTS * RECORDS {
        let mut large = derivation(1);
        large.env.insert("text".to_owned(), format!("{number} ").repeat((4 << 20) / format!("{number} ").len()));
        let path = store.add_derivation(large).expect("added");
        if number % RECORDS < KEPT {
            store.add_root(&format!("kept-{number}"), &path).expect("rooted");
        }
    }
    drop(store);
    assert!(names(&directory.path().join("store/records")).len() >= SEGMENTS, "they are full");
    support::succeed(
        support::child("test_index::child_with_many_records").env(READER, directory.path()).env_remove(PATHS),
    );
}

/// Not a test of its own.
#[test]
fn child_that_may_only_read() {
    let (Ok(directory), Ok(paths)) = (std::env::var(READER), std::env::var(PATHS)) else { return };
    let root = Path::new(&directory).join("store");
    let store = LocalStore::open(&root, OpenOptions::default()).expect("opened");
    assert!(store.is_read_only());
    let paths: Vec<StorePath> = paths.split(' ').map(|path| path.parse().expect("a path")).collect();
    for path in &paths {
        assert_eq!(store.lookup(&path.to_string()).expect("there"), *path);
        store.listing(&path.tree().expect("a tree")).expect("kept");
    }
    assert_eq!(store.closure(&paths[1..]).expect("closed").len(), 2);
    assert_sound(&store);
    store.plan_gc(&GcPolicy::default()).expect("planned");
    let refused = |error: StoreError| assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    refused(store.add_bytes(b"new", false, name("new")).expect_err("it may not"));
    refused(store.add_derivation(derivation(9)).expect_err("it may not"));
    refused(store.collect_garbage(&GcPolicy::default()).expect_err("it may not"));
    refused(store.rebuild_index().expect_err("it may not"));
    store.add_root("mine", &paths[0]).expect_err("it may not");
    // What is there already need not be added.
    assert!(store.add_bytes(&[3], false, name("bytes")).is_ok());
    store.touch(&paths).expect("nothing to do");
}
