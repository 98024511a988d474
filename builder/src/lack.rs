//! What the machine seems to have lacked when a build failed: then the failure says nothing of the build, and another try may succeed.

use std::path::Path;

/// With less room than this on the disk, that a command failed says nothing of the command.
const LEAST_ROOM: u64 = 32 << 20;

/// What was lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Room on the disk that the build's files are on.
    Disk,
    /// Room elsewhere, as it printed.
    Room,
    /// Memory, as it printed.
    Memory,
    /// Memory, which others lacked at least: the system killed processes for it.
    MemoryOfOthers,
}

/// How programs tell, among the last lines of a log, that a process was killed: shells, make and compilers; make of a shell; runtimes.
/// Only where the system has killed somebody's do all of them count: tests may print them.
const KILLED: [&str; 4] = ["Killed", "Error 137", "signal 9", "SIGKILL"];

/// Whether the last lines that a command printed tell that a process of it was killed.
pub(crate) fn tells_of_a_kill(tail: &[String]) -> bool {
    tail.iter().any(|line| KILLED.iter().any(|words| line.contains(words)))
}

impl Lack {
    /// What is lacking where a build has its files, or else what the last lines tell that it printed: of that there may be enough now.
    pub(crate) fn find(place: &Path, tail: &[String]) -> Option<Self> {
        if is_full(place) { Some(Self::Disk) } else { tail.iter().find_map(|line| Self::told_by(line)) }
    }

    fn told_by(line: &str) -> Option<Self> {
        const WORDS: [(&str, Lack); 5] = [
            ("No space left on device", Lack::Room),
            ("Disk quota exceeded", Lack::Room),
            ("Cannot allocate memory", Lack::Memory),
            ("virtual memory exhausted", Lack::Memory),
            ("Killed", Lack::Memory),
        ];
        WORDS.into_iter().find(|(words, _)| line.contains(words)).map(|(_, lack)| lack)
    }

    /// What may help.
    #[must_use]
    pub fn hint(self) -> String {
        match self {
            Self::Disk => "there is hardly any room left on the disk; `larder gc` may make some",
            Self::Room => "if that was in `/tmp` or `/dev/shm`: they are in memory, with as much room as --max-build-size says, at most half of it",
            Self::Memory => "if it was memory that it lacked, with fewer processes it may need less: --cores 1",
            Self::MemoryOfOthers => "while it ran the system killed processes for lack of memory: if one of them was its own, try again",
        }
        .to_owned()
    }
}

/// Whether a disk is as good as full, in bytes or in files.
fn is_full(place: &Path) -> bool {
    rustix::fs::statvfs(place).is_ok_and(|disk| {
        disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_ROOM || disk.f_files > 0 && disk.f_favail == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_what_was_lacking() {
        for (line, lack) in [
            ("cp: error writing '/tmp/x': No space left on device", Some(Lack::Room)),
            ("fork: Cannot allocate memory", Some(Lack::Memory)),
            ("make: *** [Makefile:3: all] Killed", Some(Lack::Memory)),
            ("test: child ended by SIGKILL, as it should", None),
            ("error: no such file", None),
        ] {
            assert_eq!(Lack::told_by(line), lack, "{line}");
        }
    }

    #[test]
    fn lines_tell_of_processes_that_were_killed() {
        for (line, told) in [
            ("make: *** [Makefile:3: all] Killed", true),
            ("make: *** [Makefile:3: all] Error 137", true),
            ("collect2: fatal error: ld terminated with signal 9", true),
            ("process didn't exit successfully (signal: 9, SIGKILL: kill)", true),
            ("make: *** [Makefile:3: all] Error 13", false),
        ] {
            assert_eq!(tells_of_a_kill(&["before".to_owned(), line.to_owned()]), told, "{line}");
        }
    }
}
