//! Sources: what is wrong with them, and where they are said to be.

use crate::finding::Finding;
use crate::inspect;
use crate::manifest::{self, Manifest, Placed, SourceEntry};
use crate::rule::Rule;
use crate::tree::Tree;
use std::collections::BTreeMap;

/// A file that recipes fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The recipe that declares it.
    pub recipe: String,
    /// Its package.yml.
    pub file: String,
    /// The line that it is declared in.
    pub line: usize,
    /// Where it is said to be, in this order.
    pub urls: Vec<String>,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// The sources of a tree.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Those that are known by a hash, build artifacts with one among them.
    pub known: Vec<Source>,
    /// What keeps others from being asked for, or from being known at all.
    pub unknown: Vec<Finding>,
}

/// All sources of a tree.
#[must_use]
pub fn sources(tree: &Tree) -> Sources {
    let mut all = Sources { unknown: inspect::unread(tree), ..Sources::default() };
    for files in &tree.recipes {
        let mut wrong = Vec::new();
        let Some(manifest) = manifest::read(files, &mut wrong) else {
            all.unknown.append(&mut wrong);
            continue;
        };
        let mut findings = Vec::new();
        inspect(&files.manifest_path(), &manifest, &mut findings);
        all.unknown.extend(findings.into_iter().filter(|finding| {
            matches!(finding.rule, Rule::SourceWithoutHash | Rule::ArtifactWithoutHash | Rule::SourceForm)
        }));
        let source = |line, urls: Vec<Placed<String>>, sha256: Option<Placed<String>>| {
            let sha256 = sha256.filter(|hash| is_sha256(&hash.value))?.value.to_ascii_lowercase();
            let urls = urls.into_iter().map(|url| url.value).collect();
            Some(Source { recipe: files.name.clone(), file: files.manifest_path(), line, urls, sha256 })
        };
        let sources = manifest.sources.into_iter();
        all.known.extend(sources.filter_map(|entry| source(entry.line, entry.urls, entry.sha256)));
        for mut artifact in manifest.artifacts {
            if artifact.urls.is_empty() {
                // Where such files are looked for when they are built with.
                let value = format!("mirror://artifacts/{}", artifact.name.value);
                artifact.urls.push(Placed { value, line: artifact.name.line });
            }
            all.known.extend(source(artifact.name.line, artifact.urls, artifact.sha256));
        }
    }
    all
}

fn is_sha256(text: &str) -> bool {
    wrong_sha256(text).is_none()
}

/// Why a text is no SHA-256, if it is none.
pub(crate) fn wrong_sha256(text: &str) -> Option<&'static str> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some("not 64 hexadecimal digits");
    }
    let first = text.as_bytes()[0];
    text.bytes().all(|byte| byte == first).then_some("one digit again and again, which no file has")
}

/// Looks at the sources and artifacts of a recipe.
pub(crate) fn inspect(file: &str, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let mut known: BTreeMap<&str, &SourceEntry> = BTreeMap::new();
    for source in &manifest.sources {
        inspect_form(file, source, findings);
        let before = known.insert(&source.filename, source);
        if before.is_some_and(|before| before.sha256 != source.sha256) {
            let message = format!("two different sources are called {}", source.filename);
            findings.push(Finding::new(Rule::RepeatedSource, file, source.line, message));
        }
    }
    for artifact in &manifest.artifacts {
        let Placed { value: name, line } = &artifact.name;
        match &artifact.sha256 {
            None => {
                let message = format!("the build artifact {name} has no sha256");
                findings.push(Finding::new(Rule::ArtifactWithoutHash, file, *line, message));
            }
            Some(hash) => findings.extend(wrong_hash(file, name, hash)),
        }
    }
}

/// What is wrong with the hash of something.
pub(crate) fn wrong_hash(file: &str, name: &str, hash: &Placed<String>) -> Option<Finding> {
    let wrong = wrong_sha256(&hash.value)?;
    Some(Finding::new(Rule::SourceForm, file, hash.line, format!("the sha256 of {name} is {wrong}")))
}

fn inspect_form(file: &str, source: &SourceEntry, findings: &mut Vec<Finding>) {
    let shown = if source.filename.is_empty() { "a source" } else { &source.filename };
    if source.urls.is_empty() {
        findings.push(Finding::new(Rule::SourceForm, file, source.line, "a source has no `url`"));
    }
    match &source.sha256 {
        None => {
            findings.push(Finding::new(Rule::SourceWithoutHash, file, source.line, format!("{shown} has no sha256")));
        }
        Some(hash) => findings.extend(wrong_hash(file, shown, hash)),
    }
    if source.filename.starts_with('/') || source.filename.split('/').any(|part| part == "..") {
        let message = format!("the file name `{}` leads out of the directory of sources", source.filename);
        findings.push(Finding::new(Rule::SourceForm, file, source.line, message));
    }
    let is_local = |url: &Placed<String>| url.value.starts_with("file:");
    for url in &source.urls {
        let scheme = url.value.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https" | "mirror") if !url.value.contains(char::is_whitespace) => {}
            _ if is_local(url) => {}
            Some("http" | "https" | "mirror") => {
                findings.push(Finding::new(Rule::SourceForm, file, url.line, format!("`{}` has blanks", url.value)));
            }
            _ => {
                let message = format!("`{}` is not an address to fetch from", url.value);
                findings.push(Finding::new(Rule::SourceForm, file, url.line, message).hint("http, https or mirror"));
            }
        }
    }
    if let Some(first) = source.urls.first().filter(|_| source.urls.iter().all(is_local)) {
        let message = format!("`{}` is on somebody's disk only", first.value);
        let hint = "publish it, or put it in a mirror by content (`larder help environment`)";
        findings.push(Finding::new(Rule::Unobtainable, file, first.line, message).hint(hint));
    }
}
