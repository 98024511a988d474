//! What one package.yml says. Whatever is wrong with it becomes a finding, and the rest is read all the same.

mod values;

use crate::finding::Finding;
use crate::rule::Rule;
use crate::template::Values;
use crate::tree::{FileContent, RecipeFiles};
use eval::yaml::{Document, Entry, Kind, Scalar, YamlError};
use values::said;

/// Something and the line it stands on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) line: usize,
}

/// How one recipe needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NeedKind {
    Build,
    Runtime,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) kind: NeedKind,
    pub(crate) name: Placed<String>,
}

/// An entry of `source`, filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SourceEntry {
    pub(crate) line: usize,
    pub(crate) urls: Vec<Placed<String>>,
    pub(crate) sha256: Option<Placed<String>>,
    pub(crate) filename: String,
}

/// An entry of `patches` or of `build_artifacts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileEntry {
    pub(crate) name: Placed<String>,
    pub(crate) sha256: Option<Placed<String>>,
    /// Of an artifact.
    pub(crate) urls: Vec<Placed<String>>,
}

/// A package.yml.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manifest {
    pub(crate) name: Placed<String>,
    pub(crate) tier: Placed<String>,
    pub(crate) values: Values,
    pub(crate) style: Option<Placed<String>>,
    pub(crate) sources: Vec<SourceEntry>,
    pub(crate) patches: Vec<FileEntry>,
    pub(crate) artifacts: Vec<FileEntry>,
    pub(crate) needs: Vec<Need>,
    pub(crate) supersedes: Vec<Placed<String>>,
    pub(crate) promises: Vec<Placed<String>>,
    pub(crate) flags: Vec<Placed<String>>,
    pub(crate) install_function: Option<Placed<String>>,
    pub(crate) iso_include: Option<bool>,
    pub(crate) direct_install: bool,
    pub(crate) pending: bool,
    /// Whether it says that it has no tests.
    pub(crate) tests_off: bool,
}

/// Every key that something reads.
const KEYS: [&str; 27] = [
    "name",
    "version",
    "release",
    "description",
    "homepage",
    "license",
    "tier",
    "build_style",
    "source",
    "dependencies",
    "verify_paths",
    "install_func",
    "configure_flags",
    "tests",
    "patches",
    "build_artifacts",
    "supersedes",
    "direct_install",
    "iso_include",
    "payload_license",
    "pending_acquisition",
    "target_triple",
    "pass_number",
    "bundled_deps",
    "validation",
    "skip_tracking",
    "sources_extra",
];
const SOURCE_KEYS: [&str; 5] = ["url", "sha256", "filename", "extract", "fallback_url"];
const PATCH_KEYS: [&str; 2] = ["file", "sha256"];
const ARTIFACT_KEYS: [&str; 4] = ["name", "generated_by", "sha256", "url"];
const DEPENDENCY_KEYS: [&str; 3] = ["build", "host", "runtime"];
const TEST_KEYS: [&str; 3] = ["enabled", "failure_policy", "reason"];
const STYLES: [&str; 5] = ["autotools", "cmake", "custom", "make", "meson"];
const POLICIES: [&str; 2] = ["strict", "known_failures"];

/// How many entries a list or mapping of a recipe can have.
const MAX_ENTRIES: usize = 1024;
/// How many bytes the texts of a recipe can have, each counted where it is used: aliases make many of one.
const MAX_TEXT: usize = 1 << 20;
/// How many bytes a name or version can have, which other texts are filled in with.
const MAX_NAME: usize = 200;

/// Reads a package.yml; `None` if it is not one at all.
pub(crate) fn read(files: &RecipeFiles, findings: &mut Vec<Finding>) -> Option<Manifest> {
    let file = files.manifest_path();
    let text = match &files.manifest {
        FileContent::Read(text) => text,
        FileContent::Unreadable(problem) => {
            findings.push(Finding::new(Rule::Unreadable, file, 1, problem));
            return None;
        }
        FileContent::Missing => {
            findings.push(missing(files));
            return None;
        }
    };
    let (document, repeated) = match Document::parse_repeated(text) {
        Ok(read) => read,
        Err(error) => {
            findings.push(not_yaml(file, &error));
            return None;
        }
    };
    findings.extend(repeated.iter().map(|error| not_yaml(file.clone(), error)));
    let Some(root) = document.root().map(|root| document.node(root)) else {
        findings.push(Finding::new(Rule::Unreadable, file, 1, "the file is empty"));
        return None;
    };
    let Kind::Map(entries) = &root.kind else {
        findings.push(Finding::new(
            Rule::Unreadable,
            file,
            root.line,
            format!("a mapping is expected, not {}", root.kind),
        ));
        return None;
    };
    let mut reader = Reader { document: &document, text, file, values: Values::default(), left: MAX_TEXT, findings };
    Some(reader.manifest(entries))
}

fn not_yaml(file: String, error: &YamlError) -> Finding {
    Finding::new(Rule::Unreadable, file, error.line, format!("this is not YAML: {}", error.problem))
}

/// A directory among recipes that has no package.yml: by mistake, if something else of a recipe is there.
fn missing(files: &RecipeFiles) -> Finding {
    let finding = Finding::new(Rule::Unreadable, files.manifest_path(), 1, "there is no package.yml");
    let alike = |name: &&String| matches!(name.to_ascii_lowercase().as_str(), "package.yaml" | "package.yml");
    match files.files.iter().find(alike) {
        Some(name) => finding.hint(format!("{name} is not read: rename it")),
        None if files.script.is_missing() => finding.warning(),
        None => finding,
    }
}

struct Reader<'a> {
    document: &'a Document,
    text: &'a [u8],
    file: String,
    values: Values,
    /// How many bytes of text may still be read.
    left: usize,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn manifest(&mut self, entries: &[Entry]) -> Manifest {
        let entries = self.at_most(entries, "the recipe", 1);
        self.known_keys("key", entries, &KEYS);
        let name = self.name(entries, "name");
        let mut version = self.name(entries, "version");
        if version.value.is_empty() {
            version.value = self.number_as_written(entries, "version");
        }
        self.values = Values::new(&name.value, &version.value);
        let mut manifest = Manifest { name, tier: self.required(entries, "tier"), ..Manifest::default() };
        manifest.values = self.values.clone();
        for entry in entries {
            self.key(&mut manifest, entry);
        }
        manifest
    }

    fn key(&mut self, manifest: &mut Manifest, entry: &Entry) {
        match entry.key.as_str() {
            "description" | "homepage" | "license" | "payload_license" | "target_triple" => {
                self.text(entry);
            }
            "release" | "pass_number" => self.whole_number(entry),
            "build_style" => manifest.style = self.text(entry).and_then(|style| self.one_of(entry, style, &STYLES)),
            // No recipe has `sources_extra`, but some readers know it for further sources.
            "source" | "sources_extra" => {
                let sources = self.items(entry).into_iter();
                manifest.sources.extend(sources.filter_map(|item| self.source(item)));
            }
            "patches" => {
                let items = self.items(entry);
                manifest.patches = items.into_iter().filter_map(|item| self.file(item, "file", &PATCH_KEYS)).collect();
            }
            "build_artifacts" => {
                let items = self.items(entry);
                manifest.artifacts =
                    items.into_iter().filter_map(|item| self.file(item, "name", &ARTIFACT_KEYS)).collect();
            }
            "dependencies" => manifest.needs = self.needs(entry),
            "supersedes" => manifest.supersedes = self.texts(entry),
            "verify_paths" => manifest.promises = self.texts(entry),
            "configure_flags" => manifest.flags = self.texts(entry),
            "bundled_deps" => {
                self.texts(entry);
            }
            "install_func" => manifest.install_function = self.text(entry),
            "iso_include" => manifest.iso_include = self.boolean(entry),
            "direct_install" => manifest.direct_install = self.boolean(entry) == Some(true),
            "tests" => manifest.tests_off = self.tests(entry),
            "pending_acquisition" => manifest.pending = self.pending(entry),
            _ => {}
        }
    }

    /// A number as it is written, for 2.30 is another version than 2.3; nothing if it is none.
    fn number_as_written(&self, entries: &[Entry], key: &str) -> String {
        let Some(entry) = entries.iter().find(|entry| entry.key == key) else { return String::new() };
        let node = self.document.node(entry.value);
        if !matches!(node.kind, Kind::Scalar(Scalar::Int(_) | Scalar::Float(_))) {
            return String::new();
        }
        let line = self.text.split(|&byte| byte == b'\n').nth(node.line.saturating_sub(1)).unwrap_or_default();
        let digits = String::from_utf8_lossy(line);
        digits
            .chars()
            .skip(node.column.saturating_sub(1))
            .take_while(|character| character.is_ascii_digit() || *character == '.')
            .take(MAX_NAME)
            .collect()
    }

    /// A text that must be there.
    fn required(&mut self, entries: &[Entry], key: &str) -> Placed<String> {
        match entries.iter().find(|entry| entry.key == key) {
            Some(entry) if *self.kind(entry.value) != Kind::Scalar(Scalar::Null) => {
                let text = self.text(entry).unwrap_or_else(|| Placed { value: String::new(), line: entry.line });
                if text.value.is_empty() && matches!(self.kind(entry.value), Kind::Scalar(Scalar::Text(_))) {
                    self.find(Rule::MissingKey, entry.line, format!("`{key}` is empty"));
                }
                text
            }
            found => {
                let line = found.map_or(1, |entry| entry.line);
                self.find(Rule::MissingKey, line, format!("`{key}` is missing"));
                Placed { value: String::new(), line }
            }
        }
    }

    fn source(&mut self, item: usize) -> Option<SourceEntry> {
        let entries = self.map(item, "a source")?;
        self.known_keys("key of a source", entries, &SOURCE_KEYS);
        let mut source = SourceEntry { line: self.line(item), ..SourceEntry::default() };
        for entry in entries {
            match entry.key.as_str() {
                "url" => {
                    let url = self.text(entry).map(|url| self.filled(url));
                    source.urls.splice(0..0, url);
                }
                "fallback_url" => source.urls.extend(self.text_or_texts(entry)),
                "sha256" => source.sha256 = self.text(entry).filter(|hash| !hash.value.is_empty()),
                "filename" => {
                    source.filename = self.text(entry).map(|name| self.filled(name).value).unwrap_or_default()
                }
                "extract" => {
                    self.boolean(entry);
                }
                _ => {}
            }
        }
        if source.filename.is_empty() {
            source.filename = source.urls.first().map(|url| last_part(&url.value)).unwrap_or_default();
        }
        Some(source)
    }

    /// An entry that names a file: a mapping, or the name alone.
    fn file(&mut self, item: usize, key: &str, known: &[&str]) -> Option<FileEntry> {
        if let Kind::Scalar(Scalar::Text(_)) = self.kind(item) {
            return self.item_text(key, item).map(|name| FileEntry { name, ..FileEntry::default() });
        }
        let entries = self.map(item, "an entry")?;
        self.known_keys("key of an entry", entries, known);
        let mut file = FileEntry::default();
        for entry in entries {
            match entry.key.as_str() {
                own if own == key => {
                    let name = self.text(entry).map(|name| self.filled(name));
                    file.name = name.unwrap_or_default();
                }
                "url" => file.urls = self.text_or_texts(entry),
                "sha256" => file.sha256 = self.text(entry).filter(|hash| !hash.value.is_empty()),
                _ => {}
            }
        }
        if file.name.value.is_empty() {
            let line = self.line(item);
            self.find(Rule::MissingKey, line, format!("`{key}` is missing"));
            return None;
        }
        Some(file)
    }

    fn needs(&mut self, entry: &Entry) -> Vec<Need> {
        if self.is_null(entry.value) {
            return Vec::new();
        }
        let Some(kinds) = self.map(entry.value, "`dependencies`") else { return Vec::new() };
        self.known_keys("kind of dependency", kinds, &DEPENDENCY_KEYS);
        let mut needs = Vec::new();
        for entry in kinds {
            let kind = if entry.key == "runtime" { NeedKind::Runtime } else { NeedKind::Build };
            needs.extend(self.texts(entry).into_iter().map(|name| Need { kind, name }));
        }
        needs
    }

    /// Whether tests are off.
    fn tests(&mut self, entry: &Entry) -> bool {
        if self.is_null(entry.value) {
            return false;
        }
        let Some(entries) = self.map(entry.value, "`tests`") else { return false };
        self.known_keys("key of tests", entries, &TEST_KEYS);
        let (mut lenient, mut reason, mut off) = (None, false, false);
        for entry in entries {
            match entry.key.as_str() {
                "enabled" if self.boolean(entry) == Some(false) => (lenient, off) = (Some("off"), true),
                "failure_policy" => {
                    let policy = self.text(entry).and_then(|policy| self.one_of(entry, policy, &POLICIES));
                    if policy.is_some_and(|policy| policy.value == "known_failures") {
                        lenient = Some("allowed to fail");
                    }
                }
                "reason" => reason = self.text(entry).is_some_and(|reason| !reason.value.trim().is_empty()),
                _ => {}
            }
        }
        if let Some(lenient) = lenient.filter(|_| !reason) {
            self.find(Rule::WrongValue, entry.line, format!("tests that are {lenient} need a `reason`"));
        }
        off
    }

    fn pending(&mut self, entry: &Entry) -> bool {
        match self.kind(entry.value) {
            Kind::Scalar(Scalar::Null) => false,
            kind if said(kind) == Some(false) => false,
            kind if said(kind) == Some(true) => {
                let finding = self.find(Rule::WrongValue, entry.line, "`pending_acquisition` says no reason");
                *finding = finding.clone().warning().hint("say what it waits for, as a text");
                true
            }
            Kind::Scalar(Scalar::Text(reason)) => !reason.trim().is_empty(),
            _ => {
                self.wrong(entry, "a string");
                true
            }
        }
    }
}

/// What a URL's file is called: what stands behind `#/`, else the last part of its path.
fn last_part(url: &str) -> String {
    let named = url.split_once("#/").map(|(_, name)| name);
    if let Some(name) = named.filter(|name| !name.is_empty() && !name.contains(['/', '?', '#'])) {
        return name.to_owned();
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}
