//! An expression as a graph of states, and the exact search in it.
//!
//! What matches, and which of several ways counts, is what the C++ library does on which Nix relies: repetitions prefer
//! one more round and look no further once that leads to a match; of two alternatives both are tried and the longer
//! match wins, the first one if they are equally long; a repetition may match nothing twice at one place. That library
//! takes exponential time for it. Here the best end from each state and place is remembered, so that time and memory grow
//! with the number of states times the length of what is looked at, and both are bounded.

use super::bracket::Set;
use super::syntax::{Expression, Malformed, Node, Repeat};
use rustc_hash::FxHashMap;

type State = u32;

#[derive(Debug, Clone, Copy)]
enum Step {
    Set(u32, State),
    Begin(State),
    End(State),
    Open(u32, State),
    Close(u32, State),
    /// The first or the second.
    Either(State, State),
    /// One more round or on; with the number of the counter of rounds at one place, if it can have empty ones.
    Repeat(State, State, Option<u8>),
    Accept,
}

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Program {
    steps: Vec<Step>,
    sets: Vec<Set>,
    start: State,
    counters: usize,
    /// Whether it has alternatives: then the longest match is not the one that is found first.
    pub(super) has_alternatives: bool,
}

/// As in that library.
const MAX_STATES: usize = 100_000;
/// Results that are remembered in one search, at most.
const MAX_RESULTS: usize = 1 << 22;
/// Two bits for each in one word.
const MAX_COUNTERS: usize = 32;

struct Builder {
    program: Program,
    /// Whether an enclosing repetition can have empty rounds.
    inside_empty: bool,
}

impl Program {
    pub(super) fn new(expression: &Expression) -> Result<Self, Malformed> {
        let program =
            Self { steps: vec![Step::Accept], sets: Vec::new(), start: 0, counters: 0, has_alternatives: false };
        let mut builder = Builder { program, inside_empty: false };
        let start = builder.add(&expression.node, 0)?;
        builder.program.start = start;
        Ok(builder.program)
    }

    /// Whether a repetition can have empty rounds.
    pub(super) fn has_counters(&self) -> bool {
        self.counters > 0
    }
}

impl Builder {
    fn push(&mut self, step: Step) -> Result<State, Malformed> {
        if self.program.steps.len() > MAX_STATES {
            return Err("it is too large");
        }
        self.program.steps.push(step);
        Ok(self.program.steps.len() as State - 1)
    }

    /// Adds a node that goes on at `next`.
    fn add(&mut self, node: &Node, next: State) -> Result<State, Malformed> {
        match node {
            Node::Empty => Ok(next),
            Node::Set(set) => {
                let known = self.program.sets.iter().rev().take(16).position(|known| known == set);
                let number = match known {
                    Some(behind) => self.program.sets.len() - 1 - behind,
                    None => {
                        self.program.sets.push(*set);
                        self.program.sets.len() - 1
                    }
                };
                self.push(Step::Set(number as u32, next))
            }
            Node::Begin => self.push(Step::Begin(next)),
            Node::End => self.push(Step::End(next)),
            Node::Sequence(nodes) => nodes.iter().rev().try_fold(next, |next, node| self.add(node, next)),
            Node::Either(nodes) => {
                self.program.has_alternatives = true;
                let mut entry = None;
                for node in nodes {
                    let other = self.add(node, next)?;
                    entry = Some(match entry {
                        None => other,
                        Some(entry) => self.push(Step::Either(entry, other))?,
                    });
                }
                Ok(entry.unwrap_or(next))
            }
            Node::Group(number, body) => {
                let close = self.push(Step::Close(*number as u32, next))?;
                let inner = self.add(body, close)?;
                self.push(Step::Open(*number as u32, inner))
            }
            Node::Repeat(repeat) => self.repeat(repeat, next),
        }
    }

    fn repeat(&mut self, repeat: &Repeat, next: State) -> Result<State, Malformed> {
        let outside = self.inside_empty;
        let nullable = repeat.body.nullable();
        self.inside_empty |= nullable && repeat.most.is_none();
        let counted = nullable && self.inside_empty;
        let mut entry = next;
        match repeat.most {
            None => {
                let again = self.push(Step::Accept)?;
                let body = self.add(&repeat.body, again)?;
                let counter = self.counter(counted)?;
                self.program.steps[again as usize] = Step::Repeat(body, next, counter);
                entry = again;
                // `x+` is one `x` and then the loop over that same `x`.
                if repeat.least > 0 {
                    entry = body;
                }
                for _ in 1..repeat.least {
                    entry = self.add(&repeat.body, entry)?;
                }
            }
            Some(most) => {
                for _ in repeat.least..most {
                    let body = self.add(&repeat.body, entry)?;
                    let counter = self.counter(counted)?;
                    entry = self.push(Step::Repeat(body, next, counter))?;
                }
                for _ in 0..repeat.least {
                    entry = self.add(&repeat.body, entry)?;
                }
            }
        }
        self.inside_empty = outside;
        Ok(entry)
    }

    fn counter(&mut self, wanted: bool) -> Result<Option<u8>, Malformed> {
        if !wanted {
            return Ok(None);
        }
        if self.program.counters == MAX_COUNTERS {
            return Err("too many of its repetitions can match nothing");
        }
        self.program.counters += 1;
        Ok(Some(self.program.counters as u8 - 1))
    }
}

/// What a search asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// Where the match starts.
    pub(super) start: usize,
    /// Whether it must reach the end of the text.
    pub(super) whole: bool,
    /// Whether it must not be empty.
    pub(super) not_empty: bool,
    /// Whether `^` matches at its start.
    pub(super) at_begin: bool,
}

/// The search ran into its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooComplex;

/// Where the groups of a match start and end; number 0 is the whole match.
pub(super) type Groups = Vec<Option<(usize, usize)>>;

/// A place in the search: state, offset, and how often each counted repetition began a round at this offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    state: State,
    at: u32,
    rounds: u64,
}

/// What is left to do at a place with two ways on.
enum Task {
    Enter(Place),
    /// The first way of the place is known: look at the second if need be.
    Second(Place),
    /// Both ways are known.
    Both(Place),
}

struct Search<'a> {
    program: &'a Program,
    text: &'a [u8],
    asked: Asked,
    /// The best end from a place with two ways on.
    known: FxHashMap<Place, Option<u32>>,
}

/// What a place without choice leads to.
enum Reached {
    Fork(Place),
    End(Option<u32>),
}

impl Search<'_> {
    /// Follows the steps from a place up to one with two ways on.
    fn follow(&self, mut place: Place, mut pass: impl FnMut(Step, usize)) -> Reached {
        loop {
            let at = place.at as usize;
            let step = self.program.steps[place.state as usize];
            pass(step, at);
            place.state = match step {
                Step::Set(set, next) => match self.text.get(at) {
                    Some(byte) if self.program.sets[set as usize].contains(*byte) => {
                        place.at += 1;
                        place.rounds = 0;
                        next
                    }
                    _ => return Reached::End(None),
                },
                Step::Begin(next) if at == self.asked.start && self.asked.at_begin => next,
                Step::End(next) if at == self.text.len() => next,
                Step::Begin(_) | Step::End(_) => return Reached::End(None),
                Step::Open(_, next) | Step::Close(_, next) => next,
                Step::Either(..) | Step::Repeat(..) => return Reached::Fork(place),
                Step::Accept => {
                    let refused =
                        self.asked.whole && at < self.text.len() || self.asked.not_empty && at == self.asked.start;
                    return Reached::End((!refused).then_some(place.at));
                }
            };
        }
    }

    /// The first way on; `None` for a repetition that had its rounds at this offset.
    fn first(&self, place: Place) -> Option<Place> {
        match self.program.steps[place.state as usize] {
            Step::Either(first, _) | Step::Repeat(first, _, None) => Some(Place { state: first, ..place }),
            Step::Repeat(more, _, Some(counter)) => {
                let rounds = place.rounds >> (2 * counter) & 3;
                (rounds < 2).then(|| Place { state: more, at: place.at, rounds: place.rounds + (1 << (2 * counter)) })
            }
            _ => None,
        }
    }

    fn second(&self, place: Place) -> Place {
        match self.program.steps[place.state as usize] {
            Step::Either(_, second) | Step::Repeat(_, second, _) => Place { state: second, ..place },
            _ => place,
        }
    }

    /// The best end from a place, if that is known by now.
    fn end(&self, place: Place) -> Option<Option<u32>> {
        match self.follow(place, |_, _| {}) {
            Reached::End(end) => Some(end),
            Reached::Fork(fork) => self.known.get(&fork).copied(),
        }
    }

    /// Puts on the work list what must be known of a place; true when it is known already.
    fn ask(&self, place: Place, work: &mut Vec<Task>) {
        if let Reached::Fork(fork) = self.follow(place, |_, _| {})
            && !self.known.contains_key(&fork)
        {
            work.push(Task::Enter(fork));
        }
    }

    fn solve(&mut self, start: Place) -> Result<Option<u32>, TooComplex> {
        let mut work = Vec::new();
        self.ask(start, &mut work);
        while let Some(task) = work.pop() {
            if self.known.len() > MAX_RESULTS || work.len() > MAX_RESULTS {
                return Err(TooComplex);
            }
            match task {
                Task::Enter(place) => {
                    work.push(Task::Second(place));
                    if let Some(first) = self.first(place) {
                        self.ask(first, &mut work);
                    }
                }
                Task::Second(place) => {
                    let first = self.first(place).and_then(|first| self.end(first).flatten());
                    let enough = matches!(self.program.steps[place.state as usize], Step::Repeat(..));
                    if enough && first.is_some() {
                        self.known.insert(place, first);
                        continue;
                    }
                    work.push(Task::Both(place));
                    self.ask(self.second(place), &mut work);
                }
                Task::Both(place) => {
                    let first = self.first(place).and_then(|first| self.end(first).flatten());
                    let second = self.end(self.second(place)).flatten();
                    self.known.insert(place, first.max(second));
                }
            }
        }
        Ok(self.end(start).flatten())
    }

    /// Walks the way that counts and notes where groups start and end.
    fn groups(&self, start: Place, groups: &mut Groups) {
        let mut opened = vec![0; groups.len()];
        let mut place = start;
        loop {
            let note = |step: Step, at: usize| match step {
                Step::Open(number, _) => opened[number as usize] = at,
                Step::Close(number, _) => groups[number as usize] = Some((opened[number as usize], at)),
                _ => {}
            };
            let Reached::Fork(fork) = self.follow(place, note) else { return };
            let first = self.first(fork);
            let end = first.and_then(|first| self.end(first).flatten());
            place = match (first, end) {
                (Some(first), Some(end)) if self.known.get(&fork) == Some(&Some(end)) => first,
                _ => self.second(fork),
            };
        }
    }
}

impl Program {
    /// The match that starts at a place.
    pub(super) fn search(&self, text: &[u8], asked: Asked, groups: usize) -> Result<Option<Groups>, TooComplex> {
        if u32::try_from(text.len()).is_err() {
            return Err(TooComplex);
        }
        let mut search = Search { program: self, text, asked, known: FxHashMap::default() };
        let start = Place { state: self.start, at: asked.start as u32, rounds: 0 };
        let Some(end) = search.solve(start)? else { return Ok(None) };
        let mut found = vec![None; groups + 1];
        search.groups(start, &mut found);
        found[0] = Some((asked.start, end as usize));
        Ok(Some(found))
    }
}
