//! Which results still hold: whose answers are all what they were.

use super::answer::{self, Digest, Kind, Stamp};
use super::file::{Contents, NOTHING, Stored};
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What asking again gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Another answer, or none.
    Other,
    /// The same.
    Same,
    /// The same, and the file has this stamp now.
    SameWith(Option<Stamp>),
}

/// What asks about things that are no files of the user.
pub(super) trait Outside: Sync {
    /// Where a path is: those of the store are wherever the store is.
    fn host(&self, path: &Path) -> PathBuf;

    /// Asks about the store again.
    fn ask_store(&self, kind: Kind, subject: &[u8]) -> Option<Digest>;
}

/// How many answers are worth a thread of their own.
const WORTH_A_THREAD: usize = 500;

/// What a file says, and which of its answers and sets still hold, found out once for each.
pub(super) struct Checker {
    /// What the file says.
    pub(super) contents: Contents,
    /// By number; `None` when nobody has asked.
    holds: Vec<Option<bool>>,
    /// Stamps that changed though the answer did not.
    pub(super) stamps: HashMap<usize, Option<Stamp>>,
}

impl Checker {
    pub(super) fn new(contents: Contents) -> Self {
        let (answers, sets) = contents.counts();
        Self { contents, holds: vec![None; answers + sets], stamps: HashMap::new() }
    }

    /// Whether what rests on this number holds, if it was looked at.
    pub(super) fn known(&self, read: u32) -> Option<bool> {
        if read == NOTHING { Some(true) } else { self.holds[read as usize] }
    }

    /// Looks at all that these numbers rest on.
    pub(super) fn check(&mut self, reads: &[u32], outside: &dyn Outside) {
        let wanted = self.below(reads);
        let (answers, _) = self.contents.counts();
        let split = wanted.partition_point(|number| *number < answers);
        for (number, found) in wanted[..split].iter().zip(self.ask_all(&wanted[..split], outside)) {
            self.holds[*number] = Some(found != Found::Other);
            if let Found::SameWith(stamp) = found {
                self.stamps.insert(*number, stamp);
            }
        }
        // Members have smaller numbers, so they are known by now.
        for number in &wanted[split..] {
            let mut members = self.contents.set(number - answers);
            let all = members.all(|member| self.holds[member as usize] == Some(true));
            self.holds[*number] = Some(all);
        }
    }

    /// What these numbers rest on and nobody has looked at, sorted.
    fn below(&self, reads: &[u32]) -> Vec<usize> {
        let (answers, _) = self.contents.counts();
        let mut seen = vec![false; self.holds.len()];
        let mut pending: Vec<_> = reads.iter().filter(|read| **read != NOTHING).map(|read| *read as usize).collect();
        while let Some(number) = pending.pop() {
            if seen[number] || self.holds[number].is_some() {
                continue;
            }
            seen[number] = true;
            if let Some(set) = number.checked_sub(answers) {
                pending.extend(self.contents.set(set).map(|member| member as usize));
            }
        }
        (0..seen.len()).filter(|number| seen[*number]).collect()
    }

    fn ask_all(&self, numbers: &[usize], outside: &dyn Outside) -> Vec<Found> {
        let ask = |numbers: &[usize]| {
            let mut looked = Looked::default();
            numbers.iter().map(|number| self.ask(*number, &mut looked, outside)).collect::<Vec<_>>()
        };
        if numbers.len() < 2 * WORTH_A_THREAD {
            return ask(numbers);
        }
        let (first, second) = numbers.split_at(numbers.len() / 2);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| ask(second));
            let mut found = ask(first);
            found.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            found
        })
    }

    fn ask<'a>(&'a self, number: usize, looked: &mut Looked<'a>, outside: &dyn Outside) -> Found {
        let Stored { subject, kind, digest, stamp } = self.contents.answer(number);
        if matches!(kind, Kind::Valid | Kind::Realised) {
            let same = outside.ask_store(kind, subject).as_ref() == Some(digest);
            return if same { Found::Same } else { Found::Other };
        }
        let path = outside.host(Path::new(OsStr::from_bytes(subject)));
        let stat = looked.look(subject, kind, &path);
        if kind == Kind::Type && stat.is_some() {
            let found = stat.as_ref().map(answer::type_of);
            return if answer::of_type(found) == *digest { Found::Same } else { Found::Other };
        }
        if stamp.is_some() && stat.as_ref().map(Stamp::exact) == stamp {
            return Found::Same;
        }
        if answer::ask(kind, &path).as_ref() != Some(digest) {
            return Found::Other;
        }
        let new = if kind.has_stamp() { stat.as_ref().and_then(Stamp::new) } else { None };
        if new == stamp { Found::Same } else { Found::SameWith(new) }
    }
}

/// The path that was looked at last, and its directory: questions about one path, and about those in one directory, stand
/// side by side.
#[derive(Default)]
struct Looked<'a> {
    subject: &'a [u8],
    stat: Option<Stat>,
    directory: PathBuf,
    /// The directory, once it was met twice: walking to it is most of what looking costs.
    open: Option<OwnedFd>,
}

impl<'a> Looked<'a> {
    fn look(&mut self, subject: &'a [u8], kind: Kind, path: &Path) -> Option<Stat> {
        if self.subject != subject {
            self.subject = subject;
            self.stat = self.look_in_directory(path);
        }
        let is_link = self.stat.as_ref().is_some_and(|stat| answer::type_of(stat) == eval::FileType::Symlink);
        if is_link && kind != Kind::Type { answer::look(kind, path) } else { self.stat }
    }

    fn look_in_directory(&mut self, path: &Path) -> Option<Stat> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return answer::look(Kind::Type, path);
        };
        if self.directory.as_os_str() != directory.as_os_str() {
            self.directory.clear();
            self.directory.push(directory);
            self.open = None;
            return answer::look(Kind::Type, path);
        }
        if self.open.is_none() {
            self.open =
                rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok();
        }
        match &self.open {
            Some(open) => rustix::fs::statat(open, name, AtFlags::SYMLINK_NOFOLLOW).ok(),
            None => answer::look(Kind::Type, path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::{Answer, Draft};
    use super::*;

    struct Nowhere;

    impl Outside for Nowhere {
        fn host(&self, path: &Path) -> PathBuf {
            path.to_owned()
        }

        fn ask_store(&self, _: Kind, subject: &[u8]) -> Option<Digest> {
            Some(answer::of_bytes(subject))
        }
    }

    /// Files `0` to `3` in a directory, an answer for each, and sets {0, 1} (4), {4, 2} (5), {3} (6).
    fn draft(directory: &Path) -> Draft {
        let mut draft = Draft { sets: vec![vec![0, 1], vec![4, 2], vec![3]], ..Draft::default() };
        for number in 0..4 {
            let path = directory.join(number.to_string());
            std::fs::write(&path, format!("file {number}")).unwrap();
            let subject = path.as_os_str().as_bytes().to_vec();
            let digest = answer::ask(Kind::Content, &path).unwrap();
            draft.answers.push((Answer { subject, kind: Kind::Content, digest }, None));
        }
        draft
    }

    fn checker(draft: &Draft) -> Checker {
        Checker::new(Contents::decode(draft.encode()).unwrap())
    }

    #[test]
    fn what_rests_on_a_change_does_not_hold() {
        let scratch = tempfile::tempdir().unwrap();
        let draft = draft(scratch.path());
        let mut before = checker(&draft);
        before.check(&[5, 6, NOTHING], &Nowhere);
        assert!((0..7).all(|number| before.known(number) == Some(true)));
        std::fs::write(scratch.path().join("1"), "changed").unwrap();
        let mut after = checker(&draft);
        after.check(&[5], &Nowhere);
        let known: Vec<_> = (0..7).map(|number| after.known(number)).collect();
        assert_eq!(known, [Some(true), Some(false), Some(true), None, Some(false), Some(false), None]);
        after.check(&[6, 5], &Nowhere);
        assert_eq!(after.known(6), Some(true));
    }

    #[test]
    fn a_stamp_spares_reading_and_a_wrong_one_does_not_lie() {
        let scratch = tempfile::tempdir().unwrap();
        let mut draft = draft(scratch.path());
        let stat = answer::look(Kind::Content, &scratch.path().join("0")).unwrap();
        // The stamp is right and the digest is not: the digest is not looked at.
        draft.answers[0].1 = Some(Stamp::exact(&stat));
        draft.answers[0].0.digest = [0; 32];
        // The stamp is wrong and the digest is right: the digest counts.
        draft.answers[1].1 = Some(Stamp([1; 7]));
        let mut checker = checker(&draft);
        checker.check(&[0, 1], &Nowhere);
        assert_eq!((checker.known(0), checker.known(1)), (Some(true), Some(true)));
        assert_eq!(checker.stamps, HashMap::from([(1, None)]), "the file has just been written");
    }
}
