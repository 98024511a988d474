//! Looking for the modules that a pkg-config file requires, as pkg-config would.

use super::module_version::Constraint;
use super::package_config::{Module, Reference};
use super::{LIBRARY_DIRECTORIES, Need, Verifier};
use crate::world::Found;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use store::TreePath;
use store::local::{At, IoError};

/// So many bytes of a file are read.
const LONGEST: u64 = 1 << 20;

/// The versions of modules that others stand for, by name.
pub(super) type Provided = HashMap<String, HashSet<Constraint>>;

/// Reads the file of a module.
pub(super) fn read(host: &Path) -> Result<Module, IoError> {
    let mut content = Vec::new();
    File::open(host).at("open", host)?.take(LONGEST).read_to_end(&mut content).at("read", host)?;
    Ok(Module::parse(&String::from_utf8_lossy(&content)))
}

/// Where pkg-config looks for a module.
pub(super) fn places(name: &str) -> impl Iterator<Item = String> {
    directories().map(move |directory| format!("{directory}/{name}.pc"))
}

/// Where pkg-config looks.
fn directories() -> impl Iterator<Item = String> {
    LIBRARY_DIRECTORIES.into_iter().chain(["/usr/share"]).map(|directory| format!("{directory}/pkgconfig"))
}

impl Verifier<'_> {
    /// What pkg-config would refuse: it takes the first file of a module's name and looks at its version; only where there is none may
    /// another module stand for it.
    pub(super) fn unmet_modules(&mut self, module: &Module, path: &TreePath) -> Result<Vec<Need>, IoError> {
        let beside = path.parent().map(|parent| format!("/{parent}")).unwrap_or_default();
        let others: Vec<_> = directories().filter(|directory| *directory != beside).collect();
        let directories: Vec<_> = [beside].into_iter().chain(others).collect();
        let mut unmet = Vec::new();
        for wanted in &module.requires {
            if (self.cancelled)() {
                break;
            }
            let Reference { name, constraint } = wanted;
            let mut places = directories.iter().map(|directory| format!("{directory}/{name}.pc"));
            let Some(place) = places.find(|place| self.world.has(place)) else {
                if !self.is_provided(&directories, wanted)? {
                    unmet.push(Need::Module(name.clone()));
                }
                continue;
            };
            if let Some(constraint) = constraint
                && let Some(version) = self.module_version(&place)?
                && !constraint.allows(version)
            {
                let (module, wanted, found) = (name.clone(), constraint.to_string(), version.to_owned());
                unmet.push(Need::ModuleVersion { module, wanted, found });
            }
        }
        Ok(unmet)
    }

    /// Whether any module of these directories says that it stands for what is wanted.
    fn is_provided(&mut self, directories: &[String], wanted: &Reference) -> Result<bool, IoError> {
        for directory in directories {
            let provided = self.provided(directory)?.get(&wanted.name);
            if provided.is_some_and(|provided| provided.iter().any(|provided| wanted.is_met_by(provided))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the modules of a directory stand for.
    fn provided(&mut self, directory: &str) -> Result<&Provided, IoError> {
        if !self.provided.contains_key(directory) {
            let mut provided = Provided::new();
            for name in self.world.names(directory).filter(|name| name.ends_with(".pc")) {
                if (self.cancelled)() {
                    break;
                }
                let module = self.module(&format!("{directory}/{name}"))?;
                for (name, versions) in module.into_iter().flat_map(|module| module.provides) {
                    provided.entry(name).or_default().insert(versions);
                }
            }
            self.provided.insert(directory.to_owned(), provided);
        }
        Ok(&self.provided[directory])
    }

    /// The version of the module that a file of the world describes; `None` if it is nowhere to be read.
    fn module_version(&mut self, place: &str) -> Result<Option<&str>, IoError> {
        if !self.module_versions.contains_key(place) {
            let version = self.module(place)?.map(|module| module.version);
            self.module_versions.insert(place.to_owned(), version);
        }
        Ok(self.module_versions[place].as_deref())
    }

    /// The module that a file of the world describes; `None` if it is nowhere to be read.
    fn module(&self, place: &str) -> Result<Option<Module>, IoError> {
        let way = self.world.follow(place);
        let Some(host) = (self.host)(&way.end).filter(|_| way.found == Some(Found::File)) else { return Ok(None) };
        read(&host).map(Some)
    }
}
