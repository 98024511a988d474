//! Why a derivation is to be realised: what is different from the one of the same name that was built last. Pure.

use std::collections::BTreeMap;
use store::{Derivation, Input};

/// Why a derivation is to be realised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
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

/// What is different, each thing as a few words.
fn changes(last: &Derivation, now: &Derivation) -> Vec<String> {
    let mut changes = Vec::new();
    let mut differ = |what: &str, differs: bool| changes.extend(differs.then(|| what.to_owned()));
    differ("the system", last.system != now.system);
    differ("the builder", last.builder != now.builder);
    differ("the arguments", masked(&last.args) != masked(&now.args));
    differ("the outputs", last.outputs != now.outputs);
    differ("the expected hash", last.fixed != now.fixed);
    changes.extend(different(&variables(last), &variables(now)).into_iter().map(|name| format!("the variable {name}")));
    changes.extend(different(&inputs(last), &inputs(now)).into_iter().map(|name| format!("the input {name}")));
    if changes.is_empty() {
        // Of the same inputs in another order, or as other kinds of input.
        changes.push("how its inputs are used".to_owned());
    }
    changes
}

/// The keys under which two maps have different values, or only one of them has any.
fn different<V: PartialEq>(last: &BTreeMap<String, V>, now: &BTreeMap<String, V>) -> Vec<String> {
    let mut keys: Vec<_> =
        last.keys().chain(now.keys()).filter(|key| last.get(*key) != now.get(*key)).cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn variables(derivation: &Derivation) -> BTreeMap<String, String> {
    derivation.env.iter().map(|(name, value)| (name.clone(), mask(value))).collect()
}

/// The inputs, by names for people.
fn inputs(derivation: &Derivation) -> BTreeMap<String, Vec<String>> {
    let mut inputs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for input in derivation.all_inputs() {
        let path = match &input {
            Input::Output { derivation, .. } => derivation,
            Input::Tree(path) => path,
        };
        let name = path.name().as_str();
        inputs.entry(name.strip_suffix(".drv").unwrap_or(name).to_owned()).or_default().push(input.to_string());
    }
    inputs.values_mut().for_each(|inputs| inputs.sort_unstable());
    inputs
}

fn masked(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| mask(text)).collect()
}

/// A text without the digests in its store paths: that an input changed is said of the input.
fn mask(text: &str) -> String {
    const STORE: &str = "/larder/store/";
    let mut parts = text.split(STORE);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digest, rest) = part.split_once('-').unwrap_or(("", part));
        masked.push_str(STORE);
        masked.push_str(if digest.bytes().all(|byte| byte.is_ascii_alphanumeric()) { "" } else { digest });
        masked.push('-');
        masked.push_str(rest);
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
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
        let renamed = changed(&with(tree(1, "zlib-1")), &with(tree(2, "zlib-2")));
        assert_eq!(renamed, ["the variable ZLIB", "the input zlib-1", "the input zlib-2"]);
    }
}
