//! Where the world is put together in which a build's outputs are verified: they themselves, and what they declare.

use super::allowed::{allowed, is_allowed};
use super::{Elsewhere, Need, Unmet, os_str};
use crate::builder::Builder;
use crate::compose;
use crate::error::BuildError;
use crate::event::{Event, Sink};
use crate::input_use::owner;
use crate::providers::providers;
use crate::resolve::Resolved;
use crate::runtime;
use crate::schedule::runtime_closure;
use crate::world::{Found, World};
use std::collections::BTreeSet;
use std::path::PathBuf;
use store::derivation::output_path_name;
use store::local::Sealed;
use store::{Node, OutputName, STORE_DIR, StorePath, TreeListing, TreePath};

/// Links to what is below `/usr`, in most roots.
const OLD_DIRECTORIES: [&str; 4] = ["/bin/", "/sbin/", "/lib/", "/lib64/"];

/// So many packages of the store are named that have what is missing.
const PROVIDERS_SHOWN: usize = 3;

impl Builder<'_> {
    /// Fails if the outputs of a build need what neither they nor their declared run-time closure has. Of what only another of them has it
    /// warns: each is used alone, too, and has no other one in its closure.
    pub(crate) fn verify_runtime(
        &self,
        resolved: &Resolved,
        outputs: &[(OutputName, Sealed)],
        sink: Sink<'_>,
    ) -> Result<(), BuildError> {
        // What the outputs mention is there as well, but only at its store path.
        let mentioned = resolved.action.inputs().iter().filter(|input| {
            input.tree().is_some_and(|tree| outputs.iter().any(|(_, sealed)| sealed.references().contains(&tree)))
        });
        let mentioned: Vec<StorePath> = mentioned.cloned().collect();
        // Their files are read where the store has them.
        if !resolved.runtime.is_empty() || mentioned.iter().any(|path| self.is_fresh(path)) {
            self.settle()?;
        }
        let mut closure: Vec<_> = runtime_closure(self.store(), resolved.runtime.clone())?.into_iter().collect();
        let declared = closure.len();
        closure.extend(mentioned);
        let listings =
            closure.iter().map(|path| self.roots.listing(self.store(), path)).collect::<Result<Vec<_>, _>>()?;
        let allowed = allowed(resolved.action.resolved())?;
        let unmet_in = |own: &[(OutputName, Sealed)]| -> Result<Vec<Unmet>, BuildError> {
            let listed = own.iter().map(|(_, sealed)| sealed.listing());
            let root: Vec<_> = listed.chain(listings[..declared].iter().map(AsRef::as_ref)).collect();
            let trees = closure.iter().cloned().zip(listings.iter().map(AsRef::as_ref));
            let world = World::new(compose::merge_first_wins(&root), trees);
            let host = |path: &str| {
                let own = own.iter().map(|(_, sealed)| (sealed.listing(), sealed.path().to_owned()));
                let declared = closure[..declared].iter().zip(&listings);
                let declared = declared.map(|(path, listing)| (&**listing, self.store().host_path(path)));
                // What is at a store path is what that has, whatever stands in an output at the same place.
                let in_store = path.strip_prefix(STORE_DIR).is_some_and(|inside| inside.starts_with('/'));
                if in_store { self.at_store_path(path) } else { host_place(path, own.chain(declared)) }
            };
            let mut unmet = Vec::new();
            for (_, sealed) in own {
                unmet.extend(runtime::verify(sealed.listing(), sealed.path(), &world, &host, &|| self.is_cancelled())?);
            }
            if self.is_cancelled() {
                return Err(BuildError::Cancelled);
            }
            unmet.retain(|unmet| !is_allowed(unmet, &allowed));
            Ok(unmet)
        };
        let mut unmet = unmet_in(outputs)?;
        self.look_elsewhere(resolved, &mut unmet)?;
        if !unmet.is_empty() {
            return Err(BuildError::Runtime { unmet, kept: false });
        }
        for output in outputs.iter().filter(|_| outputs.len() > 1) {
            // It is only advice: whatever keeps it from being given fails nothing.
            let alone = unmet_in(std::slice::from_ref(output)).unwrap_or_default();
            if let Some(message) = incomplete(&output.0, &alone) {
                sink(Event::Warned { derivation: resolved.derivation.clone(), message });
            }
        }
        Ok(())
    }

    /// Says which trees have what is missing: one of the build's root, or else packages that are in the store.
    fn look_elsewhere(&self, resolved: &Resolved, unmet: &mut [Unmet]) -> Result<(), BuildError> {
        if unmet.is_empty() {
            return Ok(());
        }
        let listings = resolved.layers.iter().map(|path| self.roots.listing(self.store(), path));
        let listings = listings.collect::<Result<Vec<_>, _>>()?;
        let layers: Vec<_> = resolved.layers.iter().zip(listings.iter().map(AsRef::as_ref)).collect();
        let world = World::new(TreeListing::clone(&resolved.root), []);
        let mut wanted = BTreeSet::new();
        for unmet in &mut *unmet {
            let ways = unmet.need.places().into_iter().map(|place| world.follow(&place));
            let there = ways.filter(|way| way.found == Some(Found::File));
            match there.map(|way| owner(&way.end, &layers)).next().flatten() {
                Some(path) => unmet.elsewhere = Elsewhere::Root(path),
                None => wanted.extend(places_in_trees(&unmet.need)),
            }
        }
        let drv = resolved.action.resolved();
        let own = drv.outputs.iter().filter_map(|output| output_path_name(&drv.name, output).ok()).collect();
        // What counts is that something is missing: a tree that cannot be asked, or was collected meanwhile, has nothing.
        let known = providers(self.store(), &wanted, &own).unwrap_or_default();
        for unmet in unmet.iter_mut().filter(|unmet| unmet.elsewhere == Elsewhere::Nowhere) {
            let places = places_in_trees(&unmet.need);
            let have = known.iter().filter(|known| places.iter().any(|place| known.has.contains(place)));
            let names: Vec<_> = have.map(|known| known.path.name().clone()).take(PROVIDERS_SHOWN).collect();
            if !names.is_empty() {
                unmet.elsewhere = Elsewhere::Store(names);
            }
        }
        Ok(())
    }

    /// Where the file at a path below a store path is.
    fn at_store_path(&self, path: &str) -> Option<PathBuf> {
        let (base, inside) = path.strip_prefix(STORE_DIR)?.strip_prefix('/')?.split_once('/')?;
        Some(self.store().host_path(&StorePath::parse_base_name(base).ok()?).join(inside))
    }
}

/// What is said of an output that has not by itself what it needs, but with the others.
fn incomplete(output: &OutputName, unmet: &[Unmet]) -> Option<String> {
    let (first, more) = unmet.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!(" (and {} more such needs)", more.len()) };
    Some(format!("the output `{output}` is not complete alone: {first}, which another output has{more}"))
}

/// Where a package would have what is needed: below `/usr`, too, where the old places of a root lead. Who has a library need not have
/// the version of it that is missing.
fn places_in_trees(need: &Need) -> Vec<String> {
    if matches!(need, Need::Version { .. }) {
        return Vec::new();
    }
    let mut places = need.places();
    let old = places.iter().filter(|place| OLD_DIRECTORIES.iter().any(|old| place.starts_with(old)));
    let merged: Vec<_> = old.map(|place| format!("/usr{place}")).collect();
    places.extend(merged);
    places
}

/// Where the first of these trees that has a path has it.
fn host_place<'l>(path: &str, mut trees: impl Iterator<Item = (&'l TreeListing, PathBuf)>) -> Option<PathBuf> {
    let path = TreePath::parse(path.trim_start_matches('/').as_bytes()).ok()?;
    let (_, place) = trees.find(|(listing, _)| matches!(listing.get(&path), Some(Node::File { .. })))?;
    Some(path.components().iter().fold(place, |place, name| place.join(os_str(name.as_bytes()))))
}
