//! Groups: where a root has more trees than can be composed at once, neighbours are merged beforehand, as trees of the store.
//!
//! Where a group ends is said by the trees themselves, as in content-defined chunking: roots that differ in one tree share all
//! groups but that one's. What of several trees shows is what would show of them as layers: the topmost first.

use crate::builder::Builder;
use crate::compose::{self, ComposeError, Layer, merge_first_wins};
use crate::error::BuildError;
use crate::sandbox::MAX_LAYERS;
use dashmap::DashMap;
use std::collections::BTreeSet;
use store::{StoreName, StorePath, TreeDigest, TreeListing};

/// Trees that a group has, unless they are the last ones.
const SMALLEST: usize = 16;
const LARGEST: usize = 128;
/// One tree of so many ends its group.
const ENDS: u8 = 32;

/// The groups that this run has merged, or found merged.
pub(crate) type Groups = DashMap<Vec<StorePath>, StorePath>;

/// Neighbours that are merged with each other.
fn groups(trees: &[StorePath]) -> Vec<&[StorePath]> {
    let ends = |tree: &StorePath| tree.tree().is_some_and(|digest| digest.as_bytes()[0] % ENDS == 0);
    let mut groups = Vec::new();
    let mut rest = trees;
    while !rest.is_empty() {
        let last = (SMALLEST..rest.len().min(LARGEST)).find(|&count| ends(&rest[count - 1]));
        let (group, after) = rest.split_at(last.unwrap_or(rest.len().min(LARGEST)));
        groups.push(group);
        rest = after;
    }
    groups
}

impl Builder<'_> {
    /// Trees that together are what these are, and no more than can be composed at once. All must be published.
    ///
    /// # Errors
    /// When some have to be merged and cannot.
    pub(crate) fn grouped(&self, mut trees: Vec<StorePath>) -> Result<Vec<StorePath>, BuildError> {
        while trees.len() > MAX_LAYERS {
            trees = groups(&trees).into_iter().map(|group| self.merged(group)).collect::<Result<_, _>>()?;
        }
        Ok(trees)
    }

    fn merged(&self, group: &[StorePath]) -> Result<StorePath, BuildError> {
        if let [only] = group {
            return Ok(only.clone());
        }
        if let Some(merged) = self.groups.get(group) {
            return Ok(merged.clone());
        }
        let (listing, mentions) = self.merge(group)?;
        let name = StoreName::parse("merged-trees").expect("a valid name");
        let merged = StorePath::from_tree(listing.digest(), name.clone()).map_err(store::local::StoreError::from)?;
        self.store().hold([&merged])?;
        if !self.store().is_valid(&merged)? {
            self.store().publish(self.store().stage_listing(&listing, mentions)?, name)?;
        }
        self.groups.insert(group.to_vec(), merged.clone());
        Ok(merged)
    }

    /// Also what the merged tree mentions, unless only its files can say that, for one tree hides what another has.
    fn merge(&self, group: &[StorePath]) -> Result<(TreeListing, Option<BTreeSet<TreeDigest>>), BuildError> {
        let listings =
            group.iter().map(|tree| self.roots.listing(self.store(), tree)).collect::<Result<Vec<_>, _>>()?;
        let layers: Vec<_> =
            group.iter().zip(&listings).map(|(owner, listing)| Layer { owner, listing, overrides: false }).collect();
        match compose::merge(&layers) {
            Ok(listing) => Ok((listing, Some(self.mentions_of(group)?))),
            Err(ComposeError::Conflicts(_)) => {
                Ok((merge_first_wins(&listings.iter().map(AsRef::as_ref).collect::<Vec<_>>()), None))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All that these trees mention.
    pub(crate) fn mentions_of(&self, trees: &[StorePath]) -> Result<BTreeSet<TreeDigest>, BuildError> {
        let mut mentions = BTreeSet::new();
        for path in trees {
            let tree = path.tree().ok_or_else(|| store::local::StoreError::NotValid(path.clone()))?;
            mentions.extend(self.store().mentions(&tree)?);
        }
        Ok(mentions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(number: u16) -> StorePath {
        let digest = TreeDigest::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes());
        StorePath::from_tree(digest, StoreName::parse("tree").expect("valid")).expect("valid")
    }

    proptest! {
        #[test]
        fn every_tree_is_in_one_group_and_stays_in_its_place(count in 0_u16..2000, from in 0_u16..60000) {
            let trees: Vec<_> = (from..from + count).map(tree).collect();
            let groups = groups(&trees);
            prop_assert_eq!(groups.concat(), trees.clone());
            let (last, others) = groups.split_last().map_or((&[][..], &[][..]), |(last, others)| (*last, others));
            prop_assert!(last.len() <= LARGEST);
            prop_assert!(others.iter().all(|group| (SMALLEST..=LARGEST).contains(&group.len())));
        }

        #[test]
        fn one_tree_more_leaves_most_groups_as_they_are(at in 0_usize..2000) {
            let trees: Vec<_> = (0..2000).map(tree).collect();
            let mut more = trees.clone();
            more.insert(at, tree(50000));
            let (before, after) = (groups(&trees), groups(&more));
            let new = after.iter().filter(|group| !before.contains(group)).count();
            prop_assert!(new <= 8, "{new} of {}", after.len());
        }
    }
}
