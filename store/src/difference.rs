//! Why two derivations are not the same: what differs in themselves, and what only because of what they need. Pure, over what a
//! [`Known`] says.
//!
//! A derivation that changes changes all that need it, for they name it. So inputs of the two are *paired*, and mentions of a pair count
//! as the same text; what still differs is a cause, and the rest follows from it. Where a pair is known to have come out identical
//! (early cutoff), nothing behind it is a cause.

mod pairing;

use crate::derivation::{Derivation, FixedOutput, Input, OutputName};
use crate::digest::TreeDigest;
use crate::store_path::StorePath;
use pairing::{Pairing, Side, Token};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// What must be known of the derivations on both sides.
pub trait Known {
    /// Why it cannot answer.
    type Error;

    /// A derivation; `None` if it is not kept. It is asked for as often as others need it.
    ///
    /// # Errors
    /// When it cannot be read.
    fn derivation(&self, path: &StorePath) -> Result<Option<Arc<Derivation>>, Self::Error>;

    /// The tree that an output of a derivation is known to have become, whether it is still there or not.
    ///
    /// # Errors
    /// When that cannot be asked.
    fn realised(&self, derivation: &StorePath, output: &OutputName) -> Result<Option<TreeDigest>, Self::Error>;
}

/// For what an input is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// It is part of the root.
    Root,
    /// Its files win in the root.
    Override,
    /// It is declared for run time.
    Runtime,
    /// Strings mention it.
    Mention,
}

/// One thing in which two derivations or trees differ by themselves. Texts show inputs as `${name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The name.
    Name(String, String),
    /// The system.
    System(String, String),
    /// The builder.
    Builder(String, String),
    /// An argument; it is missing on the side of `None`.
    Argument(usize, Option<String>, Option<String>),
    /// A variable of the environment; it is missing on the side of `None`.
    Variable(String, Option<String>, Option<String>),
    /// An input that only the later one has.
    Came(Input, Place),
    /// An input that only the earlier one has.
    Went(Input, Place),
    /// The same inputs in another order.
    Order(Place),
    /// The names of the outputs.
    Outputs(BTreeSet<OutputName>, BTreeSet<OutputName>),
    /// What the output must be.
    Fixed(Option<FixedOutput>, Option<FixedOutput>),
    /// The content of a tree.
    Content,
    /// A derivation is not kept, so that it cannot be looked into.
    Unknown(StorePath),
}

/// An input by which two derivations differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The number of its pair.
    pub to: usize,
    /// Whether all of its outputs that are used came out identical.
    pub identical: bool,
}

/// Two derivations or trees of which one stands where the other stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The earlier one.
    pub before: StorePath,
    /// The later one.
    pub after: StorePath,
    /// What differs in themselves.
    pub changes: Vec<Change>,
    /// Their inputs that differ.
    pub inputs: Vec<Edge>,
    /// The pair through which it was found; `None` for what was asked for.
    pub via: Option<usize>,
    /// Whether every way to it leads through something that came out identical.
    pub cut_off: bool,
}

/// All in which two derivations differ; empty if they are the same. What was asked for is the first pair.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// The pairs that differ, nearest first; those that are cut off come last.
    pub pairs: Vec<Pair>,
}

impl Difference {
    /// The pairs that differ by themselves and are not cut off, nearest first.
    pub fn causes(&self) -> impl Iterator<Item = usize> {
        (0..self.pairs.len()).filter(|number| !self.pairs[*number].cut_off && !self.pairs[*number].changes.is_empty())
    }

    /// How many pairs differ only because of others, and are not cut off.
    #[must_use]
    pub fn followers(&self) -> usize {
        self.pairs.iter().filter(|pair| !pair.cut_off && pair.changes.is_empty()).count()
    }

    /// The pairs from what was asked for to this one.
    #[must_use]
    pub fn chain(&self, number: usize) -> Vec<usize> {
        let mut chain: Vec<_> = std::iter::successors(Some(number), |at| self.pairs[*at].via).collect();
        chain.reverse();
        chain
    }
}

/// Compares two derivations down to what differs by itself.
///
/// # Errors
/// When something cannot be read.
pub fn difference<K: Known>(known: &K, before: &StorePath, after: &StorePath) -> Result<Difference, K::Error> {
    let mut pairs = Vec::new();
    let mut numbers = HashMap::new();
    // What is behind something identical waits until all else is known, so that it is cut off only if every way to it is.
    let mut pending = [VecDeque::new(), VecDeque::new()];
    if before != after {
        pending[0].push_back((before.clone(), after.clone(), None));
    }
    while let Some((way, (before, after, via))) = (0..2).find_map(|way| Some((way, pending[way].pop_front()?))) {
        let Entry::Vacant(vacant) = numbers.entry((before, after)) else { continue };
        let number = pairs.len();
        let (before, after) = vacant.key().clone();
        vacant.insert(number);
        let Compared { changes, inputs } = compare(known, &before, &after)?;
        for input in &inputs {
            let next = (input.before.clone(), input.after.clone(), Some(number));
            pending[if input.identical { 1 } else { way }].push_back(next);
        }
        pairs.push((Pair { before, after, changes, inputs: Vec::new(), via, cut_off: way == 1 }, inputs));
    }
    let edge = |input: DifferingInput| Edge { to: numbers[&(input.before, input.after)], identical: input.identical };
    let pairs = pairs.into_iter().map(|(pair, inputs)| Pair { inputs: inputs.into_iter().map(edge).collect(), ..pair });
    Ok(Difference { pairs: pairs.collect() })
}

/// What comparing two derivations by themselves gives.
#[derive(Default)]
struct Compared {
    changes: Vec<Change>,
    inputs: Vec<DifferingInput>,
}

/// Two inputs of which one stands where the other stood.
struct DifferingInput {
    before: StorePath,
    after: StorePath,
    identical: bool,
}

fn compare<K: Known>(known: &K, before: &StorePath, after: &StorePath) -> Result<Compared, K::Error> {
    if before.derivation().is_none() || after.derivation().is_none() {
        return Ok(Compared { changes: tree_changes(before, after), inputs: Vec::new() });
    }
    let unknown = |path: &StorePath| Compared { changes: vec![Change::Unknown(path.clone())], inputs: Vec::new() };
    let Some(left) = known.derivation(before)? else { return Ok(unknown(before)) };
    let Some(right) = known.derivation(after)? else { return Ok(unknown(after)) };
    let (changes, differing) = between(&left, &right);
    let mut inputs: BTreeMap<(StorePath, StorePath), bool> = BTreeMap::new();
    for (a, b) in differing {
        let identical = came_out_identical(known, (a, b))?;
        let all = inputs.entry((a.path().clone(), b.path().clone())).or_insert(true);
        *all &= identical;
    }
    let inputs =
        inputs.into_iter().map(|((before, after), identical)| DifferingInput { before, after, identical }).collect();
    Ok(Compared { changes, inputs })
}

/// In what two derivations differ by themselves, and their inputs of which one stands where the other stood and that are not the same.
#[must_use]
pub fn between<'d>(before: &'d Derivation, after: &'d Derivation) -> (Vec<Change>, Vec<(&'d Input, &'d Input)>) {
    let pairing = Pairing::of(before, after);
    (changes(before, after, &pairing), pairing.differing().collect())
}

fn tree_changes(before: &StorePath, after: &StorePath) -> Vec<Change> {
    let mut changes = Vec::new();
    if before.name() != after.name() {
        changes.push(Change::Name(before.name().to_string(), after.name().to_string()));
    }
    if before.tree() != after.tree() {
        changes.push(Change::Content);
    }
    changes
}

/// Whether two paired inputs are known to be the same to whoever uses them: the same tree under the same name.
fn came_out_identical<K: Known>(known: &K, pair: (&Input, &Input)) -> Result<bool, K::Error> {
    let (Input::Output { derivation: before, output }, Input::Output { derivation: after, output: other }) = pair
    else {
        return Ok(false);
    };
    if output != other || before.name() != after.name() {
        return Ok(false);
    }
    if let (Some(before), Some(after)) = (known.realised(before, output)?, known.realised(after, output)?) {
        return Ok(before == after);
    }
    // What must be the same is the same.
    let fixed = |path: &StorePath| Ok(known.derivation(path)?.and_then(|derivation| derivation.fixed.clone()));
    let before = fixed(before)?;
    Ok(before.is_some() && before == fixed(after)?)
}

/// In what two derivations differ by themselves, given which inputs stand for which.
fn changes(before: &Derivation, after: &Derivation, pairing: &Pairing) -> Vec<Change> {
    let mut changes = Vec::new();
    if before.name != after.name {
        changes.push(Change::Name(before.name.to_string(), after.name.to_string()));
    }
    if before.system != after.system {
        changes.push(Change::System(before.system.clone(), after.system.clone()));
    }
    let differs = |a: Option<&String>, b: Option<&String>| {
        a.map(|text| pairing.before.text(text)) != b.map(|text| pairing.after.text(text))
    };
    let shown = |a: Option<&String>, b: Option<&String>| {
        (a.map(|text| pairing.before.shown(text)), b.map(|text| pairing.after.shown(text)))
    };
    if differs(Some(&before.builder), Some(&after.builder)) {
        changes.push(Change::Builder(pairing.before.shown(&before.builder), pairing.after.shown(&after.builder)));
    }
    for index in 0..before.args.len().max(after.args.len()) {
        let (a, b) = (before.args.get(index), after.args.get(index));
        if differs(a, b) {
            let (a, b) = shown(a, b);
            changes.push(Change::Argument(index, a, b));
        }
    }
    for name in before.env.keys().chain(after.env.keys()).collect::<BTreeSet<_>>() {
        let (a, b) = (before.env.get(name), after.env.get(name));
        if differs(a, b) {
            let (a, b) = shown(a, b);
            changes.push(Change::Variable(name.clone(), a, b));
        }
    }
    let mentioned: [Vec<Input>; 2] = [before, after].map(|derivation| derivation.inputs.iter().cloned().collect());
    for (place, a, b) in [
        (Place::Root, &before.root, &after.root),
        (Place::Override, &before.overrides, &after.overrides),
        (Place::Runtime, &before.runtime, &after.runtime),
        (Place::Mention, &mentioned[0], &mentioned[1]),
    ] {
        changes.extend(list_changes(place, a, b, pairing));
    }
    if before.outputs != after.outputs {
        changes.push(Change::Outputs(before.outputs.clone(), after.outputs.clone()));
    }
    if before.fixed != after.fixed {
        changes.push(Change::Fixed(before.fixed.clone(), after.fixed.clone()));
    }
    changes
}

/// What came and went in a list of inputs, or that only their order is another one.
fn list_changes(place: Place, before: &[Input], after: &[Input], pairing: &Pairing) -> Vec<Change> {
    let tokens = |inputs: &[Input], side: &Side| inputs.iter().map(|input| side.token(input)).collect::<Vec<_>>();
    let (left, right) = (tokens(before, &pairing.before), tokens(after, &pairing.after));
    let lone = |inputs: &[Input], own: &[Token], other: &[Token]| -> Vec<Input> {
        inputs.iter().zip(own).filter(|(_, token)| !other.contains(token)).map(|(input, _)| input.clone()).collect()
    };
    let mut changes: Vec<_> = lone(before, &left, &right).into_iter().map(|input| Change::Went(input, place)).collect();
    changes.extend(lone(after, &right, &left).into_iter().map(|input| Change::Came(input, place)));
    // Mentions are a set: the order in which they are kept says nothing.
    if changes.is_empty() && left != right && place != Place::Mention {
        changes.push(Change::Order(place));
    }
    changes
}

#[cfg(test)]
mod tests;
