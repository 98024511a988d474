//! The builders that run inside larder: `builtin:fetch`, `builtin:unpack`, `builtin:compose`, `builtin:write`,
//! `builtin:graph`.
//!
//! What each reads from its derivation's environment stands in the table of ARCHITECTURE.md.

use crate::archive;
use crate::builder::Builder;
use crate::error::BuildError;
use crate::event::{Event, Sink};
use crate::fetch::{FetchClient, FetchLimits, FetchRequest, Progress, Reason};
use crate::resolve::Resolved;
use crate::unpack::{PathPattern, Problem, UnpackOptions, unpack_unless};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use store::derivation::{FixedOutput, HashMode, OutputName};
use store::local::{At, Sealed};
use store::{FileHash, StorePath, TreeListing, TreePath};

/// The builders, and which attributes each reads. What `builtin:graph` has are trees that the graph may name.
const BUILDERS: [(&str, Option<&[&str]>); 5] = [
    ("fetch", Some(&["urls", "executable", "unpack"])),
    ("unpack", Some(&["src", "stripComponents", "exclude", "rename"])),
    ("compose", Some(&["root", "override", "at"])),
    ("write", Some(&["entries"])),
    ("graph", None),
];

/// Attributes that a derivation has whatever its builder is.
const OF_ALL: [&str; 3] = ["name", "system", "builder"];

/// Runs the builder called `name`, and returns the tree it makes.
pub(crate) fn run(
    builder: &Builder<'_>,
    name: &str,
    resolved: &Resolved,
    sink: Sink<'_>,
) -> Result<Sealed, BuildError> {
    // They read their inputs where the store has them.
    builder.settle()?;
    let request = Request { builder, name, resolved };
    request.check()?;
    if matches!(name, "fetch" | "unpack") {
        // It may take long, and who outlives this process removes what it has staged, should it be killed. Where no spawner can be had a
        // collection does so.
        let _ = builder.spawner();
    }
    match name {
        "fetch" => request.fetch(sink),
        "unpack" => request.unpack(),
        "compose" => request.compose(),
        "write" => request.write(),
        "graph" => builder.graph_result(resolved),
        _ => unreachable!("only the builders of the table pass the check"),
    }
}

struct Request<'r> {
    builder: &'r Builder<'r>,
    name: &'r str,
    resolved: &'r Resolved,
}

impl Request<'_> {
    fn error(&self, problem: impl Into<String>) -> BuildError {
        BuildError::Builtin { builder: format!("builtin:{}", self.name), problem: problem.into() }
    }

    /// Fails if there is no such builder, or it would ignore something of the derivation: who wrote that meant something by it.
    fn check(&self) -> Result<(), BuildError> {
        let Some((_, known)) = BUILDERS.iter().find(|(name, _)| *name == self.name) else {
            let names = BUILDERS.map(|(name, _)| name).join(", ");
            return Err(self.error(format!("unknown; known are {names}")));
        };
        let derivation = self.resolved.action.resolved();
        if !derivation.outputs.iter().map(OutputName::as_str).eq(["out"]) {
            return Err(self.error("it has one output, called `out`"));
        }
        let Some(known) = known else { return Ok(()) };
        let fields = [
            ("args", derivation.args.is_empty()),
            ("root", derivation.root.is_empty()),
            ("override", derivation.overrides.is_empty()),
        ];
        let given = fields.into_iter().filter(|(_, empty)| !empty).map(|(name, _)| name);
        let mut given = given.chain(derivation.env.keys().map(String::as_str));
        match given.find(|name| !known.contains(name) && !OF_ALL.contains(name)) {
            None => Ok(()),
            Some(other) => {
                let problem = format!("it does not know the attribute `{other}`, only `{}`", known.join("`, `"));
                Err(self.error(problem))
            }
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.resolved.action.resolved().env.get(name).map(String::as_str)
    }

    fn required(&self, name: &str) -> Result<&str, BuildError> {
        self.variable(name).ok_or_else(|| self.error(format!("the attribute `{name}` is missing")))
    }

    fn fetch(&self, sink: Sink<'_>) -> Result<Sealed, BuildError> {
        let urls: Vec<String> = self.required("urls")?.split_whitespace().map(str::to_owned).collect();
        let Some(fixed) = &self.resolved.action.resolved().fixed else {
            return Err(self.error("the attribute `outputHash` is missing: only what is known by its hash is fetched"));
        };
        // The hash of an archive of Nix is that of the output, which is looked at when a place has given all of it.
        let hash = (fixed.mode != HashMode::Archive).then(|| fixed.hash.clone());
        let unpacks = self.flag("unpack")?;
        if unpacks && hash.is_some() {
            return Err(self.error("`unpack` needs `outputHashMode = \"nar\"`: the hash of what is unpacked"));
        }
        let executable = self.flag("executable")?;
        let store = self.builder.store();
        let kept = |hash: &FileHash| store.layout().tmp().join(format!("fetch-{}", hash.to_string().replace(':', "-")));
        let keeping = hash.as_ref().map(kept);
        let request = FetchRequest { urls, hash, limits: FetchLimits::default(), keeping };
        let staging = store.stage()?;
        let place = staging.path().join(if unpacks { "archive" } else { "out" });
        let derivation = &self.resolved.derivation;
        let mut tell = |progress: Progress<'_>| {
            let (bytes, total) = (progress.bytes, progress.total);
            sink(Event::Fetched { derivation: derivation.clone(), bytes, total });
        };
        let cancelled = || self.builder.is_cancelled();
        let mut made = place.clone();
        let mut accept = |arrived: &Path| -> Result<(), Reason> {
            if fixed.mode == HashMode::Archive {
                let unpacked = staging.path().join("out");
                made = if unpacks { unpack_content(arrived, &unpacked, &cancelled)? } else { arrived.to_owned() };
            }
            if executable {
                std::fs::set_permissions(&made, Permissions::from_mode(0o755)).map_err(Reason::Write)?;
            }
            if fixed.mode == HashMode::Archive { check_archive(fixed, &made) } else { Ok(()) }
        };
        let mut client = FetchClient { progress: &mut tell, cancelled: &cancelled, accept: &mut accept };
        self.builder.fetcher(sink)?.fetch(&request, &place, &mut client)?;
        Ok(store.seal(staging, &made)?)
    }

    /// A variable that is `1`, or empty or not there.
    fn flag(&self, name: &str) -> Result<bool, BuildError> {
        match self.variable(name) {
            None | Some("") => Ok(false),
            Some("1") => Ok(true),
            Some(other) => Err(self.error(format!("`{name}` is `{other}`, neither `1` nor empty"))),
        }
    }

    fn unpack(&self) -> Result<Sealed, BuildError> {
        let source = self.required("src")?;
        let archive: StorePath =
            source.parse().map_err(|_| self.error(format!("`src` is `{source}`, which is not a store path")))?;
        if !self.resolved.action.inputs().contains(&archive) {
            return Err(self.error(format!("`src` names {archive}, but the derivation does not depend on it")));
        }
        let pattern = |text: &str| PathPattern::parse(text).map_err(|error| self.error(error.to_string()));
        let strip = self.variable("stripComponents").unwrap_or("0");
        let renames = self.variable("rename").unwrap_or_default().split_whitespace().map(|pair| {
            let (from, to) =
                pair.split_once('=').ok_or_else(|| self.error(format!("`{pair}` in `rename` has no `=`")))?;
            Ok((pattern(from)?, pattern(to)?))
        });
        let options = UnpackOptions {
            strip_components: strip.parse().map_err(|_| self.error(format!("`stripComponents` is `{strip}`")))?,
            exclude: self
                .variable("exclude")
                .unwrap_or_default()
                .split_whitespace()
                .map(pattern)
                .collect::<Result<_, _>>()?,
            rename: renames.collect::<Result<_, BuildError>>()?,
            ..UnpackOptions::default()
        };
        let store = self.builder.store();
        let staging = store.stage()?;
        let place = staging.path().join("out");
        std::fs::create_dir(&place).at("create directory", &place)?;
        unpack_unless(&|| self.builder.is_cancelled(), &store.host_path(&archive), &place, &options)?;
        Ok(store.seal(staging, &place)?)
    }

    /// The merged root is the output, or what stands at `at` in it.
    fn compose(&self) -> Result<Sealed, BuildError> {
        let mentions = self.builder.mentions_of(&self.resolved.layers)?;
        // What an overriding tree hides may have held the only mention of something: then the files must say.
        let exact = mentions.is_empty() || self.resolved.overriding == 0;
        let place = TreePath::parse(self.variable("at").unwrap_or_default().as_bytes())
            .map_err(|error| self.error(format!("`at`: {error}")))?;
        let placed = TreeListing::clone(&self.resolved.root).placed_at(&place);
        Ok(self.builder.store().stage_listing(&placed, exact.then_some(mentions))?)
    }

    fn write(&self) -> Result<Sealed, BuildError> {
        let text = self.required("entries")?;
        let entries: BTreeMap<String, Entry> =
            serde_json::from_str(text).map_err(|error| self.error(format!("`entries`: {error}")))?;
        let mut by_path = BTreeMap::new();
        for (text, entry) in entries {
            let path = TreePath::parse(text.as_bytes()).map_err(|error| self.error(format!("`entries`: {error}")))?;
            if path.components().is_empty() {
                return Err(self.error("`entries`: the path of an entry is empty"));
            }
            if by_path.insert(path.clone(), entry).is_some() {
                return Err(self.error(format!("`entries`: `{path}` is there twice")));
            }
        }
        let store = self.builder.store();
        let staging = store.stage()?;
        let place = staging.path().join("out");
        std::fs::create_dir(&place).at("create directory", &place)?;
        by_path.into_iter().try_for_each(|(path, entry)| self.write_entry(&place, &path, entry))?;
        Ok(store.seal(staging, &place)?)
    }

    fn write_entry(&self, root: &Path, path: &TreePath, entry: Entry) -> Result<(), BuildError> {
        let (name, parents) = path.components().split_last().expect("it is not empty");
        let mut directory = root.to_owned();
        for parent in parents {
            directory.push(as_name(parent));
            match std::fs::create_dir(&directory) {
                // Entries come sorted: what is there is ours, and nothing may be written through a link.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    if !directory.symlink_metadata().at("stat", &directory)?.is_dir() {
                        return Err(
                            self.error(format!("`entries`: `{path}` is below something that is not a directory"))
                        );
                    }
                }
                made => made.at("create directory", &directory)?,
            }
        }
        let place = directory.join(as_name(name));
        match entry {
            Entry { text: Some(text), executable, symlink: None, directory: false } => {
                let mode = if executable { 0o755 } else { 0o644 };
                let options = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&place);
                options.at("create", &place)?.write_all(text.as_bytes()).at("write", &place)?;
            }
            Entry { symlink: Some(target), text: None, executable: false, directory: false } => {
                symlink(target, &place).at("create link", &place)?;
            }
            Entry { directory: true, text: None, executable: false, symlink: None } => {
                std::fs::create_dir(&place).at("create directory", &place)?;
            }
            _ => {
                let problem = format!("`entries`: `{path}` must have one of `text`, `symlink` and `directory`");
                return Err(self.error(problem));
            }
        }
        Ok(())
    }
}

/// Unpacks what came from a place, over what came from another; the tree in it, without its top directory if there is nothing beside it.
fn unpack_content(archive: &Path, into: &Path, cancelled: &dyn Fn() -> bool) -> Result<PathBuf, Reason> {
    match std::fs::remove_dir_all(into) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Reason::Write(error)),
        _ => std::fs::create_dir(into).map_err(Reason::Write)?,
    }
    unpack_unless(cancelled, archive, into, &UnpackOptions::default()).map_err(|error| match error.problem() {
        Some(Problem::Cancelled) => Reason::Cancelled,
        _ => Reason::Unpack(Box::new(error)),
    })?;
    Ok(only_directory(into).map_err(Reason::Read)?.unwrap_or_else(|| into.to_owned()))
}

/// Checks the hash of an archive of Nix of what was made.
fn check_archive(fixed: &FixedOutput, made: &Path) -> Result<(), Reason> {
    let expected = fixed.hash.clone();
    let got = archive::hash(expected.algorithm(), made).map_err(|error| Reason::Read(std::io::Error::other(error)))?;
    if got == expected { Ok(()) } else { Err(Reason::WrongHash { got, expected }) }
}

/// The directory that is all there is in a directory: archives often have one that their content lies in.
fn only_directory(directory: &Path) -> std::io::Result<Option<PathBuf>> {
    let mut entries = std::fs::read_dir(directory)?;
    let first = entries.next().transpose()?;
    let (Some(first), None) = (first, entries.next()) else { return Ok(None) };
    Ok(first.file_type()?.is_dir().then(|| first.path()))
}

fn as_name(name: &store::EntryName) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(name.as_bytes())
}

/// One entry for `builtin:write`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The content of a file.
    text: Option<String>,
    /// Whether the file may be executed.
    #[serde(default)]
    executable: bool,
    /// The target of a symbolic link.
    symlink: Option<String>,
    /// Whether it is an empty directory.
    #[serde(default)]
    directory: bool,
}
