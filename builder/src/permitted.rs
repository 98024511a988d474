//! What outputs may need: `allowedReferences`, `disallowedReferences`, `allowedRequisites` and `disallowedRequisites`, as derivations of
//! Nix have them, or in `outputChecks` for each output of a derivation with structured attributes.
//!
//! *References* of an output are what its files mention and what the derivation declares in `runtime`; *requisites* are all that these need.
//! The names of the derivation's own outputs may stand in the lists and mean nothing: an output never contains its own path.

use crate::builder::Builder;
use crate::error::BuildError;
use crate::passed;
use crate::resolve::Resolved;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use store::local::{At, IoError, LookupError, Sealed};
use store::reference::ReferenceScanner;
use store::{Derivation, Graph, Node, OutputName, StorePath, TreeDigest, TreePath};

/// The attribute with the lists of each output, if attributes are structured.
const BY_OUTPUT: &str = "outputChecks";

/// What is not permitted is told up to so many times for each output.
const MAX_TOLD: usize = 20;

/// And so many paths between what an output needs at first hand and what it must not need.
const MAX_BETWEEN: usize = 6;

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// One of the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    AllowedReferences,
    DisallowedReferences,
    AllowedRequisites,
    DisallowedRequisites,
}

impl Rule {
    const ALL: [Self; 4] =
        [Self::AllowedReferences, Self::DisallowedReferences, Self::AllowedRequisites, Self::DisallowedRequisites];

    const fn attribute(self) -> &'static str {
        match self {
            Self::AllowedReferences => "allowedReferences",
            Self::DisallowedReferences => "disallowedReferences",
            Self::AllowedRequisites => "allowedRequisites",
            Self::DisallowedRequisites => "disallowedRequisites",
        }
    }

    /// Whether it is about all that is needed, not only at first hand.
    const fn is_deep(self) -> bool {
        matches!(self, Self::AllowedRequisites | Self::DisallowedRequisites)
    }

    /// Whether it permits a path that its list has, or has not.
    const fn permits(self, listed: bool) -> bool {
        match self {
            Self::AllowedReferences | Self::AllowedRequisites => listed,
            Self::DisallowedReferences | Self::DisallowedRequisites => !listed,
        }
    }
}

/// Something that an output needs and must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    output: OutputName,
    rule: Rule,
    /// What it needs, with what that is needed by before it if the output does not need it at first hand.
    chain: Vec<String>,
    /// The first file that mentions the first of these.
    file: Option<TreePath>,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (last, before) = self.chain.split_last().expect("something is needed");
        write!(f, "output `{}` needs {last}, which `{}` does not permit", self.output, self.rule.attribute())?;
        match &self.file {
            Some(file) if file.components().is_empty() => write!(f, "; the output itself mentions ")?,
            Some(file) => write!(f, "; /{file} mentions ")?,
            None => write!(f, "; it declares ")?,
        }
        match before.split_first() {
            None => f.write_str("it"),
            Some((first, between)) => {
                f.write_str(first)?;
                let (told, left) = between.split_at(between.len().min(MAX_BETWEEN));
                told.iter().try_for_each(|path| write!(f, ", that needs {path}"))?;
                match left.len() {
                    0 => f.write_str(", that needs it"),
                    left => write!(f, ", that needs it through {left} more"),
                }
            }
        }
    }
}

/// All of them, a line each, and how many there are besides.
pub(crate) fn lines(forbidden: &[Forbidden], more: usize) -> String {
    let mut lines: Vec<_> = forbidden.iter().map(ToString::to_string).collect();
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines.join("\n")
}

/// Fails if what the derivation says of its outputs is malformed, which is told before anything is built.
pub(crate) fn check(derivation: &Derivation) -> Result<(), BuildError> {
    if let Some(attributes) = passed::structured(derivation)? {
        if let Some(rule) = Rule::ALL.iter().find(|rule| attributes.contains_key(rule.attribute())) {
            let problem = format!("where attributes are structured it belongs in `{BY_OUTPUT}.out`");
            return Err(BuildError::attribute(rule.attribute(), problem));
        }
        let checks = attributes.get(BY_OUTPUT).map(Value::as_object);
        let wrong = |problem: String| BuildError::attribute(BY_OUTPUT, problem);
        let checks = checks.map(|checks| checks.ok_or_else(|| wrong("it is not a set".to_owned()))).transpose()?;
        let mut names = checks.into_iter().flat_map(Map::keys);
        if let Some(name) = names.find(|name| !derivation.outputs.iter().any(|output| output.as_str() == *name)) {
            return Err(wrong(format!("there is no output `{}`", name.escape_debug())));
        }
    }
    derivation.outputs.iter().try_for_each(|output| rules(derivation, output).map(drop))
}

/// What the derivation says of one output: each rule with its list.
fn rules(derivation: &Derivation, output: &OutputName) -> Result<Vec<(Rule, BTreeSet<TreeDigest>)>, BuildError> {
    let lists = match passed::structured(derivation)? {
        Some(attributes) => of_output(&attributes, output)?,
        None => {
            let list = |rule: &Rule| Some((*rule, derivation.env.get(rule.attribute())?.clone()));
            Rule::ALL.iter().filter_map(list).collect()
        }
    };
    let read = lists.into_iter().map(|(rule, list)| Ok((rule, trees(derivation, rule, &list)?)));
    read.collect()
}

/// The lists that structured attributes have for an output.
fn of_output(attributes: &Map<String, Value>, output: &OutputName) -> Result<Vec<(Rule, String)>, BuildError> {
    let Some(checks) = attributes.get(BY_OUTPUT).and_then(|all| all.get(output.as_str())) else {
        return Ok(Vec::new());
    };
    let wrong = |problem: String| BuildError::attribute(format!("{BY_OUTPUT}.{output}"), problem);
    let checks = checks.as_object().ok_or_else(|| wrong("it is not a set".to_owned()))?;
    let mut lists = Vec::new();
    for (name, list) in checks {
        let rule = Rule::ALL.into_iter().find(|rule| rule.attribute() == name);
        let rule = rule.ok_or_else(|| wrong(format!("larder does not know `{name}`")))?;
        let items = list.as_array().and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        lists.push((rule, items.ok_or_else(|| wrong(format!("`{name}` is not a list of strings")))?.join(" ")));
    }
    Ok(lists)
}

/// The trees that a list names.
fn trees(derivation: &Derivation, rule: Rule, list: &str) -> Result<BTreeSet<TreeDigest>, BuildError> {
    let mut trees = BTreeSet::new();
    for item in list.split_ascii_whitespace() {
        let tree = item.parse::<StorePath>().ok().and_then(|path| path.tree());
        if tree.is_none() && !derivation.outputs.iter().any(|output| output.as_str() == item) {
            let problem = format!("`{}` is neither a store path nor an output", item.escape_debug());
            return Err(BuildError::attribute(rule.attribute(), problem));
        }
        trees.extend(tree);
    }
    Ok(trees)
}

/// What an output needs, in the order of how far away it is.
#[derive(Default)]
struct Needed {
    trees: Vec<Need>,
}

struct Need {
    tree: TreeDigest,
    /// Its store path, as far as it is known.
    shown: String,
    /// Which other need it is needed by; none at first hand.
    by: Option<usize>,
}

impl Needed {
    /// What leads from the output to a need, that itself last.
    fn chain(&self, number: usize) -> Vec<&Need> {
        let mut chain: Vec<_> =
            std::iter::successors(Some(number), |number| self.trees[*number].by).map(|at| &self.trees[at]).collect();
        chain.reverse();
        chain
    }

    /// Adds all that is needed by what is needed at first hand; `starts` says which path is which of these.
    fn add_behind(&mut self, graph: &Graph, starts: &[(StorePath, usize)]) {
        let numbers = graph.numbers();
        let mut seen = vec![false; graph.len()];
        let starts = starts.iter().filter_map(|(path, need)| Some((*numbers.get(path)?, *need)));
        let mut pending: VecDeque<_> = starts.collect();
        pending.iter().for_each(|(number, _)| seen[*number] = true);
        while let Some((number, by)) = pending.pop_front() {
            for (to, _) in graph.needs(number) {
                let path = graph.path(*to);
                if let Some(tree) = path.tree().filter(|_| !std::mem::replace(&mut seen[*to], true)) {
                    pending.push_back((*to, self.trees.len()));
                    self.trees.push(Need { tree, shown: path.to_string(), by: Some(by) });
                }
            }
        }
    }
}

impl Builder<'_> {
    /// Fails if an output needs what its derivation does not permit.
    pub(crate) fn check_references(
        &self,
        resolved: &Resolved,
        outputs: &[(OutputName, Sealed)],
    ) -> Result<(), BuildError> {
        let (mut forbidden, mut more) = (Vec::new(), 0);
        for (output, sealed) in outputs {
            let rules = rules(resolved.action.resolved(), output)?;
            if rules.is_empty() {
                continue;
            }
            let needed = self.needed(resolved, sealed, rules.iter().any(|(rule, _)| rule.is_deep()))?;
            let mut wrong: Vec<_> = rules.iter().flat_map(|(rule, listed)| wrong(&needed, *rule, listed)).collect();
            // A chain for each would take the square of what the output needs.
            more += wrong.len().saturating_sub(MAX_TOLD);
            wrong.truncate(MAX_TOLD);
            let wrong: Vec<_> = wrong.into_iter().map(|(rule, number)| (rule, needed.chain(number))).collect();
            let firsts = wrong.iter().map(|(_, chain)| chain[0].tree).collect();
            let files = mentioning(sealed, firsts, &|| self.is_cancelled())?;
            forbidden.extend(wrong.into_iter().map(|(rule, chain)| Forbidden {
                output: output.clone(),
                rule,
                file: files.get(&chain[0].tree).cloned(),
                chain: chain.into_iter().map(|need| need.shown.clone()).collect(),
            }));
        }
        if forbidden.is_empty() { Ok(()) } else { Err(BuildError::Forbidden { forbidden, more }) }
    }

    /// What an output needs: at first hand, or all of it.
    fn needed(&self, resolved: &Resolved, sealed: &Sealed, deep: bool) -> Result<Needed, BuildError> {
        // Only what is published is found by its digest, and only its needs are known.
        self.settle()?;
        let mut trees = sealed.references().clone();
        trees.extend(resolved.action.runtime().iter().filter_map(StorePath::tree));
        let (mut needed, mut starts) = (Needed::default(), Vec::new());
        for tree in trees {
            let paths = self.paths_of(resolved, tree)?;
            let shown = paths.first().map_or_else(|| tree.to_string(), ToString::to_string);
            starts.extend(paths.into_iter().map(|path| (path, needed.trees.len())));
            needed.trees.push(Need { tree, shown, by: None });
        }
        if deep {
            let paths: Vec<_> = starts.iter().map(|(path, _)| path.clone()).collect();
            needed.add_behind(&self.store().closure_graph(&paths)?, &starts);
        }
        Ok(needed)
    }

    /// The store paths of a tree: the one that the derivation names, or all that the store has. None for what only looks like one.
    fn paths_of(&self, resolved: &Resolved, tree: TreeDigest) -> Result<Vec<StorePath>, BuildError> {
        let mut declared = resolved.action.runtime().iter().chain(resolved.action.inputs());
        if let Some(path) = declared.find(|path| path.tree() == Some(tree)) {
            return Ok(vec![path.clone()]);
        }
        match self.store().lookup(&tree.to_string()) {
            Ok(path) => Ok(vec![path]),
            Err(LookupError::Ambiguous { candidates, .. }) => Ok(candidates),
            Err(LookupError::Unknown(_) | LookupError::Form(_)) => Ok(Vec::new()),
            Err(LookupError::Store(error)) => Err(error.into()),
        }
    }
}

/// What a rule does not permit, by number.
fn wrong(needed: &Needed, rule: Rule, listed: &BTreeSet<TreeDigest>) -> Vec<(Rule, usize)> {
    let numbers = 0..needed.trees.len();
    let concerned = numbers.filter(|number| rule.is_deep() || needed.trees[*number].by.is_none());
    let wrong = concerned.filter(|number| !rule.permits(listed.contains(&needed.trees[*number].tree)));
    wrong.map(|number| (rule, number)).collect()
}

/// The first file or link of a tree that mentions each of these others, as far as one does.
fn mentioning(
    sealed: &Sealed,
    mut sought: BTreeSet<TreeDigest>,
    cancelled: &dyn Fn() -> bool,
) -> Result<BTreeMap<TreeDigest, TreePath>, BuildError> {
    sought.retain(|tree| sealed.references().contains(tree));
    let mut found = BTreeMap::new();
    if sought.is_empty() {
        return Ok(found);
    }
    let mut candidates = vec![(TreePath::default(), sealed.listing().root().clone())];
    sealed.listing().walk(&mut |path, node| candidates.push((path.clone(), node.clone())));
    let mut piece = vec![0; PIECE];
    for (path, node) in candidates {
        if cancelled() {
            return Err(BuildError::Cancelled);
        }
        for tree in mentions(sealed, &path, &node, &mut piece)?.intersection(&sought) {
            found.entry(*tree).or_insert_with(|| path.clone());
        }
        if found.len() == sought.len() {
            break;
        }
    }
    Ok(found)
}

/// The trees that one file or link mentions.
fn mentions(sealed: &Sealed, path: &TreePath, node: &Node, piece: &mut [u8]) -> Result<BTreeSet<TreeDigest>, IoError> {
    let mut scanner = ReferenceScanner::default();
    match node {
        Node::File { .. } => {
            let names = path.components().iter().map(|name| OsStr::from_bytes(name.as_bytes()));
            let place = names.fold(sealed.path().to_owned(), |place, name| place.join(name));
            let mut file = File::open(&place).at("open", &place)?;
            loop {
                match file.read(piece).at("read", &place)? {
                    0 => break,
                    read => scanner.update(&piece[..read]),
                }
            }
        }
        Node::Symlink { target } => scanner.scan_content(target),
        Node::Directory { .. } => {}
    }
    Ok(scanner.finish())
}
