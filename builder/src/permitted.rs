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
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use store::local::{At, IoError, Sealed};
use store::reference::ReferenceScanner;
use store::{Derivation, Node, OutputName, StorePath, TreeDigest, TreePath};

/// The attribute with the lists of each output, if attributes are structured.
const BY_OUTPUT: &str = "outputChecks";

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
            Some(file) if file.components().is_empty() => write!(f, "; it mentions ")?,
            Some(file) => write!(f, "; /{file} mentions ")?,
            None => write!(f, "; it declares ")?,
        }
        match before.split_first() {
            None => f.write_str("it"),
            Some((first, between)) => {
                f.write_str(first)?;
                between.iter().try_for_each(|path| write!(f, ", that needs {path}"))?;
                f.write_str(", that needs it")
            }
        }
    }
}

/// All of them, a line each.
pub(crate) fn lines(forbidden: &[Forbidden]) -> String {
    forbidden.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
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

impl Builder<'_> {
    /// Fails if an output needs what its derivation does not permit.
    pub(crate) fn check_references(
        &self,
        resolved: &Resolved,
        outputs: &[(OutputName, Sealed)],
    ) -> Result<(), BuildError> {
        let mut forbidden = Vec::new();
        for (output, sealed) in outputs {
            let rules = rules(resolved.action.resolved(), output)?;
            if rules.is_empty() {
                continue;
            }
            let needed = self.needed(resolved, sealed, rules.iter().any(|(rule, _)| rule.is_deep()))?;
            for (rule, listed) in &rules {
                let wrong = needed.iter().filter(|chain| {
                    let (tree, _) = chain.last().expect("something is needed");
                    (rule.is_deep() || chain.len() == 1) && !rule.permits(listed.contains(tree))
                });
                for chain in wrong {
                    let file = mentioning(sealed, &chain[0].0)?;
                    let chain = chain.iter().map(|(_, shown)| shown.clone()).collect();
                    forbidden.push(Forbidden { output: output.clone(), rule: *rule, chain, file });
                }
            }
        }
        if forbidden.is_empty() { Ok(()) } else { Err(BuildError::Forbidden(forbidden)) }
    }

    /// All that an output needs, each with what leads to it: at first hand, or all of it.
    fn needed(
        &self,
        resolved: &Resolved,
        sealed: &Sealed,
        deep: bool,
    ) -> Result<Vec<Vec<(TreeDigest, String)>>, BuildError> {
        // Only what is published is found by its digest, and only its needs are known.
        self.settle()?;
        let mut trees = sealed.references().clone();
        trees.extend(resolved.action.runtime().iter().filter_map(StorePath::tree));
        let named = |path: &StorePath| Some((path.tree()?, path.to_string()));
        let (mut direct, mut paths) = (Vec::new(), Vec::new());
        for tree in trees {
            let mut declared = resolved.action.runtime().iter().chain(resolved.action.inputs());
            let path = declared.find(|path| path.tree() == Some(tree)).cloned();
            let path = path.or_else(|| self.store().lookup(&tree.to_string()).ok());
            direct.push(vec![(tree, path.as_ref().map_or_else(|| tree.to_string(), ToString::to_string))]);
            paths.extend(path);
        }
        if !deep {
            return Ok(direct);
        }
        let graph = self.store().closure_graph(&paths)?;
        let first: Vec<_> = paths.iter().filter_map(|path| graph.number(path)).collect();
        let behind = (0..graph.len()).filter(|number| !first.contains(number));
        let chains = behind.filter_map(|number| {
            let chain = first.iter().filter_map(|from| graph.shortest(*from, number)).min_by_key(Vec::len)?;
            chain.into_iter().map(|number| named(graph.path(number))).collect()
        });
        direct.extend(chains);
        Ok(direct)
    }
}

/// The first file or link of a tree that mentions another tree.
fn mentioning(sealed: &Sealed, tree: &TreeDigest) -> Result<Option<TreePath>, IoError> {
    if !sealed.references().contains(tree) {
        return Ok(None);
    }
    let mut candidates = vec![(TreePath::default(), sealed.listing().root().clone())];
    sealed.listing().walk(&mut |path, node| candidates.push((path.clone(), node.clone())));
    for (path, node) in candidates {
        let mut scanner = ReferenceScanner::default();
        match node {
            Node::File { .. } => {
                let names = path.components().iter().map(|name| std::ffi::OsStr::from_bytes(name.as_bytes()));
                let place = names.fold(sealed.path().to_owned(), |place, name| place.join(name));
                let mut file = File::open(&place).at("open", &place)?;
                let mut piece = vec![0; PIECE];
                loop {
                    match file.read(&mut piece).at("read", &place)? {
                        0 => break,
                        read => scanner.update(&piece[..read]),
                    }
                }
            }
            Node::Symlink { target } => scanner.scan_content(&target),
            Node::Directory { .. } => continue,
        }
        if scanner.finish().contains(tree) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
