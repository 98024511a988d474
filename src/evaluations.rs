//! What earlier evaluations came to: results per attribute, with all the answers that they rest on, so that what nothing changed of is
//! not evaluated again.
//!
//! A source (a file or expression, with settings and arguments: [`Key`]) has a file in the store's directory `evaluations/`. A result
//! of it counts while every answer that it rests on is still the same and what it names is in the store. Invariant: what is
//! remembered is what evaluating would give; when in doubt, it is evaluated. Whatever goes wrong here only costs time.

mod answer;
mod check;
mod file;
mod key;
mod outcome;
mod recorder;
mod shared;

pub(crate) use key::{Key, Source};
pub(crate) use outcome::{Outcome, Wanted};
pub(crate) use recorder::Recorder;
pub(crate) use shared::Shared;

use answer::{Digest, Kind, Stamp};
use check::{Checker, Outside};
use eval::{Question, Read, ReadNode, Reads};
use file::{Answer, Contents, Draft, NOTHING};
use std::collections::{BTreeMap, HashMap};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::derivation::output_path_name;
use store::local::LocalStore;
use store::{STORE_DIR, StorePath};

/// Results that are used keep what they name from being collected by age; the store is told so once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(86_400);

/// No file of more bytes is kept, and no text of more than a tenth of it.
const LARGEST: usize = 256 << 20;

/// What is remembered of one source.
pub(crate) struct Evaluations {
    store: Arc<LocalStore>,
    path: PathBuf,
    checker: Checker,
    /// The store's state when this began, and whether all that results name was there in that state.
    state: Vec<u8>,
    all_there: bool,
    new: Vec<(Wanted, Outcome, Read)>,
    used: bool,
}

impl Evaluations {
    /// What is remembered of a source; `None` when nothing of it may be.
    pub(crate) fn open(store: &Arc<LocalStore>, key: &Key<'_>) -> Option<Self> {
        let path = store.layout().evaluations().join(key.file_name()?);
        let contents = std::fs::read(&path).ok().and_then(Contents::decode).unwrap_or_default();
        let state = store.state().unwrap_or_default();
        let all_there = !state.is_empty() && contents.state() == state;
        let store = Arc::clone(store);
        Some(Self { store, path, checker: Checker::new(contents), state, all_there, new: Vec::new(), used: false })
    }

    /// What several things came to, as far as that is still so. What the results name is in the store, and stays there while this process
    /// lives if it is to be `held`.
    pub(crate) fn look_up(&mut self, wanted: &[Wanted], held: bool) -> Vec<Option<Outcome>> {
        let contents = &self.checker.contents;
        let places: Vec<_> = wanted.iter().map(|wanted| contents.find(&wanted.name())).collect();
        let reads: Vec<_> = places.iter().flatten().map(|place| contents.entry(*place).read).collect();
        self.checker.check(&reads, &Store(&self.store));
        let outcome = |place: Option<usize>| {
            let entry = self.checker.contents.entry(place?);
            if self.checker.known(entry.read) == Some(true) { Outcome::decode(entry.result) } else { None }
        };
        let mut outcomes: Vec<_> = places.into_iter().map(outcome).collect();
        let needs = outcomes.iter().flatten().flat_map(Outcome::needs).filter(|_| held);
        if self.hold(needs).is_none() {
            return vec![None; wanted.len()];
        }
        for outcome in &mut outcomes {
            let needs = outcome.as_ref().map_or(&[][..], Outcome::needs);
            if !needs.iter().all(|path| self.is_there(path)) {
                *outcome = None;
            }
        }
        self.used |= outcomes.iter().any(Option::is_some);
        outcomes
    }

    /// Holds paths, and finds out whether the store has lost anything since it was seen.
    fn hold<'p>(&mut self, paths: impl Iterator<Item = &'p StorePath>) -> Option<()> {
        self.store.hold(paths).ok()?;
        // Only what is asked after the hold counts: what was there then, stays.
        let state = self.store.state().unwrap_or_default();
        if state != self.state {
            (self.state, self.all_there) = (state, false);
        }
        Some(())
    }

    fn is_there(&self, path: &StorePath) -> bool {
        match path.derivation() {
            Some(_) if self.all_there => true,
            Some(derivation) => self.store.derivation(&derivation).is_ok(),
            None => self.store.is_valid(path).unwrap_or(false),
        }
    }

    /// Remembers what something came to, and what that rests on.
    pub(crate) fn add(&mut self, wanted: Wanted, outcome: Outcome, read: Read) {
        self.new.push((wanted, outcome, read));
    }

    /// Remembers what something was printed as, and what that rests on.
    pub(crate) fn add_printed(&mut self, wanted: Wanted, text: &[u8], read: Read) {
        if text.len() <= LARGEST / 10 {
            let there = recorder::valid_paths(text, |path| self.store.is_valid(path).unwrap_or(false));
            self.add(wanted, Outcome::Printed(text.to_vec(), there.into_iter().collect()), read);
        }
    }

    /// Writes what has been learnt, if anything. The new results' reads are those of `reads`, their answers those of `recorder`; what
    /// the results name must be in the store by now.
    pub(crate) fn save(&mut self, evaluated: Option<(&Reads, &Recorder)>) {
        let old = !self.all_there && self.checker.contents.entries().next().is_some();
        let tell = self.used && since(self.checker.contents.used()) > TOLD_EVERY;
        if self.new.is_empty() && self.checker.stamps.is_empty() && !old && !tell {
            return;
        }
        let mut written = Draft { used: self.checker.contents.used(), state: self.state.clone(), ..Draft::default() };
        if tell || !self.new.is_empty() {
            written.used = now();
        }
        let mut merge = Merge::default();
        self.keep_old(&mut merge, tell);
        if let Some((reads, recorder)) = evaluated {
            self.add_new(&mut merge, reads, recorder);
        }
        merge.finish(&mut written);
        // If it cannot be written, the next run evaluates once more.
        let _ = write(&self.path, &written.encode());
    }

    /// Takes over the results that are not known to be outdated; tells the store that they are in use.
    fn keep_old(&mut self, merge: &mut Merge, tell: bool) {
        let mut kept = BTreeMap::new();
        let mut named = Vec::new();
        for entry in self.checker.contents.entries() {
            let Some(outcome) = Outcome::decode(entry.result) else { continue };
            if self.checker.known(entry.read) != Some(false)
                && (self.all_there || outcome.needs().iter().all(|path| self.is_there(path)))
            {
                kept.insert(entry.name.to_vec(), (entry.result.to_vec(), entry.read));
                named.extend_from_slice(outcome.needs());
            }
        }
        if tell {
            let _ = self.store.touch(&named);
        }
        merge.take(&self.checker, kept);
    }

    /// What something that was remembered rests on, while nothing new has taken its place.
    fn number_of(&self, merge: &Merge, name: &[u8]) -> Option<Number> {
        let name = name.strip_prefix(self.path.file_name()?.as_bytes())?;
        merge.entries.get(name).map(|(_, number)| *number)
    }

    fn add_new(&mut self, merge: &mut Merge, reads: &Reads, recorder: &Recorder) {
        let roots: Vec<_> = self.new.iter().map(|(_, _, read)| *read).collect();
        // By read: its number, or `None` when an answer is not known, so that nothing that rests on it can be remembered.
        let mut numbers: HashMap<Read, Option<Number>> = HashMap::new();
        reads.walk(&roots, &mut |read, node| {
            let number = match node {
                ReadNode::Question(Question::Remembered(name)) => self.number_of(merge, name),
                ReadNode::Question(question) => recorder.answers(question).map(|answers| {
                    let members = answers.into_iter().map(|(answer, stamp)| merge.answer(answer, stamp)).collect();
                    merge.set(members)
                }),
                ReadNode::Set(members) => {
                    let members: Option<Vec<_>> = members.iter().map(|member| numbers[member]).collect();
                    members.map(|members| merge.set(members))
                }
            };
            numbers.insert(read, number);
        });
        for (wanted, outcome, read) in std::mem::take(&mut self.new) {
            if let Some(number) = numbers.get(&read).copied().flatten() {
                merge.entries.insert(wanted.name(), (outcome.encode(), number));
            }
        }
    }
}

/// The number of an answer or of a set, while it is not known how many answers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Number {
    Nothing,
    Answer(u32),
    Set(u32),
}

/// Puts the contents of a file together from old and new ones. Answers that differ stand side by side, and only one of them will hold.
#[derive(Default)]
struct Merge {
    answers: HashMap<Answer, u32>,
    stamps: Vec<Option<Stamp>>,
    sets: Vec<Vec<Number>>,
    entries: BTreeMap<Vec<u8>, (Vec<u8>, Number)>,
}

impl Merge {
    fn answer(&mut self, answer: Answer, stamp: Option<Stamp>) -> Number {
        let next = count(self.stamps.len());
        let number = *self.answers.entry(answer).or_insert(next);
        if number == next {
            self.stamps.push(stamp);
        } else if stamp.is_some() {
            self.stamps[number as usize] = stamp;
        }
        Number::Answer(number)
    }

    fn set(&mut self, mut members: Vec<Number>) -> Number {
        members.retain(|member| *member != Number::Nothing);
        match members[..] {
            [] => Number::Nothing,
            [one] => one,
            _ => {
                self.sets.push(members);
                Number::Set(count(self.sets.len() - 1))
            }
        }
    }

    /// Takes over entries with all that they rest on.
    fn take(&mut self, checker: &Checker, entries: BTreeMap<Vec<u8>, (Vec<u8>, u32)>) {
        let contents = &checker.contents;
        let (answers, sets) = contents.counts();
        let mut needed = vec![false; answers + sets];
        entries.values().filter(|(_, read)| *read != NOTHING).for_each(|(_, read)| needed[*read as usize] = true);
        for set in (0..sets).rev() {
            // A set's members have smaller numbers, so by now it is known whether anything needs this one.
            if needed[answers + set] {
                contents.set(set).for_each(|member| needed[member as usize] = true);
            }
        }
        let mut numbers = vec![Number::Nothing; needed.len()];
        for number in (0..needed.len()).filter(|number| needed[*number]) {
            numbers[number] = match number.checked_sub(answers) {
                None => {
                    let stored = contents.answer(number);
                    let subject = stored.subject.to_vec();
                    let stamp = checker.stamps.get(&number).copied().unwrap_or(stored.stamp);
                    self.answer(Answer { subject, kind: stored.kind, digest: *stored.digest }, stamp)
                }
                Some(set) => self.set(contents.set(set).map(|member| numbers[member as usize]).collect()),
            };
        }
        let number = |read: u32| if read == NOTHING { Number::Nothing } else { numbers[read as usize] };
        self.entries.extend(entries.into_iter().map(|(name, (result, read))| (name, (result, number(read)))));
    }

    fn finish(self, draft: &mut Draft) {
        // In the order of their subjects, so that questions about one path stand side by side.
        let mut sorted: Vec<_> = self.answers.into_iter().collect();
        sorted.sort_unstable();
        let mut places = vec![0; sorted.len()];
        for (place, (answer, number)) in sorted.into_iter().enumerate() {
            places[number as usize] = count(place);
            draft.answers.push((answer, self.stamps[number as usize]));
        }
        let place = |number: &Number| match number {
            Number::Nothing => NOTHING,
            Number::Answer(number) => places[*number as usize],
            Number::Set(number) => count(places.len()) + number,
        };
        draft.sets = self.sets.iter().map(|members| members.iter().map(place).collect()).collect();
        let entries = self.entries.into_iter();
        draft.entries = entries.map(|(name, (result, number))| (name, (result, place(&number)))).collect();
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).expect("memory ends before 2^32 answers")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn since(seconds: u64) -> Duration {
    Duration::from_secs(now().saturating_sub(seconds))
}

/// Replaces a file in one step, so that who reads it has the old one or the new one.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.len() > LARGEST {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(directory)?;
    let temporary = path.with_extension(std::process::id().to_string());
    std::fs::write(&temporary, bytes)
        .and_then(|()| std::fs::rename(&temporary, path))
        .inspect_err(|_| drop(std::fs::remove_file(&temporary)))
}

/// The store, asked again.
struct Store<'a>(&'a LocalStore);

impl Outside for Store<'_> {
    fn host(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(STORE_DIR) {
            Ok(inside) => self.0.layout().store().join(inside),
            Err(_) => path.to_owned(),
        }
    }

    fn ask_store(&self, kind: Kind, subject: &[u8]) -> Option<Digest> {
        let text = std::str::from_utf8(subject).ok()?;
        if kind == Kind::Valid {
            let path = StorePath::parse_base_name(text).ok()?;
            self.0.hold([&path]).ok()?;
            return self.0.is_valid(&path).ok()?.then(|| answer::of_bytes(subject));
        }
        let (input, _) = text.split_once('\0')?;
        let (derivation, output) = input.split_once('!')?;
        let (derivation, output) = (derivation.parse::<StorePath>().ok()?, output.parse().ok()?);
        let digest = derivation.derivation()?;
        let action = self.0.resolution(&digest).ok()??;
        let name = output_path_name(&self.0.derivation(&digest).ok()?.name, &output).ok()?;
        let became = self.0.realised_path(&action, &output, &name).ok()??;
        Some(answer::of_bytes(became.to_string().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_over_rests_on_the_same() {
        let answer = |name: &str| Answer { subject: name.into(), kind: Kind::Content, digest: [0; 32] };
        let mut old = Merge::default();
        let numbers: Vec<_> = ["a", "b", "c", "d"].iter().map(|name| old.answer(answer(name), None)).collect();
        let inner = old.set(vec![numbers[1], numbers[0]]);
        let middle = old.set(vec![inner, numbers[2]]);
        let outer = old.set(vec![middle, Number::Nothing, numbers[3]]);
        let unneeded = old.set(vec![numbers[0], numbers[3]]);
        for (name, number) in [("x", outer), ("y", unneeded), ("z", Number::Nothing)] {
            old.entries.insert(name.into(), (name.into(), number));
        }
        let written = |merge: Merge| {
            let mut draft = Draft::default();
            merge.finish(&mut draft);
            Contents::decode(draft.encode()).unwrap()
        };
        let checker = Checker::new(written(old));
        let kept = checker.contents.entries().filter(|entry| entry.name != b"y");
        let kept = kept.map(|entry| (entry.name.to_vec(), (entry.result.to_vec(), entry.read))).collect();
        let mut new = Merge::default();
        // What is there already has other numbers.
        new.answer(answer("e"), None);
        new.answer(answer("c"), None);
        new.take(&checker, kept);
        let contents = written(new);
        assert_eq!(contents.counts(), (5, 3));
        let mut reached = vec![contents.entry(contents.find(b"x").unwrap()).read];
        let mut subjects = Vec::new();
        while let Some(number) = reached.pop() {
            match (number as usize).checked_sub(5) {
                None => {
                    let subject = contents.answer(number as usize).subject.to_vec();
                    subjects.push(String::from_utf8(subject).unwrap());
                }
                Some(set) => reached.extend(contents.set(set)),
            }
        }
        subjects.sort_unstable();
        assert_eq!(subjects, ["a", "b", "c", "d"]);
        assert_eq!(contents.entry(contents.find(b"z").unwrap()).read, NOTHING);
        assert_eq!(contents.entries().count(), 2);
    }
}
