//! What a build takes on the disk while it runs.
//!
//! A walk through all its files takes longer than many builds. So what is asked every now and then is how much room the file system has
//! left, and files are looked at only when so much of it is gone that the build may have reached its limit. What others take meanwhile
//! costs a walk too many; what others give back puts one off, but then the disk does not fill.
//!
//! Files that have no name any more, or never had one, are found by who has them open. Room on the disk alone would not tell whose they
//! are. Not seen are those that are only mapped, or on their way from one process to another: they are gone when the build is.

use crate::limits::{Allowance, Overrun, RunLimits};
use rustix::fs::{AtFlags, CWD, Dir, DirEntry, FileType, Mode, OFlags};
use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often it is asked what room is left.
const INTERVAL: Duration = Duration::from_millis(250);

/// How many times as long as a look at the files takes it is at least from its beginning to that of the next.
const PAUSE: u32 = 2;

/// How many directories are looked at that lie in each other.
const DEEPEST: usize = 256;

/// Room on a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Room {
    bytes: u64,
    files: u64,
}

impl Room {
    /// That which a file system has left for this user; of files without end if it does not count them.
    fn left(place: &Path) -> Option<Self> {
        let disk = rustix::fs::statvfs(place).ok()?;
        let files = if disk.f_files == 0 { u64::MAX } else { disk.f_favail };
        Some(Self { bytes: disk.f_bavail.saturating_mul(disk.f_frsize), files })
    }

    fn with(self, other: Self, change: impl Fn(u64, u64) -> u64) -> Self {
        Self { bytes: change(self.bytes, other.bytes), files: change(self.files, other.files) }
    }
}

/// The limits of one build, and when it may have reached them. Pure.
#[derive(Debug)]
struct Account {
    most: Room,
    /// What the build had when it was looked at last.
    used: Room,
    /// The most that has been left since then.
    left: Room,
}

impl Account {
    /// That of a build that begins when so much is left.
    fn new(limits: &RunLimits, left: Room) -> Self {
        let of = |limit: Allowance, left| limit.of(left).unwrap_or(u64::MAX);
        let most = Room { bytes: of(limits.disk_bytes, left.bytes), files: of(limits.disk_files, left.files) };
        Self { most, used: Room::default(), left }
    }

    /// Whether the build may have reached a limit, by what is left now.
    fn may_be_reached(&mut self, left: Room) -> bool {
        self.left = self.left.with(left, u64::max);
        let gone = self.left.with(left, u64::saturating_sub);
        let may_take = self.most.with(self.used, u64::saturating_sub);
        gone.bytes > may_take.bytes || gone.files > may_take.files
    }

    /// Takes in what the build has, found out when so much was left. Of what `hides` files all that is gone counts as its own.
    fn look(&mut self, found: Room, hides: bool, left: Room) -> Option<Overrun> {
        let gone = self.left.with(left, u64::saturating_sub);
        let hidden = self.used.with(gone, u64::saturating_add);
        self.used = if hides { found.with(hidden, u64::max) } else { found };
        self.left = left;
        let bytes = (self.used.bytes > self.most.bytes).then_some(Overrun::Disk(self.most.bytes));
        bytes.or((self.used.files > self.most.files).then_some(Overrun::Files(self.most.files)))
    }
}

/// Watches the directory of a build.
#[derive(Debug)]
pub(crate) struct DiskWatch {
    place: PathBuf,
    /// `None` if the file system does not tell what is left.
    account: Option<Account>,
    /// Whether a limit was named: that one is looked at in the end in any case.
    named: bool,
    next: Instant,
}

impl DiskWatch {
    /// Begins to watch the `build` and `out` of a site.
    pub(crate) fn start(limits: &RunLimits, place: &Path) -> Self {
        let account = Room::left(place).map(|left| Account::new(limits, left));
        let named = [limits.disk_bytes, limits.disk_files].iter().any(|limit| matches!(limit, Allowance::Of(_)));
        Self { place: place.to_owned(), account, named, next: Instant::now() + INTERVAL }
    }

    /// Time until it looks again.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.account.is_some().then(|| self.next.saturating_duration_since(Instant::now()))
    }

    /// The limit that is reached, if it is time to look; in the end, when there are no `processes`, it is.
    pub(crate) fn reached(&mut self, processes: Option<&dyn Fn() -> Vec<u32>>) -> Option<Overrun> {
        let (now, runs) = (Instant::now(), processes.is_some());
        if runs && now < self.next {
            return None;
        }
        self.next = now + INTERVAL;
        let (account, left) = (self.account.as_mut()?, Room::left(&self.place)?);
        (account.may_be_reached(left) || !runs && self.named).then_some(())?;
        let mut walk = Walk::new(account.most);
        // What lies beside these larder has put there. They count themselves.
        for name in ["build", "out"] {
            walk.found.files += 1;
            walk.go_below(&self.place.join(name));
        }
        if let Some(processes) = processes {
            walk.count_nameless(&self.place, &processes());
        }
        // Who has many files, and neighbours that write, would be looked at all the time.
        self.next += now.elapsed() * PAUSE;
        account.look(walk.found, walk.hides, left)
    }
}

/// A count of all that lies below a directory, until it is more than may be there.
#[derive(Debug)]
struct Walk {
    most: Room,
    found: Room,
    /// Whether there is a directory that cannot be read, or lies too deep.
    hides: bool,
}

/// A directory that is to be looked into.
struct Below {
    /// Open as long as one of its directories waits, so that no more are open than lie in each other.
    parent: Rc<OwnedFd>,
    name: CString,
    depth: usize,
}

impl Walk {
    fn new(most: Room) -> Self {
        Self { most, found: Room::default(), hides: false }
    }

    fn is_enough(&self) -> bool {
        self.found.bytes > self.most.bytes || self.found.files > self.most.files
    }

    fn go_below(&mut self, top: &Path) {
        let Some(top) = open(CWD, top) else { return };
        let mut pending = self.count_in(top, 0);
        while let Some(Below { parent, name, depth }) = pending.pop() {
            if self.is_enough() {
                return;
            }
            match open(&parent, &name).filter(|_| depth <= DEEPEST) {
                Some(directory) => pending.append(&mut self.count_in(directory, depth)),
                None => self.hides = true,
            }
        }
    }

    /// Counts what is in a directory; gives the directories among it.
    fn count_in(&mut self, directory: OwnedFd, depth: usize) -> Vec<Below> {
        let Ok(entries) = Dir::read_from(&directory) else {
            self.hides = true;
            return Vec::new();
        };
        let parent = Rc::new(directory);
        let entries = entries.flatten().filter(|entry| ![c".", c".."].contains(&entry.file_name()));
        let directories = entries.filter(|entry| self.count(parent.as_fd(), entry.file_name()) == Some(true));
        let below = |entry: DirEntry| Below {
            parent: Rc::clone(&parent),
            name: entry.file_name().to_owned(),
            depth: depth + 1,
        };
        directories.map(below).collect()
    }

    /// Counts files without a name on the disk of a place that these processes have open, each once.
    fn count_nameless(&mut self, place: &Path, processes: &[u32]) {
        let Ok(disk) = rustix::fs::stat(place).map(|data| data.st_dev) else { return };
        let mut seen = HashSet::new();
        // Threads may have descriptors of their own.
        let tasks = processes.iter().flat_map(|process| entries(&PathBuf::from(format!("/proc/{process}/task"))));
        for descriptor in tasks.flat_map(|task| entries(&task.join("fd"))) {
            // What is closed while it is looked at does not count.
            let Ok(data) = rustix::fs::stat(&descriptor) else { continue };
            if data.st_dev == disk && data.st_nlink == 0 && seen.insert(data.st_ino) {
                self.found.bytes = self.found.bytes.saturating_add(data.st_blocks.unsigned_abs() * 512);
                self.found.files += 1;
            }
        }
    }

    /// Counts an entry; says whether it is a directory. What goes while it is looked at does not count.
    fn count(&mut self, directory: BorrowedFd<'_>, name: &CStr) -> Option<bool> {
        let data = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let is_directory = FileType::from_raw_mode(data.st_mode).is_dir();
        // Each name has its part of a file with several.
        let names = if is_directory { 1 } else { u64::from(data.st_nlink as u32).max(1) };
        self.found.bytes = self.found.bytes.saturating_add(data.st_blocks.unsigned_abs() * 512 / names);
        self.found.files += 1;
        Some(is_directory)
    }
}

/// What is in a directory of `/proc`; nothing of a process that has ended.
fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn open(directory: impl AsFd, name: impl rustix::path::Arg) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: Room = room(u64::MAX, u64::MAX);

    const fn room(bytes: u64, files: u64) -> Room {
        Room { bytes, files }
    }

    fn account(bytes: Allowance, files: Allowance) -> Account {
        Account::new(&RunLimits { disk_bytes: bytes, disk_files: files, ..RunLimits::default() }, room(1000, 100))
    }

    #[test]
    fn files_are_looked_at_only_when_so_much_is_gone() {
        let mut account = account(Allowance::Of(300), Allowance::Any);
        assert!(!account.may_be_reached(room(700, 0)));
        assert!(account.may_be_reached(room(699, 0)));
        assert_eq!(account.look(room(100, 5), false, room(699, 0)), None, "others took the rest");
        assert!(!account.may_be_reached(room(499, 0)), "it may take 200 more");
        assert!(!account.may_be_reached(room(800, 0)), "others gave back");
        assert!(account.may_be_reached(room(599, 0)));
        assert_eq!(account.look(room(301, 5), false, room(599, 0)), Some(Overrun::Disk(300)));
    }

    #[test]
    fn who_is_told_no_limit_leaves_a_tenth() {
        let mut account = account(Allowance::Most, Allowance::Most);
        assert!(!account.may_be_reached(room(100, 10)) && account.may_be_reached(room(100, 9)));
        assert_eq!(account.look(room(0, 91), false, room(100, 9)), Some(Overrun::Files(90)));
        let mut account = self::account(Allowance::Any, Allowance::Any);
        assert!(!account.may_be_reached(room(0, 0)));
    }

    #[test]
    fn what_is_hidden_counts_as_all_that_is_gone() {
        let mut account = account(Allowance::Of(300), Allowance::Any);
        assert!(account.may_be_reached(room(600, 100)));
        assert_eq!(account.look(room(10, 1), true, room(600, 100)), Some(Overrun::Disk(300)));
    }

    #[test]
    fn a_walk_counts_names_and_blocks_and_follows_no_link() {
        let top = tempfile::tempdir().expect("a directory");
        let path = |name: &str| top.path().join(name);
        std::fs::create_dir(path("directory")).expect("created");
        std::fs::write(path("directory/file"), vec![1; 100_000]).expect("written");
        std::fs::hard_link(path("directory/file"), path("same")).expect("linked");
        std::os::unix::fs::symlink("/", path("link")).expect("linked");
        let mut walk = Walk::new(ENDLESS);
        walk.go_below(top.path());
        assert_eq!((walk.found.files, walk.hides), (4, false));
        assert!((100_000..130_000).contains(&walk.found.bytes), "{walk:?}");
        let mut walk = Walk::new(room(u64::MAX, 2));
        walk.go_below(top.path());
        assert_eq!(walk.found.files, 3, "what lies deeper is not looked at any more");
    }

    #[test]
    fn a_file_without_a_name_counts_once_for_all_who_have_it_open() {
        let top = tempfile::tempdir().expect("a directory");
        let nameless = tempfile::tempfile_in(top.path()).expect("made");
        std::fs::write(top.path().join("named"), vec![1; 100_000]).expect("written");
        let named = std::fs::File::open(top.path().join("named")).expect("opened");
        std::io::Write::write_all(&mut &nameless, &vec![1; 100_000]).expect("written");
        let again = nameless.try_clone().expect("cloned");
        let count = || {
            let mut walk = Walk::new(ENDLESS);
            walk.count_nameless(top.path(), &[std::process::id()]);
            walk.found
        };
        let found = count();
        // Other tests of this process may have such files, too.
        assert!(found.files >= 1 && found.bytes >= 100_000, "{found:?}");
        drop((nameless, named));
        assert!(count().bytes >= 100_000, "the other one is still open");
        drop(again);
    }

    #[test]
    fn a_walk_has_few_directories_open_and_says_what_lies_too_deep() {
        let top = tempfile::tempdir().expect("a directory");
        (0..200).for_each(|number| std::fs::create_dir(top.path().join(number.to_string())).expect("created"));
        let mut walk = Walk::new(ENDLESS);
        let found = walk.count_in(open(CWD, top.path()).expect("opened"), 0);
        assert_eq!((found.len(), Rc::strong_count(&found[0].parent)), (200, 200), "one is open for all");
        let deep = (0..DEEPEST).fold(top.path().join("0"), |path, _| path.join("d"));
        std::fs::create_dir_all(deep.parent().expect("below the top")).expect("created");
        let (mut fits, mut hides) = (Walk::new(ENDLESS), Walk::new(ENDLESS));
        fits.go_below(top.path());
        std::fs::create_dir(&deep).expect("created");
        hides.go_below(top.path());
        assert!(!fits.hides && hides.hides);
    }
}
