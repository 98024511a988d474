//! The file that remembers the evaluations of one source: answers, sets of reads, and results that rest on them.
//!
//! Integers are little-endian, `u32` unless said otherwise; `bytes` is a length and as many bytes.
//!
//! ```text
//! file    = "larder evaluations 1\n" used:u64 state:bytes
//!           count answer* count set* count entry* digest(of all before)
//! answer  = kind:u8 subject:bytes digest(32) (0:u8 | 1:u8 stamp(7 × u64))
//! set     = bytes of member:u32, each smaller than the set's own number; answers have the numbers before the sets
//! entry   = name:bytes result:bytes read:u32
//! ```
//!
//! Names are sorted. Invariant: what [`Contents::decode`] takes is whole; a file that is anything else counts for nothing.

use super::answer::{Digest, Kind, Stamp, of_bytes};
use std::collections::BTreeMap;

const MAGIC: &[u8] = b"larder evaluations 1\n";

/// The number of the set without members: what rests on nothing.
pub(super) const NOTHING: u32 = u32::MAX;

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Answer {
    /// What the question was about: a path, a store path, or an input with a NUL and what it became.
    pub(super) subject: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) digest: Digest,
}

/// The same, in a file, with how its subject looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored<'a> {
    pub(super) subject: &'a [u8],
    pub(super) kind: Kind,
    pub(super) digest: &'a Digest,
    pub(super) stamp: Option<Stamp>,
}

/// A result, in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    pub(super) result: &'a [u8],
    /// The answer or set that it rests on, or [`NOTHING`].
    pub(super) read: u32,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// When its results were last used and the store was told so, in seconds since the epoch.
    pub(super) used: u64,
    /// The state of the store in which all results were there; empty when that is not known.
    pub(super) state: Vec<u8>,
    pub(super) answers: Vec<(Answer, Option<Stamp>)>,
    /// Members of each set, by number: answers come first, then sets.
    pub(super) sets: Vec<Vec<u32>>,
    /// Results by name, and what they rest on.
    pub(super) entries: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
}

impl Draft {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.used.to_le_bytes());
        put_bytes(&mut out, &self.state);
        put_count(&mut out, self.answers.len());
        for (answer, stamp) in &self.answers {
            out.push(answer.kind as u8);
            put_bytes(&mut out, &answer.subject);
            out.extend_from_slice(&answer.digest);
            out.push(u8::from(stamp.is_some()));
            out.extend(stamp.iter().flat_map(|stamp| stamp.0).flat_map(u64::to_le_bytes));
        }
        put_count(&mut out, self.sets.len());
        for members in &self.sets {
            put_bytes(&mut out, &members.iter().flat_map(|member| member.to_le_bytes()).collect::<Vec<u8>>());
        }
        put_count(&mut out, self.entries.len());
        for (name, (result, read)) in &self.entries {
            put_bytes(&mut out, name);
            put_bytes(&mut out, result);
            out.extend_from_slice(&read.to_le_bytes());
        }
        let digest = of_bytes(&out);
        out.extend_from_slice(&digest);
        out
    }
}

/// What a file says: its bytes, and where in them things are.
#[derive(Debug, Default)]
pub(super) struct Contents {
    bytes: Vec<u8>,
    used: u64,
    state: Vec<u8>,
    answers: Vec<usize>,
    sets: Vec<usize>,
    /// In the order of their names.
    entries: Vec<usize>,
}

impl Contents {
    /// Looks through a file; `None` unless all of it is as [`Draft::encode`] writes it.
    pub(super) fn decode(bytes: Vec<u8>) -> Option<Self> {
        let (body, digest) = bytes.split_last_chunk::<32>()?;
        if of_bytes(body) != *digest {
            return None;
        }
        let mut reader = Reader(body.strip_prefix(MAGIC)?);
        let place = |reader: &Reader<'_>| body.len() - reader.0.len();
        let mut contents = Self { used: reader.u64()?, state: reader.bytes()?.to_vec(), ..Self::default() };
        for _ in 0..reader.u32()? {
            contents.answers.push(place(&reader));
            reader.answer()?;
        }
        for _ in 0..reader.u32()? {
            let number = contents.answers.len() + contents.sets.len();
            contents.sets.push(place(&reader));
            if reader.set()?.any(|member| member as usize >= number) {
                return None;
            }
        }
        let numbers = contents.answers.len() + contents.sets.len();
        let mut before: Option<&[u8]> = None;
        for _ in 0..reader.u32()? {
            contents.entries.push(place(&reader));
            let Entry { name, read, .. } = reader.entry()?;
            if read != NOTHING && read as usize >= numbers || before.is_some_and(|before| before >= name) {
                return None;
            }
            before = Some(name);
        }
        if !reader.0.is_empty() {
            return None;
        }
        contents.bytes = bytes;
        Some(contents)
    }

    /// See [`Draft::used`].
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// See [`Draft::state`].
    pub(super) fn state(&self) -> &[u8] {
        &self.state
    }

    /// How many answers there are, and how many sets.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.answers.len(), self.sets.len())
    }

    pub(super) fn answer(&self, index: usize) -> Stored<'_> {
        Reader(&self.bytes[self.answers[index]..]).answer().expect("it was read before")
    }

    /// The members of a set.
    pub(super) fn set(&self, index: usize) -> impl Iterator<Item = u32> + '_ {
        Reader(&self.bytes[self.sets[index]..]).set().expect("it was read before")
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(|place| self.entry(*place))
    }

    /// The result at a place that [`Self::find`] gave.
    pub(super) fn entry(&self, place: usize) -> Entry<'_> {
        Reader(&self.bytes[place..]).entry().expect("it was read before")
    }

    /// Where the result of a name is: to be given to [`Self::entry`].
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        let name_at = |place: usize| Reader(&self.bytes[place..]).bytes().expect("it was read before");
        let found = self.entries.binary_search_by(|place| name_at(*place).cmp(name)).ok()?;
        Some(self.entries[found])
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    // A file of this many things is never kept.
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Takes bytes apart; every method gives `None` at the end.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| *byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(|bytes| u64::from_le_bytes(*bytes))
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let (taken, rest) =
            self.u32().map(|length| length as usize).and_then(|length| self.0.split_at_checked(length))?;
        self.0 = rest;
        Some(taken)
    }

    fn answer(&mut self) -> Option<Stored<'a>> {
        let kind = *Kind::ALL.get(usize::from(self.u8()?))?;
        Some(Stored { kind, subject: self.bytes()?, digest: self.take()?, stamp: self.stamp()? })
    }

    fn stamp(&mut self) -> Option<Option<Stamp>> {
        match self.u8()? {
            0 => Some(None),
            1 => {
                let mut numbers = [0; 7];
                for number in &mut numbers {
                    *number = self.u64()?;
                }
                Some(Some(Stamp(numbers)))
            }
            _ => None,
        }
    }

    fn set(&mut self) -> Option<impl Iterator<Item = u32> + use<'a>> {
        let (chunks, []) = self.bytes()?.as_chunks::<4>() else { return None };
        Some(chunks.iter().map(|chunk| u32::from_le_bytes(*chunk)))
    }

    fn entry(&mut self) -> Option<Entry<'a>> {
        Some(Entry { name: self.bytes()?, result: self.bytes()?, read: self.u32()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        let answer =
            |subject: &str, kind| Answer { subject: subject.into(), kind, digest: of_bytes(subject.as_bytes()) };
        let stamp = Stamp([1, 2, 3, 4, 5, 6, u64::MAX]);
        Draft {
            used: 7,
            state: b"state".to_vec(),
            answers: vec![(answer("/a", Kind::Content), Some(stamp)), (answer("/b", Kind::Type), None)],
            sets: vec![vec![0, 1], vec![1, 2]],
            entries: [("x", "one", 3), ("y", "", NOTHING)]
                .map(|(name, result, read)| (name.into(), (result.into(), read)))
                .into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let contents = Contents::decode(draft().encode()).unwrap();
        assert_eq!((contents.used(), contents.state(), contents.counts()), (7, &b"state"[..], (2, 2)));
        for (index, (answer, stamp)) in draft().answers.iter().enumerate() {
            let Answer { subject, kind, digest } = answer;
            assert_eq!(contents.answer(index), Stored { subject, kind: *kind, digest, stamp: *stamp });
        }
        let sets: Vec<Vec<_>> = (0..2).map(|index| contents.set(index).collect()).collect();
        assert_eq!(sets, draft().sets);
        let one = Entry { name: b"x", result: b"one", read: 3 };
        assert_eq!(contents.entries().collect::<Vec<_>>(), [one, Entry { name: b"y", result: b"", read: NOTHING }]);
        assert_eq!((contents.find(b"x").map(|place| contents.entry(place)), contents.find(b"z")), (Some(one), None));
        assert!(Contents::decode(Draft::default().encode()).is_some());
    }

    #[test]
    fn whatever_else_is_refused() {
        let bytes = draft().encode();
        for end in 0..bytes.len() {
            assert!(Contents::decode(bytes[..end].to_vec()).is_none(), "cut at {end}");
        }
        for index in 0..bytes.len() {
            let mut other = bytes.clone();
            other[index] ^= 1;
            assert!(Contents::decode(other).is_none(), "changed at {index}");
        }
    }

    #[test]
    fn numbers_must_lead_to_what_came_before() {
        let mut wrong = draft();
        wrong.sets.push(vec![5]);
        assert!(Contents::decode(wrong.encode()).is_none());
        let mut wrong = draft();
        wrong.entries.insert(b"z".to_vec(), (Vec::new(), 4));
        assert!(Contents::decode(wrong.encode()).is_none());
    }
}
