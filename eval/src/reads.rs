//! What evaluation asked of the outside, and which values rest on which answers.
//!
//! A *read* is a [`Question`] that the outside was asked, or a set of reads: a graph without cycles. While a thunk is
//! computed, whatever is asked, and whatever thunks are forced that rest on reads themselves, is noted in its
//! [`Frame`]; when it is done, the thunk rests on the set of what was noted, and its frame's parent has that set among
//! its own. Nothing else needs noting:
//!
//! *What a frame computes rests on what is noted in it, on what its thunk's environment rests on, and on nothing
//! more.* A frame gets hold of a value by asking the outside or by forcing a thunk, which is noted; or from the
//! environment. Who forces a thunk holds it, hence has noted, or has in its own environment, whatever the thunk's
//! existence and environment rest on. So the claim holds for the parent when it holds for the frame, and for the
//! outermost frame, which has no environment, what is noted is all. A computation that fails passes what it noted on
//! like any other: `tryEval` may look at the failure.
//!
//! Hence whoever keeps a value for later, outside of thunks, must keep the read that it came with
//! ([`crate::Session::take_reads`]), and memory of the session that is not a thunk must note at each use.

use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::{Input, StorePath};

/// Something that the outside was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Question {
    /// The content of a file; links are followed.
    Content(PathBuf),
    /// Names and types in a directory.
    Listing(PathBuf),
    /// The type of a path, or that there is none.
    Kind(PathBuf),
    /// Where a link leads.
    Link(PathBuf),
    /// Whether a file is executable.
    Executable(PathBuf),
    /// What of a path was added to the store, and what it became there.
    Added(PathBuf, StorePath),
    /// That something was put into the store: a text or a derivation.
    Kept(StorePath),
    /// What an input became when it was realised.
    Realised(Input, StorePath),
    /// All that something remembered rests on, by the name that it has where it is remembered.
    Remembered(Vec<u8>),
}

/// A read, by its number in [`Reads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Read(u32);

impl Read {
    /// The set of no reads.
    pub const NONE: Self = Self(0);

    /// The number, to keep it in a thunk.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    /// The read of a number that [`Self::number`] gave.
    pub(crate) const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// What a read is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadNode {
    /// One question.
    Question(Question),
    /// All of these, which were made before; sorted.
    Set(Box<[Read]>),
}

/// All reads of a session.
#[derive(Debug)]
pub struct Reads {
    tables: Mutex<Tables>,
}

#[derive(Debug)]
struct Tables {
    nodes: Vec<ReadNode>,
    questions: FxHashMap<Question, Read>,
    sets: FxHashMap<Box<[Read]>, Read>,
}

/// Up to how many members of a set it is looked whether one is in another: that is worth it only for small ones.
const SMALL: usize = 12;

impl Default for Reads {
    fn default() -> Self {
        let nodes = vec![ReadNode::Set(Box::default())];
        Self { tables: Mutex::new(Tables { nodes, questions: FxHashMap::default(), sets: FxHashMap::default() }) }
    }
}

impl Reads {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The read of a question.
    pub fn question(&self, question: Question) -> Read {
        let tables = &mut *self.lock();
        if let Some(read) = tables.questions.get(&question) {
            return *read;
        }
        let read = tables.push(ReadNode::Question(question.clone()));
        tables.questions.insert(question, read);
        read
    }

    /// The set of reads, given in any order and more than once. One read alone is its own set.
    pub fn set(&self, mut members: Vec<Read>) -> Read {
        members.sort_unstable();
        members.dedup();
        members.retain(|member| *member != Read::NONE);
        if members.len() < 2 {
            return members.first().copied().unwrap_or(Read::NONE);
        }
        let tables = &mut *self.lock();
        if members.len() <= SMALL {
            tables.drop_contained(&mut members);
            if let [one] = members[..] {
                return one;
            }
        }
        let members = members.into_boxed_slice();
        if let Some(read) = tables.sets.get(&members) {
            return *read;
        }
        let read = tables.push(ReadNode::Set(members.clone()));
        tables.sets.insert(members, read);
        read
    }

    /// All that reads rest on, those that others need first, given to `each` with its read.
    pub fn walk(&self, roots: &[Read], each: &mut dyn FnMut(Read, &ReadNode)) {
        let tables = &*self.lock();
        let mut seen = vec![false; tables.nodes.len()];
        let mut pending = roots.to_vec();
        while let Some(read) = pending.pop() {
            let index = read.0 as usize;
            if !seen[index] {
                seen[index] = true;
                if let ReadNode::Set(members) = &tables.nodes[index] {
                    pending.extend_from_slice(members);
                }
            }
        }
        // Members have smaller numbers than their set.
        for (index, node) in tables.nodes.iter().enumerate().filter(|(index, _)| seen[*index]) {
            each(Read(u32::try_from(index).expect("numbers of reads are 32 bits wide")), node);
        }
    }
}

impl Tables {
    fn push(&mut self, node: ReadNode) -> Read {
        let number = u32::try_from(self.nodes.len()).expect("memory ends before 2^32 reads");
        self.nodes.push(node);
        Read(number)
    }

    /// Drops members that are members of other members: many thunks rest on the same library and on things that rest on it.
    fn drop_contained(&self, members: &mut Vec<Read>) {
        let within = |inner: Read, outer: Read| match &self.nodes[outer.0 as usize] {
            ReadNode::Set(set) => set.binary_search(&inner).is_ok(),
            ReadNode::Question(_) => false,
        };
        let all = members.clone();
        // A set has a larger number than its members, so of two members only the smaller can be in the other.
        members.retain(|member| !all.iter().any(|other| other > member && within(*member, *other)));
    }
}

/// What is noted for a thunk while it is computed; saved and put back around each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    start: usize,
    /// At how many reads they are looked through for the same ones.
    limit: usize,
}

/// How many reads a frame has before they are first looked through for the same ones.
const FIRST_LIMIT: usize = 64;

/// The frames of one thread.
#[derive(Debug)]
pub(crate) struct Frames {
    noted: RefCell<Vec<Read>>,
    /// How many `noted` has, to be looked at without borrowing it.
    count: Cell<usize>,
    frame: Cell<Frame>,
}

impl Default for Frames {
    fn default() -> Self {
        let frame = Cell::new(Frame { start: 0, limit: FIRST_LIMIT });
        Self { noted: RefCell::default(), count: Cell::new(0), frame }
    }
}

impl Frames {
    /// Begins a frame; the result belongs to [`Self::end`] or [`Self::fail`].
    #[inline]
    pub(crate) fn begin(&self) -> Frame {
        let count = self.count.get();
        self.frame.replace(Frame { start: count, limit: count + FIRST_LIMIT })
    }

    /// Ends a frame that had success: what its value rests on, which is noted in the frame around it.
    #[inline]
    pub(crate) fn end(&self, outer: Frame, reads: &Reads) -> Read {
        let start = self.frame.replace(outer).start;
        if self.count.get() == start { Read::NONE } else { self.close(start, reads) }
    }

    /// Ends a frame that failed: what it noted is noted in the frame around it.
    #[inline]
    pub(crate) fn fail(&self, outer: Frame) {
        self.frame.set(outer);
    }

    #[cold]
    fn close(&self, start: usize, reads: &Reads) -> Read {
        let members = self.noted.borrow_mut().split_off(start);
        self.count.set(start);
        let read = reads.set(members);
        self.note(read);
        read
    }

    /// Notes a read in the current frame.
    pub(crate) fn note(&self, read: Read) {
        if read == Read::NONE {
            return;
        }
        let noted = &mut *self.noted.borrow_mut();
        let frame = self.frame.get();
        if noted[frame.start..].last() == Some(&read) {
            return;
        }
        noted.push(read);
        if noted.len() >= frame.limit {
            noted[frame.start..].sort_unstable();
            let mut kept = frame.start;
            for index in frame.start..noted.len() {
                if kept == frame.start || noted[kept - 1] != noted[index] {
                    noted[kept] = noted[index];
                    kept += 1;
                }
            }
            noted.truncate(kept);
            self.frame.set(Frame { limit: frame.start + FIRST_LIMIT.max(2 * (kept - frame.start)), ..frame });
        }
        self.count.set(noted.len());
    }

    /// All that is noted and not yet in a set, in no order. Empties the frames.
    pub(crate) fn take(&self) -> Vec<Read> {
        self.count.set(0);
        self.frame.set(Frame { start: 0, limit: FIRST_LIMIT });
        std::mem::take(&mut *self.noted.borrow_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Question {
        Question::Content(PathBuf::from(name))
    }

    fn questions(reads: &Reads, read: Read) -> Vec<Question> {
        let mut found = Vec::new();
        reads.walk(&[read], &mut |_, node| {
            if let ReadNode::Question(question) = node {
                found.push(question.clone());
            }
        });
        found.sort_unstable();
        found
    }

    #[test]
    fn equal_sets_are_one() {
        let reads = Reads::default();
        let (a, b, c) = (reads.question(file("a")), reads.question(file("b")), reads.question(file("c")));
        assert_eq!(reads.question(file("a")), a);
        assert_eq!(reads.set(vec![]), Read::NONE);
        assert_eq!(reads.set(vec![b, b, Read::NONE]), b);
        let both = reads.set(vec![b, a]);
        assert_eq!(reads.set(vec![a, b, a]), both);
        // `a` is in `both`, so that saying it again adds nothing; `c` is not.
        assert_eq!(reads.set(vec![a, both]), both);
        assert_eq!(questions(&reads, reads.set(vec![c, both])), [file("a"), file("b"), file("c")]);
    }

    #[test]
    fn frames_pass_on_what_they_noted() {
        let (reads, frames) = (Reads::default(), Frames::default());
        let (a, b, c) = (reads.question(file("a")), reads.question(file("b")), reads.question(file("c")));
        frames.note(a);
        let outer = frames.begin();
        let inner = frames.begin();
        assert_eq!(frames.end(inner, &reads), Read::NONE, "nothing was noted in it");
        let failing = frames.begin();
        frames.note(b);
        frames.fail(failing);
        frames.note(c);
        let read = frames.end(outer, &reads);
        assert_eq!(questions(&reads, read), [file("b"), file("c")], "the failure counts, what was before does not");
        let all = reads.set(frames.take());
        assert_eq!(questions(&reads, all), [file("a"), file("b"), file("c")]);
        assert!(frames.take().is_empty());
    }

    #[test]
    fn many_equal_reads_take_little_room() {
        let (reads, frames) = (Reads::default(), Frames::default());
        let leaves: Vec<_> = (0..300).map(|n| reads.question(file(&n.to_string()))).collect();
        frames.note(leaves[299]);
        let outer = frames.begin();
        for _ in 0..1000 {
            leaves[..200].iter().for_each(|read| frames.note(*read));
        }
        assert!(frames.count.get() <= 600, "{}", frames.count.get());
        let read = frames.end(outer, &reads);
        assert_eq!(questions(&reads, read).len(), 200);
        assert_eq!(questions(&reads, reads.set(frames.take())).len(), 201);
    }
}
