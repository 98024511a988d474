//! The control group of one sandbox: made with its limits, asked what was used, removed.

use super::Undivided;
use super::limit::Setting;
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A group that one sandbox is in, or will be.
#[derive(Debug)]
pub(crate) struct Group {
    directory: PathBuf,
    handle: OwnedFd,
}

/// What the kernel counted in a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// Processes that were killed for lack of memory, whoever lacked it; `None` if that is not counted.
    pub(crate) killed: Option<u64>,
    /// Whether it was the group's own limit that was reached.
    pub(crate) at_limit: bool,
    /// At least so many bytes of memory all its processes had at once: the peak without the pages of files that there are in the end.
    pub(crate) peak: Option<u64>,
}

impl Group {
    /// Makes it.
    pub(super) fn make(directory: PathBuf, settings: &[Setting]) -> Result<Self, Undivided> {
        let failed = |path: &Path, source| Undivided::Failed { path: path.to_owned(), source };
        std::fs::create_dir(&directory).map_err(|source| failed(&directory, source))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(&directory, flags, Mode::empty());
        let handle = handle.map_err(|errno| {
            let _ = std::fs::remove_dir(&directory);
            failed(&directory, errno.into())
        })?;
        let group = Self { directory, handle };
        for setting in settings {
            let file = group.directory.join(setting.file);
            match std::fs::write(&file, &setting.text) {
                Err(source) if setting.needed => {
                    let _ = group.remove();
                    return Err(failed(&file, source));
                }
                _ => {}
            }
        }
        Ok(group)
    }

    /// The directory, for a process to be born in.
    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// What was used; to be asked when only the sandbox's first process is left.
    pub(crate) fn spent(&self) -> Spent {
        let read = |name: &str| std::fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        let events = read("memory.events");
        let peak = read("memory.peak").trim().parse::<u64>().ok();
        // Pages of files stay after who read them has ended, for as long as nobody wants the memory; of files in memory they are needed.
        let now = read("memory.stat");
        let counted_now = |name: &str| counted(&now, name).unwrap_or(0);
        let (shared, cached) = (counted_now("shmem"), counted_now("file"));
        let least = counted_now("anon") + shared;
        Spent {
            killed: counted(&events, "oom_kill"),
            at_limit: counted(&events, "oom").is_some_and(|reached| reached > 0),
            peak: peak.map(|peak| peak.saturating_sub(cached.saturating_sub(shared)).max(least)),
        }
    }

    /// Removes it with whatever process is left in it. Fails as long as one of them has not ended.
    pub(super) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir(&self.directory) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                std::fs::write(self.directory.join("cgroup.kill"), "1")?;
                Err(error)
            }
            removed => removed,
        }
    }
}

/// A number in a file of lines `NAME NUMBER`.
fn counted(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_and_what_was_used_is_read() {
        let top = tempfile::tempdir().expect("a directory");
        let setting = |file, needed| Setting { file, text: "7".to_owned(), needed };
        let settings = [setting("memory.max", true), setting("absent/file", false)];
        let group = Group::make(top.path().join("0"), &settings).expect("made");
        let file = |name: &str| top.path().join("0").join(name);
        assert_eq!(std::fs::read_to_string(file("memory.max")).expect("written"), "7");
        assert_eq!(group.spent(), Spent::default(), "nothing is counted");
        let write = |name: &str, text: &str| std::fs::write(file(name), text).expect("written");
        write("memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 3\noom_group_kill 0\n");
        write("memory.peak", "5000\n");
        write("memory.stat", "anon 100\nfile 2000\nshmem 0\nfile_mapped 9\n");
        assert_eq!(group.spent(), Spent { killed: Some(3), at_limit: true, peak: Some(3000) });
        write("memory.stat", "anon 100\nfile 2000\nshmem 1500\n");
        assert_eq!(group.spent().peak, Some(4500), "files in memory are needed");
        write("memory.stat", "anon 4000\nfile 2000\nshmem 10\n");
        assert_eq!(group.spent().peak, Some(4010), "so much is there still");
        write("memory.events", "oom 0\noom_kill 1\n");
        assert_eq!((group.spent().killed, group.spent().at_limit), (Some(1), false), "somebody else's limit");
    }

    #[test]
    fn a_group_that_cannot_be_limited_is_not_made() {
        let top = tempfile::tempdir().expect("a directory");
        let setting = Setting { file: "absent/file", text: String::new(), needed: true };
        let error = Group::make(top.path().join("0"), &[setting]).expect_err("the limit is needed");
        assert!(matches!(&error, Undivided::Failed { path, .. } if path.ends_with("0/absent/file")), "{error}");
        assert!(!top.path().join("0").exists());
    }
}
