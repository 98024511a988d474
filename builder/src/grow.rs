//! Growing a plan: reading the graph that a build made, and planning what it says.

use crate::builder::Builder;
use crate::error::BuildError;
use crate::graph::{Graph, MOST_BYTES};
use crate::plan::{Plan, PlanSource, plan};
use crate::resolve::Resolved;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::derivation::OutputName;
use store::local::{At, Sealed};
use store::{Derivation, EncodedDerivation, Input, Node, StorePath};

/// The builder whose derivations grow the plan.
const BUILDER: &str = "graph";

/// What must be done before a derivation with a graph can be realised.
#[derive(Debug)]
pub(crate) struct Growth {
    /// Everything of the graph that is not realised.
    pub(crate) plan: Plan,
    /// The derivation that the graph comes to.
    pub(crate) result: StorePath,
}

impl Builder<'_> {
    /// What a derivation whose inputs are all valid has to wait for besides them, if it has a graph that is not realised.
    pub(crate) fn grow(
        &self,
        path: &StorePath,
        derivation: &Derivation,
        known: &BTreeMap<Input, StorePath>,
        again: bool,
    ) -> Result<Option<Growth>, BuildError> {
        if derivation.builtin() != Some(BUILDER) {
            return Ok(None);
        }
        let resolved = self.resolve(path, derivation, known)?;
        if !again && self.find(derivation, &resolved)?.is_some() {
            return Ok(None);
        }
        self.settle()?;
        let Graph { derivations, result } = self.read_graph(&resolved)?;
        let encoded = derivations.into_iter().map(|derivation| Ok(Arc::new(EncodedDerivation::new(derivation)?)));
        let encoded = encoded.collect::<Result<Vec<_>, store::local::StoreError>>()?;
        self.store().add_derivations(&encoded)?;
        let plan = plan(self.store(), std::slice::from_ref(&result), &|_| false)?;
        Ok((!plan.jobs.is_empty()).then_some(Growth { plan, result }))
    }

    /// The tree that a graph, of which everything is realised, comes to.
    pub(crate) fn graph_result(&self, resolved: &Resolved) -> Result<Sealed, BuildError> {
        let result = self.read_graph(resolved)?.result;
        let digest = result.derivation().ok_or_else(|| wrong("its result is no derivation"))?;
        let derivation = PlanSource::derivation(self.store(), &digest)?;
        let outputs = PlanSource::outputs(self.store(), &result, &derivation)?.unwrap_or_default();
        let path = outputs.get(&OutputName::out()).ok_or_else(|| wrong(&format!("{result} is not realised")))?;
        let tree = path.tree().ok_or_else(|| wrong("its result is no tree"))?;
        let mentions = self.store().mentions(&tree)?;
        Ok(self.store().stage_listing(&self.store().listing(&tree)?, Some(mentions))?)
    }

    fn read_graph(&self, resolved: &Resolved) -> Result<Graph, BuildError> {
        let drv = resolved.action.resolved();
        let source = drv.env.get("src").ok_or_else(|| wrong("the attribute `src` is missing"))?;
        // No more than what the action's digest covers.
        let named: BTreeSet<_> = resolved.action.inputs().union(resolved.action.runtime()).cloned().collect();
        let path = source.parse::<StorePath>().ok().filter(|path| resolved.action.inputs().contains(path));
        let path = path.ok_or_else(|| wrong(&format!("`src` is `{source}`, which is no tree among its inputs")))?;
        let listing = self.roots.listing(self.store(), &path)?;
        match listing.root() {
            Node::File { size, .. } if *size <= MOST_BYTES => {}
            Node::File { size, .. } => {
                return Err(wrong(&format!("`src` has {size} bytes, a graph has {MOST_BYTES} at most")));
            }
            _ => return Err(wrong(&format!("`src` names {path}, which is not a plain file"))),
        }
        let place = self.store().host_path(&path);
        let bytes = std::fs::read(&place).at("read", &place)?;
        Graph::parse(&bytes, &named, &drv.system).map_err(|error| wrong(&format!("{path}: {error}")))
    }
}

fn wrong(problem: &str) -> BuildError {
    BuildError::Builtin { builder: format!("builtin:{BUILDER}"), problem: problem.to_owned() }
}
