//! What builds made: outputs with their realisations, of one build or of several at once.

use super::sealed::Sealed;
use crate::derivation::{OutputName, output_path_name};
use crate::digest::{ActionDigest, DerivationDigest, TreeDigest};
use crate::local::effect;
use crate::local::fsutil::{At, SEALED_DIRECTORY};
use crate::local::materialise::Source;
use crate::local::record::{BuildCost, Record};
use crate::local::{LocalStore, StoreError};
use crate::realisation::Realisation;
use crate::store_path::{StoreName, StorePath};
use crate::tree::Node;
use std::collections::{BTreeSet, HashSet};

/// What a build made, to be published together.
#[derive(Debug)]
pub struct BuildResult {
    /// The derivation that asked for it.
    pub derivation: DerivationDigest,
    /// The derivation's name.
    pub name: StoreName,
    /// What was done.
    pub action: ActionDigest,
    /// Every output.
    pub outputs: Vec<(OutputName, Sealed)>,
    /// What the outputs need when they are used.
    pub runtime: BTreeSet<StorePath>,
    /// What it cost.
    pub cost: BuildCost,
}

/// What a build made, with all decided that publishing it needs.
#[derive(Debug)]
pub struct Prepared {
    trees: Vec<(StorePath, Sealed)>,
    records: Vec<Record>,
    published: Vec<Published>,
}

impl Prepared {
    /// What its outputs will be.
    #[must_use]
    pub fn outputs(&self) -> &[Published] {
        &self.published
    }

    /// The trees that will be published.
    pub fn trees(&self) -> impl Iterator<Item = TreeDigest> {
        self.trees.iter().map(|(_, sealed)| sealed.digest())
    }

    /// Whether an output mentions one of these trees, or declares to need it.
    #[must_use]
    pub fn needs_any_of(&self, trees: &HashSet<TreeDigest>) -> bool {
        let mentions = |sealed: &Sealed| sealed.references().iter().any(|tree| trees.contains(tree));
        let declares = |record: &Record| match record {
            Record::Realisation(realisation) | Record::Conflict(realisation) => {
                realisation.runtime.iter().filter_map(StorePath::tree).any(|tree| trees.contains(&tree))
            }
            _ => false,
        };
        self.trees.iter().any(|(_, sealed)| mentions(sealed)) || self.records.iter().any(declares)
    }
}

/// An output after publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which output.
    pub output: OutputName,
    /// The path that is valid now.
    pub path: StorePath,
    /// The tree that this build made, if an earlier build of the same action made another one, which is kept.
    pub conflict: Option<TreeDigest>,
}

impl LocalStore {
    /// Publishes the outputs of a build with their realisations. An earlier realisation of the same action is kept.
    ///
    /// # Errors
    /// When a step fails; nothing is visible then.
    pub fn publish_build(&self, result: BuildResult) -> Result<Vec<Published>, StoreError> {
        let prepared = self.prepare_build(result)?;
        let published = prepared.published.clone();
        self.publish_builds(vec![prepared])?;
        Ok(published)
    }

    /// Publishes what several builds made, waiting for the disk as often as for one of them. None of them may need a tree of another.
    ///
    /// # Errors
    /// When a step fails; none of it is valid then.
    pub fn publish_builds(&self, builds: Vec<Prepared>) -> Result<(), StoreError> {
        let (mut trees, mut records) = (Vec::new(), Vec::new());
        for build in builds {
            trees.extend(build.trees);
            records.extend(build.records);
        }
        self.publish_all(trees, records)
    }

    /// Decides what a build's outputs will be published as. No other build of the action may be published before this one.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub fn prepare_build(&self, result: BuildResult) -> Result<Prepared, StoreError> {
        let BuildResult { derivation, name, action, outputs, runtime, cost } = result;
        // The time of the build first: it orders what follows.
        let mut records = vec![Record::Build { action, cost }, Record::Resolution { derivation, action }];
        let mut published = Vec::new();
        let mut trees = Vec::new();
        for (output, sealed) in outputs {
            let references = sealed.references().clone();
            let tree = sealed.digest();
            let realisation =
                Realisation { action, output: output.clone(), tree, references, runtime: runtime.clone() };
            let path_name = output_path_name(&name, &output)?;
            let earlier = self.kept_path(&action, &output, &path_name)?.filter(|path| path.tree() != Some(tree));
            let conflict = earlier.as_ref().map(|_| tree);
            records.push(if conflict.is_some() {
                Record::Conflict(realisation)
            } else {
                Record::Realisation(realisation)
            });
            let own = StorePath::from_tree(tree, path_name)?;
            // The loser of a conflict is published too, so that the two can be compared.
            trees.push((own.clone(), sealed));
            published.push(Published { output, path: earlier.unwrap_or(own), conflict });
        }
        Ok(Prepared { trees, records, published })
    }

    /// Trees as they will be published, to be used until then and while it is done: what is published are others, made of links to the
    /// same files.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn lend(&self, prepared: &mut Prepared) -> Result<Vec<(StorePath, Sealed)>, StoreError> {
        let lend = |(path, sealed): &mut (StorePath, Sealed)| {
            let staging = self.reserve()?;
            let place = staging.path().to_owned();
            self.materialise(&sealed.ingested.listing, Source::Tree(&sealed.place), &place)?;
            let twin = Sealed { ingested: sealed.ingested.clone(), staging, place };
            let lent = std::mem::replace(sealed, twin);
            if matches!(lent.ingested.listing.root(), Node::Directory(_)) {
                effect::chmod(&lent.place, SEALED_DIRECTORY).at("change the mode of", &lent.place)?;
            }
            Ok((path.clone(), lent))
        };
        prepared.trees.iter_mut().map(lend).collect()
    }
}
