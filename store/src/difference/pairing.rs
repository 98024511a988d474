//! Which input of one derivation stands where which of another one stood.
//!
//! Inputs that both have stand for themselves. Of the rest, what is mentioned in the same place of the same text and is of the same
//! package belongs together; then what has the same name; then the same package in another version; then what is mentioned in the same
//! place of the same text, whatever it is called. What is left over has come or gone.

use crate::base32::DIGEST_CHARS;
use crate::derivation::{Derivation, Input};
use crate::store_path::STORE_DIR;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Bytes of a mention up to the end of its digest.
const DIGEST_END: usize = STORE_DIR.len() + 1 + DIGEST_CHARS;

/// What stands for an input: the same on both sides if they are paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Token(usize);

/// The inputs of both sides, paired.
#[derive(Debug)]
pub(super) struct Pairing<'d> {
    /// The earlier derivation's.
    pub(super) before: Side<'d>,
    /// The later derivation's.
    pub(super) after: Side<'d>,
    differing: Vec<(&'d Input, &'d Input)>,
}

/// One side's inputs.
#[derive(Debug)]
pub(super) struct Side<'d> {
    tokens: BTreeMap<&'d Input, Token>,
    /// The texts that mention inputs, by how they begin: up to the end of the digest.
    mentions: HashMap<String, Vec<(String, &'d Input)>>,
}

impl<'d> Pairing<'d> {
    /// Pairs the inputs of two derivations.
    pub(super) fn of(before: &'d Derivation, after: &'d Derivation) -> Self {
        let (left, right) = (before.all_inputs(), after.all_inputs());
        let mut pairing = Self { before: Side::of(&left), after: Side::of(&right), differing: Vec::new() };
        for input in left.intersection(&right).copied() {
            pairing.join(input, input);
        }
        let places = pairing.places(before, after);
        let same_output = |a: &Input, b: &Input| output(a) == output(b);
        pairing.join_where(&places, |a, b| same_output(a, b) && package(a) == package(b));
        let every = every_pair(&left, &right);
        pairing.join_where(&every, |a, b| same_output(a, b) && name(a) == name(b));
        pairing.join_where(&every, |a, b| same_output(a, b) && package(a) == package(b));
        pairing.join_where(&places, same_output);
        let mut lone = left.len() + right.len();
        for (side, inputs) in [(&mut pairing.before, &left), (&mut pairing.after, &right)] {
            for input in inputs {
                side.tokens.entry(input).or_insert(Token(lone));
                lone += 1;
            }
        }
        pairing
    }

    /// The paired inputs that are not the same.
    pub(super) fn differing(&self) -> impl Iterator<Item = (&'d Input, &'d Input)> {
        self.differing.iter().copied()
    }

    fn join(&mut self, before: &'d Input, after: &'d Input) {
        let token = Token(self.before.tokens.len());
        self.before.tokens.insert(before, token);
        self.after.tokens.insert(after, token);
        if before != after {
            self.differing.push((before, after));
        }
    }

    /// Pairs those candidates that belong together and are not paired yet.
    fn join_where(&mut self, candidates: &[(&'d Input, &'d Input)], belong: impl Fn(&Input, &Input) -> bool) {
        for (before, after) in candidates {
            let is_free = !self.before.tokens.contains_key(before) && !self.after.tokens.contains_key(after);
            let same_kind = matches!(before, Input::Tree(_)) == matches!(after, Input::Tree(_));
            if is_free && same_kind && belong(before, after) {
                self.join(before, after);
            }
        }
    }

    /// What is mentioned in the same places of texts that are otherwise the same.
    fn places(&self, before: &Derivation, after: &Derivation) -> Vec<(&'d Input, &'d Input)> {
        let variables = before.env.iter().filter_map(|(name, text)| Some((text, after.env.get(name)?)));
        let texts = variables.chain(before.args.iter().zip(&after.args)).chain([(&before.builder, &after.builder)]);
        let mut places = Vec::new();
        for (a, b) in texts {
            let ((a_text, a_inputs), (b_text, b_inputs)) = (self.before.skeleton(a), self.after.skeleton(b));
            if a_text == b_text {
                places.extend(a_inputs.into_iter().zip(b_inputs));
            }
        }
        places
    }
}

/// Every input of one side with every one of the other that has the same package, in order; there may be many of each.
fn every_pair<'d>(left: &BTreeSet<&'d Input>, right: &BTreeSet<&'d Input>) -> Vec<(&'d Input, &'d Input)> {
    let mut by_package: HashMap<&str, Vec<&'d Input>> = HashMap::new();
    right.difference(left).for_each(|input| by_package.entry(package(input)).or_default().push(input));
    let of = |input: &&'d Input| by_package.get(package(input)).into_iter().flatten();
    left.difference(right).flat_map(|input| of(input).map(|other| (*input, *other))).collect()
}

impl<'d> Side<'d> {
    fn of(inputs: &BTreeSet<&'d Input>) -> Self {
        let mut mentions: HashMap<String, Vec<(String, &'d Input)>> = HashMap::new();
        for input in inputs {
            let mention = input.mention();
            mentions.entry(mention[..DIGEST_END].to_owned()).or_default().push((mention, input));
        }
        Self { tokens: BTreeMap::new(), mentions }
    }

    /// What stands for an input.
    pub(super) fn token(&self, input: &Input) -> Token {
        self.tokens.get(input).copied().unwrap_or(Token(usize::MAX))
    }

    /// A text in which what stands for an input is in its place, for comparing. No text has a NUL byte of its own.
    pub(super) fn text(&self, text: &str) -> String {
        self.replace(text, |input| format!("\0{}\0", self.token(input).0))
    }

    /// A text in which inputs are called by their names, for people.
    pub(super) fn shown(&self, text: &str) -> String {
        self.replace(text, |input| match output(input) {
            Some("out") | None => format!("${{{}}}", name(input)),
            Some(output) => format!("${{{}.{output}}}", name(input)),
        })
    }

    /// A text without the inputs in it, and these in order.
    fn skeleton(&self, text: &str) -> (String, Vec<&'d Input>) {
        let mut inputs = Vec::new();
        let text = self.replace(text, |input| {
            inputs.push(input);
            "\0".to_owned()
        });
        (text, inputs)
    }

    fn replace(&self, text: &str, mut with: impl FnMut(&'d Input) -> String) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(STORE_DIR) {
            let (before, found) = rest.split_at(at);
            replaced.push_str(before);
            let found_input = self.mentioned(found);
            let length = found_input.map_or(STORE_DIR.len(), |(_, length)| length);
            match found_input {
                Some((input, _)) => replaced.push_str(&with(input)),
                None => replaced.push_str(STORE_DIR),
            }
            rest = &found[length..];
        }
        replaced + rest
    }

    /// The input that a text begins with, and how long the mention is. Of two names of a tree the longer one is meant.
    fn mentioned(&self, text: &str) -> Option<(&'d Input, usize)> {
        let candidates = self.mentions.get(text.get(..DIGEST_END)?)?;
        let meant = candidates.iter().filter(|(mention, _)| text.starts_with(mention.as_str()));
        meant.max_by_key(|(mention, _)| mention.len()).map(|(mention, input)| (*input, mention.len()))
    }
}

/// The name of what an input is.
fn name(input: &Input) -> &str {
    let name = match input {
        Input::Tree(path) | Input::Output { derivation: path, .. } => path.name().as_str(),
    };
    name.strip_suffix(".drv").unwrap_or(name)
}

/// The name without a version.
fn package(input: &Input) -> &str {
    match input {
        Input::Tree(path) | Input::Output { derivation: path, .. } => path.name().name_and_version().0,
    }
}

fn output(input: &Input) -> Option<&str> {
    match input {
        Input::Tree(_) => None,
        Input::Output { output, .. } => Some(output.as_str()),
    }
}
