//! The files that builds fetch: the fetching derivations among all that some targets need.

use crate::commands::show::derivation_of;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::Target;
use std::collections::{BTreeMap, BTreeSet};
use store::{Derivation, FileHash, HashMode, Input, StorePath};

/// One file that is fetched.
#[derive(Debug, Clone)]
pub(crate) struct Fetch {
    /// What it is called.
    pub(crate) name: String,
    pub(crate) urls: Vec<String>,
    /// `None` if only the hash of what is made from it is known.
    pub(crate) hash: Option<FileHash>,
}

/// Everything that is fetched for these targets, by derivation: of a tree, for the derivation that made it.
pub(crate) fn fetches_of(context: &Context, targets: &[Target]) -> Result<BTreeMap<StorePath, Fetch>, CliError> {
    let store = context.store()?;
    let mut pending =
        targets.iter().map(|target| derivation_of(context, target)).collect::<Result<Vec<StorePath>, _>>()?;
    let mut seen: BTreeSet<StorePath> = pending.iter().cloned().collect();
    let mut found = BTreeMap::new();
    while let Some(path) = pending.pop() {
        let Some(digest) = path.derivation() else { continue };
        let derivation = store.derivation(&digest)?;
        for input in derivation.all_inputs() {
            if let Input::Output { derivation, .. } = input
                && seen.insert(derivation.clone())
            {
                pending.push(derivation.clone());
            }
        }
        if let Some(fetch) = fetch_of(&derivation) {
            found.insert(path, fetch);
        }
    }
    Ok(found)
}

fn fetch_of(derivation: &Derivation) -> Option<Fetch> {
    if derivation.builtin() != Some("fetch") {
        return None;
    }
    let fixed = derivation.fixed.as_ref()?;
    Some(Fetch {
        name: derivation.name.to_string(),
        urls: derivation.env.get("urls")?.split_whitespace().map(str::to_owned).collect(),
        hash: (fixed.mode == HashMode::File).then(|| fixed.hash.clone()),
    })
}
