//! `larder lint` of a tree of another distribution's recipes: reading it, and telling what is found.

use super::Args;
use super::report::Report;
use crate::error::CliError;
use crate::output;
use crate::recipe_tree::{MANIFEST, TreePart, directories_in, entries, has_manifest, has_recipes};
use foreign::{FileContent, Finding, PatchFile, RecipeFiles, Severity, Tree, Unread};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use store::HashAlgorithm;

/// A file of a recipe that is larger than this is none that somebody has written.
const MAX_FILE: u64 = 1 << 20;

/// How many files are read that a build.sh may source.
const MAX_SCRIPTS: usize = 16;

/// So many directories below those of recipes are looked at for recipes that nothing reads.
const MAX_DEEPER: usize = 1000;

/// Lints a tree, and tells what is found in the part that is meant.
pub(super) fn lint_tree(part: &TreePart, args: &Args, report: &mut Report) -> Result<(), CliError> {
    let tree = read_tree(part)?;
    report.recipes += tree.recipes.iter().filter(|recipe| is_meant(part, &recipe.directory)).count();
    for finding in foreign::lint(&tree).iter().filter(|finding| is_meant(part, &finding.file)) {
        tell(finding, args, report)?;
    }
    Ok(())
}

/// Whether a path, as it is shown, lies in the part that is meant.
pub(super) fn is_meant(part: &TreePart, path: &str) -> bool {
    part.part.as_deref().is_none_or(|part| Path::new(path).starts_with(without_dot(part)))
}

/// Tells of a finding.
pub(super) fn tell(finding: &Finding, args: &Args, report: &mut Report) -> Result<(), CliError> {
    if args.allows(finding.rule.number()) {
        return Ok(());
    }
    report.findings += 1;
    report.errors += usize::from(finding.severity == Severity::Error);
    if args.json {
        report.json.push(as_json(finding));
        return Ok(());
    }
    let text = read_file(Path::new(&finding.file)).ok();
    output::write(format!("{}\n", foreign::render(finding, text.as_deref())).as_bytes())
}

/// Reads a tree, and which files the recipes have that are meant. What cannot be read is part of it.
///
/// # Errors
/// When not even the tiers can be listed.
pub(super) fn read_tree(part: &TreePart) -> Result<Tree, CliError> {
    let packages = &part.packages;
    let mut tree = Tree::default();
    let tiers = directories_in(packages).map_err(|error| CliError::cannot("read", packages, &error))?;
    // Where the tiers lie beside all else, what is no tier may be anything.
    let only_tiers = std::path::absolute(packages).is_ok_and(|packages| packages.ends_with("packages"));
    let misplaced = |directory: &Path| {
        let problem = format!("this recipe is in no tier: recipes are TIER/NAME/{MANIFEST}");
        Unread { path: without_dot(&directory.join(MANIFEST)), problem }
    };
    tree.unread.extend(has_manifest(packages).then(|| misplaced(packages)));
    for tier in tiers {
        tree.unread.extend(has_manifest(&tier).then(|| misplaced(&tier)));
        if has_recipes(&tier) {
            read_tier(part, &tier, &mut tree);
        } else if only_tiers && is_around(part, &tier) {
            find_deeper(&tier, &mut tree.unread);
        }
    }
    let patches = patch_directory(packages);
    tree.patch_directory = without_dot(patches.as_deref().unwrap_or(&packages.join("patches")));
    tree.patches = patches.map(|patches| read_patches(&patches, &mut tree.unread));
    Ok(tree)
}

fn read_tier(part: &TreePart, tier: &Path, tree: &mut Tree) {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for recipe in list(tier, &mut tree.unread, directories_in) {
        let directory = without_dot(&recipe);
        let (manifest, script) = (content(&recipe.join(MANIFEST)), content(&recipe.join("build.sh")));
        let is_recipe = [&manifest, &script].into_iter().any(|content| !matches!(content, FileContent::Missing));
        let files = if !is_meant(part, &directory) {
            // What lies around the part that is meant may be anything, and large.
            Vec::new()
        } else if is_recipe {
            files_below(&recipe, &mut tree.unread)
        } else {
            find_deeper(&recipe, &mut tree.unread);
            files_in(&recipe, &mut tree.unread)
        };
        let patches = patches_beside(&recipe, &files, &manifest, &mut tree.unread);
        let scripts = scripts_beside(&recipe, &files, &script);
        let (tier, name) = (name(tier), name(&recipe));
        tree.recipes.push(RecipeFiles { tier, name, directory, manifest, script, files, patches, scripts });
    }
}

/// Whether what is meant is in a directory, or is it.
fn is_around(part: &TreePart, directory: &Path) -> bool {
    part.part.as_deref().is_none_or(|part| part.starts_with(directory))
}

/// Notes the recipes that lie deeper than any are read. Links are not followed.
fn find_deeper(directory: &Path, unread: &mut Vec<Unread>) {
    let mut pending = vec![directory.to_owned()];
    for _ in 0..MAX_DEEPER {
        let Some(directory) = pending.pop() else { break };
        let below = directories_in(&directory).unwrap_or_default();
        for below in below.into_iter().filter(|below| !below.is_symlink()) {
            if has_manifest(&below) {
                let problem =
                    format!("this recipe is not read, for it lies too deep: recipes are TIER/NAME/{MANIFEST}");
                unread.push(Unread { path: without_dot(&below.join(MANIFEST)), problem });
            }
            pending.push(below);
        }
    }
}

/// The patch files of a recipe: what is called so, and what its package.yml names.
fn patches_beside(recipe: &Path, files: &[String], manifest: &FileContent, unread: &mut Vec<Unread>) -> Vec<PatchFile> {
    let manifest = manifest.bytes().map(String::from_utf8_lossy).unwrap_or_default();
    let is_named = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name != MANIFEST && name != "build.sh" && manifest.contains(name)
    };
    let patches = files.iter().filter(|path| PatchFile::is_patch(path) || is_named(path));
    patches.map(|name| patch_file(name.clone(), &recipe.join(name), unread)).collect()
}

/// The files of a recipe that its build.sh may source.
fn scripts_beside(recipe: &Path, files: &[String], script: &FileContent) -> Vec<(String, Vec<u8>)> {
    let script = script.bytes().map(String::from_utf8_lossy).unwrap_or_default();
    if !script.contains("BASH_SOURCE") {
        return Vec::new();
    }
    let may_source = |path: &&String| *path != MANIFEST && *path != "build.sh" && script.contains(path.as_str());
    let named = files.iter().filter(may_source).take(MAX_SCRIPTS);
    named.filter_map(|path| Some((path.clone(), read_file(&recipe.join(path)).ok()?))).collect()
}

/// What is in a directory; nothing, which is noted, if it cannot be read.
fn list(
    directory: &Path,
    unread: &mut Vec<Unread>,
    listed: impl Fn(&Path) -> std::io::Result<Vec<PathBuf>>,
) -> Vec<PathBuf> {
    listed(directory).unwrap_or_else(|error| {
        unread.push(Unread { path: without_dot(directory), problem: format!("this cannot be read: {error}") });
        Vec::new()
    })
}

/// Where the tree's patches lie: beside its packages, or among them.
fn patch_directory(packages: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(packages).unwrap_or_else(|_| packages.to_owned());
    let around = match absolute.file_name() {
        Some(name) if name == "packages" => packages
            .parent()
            .map(|parent| if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }),
        _ => Some(packages.to_owned()),
    };
    let around = around.unwrap_or_else(|| packages.join(".."));
    [around.join("build/patches"), around.join("patches"), packages.join("patches")]
        .into_iter()
        .find(|directory| directory.is_dir())
}

/// The patch files in a directory and below it, without hidden ones. Links to directories are not followed.
fn read_patches(directory: &Path, unread: &mut Vec<Unread>) -> Vec<PatchFile> {
    let mut patches = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(below) = pending.pop() {
        for path in list(&below, unread, entries) {
            if path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            if path.is_dir() {
                pending.extend(Some(path).filter(|path| !path.is_symlink()));
            } else if let Ok(name) = path.strip_prefix(directory) {
                patches.push(patch_file(name.to_string_lossy().into_owned(), &path, unread));
            }
        }
    }
    patches.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    patches
}

/// A patch file. Of one that cannot be read, which is noted, there is only the name.
fn patch_file(name: String, path: &Path, unread: &mut Vec<Unread>) -> PatchFile {
    let sha256 = open_regular(path).and_then(|(file, _)| sha256_of(file).map_err(|error| cannot(&error)));
    let sha256 = sha256.map_err(|problem| unread.push(Unread { path: without_dot(path), problem }));
    PatchFile { name, sha256: sha256.ok() }
}

fn sha256_of(mut file: File) -> std::io::Result<String> {
    let (mut hasher, mut buffer) = (HashAlgorithm::Sha256.hasher(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            size => hasher.update(&buffer[..size]),
        }
    }
    let hash = hasher.finish().to_string();
    Ok(hash.split_once(':').map(|(_, digits)| digits.to_owned()).unwrap_or_default())
}

fn content(path: &Path) -> FileContent {
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => FileContent::Missing,
        _ => read_file(path).map_or_else(FileContent::Unreadable, FileContent::Read),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let (file, size) = open_regular(path)?;
    if size > MAX_FILE {
        return Err(format!("this has {}, more than a file of a recipe can have", crate::text::bytes(size)));
    }
    let mut content = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut content).map_err(|error| cannot(&error))?;
    Ok(content)
}

/// A file and its size. What is none is not even opened: that may wait for somebody.
fn open_regular(path: &Path) -> Result<(File, u64), String> {
    let data = path.metadata().map_err(|error| match path.is_symlink() {
        true if error.kind() == ErrorKind::NotFound => "this link leads nowhere".to_owned(),
        _ => cannot(&error),
    })?;
    if !data.is_file() {
        return Err("this is not a regular file".to_owned());
    }
    Ok((File::open(path).map_err(|error| cannot(&error))?, data.len()))
}

fn cannot(error: &std::io::Error) -> String {
    format!("this cannot be read: {error}")
}

/// The names in a directory that may be that of a recipe.
fn files_in(directory: &Path, unread: &mut Vec<Unread>) -> Vec<String> {
    let names = list(directory, unread, entries).into_iter();
    names.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
}

/// Paths of the files below a recipe's directory, relative to it. Links are not followed.
fn files_below(recipe: &Path, unread: &mut Vec<Unread>) -> Vec<String> {
    let mut files = Vec::new();
    let mut pending = vec![recipe.to_owned()];
    while let Some(directory) = pending.pop() {
        for path in list(&directory, unread, entries) {
            if path.symlink_metadata().is_ok_and(|data| data.is_dir()) {
                pending.push(path);
            } else if let Ok(relative) = path.strip_prefix(recipe) {
                files.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    files.sort_unstable();
    files
}

fn without_dot(path: &Path) -> String {
    let text = path.display().to_string();
    text.strip_prefix("./").unwrap_or(&text).to_owned()
}

fn as_json(finding: &Finding) -> Value {
    json!({
        "file": finding.file,
        "code": finding.rule.number(),
        "severity": finding.severity.as_str(),
        "message": finding.message,
        "hints": finding.hint.iter().collect::<Vec<_>>(),
        "fixable": false,
        "start": { "line": finding.line, "column": 1 },
    })
}
