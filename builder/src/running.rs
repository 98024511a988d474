//! Which builds run at a store, of whichever larder: each tells of itself in a file at its desk, a directory below `tmp/`.
//!
//! Invariant: what is listed was at work when it was looked at; a file that a dead larder left counts for nothing, nor does one at a desk
//! without a log.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::local::{At, IoError};
use store::{ActionDigest, StorePath};

/// The file's name.
const FILE: &str = "running";

/// The name of a build's log while it is written.
pub(crate) const LOG: &str = "log";

/// A build at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningBuild {
    /// What is built.
    pub derivation: StorePath,
    /// Its action.
    pub action: ActionDigest,
    /// The process of the larder that builds it.
    pub larder: u32,
    /// When it began, since the epoch.
    pub began: Duration,
    /// The directory of its files.
    pub place: PathBuf,
    /// The directory of its log.
    pub desk: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Told {
    derivation: String,
    action: String,
    larder: u32,
    /// When that process started, in ticks since the start of the machine: numbers of processes are used again.
    started: u64,
    began_ms: u64,
    place: PathBuf,
}

/// Tells at a desk that a build begins whose files are at `place`.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn tell(desk: &Path, place: &Path, derivation: &StorePath, action: &ActionDigest) -> Result<(), IoError> {
    static STARTED: OnceLock<Option<u64>> = OnceLock::new();
    let larder = std::process::id();
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let told = Told {
        derivation: derivation.to_string(),
        action: action.to_string(),
        larder,
        started: STARTED.get_or_init(|| started(larder)).unwrap_or(0),
        began_ms: u64::try_from(began.as_millis()).unwrap_or(u64::MAX),
        place: place.to_owned(),
    };
    let file = desk.join(FILE);
    let text = serde_json::to_vec(&told).map_err(std::io::Error::from).at("write", &file)?;
    overwrite(&file, &text).at("write", &file)
}

/// Writes a file over what it had before. It is not emptied first: a file system that sees that writes the new content to the disk as soon
/// as the file is closed, lest a power cut leave nothing, and to this one a power cut does not matter.
fn overwrite(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(false).open(file)?;
    file.write_all(text)?;
    let length = text.len() as u64;
    if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) }
}

/// The builds at work whose desks are in `tmp`, those first that began first.
///
/// # Errors
/// When the directory cannot be read.
pub fn running(tmp: &Path) -> Result<Vec<RunningBuild>, IoError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(tmp).at("read directory", tmp)? {
        let desk = entry.at("read directory", tmp)?.path();
        // Some end while they are looked at, and what larder made otherwise has no such file.
        found.extend(read(&desk));
    }
    found.sort_by(|one, other| (one.began, &one.place).cmp(&(other.began, &other.place)));
    Ok(found)
}

fn read(desk: &Path) -> Option<RunningBuild> {
    let told: Told = serde_json::from_slice(&std::fs::read(desk.join(FILE)).ok()?).ok()?;
    let alive = started(told.larder)? == told.started;
    // When a build ends, its log goes to its place.
    (alive && desk.join(LOG).exists()).then_some(())?;
    Some(RunningBuild {
        derivation: told.derivation.parse().ok()?,
        action: told.action.parse().ok()?,
        larder: told.larder,
        began: Duration::from_millis(told.began_ms),
        place: told.place,
        desk: desk.to_owned(),
    })
}

impl RunningBuild {
    /// The log as far as it is written.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.desk.join(LOG)
    }

    /// Whether it is still at work.
    #[must_use]
    pub fn is_running(&self) -> bool {
        read(&self.desk).as_ref() == Some(self)
    }

    /// The processes of its sandbox.
    #[must_use]
    pub fn processes(&self, all: &[Process]) -> Vec<Process> {
        let children = |of: u32| all.iter().filter(move |process| process.parent == of);
        // larder, its spawner, the first process of each sandbox, and below that what the build started.
        let first = children(self.larder).flat_map(|spawner| children(spawner.id)).find(|first| {
            let below = children(first.id).any(|process| process.mounts_below(&self.place));
            below || first.mounts_below(&self.place)
        });
        first.map(|first| below(first.id, all)).unwrap_or_default()
    }
}

/// All processes below one, by their numbers.
pub(crate) fn below(first: u32, all: &[Process]) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut pending = vec![first];
    while let Some(parent) = pending.pop() {
        let children = all.iter().filter(|process| process.parent == parent);
        for child in children {
            pending.push(child.id);
            found.push(child.clone());
        }
    }
    found.sort_by_key(|process| process.id);
    found
}

/// Processor time of a process and of all below it, with those that have ended and were waited for; `None` if one of them cannot be read,
/// because there is none, or it has ended meanwhile, or is not shown. Children are asked for one by one: looking through all processes of a
/// machine takes too long to do it often.
pub(crate) fn processor_time(first: u32) -> Option<Duration> {
    let mut time = Duration::ZERO;
    let mut pending = vec![first];
    while let Some(process) = pending.pop() {
        time += time_of(process)?;
        pending.append(&mut children(process)?);
    }
    Some(time)
}

/// The children of a process, whichever of its threads started them.
fn children(parent: u32) -> Option<Vec<u32>> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{parent}/task")).ok()? {
        // Not every kernel has it.
        let list = std::fs::read_to_string(thread.ok()?.path().join("children")).ok()?;
        children.extend(list.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    Some(children)
}

fn time_of(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    time_in(&split_stat(&stat)?.1)
}

/// Processor time by the fields of a line of `/proc/PID/stat`.
fn time_in(fields: &[&str]) -> Option<Duration> {
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
    Some(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)))
}

/// A process of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// The number of its parent.
    pub parent: u32,
    /// What it runs.
    pub command: String,
    /// Processor time, with that of children that have ended and were waited for.
    pub time: Duration,
    /// Bytes of memory that are its own or shared.
    pub memory: u64,
}

impl Process {
    /// Every process that there is.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| Self::read(entry.file_name().to_str()?.parse().ok()?)).collect()
    }

    fn read(id: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (name, fields) = split_stat(&stat)?;
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let line = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let words: Vec<_> =
            line.split(|&byte| byte == 0).filter(|word| !word.is_empty()).map(String::from_utf8_lossy).collect();
        Some(Self {
            id,
            parent: fields.get(1)?.parse().ok()?,
            command: if words.is_empty() { name.to_owned() } else { words.join(" ") },
            time: time_in(&fields)?,
            memory: number(21)? * rustix::param::page_size() as u64,
        })
    }

    /// Whether something is mounted in its world that lies below a directory.
    fn mounts_below(&self, place: &Path) -> bool {
        let Some(name) = place.file_name().and_then(|name| name.to_str()) else { return false };
        let mounts = std::fs::read_to_string(format!("/proc/{}/mountinfo", self.id)).unwrap_or_default();
        mounts.lines().any(|line| line.split(' ').nth(3).is_some_and(|root| root.ends_with(&format!("/{name}/build"))))
    }
}

/// The name in a line of `/proc/PID/stat`, and the fields after it.
fn split_stat(stat: &str) -> Option<(&str, Vec<&str>)> {
    // The name may have anything in it, parentheses too.
    let (before, after) = stat.rsplit_once(") ")?;
    let (_, name) = before.split_once(" (")?;
    Some((name, after.split_whitespace().collect()))
}

/// When a process started, in ticks since the start of the machine; `None` if there is none, or it is dead.
fn started(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = split_stat(&stat)?;
    (fields.first() != Some(&"Z")).then_some(())?;
    fields.get(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_anything() {
        let (name, fields) = split_stat("7 (a) S 1 (b) c) R 1 2").expect("parsed");
        assert_eq!((name, fields), ("a) S 1 (b) c", vec!["R", "1", "2"]));
    }

    #[test]
    fn processor_time_is_that_of_all_below() {
        let script = "i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; echo; read line";
        let mut shell = std::process::Command::new("sh")
            .args(["-c", &format!("sh -c '{script}'; :")])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("a shell");
        std::io::Read::read_exact(&mut shell.stdout.take().expect("piped"), &mut [0]).expect("it has counted");
        let (alone, all) = (time_of(shell.id()).expect("it lives"), processor_time(shell.id()).expect("it lives"));
        shell.kill().expect("killed");
        shell.wait().expect("waited for");
        assert!(all >= alone + Duration::from_millis(50), "{all:?} {alone:?}");
        assert_eq!(processor_time(u32::MAX), None);
    }

    #[test]
    fn only_the_living_are_listed() {
        let tmp = tempfile::tempdir().expect("a directory");
        let place = tmp.path().join("1-0");
        std::fs::create_dir(&place).expect("created");
        let name = store::StoreName::parse("x").expect("valid");
        let digest = store::DerivationDigest::from_bytes([1; 32]);
        let derivation = StorePath::from_derivation(digest, &name).expect("valid");
        let action = ActionDigest::from_bytes([2; 32]);
        // A desk has been used before, by one with more to tell.
        for files in ["/files/with/a/longer/name", "/files"] {
            tell(&place, Path::new(files), &derivation, &action).expect("told");
        }
        assert_eq!(running(tmp.path()).expect("read"), [], "it has no log yet");
        std::fs::write(place.join(LOG), "").expect("written");
        let found = running(tmp.path()).expect("read");
        assert_eq!((found.len(), &found[0].derivation, &found[0].action), (1, &derivation, &action));
        assert!(found[0].is_running() && found[0].place == Path::new("/files"));
        let text = std::fs::read_to_string(place.join(FILE)).expect("read");
        let start = started(std::process::id()).expect("this process lives");
        let other = text.replace(&format!("\"started\":{start}"), "\"started\":1");
        assert_ne!(text, other);
        std::fs::write(place.join(FILE), other).expect("written");
        assert_eq!(running(tmp.path()).expect("read"), [], "the number is another process's now");
        assert!(!found[0].is_running());
    }
}
