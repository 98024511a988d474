//! Looking for the modules that a pkg-config file requires, as pkg-config would.

use super::package_config::{Module, Reference};
use super::{LIBRARY_DIRECTORIES, Need, Verifier};
use crate::world::Found;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use store::TreePath;
use store::local::{At, IoError};

/// So many bytes of a file are read.
const LONGEST: u64 = 1 << 20;

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
    pub(super) fn unmet_modules(&self, module: &Module, path: &TreePath) -> Result<Vec<Need>, IoError> {
        let beside = path.parent().map(|parent| format!("/{parent}")).unwrap_or_default();
        let directories: Vec<_> = [beside].into_iter().chain(directories()).collect();
        let mut unmet = Vec::new();
        for wanted in &module.requires {
            let Reference { name, constraint } = wanted;
            let mut places = directories.iter().map(|directory| format!("{directory}/{name}.pc"));
            let Some(place) = places.find(|place| self.world.has(place)) else {
                if !self.is_provided(&directories, wanted)? {
                    unmet.push(Need::Module(name.clone()));
                }
                continue;
            };
            if let (Some(constraint), Some(Module { version, .. })) = (constraint, self.module(&place)?)
                && !constraint.allows(&version)
            {
                let (module, wanted) = (name.clone(), constraint.to_string());
                unmet.push(Need::ModuleVersion { module, wanted, found: version });
            }
        }
        Ok(unmet)
    }

    /// Whether any module of these directories says that it stands for what is wanted.
    fn is_provided(&self, directories: &[String], wanted: &Reference) -> Result<bool, IoError> {
        for directory in directories {
            for name in self.world.names(directory).filter(|name| name.ends_with(".pc")) {
                let module = self.module(&format!("{directory}/{name}"))?;
                if module.is_some_and(|module| module.stands_for(wanted)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The module that a file of the world describes; `None` if it is nowhere to be read.
    fn module(&self, place: &str) -> Result<Option<Module>, IoError> {
        let way = self.world.follow(place);
        let Some(host) = (self.host)(&way.end).filter(|_| way.found == Some(Found::File)) else { return Ok(None) };
        read(&host).map(Some)
    }
}
