//! Graphs that builds make: derivations as the content of a file, with which the plan goes on (`builtin:graph`). Pure.
//!
//! ```text
//! { "version": 1,
//!   "result": NAME,                           whose output `out` the graph comes to
//!   "derivations": { NAME: {                  the name is that of the derivation
//!       "builder": text, "args": [text…], "env": { name: text… }, "outputs": [name…],
//!       "root": [reference…], "override": [reference…], "runtime": [reference…] } … } }
//! ```
//!
//! A *reference* is `@{NAME}` or `@{NAME!OUTPUT}`, an output of a derivation of the same graph, or the store path of a tree that the
//! derivation with `builtin:graph` itself has among its inputs. Texts may have both anywhere. All but `builder` may be left out; the
//! system is that of the derivation with `builtin:graph`.
//!
//! *Invariants:* who wrote the file is not trusted. What it makes sees trees that the derivation named already, and what the graph itself
//! makes; nothing is fetched, for a URL could tell what the build has seen; there are no cycles, for a derivation is made after what it
//! names; sizes are limited.

mod reference;

use reference::{Allowed, Part, Parts};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use store::derivation::{DerivationError, OutputName};
use store::{Derivation, Input, StoreName, StorePath};

/// Bytes of a file with a graph.
pub(crate) const MOST_BYTES: u64 = 64 << 20;

/// Derivations of a graph.
const MOST_DERIVATIONS: usize = 100_000;

/// Bytes of all texts of a graph when what they refer to is put in.
const MOST_TEXT: usize = 64 << 20;

/// A graph whose derivations are made.
#[derive(Debug)]
pub(crate) struct Graph {
    /// Those that others name stand before them.
    pub(crate) derivations: Vec<Derivation>,
    /// The derivation that it comes to.
    pub(crate) result: StorePath,
}

/// A file that is no graph, or none that is allowed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GraphError {
    #[error("not a graph: {0}")]
    Syntax(#[from] serde_json::Error),
    #[error("version {0} of graphs is not known: 1 is")]
    Version(u64),
    #[error("{0} derivations: a graph has {MOST_DERIVATIONS} at most")]
    TooMany(usize),
    #[error("its texts are larger than {} MiB", MOST_TEXT >> 20)]
    TooLarge,
    #[error("`{0}` is no name: {1}")]
    Name(String, String),
    #[error("`{by}` refers to `{reference}`: {why}")]
    Reference { by: String, reference: String, why: &'static str },
    #[error("derivations need each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    #[error("`{0}` is to fetch something: a graph that a build made may not")]
    Fetch(String),
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    #[error("the result `{0}` is no derivation of the graph with an output `out`")]
    Result(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    result: String,
    derivations: BTreeMap<String, Step>,
}

/// A derivation as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    builder: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    root: Vec<String>,
    #[serde(default, rename = "override")]
    overrides: Vec<String>,
    #[serde(default)]
    runtime: Vec<String>,
    #[serde(default)]
    outputs: Vec<String>,
}

impl Step {
    fn texts(&self) -> impl Iterator<Item = &String> {
        [&self.builder].into_iter().chain(&self.args).chain(self.env.values())
    }

    fn references(&self) -> impl Iterator<Item = &String> {
        self.root.iter().chain(&self.overrides).chain(&self.runtime)
    }

    /// Names of the derivations that it refers to, each once.
    fn needs(&self) -> BTreeSet<&str> {
        self.texts().chain(self.references()).flat_map(|text| Parts(text)).filter_map(Part::name).collect()
    }
}

impl Graph {
    /// Makes the derivations of a graph. They may name the trees in `allowed`, and are built on `system`.
    pub(crate) fn parse(bytes: &[u8], allowed: &BTreeSet<StorePath>, system: &str) -> Result<Self, GraphError> {
        let file: File = serde_json::from_slice(bytes)?;
        if file.version != 1 {
            return Err(GraphError::Version(file.version));
        }
        if file.derivations.len() > MOST_DERIVATIONS {
            return Err(GraphError::TooMany(file.derivations.len()));
        }
        let order = order(&file.derivations)?;
        let allowed = Allowed::new(allowed);
        let mut made = Made { allowed, system, outputs: BTreeMap::new(), text: 0 };
        let derivations: Vec<_> =
            order.into_iter().map(|name| made.make(name, &file.derivations[name])).collect::<Result<_, _>>()?;
        match made.outputs.get(&(file.result.clone(), OutputName::out())) {
            Some((Input::Output { derivation, .. }, _)) => Ok(Self { derivations, result: derivation.clone() }),
            _ => Err(GraphError::Result(file.result)),
        }
    }
}

/// Names in an order in which each comes after those that it refers to.
fn order(steps: &BTreeMap<String, Step>) -> Result<Vec<&str>, GraphError> {
    let mut order = Vec::new();
    // What is being looked behind is not done yet.
    let mut seen: BTreeMap<&str, bool> = BTreeMap::new();
    for start in steps.keys().map(String::as_str) {
        let mut path: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut next = Some(start);
        loop {
            if let Some(name) = next.take() {
                match (seen.get(name), steps.get(name)) {
                    // A name that is not there is told of by who refers to it.
                    (Some(true), _) | (None, None) => {}
                    (Some(false), _) => return Err(cycle(&path, name)),
                    (None, Some(step)) => {
                        seen.insert(name, false);
                        path.push((name, step.needs().into_iter().collect()));
                    }
                }
            }
            let Some((name, needs)) = path.last_mut() else { break };
            next = needs.pop();
            if next.is_none() {
                seen.insert(name, true);
                order.push(*name);
                path.pop();
            }
        }
    }
    Ok(order)
}

fn cycle(path: &[(&str, Vec<&str>)], again: &str) -> GraphError {
    let names = path.iter().map(|(name, _)| *name).skip_while(|name| *name != again);
    GraphError::Cycle(names.chain([again]).map(str::to_owned).collect())
}

/// What is made so far.
struct Made<'g> {
    allowed: Allowed<'g>,
    system: &'g str,
    /// Outputs, and the texts that stand for them.
    outputs: BTreeMap<(String, OutputName), (Input, String)>,
    /// Bytes of all texts.
    text: usize,
}

impl Made<'_> {
    fn make(&mut self, name: &str, step: &Step) -> Result<Derivation, GraphError> {
        let wrong = |error: &dyn std::fmt::Display| GraphError::Name(name.to_owned(), error.to_string());
        let list = |references: &[String]| -> Result<Vec<Input>, GraphError> {
            references.iter().map(|reference| self.input(name, reference)).collect()
        };
        let (root, overrides, runtime) = (list(&step.root)?, list(&step.overrides)?, list(&step.runtime)?);
        let outputs = step.outputs.iter().map(|output| output.parse::<OutputName>());
        let mut outputs = outputs.collect::<Result<BTreeSet<_>, _>>().map_err(|error| wrong(&error))?;
        if step.outputs.is_empty() {
            outputs.insert(OutputName::out());
        }
        let (mut inputs, system) = (BTreeSet::new(), self.system.to_owned());
        let mut text = |text: &String| self.fill(name, text, &mut inputs);
        let derivation = Derivation {
            name: StoreName::parse(name).map_err(|error| wrong(&error))?,
            system,
            builder: text(&step.builder)?,
            args: step.args.iter().map(&mut text).collect::<Result<_, _>>()?,
            env: step
                .env
                .iter()
                .map(|(name, value)| Ok((name.clone(), text(value)?)))
                .collect::<Result<_, GraphError>>()?,
            inputs,
            root,
            overrides,
            runtime,
            outputs,
            fixed: None,
        };
        derivation.check()?;
        if derivation.builtin() == Some("fetch") {
            return Err(GraphError::Fetch(name.to_owned()));
        }
        let path = derivation.store_path().map_err(|error| wrong(&error))?;
        for output in &derivation.outputs {
            let input = Input::Output { derivation: path.clone(), output: output.clone() };
            let mention = input.mention();
            self.outputs.insert((name.to_owned(), output.clone()), (input, mention));
        }
        Ok(derivation)
    }

    /// What a reference stands for that is one as a whole.
    fn input(&self, by: &str, reference: &str) -> Result<Input, GraphError> {
        let mut parts = Parts(reference);
        if let (Some(Part::Reference(inside)), None) = (parts.next(), parts.next()) {
            return self.output(by, inside).map(|(input, _)| input.clone());
        }
        let path = reference.parse::<StorePath>().ok().filter(|path| self.allowed.paths.contains(path));
        path.map(Input::Tree).ok_or_else(|| GraphError::Reference {
            by: by.to_owned(),
            reference: reference.to_owned(),
            why: "neither `@{NAME}` nor a tree that the derivation with builtin:graph names",
        })
    }

    fn output(&self, by: &str, inside: &str) -> Result<&(Input, String), GraphError> {
        let (name, output) = inside.split_once('!').unwrap_or((inside, "out"));
        let known = output.parse().ok().and_then(|output| self.outputs.get(&(name.to_owned(), output)));
        known.ok_or_else(|| GraphError::Reference {
            by: by.to_owned(),
            reference: format!("@{{{inside}}}"),
            why: "the graph has no such derivation, or that no such output",
        })
    }

    /// A text with the outputs it refers to put in, noting these and the trees it mentions.
    fn fill(&mut self, by: &str, text: &str, inputs: &mut BTreeSet<Input>) -> Result<String, GraphError> {
        let mut filled = String::with_capacity(text.len());
        for part in Parts(text) {
            match part {
                Part::Plain(plain) => filled.push_str(plain),
                Part::Reference(inside) => {
                    let (input, mention) = self.output(by, inside)?;
                    filled.push_str(mention);
                    if !inputs.contains(input) {
                        inputs.insert(input.clone());
                    }
                }
            }
            if self.text + filled.len() > MOST_TEXT {
                return Err(GraphError::TooLarge);
            }
        }
        self.text += filled.len();
        inputs.extend(self.allowed.mentioned(&filled).cloned().map(Input::Tree));
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::TreeDigest;

    fn tree(byte: u8) -> StorePath {
        let name = StoreName::parse("tree").expect("valid");
        StorePath::from_tree(TreeDigest::from_bytes([byte; 32]), name).expect("valid")
    }

    fn parse(text: &str) -> Result<Graph, GraphError> {
        Graph::parse(text.as_bytes(), &BTreeSet::from([tree(1)]), "x-linux")
    }

    /// Why a graph with these derivations and the result `a` is refused.
    fn refusal(derivations: &str) -> String {
        let text = format!(r#"{{"version":1,"result":"a","derivations":{{{derivations}}}}}"#);
        parse(&text).map(|graph| format!("{graph:?}")).unwrap_err().to_string()
    }

    #[test]
    fn derivations_name_trees_and_each_other() {
        let text = format!(
            r#"{{"version":1,"result":"top","derivations":{{
                "top":{{"builder":"/b","args":["x @{{base!dev}} @ {{ y@{{base}}/f"],"root":["{tree}","@{{base}}"]}},
                "base":{{"builder":"/b","outputs":["out","dev"],"env":{{"t":"{tree}/f"}}}}}}}}"#,
            tree = tree(1)
        );
        let Graph { derivations, result } = parse(&text).unwrap();
        let [base, top] = &derivations[..] else { panic!("{derivations:?}") };
        let input =
            |output: &str| Input::Output { derivation: base.store_path().unwrap(), output: output.parse().unwrap() };
        assert_eq!((base.name.as_str(), &base.system[..], &result), ("base", "x-linux", &top.store_path().unwrap()));
        assert_eq!(base.inputs, BTreeSet::from([Input::Tree(tree(1))]));
        assert_eq!(top.inputs, BTreeSet::from([input("out"), input("dev")]));
        assert_eq!(top.root, [Input::Tree(tree(1)), input("out")]);
        let mentions = [input("dev").mention(), input("out").mention()];
        assert_eq!(top.args, [format!("x {} @ {{ y{}/f", mentions[0], mentions[1])]);
    }

    #[test]
    fn what_is_not_allowed_is_refused_with_the_reason() {
        assert!(
            refusal(r#""a":{"builder":"@{b}"},"b":{"builder":"@{c}"},"c":{"builder":"/x","root":["@{b}"]}"#)
                .ends_with("need each other: b -> c -> b")
        );
        assert!(refusal(r#""a":{"builder":"@{a}"}"#).ends_with("a -> a"));
        assert!(refusal(r#""a":{"builder":"@{z}"}"#).contains("`a` refers to `@{z}`"));
        assert!(refusal(r#""a":{"builder":"@{b!dev}"},"b":{"builder":"/x"}"#).contains("`@{b!dev}`"));
        assert!(refusal(&format!(r#""a":{{"builder":"/x","root":["{}"]}}"#, tree(2))).contains("neither"));
        assert!(refusal(r#""a":{"builder":"/x","runtime":["/etc"]}"#).contains("`/etc`"));
        assert!(refusal(r#""a":{"builder":"builtin:fetch","env":{"urls":"http://x"}}"#).contains("fetch"));
        assert!(refusal(r#""a":{"builder":"/x","fixed":{}}"#).contains("unknown field"));
        assert!(refusal(r#""a":{"builder":"/x","outputs":["a/b"]}"#).contains("a/b"));
        assert!(refusal(r#""a":{"builder":"/x","env":{"A=B":"c"}}"#).contains("A=B"));
        assert!(refusal(r#""../a":{"builder":"/x"}"#).contains("`../a`"));
        assert!(refusal(r#""b":{"builder":"/x"}"#).contains("result `a`"));
        assert!(parse(r#"{"version":2,"result":"a","derivations":{}}"#).unwrap_err().to_string().contains("version 2"));
        assert!(parse("nonsense").unwrap_err().to_string().contains("not a graph"));
    }

    #[test]
    fn a_mention_of_a_tree_that_may_not_be_named_is_no_input() {
        let text =
            format!(r#"{{"version":1,"result":"a","derivations":{{"a":{{"builder":"/b","args":["{}"]}}}}}}"#, tree(2));
        assert_eq!(parse(&text).unwrap().derivations[0].inputs, BTreeSet::new());
    }

    #[test]
    fn long_chains_and_texts_that_grow_are_bounded() {
        let step = |number: usize| format!(r#""d{number}":{{"builder":"@{{d{}}}"}}"#, number + 1);
        let steps: Vec<_> = (0..50_000).map(step).collect();
        let chain = format!(
            r#"{{"version":1,"result":"d0","derivations":{{{},"d50000":{{"builder":"/x"}}}}}}"#,
            steps.join(",")
        );
        assert_eq!(parse(&chain).unwrap().derivations.len(), 50_001);
        let large = format!(r#""a":{{"builder":"/x","args":["{}"]}},"b":{{"builder":"/x"}}"#, "@{b}".repeat(1 << 20));
        assert!(refusal(&large).contains("larger than"));
        let open = format!(r#""a":{{"builder":"{}"}}"#, "@{".repeat(1 << 20));
        assert!(parse(&format!(r#"{{"version":1,"result":"a","derivations":{{{open}}}}}"#)).is_ok());
    }
}
