//! Who has what somebody looked for in vain: trees in the store that have a file or link at the same path.

use std::collections::{BTreeMap, BTreeSet};
use store::local::{LocalStore, StoreError};
use store::{StoreName, StorePath, TreePath};

/// A tree that has some of what was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The tree; of several with one name, the last one added.
    pub path: StorePath,
    /// The derivations known to have made it.
    pub derivers: Vec<StorePath>,
    /// What of it was looked for.
    pub has: BTreeSet<String>,
}

/// What the C library looks for by itself, in whatever program, and does without.
const ASKED_BY_ALL: [&str; 4] =
    ["/gconv/gconv-modules", "/gconv/gconv-modules.cache", "/etc/ld.so.preload", "/locale/locale-archive"];

/// Finds the packages in the store that have any of these paths, those first that have most. Left out is what nobody knows how to
/// make, what only merges others, what has one of the names in `except`, and what every program looks for.
///
/// # Errors
/// When the store cannot be asked.
pub fn providers(
    store: &LocalStore,
    wanted: &BTreeSet<String>,
    except: &BTreeSet<StoreName>,
) -> Result<Vec<Provider>, StoreError> {
    let inside = |path: &String| Some((TreePath::parse(path.trim_start_matches('/').as_bytes()).ok()?, path.clone()));
    let wanted = wanted.iter().filter(|path| !ASKED_BY_ALL.iter().any(|asked| path.ends_with(asked)));
    let wanted: Vec<_> = wanted.filter_map(inside).filter(|(path, _)| !path.components().is_empty()).collect();
    let mut found: BTreeMap<StoreName, (u64, Provider)> = BTreeMap::new();
    for info in store.paths()? {
        let Some(tree) = info.path.tree().filter(|_| !wanted.is_empty() && !except.contains(info.path.name())) else {
            continue;
        };
        let listing = store.listing(&tree)?;
        let is_there =
            |path: &TreePath| listing.get(path).is_some_and(|node| !matches!(node, store::Node::Directory(_)));
        let has: BTreeSet<_> = wanted.iter().filter(|(path, _)| is_there(path)).map(|(_, text)| text.clone()).collect();
        let last = found.get(info.path.name()).is_none_or(|(added, _)| *added <= info.added);
        if has.is_empty() || !last {
            continue;
        }
        let derivers = makers(store, &info.path)?;
        if !derivers.is_empty() {
            let name = info.path.name().clone();
            found.insert(name, (info.added, Provider { path: info.path, derivers, has }));
        }
    }
    let mut found: Vec<_> = found.into_values().map(|(_, provider)| provider).collect();
    found.sort_by_key(|provider| std::cmp::Reverse(provider.has.len()));
    Ok(found)
}

/// The derivations that made a tree, but for those that only merge others.
fn makers(store: &LocalStore, path: &StorePath) -> Result<Vec<StorePath>, StoreError> {
    let mut makers = Vec::new();
    for deriver in store.derivers(path)? {
        let Some(digest) = deriver.derivation() else { continue };
        // The record of a derivation may be collected before what it made.
        if store.is_valid(&deriver)? && store.derivation(&digest)?.builder == "builtin:compose" {
            continue;
        }
        makers.push(deriver);
    }
    Ok(makers)
}
