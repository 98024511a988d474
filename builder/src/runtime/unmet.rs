//! What files need and nothing has, and how that is said: every need, since each that is not named costs another build.

use super::{LIBRARY_DIRECTORIES, PROGRAM_DIRECTORIES, modules};
use std::collections::BTreeMap;
use std::fmt;
use store::{StoreName, StorePath, TreePath};

/// Of so many files it is said by name that they need one thing.
const FILES_SHOWN: usize = 8;

/// Of so many needs it is said what they are; more are those of a whole file system.
const NEEDS_SHOWN: usize = 100;

/// Something that a file needs and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The file, relative to the output.
    pub file: TreePath,
    /// What it needs.
    pub need: Need,
    /// Where it is instead.
    pub elsewhere: Elsewhere,
}

/// Where that is what is missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Elsewhere {
    /// Nowhere, as far as is known.
    Nowhere,
    /// In this tree of the root of the build.
    Root(StorePath),
    /// Not in the root of the build, but in trees of these names in the store, of which there is one.
    Store(Vec<StoreName>),
}

/// What files need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The program that an ELF file or a script is run by.
    Interpreter(String),
    /// A program that is looked for in the search path.
    Command(String),
    /// A shared library.
    Library(String),
    /// A version of symbols.
    Version {
        /// The library that is to have it, and is there.
        library: String,
        /// The version's name.
        version: String,
    },
    /// A module of pkg-config.
    Module(String),
    /// Versions of a module, which is there.
    ModuleVersion {
        /// The module.
        module: String,
        /// Which versions would do, as `>= 1.2`.
        wanted: String,
        /// Which one is there.
        found: String,
    },
}

impl Need {
    /// Where what is needed usually is.
    pub(crate) fn places(&self) -> Vec<String> {
        let below = |directories: &[&str], name: &str| -> Vec<String> {
            directories.iter().map(|directory| format!("{directory}/{name}")).collect()
        };
        match self {
            Self::Interpreter(path) => vec![path.clone()],
            Self::Library(name) | Self::Version { library: name, .. } if name.starts_with('/') => vec![name.clone()],
            Self::Library(name) | Self::Version { library: name, .. } => below(&LIBRARY_DIRECTORIES, name),
            Self::Command(name) => below(&PROGRAM_DIRECTORIES, name),
            Self::Module(name) => modules::places(name).collect(),
            Self::ModuleVersion { .. } => Vec::new(),
        }
    }
}

/// Names come from files and may act on a terminal.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interpreter(path) => write!(f, "the interpreter {}", path.escape_debug()),
            Self::Command(name) => write!(f, "the program {}", name.escape_debug()),
            Self::Library(name) => write!(f, "the library {}", name.escape_debug()),
            Self::Version { library, version } => {
                write!(f, "the version {} of {}", version.escape_debug(), library.escape_debug())
            }
            Self::Module(name) => write!(f, "the pkg-config module {}", name.escape_debug()),
            Self::ModuleVersion { module, wanted, found } => {
                let (module, wanted, found) = (module.escape_debug(), wanted.escape_debug(), found.escape_debug());
                write!(f, "the pkg-config module {module} {wanted}, which is there as {found}")
            }
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sentence(&self.need, &self.elsewhere, &[&self.file]))
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => Ok(()),
            Self::Root(path) => write!(f, ", which {} of the build's root has", path.name()),
            Self::Store(names) => match names.split_last() {
                None => Ok(()),
                Some((one, [])) => write!(f, ", which {one} of the store has"),
                Some((last, others)) => {
                    let others: Vec<_> = others.iter().map(StoreName::as_str).collect();
                    write!(f, ", which {} and {last} of the store have", others.join(", "))
                }
            },
        }
    }
}

fn sentence(need: &Need, elsewhere: &Elsewhere, files: &[&TreePath]) -> String {
    let shown: Vec<_> = files.iter().take(FILES_SHOWN).map(|file| format!("/{file}")).collect();
    let who = match (files.len(), shown.split_last()) {
        (1, _) | (_, None) => format!("{} needs", shown.concat()),
        (count, _) if count > FILES_SHOWN => format!("{} and {} more need", shown.join(", "), count - FILES_SHOWN),
        (_, Some((last, others))) => format!("{} and {last} need", others.join(", ")),
    };
    format!("{who} {need}{elsewhere}")
}

/// A line for each need, with the files that have it.
pub(crate) fn list(unmet: &[Unmet]) -> String {
    let mut files: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for Unmet { file, need, elsewhere } in unmet {
        files.entry((need, elsewhere)).or_default().push(file);
    }
    let mut lines = vec!["the run-time closure is not complete:".to_owned()];
    let shown = files.iter().take(NEEDS_SHOWN);
    lines.extend(shown.map(|((need, elsewhere), files)| format!("  {}", sentence(need, elsewhere, files))));
    if files.len() > NEEDS_SHOWN {
        lines.push(format!("  and {} more needs", files.len() - NEEDS_SHOWN));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(file: &str, need: Need) -> Unmet {
        Unmet { file: TreePath::parse(file.as_bytes()).expect("valid"), need, elsewhere: Elsewhere::Nowhere }
    }

    #[test]
    fn every_need_is_named_however_many_files_have_another() {
        let shell = || Need::Interpreter("/bin/sh".to_owned());
        let many = (10..23).map(|number| unmet(&format!("tools/{number}"), shell()));
        let all: Vec<_> = many.chain([unmet("bin/p", Need::Command("perl".to_owned()))]).collect();
        assert_eq!(
            list(&all),
            "the run-time closure is not complete:\n  \
             /tools/10, /tools/11, /tools/12, /tools/13, /tools/14, /tools/15, /tools/16, /tools/17 and 5 more \
             need the interpreter /bin/sh\n  \
             /bin/p needs the program perl"
        );
        let two = [unmet("a", shell()), unmet("b", shell())];
        assert!(list(&two).ends_with("\n  /a and /b need the interpreter /bin/sh"));
    }

    #[test]
    fn who_has_it_is_named() {
        let names = ["dash-1", "bash-5", "zsh-5"].map(|name| StoreName::parse(name).expect("valid"));
        let told = |count: usize| {
            let elsewhere = Elsewhere::Store(names[..count].to_vec());
            Unmet { elsewhere, ..unmet("a", Need::Interpreter("/bin/sh".to_owned())) }.to_string()
        };
        assert_eq!(told(1), "/a needs the interpreter /bin/sh, which dash-1 of the store has");
        assert_eq!(told(3), "/a needs the interpreter /bin/sh, which dash-1, bash-5 and zsh-5 of the store have");
    }
}
