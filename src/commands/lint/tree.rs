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
    for tier in tiers {
        if has_manifest(&tier) {
            let problem = format!("this recipe is in no tier: recipes are TIER/NAME/{MANIFEST}");
            tree.unread.push(Unread { path: without_dot(&tier.join(MANIFEST)), problem });
        }
        if has_recipes(&tier) {
            read_tier(part, &tier, &mut tree);
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
            files_in(&recipe, &mut tree.unread)
        };
        tree.recipes.push(RecipeFiles { tier: name(tier), name: name(&recipe), directory, manifest, script, files });
    }
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

/// The patch files of a directory. Of one that cannot be read there is only the name.
fn read_patches(directory: &Path, unread: &mut Vec<Unread>) -> Vec<PatchFile> {
    let mut patches = Vec::new();
    for path in list(directory, unread, entries) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || path.is_dir() {
            continue;
        }
        let sha256 = open_regular(&path).and_then(|(file, _)| sha256_of(file).map_err(|error| cannot(&error)));
        let sha256 = sha256.map_err(|problem| unread.push(Unread { path: without_dot(&path), problem }));
        patches.push(PatchFile { name, sha256: sha256.ok() });
    }
    patches
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
