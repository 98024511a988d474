//! What is remembered of a source, while an evaluation of it makes use of that.

use super::outcome::attributes;
use super::{Evaluations, Outcome, Store};
use eval::{DerivationRef, Known, Remembered};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use store::{StoreName, StorePath};

/// What is remembered of one source, for several threads.
pub(crate) struct Shared {
    evaluations: Mutex<Evaluations>,
    /// Derivations that are still so, by name; found out when first needed.
    derivations: OnceLock<HashMap<StoreName, Vec<Known>>>,
}

impl Shared {
    pub(crate) fn new(evaluations: Evaluations) -> Arc<Self> {
        Arc::new(Self { evaluations: Mutex::new(evaluations), derivations: OnceLock::new() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Evaluations> {
        self.evaluations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered for Shared {
    fn derivations(&self, name: &StoreName) -> Vec<Known> {
        let derivations = self.derivations.get_or_init(|| self.lock().derivations());
        derivations.get(name).cloned().unwrap_or_default()
    }

    fn is_kept(&self, known: &Known) -> bool {
        let evaluations = &mut *self.lock();
        evaluations.hold(std::iter::once(&known.path)).is_some() && evaluations.is_there(&known.path)
    }
}

impl Evaluations {
    /// All derivations that are still so, by name.
    fn derivations(&mut self) -> HashMap<StoreName, Vec<Known>> {
        let reads: Vec<_> = self.checker.contents.entries().map(|entry| entry.read).collect();
        self.checker.check(&reads, &Store(&self.store));
        let source = self.path.file_name().unwrap_or_default().as_bytes();
        let mut derivations: HashMap<StoreName, Vec<Known>> = HashMap::new();
        for entry in self.checker.contents.entries().filter(|entry| self.checker.known(entry.read) == Some(true)) {
            let Some(Outcome::Derivation(DerivationRef { path, outputs, .. })) = Outcome::decode(entry.result) else {
                continue;
            };
            let (Some(attributes), Some(name)) = (attributes(entry.name), name(&path)) else { continue };
            let rests_on = [source, entry.name].concat();
            derivations.entry(name).or_default().push(Known { attributes, path, outputs, rests_on });
        }
        derivations
    }
}

/// The name of the derivation at a path.
fn name(path: &StorePath) -> Option<StoreName> {
    StoreName::parse(path.name().as_str().strip_suffix(".drv")?).ok()
}
