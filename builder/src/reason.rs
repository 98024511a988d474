//! Why a derivation is to be realised: what is different from the one of the same name that was built last. Pure.

use store::difference::{Change, between};
use store::{Derivation, Input};

/// Why a derivation is to be realised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is there, but is to be built again.
    Asked,
    /// None of its name was ever built here.
    Never,
    /// It was built, but what came out was collected.
    Collected,
    /// The last one of its name was different.
    Changed(Vec<String>),
}

/// Why `now`, which was never built, is to be realised, if `last` of the same name was built last.
#[must_use]
pub(crate) fn reason(last: Option<&Derivation>, now: &Derivation) -> Reason {
    match last {
        None => Reason::Never,
        Some(last) => Reason::Changed(changes(last, now)),
    }
}

/// What is different, each thing once and as a few words.
fn changes(last: &Derivation, now: &Derivation) -> Vec<String> {
    let (changes, inputs) = between(last, now);
    let mut words = Vec::new();
    let inputs = inputs.into_iter().map(|(_, after)| input(after));
    for text in changes.iter().map(words_of).chain(inputs) {
        if !words.contains(&text) {
            words.push(text);
        }
    }
    words
}

fn words_of(change: &Change) -> String {
    match change {
        Change::Name(..) => "the name".to_owned(),
        Change::System(..) => "the system".to_owned(),
        Change::Builder(..) => "the builder".to_owned(),
        Change::Argument(..) => "the arguments".to_owned(),
        Change::Variable(name, ..) => format!("the variable {name}"),
        Change::Came(changed, _) | Change::Went(changed, _) => input(changed),
        Change::Order(_) => "the order of its inputs".to_owned(),
        Change::Outputs(..) => "the outputs".to_owned(),
        Change::Fixed(..) => "the expected hash".to_owned(),
        Change::Content | Change::Unknown(_) => "an input".to_owned(),
    }
}

/// An input, by its name for people.
fn input(input: &Input) -> String {
    let name = input.path().name().as_str();
    format!("the input {}", name.strip_suffix(".drv").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use store::{OutputName, StoreName, StorePath, TreeDigest};

    fn derivation(change: impl FnOnce(&mut Derivation)) -> Derivation {
        let mut derivation = Derivation {
            name: StoreName::parse("hello-1").expect("valid"),
            system: "s".to_owned(),
            builder: "/b".to_owned(),
            args: vec!["-e".to_owned()],
            env: BTreeMap::from([("FLAGS".to_owned(), "-O2".to_owned())]),
            inputs: BTreeSet::new(),
            root: Vec::new(),
            overrides: Vec::new(),
            runtime: Vec::new(),
            outputs: BTreeSet::from([OutputName::out()]),
            fixed: None,
        };
        change(&mut derivation);
        derivation
    }

    fn tree(byte: u8, name: &str) -> StorePath {
        StorePath::from_tree(TreeDigest::from_bytes([byte; 32]), StoreName::parse(name).expect("valid")).expect("valid")
    }

    fn changed(last: &Derivation, now: &Derivation) -> Vec<String> {
        match reason(Some(last), now) {
            Reason::Changed(changes) => changes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_changed_is_named() {
        let last = derivation(|_| {});
        assert_eq!(reason(None, &last), Reason::Never);
        let now = derivation(|derivation| {
            derivation.args.push("x".to_owned());
            derivation.env.insert("FLAGS".to_owned(), "-O3".to_owned());
            derivation.env.insert("NEW".to_owned(), String::new());
        });
        assert_eq!(changed(&last, &now), ["the arguments", "the variable FLAGS", "the variable NEW"]);
    }

    #[test]
    fn a_changed_input_is_named_once_and_not_the_texts_that_mention_it() {
        let with = |zlib: StorePath| {
            derivation(|derivation| {
                derivation.env.insert("ZLIB".to_owned(), format!("{zlib}/lib:{zlib}/include"));
                derivation.inputs = BTreeSet::from([Input::Tree(zlib)]);
                derivation.root = vec![Input::Tree(tree(9, "seed"))];
            })
        };
        assert_eq!(changed(&with(tree(1, "zlib-1")), &with(tree(2, "zlib-1"))), ["the input zlib-1"]);
        assert_eq!(changed(&with(tree(1, "zlib-1")), &with(tree(2, "zlib-2"))), ["the input zlib-2"]);
    }

    #[test]
    fn inputs_that_come_and_go_and_their_order_are_named() {
        let rooted = |trees: &[StorePath]| {
            let root = trees.iter().cloned().map(Input::Tree).collect();
            derivation(|derivation| derivation.root = root)
        };
        let (a, b) = (tree(1, "a"), tree(2, "b"));
        assert_eq!(changed(&rooted(std::slice::from_ref(&a)), &rooted(&[a.clone(), b.clone()])), ["the input b"]);
        assert_eq!(changed(&rooted(&[a.clone(), b.clone()]), &rooted(&[b, a])), ["the order of its inputs"]);
    }
}
